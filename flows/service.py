"""The service as one command: a Prefect server, a worker, the sandbox and the pages, kept by a small supervisor.

`run` is the main job: bring everything up, run every dataset's deployment once, print a summary, take everything down.
`up` keeps it running and restarts what dies. Belongs here: order, environment and life of the processes. Does not
belong here: what is asked of the Prefect server (server), what a refresh does (pipeline). Prefect is imported late:
its settings are read at import, and the server boots meanwhile.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import requests
from filelock import FileLock, Timeout
from pydantic import SecretStr

from connectors.sandbox import own_facts
from flows import catalogue, deployments, notices, output, pipeline
from flows import settings as settings_module
from flows.processes import Child, free_port, port_taken
from warehouse.errors import FigurekeeperError

if TYPE_CHECKING:
    from uuid import UUID

    from flows.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
READY_WITHIN = 180.0  # seconds; a first boot migrates its database, and a busy machine is slow at it
RUN_WITHIN = 1800.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
FLOW = "refresh-dataset"
#: The main job's own queue: schedules that fell due while nothing ran wait in `default` and do not mix with it.
MAIN_QUEUE = "main-job"
NOT_OURS = ("PREFECT_API_KEY", "PREFECT_PROFILE")  # somebody's other Prefect
QUEUES_OF_THE_MAIN_JOB = (MAIN_QUEUE, "notices")

Row = dict[str, Any]


class ServiceError(FigurekeeperError):
    """The service could not be brought up, or a run of it did not end."""


def environment(settings: Settings, api_url: str) -> dict[str, str]:
    """The environment of every process: a Prefect of our own in the profile's folder, and no word to outside."""
    kept = {k: v for k, v in os.environ.items() if k not in NOT_OURS}
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    # Spelt out, since flow runs start in the project's folder and would not find a .env beside the caller.
    ours = {f"FIGUREKEEPER_{name.upper()}": _plain(value) for name, value in settings if value is not None}
    return (
        kept
        | ours
        | {
            "PREFECT_HOME": str(settings.root / "prefect"),
            "PREFECT_API_URL": api_url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_CLI_PROMPT": "false",
            "PREFECT_CLI_COLORS": "false",
            "PREFECT_LOGGING_COLORS": "false",
            "PREFECT_API_REQUEST_TIMEOUT": "20",  # SQLite sometimes lets a request hang; the client asks again
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "60",
            "GX_ANALYTICS_ENABLED": "false",
            "FIGUREKEEPER_HOME": str(settings.home.resolve()),
            "FIGUREKEEPER_PROJECT": str(PROJECT),
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
        }
    )


