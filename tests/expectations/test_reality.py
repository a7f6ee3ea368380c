"""Every real transition of the facts passes the gate or stands in acceptance.yaml, and no entry there is stale."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from connectors.datasets import Dataset, load
from connectors.sandbox import facts
from expectations import gate
from expectations.frames import WORLDBANK_AGGREGATES
from expectations.gate import Judgement
from tests.expectations.samples import Row, compared, evidence_of, observation, part_data, series_row
from warehouse.schema import PartData, PartEvidence, Severity

pytestmark = pytest.mark.slow

DATASETS = ("oecd.gerd", "oecd.patents", "oecd.pct_cooperation", "oecd.sbrd", "worldbank.wdi")
#: Vintages before the predecessor that the rollback rule may look at.
OLDER = 5


def series_key(dataset: Dataset, part: str, entity: str) -> str:
    if dataset.provider == "oecd":
        return dataset.part(part).key.replace("{entities}", entity)
    return f"{entity}.{part}"


def held(dataset: Dataset, part: str, vintage: facts.Vintage) -> PartData:
    """A vintage of the facts as the connector hands it over: what the dataset file asks for, no pseudo periods."""
    declared, entities = dataset.part(part), dataset.entities_of(part)
    cells = {
        place: cell
        for place, cell in facts.by_area(dataset.id, part, vintage.day).items()
        if place[0] in entities and dataset.start <= place[1] < "2999"
    }
    if dataset.provider == "worldbank":  # which answers with a row for every economy and year, empty or not
        years = sorted({year for (_, year), cell in cells.items() if cell.value})
        cells = {(entity, year): facts.Cell("") for entity in entities for year in years} | cells
    rows: list[Row] = []
    for (entity, period), cell in cells.items():
        value = float(cell.value) if cell.value else None
        flags = ";".join(flag for flag in cell.status if flag)
        rows.append(observation(series_key(dataset, part, entity), period, value, flags, cell.value or None))
    series = [
        series_row(
            series_key(dataset, part, entity),
            part,
            entity,
            declared.unit,
            multiplier=declared.multiplier,
            notes="aggregate of economies" if entity in WORLDBANK_AGGREGATES else None,
        )
        for entity in sorted({entity for entity, _ in cells})
    ]
    return part_data(part, rows, series)


def transitions(dataset: Dataset) -> dict[str, list[PartEvidence]]:
    """The parts that changed, by the day on which they became known, each compared with its predecessor."""
    batches: dict[str, list[PartEvidence]] = defaultdict(list)
    for part in facts.parts(dataset.id):
        before: list[PartData] = []
        for vintage in facts.vintages(dataset.id, part):
            data = held(dataset, part, vintage)
            comparison = (
                compared(before[-1], data, before[-2 : -2 - OLDER : -1], dataset.part(part)) if before else None
            )
            before.append(data)
            if comparison is None or comparison.material:
                batches[vintage.known_on].append(evidence_of(data, comparison, end_of(vintage, dataset)))
    return batches


def end_of(vintage: facts.Vintage, dataset: Dataset) -> datetime:
    zone = ZoneInfo(dataset.publisher_timezone)
    return datetime.combine(vintage.day, time(23, 59, 59), zone).astimezone(UTC)


@cache
def judged(dataset_id: str) -> dict[str, Judgement]:
    dataset = load(dataset_id)
    return {day: gate.judge(dataset, parts) for day, parts in sorted(transitions(dataset).items())}


@pytest.mark.parametrize(
    "dataset_id", [pytest.param(one, marks=getattr(pytest.mark, one.split(".")[0])) for one in DATASETS]
)
def test_every_real_transition_passes_or_is_accepted(dataset_id: str) -> None:
    judgements = judged(dataset_id)

    assert judgements
    assert [
        (day, result.part, result.rule, result.unexpected, result.observed)
        for day, judgement in judgements.items()
        for result in judgement.failed(Severity.CRITICAL)
    ] == []


def test_no_acceptance_entry_is_stale() -> None:
    fired = {
        (dataset_id, result.part, day, result.rule, result.unexpected, result.observed)
        for dataset_id in DATASETS
        for day, judgement in judged(dataset_id).items()
        for result in judgement.results
        if result.accepted
    }

    entries = [
        (entry.dataset, entry.part, entry.known_from, entry.rule, entry.unexpected, entry.observed)
        for entry in gate.acceptance_list()
    ]
    assert sorted(entries) == sorted(fired)


def test_every_acceptance_entry_gives_a_reason() -> None:
    assert [entry for entry in gate.acceptance_list() if not entry.reason.endswith(".")] == []


@pytest.mark.oecd
def test_the_rebasing_of_2025_is_told_as_a_revised_denominator() -> None:
    """China's and Korea's GDP were revised for all years, their R&D expenditure was not."""
    [told] = [
        result
        for result in judged("oecd.sbrd")["2025-04-03"].results
        if result.rule == "denominator-revised" and result.part == "G_XGDP"
    ]

    assert [example["entity"] for example in told.examples] == ["CHN", "KOR"]


@pytest.mark.parametrize(
    ("dataset_id", "share"),
    [
        pytest.param("oecd.sbrd", 0.3, marks=pytest.mark.oecd),
        pytest.param("worldbank.wdi", 1 / 3, marks=pytest.mark.worldbank),
    ],
)
def test_the_gate_is_not_crying_wolf(dataset_id: str, share: float) -> None:
    """A warning is worth reading only while most refreshes come without one."""
    batches = judged(dataset_id)
    warned = [day for day, judgement in batches.items() if judgement.failed(Severity.WARNING)]

    assert 0 < len(warned) <= share * len(batches), warned
