"""Formulas over real and made-up observations: states, periods, units, and what is withheld because something is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.papers import made_up
from warehouse.errors import UsageError
from warehouse.papers import formulas
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.inputs import Held
from warehouse.papers.model import Formula
from warehouse.papers.results import Number
from warehouse.papers.vocabulary import vocabulary

WORDS = replace(
    vocabulary(),
    measures={"x": made_up.measure("x", world="WLD"), "pairs": made_up.measure("pairs", paired=True)},
)
THREE = {("CHN", "2016"): 1.0, ("JPN", "2016"): 2.0, ("KOR", "2016"): 4.0, ("CHN", "2017"): 1.0, ("JPN", "2017"): 2.0}


def formula(use: str, period: str = "2016:2017", **fields: Any) -> Formula:
    return Formula.model_validate({"use": use, "with": {"x": "x"}, "entities": ["CJK"], "period": period, **fields})


def ask(observations: Held, asked: Formula) -> list[Number]:
    state = observations.states(WORDS.measures_of(asked).values())[-1]
    return formulas.answer(observations, WORDS, asked, None, state)


@pytest.fixture(scope="module")
def three() -> Held:
    """Three economies, one of which has no second year."""
    return made_up.held(WORDS, {"x": THREE, "pairs": {("CHN", "JPN", "2016"): 1.0, ("JPN", "CHN", "2016"): 1.0}})


def test_a_group_with_a_gap_is_withheld_and_says_who_is_missing(three: Held) -> None:
    first, second = ask(three, formula("sum"))
    assert (first.period, first.value, first.missing) == ("2016", 7.0, ())
    assert (second.period, second.value, second.missing) == ("2017", None, ("KOR 2017",))


def test_an_economy_is_not_withheld_for_the_gap_of_another(three: Held) -> None:
    found = {(number.entity, number.period): (number.value, number.missing) for number in ask(three, formula("value"))}
    assert found["CHN", "2017"] == (1.0, ())
    assert found["KOR", "2017"] == (None, ("KOR 2017",))


def test_rows_that_only_the_formula_can_tell_come_in_one_order() -> None:
    observations = made_up.held(WORDS, {"x": {(area, "2016"): 1.0 for area in ("USA", "KOR", "DEU", "CHN")}})
    found = ask(observations, formula("everyone", "2016", entities=()))
    assert [number.entity for number in found] == ["CHN", "DEU", "KOR", "USA"]


def test_the_economy_without_a_value_among_those_that_are_ranked_is_named(three: Held) -> None:
    (number,) = ask(three, formula("rank", "2017", entities=("KOR",)))
    assert (number.value, number.missing) == (None, ("KOR 2017",))


def test_growth_wants_the_year_before_and_skips_none(three: Held) -> None:
    (number,) = ask(three, formula("growth", "2016", entities=("CHN",)))
    assert (number.value, number.missing) == (None, ("CHN 2015",))


def test_a_change_wants_its_ends_and_a_sum_all_its_years(three: Held) -> None:
    (change,) = ask(three, formula("change", "2016:2018", entities=("CHN",)))
    assert (change.period, change.missing) == ("2016:2018", ("CHN 2018",))
    (total,) = ask(three, formula("sum-over-years", "2015:2017", entities=("CHN",)))
    assert (total.value, total.missing) == (None, ("CHN 2015",))


def test_a_share_within_a_region_wants_every_ordered_pair(three: Held) -> None:
    asked = formula("intra-regional", "2016", **{"with": {"pairs": "pairs", "total": "x"}})
    (number,) = ask(three, asked)
    assert number.value is None
    assert set(number.missing) == {f"pairs {pair} 2016" for pair in ("CHN-KOR", "KOR-CHN", "JPN-KOR", "KOR-JPN")}
    (pair,) = ask(three, asked.model_copy(update={"entities": ("CHN", "JPN")}))
    assert pair.value == pytest.approx(200 / 3)


def test_the_world_is_no_economy_and_never_made_up(three: Held) -> None:
    (number,) = ask(three, formula("share-of-world", "2016"))
    assert (number.value, number.missing) == (None, ("WLD 2016",))


def test_an_economy_without_a_rank_has_none(three: Held) -> None:
    found = {number.entity: number.value for number in ask(three, formula("rank", "2017"))}
    assert found == {"CHN": 2, "JPN": 1, "KOR": None}


@pytest.mark.parametrize(
    ("first", "last", "between"),
    [
        ("2016", "2018", ("2016", "2017", "2018")),
        ("2017-Q3", "2018-Q2", ("2017-Q3", "2017-Q4", "2018-Q1", "2018-Q2")),
        ("2017-11", "2018-02", ("2017-11", "2017-12", "2018-01", "2018-02")),
    ],
)
def test_periods_between_are_of_one_frequency(first: str, last: str, between: tuple[str, ...]) -> None:
    assert formulas.periods_between(first, last) == between


def test_a_quarter_is_no_answer_to_a_question_about_a_year() -> None:
    observations = made_up.held(WORDS, {"x": {("CHN", "2017-Q1"): 1.0, ("CHN", "2017"): 5.0}})
    assert [number.value for number in ask(observations, formula("value", "2017", entities=("CHN",)))] == [5.0]


def test_a_period_that_is_none_is_refused(three: Held) -> None:
    with pytest.raises(UsageError, match=r"'c\. 2017' is not a period"):
        ask(three, formula("value", "c. 2017"))


def test_names_with_quotes_reach_the_question_as_they_are(three: Held) -> None:
    (number,) = ask(three, formula("value", "2016", entities=("CH'N",)))
    assert number.missing == ("CH'N 2016",)


def test_states_asked_together_answer_as_each_alone(papers: Catalogue, held: Held) -> None:
    for use in ("rank", "growth", "share-of-world"):
        asked = Formula.model_validate(
            {"use": use, "with": {"x": "wdi-articles"}, "entities": ["CHN"], "period": "2010:2016"}
        )
        for state in held.states(["wdi-articles"]):
            alone = replace(held, kept={("states", ("wdi-articles",)): [state]})
            together = formulas.answer(held, papers, asked, None, state)
            assert together == formulas.answer(alone, papers, asked, None, state)
            assert any(number.value is not None for number in together) or state.known_from < "2014"


def test_the_known_truths_come_out(papers: Catalogue, held: Held) -> None:
    def values(use: str, measure: str, entity: str, period: str) -> dict[str, float | None]:
        asked = Formula.model_validate({"use": use, "with": {"x": measure}, "entities": [entity], "period": period})
        states = held.states([measure])
        return {one.day: formulas.answer(held, papers, asked, None, one)[0].value for one in states}

    intensity = values("value", "wdi-gerd-gdp", "KOR", "2017")
    assert [round(intensity[day] or 0, 2) for day in ("2021-09-15", "2025-07-01", "2026-07-13")] == [4.55, 4.29, 4.07]
    receipts = values("sum", "wdi-ip-receipts", "CJK", "2017")
    assert [round((receipts[day] or 0) / 1e8, 1) for day in ("2018-09-30", "2021-09-15")] == [536.6, 538.1]
    assert values("share-of-world", "wdi-articles", "CJK", "2018")["2021-09-15"] == pytest.approx(27.1, abs=0.05)
    assert values("growth", "wdi-ip-payments", "CHN", "2019")["2021-09-15"] == pytest.approx(-4, abs=0.5)


def test_a_rank_is_among_all_economies_and_tells_how_many(papers: Catalogue, held: Held) -> None:
    asked = Formula.model_validate(
        {"use": "rank", "with": {"x": "wdi-ageing"}, "entities": ["JPN", "MCO"], "period": "2022"}
    )
    japan, monaco = formulas.answer(held, papers, asked, None, held.states(["wdi-ageing"])[-1])
    assert (monaco.value, japan.value) == (1, 2)
    assert japan.coverage is not None
    assert japan.coverage[0] == japan.coverage[1] > 200
    assert japan.margin is not None
    assert 0 < japan.margin < 0.3


def test_an_answer_names_the_observations_that_it_rests_on(papers: Catalogue, held: Held) -> None:
    asked = Formula.model_validate(
        {"use": "sum", "with": {"x": "wdi-ip-receipts"}, "entities": ["CJK"], "period": "2017"}
    )
    state = held.states(["wdi-ip-receipts"])[-1]
    (number,) = formulas.answer(held, papers, asked, None, state)
    cells = formulas.cells(held, papers, asked, None, state)
    assert [cell.series_key for cell in cells] == [f"{entity}.BX.GSR.ROYL.CD" for entity in ("CHN", "JPN", "KOR")]
    assert {cell.vintage for cell in cells} == set(state.vintages.values())
    assert sum(cell.value or 0 for cell in cells) == number.value
