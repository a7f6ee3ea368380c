"""The pages on papers are true: verdicts and rules of wording are those of the code, and shown SQL runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from warehouse.papers import own_words, rows
from warehouse.papers.model import Expect, Sense, Statement
from warehouse.papers.results import WORDS
from warehouse.papers.verdicts import rounding
from warehouse.papers.verdicts.rounding import Allowed

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "papers.md").read_text(encoding="utf-8")


def table(page: str, head: str) -> Iterator[list[str]]:
    """The rows of the table whose head begins so, cell by cell."""
    _, _, below = page.partition(f"\n| {head} |")
    for line in below.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_verdict_is_told_in_both_languages_and_in_order() -> None:
    told = [(row[0], row[1]) for row in table(PAGE, "verdict")]
    assert told == [(verdict.value, words.zh) for verdict, words in WORDS.items()]


def _interval(allowed: Allowed) -> str:
    low, high = (None if end is None else f"{end.normalize():f}" for end in (allowed.low, allowed.high))
    if high is None:
        return f"above {low}" if allowed.low_open else f"{low} or more"
    if low is None:
        return f"below {high}" if allowed.high_open else f"{high} or less"
    return f"{'above ' if allowed.low_open else ''}{low} to {'below ' if allowed.high_open else ''}{high}"


@pytest.mark.parametrize("row", [*table(PAGE, "sense")], ids=lambda row: row[0])
def test_what_a_printed_number_allows_is_what_the_code_allows(row: list[str]) -> None:
    sense, _, printed, allows = row
    numbers = tuple(printed.split(", "))
    statement = Statement.model_validate(
        {
            "id": "a-b", "says": "x", "kind": "level", "period": "2017", "unit": "percent", "sense": sense,
            "printed": numbers if len(numbers) > 1 else printed,
        }
    )  # fmt: skip
    allowed = rounding.expected(statement, Expect(sense=statement.sense, printed=statement.printed), Decimal(1))
    assert allowed is not None
    assert _interval(allowed) == allows


def test_every_sense_with_a_number_is_told_with_words_that_a_spreadsheet_knows() -> None:
    told = {row[0]: row[1].split() for row in table(PAGE, "sense")}
    assert told.keys() == set(get_args(Sense)) - {"direction", "event"}
    assert {
        sense: [word for word in words if word not in own_words.synonyms().senses[sense]]
        for sense, words in told.items()
        if words
    } == {sense: [] for sense, words in told.items() if words}


def test_the_fields_named_are_those_of_a_row() -> None:
    _, _, told = PAGE.partition("have the same fields:")
    named = [name for name in re.findall(r"`([a-z_]+)`", told.partition("They do not change")[0]) if name != "unit"]
    assert len(named) > 15
    assert set(named) <= set(rows.FIELDS)


def test_the_columns_of_a_spreadsheet_are_told() -> None:
    page = (DOCS / "own-paper.md").read_text(encoding="utf-8")
    columns = own_words.synonyms().columns
    told = {own_words.plain(english): chinese for chinese, english, *_ in table(page, "列")}
    by_word = {own_words.plain(word): name for name, words in columns.items() for word in words}
    assert {by_word[english] for english in told} == columns.keys()
    assert all(by_word[own_words.plain(chinese)] == by_word[english] for english, chinese in told.items())
