"""Cells as people see them: digits by their format, and cells that show nothing of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from warehouse.papers import own_cells
from warehouse.papers.own_cells import Text


@pytest.fixture
def seen(tmp_path: Path) -> Callable[[Callable[[Worksheet], None]], list[list[Text]]]:
    """The cells of a sheet that a function fills."""

    def after(fill: Callable[[Worksheet], None]) -> list[list[Text]]:
        book = Workbook()
        fill(book.worksheets[0])
        book.save(tmp_path / "mine.xlsx")
        return own_cells.read(tmp_path / "mine.xlsx")

    return after


Seen = Callable[[Callable[[Worksheet], None]], list[list[Text]]]


def one(seen: Seen, value: Any, form: str) -> Text:
    """A cell of this value and format."""

    def fill(sheet: Worksheet) -> None:
        sheet["A1"] = value
        sheet["A1"].number_format = form

    [[cell]] = seen(fill)
    return cell


@pytest.mark.parametrize(
    ("value", "form", "text", "note"),
    [
        (4.6, "0.00", "4.60", ""),
        (14249025, "#,##0", "14249025", ""),
        (2.456, "0.00", "2.46", "as Excel shows the number 2.456"),
        (2.5, "General", "2.5", "from a number: if 2.50 was printed, format the cell as text and write it so"),
        (5, "General", "5", "from a number: if 5.0 was printed, format the cell as text and write it so"),
        (-0.5, "@", "-0.5", "from a number: if -0.50 was printed, format the cell as text and write it so"),
        ("4.60", "General", "4.60", ""),
        (date(2017, 1, 1), "yyyy", "2017", ""),
        (date(2017, 5, 1), '[$-804]yyyy"年"m"月"', "2017-05", ""),
        (date(2017, 5, 1), "yyyy-mm-dd", "2017-05-01", ""),
    ],
)
def test_a_cell_is_what_excel_shows(seen: Seen, value: Any, form: str, text: str, note: str) -> None:
    assert one(seen, value, form) == Text("A1", text, note=note)


def test_a_number_that_excel_shows_otherwise_cannot_be_read(seen: Seen) -> None:
    assert "a number in the format '0.0%': format the cell as text" in one(seen, 0.046, "0.0%").wrong


def test_a_formula_that_was_never_calculated_cannot_be_read(seen: Seen) -> None:
    cell = one(seen, "=2+2.6", "General")
    assert cell.text == "=2+2.6"
    assert "never calculated" in cell.wrong


def test_merged_cells_have_nothing_of_their_own_but_the_first(seen: Seen) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet["A1"] = "韩国"
        sheet.merge_cells("A1:A2")

    [first], [second] = seen(fill)
    assert first == Text("A1", "韩国")
    assert second.text == ""
    assert second.wrong == "belongs to the merged cells A1:A2: split them, and fill in each"


def test_the_rows_of_a_csv_file_are_equally_long(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a\n1,2\n", encoding="utf-8")
    assert own_cells.read(tmp_path / "mine.csv") == [
        [Text("A1", "a"), Text("B1", "")],
        [Text("A2", "1"), Text("B2", "2")],
    ]
