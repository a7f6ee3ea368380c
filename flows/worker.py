"""`figurekeeper up`, the service, and `figurekeeper worker`, a further worker that joins it; part of the command line (cli).

Belongs here: arguments, and what a worker on another machine needs before it starts. Does not belong here: the service itself
(service), restarting (supervisor).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from warehouse.errors import UsageError

if TYPE_CHECKING:
    from flows.settings import Settings


def up(workers: Annotated[int, typer.Option(min=0, help="how many on this machine")] = 1) -> None:
    """The whole service: Prefect server, workers, deployments, automations, pages."""
    from flows import service, settings

    service.up(settings.load(), workers=workers)


def worker(
    queue: Annotated[
        list[str] | None, typer.Option("--queue", metavar="NAME", help="serve this work queue alone; may be repeated")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="what the Prefect UI calls it; else the machine's name")
    ] = None,
) -> None:
    """A further worker, here or on another machine, for the Prefect server in FIGUREKEEPER_SERVER_URL."""
    from flows import settings

    join(settings.load(), queues=queue or [], name=name)


def join(settings: Settings, *, queues: list[str], name: str | None = None) -> None:
    """Keep one worker of the server at `settings.server_url` running until SIGTERM or SIGINT.

    It waits for a server that is not there yet. Raises UsageError without an address, WrongHost for a warehouse that this
    machine may not write.
    """
    from flows import down, pipeline, supervisor
    from flows.environment import adopt, environment, host
    from flows.service import worker_command

    url = settings.server_url
    if url is None or not url.rstrip("/").endswith("/api"):
        raise UsageError(
            "which Prefect server is to be joined is not said",
            next_step="set FIGUREKEEPER_SERVER_URL to its address with /api at the end, such as http://host:4200/api",
        )
    with pipeline.open_warehouse(settings).lease("joining"):  # here, not in every run, a wrong host is told so
        pass
    url, called, note = url.rstrip("/"), name or f"{host(settings)} worker", supervisor.stamped
    supervisor.stop_on_signals()
    told = down.teller(settings, note)
    children = supervisor.Supervisor(settings.root / "logs", environment(settings, url), note=note, tell=told)
    try:
        supervisor.wait_for(f"{url}/ready", note)
        adopt(children.env)  # before Prefect is imported: it reads its settings once
        from flows import server

        server.remember_links(settings, ui=url.removesuffix("/api"))
        note(f"worker '{called}' joins {url} (log: {children.logs}); Ctrl-C or SIGTERM stops it")
        children.start("worker", *worker_command(called, queues))
        children.watch()
    except KeyboardInterrupt:
        note("stopping")
    finally:
        children.stop()


COMMANDS: tuple[Callable[..., None], ...] = (up, worker)
