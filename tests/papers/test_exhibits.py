"""Exhibits as tables, from the real vintages: printed against then against now."""

from __future__ import annotations

import pickle

import pytest

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.figures import charts, exhibits
from warehouse.papers.figures.exhibits import COLUMNS
from warehouse.papers.inputs import Held

NOW = "2026-04-13"


def test_every_exhibit_has_a_table_with_the_same_fields(held: Held, papers: Catalogue) -> None:
    for name, (_, exhibit) in papers.exhibits.items():
        rows = exhibits.table(held, papers, name)
        assert all(tuple(row) == COLUMNS for row in rows)
        assert len([row for row in rows if row["statement"]]) == len(exhibit.cells)


def test_a_line_is_shown_as_in_the_papers_days_and_as_now(held: Held, papers: Catalogue) -> None:
    rows = exhibits.table(held, papers, "paper003-fig3")
    assert {row["entity"] for row in rows} == {"CHN", "JPN", "USA"}
    assert sorted({row["period"] for row in rows}) == [str(year) for year in range(2016, 2022)]
    assert {(row["then_is"], row["then_known_from"][:10], row["now_known_from"][:10]) for row in rows} == {
        ("inside", "2024-07-23", NOW)
    }
    found = {(row["entity"], row["period"]): row for row in rows}
    above = [year for year in range(2016, 2022) if found["JPN", str(year)]["now"] > found["USA", str(year)]["now"]]
    assert above == [2016, 2017, 2018, 2019]
    assert found["CHN", "2021"]["then"] != found["CHN", "2021"]["now"]
    assert "B" in found["USA", "2021"]["status"].split(";")


def test_what_became_known_later_can_be_left_out(held: Held, papers: Catalogue) -> None:
    rows = exhibits.table(held, papers, "paper003-fig3", known=clock.parse_as_of("2024-12-31"))
    assert {row["now_known_from"][:10] for row in rows} == {"2024-07-23"}
    assert exhibits.table(held, papers, "paper003-fig3", known=clock.parse_as_of("2001"))[0]["now"] is None


def test_a_printed_cell_stands_beside_the_nearest_vintage_held(held: Held, papers: Catalogue) -> None:
    rows = exhibits.table(held, papers, "paper001-tab2")
    america = next(row for row in rows if row["entity"] == "USA" and row["now"] is not None)
    assert (america["printed"], round(america["now"], 2), america["then_is"]) == ("12.1", 13.18, "after")
    assert america["vintage"].startswith("oecd.pct_cooperation/COPAT_XPCT ")
    unheld = next(row for row in rows if row["now"] is None)
    assert unheld["note"]
    assert unheld["note_zh"]


def test_a_contradiction_is_told_with_what_would_fit(held: Held, papers: Catalogue) -> None:
    notes = [row["note"] for row in exhibits.table(held, papers, "paper004-tab1") if row["period"] == "2006:2015"]
    assert any("14,249,025" in (note or "") for note in notes)


def test_what_is_told_travels_and_is_drawn(held: Held, papers: Catalogue) -> None:
    told = exhibits.told(held, papers, "paper003-fig3")
    assert {source.name for source in told.sources} == {"oecd.sbrd/B_XGDP"}
    assert [source.published for source in told.sources] == ["2024-07-23", NOW]
    assert told.profile == "sandbox"
    assert pickle.loads(pickle.dumps(told)) == told
    assert charts.drawn(told, "zh")


def test_the_ranking_marks_whom_the_paper_speaks_of(held: Held, papers: Catalogue) -> None:
    told = exhibits.told(held, papers, "paper003-fig4")
    assert "JPN" in told.spoken
    assert len(told.rows) > 50


def test_an_unknown_exhibit_is_told_with_near_ones(held: Held, papers: Catalogue) -> None:
    with pytest.raises(UsageError, match="paper003-fig3"):
        exhibits.table(held, papers, "paper003-fig33")
