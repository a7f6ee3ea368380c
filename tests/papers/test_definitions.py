"""Every definition against a number computed by hand, and what holds of them for any numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.papers import made_up
from warehouse.papers import formulas
from warehouse.papers.formulas import UNDEFINED, FormulaError
from warehouse.papers.model import Definition, Formula, Measure
from warehouse.papers.results import Number
from warehouse.papers.vocabulary import FOLDER, Vocabulary, vocabulary

#: Two of ours, two of theirs, one that is neither, and the world.
LEVELS = {
    ("CHN", "2015"): 100, ("CHN", "2016"): 110, ("CHN", "2017"): 143,
    ("JPN", "2015"): 60, ("JPN", "2016"): 50, ("JPN", "2017"): 40,
    ("USA", "2015"): 120, ("USA", "2016"): 130, ("USA", "2017"): 90,
    ("GBR", "2015"): 20, ("GBR", "2016"): 30, ("GBR", "2017"): 10,
    ("BRA", "2015"): 80, ("BRA", "2016"): 80, ("BRA", "2017"): 90,
    ("WLD", "2015"): 500, ("WLD", "2016"): 520, ("WLD", "2017"): 530,
}  # fmt: skip
PAIRS = {
    ("CHN", "JPN", "2017"): 11, ("JPN", "CHN", "2017"): 13, ("CHN", "USA", "2017"): 7, ("CHN", "GBR", "2017"): 4,
    ("JPN", "USA", "2017"): 5, ("JPN", "GBR", "2017"): 1, ("USA", "GBR", "2017"): 3, ("GBR", "USA", "2017"): 2,
}  # fmt: skip
PERCENTS = {whose: value / 10 for whose, value in LEVELS.items()}
HALVES = {whose: value / 2 for whose, value in LEVELS.items()}
#: Inputs, by name or with their definition, that take the pairs; and those that take the halves.
PAIRED = {"pairs", "exports", "imports", ("partner-share", "part"), ("sum-of-partners", "x"), ("range-over-pairs", "x")}
HALVED = {"b", "c", "whole"}
#: Definition, its period, and the value for each economy (or economy and partner) and period; "" is the group.
BY_HAND: dict[str, tuple[str, dict[tuple[str, ...], float]]] = {
    "value": ("2017", {("CHN", "2017"): 143, ("JPN", "2017"): 40}),
    "growth": ("2016:2017", {("CHN", "2016"): 10, ("CHN", "2017"): 30, ("JPN", "2016"): -100 / 6, ("JPN", "2017"): -20}),
    "average-growth": ("2015:2017", {("CHN", "2015:2017"): 19.5826, ("JPN", "2015:2017"): -18.3503}),
    "change": ("2015:2017", {("CHN", "2015:2017"): 43, ("JPN", "2015:2017"): -100 / 3}),
    "rise": ("2015:2017", {("CHN", "2015:2017"): 43, ("JPN", "2015:2017"): -20}),
    "ratio-of-ends": ("2015:2017", {("CHN", "2015:2017"): 143, ("JPN", "2015:2017"): 200 / 3}),
    "sum-over-years": ("2015:2017", {("CHN", "2015:2017"): 353, ("JPN", "2015:2017"): 150}),
    "sum-of-two": ("2017", {("CHN", "2017"): 214.5, ("JPN", "2017"): 60}),
    "growth-of-two": ("2017", {("CHN", "2017"): 30, ("JPN", "2017"): -20}),
    "difference": ("2017", {("CHN", "2017"): 71.5, ("JPN", "2017"): 20}),
    "ratio": ("2017", {("CHN", "2017"): 2, ("JPN", "2017"): 2}),
    "per-head": ("2017", {("CHN", "2017"): 2, ("JPN", "2017"): 2}),
    "share": ("2017", {("CHN", "2017"): 200, ("JPN", "2017"): 200}),
    "share-over-years": ("2015:2017", {("CHN", "2015:2017"): 200, ("JPN", "2015:2017"): 200}),
    "rise-of-share": ("2015:2017", {("CHN", "2015:2017"): 0, ("JPN", "2015:2017"): 0}),
    "partner-share": ("2017", {("CHN", "2017"): 1100 / 71.5, ("JPN", "2017"): 30}),
    "share-of-parts": ("2017", {("CHN", "2017"): 400, ("JPN", "2017"): 400}),
    "sum-of-partners": ("2017", {("CHN", "2017"): 11, ("JPN", "2017"): 6}),
    "gap": ("2017", {("CHN", "USA", "2017"): 53, ("CHN", "GBR", "2017"): 133, ("JPN", "USA", "2017"): -50,
                     ("JPN", "GBR", "2017"): 30}),
    "lead": ("2016:2017", {("CHN", "2016"): -20, ("CHN", "2017"): 53, ("JPN", "2016"): -80, ("JPN", "2017"): -50}),
    "share-lead": ("2017", dict.fromkeys((
        ("CHN", "USA", "2017"), ("CHN", "GBR", "2017"), ("JPN", "USA", "2017"), ("JPN", "GBR", "2017")), 0)),
    "outgrows": ("2015:2017", {("CHN", "USA", "2015:2017"): 68, ("CHN", "GBR", "2015:2017"): 93,
                               ("JPN", "USA", "2015:2017"): -25 / 3, ("JPN", "GBR", "2015:2017"): 50 / 3}),
    "opposite-ways": ("2015:2017", {("CHN", "2015:2017"): 43, ("JPN", "2015:2017"): -20, ("USA", "2015:2017"): 30,
                                    ("GBR", "2015:2017"): 10}),
    "opposite-ways-of-two": ("2015:2017", {("CHN", "2015:2017"): 64.5, ("JPN", "2015:2017"): -30,
                                           ("USA", "2015:2017"): 45, ("GBR", "2015:2017"): 15}),
    "sum": ("2017", {("", "2017"): 183}),
    "balance": ("2017", {("", "2017"): 91.5}),
    "group-difference": ("2017", {("", "2017"): 83}),
    "share-of-world": ("2017", {("", "2017"): 18300 / 530}),
    "share-of-universe": ("2017", {("", "2017"): 18300 / 373}),
    "intra-regional": ("2017", {("", "2017"): 2400 / 183}),
    "intra-regional-both": ("2017", {("", "2017"): 4800 / 366}),
    "intra-regional-gap": ("2017", {("", "2017"): 2400 / 183 - 5}),
    "d-link-strength": ("2017", {("", "2017"): 24 / 183 / 0.05}),
    "range-over-pairs": ("2017", {("CHN", "JPN", "2017"): 11, ("JPN", "CHN", "2017"): 13}),
    "common-strength": ("2017", {("", "a", "2017"): 200, ("", "b", "2017"): 100, ("", "c", "2017"): 100}),
    "rank": ("2015:2017", {("CHN", "2015"): 2, ("CHN", "2016"): 2, ("CHN", "2017"): 1, ("JPN", "2015"): 4,
                           ("JPN", "2016"): 4, ("JPN", "2017"): 4}),
    "rank-of-two": ("2017", {("CHN", "2017"): 1, ("JPN", "2017"): 4}),
    "rank-of-sum": ("2015:2017", {("CHN", "2015:2017"): 1, ("JPN", "2015:2017"): 4}),
    "ranks-in-science": ("2017", {
        (entity, part, "2017"): place for entity, place in (("CHN", 1), ("JPN", 4))
        for part in ("expenditure", "patents", "papers")}),
    "everyone": ("2017", {("CHN", "2017"): 143, ("JPN", "2017"): 40, ("USA", "2017"): 90, ("GBR", "2017"): 10,
                          ("BRA", "2017"): 90}),
    "d-world-rd-share": ("2017", {("", "2017"): 100 * (143**2 + 40**2) / (143**2 + 40**2 + 90**2 + 10**2 + 90**2)}),
    "d-growth-contribution": ("2015:2017", {("", "2015:2017"): 100 * (10449 - 2000) / (10449 - 2000 - 6300 - 300 + 1700)}),
    "d-pct-openness": ("2017", {("CHN", "foreign-owned", "2017"): 14.3, ("CHN", "owned-abroad", "2017"): 14.3,
                                ("CHN", "co-invented", "2017"): 14.3, ("JPN", "foreign-owned", "2017"): 4,
                                ("JPN", "owned-abroad", "2017"): 4, ("JPN", "co-invented", "2017"): 4}),
}  # fmt: skip


def _inputs(
    words: Vocabulary, definition: Definition
) -> tuple[Vocabulary, dict[str, str], dict[str, Mapping[Any, float]]]:
    """Made-up measures for the inputs of a definition, and their numbers: by the input's name, or by its unit."""
    measures: dict[str, Measure] = {}
    numbers: dict[str, Mapping[Any, float]] = {}
    first = next(iter(definition.inputs.values())).unit
    for name, one in definition.inputs.items():
        if one.of is not None:
            continue
        asked = first if one.unit == "same" else one.unit
        paired = name in PAIRED or (definition.id, name) in PAIRED
        unit = "USD" if asked in ("any", "adds") else asked
        measures[name] = made_up.measure(f"m-{name}", unit, paired=paired, world="WLD")
        levels = HALVES if name in HALVED else PERCENTS if unit == "percent of applications" else LEVELS
        numbers[f"m-{name}"] = PAIRS if paired else levels
    known = {**words.measures, **{measure.id: measure for measure in measures.values()}}
    return replace(words, measures=known), {name: measure.id for name, measure in measures.items()}, numbers


