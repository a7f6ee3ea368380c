"""From a parsed part to a visible vintage: stage, publish in one commit, decide later, recover from the dead.

The states of a batch: running → staged → publishing → done. A batch dies at most once: one found running or staged by the
next holder of its dataset's lease is abandoned and its files removed; one found publishing by the next holder of the publish
lock is completed, since every step of completion is a no-op when done twice. The edition row is the only switch of
visibility, written in the same transaction as all else the ledger says of the batch.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger
from warehouse.errors import UnknownBatch, UsageError, WrongState
from warehouse.schema import CheckResult, Decision, Payload
from warehouse.staging import Staged
from warehouse.store import DatasetFacts, Warehouse

_OPEN = ("running", "staged")
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
        recover(warehouse)
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
        _describe(connection, facts)
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
        _index_series(connection, staged)
        ledger.add(
            connection,
            ledger.payloads,
            [
                _payload_row(batch_id, number, part, vintage_of.get((part or "", payload.sha256)), payload)
                for number, (part, payload) in enumerate(payloads)
            ],
        )
        ledger.add(
            connection,
            ledger.check_results,
            [_check_row(batch_id, number, result) for number, result in enumerate(results)],
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
    """End a batch. A publishing decision makes the next edition and returns its number; the others return None."""
    publishing = closing.decision in (
        Decision.PUBLISHED,
        Decision.PUBLISHED_WITH_WARNINGS,
        Decision.RELEASED,
        Decision.VOIDED,
    )
    with warehouse.publish_lock():
        recover(warehouse)
        with ledger.transaction(warehouse.engine, warehouse.root) as connection:
            _mark(connection, batch_id, closing, "publishing" if publishing else "staged")
        edition = _complete(warehouse, batch_id) if publishing else _record(warehouse, batch_id, None, None, None)
    return edition


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


def recover(warehouse: Warehouse) -> None:
    """Complete what a dead holder of the publish lock left. The caller holds that lock."""
    with warehouse.engine.connect() as connection:
        left = (
            connection.execute(select(ledger.batches.c.batch_id).where(ledger.batches.c.state == "publishing"))
            .scalars()
            .all()
        )
    for batch_id in left:
        _complete(warehouse, batch_id)
    _flush_journal(warehouse)


def _abandon_dead(warehouse: Warehouse, dataset: str) -> None:
    """Remove what a dead holder of the dataset's lease staged; its batch record stays."""
    columns = ledger.batches.c
    with warehouse.engine.connect() as connection:
        dead = (
            connection.execute(select(columns.batch_id).where(columns.dataset == dataset, columns.state.in_(_OPEN)))
            .scalars()
            .all()
        )
        files = connection.execute(
            select(ledger.vintages.c.observations_file, ledger.vintages.c.series_file).where(
                ledger.vintages.c.batch_id.in_(dead)
            )
        ).all()
    for batch_id in dead:
        suffix = batch_id.rsplit("-", 1)[-1]
        for path in (warehouse.root / "tables").glob(f"*/data/{dataset}/*/*-{suffix}.parquet"):
            path.unlink(missing_ok=True)
        for pair in files:
            for name in pair:
                warehouse.path(name).unlink(missing_ok=True)
        message = "its process ended before it decided; nothing was published"
        with ledger.transaction(warehouse.engine, warehouse.root) as connection:
            connection.execute(ledger.vintages.delete().where(ledger.vintages.c.batch_id == batch_id))
            _mark(connection, batch_id, Closing(Decision.ABANDONED, "figurekeeper", message), "staged")
        _record(warehouse, batch_id, None, None, None)


def _mark(connection: Connection, batch_id: str, closing: Closing, state: str) -> None:
    pending = {"actor": closing.actor, "reason": closing.reason, "run_id": closing.run_id}
    header = connection.execute(
        select(ledger.batches.c.header).where(ledger.batches.c.batch_id == batch_id)
    ).scalar_one()
    connection.execute(
        update(ledger.batches)
        .where(ledger.batches.c.batch_id == batch_id)
        .values(
            state=state, decision=closing.decision.value, message=closing.message, header={**header, "pending": pending}
        )
    )


def _complete(warehouse: Warehouse, batch_id: str) -> int | None:
    """Carry a publishing batch to its edition row; every step is a no-op when it was done before."""
    with warehouse.engine.connect() as connection:
        batch = connection.execute(select(ledger.batches).where(ledger.batches.c.batch_id == batch_id)).mappings().one()
        rows = (
            connection.execute(select(ledger.vintages).where(ledger.vintages.c.batch_id == batch_id)).mappings().all()
        )
        shown = {row["vintage_id"] for row in warehouse.visible(connection, batch["dataset"])}
    tables = warehouse.tables
    if batch["decision"] == Decision.VOIDED:
        chosen = [row["vintage_id"] for row in rows if row["published_in"] is not None]
        snapshots = [tables.drop(name, chosen, batch_id) for name in ("observations", "series")]
    else:
        new = [row for row in rows if row["vintage_id"] not in shown]
        chosen = [row["vintage_id"] for row in new]
        snapshots = [
            tables.add(name, [warehouse.path(row[f"{name}_file"]) for row in new], batch_id) if new else None
            for name in ("observations", "series")
        ]
    return _record(warehouse, batch_id, chosen, snapshots[0], snapshots[1])


