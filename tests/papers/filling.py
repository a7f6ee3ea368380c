"""A warehouse with the real vintages that the papers need, published without a provider's wire formats and without checks.

Belongs here: turning the sandbox's tables into parts and publishing them. Does not belong here: what the tests ask of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa

from connectors import datasets
from connectors.datasets import Dataset
from connectors.sandbox import facts
from connectors.sandbox.facts import Cells, Vintage
from flows.pipeline import facts_of
from warehouse import clock, files, publish, staging
from warehouse.publish import Closing
from warehouse.schema import PARSED, SERIES, Basis, Decision, PartData, Payload, Precision, Scope, Stamp
from warehouse.store import Warehouse

DATASETS = (
    "worldbank.wdi", "oecd.sbrd", "oecd.gerd", "oecd.patents", "oecd.pct_cooperation", "nbs.science_technology",
    "nbs.fdi_by_country",
)  # fmt: skip
CHINA = "000000000000"
#: How many vintages of a part are kept, the newest ones.
KEPT = 7


def fill(home: Path) -> Warehouse:
    """Publish the vintages of the facts: one batch for the first of all parts of a dataset, one for the second, ...

    Files are not forced to the disk: what a crash leaves of them is of no interest here.
    """
    warehouse = Warehouse(home, "sandbox")
    with patch.object(files, "fsync_path", lambda path: None):
        for name in DATASETS:
            dataset = datasets.load(name)
            vintages = [list(_published(dataset, part)) for part in facts.parts(name)]
            for number in range(max(map(len, vintages))):
                _publish(warehouse, dataset, [some[number] for some in vintages if number < len(some)])
        publish.flush(warehouse)
    return warehouse


def _publish(warehouse: Warehouse, dataset: Dataset, parts: list[PartData]) -> None:
    found = facts_of(dataset)
    with warehouse.lease(dataset.id):
        batch = publish.begin(warehouse, found, "test", None)
        staged = [staging.stage(warehouse, found, batch, data, judged=False) for data in parts]
        new = [item for item in staged if isinstance(item, staging.Staged)]
        confirmed = [item for item in staged if isinstance(item, staging.Confirmed)]
        payloads = [(data.part, payload) for data in parts for payload in data.payloads]
        for _, payload in payloads:
            warehouse.payloads.store(payload.content)
        publish.record_stage(warehouse, batch, new, confirmed, payloads, (), {})
        decision = Decision.PUBLISHED if new else Decision.UNCHANGED
        publish.close(warehouse, batch, Closing(decision, "test", "the facts"))


def _published(dataset: Dataset, part: str) -> Iterator[PartData]:
    """The vintages of a part, oldest first, as a connector would hand them over."""
    entry = next(one for one in dataset.parts if one.id == part)
    asked = {*dataset.entities, *entry.besides} if dataset.provider == "worldbank" else None
    states = {one: facts.state(dataset.id, part, one.day) for one in facts.vintages(dataset.id, part)}
    before: list[Cells] = [{}, *list(states.values())[:-1]]
    changed = [one for one, earlier in zip(states, before, strict=True) if states[one] != earlier]
    for vintage in changed[-KEPT:]:
        cells = states[vintage]
        kept = {key: cell for key, cell in cells.items() if asked is None or key[0] in asked}
        series = _series(dataset, part, {area for area, _ in kept})
        fetched = clock.end_of_day(vintage.day)
        content = f"{dataset.id}/{part}/{vintage.vintage}".encode()
        sha256 = hashlib.sha256(content).hexdigest()
        payload = Payload(sha256, content, "GET", "http://provider.invalid", None, 200, {}, fetched)
        yield PartData(part, _rows(dataset, part, kept), series, (payload,), _stamp(dataset, vintage), Scope(), sha256)


def _stamp(dataset: Dataset, vintage: Vintage) -> Stamp | None:
    """The publisher's own; where a carrier states a day, the reading is all that there is."""
    if not vintage.native:
        return None
    if vintage.known_from:
        return Stamp(vintage.instant, Precision.INSTANT, Basis.PUBLISHER, vintage.vintage)
    return clock.day_stamp(vintage.day, dataset.publisher_timezone, vintage.known_on)


def _key(dataset: Dataset, part: str, area: str) -> str:
    if dataset.provider == "worldbank":
        return f"{area}.{part}"
    if dataset.provider == "nbs":
        return f"{hashlib.sha256(area.encode()).hexdigest()[:32]}.{CHINA}"
    return area


def _rows(dataset: Dataset, part: str, cells: Cells) -> pa.Table:
    told = sorted((_key(dataset, part, area), period, cell) for (area, period), cell in cells.items())
    columns = {
        "series_key": [key for key, _, _ in told],
        "period": [period for _, period, _ in told],
        "period_start": [date(int(period), 1, 1) for _, period, _ in told],
        "value": [float(cell.value) if cell.value else None for _, _, cell in told],
        "value_text": [cell.value or None for _, _, cell in told],
        "status": [";".join(flag for flag in cell.status if flag and flag != "A") for _, _, cell in told],
    }
    return pa.table(columns, schema=PARSED)


def _series(dataset: Dataset, part: str, areas: set[str]) -> pa.Table:
    entry = next(one for one in dataset.parts if one.id == part)
    named = {one.name: one for one in facts.nbs_indicators(part)}
    lines = []
    for area in sorted(areas):
        indicator = named.get(area)
        lines.append(
            {
                "series_key": _key(dataset, part, area),
                "part": part,
                "label": area if indicator is not None else entry.label,
                "entity": CHINA if indicator is not None else _area(dataset, area),
                "dimensions": "{}",
                "unit": indicator.unit if indicator is not None else entry.unit,
                "multiplier": entry.multiplier,
                "decimals": None,
                "frequency": "A",
                "price_base": None,
                "reference_year": None,
                "notes": f"SANDBOX: {indicator.basis} {indicator.where}" if indicator is not None else None,
            }
        )
    table = pa.Table.from_pylist(lines, schema=SERIES)
    return table.sort_by("series_key")


def _area(dataset: Dataset, key: str) -> str:
    if dataset.provider != "oecd":
        return key
    return key.split(".")[list(dataset.dimensions).index(dataset.entity_dimension)]
