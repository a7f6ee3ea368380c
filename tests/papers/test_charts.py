"""Charts: what they show, that nothing is cut off or rests on colour alone, and that the same edition gives the same bytes."""

from __future__ import annotations

import re
import struct
from collections import Counter
from functools import cache
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.text import Text

from tests.papers import shown
from warehouse.papers.figures import charts, pictures
from warehouse.papers.figures.charts import WIDTHS, Chart, Width
from warehouse.papers.figures.citations import Language
from warehouse.papers.figures.drawing import draw
from warehouse.papers.figures.drawing.sheet import Sheet, ems, wrap
from warehouse.papers.figures.exhibits import Told

LANGUAGES: tuple[Language, ...] = ("en", "zh")
NAMESPACE = "{http://www.w3.org/2000/svg}"
CASES = [(name, language, width) for name in shown.EVERY for language in LANGUAGES for width in WIDTHS]


@cache
def _drawn(name: str, language: Language) -> dict[Width, Chart]:
    return charts.drawn(shown.EVERY[name](), language)


def _svg(told: Told, language: Language = "en", width: Width = "wide") -> str:
    return charts.drawn(told, language)[width].inline


def _texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{NAMESPACE}text")]


def _points(width: Width) -> float:
    return WIDTHS[width] / 2.54 * 72


@pytest.mark.parametrize(("name", "language", "width"), CASES)
def test_every_chart_names_itself_its_unit_source_and_vintages(name: str, language: Language, width: Width) -> None:
    svg = _drawn(name, language)[width].inline
    root = ElementTree.fromstring(svg)
    said = "".join(_texts(svg)).replace(" ", "")
    assert root.get("class") == width
    assert root.get("role") == "img"
    assert root.findtext(f"{NAMESPACE}title") in (
        "Figure 1. Business R&D intensity of three economies",
        "图1 三国企业研发强度",
    )
    assert "SANDBOX" in str(root.findtext(f"{NAMESPACE}desc"))
    for wanted in {
        "en": ("percentofGDP", "Source:OECD", "then", "now"),
        "zh": ("占国内生产总值的%", "来源：经合组织", "当时", "现在"),
    }[language]:
        assert wanted in said
    for wanted in ("2024-07-23", "2026-04-13", "Figurekeeper·SANDBOX"):
        assert wanted in said


@pytest.mark.parametrize(("name", "language", "width"), CASES)
def test_no_text_is_cut_off_or_covers_another(name: str, language: Language, width: Width) -> None:
    if language == "zh" and charts.chinese_font() is None:
        pytest.skip("no Chinese font on this machine: its texts cannot be measured")
    picture = pictures.of(shown.EVERY[name](), language)
    assert picture is not None
    with charts.style(charts.chinese_font() or "DejaVu Sans"):
        figure = draw(picture, Sheet(_points(width), 8.0 if width == "wide" else 7.0, language))
        figure.set_dpi(72)
        figure.draw_without_rendering()
        texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
        boxes = {text: text.get_window_extent() for text in texts if text.get_visible()}
    frame = figure.bbox.padded(1)
    assert len(boxes) > 10
    assert [text for text, box in boxes.items() if not frame.containsx(box.x0) or not frame.containsx(box.x1)] == []
    assert [text for text, box in boxes.items() if not frame.containsy(box.y0) or not frame.containsy(box.y1)] == []
    assert [
        (one, two) for one, two in combinations(boxes, 2) if boxes[one].padded(-1).overlaps(boxes[two].padded(-1))
    ] == []


def test_a_doubtful_number_is_hollow_and_does_not_flatten_the_others() -> None:
    printed = {"2001": "0.9", "2002": "1.1", "2003": "1.2", "2004": "142"}
    rows = [
        shown.row(row="A", row_zh="甲", entity="CHN", period=year, printed=text,
                  verdict="internally inconsistent" if year > "2002" else "no machine-readable source")
        for year, text in printed.items()
    ]  # fmt: skip
    picture = pictures.of(shown.told("lines", rows, sources=()), "en")
    assert picture is not None
    assert "Hollow: printed numbers that contradict each other." in picture.notes
    axes = draw(picture, Sheet(480, 8, "en")).axes[0]
    assert axes.get_ylim()[1] < 2
    hollow = {np.asarray(line.get_xdata()).item(0) for line in axes.lines if line.get_markerfacecolor() == "#ffffff"}
    assert hollow == {2003, 2004}
    assert "142 \u2191" in [text.get_text() for text in axes.texts]
    joined = [np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_markerfacecolor() != "#ffffff"]
    assert joined == [[2001, 2002, 2003]]


def test_a_gap_is_not_joined() -> None:
    picture = pictures.of(shown.lines(), "en")
    assert picture is not None
    axes = draw(picture, Sheet(480, 8, "en")).axes[0]
    runs = [np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_marker() == "o"]
    assert runs == [[2016, 2017, 2018], [2020, 2021]] * 2


def test_lines_differ_in_marker_and_their_origins_in_dashes_and_filling() -> None:
    picture = pictures.of(shown.lines(), "en")
    assert picture is not None
    lines = [line for line in draw(picture, Sheet(480, 8, "en")).axes[0].lines if line.get_marker() != "None"]
    looks = {(line.get_marker(), line.get_linestyle(), line.get_markerfacecolor()) for line in lines}
    assert len({marker for marker, _, _ in looks}) == 3
    assert len({(dashes, facing == "#ffffff") for _, dashes, facing in looks}) == 2


