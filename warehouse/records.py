"""Rows of the ledger and bodies of the journal, made from what a batch brings.

Belongs here: shapes alone. When they are written, and in which transaction, is in warehouse/publish.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, func, select, update
from sqlalchemy.engine import RowMapping

from warehouse import clock, contents, ledger, line
from warehouse.arrange import Arrangement
from warehouse.payloads import PayloadArchive
from warehouse.schema import CheckResult, Payload
from warehouse.store import DatasetFacts, Warehouse

#: What is known of a batch before it is decided; the decision says the rest.
BEGUN = (
    "started_at",
    "fetched_at",
    "actor",
    "run_id",
    "dataset_file_sha256",
    "complete",
    "current",
    "header",
)


def batch_body(warehouse: Warehouse, connection: Connection, batch: RowMapping) -> dict[str, Any]:
    """All that replay needs to know of a batch beyond the payload bytes.

    Keys: batch (its columns BEGUN), readings and payloads (rows), dataset_description, attachments (name → sha256 of
    what is kept beside the journal: `checks`, all results as JSON).
    """
    checks = rows_of(connection, ledger.check_results, batch["batch_id"])
    return {
        "batch": {name: batch[name] for name in BEGUN},
        "readings": rows_of(connection, ledger.readings, batch["batch_id"]),
        "payloads": rows_of(connection, ledger.payloads, batch["batch_id"]),
        "attachments": {"checks": attach(warehouse.attachments, checks)} if checks else {},
        "dataset_description": connection.execute(
            select(ledger.datasets.c.description).where(ledger.datasets.c.dataset == batch["dataset"])
        ).scalar_one_or_none(),
    }


def rows_of(connection: Connection, table: Table, batch_id: str) -> list[dict[str, Any]]:
    """A batch's rows of a table, without its id, in the order of their keys."""
    query = select(table).where(table.c.batch_id == batch_id).order_by(*table.primary_key)
    rows = connection.execute(query).mappings().all()
    return [{column: row[column] for column in row if column != "batch_id"} for row in rows]


def attach(archive: PayloadArchive, value: Any) -> str:
    """Keep a value as JSON beside the journal; returns its sha256."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return archive.store(text.encode())


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


def add_vintages(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows of `vintages`; one that is held already is the same."""
    ids = [row["vintage_id"] for row in rows]
    query = select(ledger.vintages.c.vintage_id).where(ledger.vintages.c.vintage_id.in_(ids))
    held = set(connection.execute(query).scalars())
    ledger.add(connection, ledger.vintages, [row for row in rows if row["vintage_id"] not in held])


def move_readings(connection: Connection, rows: Sequence[Mapping[str, Any]], values: Mapping[str, int]) -> None:
    """Let readings begin or cease to count."""
    columns = ledger.readings.c
    for row in rows:
        chosen = columns.batch_id == row["batch_id"], columns.part == row["part"]
        connection.execute(update(ledger.readings).where(*chosen).values(dict(values)))


def move_line(connection: Connection, arrangement: Arrangement, edition: int) -> None:
    """Let vintages end and begin to stand in an edition."""
    columns = ledger.line.c
    for row in arrangement.ended:
        chosen = columns.vintage_id == row["vintage_id"], columns.published_in == row["published_in"]
        connection.execute(update(ledger.line).where(*chosen).values(voided_in=edition))
    add_vintages(connection, [item.vintage for item in arrangement.begun])
    ledger.add(connection, ledger.line, [{**item.standing, "published_in": edition} for item in arrangement.begun])


def digest(connection: Connection, previous: int, told: Sequence[Any]) -> str:
    """The digest of an edition: over its predecessor's, and all that it changed."""
    query = select(ledger.editions.c.digest).where(ledger.editions.c.edition == previous)
    before = connection.execute(query).scalar_one_or_none() or ""
    return hashlib.sha256(json.dumps([before, *told], ensure_ascii=False).encode()).hexdigest()


def edition_body(connection: Connection, edition: int | None) -> dict[str, Any]:
    """What the journal tells of an edition beyond its decision: its digest, and the vintages that begin and end with it."""
    if edition is None:
        return {}
    columns = ledger.line.c
    begun = connection.execute(select(columns.vintage_id).where(columns.published_in == edition)).scalars()
    ended = connection.execute(select(columns.vintage_id).where(columns.voided_in == edition)).scalars()
    told = {"begun": sorted(begun), "ended": sorted(ended)}
    query = select(ledger.editions.c.digest).where(ledger.editions.c.edition == edition)
    return {**told, "digest": connection.execute(query).scalar_one()}


def index_series(warehouse: Warehouse, connection: Connection, vintages: Sequence[Mapping[str, Any]]) -> None:
    """Say of every series of vintages that begin to stand in the newest edition in which part it is; nothing is forgotten."""
    columns, edition = ledger.series_index.c, line.newest_edition(connection)
    for vintage in vintages:
        keys = contents.held(warehouse, vintage).series.column("series_key").to_pylist()
        dataset, part = vintage["dataset"], vintage["part"]
        known = select(columns.series_key).where(columns.dataset == dataset, columns.part == part)
        new = sorted(set(keys) - set(connection.execute(known).scalars()))
        told = {"dataset": dataset, "part": part, "published_in": edition}
        ledger.add(connection, ledger.series_index, [{**told, "series_key": key} for key in new])


def payload_row(batch_id: str, number: int, part: str | None, payload: Payload) -> dict[str, Any]:
    """A payload record; the bytes themselves are in the archive."""
    return {
        "batch_id": batch_id,
        "number": number,
        "part": part,
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
