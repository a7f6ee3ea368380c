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
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger, records
from warehouse.errors import UnknownBatch, UsageError, WrongState
from warehouse.schema import CheckResult, Decision, Payload
from warehouse.staging import Staged, batch_suffix
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


def begin(
    warehouse: Warehouse,
    facts: DatasetFacts,
    actor: str,
    run_id: str | None,
    *,
    complete: bool = True,
    current: bool = True,
) -> str:
    """Open a batch; the caller holds the dataset's lease. What dead predecessors left is completed or removed first.

    `complete`: everything of the dataset is asked for; `current`: that, and as of now.
    """
    with warehouse.publish_lock():
        recover(warehouse, facts.id)
        _abandon_dead(warehouse, facts.id)
    started = clock.now()
    batch_id = f"{facts.id}@{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
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
        "header": {},
    }
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        ledger.add(connection, ledger.batches, [row])
        records.describe(connection, facts)
    return batch_id


def record_stage(
    warehouse: Warehouse,
    batch_id: str,
    staged: Sequence[Staged],
    payloads: Sequence[tuple[str | None, Payload]],
    results: Sequence[CheckResult],
    header: Mapping[str, Any],
) -> None:
    """Write down what was fetched, staged and judged; nothing becomes visible.

    `payloads` are (part, payload) in the order of fetching; `header` goes into the batch record as it is.
    """
    vintage_of = {
        (item.evidence.data.part, payload.sha256): item.evidence.vintage_id
        for item in staged
        for payload in item.evidence.data.payloads
    }
    fetched = [payload.fetched_at for _, payload in payloads]
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        ledger.add(connection, ledger.vintages, [{**item.row, "batch_id": batch_id} for item in staged])
        ledger.add(
            connection,
            ledger.payloads,
            [
                records.payload_row(batch_id, number, part, vintage_of.get((part or "", payload.sha256)), payload)
                for number, (part, payload) in enumerate(payloads)
            ],
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


def close(warehouse: Warehouse, batch_id: str, closing: Closing) -> int | None:
    """End a batch. A publishing decision makes the next edition and returns its number; the others return None.

    A batch whose publish has begun can no longer fail: it is completed, now or by the next holder of the publish lock.
    """
    with warehouse.publish_lock():
        batch = read_batch(warehouse, batch_id)
        recover(warehouse, batch["dataset"])
        if closing.decision is Decision.FAILED:
            if batch["state"] not in _OPEN:
                return None
            _remove_staged(warehouse, batch_id)
        if closing.decision not in _PUBLISHING:
            return _record(warehouse, batch_id, closing, None)
        with ledger.transaction(warehouse.engine, warehouse.root) as connection:
            pending = {"actor": closing.actor, "reason": closing.reason, "run_id": closing.run_id}
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
        return _complete(warehouse, batch_id)


def decide(warehouse: Warehouse, batch_id: str, closing: Closing) -> int | None:
    """A person's decision on a batch: release or discard a quarantined one, void a published one.

    Raises UnknownBatch, WrongState, and UsageError when reason or name are missing.
    """
    if not (closing.reason or "").strip() or not closing.actor.strip():
        raise UsageError(
            "a decision needs a reason and a name", next_step="say why with --reason and who you are with --by"
        )
    batch = read_batch(warehouse, batch_id)
    with warehouse.lease(batch["dataset"]):
        batch = read_batch(warehouse, batch_id)
        if batch["decision"] not in _ALLOWED[closing.decision]:
            raise WrongState(
                f"batch {batch_id} is '{batch['decision'] or batch['state']}' and cannot be {closing.decision.value}",
                next_step="`figurekeeper batches` shows each batch and what can be done with it",
                dataset=batch["dataset"],
            )
        return close(warehouse, batch_id, closing)


def read_batch(warehouse: Warehouse, batch_id: str) -> RowMapping:
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
    return row


def recover(warehouse: Warehouse, dataset: str) -> None:
    """Complete what a dead holder of the publish lock left. The caller holds that lock.

    A batch of another dataset that cannot be completed is left for that dataset's next run to report.
    """
    columns = ledger.batches.c
    with warehouse.engine.connect() as connection:
        left = connection.execute(select(columns.batch_id, columns.dataset).where(columns.state == "publishing")).all()
    for batch_id, owner in left:
        with contextlib.nullcontext() if owner == dataset else contextlib.suppress(Exception):
            _complete(warehouse, batch_id)
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
    dataset = batch_id.rsplit("@", 1)[0]
    for path in (warehouse.root / "tables").glob(f"*/data/{dataset}/*/*-{batch_suffix(batch_id)}.parquet"):
        path.unlink(missing_ok=True)
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        connection.execute(ledger.vintages.delete().where(ledger.vintages.c.batch_id == batch_id))


def _complete(warehouse: Warehouse, batch_id: str) -> int | None:
    """Carry a publishing batch to its edition row; every step is a no-op when it was done before."""
    batch = read_batch(warehouse, batch_id)
    with warehouse.engine.connect() as connection:
        rows = (
            connection.execute(select(ledger.vintages).where(ledger.vintages.c.batch_id == batch_id)).mappings().all()
        )
        shown = {row["vintage_id"] for row in warehouse.visible(connection, batch["dataset"])}
    tables = warehouse.tables
    if batch["decision"] == Decision.VOIDED:
        chosen = [row for row in rows if row["published_in"] is not None]
        ids = [row["vintage_id"] for row in chosen]
        snapshots = {name: tables.drop(name, ids, batch_id) for name in TABLES}
    else:
        chosen = [row for row in rows if row["vintage_id"] not in shown]
        files = {name: [warehouse.path(row[f"{name}_file"]) for row in chosen] for name in TABLES}
        snapshots = {name: tables.add(name, files[name], batch_id) if chosen else None for name in TABLES}
    pending = batch["header"].get("pending", {})
    closing = Closing(Decision(batch["decision"]), message=batch["message"], **pending)
    return _record(warehouse, batch_id, closing, _Publication(chosen, snapshots))


@dataclass(frozen=True)
class _Publication:
    """What a batch made visible (or took back), and the snapshots of the tables after it."""

    vintages: Sequence[RowMapping]
    snapshots: Mapping[str, str | None]


def _record(warehouse: Warehouse, batch_id: str, closing: Closing, publication: _Publication | None) -> int | None:
    """The last transaction of a batch: edition, confirmations, decision and journal entry; then the journal itself."""
    at = clock.to_text(clock.now())
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        query = select(ledger.batches).where(ledger.batches.c.batch_id == batch_id)
        before = connection.execute(query).mappings().one()
        first = before["finished_at"] is None
        edition = _new_edition(warehouse, connection, batch_id, closing, publication, at) if publication else None
        header = {name: value for name, value in before["header"].items() if name != "pending"}
        if first and closing.decision not in (Decision.FAILED, Decision.ABANDONED):
            recorded_in = warehouse.edition(connection)
            rows = [{**row, "batch_id": batch_id, "recorded_in": recorded_in} for row in header.get("confirmed", [])]
            ledger.add(connection, ledger.confirmations, rows)
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
        body = {**(records.batch_body(connection, after) if first else {}), **decision}
        ledger.owe(connection, "batch" if first else "decision", body)
    flush_journal(warehouse)
    return edition


def _new_edition(
    warehouse: Warehouse,
    connection: Connection,
    batch_id: str,
    closing: Closing,
    publication: _Publication,
    at: str,
) -> int:
    """The only switch of visibility: mark the vintages and write the edition row."""
    edition = warehouse.edition(connection) + 1
    voiding = closing.decision is Decision.VOIDED
    connection.execute(
        update(ledger.vintages)
        .where(
            ledger.vintages.c.batch_id == batch_id,
            ledger.vintages.c.vintage_id.in_([row["vintage_id"] for row in publication.vintages]),
        )
        .values({"voided_in" if voiding else "published_in": edition})
    )
    row = {"edition": edition, "batch_id": batch_id, "decision": closing.decision.value, "at": at}
    row |= {f"{name}_snapshot": publication.snapshots[name] for name in TABLES}
    ledger.add(connection, ledger.editions, [row])
    if not voiding:
        records.index_series(warehouse, connection, publication.vintages)
    return edition


def flush(warehouse: Warehouse) -> None:
    """Bring what incidents owe to the journal; a batch's own entries are brought when it is closed."""
    with warehouse.publish_lock():
        flush_journal(warehouse)


def record_failure(warehouse: Warehouse, batch_id: str, archived: Sequence[Payload]) -> None:
    """Keep the records of the answers of a batch that failed before it was staged; none twice."""
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        query = select(ledger.payloads.c.number).where(ledger.payloads.c.batch_id == batch_id)
        if connection.execute(query).first() is None:
            rows = [
                records.payload_row(batch_id, number, None, None, payload) for number, payload in enumerate(archived)
            ]
            ledger.add(connection, ledger.payloads, rows)


def flush_journal(warehouse: Warehouse) -> None:
    """Bring owed entries to the journal; the caller holds the publish lock."""
    columns = ledger.outbox.c
    with warehouse.engine.connect() as connection:
        owed = connection.execute(select(columns.number, columns.kind, columns.body).order_by(columns.number)).all()
    if not owed:
        return
    warehouse.journal.append([(number, kind, body) for number, kind, body in owed])
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        connection.execute(ledger.outbox.delete().where(columns.number <= owed[-1].number))
