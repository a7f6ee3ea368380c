"""Equality, kinds and weights of change."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.warehouse.makers import Cells, rows, series
from warehouse.compare import Equality, compare
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
