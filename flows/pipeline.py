"""What a refresh, a walk and a person's decision are, free of Prefect.

Belongs here: which batches each consists of, and the warehouse and addresses they need. Does not belong here: the steps of one
batch (batch), backfills (backfills), schedules and artifacts (the Prefect flows), wording of pages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Literal

from connectors.contract import Ask, Fetched
from connectors.datasets import Dataset
from connectors.files.manifest import GUIDE
from connectors.stored import Loading
from flows import batch_record, catalogue, economy, taking, verdict_step
from flows.addresses import Addresses
from flows.batch import Run, record_failure, record_stop
from flows.outcome import Note, Outcome, PartOutcome, unsaid
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
    "changes",
    "decide",
    "finish",
    "load",
    "refresh",
    "refresh_all",
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
    return DatasetFacts(dataset.id, dataset.sha256, kept, equality)


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
        return refresh_all(settings, dataset_id, note=note, actor="walk", run_id=run_id)
    outcomes = []
    with Addresses(settings) as addresses:
        for number, day in enumerate(days, start=1):
            outcome = refresh(
                settings, dataset_id, on=day, addresses=addresses, note=unsaid, actor="walk", run_id=run_id
            )
            note(f"{dataset_id} as of {day} ({number} of {len(days)}): {outcome.message}")
            outcomes.append(outcome)
    return outcomes


def refresh_all(
    settings: Settings,
    dataset_id: str,
    *,
    on: date | None = None,
    fault: str | None = None,
    full: bool = False,
    note: Note = print,
    actor: str = "schedule",
    run_id: str | None = None,
) -> list[Outcome]:
    """A refresh, whatever the dataset is read from: one batch, or one for each new edition in its drop folder.

    Raises as `refresh` does, and UsageError for a day or a fault of a dataset that nobody is asked for.
    """
    dataset = catalogue.load(settings, dataset_id)
    if dataset.reads == "api":
        return [
            refresh(settings, dataset_id, on=on, fault=fault, full=full, note=note, actor=actor, run_id=run_id),
        ]
    if on is not None or fault is not None:
        raise not_asked_for(dataset)
    batches = taking.batches(settings, dataset)
    return [refresh(settings, dataset_id, note=note, actor=actor, run_id=run_id, given=given) for given in batches]


def load(
    settings: Settings, dataset_id: str, paths: Sequence[Path], loading: Loading, *, reason: str, note: Note = print
) -> list[Outcome]:
    """Stored messages as old vintages of a dataset: one batch for each message, oldest first.

    Raises UsageError and UnexpectedPayload before anything is changed when a file does not belong, else as `refresh` does.
    """
    if not reason.strip():
        raise UsageError("loading needs a reason", next_step="say with --reason where the files come from")
    pieces = taking.messages(settings, catalogue.load(settings, dataset_id), paths, loading)
    outcomes = []
    for number, piece in enumerate(pieces, start=1):
        given = partial(taking.answer, piece)
        outcome = refresh(settings, dataset_id, note=unsaid, actor="load", reason=reason, given=given, late=True)
        note(f"{dataset_id} {piece.parts[0].payloads[-1].url} ({number} of {len(pieces)}): {outcome.message}")
        outcomes.append(outcome)
    return outcomes


def days_to_walk(settings: Settings, dataset_id: str) -> list[date]:
    """The days of the sandbox's facts, the user's own included, that no walk has asked about yet, oldest first."""
    from connectors.sandbox import facts, own_facts

    dataset = catalogue.load(settings, dataset_id)
    days = facts.walk_dates(dataset.id)
    if settings.datasets and dataset.provider == "oecd":
        days = days or own_facts.walk_dates(settings.datasets, dataset.flow)
    asked = lineage.walked_days(open_warehouse(settings), dataset_id)
    return [day for day in days if day.isoformat() not in asked]


def refresh(
    settings: Settings,
    dataset_id: str,
    *,
    on: date | None = None,
    fault: str | None = None,
    ask: Ask | None = None,
    full: bool = False,
    addresses: Addresses | None = None,
    note: Note = print,
    actor: str = "schedule",
    reason: str | None = None,
    run_id: str | None = None,
    given: Callable[[], Fetched] | None = None,
    late: bool = False,
    on_answer: Callable[[], None] | None = None,
) -> Outcome:
    """Ask the provider for a dataset, in one batch, and publish what passed its checks.

    What is held spares requests (flows/economy.py), unless `full`. `on` and `fault` ride in the sandbox's address and exist in
    profile sandbox only. Raises FigurekeeperError when the provider or the store fails; the batch is then recorded as failed,
    and the error carries the incident it opened (or None) as `.incident`. With `given`, nobody is asked:
    these are the answers; `late` ones say nothing of how things are now. `on_answer` is called after every answer.
    """
    find = catalogue.load_enabled if given is None else catalogue.load
    dataset = find(settings, dataset_id)
    if given is None and dataset.reads == "files":
        raise not_asked_for(dataset)
    warehouse = open_warehouse(settings)
    with contextlib.ExitStack() as stack:
        address = ""
        if given is None:
            where = addresses or stack.enter_context(Addresses(settings))
            address = where.of(dataset.provider, on=on, fault=fault, root=dataset.root)
        stack.enter_context(warehouse.lease(dataset.id, note=note))
        facts, wanted = facts_of(dataset), replace(ask or Ask(), full=full)
        now = on is None and fault is None and not late
        kept = None
        if now and not full and given is None:
            kept = economy.cut_off(warehouse, dataset, wanted, address) if actor == economy.BACKFILL else None
            wanted = economy.sparing(warehouse, facts, dataset, wanted, address, kept)
        told = {"on": str(on) if on else None, "fault": fault, "reason": reason, **batch_record.asked(wanted)}
        whole, header = wanted == Ask() and not late, {"address": address, **told}
        batch = publish.begin(warehouse, facts, actor, run_id, complete=whole, current=now, header=header)
        run = Run(
            settings=settings,
            warehouse=warehouse,
            dataset=dataset,
            facts=facts,
            batch=batch,
            ask=wanted,
            run_id=run_id,
            actor=actor,
            note=note,
            now=now,
            given=given,
            kept=kept,
            on_answer=on_answer,
        )
        try:
            verdicts = verdict_step.owed(settings, warehouse, dataset.id, note=note)
            outcome = run.carry_out(address, told)
            return replace(outcome, verdicts=(*verdicts, *outcome.verdicts))
        except Exception as error:
            record_failure(run, error)
            raise
        except BaseException as stop:  # Ctrl-C, or a signal that a flow run is cancelled with
            record_stop(run, stop)
            raise
        finally:
            publish.flush(warehouse)


def decide(
    settings: Settings,
    batch_id: str,
    action: Action,
    *,
    reason: str,
    by: str,
    run_id: str | None = None,
    note: Note = print,
) -> Outcome:
    """Carry out a person's decision on a batch; a quarantine's incident closes with the last one that waits, and editors hear
    of verdicts that the decision changes.

    Raises UnknownBatch, WrongState, UsageError (reason or name missing).
    """
    warehouse = open_warehouse(settings, create=False)
    batch = publish.read_batch(warehouse, batch_id)
    told = f"{_DECISIONS[action].value} by {by}: {reason}"
    message = f"{told} (it was {batch['message']})"
    edition = publish.decide(warehouse, batch_id, Closing(_DECISIONS[action], by, message, reason, run_id))
    incident = None
    verdicts = verdict_step.decided(settings, warehouse, batch_id, edition, note=note) if edition is not None else ()
    if action != "void":
        incident = incidents.close_open(warehouse, batch["dataset"], batch_id, told, ("quarantine",))
    publish.flush(warehouse)
    return Outcome(
        batch["dataset"], batch_id, _DECISIONS[action], message, edition=edition, incident=incident, verdicts=verdicts
    )


def not_asked_for(dataset: Dataset) -> UsageError:
    """What a person is told who wants something of a provider whose tables come as files."""
    return UsageError(
        "read from files: nobody can be asked for a day, a fault or old vintages of it",
        dataset=dataset.id,
        next_step=f"put older editions into its drop folder ({GUIDE}) and refresh it",
    )
