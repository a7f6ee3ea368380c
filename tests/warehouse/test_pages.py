"""The overview page: all it is given stands on it, nothing is asked from outside, the chart invents nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from warehouse.chart import MOST_LINES, ChartData, Line, drawable, four_figures, lay_out, number, states
from warehouse.pages import PageData, render, write

LINES: list[Line] = [
    ("2019-03-21", "2019-03-21T23:59:59Z", [("2015", 4.23), ("2016", 4.24), ("2017", 4.55)]),
    ("2021-09-15", "2021-09-15T23:59:59Z", [("2015", 4.23), ("2016", 4.24), ("2017", 4.553), ("2018", 4.81)]),
    ("2025-07-01", "2025-07-01T23:59:59Z", [("2015", 3.98), ("2016", 3.99), ("2017", 4.29), ("2018", 4.52)]),
]
CHART = ChartData("Korea: R&D expenditure", "worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS", "% of GDP", "World Bank", LINES)
DATASET: dict[str, Any] = {
    "dataset": "worldbank.wdi",
    "title": "World Development Indicators",
    "title_zh": "世界发展指标",
    "series": 1430,
    "observations": 38211,
    "vintages": 62,
    "revisions": 9120,
    "last_refresh": datetime(2026, 11, 22, 1, 0, tzinfo=UTC),
    "decision": "published with warnings",
    "stale": True,
    "licence": "CC BY 4.0",
    "citation": "World Bank, World Development Indicators.",
}
BATCH = {
    "batch": "worldbank.wdi@b-17",
    "dataset": "worldbank.wdi",
    "decision": "quarantined",
    "at": "2026-11-22T01:02:03.000000Z",
    "message": "42 of 42 values are 1000 times the last",
}
INCIDENT = {
    "id": 3,
    "kind": "quarantine",
    "dataset": "worldbank.wdi",
    "title": "scale jump <&>",
    "text": "look at batch b-17",
    "opened_at": "2026-11-22T01:02:03.000000Z",
}
DATA = PageData("sandbox", 37, datetime(2026, 11, 22, 1, 5, tzinfo=UTC), [DATASET], [BATCH], [INCIDENT], CHART)


def test_everything_given_is_shown() -> None:
    page = render(DATA)
    for text in (
        *(
            "SANDBOX",
            "Edition 37",
            "世界发展指标",
            "38\u2009211",
            "▲ stale",
            "published with warnings",
            "2026-11-22 01:00 UTC",
            "<dt>cells revised</dt>",
        ),
        *(
            "worldbank.wdi@<wbr>b-17",
            "42 of 42 values",
            "2026-11-22 01:02 UTC",
            "scale jump &lt;&amp;&gt;",
            "look at batch b-17",
        ),
        *("% of GDP", CHART.series, "Source: World Bank", "2021-09-15", "2025-07-01", "CC BY 4.0", DATASET["citation"]),
    ):
        assert text in page, text


def test_nothing_is_asked_from_outside() -> None:
    page = render(DATA)
    assert not re.search(r"https?:|//[a-z]|@import|<script|url\(", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_the_markup_is_balanced() -> None:
    class Balance(HTMLParser):
        void = frozenset({"meta", "link", "br", "wbr", "circle", "line", "path"})

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in self.void

    balance = Balance()
    balance.feed(render(DATA))
    assert balance.open == []


def test_a_live_page_has_no_banner_and_a_synthetic_one_says_that_it_is_invented() -> None:
    assert "SANDBOX" not in render(replace(DATA, profile="live"))
    assert "no number on this page is a statistic" in render(replace(DATA, profile="synthetic"))


def test_an_empty_warehouse_has_a_page() -> None:
    page = render(PageData("sandbox", None, DATA.generated_at, [], [], [], None))
    assert "No dataset has been refreshed yet" in page
    assert "<svg" not in page


def test_a_series_that_was_not_revised_is_not_drawn() -> None:
    assert "<svg" in render(DATA)
    assert "<svg" not in render(replace(DATA, chart=replace(CHART, lines=LINES[:2])))


def test_a_long_message_is_folded_and_kept_whole() -> None:
    message = "; ".join(f"finding {number}" for number in range(100))
    page = render(replace(DATA, batches=[{**BATCH, "message": message}]))
    assert f"</summary>{message}</details>" in page


def test_a_row_that_lacks_a_field_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="observations"):
        render(replace(DATA, datasets=[{k: v for k, v in DATASET.items() if k != "observations"}]))


def test_writing_replaces_the_page_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "pages", DATA)
    path = write(tmp_path / "pages", replace(DATA, edition=38))
    assert "Edition 38" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]


def test_vintages_that_cannot_be_told_apart_share_a_line_labelled_with_the_last() -> None:
    found = states(LINES[::-1])
    assert [(state.label, state.vintages) for state in found] == [("2021-09-15", 2), ("2025-07-01", 1)]
    assert found[0].points["2018"] == 4.81


def test_too_many_states_are_counted_never_silently_dropped() -> None:
    lines: list[Line] = [(f"20{n:02}", f"20{n:02}", [("2000", float(n)), ("2001", 2.0 * n)]) for n in range(10, 20)]
    shown = drawable(states(lines))
    assert [state.label for state in shown] == ["2010", "2015", "2016", "2017", "2018", "2019"]
    assert len(shown) == MOST_LINES
    assert "4 states between the first and the newest are not drawn" in render(
        replace(DATA, chart=replace(CHART, lines=lines))
    )


def test_no_line_is_drawn_over_a_gap() -> None:
    line: Line = ("now", "2026", [("2010", 1.0), ("2011", 2.0), ("2014", 3.0), ("2016", 1.0), ("2017", 2.0)])
    drawn = lay_out(states([line]), 760, 340).lines[0]
    assert drawn.path.count("M") == 2
    assert len(drawn.dots) == 1


def test_quarters_are_placed_in_time() -> None:
    line: Line = ("now", "2026", [("2017-Q1", 1.0), ("2017-Q2", 2.0), ("2017-Q4", 3.0)])
    layout = lay_out(states([line]), 760, 340)
    assert layout.lines[0].path.count("M") == 1
    assert len(layout.lines[0].dots) == 1


def test_large_amounts_are_counted_in_billions_and_the_axis_says_so() -> None:
    lines: list[Line] = [("then", "2021", [("2017", 4.1e9)]), ("now", "2026", [("2017", 4.8e9), ("2018", 1.33e10)])]
    layout = lay_out(states(lines), 760, 340)
    assert layout.scale == "billion"
    assert [tick.text for tick in layout.y_ticks] == ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5", "15.0"]
    assert "US$, billion, by period" in render(replace(DATA, chart=replace(CHART, unit="US$", lines=lines)))


@pytest.mark.parametrize("width", [360, 760])
def test_points_lie_in_the_plot_and_labels_do_not_cover_each_other(width: int) -> None:
    lines: list[Line] = [
        (f"20{n}-01-01", f"20{n}", [("2001", 1.0 + n / 10), ("2002", 5.0 - n / 10), ("2003", 2.0 + n / 10)])
        for n in range(10, 26, 3)
    ]
    lines.append(("2026-01-01", "2026", [("2001", 9.0), ("2002", -3.0)]))
    layout = lay_out(drawable(states(lines)), width, 320)
    for line in layout.lines:
        places = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[-\d.]+,[-\d.]+", line.path)]
        assert all(layout.left <= x <= layout.right and layout.top <= y <= layout.bottom for x, y in places)
    heights = sorted(line.label[1] for line in layout.lines if line.beside)
    assert len(heights) > 1
    assert all(lower - upper >= 15.9 for upper, lower in pairwise(heights))
    assert len({tick.text for tick in layout.y_ticks}) == len(layout.y_ticks)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1234567.0, 12.0], ["1\u2009234\u2009567", "12"]),
        ([4.553, -0.5], ["4.553", "\u22120.500"]),
        ([0.0], ["0"]),
    ],
)
def test_the_table_shows_four_figures_of_the_largest(values: list[float], texts: list[str]) -> None:
    assert [number(value, four_figures(values)) for value in values] == texts


def test_the_overview_leads_to_the_papers_in_both_languages() -> None:
    page = render(replace(DATA, papers=True))
    assert 'href="en/index.html"' in page
    assert 'href="zh/index.html" lang="zh-CN"' in page
    assert "en/index.html" not in render(DATA)
