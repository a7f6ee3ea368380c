"""Checks of what is printed, and the misprints that would explain a failure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.errors import UsageError
from warehouse.papers.model import Check, Cutoff, Exhibit, Paper, Statement, Words
from warehouse.papers.verdicts import checks, corrections

WORDS = Words(en="words", zh="文字")
TABLE = {
    "papers": ["685528", "803463", "935439", "1102007", "1089964", "1599251"],
    "citations": ["3610501", "5095534", "6147148", "8180753", "8614382", "142499025"],
    "ratio": ["5.27", "6.34", "6.57", "7.42", "7.90", "8.91"],
}


class Book:
    """A paper with one table and some claims, found by id as in a catalogue."""

    def __init__(self, *claims: Mapping[str, object]) -> None:
        cells = [
            {"id": f"p-t1-{column}{row}", "row": str(row), "column": column, "printed": printed}
            for row in range(6)
            for column, numbers in TABLE.items()
            for printed in [numbers[row]]
        ]
        shared = {"period": "2015", "unit": "ratio", "sense": "equals"}
        table = {"id": "p-t1", "number": "1", "kind": "table", "title": "T", "quantitative": True, "each": shared}
        said = [{"says": "a number", "kind": "level", **shared, **claim} for claim in claims]
        self.paper = Paper(
            id="p",
            title=WORDS,
            year=2018,
            cutoff=Cutoff(earliest=date(2018, 1, 1), latest=date(2018, 12, 31), evidence=WORDS),
            exhibits=(Exhibit.model_validate({**table, "cells": cells}),),
            claims=tuple(Statement.model_validate(one) for one in said),
        )

    def statement(self, name: str, /) -> tuple[Paper, Statement]:
        return self.paper, next(one for one in self.paper.statements if one.id == name)


def ratio(row: int) -> Check:
    let = {"a": f"p-t1-papers{row}", "b": f"p-t1-citations{row}"}
    return check("arithmetic", let=let, expression="b / a", against=f"p-t1-ratio{row}", about=(let["b"],))


def check(kind: str, **fields: object) -> Check:
    return Check.model_validate({"id": "p-k1", "what": "checked", "kind": kind, **fields})


def test_a_ratio_of_printed_numbers_agrees_within_their_rounding() -> None:
    found = checks.run(Book(), Book().paper.model_copy(update={"checks": tuple(ratio(row) for row in range(6))}))
    assert [one.agrees for one in found] == [True, True, True, True, True, False]
    assert [one.computed for one in found][::5] == ["5.2667", "89.104"]
    assert [one.correction is None for one in found] == [True] * 5 + [False]
    assert found[-1].about == ("p-t1-citations5",)


def test_the_digit_printed_twice_is_the_correction_nearest_to_its_column() -> None:
    found = corrections.of(Book(), ratio(5))
    assert found is not None
    assert found.en.startswith("14,249,025 would fit instead of 142,499,025 (p-t1-citations5); ")
    assert found.zh.startswith("若 142,499,025 应为 14,249,025 则吻合")


def test_no_single_misprint_is_named_where_none_fits() -> None:
    far = Book({"id": "p-c1", "printed": "50"}, {"id": "p-c2", "printed": "9000"})
    assert corrections.of(far, check("arithmetic", let={"a": "p-c1"}, expression="a", against="p-c2")) is None


def test_a_misprint_is_looked_for_only_in_what_a_check_is_about_and_only_by_exact_figures() -> None:
    elsewhere = ratio(5).model_copy(update={"about": ("p-t1-papers5",)})
    found = corrections.of(Book(), elsewhere)
    assert found is not None
    assert "(p-t1-papers5)" in found.en
    vague = Book({"id": "p-c1", "printed": "50"}, {"id": "p-c2", "printed": "60", "sense": "about"})
    assert corrections.of(vague, check("arithmetic", let={"a": "p-c1"}, expression="a", against="p-c2")) is None
    assert corrections.of(vague, check("arithmetic", let={"a": "p-c1"}, expression="a")) is None


def test_rounding_and_hedges_are_allowed_for_on_both_sides() -> None:
    book = Book(
        {"id": "p-c1", "printed": "4.47"},
        {"id": "p-c2", "printed": "3.60"},
        {"id": "p-c3", "printed": "24.17"},
        {"id": "p-c4", "printed": "25.0"},
        {"id": "p-c5", "printed": "25", "sense": "about"},
        {"id": "p-c6", "printed": ["20", "24"], "sense": "between"},
        {"id": "p-c7", "printed": "24", "sense": "above"},
    )

    def against(one: str) -> bool | None:
        let = {"new": "p-c1", "old": "p-c2"}
        return checks.checked(book, check("arithmetic", let=let, expression="(new/old - 1) * 100", against=one)).agrees

    assert [against(f"p-c{place}") for place in (3, 4, 5, 6, 7)] == [True, False, True, True, True]


def test_without_a_printed_result_the_number_is_only_told() -> None:
    book = Book({"id": "p-c1", "printed": "26"}, {"id": "p-c2", "printed": None, "also_printed": "a lot"})
    told = checks.checked(book, check("arithmetic", let={"a": "p-c1"}, expression="a / 5"))
    assert (told.agrees, told.computed) == (None, "5.2")
    unprinted = check("arithmetic", let={"a": "p-c2"}, expression="a / 5", against="p-c1")
    assert checks.checked(book, unprinted).agrees is None
    zero = check("arithmetic", let={"a": "p-c1"}, expression="a / 0", against="p-c1")
    assert checks.checked(book, zero).agrees is None


def test_an_order_breaks_only_where_rounding_cannot_explain_it() -> None:
    book = Book(*({"id": f"p-c{place}", "printed": text} for place, text in enumerate(("50.9", "51", "50.8"))))
    rising = check("order", among=["p-c0", "p-c1"], way="rising", about=["p-c1"])
    falling = check("order", among=["p-c1", "p-c2"], way="falling")
    broken = check("order", among=["p-t1-papers3", "p-t1-papers4", "p-t1-papers5"], way="rising")
    found = [checks.checked(book, one) for one in (rising, falling, broken)]
    assert [(one.agrees, one.computed) for one in found] == [
        (True, ""),
        (True, ""),
        (False, "1102007 → 1089964"),
    ]


def test_two_sentences_that_print_different_numbers_contradict_each_other() -> None:
    book = Book(*({"id": f"p-c{place}", "printed": text} for place, text in enumerate(("32.0", "34.7", "32"))))
    different = checks.checked(book, check("same", among=["p-c0", "p-c1"]))
    assert (different.agrees, different.computed) == (False, "32.0 / 34.7")
    assert different.about == ("p-c0", "p-c1")
    assert checks.checked(book, check("same", among=["p-c0", "p-c2"])).agrees is True


def test_a_count_of_economies_and_a_remark() -> None:
    rows: list[Mapping[str, object]] = [
        {"id": f"p-c{place}", "printed": "1", "entities": [who]} for place, who in enumerate(("JPN", "CHN", "JPN"))
    ]
    book = Book(*rows, {"id": "p-c9", "printed": "3"})
    among = ["p-c0", "p-c1", "p-c2"]
    counted = checks.checked(book, check("count", among=among, of="JPN", against="p-c9"))
    assert (counted.agrees, counted.computed) == (False, "2")
    assert checks.checked(book, check("remark")).agrees is None


@pytest.mark.parametrize("expression", ["a +", "b * 2", "__import__('os')", "a if a else a", "max()", "a.b"])
def test_an_expression_that_cannot_be_meant_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match="cannot be computed") as caught:
        checks.calculate(expression, {"a": (Decimal(1), Decimal(2))})
    assert "let" in caught.value.next_step


numbers = st.decimals(-1000, 1000, allow_nan=False, places=2)


@given(
    numbers, numbers, numbers, st.sampled_from(["a + b * c", "a - b", "min(a, b) * c", "a * b - c", "-a + max(b, c)"])
)
def test_the_interval_contains_what_its_middle_gives(a: Decimal, b: Decimal, c: Decimal, expression: str) -> None:
    half = Decimal("0.005")
    wide = {name: (number - half, number + half) for name, number in zip("abc", (a, b, c), strict=True)}
    low, high = checks.calculate(expression, wide)
    middle, same = checks.calculate(expression, {name: ((ends[0] + ends[1]) / 2,) * 2 for name, ends in wide.items()})
    assert middle == same
    assert low <= middle <= high


@given(st.integers(10, 99999).map(str), st.data())
def test_every_single_slip_is_among_the_variants(meant: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(meant) - 1))
    digit = data.draw(st.sampled_from("0123456789"))
    slips = [
        meant[:place] + meant[place + 1 :],
        meant[:place] + digit + meant[place:],
        meant[:place] + digit + meant[place + 1 :],
        meant[:place] + meant[place : place + 2][::-1] + meant[place + 2 :],
    ]
    for printed in slips:
        assert meant == printed or meant in [found for found, _ in corrections.variants(printed)]
