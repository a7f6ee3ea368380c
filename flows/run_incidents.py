"""Incidents of runs: of a deployment whose runs die, fail outside any batch, or wait and are not started. Free of Prefect.

Belongs here: which ended or waiting runs need a person, and the words. Does not belong here: asking the server for them (runs),
what a batch tells by itself (batch): of one run there is one incident.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from flows.settings import Settings
from warehouse import clock, incidents, ledger, lineage, publish
from warehouse.errors import NEXT
from warehouse.schema import Decision, IncidentChange, Severity
from warehouse.store import Warehouse

#: Deployments that ask for something else each time, and the field of their form that says for what.
_ASKED = {"backfill": "datasets", "review": "batch", "acknowledge": "incident"}
#: They end Failed when a channel refuses, and the channel would be told of itself; `status` says it.
_TELLING = ("watch", "deliver-notice")
#: What Prefect says of a form that does not fit; to the person who filled it in, that is the next step.
REFUSED_FORM = "Validation of flow parameters failed"
#: Seconds that one look waits for another.
LOOK_WAIT = 60.0
_WITH_AN_INCIDENT = (Decision.FAILED.value, Decision.QUARANTINED.value)
_NEXT: dict[str, str] = {
    "Crashed": "nothing, if the schedule runs it again: a good run closes this; what a person started, start again (a backfill "
    "goes on where it stopped). If runs go on dying, look at the memory and the disk of the worker's machine and at worker.log",
    "Failed": "read the run's log in the UI, mend what it names, and start the deployment again",
    "Late": "see in the UI (Work Pools) that a worker is online and that the queue is not paused; `figurekeeper up` starts "
    "one, `figurekeeper worker` a further one",
}


@dataclass(frozen=True)
class Run:
    """A run that ended badly, or waits for a worker: of what (`subject`), when it ended or was due, and what its state says."""

    id: str
    subject: str
    name: str
    state: Literal["Crashed", "Failed", "Late"]
    at: datetime
    message: str
    by_person: bool


def subject_of(deployment: str, parameters: Mapping[str, Any]) -> str:
    """What an incident of a run is about: its deployment, and of those that ask for something else each time what was asked.

    A later good run closes the incident of the same subject alone; a plan is of a subject of its own.
    """
    asked = parameters.get("request") or {}
    if deployment not in _ASKED:
        return deployment
    of = asked.get(_ASKED[deployment]) or "nothing"
    plan = "a plan " if asked.get("mode") == "plan" else ""
    return f"{deployment} of {plan}{', '.join(of) if isinstance(of, list) else of}"


def deployment_of(subject: str) -> str:
    """The deployment of a subject."""
    return subject.partition(" of ")[0]


def look(settings: Settings, bad: Iterable[Run], good: Mapping[str, datetime]) -> list[IncidentChange]:
    """Open one incident for each subject with bad runs, however many, count further ones, and close those of subjects
    whose newest run ended well; what was opened and closed.

    `good`: when the newest run that ended well did so, by subject.
    """
    warehouse = Warehouse(**settings.place, create=False)
    changes: list[IncidentChange] = []
    with warehouse.lease("watch", wait=LOOK_WAIT):
        for name, ended in good.items():
            changes += _close(warehouse, name, ended)
        for name, runs in _untold(warehouse, bad, good).items():
            changes += _open(warehouse, name, runs)
        publish.flush(warehouse)
    return changes


def troubled(settings: Settings) -> set[str]:
    """The subjects with an open incident over their runs."""
    warehouse = Warehouse(**settings.place, create=False)
    return {row["dataset"] for row in lineage.open_incidents(warehouse) if row["kind"] == incidents.RUN}


def _close(warehouse: Warehouse, subject: str, ended: datetime) -> list[IncidentChange]:
    told = f"a run of {subject} ended well at {ended:%Y-%m-%d %H:%M} UTC"
    changes = [
        incidents.close_one(warehouse, row["incident"], "watch", told)
        for row in incidents.open_now(warehouse, subject, incidents.RUN)
        if clock.to_text(ended) > row["last_at"]
    ]
    return [change for change in changes if change is not None]


def _untold(warehouse: Warehouse, bad: Iterable[Run], good: Mapping[str, datetime]) -> dict[str, list[Run]]:
    """The runs of each subject, oldest first, that no incident tells of yet and no good run came after."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(bad, key=lambda run: run.at):
        over = run.subject in good and good[run.subject] >= run.at
        known = clock.to_text(run.at) <= incidents.last_told(warehouse, run.subject, incidents.RUN)
        told = run.by_person and (NEXT in run.message or REFUSED_FORM in run.message)
        answered = run.state == "Failed" and (told or run.subject in _TELLING)
        if not (over or known or answered or _has_an_incident(warehouse, run)):
            found[run.subject].append(run)
    return found


def _has_an_incident(warehouse: Warehouse, run: Run) -> bool:
    """Whether a batch of the run told by itself how it ended."""
    columns = ledger.batches.c
    query = select(columns.batch_id).where(columns.run_id == run.id, columns.decision.in_(_WITH_AN_INCIDENT)).limit(1)
    with warehouse.engine.connect() as connection:
        return run.state == "Failed" and connection.execute(query).first() is not None


def _open(warehouse: Warehouse, subject: str, runs: list[Run]) -> list[IncidentChange]:
    opened: list[IncidentChange] = []
    for run in runs:
        title, text = _told(run)
        change = incidents.open_or_count(
            warehouse, subject, incidents.RUN, Severity.WARNING, title, text, run.id, happened=run.at
        )
        opened += [change] if change is not None else []
    return opened


def _told(run: Run) -> tuple[str, str]:
    at, named = f"{run.at:%Y-%m-%d %H:%M} UTC", f"A run of {run.subject} ('{run.name}' in the UI)"
    if run.state == "Late":
        title, what = (
            f"{run.subject}: a run is not started",
            f"{named} was due at {at} and still waits.",
        )
    elif run.state == "Crashed":
        title, what = f"{run.subject}: a run died", f"The process of {named[0].lower()}{named[1:]} was gone at {at}."
    else:
        title, what = f"{run.subject}: a run failed", f"{named} failed at {at}."
    said = f" Its last word: {run.message.rstrip('. ')}." if run.message else ""
    next_step = "" if NEXT in said else f" {NEXT}{_NEXT[run.state]}."
    return title, f"{what}{said}{next_step}"
