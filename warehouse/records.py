"""Rows of the ledger and bodies of the journal, made from what a batch brings.

Belongs here: shapes alone. When they are written, and in which transaction, is in warehouse/publish.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import duckdb
from sqlalchemy import Connection, func, select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger
from warehouse.schema import CheckResult, Payload
from warehouse.store import DatasetFacts, Warehouse


def batch_body(connection: Connection, batch: RowMapping) -> dict[str, Any]:
    """All that replay needs to know of a batch beyond the payload bytes."""
    key = batch["batch_id"]
    told = ("started_at", "fetched_at", "actor", "run_id", "dataset_file_sha256", "complete", "current", "message")
    body: dict[str, Any] = {**{name: batch[name] for name in told}, "header": dict(batch["header"])}
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


def describe(connection: Connection, facts: DatasetFacts) -> None:
    """Keep what a dataset file says, for pages and questions."""
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


def index_series(warehouse: Warehouse, connection: Connection, vintages: Sequence[RowMapping]) -> None:
    """Say of every series of newly visible vintages to which part it belongs now."""
    columns = ledger.series_index.c
    for vintage in vintages:
        with duckdb.connect() as database:
            path = str(warehouse.path(vintage["series_file"]))
            keys = [key for (key,) in database.execute("select series_key from read_parquet(?)", [path]).fetchall()]
        dataset, part = vintage["dataset"], vintage["part"]
        query = select(columns.series_key).where(columns.dataset == dataset, columns.part == part)
        new = sorted(set(keys) - set(connection.execute(query).scalars()))
        for start in range(0, len(new), 1000):
            some = new[start : start + 1000]
            connection.execute(
                ledger.series_index.delete().where(columns.dataset == dataset, columns.series_key.in_(some))
            )
            ledger.add(
                connection,
                ledger.series_index,
                [{"dataset": dataset, "series_key": key, "part": part} for key in some],
            )


def payload_row(
    batch_id: str, number: int, part: str | None, vintage_id: str | None, payload: Payload
) -> dict[str, Any]:
    """A payload record; the bytes themselves are in the archive."""
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


def check_row(batch_id: str, number: int, result: CheckResult) -> dict[str, Any]:
    """A check result."""
    row = asdict(result)
    return {**row, "batch_id": batch_id, "number": number, "examples": list(result.examples)}
