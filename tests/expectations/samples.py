"""Parts, comparisons and datasets made for the tests of the gate: small, and of the shape of real ones.

Belongs here: what more than one test of expectations/ starts from. No assertions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from connectors.datasets import Dataset, Part
from warehouse.compare import Equality, compare
from warehouse.schema import PARSED, SERIES, Basis, Comparison, PartData, PartEvidence, Precision, Scope

Row = dict[str, Any]


def dataset(dataset_id: str, parts: list[dict[str, Any]], **fields: Any) -> Dataset:
    """A dataset file in memory; what the gate does not look at is filled in."""
    provider = dataset_id.split(".")[0]
    return Dataset.model_validate(
        {
            "id": dataset_id,
            "title": dataset_id,
            "title_zh": dataset_id,
            "provider": provider,
            "flow": "F",
            "dimensions": ("LOCATION", "VAR"),
            "entity_dimension": "LOCATION",
            "start": "2000",
            "entities": ("CHN", "JPN", "KOR"),
            "parts": [
                {"key": part["id"], "label": part["id"], "kind": "level", "unit": "USD"} | part for part in parts
            ],
            "licence": {"id": "CC-BY-4.0", "url": "https://example.org", "attribution": "the publisher"},
            "citation": "the publisher",
            "publisher_timezone": {"oecd": "Europe/Paris", "worldbank": "America/New_York", "nbs": "Asia/Shanghai"}[
                provider
            ],
            "calendar": {"cron": "0 6 * * *", "timezone": "UTC", "releases": "yearly", "stale_after_days": 400},
            "owner": "tests",
            "status": "verified offline",
        }
        | fields
    )


def observation(series_key: str, period: str, value: float | None, status: str = "", text: str | None = None) -> Row:
    """One row of PARSED; the published string is that of the value unless another is given."""
    return {
        "series_key": series_key,
        "period": period,
        "period_start": date(int(period[:4]), 1, 1),
        "value": value,
        "value_text": text if text is not None or value is None else repr(value),
        "status": status,
    }


def series_row(series_key: str, part: str, entity: str, unit: str, **fields: Any) -> Row:
    """One row of SERIES for an annual series without a multiplier, unless `fields` say otherwise."""
    return {
        "series_key": series_key,
        "part": part,
        "label": f"{entity}: {part}",
        "entity": entity,
        "dimensions": "{}",
        "unit": unit,
        "multiplier": 0,
        "decimals": None,
        "frequency": "A",
        "price_base": None,
        "reference_year": None,
        "notes": None,
    } | fields


def part_data(part: str, rows: Iterable[Row], series: Iterable[Row], notes: tuple[str, ...] = ()) -> PartData:
    """A part as a connector would hand it over, without payloads."""
    return PartData(
        part=part,
        observations=pa.Table.from_pylist(list(rows), schema=PARSED),
        series=pa.Table.from_pylist(list(series), schema=SERIES),
        payloads=(),
        stamp=None,
        scope=Scope(),
        canonical_hash="",
        notes=notes,
    )


def compared(old: PartData, new: PartData, older: Iterable[PartData] = (), part: Part | None = None) -> Comparison:
    """The warehouse's own comparison of two parts, with the equality that the dataset file declares."""
    equality = Equality(part.kind == "count", part.decimals, part.equal_within) if part else Equality()
    before = [one.observations for one in older]
    return compare("predecessor", old.observations, old.series, new.observations, new.series, equality, before)


def evidence_of(
    data: PartData,
    comparison: Comparison | None = None,
    known_from: datetime = datetime(2025, 4, 3, 12, tzinfo=UTC),
    notes: tuple[str, ...] = (),
) -> PartEvidence:
    """What the gate is given for a part."""
    return PartEvidence(data, known_from, Precision.DAY, Basis.PUBLISHER, "vintage", comparison, notes)


def edited(data: PartData, edit: Callable[[list[Row]], list[Row]], **fields: Any) -> PartData:
    """The same part after somebody meddled with its rows."""
    return part_data(data.part, edit(data.observations.to_pylist()), data.series.to_pylist(), **fields)
