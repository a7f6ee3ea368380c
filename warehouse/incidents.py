"""Incidents: something needs a person; opened once, counted while it lasts, closed by the next good refresh. An editor's, of a
batch that changed verdicts on papers, lasts until the verdicts are back or the editor has taken note of it.

Belongs here: the table of incidents, what happens to it, what the journal tells of it and of delivered notices, and which
batches wait for a person. Texts come from the caller; which channel was told of what is in deliveries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger
from warehouse.errors import UsageError, WrongState
from warehouse.schema import Basis, Decision, IncidentChange, Severity
from warehouse.store import Warehouse

QUARANTINE = "quarantine"
FAILURE = "failure"
#: A dataset is older than its calendar allows.
STALE = "stale"
#: A good refresh closes these kinds; a quarantine stays open while a person must decide on a batch (`undecided`).
KINDS = (QUARANTINE, FAILURE, STALE)
#: An editor's: a batch changed what we say of printed statements.
VERDICT = "verdict"
#: Of a provider, in the place of a dataset: our own limit is used up, or it refused us and is left alone.
QUOTA = "quota"
PAUSED = "paused"
#: Of a deployment: its runs die, fail outside any batch, or wait for a worker.
RUN = "run"
#: Of the service: nothing is asked any more.
SILENCE = "silence"
#: Of a dataset: its provider answers otherwise than the dataset file says.
FIRST_CONTACT = "first contact"
#: What a person may close with a word: nothing else need ever end it.
_BY_WORD = (VERDICT, RUN)
_NOTHING_READ = (Decision.FAILED.value, Decision.ABANDONED.value)
_OF_OLD = (Basis.ARCHIVE.value, Basis.CARRIED.value)


def open_or_count(
    warehouse: Warehouse,
    dataset: str,
    kind: str,
    severity: Severity,
    title: str,
    text: str,
    batch_id: str,
    *,
    happened: datetime | None = None,
) -> IncidentChange | None:
    """Open an incident; when one of this kind is open for the dataset, count the occurrence and return None.

    `happened`: when it did (its `last_at`), for what is told later than it happens.
    """
    columns = ledger.incidents.c
    at = clock.to_text(happened or clock.now())
    standing = select(columns.incident).where(
        columns.dataset == dataset, columns.kind == kind, columns.closed_at.is_(None)
    )
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        number = connection.execute(standing).scalar_one_or_none()
        if number is not None:
            _happens(connection, {"incident": number, "transition": "counted", "last_at": at, "text": text})
            return None
        return _opened(connection, dataset, kind, severity, title, text, batch_id, at)


def open_new(
    warehouse: Warehouse, dataset: str, kind: str, severity: Severity, title: str, text: str, batch_id: str
) -> IncidentChange:
    """Open an incident of this batch's own, whatever is open already."""
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        return _opened(connection, dataset, kind, severity, title, text, batch_id, clock.to_text(clock.now()))


def acknowledge(warehouse: Warehouse, incident: int, *, reason: str, by: str) -> IncidentChange:
    """Close an incident of an editor, or of a deployment's runs, on a person's word: who took note of it, and what comes of it.

    Raises UsageError for an unknown number or without reason and name; WrongState when it is closed, or of another kind.
    """
    if not reason.strip() or not by.strip():
        raise UsageError(
            "an acknowledgement needs a reason and a name", next_step="say why with --reason and who you are with --by"
        )
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        query = select(ledger.incidents).where(ledger.incidents.c.incident == incident)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise UsageError(
                f"there is no incident {incident}", next_step="`figurekeeper status` lists those that are open"
            )
        if row["closed_at"] is not None:
            raise WrongState(
                f"incident {incident} is closed since {row['closed_at'][:16]}: {row['closing']}",
                next_step="nothing is left to be done",
                dataset=row["dataset"],
            )
        if row["kind"] not in _BY_WORD:
            raise WrongState(
                f"incident {incident} is of kind {row['kind']}, which ends with its cause and not with a word",
                next_step=f"do what it says: {row['text']}",
                dataset=row["dataset"],
            )
        return _closed(connection, row, by, f"acknowledged by {by}: {reason}")


def close_one(warehouse: Warehouse, incident: int, batch_id: str, text: str) -> IncidentChange | None:
    """Close one open incident; None when somebody else has closed it meanwhile."""
    columns = ledger.incidents.c
    query = select(ledger.incidents).where(columns.incident == incident, columns.closed_at.is_(None))
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        row = connection.execute(query).mappings().one_or_none()
        return _closed(connection, row, batch_id, text) if row is not None else None


def last_told(warehouse: Warehouse, dataset: str, kind: str) -> str:
    """When what the incidents of a kind and dataset tell of last happened; "" where there was none."""
    columns = ledger.incidents.c
    query = select(func.max(columns.last_at)).where(columns.dataset == dataset, columns.kind == kind)
    with warehouse.engine.connect() as connection:
        return connection.execute(query).scalar_one() or ""


