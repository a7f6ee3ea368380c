"""Each rule has a corruption of good data, and each corruption fires exactly the rules that stand beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import pytest

from expectations import suites
from tests.expectations.samples import Row, observation
from tests.expectations.situations import (
    Mutation,
    Situation,
    changed,
    more,
    nbs,
    oecd,
    rows,
    scaled,
    series,
    value,
    worldbank,
)
from warehouse.schema import PartData

CHINA = "CHN.X.Y"


class Case(NamedTuple):
    """A good situation, what happens to it, and the rules that must fail."""

    good: Callable[[], Situation]
    mutate: Mutation
    rules: set[str]


def times(factor: float, only: Callable[[Row], bool] = lambda row: True) -> Mutation:
    return changed(rows(lambda row: scaled(row, factor) if only(row) else row))


def without(condition: Callable[[Row], bool]) -> Mutation:
    return changed(rows(lambda row: None if condition(row) else row))


def of_china(row: Row) -> bool:
    return bool(row["series_key"].startswith("CHN"))


def shifted_by_a_year(row: Row) -> Row:
    year = int(row["period"]) + 1
    return row | {"period": str(year), "period_start": date(year, 1, 1)}


def renamed_column(data: PartData) -> PartData:
    return replace(data, observations=data.observations.rename_columns({"value": "amount"}))


def rolled_back(situation: Situation) -> Situation:
    return replace(situation, new=situation.older[0], old=situation.new)


def with_zeros(situation: Situation) -> Situation:
    """The predecessor had thirty zeros, which now are empty cells."""
    [old], [new] = situation.old.values(), situation.new.values()
    years = [str(year) for year in range(1970, 2000)]
    return replace(
        situation,
        old={"X.Y": more(*(observation(CHINA, year, 0.0) for year in years))(old)},
        new={"X.Y": more(*(observation(CHINA, year, None) for year in years))(new)},
    )


def noted(*notes: str) -> Mutation:
    return changed(lambda data: replace(data, notes=notes))


def revised_ratio(situation: Situation) -> Situation:
    return changed(rows(lambda row: scaled(row, 0.9 + int(row["period"]) / 1e5) if of_china(row) else row))(situation)


def revised_amount(situation: Situation) -> Situation:
    uneven = rows(lambda row: scaled(row, 1.06 + int(row["period"][2:]) / 1e3) if of_china(row) else row)
    return changed(uneven, part_id="G_NC")(situation)


def alone(part: str, situation: Situation) -> Situation:
    """The other parts did not change and are not handed in."""
    return replace(situation, new={part: situation.new[part]})


def zeros(condition: Callable[[Row], bool]) -> Mutation:
    return changed(rows(lambda row: row | {"value": 0.0, "value_text": "0"} if condition(row) else row))


def known_before() -> Situation:
    """The same leaf of the portal, read a second time."""
    return replace(nbs(), old=nbs().new)


def flagged_before() -> Situation:
    """Eight figures of the predecessor carry a flag, and none does now."""
    good = worldbank()
    flagged = rows(lambda row: row | {"status": "E"} if of_china(row) and row["period"] < "2008" else row)
    return replace(good, old={"X.Y": flagged(good.old["X.Y"])})


CASES = {
    "nothing wrong": Case(worldbank, lambda situation: situation, set()),
    "nothing wrong, ratio and amount": Case(oecd, lambda situation: situation, set()),
    "nothing wrong, first read": Case(nbs, lambda situation: situation, set()),
    "renamed column": Case(nbs, changed(renamed_column), {"columns-as-agreed"}),
    "empty batch": Case(
        worldbank,
        without(lambda row: True),
        {
            *("some-observations", "some-values", "enough-observations", "entities-required"),
            *("series-vanished", "share-withdrawn", "fewer-observations"),
        },
    ),
    "all null": Case(
        worldbank,
        changed(rows(lambda row: row | {"value": None, "value_text": None})),
        {
            *("some-values", "enough-observations", "entities-required"),
            *("series-vanished", "share-withdrawn", "fewer-observations"),
        },
    ),
    "series not described": Case(
        worldbank, changed(series(lambda row: None if row["entity"] == "USA" else row)), {"series-described"}
    ),
    "duplicate key": Case(
        worldbank, changed(more(observation("KOR.X.Y", "2010", value("KOR", "2010")))), {"key-unique"}
    ),
    "period of another frequency": Case(
        worldbank, changed(more(observation("KOR.X.Y", "2010-Q1", 30.0))), {"period-syntax"}
    ),
    "pseudo period": Case(
        worldbank, changed(more(observation("KOR.X.Y", "2999", 30.0))), {"period-beyond-release", "no-gaps"}
    ),
    "empty future period": Case(worldbank, changed(more(observation("KOR.X.Y", "2025", None))), {"empty-period-ahead"}),
    "flagged projection": Case(
        worldbank, changed(more(*(observation("KOR.X.Y", year, 62.0, "F") for year in ("2024", "2025")))), set()
    ),
    "not a number": Case(
        worldbank, changed(more(observation("KOR.X.Y", "1999", float("nan"), text="..."))), {"value-finite"}
    ),
    "infinite": Case(
        worldbank,
        changed(more(observation("KOR.X.Y", "1999", float("inf"), text="..."))),
        {"value-finite", "value-in-range"},
    ),
    "value is not its text": Case(
        worldbank, changed(more(observation("KOR.X.Y", "1999", 30.0, text="31.0"))), {"value-is-its-text"}
    ),
    "unknown flag": Case(worldbank, changed(more(observation("KOR.X.Y", "1999", 30.0, "A;?"))), {"status-known"}),
    "other unit": Case(
        worldbank, changed(series(lambda row: row | {"unit": "EUR"})), {"unit-as-declared", "meaning-redefined"}
    ),
    "reader's finding": Case(worldbank, noted("unknown columns, not read: FOO"), {"reader-findings"}),
    "skipped records": Case(
        worldbank, changed(lambda data: replace(data, skipped={"pseudo period 2999": 4})), {"nothing-skipped"}
    ),
    "aggregate not flagged": Case(
        worldbank,
        changed(series(lambda row: row | {"entity": "WLD"} if row["entity"] == "USA" else row)),
        {"worldbank-aggregates-flagged", "meaning-redefined"},
    ),
    "absurd decimals": Case(
        oecd, changed(series(lambda row: row | {"decimals": 99})), {"oecd-decimals-sane", "wording-redefined"}
    ),
    "unit conflict": Case(nbs, noted("unit conflict: 万元 in the name, 亿元 beside it"), {"nbs-unit-conflict"}),
    "year lost": Case(nbs, without(lambda row: row["period"] == "2018"), {"nbs-no-year-gap", "no-gaps"}),
    "two years blank in one series": Case(
        nbs, without(lambda row: of_china(row) and row["period"] in ("2010", "2018")), {"no-gaps"}
    ),
    "figure of a single year taken back": Case(
        known_before,
        without(lambda row: of_china(row) and row["period"] == "2018"),
        {"nbs-value-withdrawn", "gap-opened", "no-gaps", "fewer-observations"},
    ),
    "year taken back": Case(
        known_before,
        without(lambda row: row["period"] == "2018"),
        {"nbs-no-year-gap", "nbs-value-withdrawn", "gap-opened", "no-gaps", "fewer-observations"},
    ),
    "cumulative": Case(nbs, changed(series(lambda row: row | {"label": "产销率累计值"})), {"nbs-no-cumulative"}),
    "required economy missing": Case(
        worldbank,
        without(of_china),
        {"entities-required", "series-vanished", "share-withdrawn", "fewer-observations"},
    ),
    "other economy vanished": Case(
        worldbank,
        without(lambda row: row["series_key"] == "USA.X.Y"),
        {"series-vanished", "share-withdrawn", "fewer-observations"},
    ),
    "cut answer": Case(
        worldbank,
        without(lambda row: row["period"] > "2010"),
        {"enough-observations", "share-withdrawn", "fewer-observations", "last-period-receded"},
    ),
    "too large": Case(worldbank, changed(more(observation("KOR.X.Y", "1999", 1e6))), {"value-in-range"}),
    "negative": Case(worldbank, changed(more(observation("KOR.X.Y", "1999", -5.0))), {"not-negative"}),
    "hole in a series": Case(
        worldbank,
        without(lambda row: of_china(row) and row["period"] == "2010"),
        {"no-gaps", "gap-opened"},
    ),
    "times a thousand": Case(
        worldbank,
        times(1000),
        {
            *("scale-jump", "redefinition", "share-revised", "largest-revision", "series-rewritten"),
            *("value-in-range", "value-jumped", "share-jumped"),
        },
    ),
    "one series in 万": Case(
        worldbank,
        times(1e-4, of_china),
        {"scale-jump", "series-rewritten", "largest-revision", "value-jumped"},
    ),
    "swapped sign": Case(
        worldbank,
        times(-1, of_china),
        {"constant-ratio", "not-negative", "series-rewritten", "largest-revision"},
    ),
    "rebased": Case(worldbank, times(1.1, of_china), {"constant-ratio"}),
    "moved by a year": Case(
        worldbank,
        changed(rows(lambda row: shifted_by_a_year(row) if row["period"] < "2023" else None)),
        {"period-shifted", "share-revised"},
    ),
    "multiplier changed": Case(
        worldbank, changed(series(lambda row: row | {"multiplier": 6})), {"unit-as-declared", "meaning-redefined"}
    ),
    "renamed": Case(worldbank, changed(series(lambda row: row | {"label": "Naoero"})), {"wording-redefined"}),
    "newest year withdrawn": Case(
        worldbank, without(lambda row: of_china(row) and row["period"] > "2021"), {"last-period-receded"}
    ),
    "another definition": Case(
        worldbank,
        changed(rows(lambda row: scaled(row, 1.4 + int(row["period"]) % 7 / 100))),
        {"redefinition", "series-rewritten", "share-revised"},
    ),
    "one figure far off": Case(
        worldbank, times(5, lambda row: of_china(row) and row["period"] == "2010"), {"largest-revision"}
    ),
    "more than half revised": Case(worldbank, times(1.02, lambda row: row["period"] < "2015"), {"share-revised"}),
    "zeros become missing": Case(
        worldbank, with_zeros, {"zero-missing-flips", "share-withdrawn", "fewer-observations"}
    ),
    "old file served again": Case(worldbank, rolled_back, {"rollback", "fewer-observations", "last-period-receded"}),
    "stamp in the future": Case(
        worldbank, lambda situation: replace(situation, stamp_notes=("the stamp lies ahead",)), {"stamp-plausible"}
    ),
    "taken back before": Case(
        worldbank, lambda situation: replace(situation, voided="Ada took it back: wrong unit"), {"not-taken-back"}
    ),
    "GDP revised": Case(oecd, revised_ratio, {"denominator-revised"}),
    "GDP revised, amount not handed in": Case(
        oecd, lambda good: alone("G_XGDP", revised_ratio(good)), {"denominator-revised"}
    ),
    "amount revised": Case(oecd, revised_amount, {"amount-revised"}),
    "amount revised, ratio not handed in": Case(
        oecd, lambda good: alone("G_NC", revised_amount(good)), {"amount-revised"}
    ),
    "ratio and amount revised": Case(oecd, lambda good: revised_amount(revised_ratio(good)), {"amount-revised"}),
    "nearly half of the cells turn 0": Case(
        worldbank, zeros(lambda row: int(row["period"]) % 9 < 4), {"series-zeroed", "share-zeroed", "value-zeroed"}
    ),
    "one economy turns 0": Case(
        worldbank,
        zeros(lambda row: of_china(row) and "2005" < row["period"] < "2023"),
        {"series-zeroed", "share-zeroed", "value-zeroed"},
    ),
    "one figure turns 0": Case(
        worldbank, zeros(lambda row: of_china(row) and row["period"] == "2010"), {"share-zeroed", "value-zeroed"}
    ),
    "new year of zeros": Case(
        worldbank, zeros(lambda row: row["period"] == "2023"), {"share-added-zero", "value-added-zero"}
    ),
    "one new zero": Case(worldbank, zeros(lambda row: of_china(row) and row["period"] == "2023"), {"value-added-zero"}),
    "new year in millions": Case(
        worldbank, times(1e-6, lambda row: row["period"] == "2023"), {"share-jumped", "value-jumped"}
    ),
    "one new figure ten times smaller": Case(
        worldbank, times(0.05, lambda row: of_china(row) and row["period"] == "2023"), {"value-jumped"}
    ),
    "one figure far down": Case(
        worldbank, times(0.2, lambda row: of_china(row) and row["period"] == "2010"), {"largest-revision"}
    ),
    "flags lost": Case(flagged_before, lambda situation: situation, {"flags-vanished"}),
    "flags everywhere": Case(worldbank, changed(rows(lambda row: row | {"status": "E"})), {"share-status-changed"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_corruption_fires_exactly_its_rules(name: str) -> None:
    case = CASES[name]

    judgement = case.mutate(case.good()).judged()

    assert {result.rule for result in judgement.results if not result.success} == case.rules


def test_every_rule_has_a_corruption() -> None:
    assert set().union(*(case.rules for case in CASES.values())) == {rule.id for rule in suites.RULES}
