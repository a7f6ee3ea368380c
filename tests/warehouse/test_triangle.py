"""The triangle: every cell says what it did, nothing covers anything else, and what is not drawn is said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

import pytest

from warehouse.errors import UsageError
from warehouse.triangle import MOST_PERIODS, MOST_VINTAGES, PITCH_X, Triangle, lay_out, svg

Values = Mapping[str, float | None]


def rows(*vintages: Values, flags: dict[tuple[int, str], str] | None = None) -> list[dict[str, Any]]:
    """Rows as warehouse.questions.vintages gives them, a vintage a month."""
    periods = sorted({period for one in vintages for period in one})
    return [
        {
            "series": "test.one:KOR.X",
            "known_from": f"{2001 + number // 12}-{number % 12 + 1:02}-15T23:59:59.999999Z",
            "precision": "day",
            "vintage": f"v{number:03}",
            "period": period,
            "value": one.get(period),
            "status": (flags or {}).get((number, period), ""),
        }
        for number, one in enumerate(vintages)
        for period in periods
    ]


def drawn(*vintages: Values, **more: Any) -> Triangle:
    return lay_out(rows(*vintages, **more), title="Korea", unit="percent", source="A & B")


def said(triangle: Triangle) -> list[str]:
    return [mark.did for mark in sorted(triangle.marks, key=lambda mark: (mark.y, mark.x))]


def test_each_cell_says_what_it_did_against_the_vintage_before() -> None:
    one = drawn(
        {"2017": 4.0, "2018": 4.0},
        {"2017": 4.2, "2018": None, "2019": 1.0},
        {"2017": 4.2 + 1e-9, "2018": 4.0, "2019": 1.0},
        {"2017": 4.1, "2018": 4.0, "2019": 1.0},
        flags={(3, "2019"): "B"},
    )
    assert said(one) == [
        *("first", "up", "held", "down"),
        *("first", "gone", "back", "held"),
        *("first", "held", "flagged"),
    ]
    assert "2017, known from 2001-02-15: 4 → 4.2 (+5.00%)" in [mark.title for mark in one.marks]


def test_the_size_tells_how_much() -> None:
    one = drawn({"2017": 100.0}, {"2017": 100.1}, {"2017": 102.0}, {"2017": 80.0}, {"2017": 0.0}, {"2017": 1.0})
    assert [mark.size for mark in one.marks] == [0, 0, 1, 2, 2, 2]


def test_first_and_newest_values_stand_beside_their_row() -> None:
    one = drawn({"2017": 4.553, "2018": None}, {"2017": 4.292, "2018": 4.5}, {"2017": 4.073, "2018": None})
    assert [label.text for label in one.first] == ["4.553", "4.500"]
    assert [label.text for label in one.newest] == ["4.073", "4.500"]
    assert [label.y for label in one.first] == [label.y for label in one.newest] == [label.y for label in one.periods]


def test_thirty_by_thirty_stays_apart_and_on_the_sheet() -> None:
    years = [str(1990 + number) for number in range(30)]
    one = drawn(*(dict.fromkeys(years, 1.0 + number * 0.01) for number in range(30)))
    assert (len(one.columns), len(one.periods), len(one.marks)) == (30, 30, 900)
    places = {(round(mark.x), round(mark.y)) for mark in one.marks}
    assert len(places) == 900
    assert all(0 < mark.x < one.width - PITCH_X and 0 < mark.y < one.height for mark in one.marks)
    assert one.left + 30 * PITCH_X < one.newest[0].x < one.width


def test_what_changed_nothing_is_left_out_first_and_that_is_said() -> None:
    quiet = [{"2017": 1.0}] * MOST_VINTAGES
    one = drawn(*quiet, {"2017": 2.0}, {"2017": 2.0})
    assert said(one) == ["first", "up"]
    assert any(f"{MOST_VINTAGES} vintages that changed nothing" in note for note in one.notes)
    lively = drawn(*({"2017": float(number + 1)} for number in range(MOST_VINTAGES + 9)))
    assert len(lively.columns) == MOST_VINTAGES
    assert lively.columns[0].text == "2001-01-15"
    long = drawn({str(1900 + number): 1.0 for number in range(MOST_PERIODS + 5)})
    assert len(long.periods) == MOST_PERIODS
    assert any("5 periods before 1905" in note for note in long.notes)


def test_the_picture_is_one_sound_document_with_everything_in_words() -> None:
    text = svg(drawn({"2017": 4.0}, {"2017": 3.0}))
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(part.text or "" for part in root.iter("{http://www.w3.org/2000/svg}text"))
    for wanted in (
        "Korea",
        "percent",
        "A & B",
        "test.one:KOR.X",
        "2001-01-15",
        "withdrawn",
        "came back",
        "flags alone",
    ):
        assert wanted in words, wanted
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert text.count('class="tri-down"') == 2  # the mark and the key


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        drawn({"2017": None})