def test_bars_of_different_origins_differ_without_colour() -> None:
    picture = pictures.of(shown.bars(), "en")
    assert picture is not None
    found = draw(picture, Sheet(480, 8, "en")).axes[1].patches
    assert len({(bar.get_hatch(), bar.get_facecolor() == (1, 1, 1, 1)) for bar in found}) == 3


def test_two_quantities_never_share_an_axis() -> None:
    picture = pictures.of(shown.quantities(), "en")
    assert picture is not None
    assert [panel.unit for panel in picture.panels] == ["US dollars", "percent of GDP"]
    assert "R&D expenditure: billion US dollars; axis does not begin at zero" in _texts(
        _drawn("quantities", "en")["wide"].inline
    )
    assert "研发经费：亿美元；纵轴不从零起" in _texts(_drawn("quantities", "zh")["wide"].inline)


def test_flagged_values_are_marked_and_explained() -> None:
    texts = _texts(_drawn("lines", "en")["wide"].inline)
    assert Counter(texts)["P"] == 3
    assert "P provisional." in texts


def test_a_ranking_shows_the_top_and_those_of_whom_the_paper_speaks() -> None:
    texts = _texts(_drawn("ranking", "en")["wide"].inline)
    assert "2  Japan" in texts
    assert "20  China" in texts
    assert "16  Hungary" not in texts
    assert [text for text in texts if text.endswith("\u25c0")] == ["34.50 \u25c0", "16.50 \u25c0"]
    assert "People of 65 and over, 2022 (20 economies)" in texts


def test_only_the_newest_data_are_not_called_those_of_then() -> None:
    late = {
        "then_is": "after",
        "then_vintage": shown.STATES["vintage"],
        "then_known_from": shown.STATES["now_known_from"],
    }
    told = shown.told("lines", [row | late | {"then": row["now"]} for row in shown.lines().rows])
    texts = _texts(_svg(told))
    assert "then" not in texts
    assert "No data of the paper's days are held." in texts


def test_printed_numbers_keep_their_digits() -> None:
    assert {"2.50", "3.50", "4.50"} <= set(_texts(_drawn("bars", "en")["wide"].inline))


def test_the_time_axis_bears_ranges_and_months() -> None:
    for periods, ticks in (
        (("2001:2010", "2002:2011"), ["2001–10", "2002–11"]),
        (("2010-05", "2012-09"), ["2010-05", "2012-09"]),
    ):
        rows = [
            shown.row(row=period, column="Papers", column_zh="论文", entity="CHN", period=period, printed="12")
            for period in periods
        ]
        assert set(ticks) <= set(_texts(_svg(shown.told("lines", rows, sources=()))))


@pytest.mark.parametrize("name", shown.EVERY)
def test_the_same_rows_give_the_same_bytes(name: str) -> None:
    assert charts.drawn(shown.EVERY[name](), "en") == _drawn(name, "en")
    assert _drawn(name, "en").keys() == WIDTHS.keys()


def test_two_charts_in_one_page_share_no_id_and_every_reference_is_met() -> None:
    page = "".join(_drawn("bars", language)[width].inline for language in LANGUAGES for width in WIDTHS)
    ids = Counter(re.findall(r'\bid="([^"]*)"', page))
    assert ids.most_common(1)[0][1] == 1
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', page)) <= ids.keys()


def test_a_page_sets_the_colours_and_a_file_needs_no_page() -> None:
    inline = _drawn("lines", "en")["wide"].inline
    printed = _drawn("lines", "en")["wide"].file
    assert re.findall(r": #[0-9a-f]{6}", inline) == []
    assert inline.count("var(--s0, #") > 1
    assert b"var(" not in printed
    root = ElementTree.fromstring(printed)
    assert float(str(root.get("width")).removesuffix("pt")) == pytest.approx(_points("wide"))
    assert "<style" not in inline


@pytest.mark.parametrize("width", WIDTHS)
def test_a_png_has_300_dots_an_inch(width: Width) -> None:
    content = _drawn("lines", "en")[width].png
    assert content is not None
    (across,) = struct.unpack(">I", content[16:20])
    assert across == pytest.approx(WIDTHS[width] / 2.54 * 300, abs=1)


def test_without_a_chinese_font_there_is_no_chinese_png_but_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "chinese_font", lambda: None)
    assert [chart.png for chart in charts.drawn(shown.bars(), "zh").values()] == [None, None]
    assert all(chart.png for chart in charts.drawn(shown.bars(), "en").values())
    assert "中日韩" in _texts(_svg(shown.bars(), "zh"))


def test_nothing_is_drawn_where_there_is_nothing_to_draw() -> None:
    empty = shown.told("lines", [shown.row(row="x", period="2018", entity="")])
    for told in (shown.told("none", shown.lines().rows), empty):
        assert charts.drawn(told, "en") == {}


def test_lines_of_text_keep_their_width_and_every_character() -> None:
    text = "2018年主要国家PCT专利的国际合作含量，按优先权日计算（原文 as printed in the paper）。"
    lines = wrap(text, 100, 8)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(ems(line) * 8 <= 100 + 8 for line in lines)
    assert not [line for _, line in pairwise(lines) if line[0] in "，。）"]