def _record(
    warehouse: Warehouse,
    batch_id: str,
    chosen: Sequence[str] | None,
    observations_snapshot: str | None,
    series_snapshot: str | None,
) -> int | None:
    """The last transaction of a batch: edition (when `chosen` is not None), decision, journal entry; then the journal itself."""
    at = clock.to_text(clock.now())
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        batch = connection.execute(select(ledger.batches).where(ledger.batches.c.batch_id == batch_id)).mappings().one()
        edition = None
        if chosen is not None:
            edition = warehouse.edition(connection) + 1
            column = "voided_in" if batch["decision"] == Decision.VOIDED else "published_in"
            connection.execute(
                update(ledger.vintages)
                .where(ledger.vintages.c.batch_id == batch_id, ledger.vintages.c.vintage_id.in_(chosen))
                .values({column: edition})
            )
            row = {
                "edition": edition,
                "batch_id": batch_id,
                "decision": batch["decision"],
                "at": at,
                "observations_snapshot": observations_snapshot,
                "series_snapshot": series_snapshot,
            }
            ledger.add(connection, ledger.editions, [row])
        header = dict(batch["header"])
        pending = header.pop("pending", {})
        connection.execute(
            update(ledger.batches)
            .where(ledger.batches.c.batch_id == batch_id)
            .values(
                state="done",
                header=header,
                finished_at=batch["finished_at"] or at,
                edition=edition if edition is not None else batch["edition"],
            )
        )
        decision = {
            "batch_id": batch_id,
            "dataset": batch["dataset"],
            "decision": batch["decision"],
            "at": at,
            "edition": edition,
            **pending,
        }
        ledger.add(connection, ledger.decisions, [decision])
        first = batch["state"] != "done" and batch["finished_at"] is None
        body = {**decision, **(_batch_body(connection, batch, header) if first else {})}
        ledger.owe(connection, "batch" if first else "decision", body)
    _flush_journal(warehouse)
    return edition


def _batch_body(connection: Connection, batch: RowMapping, header: Mapping[str, Any]) -> dict[str, Any]:
    """All that replay needs to know of a batch beyond the payload bytes."""
    key = batch["batch_id"]
    told = ("started_at", "fetched_at", "actor", "run_id", "dataset_file_sha256", "complete", "current", "message")
    body: dict[str, Any] = {**{name: batch[name] for name in told}, "header": dict(header)}
    failed = select(ledger.check_results).where(ledger.check_results.c.success.is_(False))
    for name, query in (
        ("vintages", select(ledger.vintages).where(ledger.vintages.c.batch_id == key)),
        ("payloads", select(ledger.payloads).where(ledger.payloads.c.batch_id == key)),
        ("failed_checks", failed.where(ledger.check_results.c.batch_id == key)),
    ):
        rows = connection.execute(query).mappings().all()
        body[name] = [{column: row[column] for column in row if column != "batch_id"} for row in rows]
    body["dataset_description"] = connection.execute(
        select(ledger.datasets.c.description).where(ledger.datasets.c.dataset == batch["dataset"])
    ).scalar_one_or_none()
    return body


def _flush_journal(warehouse: Warehouse) -> None:
    """Bring owed entries to the journal; the caller holds the publish lock."""
    columns = ledger.outbox.c
    with warehouse.engine.connect() as connection:
        owed = connection.execute(select(columns.number, columns.kind, columns.body).order_by(columns.number)).all()
    if not owed:
        return
    warehouse.journal.append([(number, kind, body) for number, kind, body in owed])
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        connection.execute(ledger.outbox.delete().where(columns.number <= owed[-1].number))


def _describe(connection: Connection, facts: DatasetFacts) -> None:
    description = {
        **facts.description,
        "equality": {part: asdict(rule) for part, rule in facts.equality.items()},
    }
    values = {"file_sha256": facts.file_sha256, "description": description}
    found = connection.execute(
        select(func.count()).select_from(ledger.datasets).where(ledger.datasets.c.dataset == facts.id)
    ).scalar_one()
    if found:
        connection.execute(update(ledger.datasets).where(ledger.datasets.c.dataset == facts.id).values(values))
    else:
        ledger.add(connection, ledger.datasets, [{"dataset": facts.id, **values}])


def _index_series(connection: Connection, staged: Sequence[Staged]) -> None:
    columns = ledger.series_index.c
    for item in staged:
        dataset, part = item.row["dataset"], item.evidence.data.part
        known = set(
            connection.execute(
                select(columns.series_key).where(columns.dataset == dataset, columns.part == part)
            ).scalars()
        )
        keys = item.evidence.data.series.column("series_key").to_pylist()
        rows = [{"dataset": dataset, "series_key": key, "part": part} for key in keys if key not in known]
        ledger.add(connection, ledger.series_index, rows)


def _payload_row(
    batch_id: str, number: int, part: str | None, vintage_id: str | None, payload: Payload
) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "number": number,
        "part": part,
        "vintage_id": vintage_id,
        "sha256": payload.sha256,
        "method": payload.method,
        "url": payload.url,
        "body": payload.body,
        "status": payload.status,
        "headers": dict(payload.headers),
        "fetched_at": clock.to_text(payload.fetched_at),
        "attempts": payload.attempts,
    }


def _check_row(batch_id: str, number: int, result: CheckResult) -> dict[str, Any]:
    row = asdict(result)
    return {**row, "batch_id": batch_id, "number": number, "examples": list(result.examples)}
