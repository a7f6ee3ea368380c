"""From a parsed part to a visible vintage: stage, publish in one commit, decide later, recover from the dead.

The states of a batch: running → staged → publishing → done. A batch dies at most once: one found running or staged by the
next holder of its dataset's lease is abandoned and its files removed; one found publishing by the next holder of the publish
lock is completed, since every step of completion is a no-op when done twice. The edition row is the only switch of
visibility, written in the same transaction as all else the ledger says of the batch.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from warehouse import clock, contents, ledger, line, records
from warehouse.arrange import Change, changes_of
from warehouse.errors import UnknownBatch, UsageError, WrongState
from warehouse.line import Row
from warehouse.schema import CheckResult, Decision, Payload
from warehouse.settling import settle
from warehouse.staging import Confirmed, Staged
from warehouse.store import DatasetFacts, Warehouse
from warehouse.tables import TABLES

_OPEN = ("running", "staged")
_PUBLISHING = (Decision.PUBLISHED, Decision.PUBLISHED_WITH_WARNINGS, Decision.RELEASED, Decision.VOIDED)
_ALLOWED = {
    Decision.RELEASED: (Decision.QUARANTINED,),
    Decision.DISCARDED: (Decision.QUARANTINED,),
    Decision.VOIDED: (Decision.PUBLISHED, Decision.PUBLISHED_WITH_WARNINGS, Decision.RELEASED),
}


@dataclass(frozen=True)
class Closing:
    """How a batch ends, on whose word."""

    decision: Decision
    actor: str
    message: str
    reason: str | None = None
    run_id: str | None = None
    at: datetime | None = None  # None: now; replay says when it was


def begin(
    warehouse: Warehouse,
    facts: DatasetFacts,
    actor: str,
    run_id: str | None,
    *,
    complete: bool = True,
    current: bool = True,
    header: Mapping[str, Any] | None = None,
    again: tuple[str, datetime] | None = None,
) -> str:
    """Open a batch; the caller holds the dataset's lease. What dead predecessors left is completed or removed first.

    `complete`: everything of the dataset is asked for; `current`: that, and as of now; `header`: what is known of it already;
    `again`: id and beginning of a batch that is carried out again (replay).
    """
    with warehouse.publish_lock():
        recover(warehouse, facts.id)
        _abandon_dead(warehouse, facts.id)
    started = again[1] if again else clock.now()
    batch_id = again[0] if again else f"{facts.id}@{started:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    row: dict[str, Any] = {
        "batch_id": batch_id,
        "dataset": facts.id,
        "state": "running",
        "started_at": clock.to_text(started),
        "actor": actor,
        "run_id": run_id,
        "dataset_file_sha256": facts.file_sha256,
        "complete": complete,
        "current": complete and current,
        "message": "",
        "header": dict(header or {}),
    }
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        ledger.add(connection, ledger.batches, [row])
        records.describe(connection, facts)
    return batch_id


def record_stage(
    warehouse: Warehouse,
    batch_id: str,
    staged: Sequence[Staged],
    confirmed: Sequence[Confirmed],
    payloads: Sequence[tuple[str | None, Payload]],
    results: Sequence[CheckResult],
    header: Mapping[str, Any],
) -> None:
    """Write down what was fetched, staged and judged; nothing becomes visible.

    `payloads` are (part, payload) in the order of fetching, and take the place of what was written down as they came;
    `header` goes into the batch record as it is.
    """
    fetched = [payload.fetched_at for _, payload in payloads]
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        records.add_vintages(connection, [item.row for item in staged])
        read = [item.reading for item in staged] + [item.reading for item in confirmed]
        ledger.add(connection, ledger.readings, read)
        if payloads:
            connection.execute(ledger.payloads.delete().where(ledger.payloads.c.batch_id == batch_id))
        ledger.add(
            connection,
            ledger.payloads,
            [records.payload_row(batch_id, number, part, payload) for number, (part, payload) in enumerate(payloads)],
        )
        ledger.add(
            connection,
            ledger.check_results,
            [records.check_row(batch_id, number, result) for number, result in enumerate(results)],
        )
        connection.execute(
            update(ledger.batches)
            .where(ledger.batches.c.batch_id == batch_id)
            .values(
                state="staged",
                header=dict(header),
                fetched_at=clock.to_text(max(fetched)) if fetched else None,
            )
        )
        warehouse.assert_held()


def close(warehouse: Warehouse, batch_id: str, closing: Closing) -> int | None:
    """End a batch. A publishing decision makes the next edition and returns its number; the others return None.

    A batch whose publish has begun can no longer fail or be stopped: it is completed, now or by the next holder of the
    publish lock.
    """
    with warehouse.publish_lock():
        batch = read_batch(warehouse, batch_id)
        recover(warehouse, batch["dataset"])
        if closing.decision in (Decision.FAILED, Decision.ABANDONED):
            if batch["state"] not in _OPEN:
                return None
            _remove_staged(warehouse, batch_id)
        if closing.decision not in _PUBLISHING:
            return _record(warehouse, batch_id, closing, None)
        with ledger.transaction(warehouse.engine, warehouse.root) as connection:
            pending = {"actor": closing.actor, "reason": closing.reason, "run_id": closing.run_id}
            pending |= {"at": clock.to_text(closing.at)} if closing.at is not None else {}
            connection.execute(
                update(ledger.batches)
                .where(ledger.batches.c.batch_id == batch_id)
                .values(
                    state="publishing",
                    decision=closing.decision.value,
                    message=closing.message,
                    header={**batch["header"], "pending": pending},
                )
            )
            warehouse.assert_held()
        return _complete(warehouse, batch_id)


def decide(warehouse: Warehouse, batch_id: str, closing: Closing) -> int | None:
    """A person's decision on a batch: release or discard a quarantined one, void a published one.

    Raises UnknownBatch, WrongState, and UsageError when reason or name are missing.
    """
    if not (closing.reason or "").strip() or not closing.actor.strip():
        raise UsageError(
            "a decision needs a reason and a name", next_step="say why with --reason and who you are with --by"
        )
    dataset = read_batch(warehouse, batch_id)["dataset"]
    with warehouse.lease(dataset):
        cut_off = read_batch(warehouse, batch_id)["state"] == "publishing"
        with warehouse.publish_lock():
            recover(warehouse, dataset)
        batch = read_batch(warehouse, batch_id)
        if cut_off and batch["decision"] == closing.decision:
            return int(batch["edition"]) if batch["edition"] is not None else None  # begun before, and finished now
        if batch["decision"] not in _ALLOWED[closing.decision]:
            raise WrongState(
                f"batch {batch_id} is '{batch['decision'] or batch['state']}' and cannot be {closing.decision.value}",
                next_step="`figurekeeper batches` shows each batch and what can be done with it",
                dataset=batch["dataset"],
            )
        return close(warehouse, batch_id, closing)


def read_batch(warehouse: Warehouse, batch_id: str) -> Row:
    """The batch's row. Raises UnknownBatch."""
    with warehouse.engine.connect() as connection:
        row = (
            connection.execute(select(ledger.batches).where(ledger.batches.c.batch_id == batch_id))
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise UnknownBatch(
            f"there is no batch '{batch_id}'", next_step="`figurekeeper batches` lists them; copy the id from there"
        )
    return dict(row)


def recover(warehouse: Warehouse, dataset: str) -> None:
    """Complete what a dead holder of the publish lock left, in a folder that may have been moved. The caller holds that lock.

    A batch of another dataset that cannot be completed is left for that dataset's next run to report.
    """
    settle(warehouse)
    columns = ledger.batches.c
    with warehouse.engine.connect() as connection:
        left = connection.execute(select(columns.batch_id, columns.dataset).where(columns.state == "publishing")).all()
    for batch_id, owner in left:
        with contextlib.nullcontext() if owner == dataset else contextlib.suppress(Exception):
            _complete(warehouse, batch_id, resumed=True)
    flush_journal(warehouse)


def _abandon_dead(warehouse: Warehouse, dataset: str) -> None:
    """Remove what a dead holder of the dataset's lease staged; its batch record stays."""
    columns = ledger.batches.c
    query = select(columns.batch_id).where(columns.dataset == dataset, columns.state.in_(_OPEN))
    with warehouse.engine.connect() as connection:
        dead = connection.execute(query).scalars().all()
    for batch_id in dead:
        _remove_staged(warehouse, batch_id)
        message = "its process ended before it decided; nothing was published"
        _record(warehouse, batch_id, Closing(Decision.ABANDONED, "figurekeeper", message), None)


def _remove_staged(warehouse: Warehouse, batch_id: str) -> None:
    """Remove a batch's staged files and their rows; nothing of it was ever visible."""
    dataset, suffix = batch_id.rsplit("@", 1)
    columns = ledger.vintages.c
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        connection.execute(ledger.readings.delete().where(ledger.readings.c.batch_id == batch_id))
        named = select(ledger.readings.c.vintage_id).union(select(ledger.line.c.vintage_id))
        unused = ledger.vintages.delete().where(columns.staged_by == batch_id, columns.vintage_id.not_in(named))
        connection.execute(unused)
        rows = connection.execute(select(columns.observations_file, columns.series_file)).tuples()
        kept = {name for files in rows for name in files}
    for table in (*TABLES, "readings"):
        for name in warehouse.storage.list(f"tables/{table}/data/{dataset}"):
            if name.endswith(f"-{suffix}.parquet") and name not in kept:
                warehouse.storage.remove(name)


def _complete(warehouse: Warehouse, batch_id: str, *, resumed: bool = False) -> int | None:
    """Carry a publishing batch to its edition row; every step is a no-op when it was done before."""
    batch = read_batch(warehouse, batch_id)
    with warehouse.engine.connect() as connection:
        changes = changes_of(warehouse, connection, batch)
    begun = [item for change in changes for item in change.arrangement.begun]
    for item in begun:
        if item.content is not None:
            contents.write(warehouse, item.vintage, item.content)
    ended = {row["vintage_id"] for change in changes for row in change.arrangement.ended}
    started = {item.vintage["vintage_id"]: item.vintage for item in begun}
    mark = f"{batch['decision']}:{batch_id}"
    snapshots = {
        name: warehouse.tables.change(
            name,
            {key: row[f"{name}_file"] for key, row in started.items() if key not in ended},
            ended - set(started),
            mark,
            resumed=resumed,
        )
        for name in TABLES
    }
    pending = batch["header"].get("pending", {})
    at = clock.from_text(pending["at"]) if pending.get("at") else None
    closing = Closing(
        Decision(batch["decision"]), pending.get("actor", ""), batch["message"], pending.get("reason"),
        pending.get("run_id"), at,
    )  # fmt: skip
    return _record(warehouse, batch_id, closing, _Publication(changes, snapshots))


@dataclass(frozen=True)
class _Publication:
    """What a batch changed, and the snapshots of the tables after it."""

    changes: Sequence[Change]
    snapshots: Mapping[str, str | None]


def _record(warehouse: Warehouse, batch_id: str, closing: Closing, publication: _Publication | None) -> int | None:
    """The last transaction of a batch: edition, line, readings, decision and journal entry; then the journal itself."""
    at = clock.to_text(closing.at or clock.now())
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        query = select(ledger.batches).where(ledger.batches.c.batch_id == batch_id)
        before = connection.execute(query).mappings().one()
        first = before["finished_at"] is None
        edition = _new_edition(warehouse, connection, batch_id, closing, publication, at) if publication else None
        header = {name: value for name, value in before["header"].items() if name != "pending"}
        if first and edition is None and closing.decision not in (Decision.FAILED, Decision.ABANDONED):
            _count_confirmations(connection, batch_id)
        connection.execute(
            update(ledger.batches)
            .where(ledger.batches.c.batch_id == batch_id)
            .values(
                state="done",
                decision=closing.decision.value,
                message=closing.message,
                header=header,
                finished_at=before["finished_at"] or at,
                edition=edition if edition is not None else before["edition"],
            )
        )
        decision = {
            "batch_id": batch_id,
            "dataset": before["dataset"],
            "decision": closing.decision.value,
            "at": at,
            "edition": edition,
            "actor": closing.actor,
            "reason": closing.reason,
            "run_id": closing.run_id,
        }
        ledger.add(connection, ledger.decisions, [decision])
        after = connection.execute(query).mappings().one()
        body = {**(records.batch_body(warehouse, connection, after) if first else {}), **decision}
        body |= {"message": closing.message, **records.edition_body(connection, edition)}
        ledger.owe(connection, "batch" if first else "decision", body)
        warehouse.assert_held()
    flush_journal(warehouse)
    return edition


def _count_confirmations(connection: Connection, batch_id: str) -> None:
    """Let readings that found nothing new count from the next edition on; those that are held back wait for a person."""
    columns = ledger.readings.c
    connection.execute(
        update(ledger.readings)
        .where(columns.batch_id == batch_id, columns.published_in.is_(None), columns.compared.is_(None))
        .values(published_in=line.newest_edition(connection) + 1)
    )


def _new_edition(
    warehouse: Warehouse,
    connection: Connection,
    batch_id: str,
    closing: Closing,
    publication: _Publication,
    at: str,
) -> int:
    """The only switch of visibility: the line, the readings that count, and the edition row."""
    previous = line.newest_edition(connection)
    edition = previous + 1
    voiding = closing.decision is Decision.VOIDED
    told: list[Any] = [closing.decision.value, batch_id]
    for change in publication.changes:
        records.move_readings(connection, change.readings, {"voided_in" if voiding else "published_in": edition})
        records.move_line(connection, change.arrangement, edition)
        told += [[row["batch_id"], row["part"]] for row in change.readings]
        told += [[row["vintage_id"], row["predecessor_id"]] for row in change.arrangement.ended]
        told += [[item.standing["vintage_id"], item.standing["predecessor_id"]] for item in change.arrangement.begun]
    digest = records.digest(connection, previous, told)
    row = {"edition": edition, "batch_id": batch_id, "decision": closing.decision.value, "at": at, "digest": digest}
    row |= {f"{name}_snapshot": publication.snapshots[name] for name in TABLES}
    ledger.add(connection, ledger.editions, [row])
    begun = [item.vintage for change in publication.changes for item in change.arrangement.begun]
    records.index_series(warehouse, connection, begun)
    return edition


def flush(warehouse: Warehouse) -> None:
    """Bring what incidents owe to the journal; a batch's own entries are brought when it is closed."""
    with warehouse.publish_lock():
        flush_journal(warehouse)


def flush_journal(warehouse: Warehouse) -> None:
    """Bring owed entries to the journal; the caller holds the publish lock.

    Raises Corrupted when the journal does not end where the last flush left it.
    """
    columns = ledger.outbox.c
    with warehouse.engine.connect() as connection:
        rows = connection.execute(select(columns.number, columns.kind, columns.body).order_by(columns.number))
        owed = [(number, kind, body) for number, kind, body in rows]
        after = ledger.journal_end(connection)
    end = warehouse.journal.append(owed, after) if after else warehouse.journal.append(owed)
    if owed:
        with ledger.transaction(warehouse.engine, warehouse.root) as connection:
            connection.execute(ledger.outbox.delete().where(columns.number <= owed[-1][0]))
            if end is not None and end != after:
                ledger.stamp(connection, ledger.JOURNAL_END, f"{end[0]} {end[1]}")
