"""The service as one command: a Prefect server, workers, the sandbox and the pages, kept by a small supervisor.

Belongs here: which processes there are, in what order they come up, and `up`, which keeps them running. Does not belong here:
the life of processes (supervisor), the main job (main_job), what is asked of the Prefect server (server). Prefect is imported
late: its settings are read at import, and the server boots meanwhile.
"""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from connectors.sandbox import own_facts
from flows import catalogue, deployments, down, notices, pipeline, supervisor
from flows import settings as settings_module
from flows.environment import adopt, environment, here, host, open_to_all
from flows.processes import free_port, port_taken
from flows.supervisor import ServiceError, Supervisor
from warehouse.errors import FigurekeeperError

if TYPE_CHECKING:
    from flows.settings import Settings

FLOW = "refresh-dataset"


class Service(Supervisor):
    """Server, sandbox, workers and pages while the `with` block lasts; leaving it stops them all, however it is left."""

    def __init__(
        self,
        settings: Settings,
        *,
        port: int | None = None,
        queues: Sequence[str] = (),
        workers: int = 1,
        pages: bool = False,
        note: Callable[[str], None] = print,
    ) -> None:
        """`queues`: those its workers serve, all when there is none; `pages`: whether they are served, on the port after
        the server's."""
        self.settings, self.queues, self.workers, self.pages = settings, queues, workers, pages
        self.port = port or free_port()
        self.host = here(settings.bind)
        self.ui = f"http://{self.host}:{self.port}"
        env = environment(settings, f"{self.ui}/api")
        super().__init__(settings.root / "logs", env, note=note, tell=down.teller(settings, note))
        self._lock = FileLock(settings.root / "service.lock")

    @property
    def pages_url(self) -> str:
        """Where this machine reaches the pages."""
        return f"http://{self.host}:{self.port + 1}"

    def __enter__(self) -> Service:
        self._claim()
        try:
            self._boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all children and let another service have the folder."""
        super().stop()
        self._lock.release()

    def _claim(self) -> None:
        for port in (self.port, self.port + 1) if self.pages else (self.port,):
            if port_taken(port, self.host):
                raise ServiceError(
                    f"something already listens on port {port}, perhaps a service of yours",
                    next_step="set FIGUREKEEPER_PORT to a free one; the pages take the one after it",
                )
        notices.check(self.settings)
        pipeline.open_warehouse(self.settings)  # says at once when the folder cannot be used
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ServiceError(
                f"a service is already running on {self.settings.root}",
                next_step="stop it first, or set FIGUREKEEPER_HOME to another folder",
            ) from None

    def _boot(self) -> None:
        if self.settings.profile == "sandbox" and self.settings.sandbox_url is None:
            self._start_sandbox()
        self.note("starting a Prefect server")
        listen = ("--host", self.settings.bind, "--port", str(self.port))
        started = self.start("server", "prefect", "server", "start", *listen, probe=f"{self.ui}/api/ready")
        adopt(self.env)  # before Prefect is imported: it reads its settings once
        from flows import automations, late, server  # the import overlaps the server's boot

        self.wait_until_ready(started)
        server.prepare()
        if skipped := late.skip_missed():
            self.note(
                f"{skipped} runs were missed while nothing ran and are called off; the newest of each deployment runs"
            )
        if freed := server.free_slots():
            self.note(f"slots that nothing holds any more are free again: {', '.join(freed)}")
        self.note("deploying prefect.yaml")
        self.deploy()
        automations.install(self.settings)
        server.remember_links(self.settings, ui=self.ui, pages=self.pages_url if self.pages else None)
        for number in range(1, self.workers + 1):
            self.note(f"starting worker {number} of {self.workers}")
            name = "worker" if number == 1 else f"worker-{number}"
            self.start(name, *worker_command(f"{host(self.settings)} {number}", self.queues))
        if self.pages:
            self._start_pages()

    def deploy(self) -> None:
        """Deploy prefect.yaml and what else is enabled now, and forget the datasets that no longer are."""
        from flows import server

        for name in catalogue.survey(self.settings).wrong:
            self.note(f"{name} is left out: its dataset file is wrong (`figurekeeper doctor` says where)")
        file = deployments.prefect_file(self.settings)
        deploying = self.start("deploy", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
        status = deploying.wait(supervisor.READY_WITHIN)
        if status:
            raise supervisor.failed(deploying, f"of prefect.yaml ended with status {status}")
        self.forget(deploying)
        server.forget_refreshes(deployments.names(file))

    def _start_sandbox(self) -> None:
        port = free_port()
        log = self.settings.root / "sandbox-access.log"
        own = []
        if self.settings.datasets:
            own_facts.read(self.settings.datasets)  # says here what is wrong, not in the log of a child
            own = ["--facts", str(self.settings.datasets)]
        self.start("sandbox", "connectors.sandbox", "--port", str(port), "--access-log", str(log), *own)
        self.env["FIGUREKEEPER_SANDBOX_URL"] = f"http://127.0.0.1:{port}"

    def _start_pages(self) -> None:
        self.note("serving the pages")
        listen = ("--bind", self.settings.bind, "--port", str(self.port + 1))
        self.start("pages", "flows.pages_server", *listen, str(self.settings.root), probe=f"{self.pages_url}/")


def worker_command(name: str, queues: Sequence[str] = ()) -> tuple[str, ...]:
    """Module and arguments of a Prefect worker on our pool; with `queues` it serves these alone. Its number of runs at once
    is bounded by the queues: a worker with a limit of its own dies when a run is retried."""
    wanted = [option for queue in queues for option in ("--work-queue", queue)]
    return ("prefect", "worker", "start", "--pool", "figurekeeper", "--name", name, *wanted)


def up(settings: Settings, *, workers: int = 1) -> int:
    """Keep the whole service running until SIGTERM or SIGINT; returns 0 after a clean stop.

    Raises ServiceError when it does not come up.
    """
    supervisor.stop_on_signals()
    note = supervisor.stamped
    try:
        with Service(settings, port=settings.port, workers=workers, pages=True, note=note) as service:
            (settings.root / "pages").mkdir(parents=True, exist_ok=True)
            if settings.profile == "sandbox":
                _fill_if_empty(settings, note)
            _welcome(service)
            service.watch()
    except KeyboardInterrupt:
        note("stopped: every process has ended, and what was published stays")
    return 0


def _welcome(service: Service) -> None:
    settings = service.settings
    service.note(f"the Prefect UI     {settings.ui_url or service.ui}")
    service.note(f"the pages          {settings.pages_url or service.pages_url}")
    service.note(f"the warehouse      {settings.root}")
    service.note(f"logs of each part  {service.logs}")
    if open_to_all(settings.bind):
        service.note(
            f"NOTE: whoever reaches {settings.bind}:{service.port} can run and decide everything; Prefect's open server knows "
            "no users. Next: see docs/production.md for a reverse proxy or a password, or set FIGUREKEEPER_BIND=127.0.0.1"
        )
    service.note("ready; Ctrl-C or SIGTERM stops everything")


def _fill_if_empty(settings: Settings, note: Callable[[str], None]) -> None:
    from flows import server

    new = [name for name in catalogue.enabled(settings) if pipeline.days_to_walk(settings, name)]
    for name in new:
        server.start_run(f"{FLOW}/{name}", {"request": {"dataset": name, "walk": True}})
    if new:
        note(f"the first refreshes of {len(new)} datasets are started; they take some minutes")


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m flows.service run|up`; 1 with the reason on stderr when it fails or is interrupted."""
    from flows import main_job

    parser = argparse.ArgumentParser(prog="flows.service", description="The main job, or the service until Ctrl-C.")
    parser.add_argument("job", choices=("run", "up"))
    job = parser.parse_args(arguments).job
    settings = settings_module.load()
    try:
        return main_job.run_once(settings) if job == "run" else up(settings)
    except FigurekeeperError as error:
        print(f"{error}\nLogs: {settings.root / 'logs'}", file=sys.stderr)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(f"interrupted; every process is stopped. Logs: {settings.root / 'logs'}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
        print(
            f"stopped by a mistake of ours; every process is stopped. Logs: {settings.root / 'logs'}", file=sys.stderr
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
