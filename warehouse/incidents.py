"""Incidents: something needs a person; opened once, counted while it lasts, closed by the next good refresh. An editor's, of a
batch that changed verdicts on papers, lasts until the verdicts are back or the editor has taken note of it.

Belongs here: the tables of incidents and of delivered notices, what happens to them, what the journal tells of it, and which
batches wait for a person. Texts come from the caller, deliveries are the caller's too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger
from warehouse.errors import UsageError, WrongState
from warehouse.schema import Basis, Decision, IncidentChange, Severity, Transition
from warehouse.store import Warehouse

_HELD_BACK = "quarantine"
#: A good refresh closes both kinds; a quarantine stays open while a person must decide on a batch (`undecided`).
KINDS = (_HELD_BACK, "failure")
#: An editor's: a batch changed what we say of printed statements.
VERDICT = "verdict"
_NOTHING_READ = (Decision.FAILED.value, Decision.ABANDONED.value)
_OF_OLD = (Basis.ARCHIVE.value, Basis.CARRIED.value)


def open_or_count(
    warehouse: Warehouse, dataset: str, kind: str, severity: Severity, title: str, text: str, batch_id: str
) -> IncidentChange | None:
    """Open an incident; when one of this kind is open for the dataset, count the occurrence and return None."""
    columns = ledger.incidents.c
    at = clock.to_text(clock.now())
    standing = select(columns.incident).where(
        columns.dataset == dataset, columns.kind == kind, columns.closed_at.is_(None)
    )
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        number = connection.execute(standing).scalar_one_or_none()
        if number is not None:
            _happens(connection, {"incident": number, "transition": "counted", "last_at": at, "text": text})
            return None
        return _opened(connection, dataset, kind, severity, title, text, batch_id)


def open_new(
    warehouse: Warehouse, dataset: str, kind: str, severity: Severity, title: str, text: str, batch_id: str
) -> IncidentChange:
    """Open an incident of this batch's own, whatever is open already."""
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        return _opened(connection, dataset, kind, severity, title, text, batch_id)


def acknowledge(warehouse: Warehouse, incident: int, *, reason: str, by: str) -> IncidentChange:
    """Close an editor's incident on a person's word: who took note of it, and what comes of it.

    Raises UsageError for an unknown number or without reason and name; WrongState when it is closed, or no editor's.
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
        if row["kind"] != VERDICT:
            raise WrongState(
                f"incident {incident} is of kind {row['kind']}, which ends with its cause and not with a word",
                next_step=f"do what it says: {row['text']}",
                dataset=row["dataset"],
            )
        return _closed(connection, row, by, f"acknowledged by {by}: {reason}")


def close_one(warehouse: Warehouse, incident: int, batch_id: str, text: str) -> IncidentChange:
    """Close one open incident."""
    query = select(ledger.incidents).where(ledger.incidents.c.incident == incident)
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        return _closed(connection, connection.execute(query).mappings().one(), batch_id, text)


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
        kinds = tuple(kind for kind in kinds if kind != _HELD_BACK)
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


def undelivered(warehouse: Warehouse, channels: tuple[str, ...]) -> list[tuple[int, Transition, str]]:
    """Every (incident, transition, channel) that happened and was not delivered, oldest first."""
    with warehouse.engine.connect() as connection:
        rows = connection.execute(select(ledger.incidents).order_by(ledger.incidents.c.incident)).mappings().all()
        done = set(
            connection.execute(
                select(ledger.notices.c.incident, ledger.notices.c.transition, ledger.notices.c.channel)
            ).tuples()
        )
    owed: list[tuple[int, Transition, str]] = []
    for row in rows:
        transitions: list[Transition] = ["opened"] if row["closed_at"] is None else ["opened", "closed"]
        owed += [
            (row["incident"], transition, channel)
            for transition in transitions
            for channel in channels
            if (row["incident"], transition, channel) not in done
        ]
    return owed


def mark_delivered(warehouse: Warehouse, incident: int, transition: Transition, channel: str) -> None:
    """Remember that a notice reached its channel."""
    at = clock.to_text(clock.now())
    body = {"incident": incident, "transition": transition, "channel": channel, "delivered_at": at}
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        apply(connection, "notice", body)
        ledger.owe(connection, "notice", body)


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
    connection: Connection, dataset: str, kind: str, severity: Severity, title: str, text: str, batch_id: str
) -> IncidentChange:
    at = clock.to_text(clock.now())
    body = {
        "dataset": dataset,
        "kind": kind,
        "severity": severity.value,
        "title": title,
        "text": text,
        "opened_at": at,
        "opened_by": batch_id,
        "occurrences": 1,
        "last_at": at,
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
