"""Good refreshes of small parts, one a provider, and what goes wrong with them in the tests.

Belongs here: the starting points of the mutation tests, and the hands that corrupt them. No assertions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from connectors.datasets import Dataset
from expectations import gate
from expectations.gate import Judgement
from tests.expectations.samples import Row, compared, dataset, evidence_of, observation, part_data, series_row
from warehouse.schema import PartData

YEARS = [str(year) for year in range(2000, 2024)]
CHECKS = {
    "minimum": -1000,
    "maximum": 10_000,
    "entities_required": ["CHN", "JPN"],
    "min_observations": 60,
    "contiguous": True,
}


@dataclass(frozen=True)
class Situation:
    """One refresh: a dataset, and its parts as they are, as they were, and as they were before that."""

    dataset: Dataset
    new: dict[str, PartData]
    old: dict[str, PartData]
    older: tuple[dict[str, PartData], ...] = ()
    stamp_notes: tuple[str, ...] = ()
    voided: str | None = None
    known_from: datetime = field(default=datetime(2024, 6, 1, 12, tzinfo=UTC))

    def judged(self) -> Judgement:
        """What the gate says of it."""
        parts = []
        for part, data in self.new.items():
            before = [one[part] for one in self.older]
            old = self.old.get(part)
            comparison = compared(old, data, before, self.dataset.part(part)) if old else None
            evidence = evidence_of(data, comparison, self.known_from, (*data.notes, *self.stamp_notes))
            parts.append(replace(evidence, voided=self.voided))
        return gate.judge(self.dataset, parts)


Mutation = Callable[[Situation], Situation]


def value(entity: str, year: str) -> float:
    """A plausible number: grows with the years, unevenly."""
    trend = (1 + ["CHN", "JPN", "KOR", "USA"].index(entity)) * 10 * 1.03 ** (int(year) - 2000)
    return round(trend + int(year) * 7 % 5 / 10, 4)


def part(part_id: str, years: list[str], unit: str, names: Callable[[str], str], **fields: Any) -> PartData:
    """A complete part of four economies."""
    entities = ("CHN", "JPN", "KOR", "USA")
    rows = [observation(names(entity), year, value(entity, year)) for entity in entities for year in years]
    return part_data(part_id, rows, [series_row(names(one), part_id, one, unit, **fields) for one in entities])


def worldbank() -> Situation:
    """A year is added and one figure slightly revised."""
    declared = dataset("worldbank.wdi", [{"id": "X.Y", "unit": "USD"}], checks=CHECKS)
    before = part("X.Y", YEARS[:-1], "USD", lambda one: f"{one}.X.Y")
    now = part("X.Y", YEARS, "USD", lambda one: f"{one}.X.Y")
    older = rows(lambda row: scaled(row, 0.99) if row["period"] == "2001" else row)(before)
    good = Situation(declared, {"X.Y": now}, {"X.Y": before}, ({"X.Y": older},))
    return changed(rows(lambda row: scaled(row, 1.01) if row["period"] == "2022" else row))(good)


def oecd() -> Situation:
    """A ratio and the amount in its numerator; both gain a year."""
    declared = dataset("oecd.sbrd", [{"id": "G_XGDP"}, {"id": "G_NC"}], checks=CHECKS)

    def both(years: list[str]) -> dict[str, PartData]:
        return {
            "G_XGDP": part("G_XGDP", years, "USD", lambda one: f"{one}.G_XGDP"),
            "G_NC": part("G_NC", years, "USD", lambda one: f"{one}.G_NC"),
        }

    return Situation(declared, both(YEARS), both(YEARS[:-1]))


def nbs() -> Situation:
    """A leaf read for the first time; its indicators state their own units."""
    declared = dataset("nbs.science_technology", [{"id": "overview", "unit": "as stated"}], checks={"contiguous": True})
    leaf = part("overview", YEARS, "万元", lambda one: f"{one}.000000000000")
    return Situation(declared, {"overview": leaf}, {})


def scaled(row: Row, factor: float) -> Row:
    """The row with another value, and that value's own text."""
    number = row["value"] * factor
    return row | {"value": number, "value_text": repr(number)}


def rows(edit: Callable[[Row], Row | None]) -> Callable[[PartData], PartData]:
    """Edit or drop every row."""

    def edited(data: PartData) -> PartData:
        kept = [row for row in map(edit, data.observations.to_pylist()) if row is not None]
        return replace(data, observations=part_data(data.part, kept, ()).observations)

    return edited


def more(*added: Row) -> Callable[[PartData], PartData]:
    """Add rows at the end."""

    def edited(data: PartData) -> PartData:
        return replace(
            data, observations=part_data(data.part, [*data.observations.to_pylist(), *added], ()).observations
        )

    return edited


def series(edit: Callable[[Row], Row | None]) -> Callable[[PartData], PartData]:
    """Edit or drop every description."""

    def edited(data: PartData) -> PartData:
        kept = [row for row in map(edit, data.series.to_pylist()) if row is not None]
        return replace(data, series=part_data(data.part, (), kept).series)

    return edited


def changed(*edits: Callable[[PartData], PartData], part_id: str | None = None) -> Mutation:
    """A situation whose new part (the first, unless named) went through these hands."""

    def mutate(situation: Situation) -> Situation:
        target = part_id or next(iter(situation.new))
        data = situation.new[target]
        for edit in edits:
            data = edit(data)
        return replace(situation, new=situation.new | {target: data})

    return mutate


def situation_with(situation: Situation, **checks: Any) -> Situation:
    """The same refresh under other thresholds of the dataset file."""
    declared = situation.dataset.model_copy(update={"checks": situation.dataset.checks.model_copy(update=checks)})
    return replace(situation, dataset=declared)
