"""Equality, kinds and weights of change."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.makers import Cells, rows, series
from warehouse.compare import Equality, compare, tally
from warehouse.errors import UsageError
from warehouse.schema import CHANGES, EVIDENCE, Comparison

A = ("CHN.X", "2017")
B = ("CHN.X", "2018")


def compared(
    old: Cells, new: Cells, equality: Equality | None = None, older: list[pa.Table] | None = None, **columns: Any
) -> Comparison:
    return compare(
        "before", rows(old), series(old), rows(new), series(new, **columns), equality or Equality(), older or []
    )


def kinds(comparison: Comparison) -> list[tuple[str, str]]:
    return [(row["kind"], row["weight"]) for row in comparison.changes.to_pylist()]


@pytest.mark.parametrize(
    ("old", "new", "equality", "expected"),
    [
        (3.128822192, 3.128822181, Equality(), [("revision", "noise")]),
        (4.553, 4.292, Equality(), [("revision", "visible")]),
        (1_000_000.0, 1_000_001.0, Equality(counts=True), [("revision", "visible")]),
        (1_000_000.0, 1_000_000.5, Equality(), [("revision", "noise")]),
        (3159.6, 3159.60, Equality(decimals=1), []),
        (3159.6, 3159.64, Equality(decimals=1), [("revision", "noise")]),
        (3159.6, 3159.7, Equality(decimals=1), [("revision", "visible")]),
        (100.0, 101.0, Equality(equal_within=0.05), [("revision", "noise")]),
        (0.0, 1e-9, Equality(), [("revision", "visible")]),
        (1.0, None, Equality(), [("withdrawal", "visible")]),
        (None, 1.0, Equality(), [("coverage", "visible")]),
        (None, None, Equality(), []),
        (0.0, None, Equality(), [("withdrawal", "visible")]),
    ],
)
def test_equal_means_what_the_rules_say(
    old: float | None, new: float | None, equality: Equality, expected: list[tuple[str, str]]
) -> None:
    assert kinds(compared({A: old}, {A: new}, equality)) == expected


def test_downloads_with_six_and_fifteen_digits_are_the_same_number() -> None:
    assert kinds(compared({A: (3.12882, "", "3.12882")}, {A: (3.12882219, "", "3.12882219")})) == [
        ("revision", "noise")
    ]
    assert kinds(compared({A: (3.1, "", "3.1")}, {A: (3.12882219, "", "3.12882219")})) == [("revision", "visible")]


def test_flags_alone_are_a_change_and_absent_equals_normal() -> None:
    assert kinds(compared({A: (1.0, "")}, {A: (1.0, "A")})) == []
    assert kinds(compared({A: (1.0, "")}, {A: (1.0, "P")})) == [("status change", "visible")]
    assert kinds(compared({A: (None, "")}, {A: (None, "C")})) == [("status change", "visible")]


def test_below_display_is_told_from_visible_by_the_published_digits() -> None:
    assert kinds(compared({A: 5.41}, {A: 5.44}, decimals=1)) == [("revision", "below display")]
    assert kinds(compared({A: 5.41}, {A: 5.54}, decimals=1)) == [("revision", "visible")]


def test_a_new_period_a_new_series_and_a_value_that_comes_back_are_different_things() -> None:
    old: Cells = {A: 1.0}
    assert kinds(compared(old, {A: 1.0, B: 2.0})) == [("first value", "visible")]
    assert kinds(compared(old, {A: 1.0, ("JPN.X", "2017"): 2.0})) == [("coverage", "visible")]
    assert kinds(compared(old, {A: 1.0, B: 2.0}, older=[rows({B: 9.0})])) == [("reinstatement", "visible")]


def test_evidence_counts_every_series_of_either_side() -> None:
    old: Cells = {A: 2.0, B: 4.0, ("JPN.X", "2017"): 0.0}
    new: Cells = {A: 2000.0, B: 4000.0, ("KOR.X", "2019"): 1.0}
    comparison = compared(old, new)
    assert comparison.changes.schema == CHANGES
    assert comparison.evidence.schema == EVIDENCE
    china, japan, korea = comparison.evidence.to_pylist()
    assert (china["revised_n"], china["common_n"], china["ratio_min"], china["ratio_max"]) == (2, 2, 1000.0, 1000.0)
    assert (china["max_rel_change"], china["old_last_period"], china["new_last_period"]) == (999.0, "2018", "2018")
    assert (japan["withdrawn_n"], japan["zero_flips_n"], japan["new_n"]) == (1, 1, 0)
    assert (china["zeroed_n"], china["added_zero_n"], japan["zeroed_n"]) == (0, 0, 0)
    assert (korea["added_n"], korea["old_n"], korea["new_last_period"]) == (1, 0, "2019")


def test_values_that_became_zero_and_new_values_of_another_size_are_counted() -> None:
    [china] = compared(
        {A: 2.0, B: 4.0}, {A: 2.0, B: 0.0, ("CHN.X", "2019"): 0.0, ("CHN.X", "2020"): 400.0}
    ).evidence.to_pylist()
    assert (china["zeroed_n"], china["added_zero_n"], round(china["added_jump"], 6)) == (1, 1, 2.0)


def test_kinds_of_absence_are_told_apart() -> None:
    assert kinds(compared({A: (None, "", "")}, {A: (None, "", "NaN")})) == [("status change", "visible")]
    assert kinds(compared({}, {A: (None, "", None)})) == []


def test_a_rollback_shows_in_the_counts_of_equal_cells() -> None:
    comparison = compared({A: 2.0, B: 4.0}, {A: 1.0, B: 3.0}, older=[rows({A: 1.0, B: 3.0}), rows({A: 1.0, B: 9.0})])
    assert (comparison.predecessor_equal, comparison.older_equal) == (0, (2, 1))


def test_a_redefinition_names_the_columns_and_is_material() -> None:
    comparison = compared({A: 1.0}, {A: 1.0}, unit="persons", label="Other")
    assert comparison.redefined == {"CHN.X": ["label", "unit"]}
    assert comparison.material


def test_noise_alone_is_not_material() -> None:
    assert not compared({A: 1.0}, {A: 1.0 + 1e-8}).material


def years(values: list[float], key: str = "CHN.X", status: str = "") -> dict[tuple[str, str], tuple[float, str]]:
    return {(key, str(2010 + number)): (value, status) for number, value in enumerate(values)}


def test_one_factor_over_a_whole_series_is_a_rebasing_and_what_else_moved_a_revision() -> None:
    lev = [float(100 + number) for number in range(20)]
    euro = [value / 1.95583 for value in lev]
    assert kinds(compared(years(lev), years(euro))) == [("rebasing", "visible")] * 20
    euro[7] *= 1.02
    assert kinds(compared(years(lev), years(euro))).count(("revision", "visible")) == 1
    assert set(kinds(compared(years(lev[:4]), years(euro[:4])))) == {("revision", "visible")}
    half = [value * (1.1 if number % 2 else 1) for number, value in enumerate(lev)]
    assert set(kinds(compared(years(lev), years(half)))) == {("revision", "visible")}


def test_a_new_reference_year_makes_changed_cells_rebasings() -> None:
    comparison = compared({A: 1.0, B: 2.0}, {A: 1.1, B: 2.3}, reference_year="2020")
    assert kinds(comparison) == [("rebasing", "visible")] * 2
    [row] = comparison.redefinitions.to_pylist()
    assert row == {"series_key": "CHN.X", "column": "reference_year", "old": None, "new": "2020", "replaces": None}


def test_changed_cells_of_a_redefined_series_are_redefinitions_but_a_new_wording_redefines_nothing() -> None:
    assert kinds(compared({A: 1.0, B: 2.0}, {A: 9.0, B: 2.0}, unit="persons")) == [("redefinition", "visible")]
    assert kinds(compared({A: 1.0, B: 2.0}, {A: 9.0, B: 2.0}, label="Türkiye")) == [("revision", "visible")]


def roles(role: str) -> dict[str, Any]:
    return {"dimensions": json.dumps({"REF_AREA": "CHN", "AGENT_ROLE": role})}


def test_a_series_that_took_anothers_place_redefines_it() -> None:
    old, new = {("CHN.APPLICANT", "2017"): 5.0}, {("CHN.INVENTOR", "2017"): 7.0}
    made = compare(
        "before", rows(old), series(old, **roles("APPLICANT")), rows(new), series(new, **roles("INVENTOR")), Equality()
    )
    assert kinds(made) == [("redefinition", "visible")] * 2
    [row] = made.redefinitions.to_pylist()
    assert (row["column"], row["old"], row["new"]) == ("AGENT_ROLE", "APPLICANT", "INVENTOR")
    assert (row["series_key"], row["replaces"]) == ("CHN.INVENTOR", "CHN.APPLICANT")
    assert made.redefined == {"CHN.INVENTOR": ["dimensions"]}


def test_two_candidates_for_a_place_are_none() -> None:
    old, one, two = {("CHN.A", "2017"): 5.0}, {("CHN.B", "2017"): 7.0}, {("CHN.C", "2017"): 7.0}
    both = pa.concat_tables([series(one, **roles("B")), series(two, **roles("C"))])
    made = compare("before", rows(old), series(old, **roles("A")), rows(one | two), both, Equality())
    assert kinds(made) == [("withdrawal", "visible"), ("coverage", "visible"), ("coverage", "visible")]
    assert made.redefinitions.num_rows == 0


def test_a_part_of_which_nearly_every_value_moved_far_was_redefined() -> None:
    old = years([100.0 + number for number in range(11)]) | years([50.0 + number for number in range(9)], "JPN.X")
    far: Cells = {cell: (value[0] * (1.3 + number % 7 / 10), "B") for number, (cell, value) in enumerate(old.items())}
    made = compared(old, {**far, list(old)[-1]: None, ("CHN.X", "2030"): 5.0})
    assert kinds(made).count(("redefinition", "visible")) == 19
    assert {kind for kind, _ in kinds(made)} == {"redefinition", "withdrawal", "first value"}
    assert made.rewritten == "19 of 19 common values of the part revised, half of them by more than 60%"
    assert made.redefined == {}
    for less in (
        {**far, **{cell: old[cell] for cell in list(old)[:2]}},  # nine tenths, not more
        {cell: (value[0] * (1.1 + number % 7 / 100), "") for number, (cell, value) in enumerate(old.items())},
    ):
        made = compared(old, less)
        assert (made.rewritten, "redefinition" in dict(kinds(made))) == ("", False)
    few = dict(list(old.items())[:9])
    assert compared(few, {cell: far[cell] for cell in few}).rewritten == ""


def test_a_new_currency_of_all_series_is_no_redefinition_and_neither_is_it_counted() -> None:
    old = years([100.0 + number for number in range(20)])
    rebased = years([(100.0 + number) / 1.95583 for number in range(20)])
    other = years([50.0] * 12, "JPN.X")
    moved = years([50.0 * (2 + number % 3) for number in range(12)], "JPN.X")
    assert set(kinds(compared(old, rebased))) == {("rebasing", "visible")}
    made = compared(old | other, rebased | moved)
    assert kinds(made) == [("rebasing", "visible")] * 20 + [("redefinition", "visible")] * 12
    assert made.rewritten.startswith("12 of 12 ")


def test_a_new_break_flag_is_a_break_with_or_without_a_new_value() -> None:
    assert kinds(compared({A: (1.0, "P")}, {A: (2.0, "B;E")})) == [("break", "visible")]
    assert kinds(compared({A: (1.0, "")}, {A: (1.0, "B")})) == [("break", "visible")]
    assert kinds(compared({A: (1.0, "B")}, {A: (2.0, "B")})) == [("revision", "visible")]
    assert kinds(compared({A: 1.0}, {A: 1.0, B: (2.0, "B")})) == [("first value", "visible")]


def test_what_we_read_anew_is_a_correction_of_ours_whatever_it_looks_like() -> None:
    old: Cells = {A: 1.0, B: 2.0}
    new: Cells = {A: 1.5, ("CHN.X", "2019"): 4.0}
    made = compare("before", rows(old), series(old), rows(new), series(new), Equality(), ours=True)
    assert kinds(made) == [("correction of ours", "visible")] * 3


def test_a_change_of_a_printed_number_weighs_most() -> None:
    old: Cells = {A: 4.553, B: 4.516, ("CHN.X", "2019"): 1234.5, ("CHN.X", "2020"): 3.0}
    new: Cells = {A: 4.546, B: 4.535, ("CHN.X", "2019"): 1240.0, ("CHN.X", "2020"): None}
    printed = {A: "4.55", B: "4.52", ("CHN.X", "2019"): "1,234", ("CHN.X", "2020"): "3", ("JPN.X", "2017"): "1"}
    made = compare("before", rows(old), series(old), rows(new), series(new), Equality(), printed=printed)
    heavy = "changes a printed cell"
    assert [row["weight"] for row in made.changes.to_pylist()] == ["visible", heavy, heavy, heavy]
    with pytest.raises(UsageError, match="no number"):
        compare("before", rows(old), series(old), rows(new), series(new), Equality(), printed={A: "about 4"})


VALUES = st.sampled_from([None, 0.0, 1.0, 1.0 + 1e-8, 1.02, 1000.0, 1000.0004, 123.456, 123.4561, -2.0])
CELL = st.tuples(VALUES, st.sampled_from(["", "A", "B", "E;P"]))
STATE = st.dictionaries(st.tuples(st.sampled_from(["CHN.X", "KOR.X"]), st.sampled_from(["2016", "2017", "2018"])), CELL)
EQUALITIES = st.sampled_from([Equality(), Equality(counts=True), Equality(decimals=1), Equality(equal_within=0.05)])


@settings(deadline=None)
@given(STATE, STATE, EQUALITIES)
def test_the_quick_tally_is_the_comparison_counted(old: Cells, new: Cells, equality: Equality) -> None:
    counted = tally(rows(old), series(old), rows(new), series(new), equality)
    made = compare("before", rows(old), series(old), rows(new), series(new), equality)
    names = ("revised", "added", "withdrawn", "status_changed")
    assert [getattr(counted, name) for name in names] == [
        sum(made.evidence.column(f"{name}_n").to_pylist()) for name in names
    ]
    assert (counted.material, counted.equal) == (made.material, made.predecessor_equal)


def test_comparisons_of_other_threads_and_processes_do_not_mix() -> None:
    """Each thread has its own connection, and a child makes its own."""
    states = [({A: float(number)}, {A: float(number + 1)}) for number in range(1, 9)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda state: compared(*state).changes.to_pylist()[0]["new_value"], states))
    assert found == [float(number + 1) for number in range(1, 9)]
    assert kinds(compared({A: 1.0}, {A: 2.0})) == [("revision", "visible")]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as children:
        assert children.submit(_kinds_in_a_child).result(timeout=60) == [("revision", "visible")]


def _kinds_in_a_child() -> list[tuple[str, str]]:
    return kinds(compared({A: 1.0}, {A: 2.0}))
