"""The papers as we ship them against the catalogue they come from: every row kept, numbers as printed, words our own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from warehouse.papers import catalogue
from warehouse.papers.model import Exhibit, Paper, Statement

SOURCE = Path(__file__).resolve().parents[3] / "shared/papers/papers.yaml"
pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="../shared/papers is not beside this clone")
Row = dict[str, Any]
#: What a field is here, and what it is there.
Kept = dict[str, tuple[Any, Any]]

#: The units that are called otherwise here, with the power of ten that is part of their name there.
UNITS = {
    "count (家)": ("entities", 0),
    "places": ("sites", 0),
    "trend": ("direction", 0),
    "papers; percent": ("papers", 0),
    "USD (new commitments)": ("USD", 0),
    "person-visits (thousands, unspecified)": ("person-visits", 0),
    "projects (hundreds, unspecified)": ("projects", 0),
    "JPY 100 million per year": ("JPY per year", 8),
}
#: The senses that an operator there may have here.
SENSES = {
    "eq": {"equals"}, "approx": {"about", "near"}, "gt": {"above", "more than", "at least"}, "ge": {"at least"},
    "lt": {"below"}, "le": {"at most"}, "range": {"between"}, "rank": {"rank"}, "trend": {"direction"}, "event": {"event"},
}  # fmt: skip
#: Where a row is kept otherwise than it stands there: the ids, the field, and why.
EXCEPTIONS = (
    ("paper001-c053", "printed", "a fraction, which no digits render: 1/6 is 0.167 here"),
    (
        "paper001-(c02[567]|c038|c05[678]|tab[13]-.*)",
        "partners",
        "the members of the group itself, which formulas pair",
    ),
    ("paper001-(c04[1-8]|tab2-.*)|paper002-c00[789]|paper004-c0(38|45)", "partners", "abroad is no economy"),
    ("paper001-c004|paper002-tab1-v09", "partners", "two continents, which are one group here"),
    ("paper002-c0(5[789]|6[0-7])", "entities", "the programme is its members"),
    ("paper002-c0(6[89]|7[0-5]|52|54)", "partners", "a programme is no economy, and stands in the words"),
    ("paper002-c053", "(entities|partners)", "neither Euratom nor ITER is an economy; both stand in the words"),
    ("paper002-c0(62|70)", "hedge", "no printed word is told; the note says that the range is rough"),
    ("paper002-(c056|tab5-.*)", "unit", "calendar years, not a number of years"),
    ("paper004-c04[67]", "partners", "Europe is taken as the European Union"),
    ("paper004-c05[3-9]", "entities", "the parts of the Belt and Road are told in the words"),
)


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
        for cell, value in zip(exhibit.cells, theirs["values"], strict=True):
            yield cell, {**value, **{name: theirs[name] for name in ("provider", "fetchable") if name in theirs}}


def numbers(value: str | tuple[str, ...] | list[str]) -> list[Decimal] | None:
    """What is printed, as numbers; None where it is a word."""
    ends = [value] if isinstance(value, str) else list(value)
    try:
        return [Decimal(end) for end in ends]
    except ArithmeticError:
        return None


def printed(ours: Statement, theirs: Row) -> Kept:
    """The number, its unit, and the years it speaks of."""
    expected = None if theirs["value"] == "null" else numbers(theirs["value"])
    unit, scale = UNITS.get(theirs["unit"], (theirs["unit"], 0))
    factor = Decimal(theirs.get("scale", "1")).scaleb(scale)
    found: Kept = {
        "unit": (ours.unit, unit),
        "scale": (Decimal(1).scaleb(ours.scale), factor),
        "period": (years(ours.period), years(theirs["period"])),
    }
    if expected is not None:
        found["printed"] = (None if ours.printed is None else numbers(ours.printed), expected)
    elif theirs["value"] != "null":
        found["printed"] = (bool(ours.printed or ours.also_printed), True)
    return found


def years(period: str) -> list[str]:
    return sorted(set(re.findall(r"\d{4}", period)))


def told(ours: Statement, theirs: Row) -> Kept:
    """How the number is spoken of, of whom, and by whom."""
    found: Kept = {
        "entities": (members(ours.entities), members(listed(theirs.get("entities", theirs.get("entity"))))),
        "partners": (members(ours.partners), members(listed(theirs["partner"]))),
        "machine_readable": (ours.machine_readable, theirs["fetchable"]),
        "provider": (ours.provider, theirs["provider"]),
    }
    if "op" in theirs:
        words = theirs.get("comparison_words", ["?"] if theirs["approximate"] == "true" else [])
        found["hedge"] = (ours.hedge, "、".join(words) or None)
        found["sense"] = ({ours.sense} & SENSES[theirs["op"]], {ours.sense})
        found["kind"] = (ours.kind, theirs["kind"])
        found["source_basis"] = (ours.source_basis, theirs["provider_basis"])
    return found


def listed(value: str | list[str] | None) -> list[str]:
    if isinstance(value, list):
        return value
    return [] if value in (None, "null") else [str(value)]


def members(areas: Iterable[str]) -> set[str]:
    """Economies, with groups by their id or name taken apart; what is neither stays as it is."""
    ours = catalogue.load()
    named = {group.name.en: group.id for group in ours.groups.values()}
    codes = (named.get(area, area.removesuffix(" (listing authority)")) for area in areas)
    return {one for code in codes for one in (ours.members([code]) or (code,))}


def differing(name: str, kept: Kept) -> Iterator[tuple[str, str]]:
    yield from ((name, field) for field, (ours, theirs) in kept.items() if ours != theirs)


def excepted(name: str, field: str) -> bool:
    return any(re.fullmatch(ids, name) and re.fullmatch(fields, field) for ids, fields, _ in EXCEPTIONS)


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


def test_every_number_is_as_printed_in_its_unit_for_its_years(both: tuple[Paper, Row]) -> None:
    found = [one for ours, theirs in statements(*both) for one in differing(ours.id, printed(ours, theirs))]
    assert [one for one in found if not excepted(*one)] == []


def test_every_statement_speaks_of_the_same_with_the_same_reserve(both: tuple[Paper, Row]) -> None:
    found = [one for ours, theirs in statements(*both) for one in differing(ours.id, told(ours, theirs))]
    assert [one for one in found if not excepted(*one)] == []


def test_every_exhibit_names_its_source_as_it_stands_there(both: tuple[Paper, Row]) -> None:
    paper, row = both

    def kept(ours: Exhibit, theirs: Row) -> Kept:
        return {
            "number": (ours.number, theirs["number"][1:]),
            "kind": (ours.kind, theirs["kind"]),
            "quantitative": (str(ours.quantitative).lower(), theirs["quantitative"]),
            "machine_readable": (ours.machine_readable, theirs["fetchable"]),
            "provider": (ours.provider, theirs["provider"]),
            "source_basis": (ours.source_basis, theirs.get("provider_basis", ours.source_basis)),
        }

    pairs = zip(paper.exhibits, row["exhibits"], strict=True)
    assert [one for ours, theirs in pairs for one in differing(ours.id, kept(ours, theirs))] == []


def test_no_exception_is_idle(rows: dict[str, Row]) -> None:
    papers = catalogue.load().papers
    pairs = [one for name, row in rows.items() for one in statements(papers[name], row)]
    found = [one for ours, row in pairs for one in differing(ours.id, {**printed(ours, row), **told(ours, row)})]
    idle = [
        (ids, fields)
        for ids, fields, _ in EXCEPTIONS
        if not any(re.fullmatch(ids, name) and re.fullmatch(fields, field) for name, field in found)
    ]
    assert idle == []


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
