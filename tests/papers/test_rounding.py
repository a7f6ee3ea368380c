"""What a printed number allows, number by number and as properties."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.papers.model import Expect, Statement, Words
from warehouse.papers.verdicts.rounding import Allowed, cut_off, decimal, expected, rounded, unit_of


def allowed(sense: str, printed: str | tuple[str, str] | None, **others: object) -> Allowed:
    found = expected(statement(sense, printed, **others))
    assert found is not None
    return found


def statement(sense: str, printed: str | tuple[str, str] | None, **others: object) -> Statement:
    fields = {"id": "p-c1", "says": "a number", "kind": "level", "period": "2017", "unit": "percent", **others}
    return Statement.model_validate({**fields, "sense": sense, "printed": printed})


@pytest.mark.parametrize(
    ("sense", "printed", "inside", "outside"),
    [
        ("equals", "4.6", [4.55, 4.553, 4.6, 4.65], [4.5499, 4.651]),
        ("equals", "-4", [-3.95, -4.5, -3.5], [-3.49, -4.51, 4]),
        ("equals", "2.50", [2.495, 2.505], [2.494, 2.506]),
        ("equals", "1101864", [1101864], [1101863, 1101865]),
        ("equals", "0.3", [0.1 + 0.2, 0.25], [0.2499]),
        ("about", "50", [47.5, 52.5], [47.4, 52.6]),
        ("about", "5", [4.5, 5.5], [4.4, 5.6]),
        ("about", "-20", [-21, -19], [-21.1, -18.9]),
        ("near", "30", [27, 29.999], [26.9, 30]),
        ("near", "-10", [-9, -9.99], [-10, -8.9]),
        ("short of", "30", [27, 29.999], [26.9, 30]),
        ("above", "40", [40.001, 1e9], [40, 39]),
        ("at least", "15", [15, 17.6], [14.999]),
        ("more than", "40", [41, 49.9], [40, 50]),
        ("more than", "100", [101, 199], [100, 200]),
        ("below", "10", [9.99, -5], [10]),
        ("at most", "2", [2, 1], [2.001]),
        ("rank", "2", [2], [1, 3, 2.5]),
        ("between", ("0.41", "0.62"), [0.405, 0.5, 0.625], [0.404, 0.626]),
        ("between", ("-20", "-10"), [-20.5, -9.5], [-21, -9.4]),
        ("direction", None, [0.001], [0, -1]),
    ],
)
def test_a_printed_number_allows_just_this(
    sense: str, printed: str | tuple[str, str] | None, inside: list[float], outside: list[float]
) -> None:
    span = allowed(sense, printed)
    assert [span.holds(value) for value in inside] == [True] * len(inside)
    assert [span.holds(value) for value in outside] == [False] * len(outside)
    assert all(span.margin(value) == 0 for value in inside)


def test_a_range_with_a_vague_word_has_wider_ends() -> None:
    assert allowed("between", ("10", "15"), hedge="大约").holds(15.7)
    assert not allowed("between", ("10", "15"), hedge="平均").holds(15.7)


def test_a_difference_of_rounded_numbers_may_be_off_by_a_unit() -> None:
    assert not allowed("equals", "66.7").holds(66.8)
    assert allowed("equals", "66.7", kind="difference").holds(66.8)
    assert allowed("equals", "6.2", unit="percentage points").holds(6.1)
    assert not allowed("equals", "6.2", unit="percentage points").holds(6.09)


def test_scale_and_unit_multiply_the_interval() -> None:
    receipts = statement("equals", "537.9", scale=8)
    span = expected(receipts)
    assert span is not None
    assert (span.low, span.high) == (Decimal("53785000000"), Decimal("53795000000"))
    assert span.margin(53_810_000_000) == 15_000_000
    million = expected(receipts, factor=Decimal("1e-6"))
    assert million is not None
    assert million.holds(53790)


def test_a_reading_may_ask_for_another_number_and_says_so_in_its_rule() -> None:
    span = expected(statement("equals", "4.6"), Expect(sense="above", printed="15"))
    assert span is not None
    assert (span.rule.en, span.rule.zh) == ("is above 15", "大于 15")
    assert allowed("equals", "4.6").rule == Words(en="rounds to 4.6", zh="四舍五入为 4.6")


def test_nothing_is_allowed_where_nothing_is_said() -> None:
    assert expected(statement("event", None)) is None
    assert expected(statement("rank", None)) is None


def test_cut_off_digits_are_another_rule_than_rounding() -> None:
    cut = cut_off(statement("equals", "8.9"))
    assert cut is not None
    assert cut.holds(8.99)
    assert not cut.holds(9)
    assert not cut.holds(8.89)
    negative = cut_off(statement("equals", "-8.9"))
    assert negative is not None
    assert negative.holds(-8.99)
    assert not negative.holds(-8.8)
    assert cut_off(statement("about", "8.9")) is None


printed_numbers = st.decimals(-(10**9), 10**9, allow_nan=False, places=3).map(lambda number: f"{number:f}")
values = st.floats(-1e9, 1e9, allow_nan=False)


@given(printed_numbers)
def test_a_number_is_its_own_rounding_and_cutting(printed: str) -> None:
    cut = cut_off(statement("equals", printed))
    assert cut is not None
    assert rounded(printed).holds(float(printed))
    assert cut.holds(float(printed))


@given(values, st.integers(0, 4))
def test_whatever_is_printed_by_rounding_allows_its_value(value: float, digits: int) -> None:
    printed = f"{decimal(value):.{digits}f}"
    assert rounded(printed).holds(value)


@given(printed_numbers, values)
def test_the_margin_is_zero_exactly_inside_closed_ends(printed: str, value: float) -> None:
    span = rounded(printed)
    assert (span.margin(value) == 0) == span.holds(value)


@given(printed_numbers.filter(lambda printed: float(printed) != 0), values)
def test_hedges_mirror_with_the_sign(printed: str, value: float) -> None:
    mirrored = f"{-Decimal(printed):f}"
    for sense in ("equals", "about", "near", "more than"):
        assert allowed(sense, printed).holds(value) == allowed(sense, mirrored).holds(-value)


@given(printed_numbers)
def test_the_unit_is_that_of_the_last_digit(printed: str) -> None:
    assert unit_of(printed) == Decimal("0.001")
    assert unit_of(printed.partition(".")[0]) == 1
