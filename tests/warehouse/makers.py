"""Small vintages by hand for the tests of the warehouse: a part from a dict of cells, published in one call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from tests.warehouse import oracle
from warehouse import clock, publish, staging
from warehouse.compare import Equality
from warehouse.publish import Closing
from warehouse.schema import PARSED, SERIES, Basis, Decision, PartData, Payload, Precision, Scope, Stamp
from warehouse.store import DatasetFacts, Warehouse

#: (series key, period) → value, or (value, flags), or (value, flags, text)
Cells = Mapping[tuple[str, str], float | tuple[float | None, str] | tuple[float | None, str, str | None] | None]

FACTS = DatasetFacts(
    "test.one",
    "f" * 64,
    {
        "title": "Test",
        "title_zh": "测试",
        "licence": {"id": "CC0"},
        "citation": "Nobody",
        "calendar": {"stale_after_days": 30},
    },
    {"p": Equality(), "q": Equality(counts=True)},
)


def at(text: str) -> datetime:
    """2024-03-13 or 2024-03-13T12:00 as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rows(cells: Cells) -> pa.Table:
    """Cells as a table of schema PARSED."""
    lines = []
    for (key, period), cell in sorted(cells.items()):
        value, status, text = (*cell, "-")[:3] if isinstance(cell, tuple) else (cell, "", "-")
        lines.append(
            {
                "series_key": key,
                "period": period,
                "period_start": clock.period_start(period),
                "value": value,
                "value_text": (None if value is None else repr(value)) if text == "-" else text,
                "status": status,
            }
        )
    return pa.Table.from_pylist(lines, schema=PARSED)


def series(cells: Cells, part: str = "p", **columns: object) -> pa.Table:
    """A table of schema SERIES for the keys of some cells; `columns` override the defaults."""
    base = {
        "part": part, "label": "Label", "dimensions": "{}", "unit": "percent", "multiplier": 0, "decimals": None,
        "frequency": "A", "price_base": None, "reference_year": None, "notes": None,
    } | columns  # fmt: skip
    keys = sorted({key for key, _ in cells})
    return pa.Table.from_pylist(
        [{"series_key": key, "entity": key.split(".")[0], **base} for key in keys], schema=SERIES
    )


def part(
    cells: Cells,
    fetched: str,
    *,
    name: str = "p",
    stamp: str | None = None,
    archive: str | None = None,
    carried: str | None = None,
    scope: Scope | None = None,
    **columns: object,
) -> PartData:
    """A part as a connector would hand it over. `stamp`: the publisher's day (UTC); `archive`: a version id YYYYMM;
    `carried`: the day (UTC) of somebody else's copy.
    """
    told: Stamp | None = None
    if stamp is not None:
        told = clock.day_stamp(datetime.fromisoformat(stamp).date(), "UTC", stamp)
    if archive is not None:
        told = clock.archive_stamp(archive, "UTC")
    if carried is not None:
        day = clock.end_of_day(datetime.fromisoformat(carried).date())
        told = Stamp(day, Precision.DAY, Basis.CARRIED, carried)
    asked = [fetched, columns, stamp, archive, carried, repr(scope)]
    content = json.dumps([[*key, cells[key]] for key in sorted(cells)] + asked).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    payload = Payload(sha256, content, "GET", "http://provider.invalid/x", None, 200, {}, at(fetched))
    meaning = json.dumps([[*key, cells[key]] for key in sorted(cells)] + [columns], default=str).encode()
    return PartData(
        name, rows(cells), series(cells, name, **columns), (payload,), told, scope or Scope(),
        hashlib.sha256(meaning).hexdigest(),
    )  # fmt: skip


def reading(batch: str, data: PartData) -> oracle.Reading:
    """The same part as the reference model sees it."""
    cells = {
        (row["series_key"], row["period"]): oracle.Cell(row["value"], row["status"], row["value_text"])
        for row in data.observations.to_pylist()
    }
    meant = {row.pop("series_key"): repr(row) for row in data.series.to_pylist()}
    fetched_at = max(payload.fetched_at for payload in data.payloads)
    said = oracle.Content(cells, meant)
    return oracle.Reading(batch, said, fetched_at, data.payloads[-1].sha256, data.stamp, data.scope)


def store(home: Path) -> Warehouse:
    """A fresh warehouse of profile synthetic."""
    return Warehouse(home, "synthetic")


def load(
    warehouse: Warehouse, *parts: PartData, decision: Decision = Decision.PUBLISHED, facts: DatasetFacts = FACTS
) -> tuple[str, int | None]:
    """One batch: stage the parts and close it with a decision (unchanged when nothing was staged): (batch id, edition)."""
    with warehouse.lease(facts.id):
        batch = publish.begin(warehouse, facts, "test", None)
        found = [staging.stage(warehouse, facts, batch, data) for data in parts]
        staged = [item for item in found if isinstance(item, staging.Staged)]
        payloads = [(data.part, payload) for data in parts for payload in data.payloads]
        for _, payload in payloads:
            warehouse.payloads.store(payload.content)
        confirmed = [item for item in found if isinstance(item, staging.Confirmed)]
        publish.record_stage(warehouse, batch, staged, confirmed, payloads, (), {})
        ending = decision if staged else Decision.UNCHANGED
        return batch, publish.close(warehouse, batch, Closing(ending, "test", "by a test"))


__all__ = ["FACTS", "Basis", "Cells", "Precision", "at", "load", "part", "reading", "rows", "series", "store"]
