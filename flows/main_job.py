"""The main job: bring the service up, run every dataset's deployment once, say what came of it, take everything down.

Belongs here: which runs there are and waiting for their ends. Does not belong here: the service itself (service), what a
refresh does (pipeline), how the summary is printed (output).
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from flows import catalogue, notices, output, pipeline, supervisor
from flows.service import FLOW, Service
from flows.supervisor import ServiceError

if TYPE_CHECKING:
    from uuid import UUID

    from flows.settings import Settings

RUN_WITHIN = 1800.0
#: The main job's own queue: schedules that fell due while nothing ran wait in `default` and do not mix with it.
MAIN_QUEUE = "main-job"
QUEUES = (MAIN_QUEUE, "notices")


def run_once(settings: Settings) -> int:
    """The main job. Returns 0 when every run ended well, 3 when one was quarantined, 1 when one failed.

    Raises ServiceError when the service does not come up; other FigurekeeperErrors of what follows the runs, once the
    notices are delivered.
    """
    supervisor.stop_on_signals()
    started = time.monotonic()

    def note(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    # The site of the papers is built once, at the end, not after every run.
    runs = settings.model_copy(update={"pages": False})
    with Service(runs, queues=QUEUES, note=note) as service:
        before = held_vintages(settings)
        sandbox = settings.profile == "sandbox"
        new = [name for name in before if sandbox and pipeline.days_to_walk(settings, name)]
        ends: list[str] = []
        if new:
            note(f"walking the dates of the facts: {', '.join(new)}")
            ends += run_all(service, new, walk=True).values()
        note("asking every provider as of now")
        ends += run_all(service, before, walk=False).values()
        note("writing current values, indicators.duckdb and pages")
        _finish(settings, note)
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


def run_all(service: Service, datasets: Iterable[str], *, walk: bool) -> dict[str, str]:
    """One deployment run a dataset, as many at once as the queue allows; returns the name of the state of each."""
    from flows import server

    runs = {
        name: server.start_run(f"{FLOW}/{name}", {"request": {"dataset": name, "walk": walk}}, queue=MAIN_QUEUE)
        for name in datasets
    }
    return _follow(service, runs)


def _follow(service: Service, runs: Mapping[str, UUID]) -> dict[str, str]:
    from flows import server

    seen = dict.fromkeys(runs, 0)
    ends: dict[str, str] = {}
    deadline = time.monotonic() + RUN_WITHIN
    while len(ends) < len(runs):
        service.restart_dead()
        for name in runs.keys() - ends.keys():
            state = server.read_run(runs[name]).state
            for number, message in server.core_messages(runs[name], seen[name]):
                seen[name] = number
                if message:
                    service.note(f"  {_brief(name, message)}")
            if state is not None and state.is_final():
                ends[name] = state.name or state.type.value
                told = state.message or ""
                service.note(f"{name}: {ends[name]}. {_brief('', told) if state.is_completed() else told}")
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(runs.keys() - ends.keys()))
            raise ServiceError(f"runs did not end: {missing}", next_step=f"read the logs in {service.logs}")
        time.sleep(0.7)
    return ends


def _finish(settings: Settings, note: Callable[[str], None]) -> None:
    """What follows the runs; whatever becomes of it, people are told what they are owed."""
    try:
        pipeline.finish(settings)
    finally:
        _, refused = notices.deliver_pending(settings)
        for error in refused:
            note(str(error))


def _brief(name: str, message: str) -> str:
    """A message for the terminal: said of whom, and not longer than a line or two; the UI has all of it."""
    said = message if message.startswith(name) else f"{name}: {message}"
    return textwrap.shorten(said, 170, placeholder=" …")
