"""Rows of verdicts: stable fields, numbers counted as they are printed, and what changed since the paper."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from warehouse.papers import rows, tables
from warehouse.papers.figures import exhibits
from warehouse.papers.model import Paper, Words
from warehouse.papers.results import Judged, Number, Seen, Tried, Verdict

PAPER = Paper.model_validate(
    {
        "id": "mine",
        "title": {"en": "A title", "zh": "题目"},
        "year": 2021,
        "cutoff": {"earliest": "2021-01-01", "latest": "2021-12-31", "evidence": "told"},
        "claims": [
            {
                "id": "mine-c001", "says": {"en": "Receipts", "zh": "收入"}, "kind": "level", "entities": ["CJK"],
                "period": "2017", "printed": "537.9", "scale": 8, "unit": "USD", "sense": "about",
                "readings": [{"use": "sum", "with": {"x": "receipts"}}],
            }
        ],
        "exhibits": [
            {
                "id": "mine-tab1", "number": "1", "kind": "table", "title": "A table", "quantitative": True,
                "each": {"period": "2017", "unit": "USD", "sense": "equals"},
                "cells": [{"id": "mine-tab1-v01", "row": "a", "column": "b", "printed": "1"}],
            }
        ],
    }
)  # fmt: skip
CLAIM = PAPER.claims[0]


def seen(day: str, *values: float | None, holds: bool | None = None) -> Seen:
    numbers = tuple(Number("2017", value, "CJK", holds=holds) for value in values)
    return Seen(f"{day}T22:00:00.000000Z", day, "day", "archive", {"wdi/part": f"v-{day}"}, numbers)


def judged(verdict: Verdict = Verdict.BRACKETED, **states: Any) -> Judged:
    tried = Tried(1, CLAIM.readings[0], ("worldbank.wdi:…",), "USD", verdict, **states)
    return Judged(CLAIM, PAPER, verdict, rule=Words(en="about", zh="约"), readings=(tried,), chosen=tried, tried=1)


def test_a_row_counts_values_as_the_paper_prints_them() -> None:
    row = rows.of(judged(before=seen("2018-09-30", 536.6e8), now=seen("2026-07-01", 540.25e8, holds=False)))
    assert row["printed"] == "about 537.9"
    assert (row["before"], row["then"], row["now"]) == (536.6, None, 540.25)
    assert (row["unit"], row["scale"]) == ("USD", 8)
    assert row["before_known_from"] == "2018-09-30T22:00:00.000000Z"
    assert row["now_vintages"] == "v-2026-07-01"
    assert row["verdict_zh"] == "介于前后版本"
    assert row["stands"] is False


def test_several_numbers_are_no_single_one() -> None:
    row = rows.of(judged(now=seen("2026-07-01", 1.0, 2.0)))
    assert row["now"] is None
    assert row["now_known_from"] is not None


def test_every_row_has_the_same_fields_everywhere_and_tells_its_table() -> None:
    cell = Judged(PAPER.statements[1], PAPER, Verdict.NO_SOURCE)
    assert (
        tuple(rows.of(cell)) == tuple(rows.of(judged())) == rows.FIELDS == tuple(name for name, *_ in tables.VERDICTS)
    )
    assert tuple(name for name, *_ in tables.EXHIBITS) == exhibits.COLUMNS
    assert rows.of(cell)["exhibit"] == "mine-tab1"
    assert rows.of(judged())["exhibit"] is None


def test_what_is_behind_a_verdict_is_plain_data_with_each_state_once() -> None:
    state = seen("2021-06-30", 537.9e8, holds=True)
    found = rows.behind(judged(Verdict.REPRODUCED, then=state, now=state, states=(seen("2018-09-30", 1e8), state)))
    json.dumps(found)
    [reading] = found["readings"]
    assert reading["decides"]
    assert [(one["when"], one["holds"]) for one in reading["states"]] == [("", "0 of 0"), ("then, now", "1 of 1")]
    assert reading["states"][1]["numbers"][0]["value"] == pytest.approx(537.9)


@pytest.mark.parametrize(
    ("then", "now", "changed"),
    [(537.90e8, 537.94e8, False), (537.90e8, 537.96e8, True), (537.9e8, None, True)],
    ids=["below the printed digits", "in the printed digits", "withdrawn"],
)
def test_changed_is_what_a_reader_would_see(then: float, now: float | None, changed: bool) -> None:
    found = judged(then=seen("2021-06-30", then), now=seen("2026-07-01", now))
    assert rows.has_changed(found) is changed


def test_nothing_has_changed_where_nothing_is_known() -> None:
    assert not rows.has_changed(judged(then=seen("2021-06-30", 1.0)))
    assert not rows.has_changed(replace(judged(), chosen=None))


def test_the_state_of_a_paper_counts_every_statement_once() -> None:
    found = [judged(), Judged(PAPER.statements[1], PAPER, Verdict.NO_SOURCE)]
    [row] = rows.counts(found)
    assert row["paper"] == "mine"
    assert row["statements"] == 2 == sum(row[verdict.value] for verdict in Verdict)
    assert row["bracketed by neighbouring vintages"] == 1


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"printed": ("10", "15"), "sense": "between"}, "10 … 15"),
        ({"printed": None, "sense": "direction"}, ""),
        ({"printed": None, "also_printed": Words(en="2/3", zh="2/3"), "sense": "equals"}, "2/3"),
        ({"printed": "2.50", "sense": "equals"}, "2.50"),
        ({"printed": "40", "sense": "above"}, "> 40"),
    ],
)
def test_printed_keeps_every_digit_and_the_hedge(fields: dict[str, Any], text: str) -> None:
    assert rows.printed(CLAIM.model_copy(update=fields)) == text