@pytest.mark.parametrize("name", BY_HAND)
def test_it_gives_the_number_computed_by_hand(name: str) -> None:
    period, expected = BY_HAND[name]
    words, named, numbers = _inputs(vocabulary(), vocabulary().definitions[name])
    formula = Formula.model_validate(
        {"use": name, "with": named, "entities": ["CHN", "JPN"], "partners": ["USA", "GBR"], "period": period}
    )
    observations = made_up.held(words, numbers)
    answered = formulas.answer(observations, words, formula, None, made_up.newest(observations, named))
    found = {_whose(number): number.value for number in answered}
    assert found == pytest.approx(expected, abs=1e-4)


def _whose(number: Number) -> tuple[str, ...]:
    areas = (number.entity or "",) if number.partner is None else (number.entity or "", number.partner)
    return (*areas, number.period)


def test_no_formula_is_untried() -> None:
    alike = {one.sql for one in vocabulary().definitions.values() if one.id not in BY_HAND}
    assert alike <= {vocabulary().definitions[name].sql for name in BY_HAND}


def test_a_formula_stands_in_one_place() -> None:
    written = (FOLDER / "definitions.yaml").read_text()
    entries = YAML(typ="safe").load(written)["definitions"]
    sql = [one["sql"] for one in entries if "sql" in one]
    assert len(sql) == len(set(sql)) == len(entries) - sum("like" in one for one in entries)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.floats(1e-3, 1e9), min_size=3, max_size=3))