def adopt(env: Mapping[str, str]) -> None:
    """Let this process, too, speak to the Prefect server of `env` and to no other."""
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in env.items() if name.startswith("PREFECT_")})
    Path(env["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


class Service:
    """Server, sandbox, worker and pages while the `with` block lasts; leaving it stops them all, however it is left."""

    def __init__(
        self,
        settings: Settings,
        *,
        port: int | None = None,
        queues: Sequence[str] = (),
        note: Callable[[str], None] = print,
    ) -> None:
        self.settings, self.queues, self.note = settings, queues, note
        self.port = port or free_port()
        self.ui = f"http://127.0.0.1:{self.port}"
        self.logs = settings.root / "logs"
        self.env = environment(settings, f"{self.ui}/api")
        self.children: list[Child] = []
        self._lock = FileLock(settings.root / "service.lock")

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

    def _claim(self) -> None:
        pipeline.open_warehouse(self.settings)  # says at once when the folder cannot be used
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ServiceError(
                f"a service is already running on {self.settings.root}",
                next_step="stop it first, or set FIGUREKEEPER_HOME to another folder",
            ) from None
        if port_taken(self.port):
            self._lock.release()
            raise ServiceError(
                f"something already listens on port {self.port}", next_step="set FIGUREKEEPER_PORT to a free one"
            )

    def _boot(self) -> None:
        if self.settings.profile == "sandbox":
            self._start_sandbox()
        self.note("starting a Prefect server")
        self.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port))
        adopt(self.env)  # before Prefect is imported: it reads its settings once
        from flows import server  # the import overlaps the server's boot

        self.wait_until(f"{self.ui}/api/ready", "server")
        server.prepare()
        self.start("worker", "prefect", "worker", "start", "--pool", server.POOL, *self._queue_options())
        self.note("deploying prefect.yaml")
        self.deploy()
        server.install_automations()

    def deploy(self) -> None:
        """Deploy prefect.yaml and what else is enabled now, and forget the datasets that no longer are."""
        from flows import server

        for name in catalogue.survey(self.settings).wrong:
            self.note(f"{name} is left out: its dataset file is wrong (`figurekeeper doctor` says where)")
        file = deployments.prefect_file(self.settings)
        deploying = self.start("deploy", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
        status = deploying.wait(READY_WITHIN)
        if status:
            raise self._failed(deploying, f"of prefect.yaml ended with status {status}")
        self.children.remove(deploying)
        server.forget_refreshes(deployments.names(file))

    def _queue_options(self) -> list[str]:
        return [option for queue in self.queues for option in ("--work-queue", queue)]

    def _start_sandbox(self) -> None:
        port = free_port()
        log = self.settings.root / "sandbox-access.log"
        own = []
        if self.settings.datasets:
            own_facts.read(self.settings.datasets)  # says here what is wrong, not in the log of a child
            own = ["--facts", str(self.settings.datasets)]
        self.start("sandbox", "connectors.sandbox", "--port", str(port), "--access-log", str(log), *own)
        self.env["FIGUREKEEPER_SANDBOX_URL"] = f"http://127.0.0.1:{port}"

    def start(self, name: str, module: str, *arguments: str) -> Child:
        """Start `python -m module …` as a child that is stopped, and in `watch` restarted, with the others."""
        command = [sys.executable, "-m", module, *arguments]
        child = Child(name, command, log=self.logs / f"{name}.log", env=self.env, folder=PROJECT)
        child.start()
        self.children.append(child)
        return child

    def wait_until(self, url: str, name: str) -> None:
        """Wait for a 200 from `url`; raises ServiceError when the child of that name dies or takes too long."""
        child = next(child for child in self.children if child.name == name)
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise self._failed(child, f"ended with status {child.returncode} before it was ready")
            try:
                if requests.get(url, timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)
        raise self._failed(child, f"was not ready within {READY_WITHIN:.0f} seconds")

    @staticmethod
    def _failed(child: Child, what: str) -> ServiceError:
        return ServiceError(
            f"the {child.name} {what}. Its last words:\n{child.tail()}\n", next_step=f"read {child.log}"
        )

    def run_all(self, datasets: Sequence[str], *, walk: bool) -> dict[str, str]:
        """One deployment run a dataset, as many at once as the queue allows; returns the name of the state of each."""
        from flows import server

        runs = {
            name: server.start_run(f"{FLOW}/{name}", {"request": {"dataset": name, "walk": walk}}, queue=MAIN_QUEUE)
            for name in datasets
        }
        return self._follow(runs)

    def _follow(self, runs: dict[str, UUID]) -> dict[str, str]:
        from flows import server

        seen = dict.fromkeys(runs, 0)
        ends: dict[str, str] = {}
        deadline = time.monotonic() + RUN_WITHIN
        while len(ends) < len(runs):
            self.restart_dead()
            for name in runs.keys() - ends.keys():
                state = server.read_run(runs[name]).state
                for number, message in server.core_messages(runs[name], seen[name]):
                    seen[name] = number
                    if message:
                        self.note(f"  {_brief(name, message)}")
                if state is not None and state.is_final():
                    ends[name] = state.name or state.type.value
                    told = state.message or ""
                    self.note(f"{name}: {ends[name]}. {_brief('', told) if state.is_completed() else told}")
            if time.monotonic() > deadline:
                missing = ", ".join(sorted(runs.keys() - ends.keys()))
                raise ServiceError(f"runs did not end: {missing}", next_step=f"read the logs in {self.logs}")
            time.sleep(0.7)
        return ends

    def restart_dead(self) -> None:
        """Start again every child that died."""
        for child in self.children:
            if child.returncode is not None:
                self.note(f"the {child.name} ended with status {child.returncode}; starting it again ({child.log})")
                child.start()

    def watch(self) -> None:
        """Keep the children alive until a signal ends the wait."""
        while True:
            self.restart_dead()
            time.sleep(2)

    def stop(self) -> None:
        """Stop all children, the last started first; a second signal does not interrupt it."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        kept = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
        for child in reversed(self.children):
            child.stop()
        self.children.clear()
        self._lock.release()
        for number, handler in kept.items():
            signal.signal(number, handler)


def _brief(name: str, message: str) -> str:
    """A message for the terminal: said of whom, and not longer than a line or two; the UI has all of it."""
    said = message if message.startswith(name) else f"{name}: {message}"
    return textwrap.shorten(said, 170, placeholder=" …")


def run_once(settings: Settings) -> int:
    """The main job. Returns 0 when every run ended well, 3 when one was quarantined, 1 when one failed.

    Raises ServiceError when the service does not come up.
    """
    _stop_on_signals()
    started = time.monotonic()

    def note(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    # The site of the papers is built once, at the end, not after every run.
    runs = settings.model_copy(update={"pages": False})
    with Service(runs, queues=QUEUES_OF_THE_MAIN_JOB, note=note) as service:
        before = held_vintages(settings)
        sandbox = settings.profile == "sandbox"
        new = [name for name in before if sandbox and pipeline.days_to_walk(settings, name)]
        ends: list[str] = []
        if new:
            note(f"walking the dates of the facts: {', '.join(new)}")
            ends += service.run_all(new, walk=True).values()
        note("asking every provider as of now")
        ends += service.run_all(list(before), walk=False).values()
        note("writing current values, indicators.duckdb and pages")
        pipeline.finish(settings)
        _, refused = notices.deliver_pending(settings)
        for error in refused:
            note(str(error))
        after = pipeline.summary(settings)
    output.main_job(settings, before, after)
    if "Quarantined" in ends:
        return 3
    return 0 if all(end == "Completed" for end in ends) else 1


def held_vintages(settings: Settings) -> dict[str, int]:
    """How many vintages the warehouse holds of every enabled dataset; the largest to fetch comes first, so
    that it does not run alone at the end."""
    held = {row["dataset"]: int(row["vintages"]) for row in pipeline.summary(settings)}
    files = sorted(catalogue.enabled(settings).values(), key=lambda file: -len(file.parts) * len(file.entities))
    return {file.id: held.get(file.id, 0) for file in files}


def up(settings: Settings) -> int:
    """Keep the whole service running until SIGTERM or SIGINT; returns 0 after a clean stop."""
    _stop_on_signals()
    with Service(settings, port=settings.port) as service:
        pages = settings.root / "pages"
        pages.mkdir(parents=True, exist_ok=True)
        port = settings.port + 1 if not port_taken(settings.port + 1) else free_port()
        service.start("pages", "http.server", "--bind", "127.0.0.1", "--directory", str(pages), str(port))
        if settings.profile == "sandbox":
            _fill_if_empty(settings)
        print(
            f"UI         {service.ui}\nPages      http://127.0.0.1:{port}\nWarehouse  {settings.root}\n"
            f"Logs       {service.logs}\nCtrl-C stops everything.",
            flush=True,
        )
        try:
            service.watch()
        except KeyboardInterrupt:
            print("stopping", flush=True)
    return 0


def _fill_if_empty(settings: Settings) -> None:
    from flows import server

    for name in held_vintages(settings):
        if pipeline.days_to_walk(settings, name):
            server.start_run(f"{FLOW}/{name}", {"request": {"dataset": name, "walk": True}})


def _stop_on_signals() -> None:
    """SIGTERM and SIGINT, even when a shell handed it on ignored, end the job as Ctrl-C does: with everything stopped.

    Python swallows an exception that a signal raises inside a callback (a fork's lock handlers, a finaliser), so the
    interrupt comes again every second until `stop` has begun.
    """

    def interrupt(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        raise KeyboardInterrupt

    for number in _ENDING:
        signal.signal(number, interrupt)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m flows.service run|up`; 1 with the reason on stderr when it fails or is interrupted."""
    parser = argparse.ArgumentParser(prog="flows.service", description="The main job, or the service until Ctrl-C.")
    parser.add_argument("job", choices=("run", "up"))
    job = parser.parse_args(arguments).job
    settings = settings_module.load()
    try:
        return run_once(settings) if job == "run" else up(settings)
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
