"""Answers written down as they come, so that a batch that is cut off leaves more than bytes: what was asked, when, and said.

Belongs here: these records while a batch is under way, and the batches that ended before they had all they asked for. Does not
belong here: the record of a batch that got as far as staging (publish), or what an answer is good for (flows/economy.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger, records
from warehouse.schema import Decision, Payload
from warehouse.store import Warehouse


@dataclass(frozen=True)
class Unfinished:
    """A batch that ended before it had all it asked for. `address`: the base URL; `errors`: class names, by part and, under "",
    of the batch itself; `rows`: of its answers, in order."""

    address: str
    errors: Mapping[str, str]
    rows: list[RowMapping]


def record(warehouse: Warehouse, batch_id: str, number: int, part: str | None, payload: Payload) -> None:
    """Write down one answer of a running batch, whose bytes are kept already; durable when this returns."""
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        ledger.add(connection, ledger.payloads, [records.payload_row(batch_id, number, part, payload)])


def record_error(warehouse: Warehouse, batch_id: str, name: str) -> None:
    """Write down which error ended a batch, by its class."""
    columns = ledger.batches.c
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        header = connection.execute(select(columns.header).where(columns.batch_id == batch_id)).scalar_one()
        values = {"header": {**header, "error": name}}
        connection.execute(update(ledger.batches).where(columns.batch_id == batch_id).values(values))


def unfinished(
    warehouse: Warehouse, dataset: str, file_sha256: str, actor: str, asked: Mapping[str, Any], since: datetime
) -> Iterator[Unfinished]:
    """The batches of a dataset that an actor began since an instant with the same dataset file and the same question, and that
    did not bring all of it, newest first; back to one that did, or on which a person decided.

    `asked` is what their headers say under that name. The caller holds the dataset's lease: none of them is under way.
    """
    columns, payloads = ledger.batches.c, ledger.payloads.c
    query = (
        select(ledger.batches)
        .where(columns.dataset == dataset, columns.actor == actor, columns.dataset_file_sha256 == file_sha256)
        .where(columns.started_at > clock.to_text(since))
        .order_by(columns.started_at.desc())
    )
    with warehouse.engine.connect() as connection:
        for batch in connection.execute(query).mappings().all():
            header = batch["header"]
            if header.get("asked", {}) != asked:
                continue
            if _finished(batch):
                return
            answers = select(ledger.payloads).where(payloads.batch_id == batch["batch_id"]).order_by(payloads.number)
            errors = {**header.get("failed", {}), "": header.get("error", "")}
            yield Unfinished(header.get("address", ""), errors, list(connection.execute(answers).mappings()))


def _finished(batch: RowMapping) -> bool:
    """A batch without a decision is dead; one with failed parts brought the others only."""
    if batch["decision"] in (None, Decision.FAILED, Decision.ABANDONED):
        return False
    return batch["decision"] in (Decision.DISCARDED, Decision.VOIDED) or not batch["header"].get("failed")
