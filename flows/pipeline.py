"""What a refresh, a walk, a backfill and a person's decision are, free of Prefect.

Belongs here: which batches each consists of, and the warehouse and addresses they need. Does not belong here: the steps of one
batch (batch), schedules and artifacts (the Prefect flows), wording of pages.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date
from typing import Literal

from connectors import contract, datasets
from connectors.contract import Ask
from connectors.datasets import Dataset
from connectors.request import Request
from flows.addresses import Addresses
from flows.batch import Run, record_failure
from flows.outcome import Note, Outcome, PartOutcome
from flows.overview import changes, finish, summary
from flows.settings import Settings
from warehouse import incidents, lineage, publish
from warehouse.compare import Equality
from warehouse.errors import UsageError
from warehouse.publish import Closing
from warehouse.schema import Decision, IncidentChange
from warehouse.store import DatasetFacts, Warehouse

__all__ = [
    "IncidentChange",
    "Outcome",
    "PartOutcome",
    "backfill",
    "changes",
    "decide",
    "finish",
    "plan",
    "refresh",
    "summary",
    "walk",
]

Action = Literal["release", "discard", "void"]
_DECISIONS: dict[Action, Decision] = {
    "release": Decision.RELEASED,
    "discard": Decision.DISCARDED,
    "void": Decision.VOIDED,
}


def open_warehouse(settings: Settings, *, create: bool = True) -> Warehouse:
    """The warehouse of the settings' home and profile."""
    return Warehouse(**settings.place, create=create)


def facts_of(dataset: Dataset) -> DatasetFacts:
    """What the warehouse must know of a dataset file."""
    kept = dataset.model_dump(mode="json", exclude={"checks": True, "parts": {"__all__": {"checks"}}})
    equality = {
        part.id: Equality(counts=part.kind == "count", decimals=part.decimals, equal_within=part.equal_within)
        for part in dataset.parts
    }
    return DatasetFacts(dataset.id, datasets.file_sha256(dataset.id), kept, equality)


def plan(settings: Settings, dataset_id: str, ask: Ask) -> list[Request]:
    """The first requests a refresh or backfill would send, with their cost; nothing is sent."""
    dataset = datasets.load(dataset_id)
    return contract.connector(dataset.provider).plan(dataset, ask)


def walk(settings: Settings, dataset_id: str, *, note: Note = print, run_id: str | None = None) -> list[Outcome]:
    """One refresh for each day on which the sandbox's facts of the dataset changed, oldest first, in this process.

    Days that an earlier walk has asked about are left out, so an interrupted one goes on where it stopped; when none is
    left, the dataset is asked as of now. Raises UsageError outside profile sandbox: nobody can ask a real provider what
    it said on a past day.
    """
    if settings.profile != "sandbox":
        raise UsageError(
            "only the sandbox can be walked", next_step="set FIGUREKEEPER_PROFILE=sandbox, or use backfill"
        )
    days = days_to_walk(settings, dataset_id)
    if not days:
        return [refresh(settings, dataset_id, note=note, actor="walk", run_id=run_id)]
    outcomes = []
    with Addresses(settings) as addresses:
        for number, day in enumerate(days, start=1):
            outcome = refresh(
                settings, dataset_id, on=day, addresses=addresses, note=_quiet, actor="walk", run_id=run_id
            )
            note(f"{dataset_id} as of {day} ({number} of {len(days)}): {outcome.message}")
            outcomes.append(outcome)
    return outcomes


def days_to_walk(settings: Settings, dataset_id: str) -> list[date]:
    """The days of the sandbox's facts that no walk has asked about yet, oldest first."""
    from connectors.sandbox import facts

    days = facts.walk_dates(datasets.load(dataset_id).id)
    asked = lineage.walked_days(open_warehouse(settings), dataset_id)
    return [day for day in days if day.isoformat() not in asked]


def backfill(
    settings: Settings, dataset_id: str, ask: Ask, *, reason: str, note: Note = print, run_id: str | None = None
) -> list[Outcome]:
    """Ask for old periods, or for old vintages of an archive: one batch for each vintage, oldest first.

    `reason` is kept in the record of every batch. Raises FigurekeeperError; what was published before the error stays.
    """
    asks = [replace(ask, versions=(version,)) for version in sorted(ask.versions)] or [ask]
    outcomes = []
    with Addresses(settings) as addresses:
        for number, one in enumerate(asks, start=1):
            outcome = refresh(
                settings,
                dataset_id,
                ask=one,
                addresses=addresses,
                note=_quiet,
                actor="backfill",
                reason=reason,
                run_id=run_id,
            )
            told = f" vintage {one.versions[0]}" if one.versions else ""
            note(f"{dataset_id}{told} ({number} of {len(asks)}): {outcome.message}")
            outcomes.append(outcome)
    return outcomes


def refresh(
    settings: Settings,
    dataset_id: str,
    *,
    on: date | None = None,
    fault: str | None = None,
    ask: Ask | None = None,
    addresses: Addresses | None = None,
    note: Note = print,
    actor: str = "schedule",
    reason: str | None = None,
    run_id: str | None = None,
) -> Outcome:
    """Ask the provider for a dataset and publish what passed its checks.

    `on` and `fault` ride in the sandbox's address and exist in profile sandbox only. Raises FigurekeeperError when the
    provider or the store fails; the batch is then recorded as failed, and the error carries the incident it opened (or None)
    as `.incident`.
    """
    dataset = datasets.load(dataset_id)
    warehouse = open_warehouse(settings)
    with contextlib.ExitStack() as stack:
        where = addresses or stack.enter_context(Addresses(settings))
        address = where.of(dataset.provider, on=on, fault=fault)
        stack.enter_context(warehouse.lease(dataset.id, note=note))
        facts = facts_of(dataset)
        wanted = ask or Ask()
        batch = publish.begin(
            warehouse, facts, actor, run_id, complete=wanted == Ask(), current=on is None and fault is None
        )
        run = Run(settings, warehouse, dataset, facts, batch, wanted, run_id, actor, note, on is None and fault is None)
        try:
            return run.carry_out(address, {"on": str(on) if on else None, "fault": fault, "reason": reason})
        except Exception as error:
            record_failure(run, error)
            raise
        finally:
            publish.flush(warehouse)


def decide(
    settings: Settings, batch_id: str, action: Action, *, reason: str, by: str, run_id: str | None = None
) -> Outcome:
    """Carry out a person's decision on a batch; a quarantine's incident closes with it.

    Raises UnknownBatch, WrongState, UsageError (reason or name missing).
    """
    warehouse = open_warehouse(settings, create=False)
    batch = publish.read_batch(warehouse, batch_id)
    told = f"{_DECISIONS[action].value} by {by}: {reason}"
    message = f"{told} (it was {batch['message']})"
    edition = publish.decide(warehouse, batch_id, Closing(_DECISIONS[action], by, message, reason, run_id))
    incident = None
    if action != "void":
        incident = incidents.close_open(warehouse, batch["dataset"], batch_id, told, ("quarantine",))
    publish.flush(warehouse)
    return Outcome(batch["dataset"], batch_id, _DECISIONS[action], message, edition=edition, incident=incident)


def _quiet(_: str) -> None:
    return None