def open_now(warehouse: Warehouse, dataset: str, kind: str) -> list[dict[str, Any]]:
    """The open incidents of a kind and dataset, oldest first: rows of the table incidents."""
    columns = ledger.incidents.c
    query = select(ledger.incidents).where(
        columns.dataset == dataset, columns.kind == kind, columns.closed_at.is_(None)
    )
    with warehouse.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query.order_by(columns.incident)).mappings()]


def close_open(
    warehouse: Warehouse, dataset: str, batch_id: str, text: str, kinds: tuple[str, ...] = KINDS
) -> IncidentChange | None:
    """Close the dataset's open incidents of these kinds; returns the newest closed one, None when none was open.

    A quarantine stays open while a batch of the dataset waits for a person.
    """
    if undecided(warehouse, dataset):
        kinds = tuple(kind for kind in kinds if kind != QUARANTINE)
    columns = ledger.incidents.c
    standing = select(ledger.incidents).where(
        columns.dataset == dataset, columns.kind.in_(kinds), columns.closed_at.is_(None)
    )
    closed: IncidentChange | None = None
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        for row in connection.execute(standing.order_by(columns.incident)).mappings().all():
            closed = _closed(connection, row, batch_id, text)
    return closed


def undecided(warehouse: Warehouse, dataset: str | None = None) -> list[dict[str, Any]]:
    """The batches that are held back until a person decides, oldest first: batch, dataset, since.

    One that asked for everything waits no more once a later one was judged that did so, too: that has the newer word. Of a
    state that is stated to be old, such as an edition of a yearbook, only another reading of the same state has it.
    """
    columns = ledger.batches.c
    query = select(ledger.batches).where(columns.decision == Decision.QUARANTINED.value).order_by(columns.started_at)
    if dataset is not None:
        query = query.where(columns.dataset == dataset)
    with warehouse.engine.connect() as connection:
        held = connection.execute(query).mappings().all()
        waiting = [row for row in held if not _superseded(connection, row)]
    return [{"batch": row["batch_id"], "dataset": row["dataset"], "since": row["finished_at"]} for row in waiting]


def _superseded(connection: Connection, held: RowMapping) -> bool:
    """True when a later batch, of which all could be read, has newer word of the same."""
    columns = ledger.batches.c
    later = select(columns.batch_id, columns.header).where(
        columns.dataset == held["dataset"],
        columns.complete,
        columns.started_at > held["started_at"],
        columns.decision.not_in(_NOTHING_READ),
    )
    stated = _stated(connection, held["batch_id"])
    return bool(held["complete"]) and any(
        not (header.get("failed") or header.get("unmoved")) and stated <= _stated(connection, batch_id)
        for batch_id, header in connection.execute(later).tuples().all()
    )


def _stated(connection: Connection, batch_id: str) -> set[tuple[str, str, str]]:
    """Which old states a batch read: part, place and scope."""
    columns = ledger.readings.c
    query = select(columns.part, columns.place, columns.scope).where(
        columns.batch_id == batch_id, columns.stamp_basis.in_(_OF_OLD)
    )
    return {(part, place, json.dumps(scope, sort_keys=True)) for part, place, scope in connection.execute(query)}


def apply(connection: Connection, kind: str, body: Mapping[str, Any]) -> int:
    """Do to the tables what an entry of the journal, of kind incident or notice, tells; returns the incident's number."""
    if kind == "notice":
        ledger.add(connection, ledger.notices, [body])
        return int(body["incident"])
    columns = ledger.incidents.c
    told = {name: value for name, value in body.items() if name != "transition"}
    if body["transition"] == "opened":
        [number] = connection.execute(ledger.incidents.insert().values(told)).inserted_primary_key or (0,)
        return int(number)
    number = told.pop("incident")
    if body["transition"] == "counted":
        told["occurrences"] = columns.occurrences + 1
    else:
        told["closing"] = told.pop("text")
    connection.execute(update(ledger.incidents).where(columns.incident == number).values(told))
    return int(number)


def _opened(
    connection: Connection,
    dataset: str,
    kind: str,
    severity: Severity,
    title: str,
    text: str,
    batch_id: str,
    last_at: str,
) -> IncidentChange:
    body = {
        "dataset": dataset,
        "kind": kind,
        "severity": severity.value,
        "title": title,
        "text": text,
        "opened_at": clock.to_text(clock.now()),
        "opened_by": batch_id,
        "occurrences": 1,
        "last_at": last_at,
    }
    number = _happens(connection, {**body, "transition": "opened"})
    return IncidentChange(number, kind, dataset, "opened", title, text)


def _closed(connection: Connection, row: RowMapping, by: str, text: str) -> IncidentChange:
    body = {"incident": row["incident"], "closed_at": clock.to_text(clock.now()), "closed_by": by, "text": text}
    _happens(connection, {**body, "transition": "closed"})
    return IncidentChange(row["incident"], row["kind"], row["dataset"], "closed", row["title"], text)


def _happens(connection: Connection, body: Mapping[str, Any]) -> int:
    """Change the table, and owe the journal an entry of it, in one transaction."""
    number = apply(connection, "incident", body)
    ledger.owe(connection, "incident", {**body, "incident": number})
    return number