def test_shares_of_the_world_lie_between_0_and_100_and_add_up(parts: list[float]) -> None:
    words = replace(vocabulary(), measures={"x": made_up.measure("x", world="WLD")})
    economies = ("CHN", "JPN", "KOR")
    numbers: dict[Any, float] = {(entity, "2017"): part for entity, part in zip(economies, parts, strict=True)}
    observations = made_up.held(words, {"x": {**numbers, ("WLD", "2017"): math.fsum(parts)}})

    def share(*entities: str) -> float:
        formula = Formula.model_validate(
            {"use": "share-of-world", "with": {"x": "x"}, "entities": entities, "period": "2017"}
        )
        (number,) = formulas.answer(observations, words, formula, None, observations.states(["x"])[-1])
        assert number.value is not None
        return number.value

    each = [share(entity) for entity in economies]
    assert all(0 <= one <= 100.0001 for one in each)
    assert math.fsum(each) == pytest.approx(100) == share(*economies)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 6), min_size=4, max_size=4))
def test_a_rank_counts_the_greater_ones_and_tells_ties(values: list[int]) -> None:
    words = replace(vocabulary(), measures={"x": made_up.measure("x")})
    economies = ("CHN", "JPN", "KOR", "USA")
    whole = {(entity, "2017"): value for entity, value in zip(economies, values, strict=True)} | {("WLD", "2017"): 1000}
    observations = made_up.held(words, {"x": whole})
    formula = Formula.model_validate({"use": "rank", "with": {"x": "x"}, "entities": ["CHN"], "period": "2017"})
    (number,) = formulas.answer(observations, words, formula, None, observations.states(["x"])[-1])
    assert number.value == 1 + sum(value > values[0] for value in values)
    assert (number.ties, number.coverage) == (values.count(values[0]) - 1, (4, 4))


def test_a_rank_in_several_measures_tells_the_one_that_is_missing() -> None:
    names = {"expenditure": "r", "patents": "p", "papers": "a"}
    words = replace(vocabulary(), measures={name: made_up.measure(name) for name in names.values()})
    levels = {("CHN", "2016"): 2.0, ("USA", "2016"): 3.0, ("JPN", "2016"): 1.0}
    observations = made_up.held(words, {"r": levels, "p": levels, "a": {("USA", "2016"): 3.0}})
    formula = Formula.model_validate({"use": "ranks-in-science", "with": names, "entities": ["CHN"], "period": "2016"})
    found = formulas.answer(observations, words, formula, None, made_up.newest(observations, names))
    assert {number.partner: number.value for number in found} == {"expenditure": 2, "patents": 2, "papers": None}
    assert [number.partner for number in found if number.missing] == ["papers"]
    assert {number.coverage for number in found if number.value} == {(3, 1)}


def test_sql_that_does_not_run_or_lacks_its_columns_is_refused_with_its_name() -> None:
    words = vocabulary()
    state = {"x": {("CHN", "2017"): 1.0}}
    for sql, problem in (("select nothing from x", "nothing"), ("select entity, period from x", "not with value")):
        broken = words.definitions["value"].model_copy(update={"sql": sql})
        changed = replace(
            words, definitions={**words.definitions, "value": broken}, measures={"x": made_up.measure("x")}
        )
        observations = made_up.held(changed, state)
        formula = Formula.model_validate({"use": "value", "with": {"x": "x"}, "entities": ["CHN"], "period": "2017"})
        with pytest.raises(FormulaError, match=f"the formula of value.*{problem}.*Next: correct the sql of value"):
            formulas.answer(observations, changed, formula, None, observations.states(["x"])[-1])


def test_a_division_by_zero_has_no_value_and_says_so() -> None:
    words = replace(vocabulary(), measures={"x": made_up.measure("x")})
    observations = made_up.held(words, {"x": {("CHN", "2016"): 0.0, ("CHN", "2017"): 5.0}})
    formula = Formula.model_validate({"use": "growth", "with": {"x": "x"}, "entities": ["CHN"], "period": "2017"})
    (number,) = formulas.answer(observations, words, formula, None, observations.states(["x"])[-1])
    assert (number.value, number.missing) == (None, (UNDEFINED,))
