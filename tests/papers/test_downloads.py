"""Downloads: CSV that Excel reads, workbooks with numbers as numbers, all of them the same bytes tomorrow."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
import time_machine

from tests.papers import shown
from warehouse import spreadsheets
from warehouse.errors import UsageError
from warehouse.papers.figures import charts, downloads
from warehouse.papers.figures.citations import Language
from warehouse.papers.figures.exhibits import COLUMNS
from warehouse.papers.model import Cell


def _book(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def test_an_exhibit_has_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "chinese_font", lambda: None)
    drawn = [f"made-fig1-en-{width}cm.{ending}" for width in (17, 8) for ending in ("svg", "png")]
    assert list(downloads.files(shown.bars(), "en")) == ["made-fig1.csv", "made-fig1-en.xlsx", *drawn]
    without = downloads.files(shown.bars(), "zh")
    assert [name for name in without if name.endswith("png")] == []
    notes = {row[0].value: row[1].value for row in _book(without["made-fig1-zh.xlsx"])["说明"]}
    assert "fonts-noto-cjk" in notes["图片"]
    assert list(downloads.files(shown.told("none", shown.lines().rows), "en")) == ["made-fig1.csv", "made-fig1-en.xlsx"]


def test_the_csv_opens_in_excel_and_reads_back() -> None:
    content = downloads.files(shown.told("none", shown.bars().rows), "zh")["made-fig1.csv"]
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["printed"] for row in rows] == ["2.50", "3.50", "4.50"] * 2
    assert rows[3]["column_zh"] == "中日韩"


def test_numbers_are_numbers_and_printed_ones_keep_their_digits() -> None:
    sheet = _book(downloads.book(shown.bars(), "en"))["data"]
    heads = [cell.value for cell in sheet[1]]
    printed, now = (sheet.cell(5, heads.index(name) + 1) for name in ("printed", "now"))
    assert (printed.value, printed.data_type, printed.number_format) == (2.5, "n", "0.00")
    assert (now.value, now.data_type) == (2.6, "n")


def test_a_printed_rank_is_told_in_the_language_of_the_book() -> None:
    cell = Cell.model_validate(
        {"id": "made-tab1-v01", "says": "a", "kind": "cell", "period": "2018", "printed": "14", "unit": "rank",
         "sense": "rank", "row": "a", "column": "b"}
    )  # fmt: skip
    told = shown.told("none", [shown.row(statement=cell.id, printed="rank 14")])
    told = replace(told, exhibit=told.exhibit.model_copy(update={"cells": (cell,)}))
    texts = [
        str(value.value) for language in ("en", "zh") for value in [*_book(downloads.book(told, language)).active][1]
    ]
    assert {"rank 14", "第14位"} <= set(texts)


def test_where_no_number_is_there_is_no_file() -> None:
    told = shown.told("lines", [shown.row(row="a", note="not held")])
    assert downloads.files(told, "en") == {}
    assert told.nothing
    assert not shown.lines().nothing


@pytest.mark.parametrize(
    ("language", "sheets"), [("en", ["data", "notes", "vintages"]), ("zh", ["数据", "说明", "数据版本"])]
)
def test_a_workbook_says_all_that_must_be_said(language: Language, sheets: list[str]) -> None:
    book = _book(downloads.book(shown.lines(), language))
    assert book.sheetnames == sheets
    texts = [str(row[1].value) for row in book[sheets[1]]]
    said = "\n".join(texts)
    for wanted in ("sandbox-45-9f3a1c7b20de", "SANDBOX", "select entity", "CC-BY-4.0", "[DS/OL]"):
        assert wanted in said
    assert "65ad958be67f42d1" in [cell.value for cell in book[sheets[2]][2]]


def test_what_is_no_plain_number_stays_text_and_no_text_becomes_a_formula() -> None:
    rows = [shown.row(row="=1+1", column="x", entity="CHN", period="2018", printed="> 40")]
    sheet = _book(downloads.book(shown.told("none", rows), "en"))["data"]
    values = {cell.value: cell.data_type for cell in sheet[2]}
    assert values["=1+1"] == "s"
    assert values["> 40"] == "s"


def test_the_same_rows_give_the_same_bytes_on_another_day() -> None:
    told = shown.told("none", shown.lines().rows)
    found = []
    for day in (1, 2):
        with time_machine.travel(datetime(2026, 11, day, tzinfo=UTC), tick=False):
            found.append(downloads.files(told, "zh"))
    assert found[0] == found[1]


def test_an_archive_has_no_clock_and_no_order_of_its_own() -> None:
    first = spreadsheets.archive({"b": b"2", "a": b"1"})
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)):
        assert spreadsheets.archive({"a": b"1", "b": b"2"}) == first


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 2)
    with pytest.raises(UsageError, match=r"3 rows are more .* Next: write \.csv or \.parquet instead"):
        spreadsheets.workbook({"data": [["a"], [1], [2]]})
