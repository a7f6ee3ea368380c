"""The papers as we ship them against the catalogue they come from: every row kept, numbers as printed, words our own."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from warehouse.papers import catalogue
from warehouse.papers.model import Paper, Statement

SOURCE = Path(__file__).resolve().parents[3] / "shared/papers/papers.yaml"
pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="../shared/papers is not beside this clone")
#: Printed as fractions, which no digits render: 1/6 is 0.167 here.
FRACTIONS = {"paper001-c053"}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """The papers of the catalogue by id, every scalar a text as it is written there."""
    return {paper["id"]: paper for paper in YAML(typ="base").load(SOURCE)["papers"]}


@pytest.fixture(scope="module", params=[f"paper{place:03d}" for place in range(5)])
def both(request: pytest.FixtureRequest, rows: dict[str, Row]) -> tuple[Paper, Row]:
    return catalogue.load().papers[request.param], rows[request.param]


def statements(paper: Paper, row: Row) -> Iterator[tuple[Statement, Row]]:
    yield from zip(paper.claims, row["claims"], strict=True)
    for exhibit, theirs in zip(paper.exhibits, row["exhibits"], strict=True):
        yield from zip(exhibit.cells, theirs["values"], strict=True)


def numbers(value: str | tuple[str, ...] | list[str]) -> list[Decimal] | None:
    """What is printed, as numbers; None where it is a word."""
    ends = [value] if isinstance(value, str) else list(value)
    try:
        return [Decimal(end) for end in ends]
    except ArithmeticError:
        return None


def test_every_paper_is_there(rows: dict[str, Row]) -> None:
    ours = catalogue.load()
    assert list(ours.papers) == list(rows)
    claims = sum(len(paper.claims) for paper in ours.papers.values())
    cells = sum(len(exhibit.cells) for paper in ours.papers.values() for exhibit in paper.exhibits)
    assert (claims, cells, len(ours.exhibits)) == (362, 192, 26)


def test_every_row_is_kept_under_its_id_and_in_its_place(both: tuple[Paper, Row]) -> None:
    paper, row = both
    assert [claim.id for claim in paper.claims] == [claim["id"] for claim in row["claims"]]
    assert [exhibit.id for exhibit in paper.exhibits] == [exhibit["id"] for exhibit in row["exhibits"]]
    for exhibit, theirs in zip(paper.exhibits, row["exhibits"], strict=True):
        assert [cell.id for cell in exhibit.cells] == [
            f"{exhibit.id}-v{place:02d}" for place in range(1, len(theirs["values"]) + 1)
        ]
    assert {check["id"] for check in row["checks"]} <= {check.id for check in paper.checks}


def test_every_printed_number_and_year_is_as_it_stands_there(both: tuple[Paper, Row]) -> None:
    for ours, theirs in statements(*both):
        expected = None if theirs["value"] == "null" else numbers(theirs["value"])
        if ours.id in FRACTIONS or expected is None:
            continue
        assert ours.printed is not None, ours.id
        assert numbers(ours.printed) == expected, ours.id
        if "scale" in theirs:
            assert Decimal(theirs["scale"]) == Decimal(10) ** ours.scale, ours.id
        if theirs["period"].replace("/", "").isdigit():
            assert ours.period == theirs["period"].replace("/", ":"), ours.id


def test_words_are_our_own(both: tuple[Paper, Row]) -> None:
    paper, row = both
    theirs = {
        text.strip().casefold()
        for part in (*row["claims"], *row["exhibits"], *row["checks"])
        for name in ("indicator", "note", "notes", "caption_en", "caption_zh", "what", "verdict")
        if len(text := part.get(name, "")) > 20
    }
    told = [*(one.says for one in paper.statements), *(exhibit.title for exhibit in paper.exhibits)]
    told += [check.what for check in paper.checks]
    notes = [*(one.note for one in paper.statements), *(one.note for one in paper.exhibits)]
    told += filter(None, [*notes, *(check.note for check in paper.checks)])
    assert {text for words in told for text in (words.en, words.zh) if text.strip().casefold() in theirs} == set()
    assert len(theirs) > 20
