"""The cells of a spreadsheet as people see them: the first sheet of an XLSX file, or a CSV file.

Belongs here: what Excel shows of a number or a day, and cells that show nothing of their own (merged, never calculated). Does not
belong here: what the words in cells mean (own).
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from warehouse.yaml_lines import Mistaken

if TYPE_CHECKING:
    from openpyxl.cell import Cell, MergedCell
    from openpyxl.worksheet.worksheet import Worksheet

#: Endings of the files that are read here.
SUFFIXES = (".xlsx", ".csv")
_PLAIN_FORMAT = re.compile(r"(?:#,##)?0(?:\.(0+))?(?:_ )?")
#: What a format holds beside its letters: quoted words, languages, escapes.
_NO_LETTERS = re.compile(r'"[^"]*"|\[[^]]*\]|\\.')


class Text(NamedTuple):
    """A cell as people see it: its address, the head or label that it stands under, why it cannot be read (`wrong`), and what
    is to be told of a number that was taken (`note`)."""

    address: str
    text: str
    wrong: str = ""
    note: str = ""
    head: str = ""

    @property
    def place(self) -> str:
        """Where the cell is, for people: "E9 (value)"."""
        return f"{self.address} ({self.head})" if self.head else self.address


def read(path: Path) -> list[list[Text]]:
    """The rows of a spreadsheet. Raises Mistaken, "A1: what", for a file that is none."""
    return _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)


def _csv(path: Path) -> list[list[Text]]:
    """The cells of a CSV file, in UTF-8 or, as a Chinese Excel writes it, GB 18030."""
    from openpyxl.utils import get_column_letter

    content = _bytes(path)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            lines = list(csv.reader(io.StringIO(content.decode(encoding), newline=""), strict=True))
            width = max(map(len, lines), default=0)
            return [
                [
                    Text(f"{get_column_letter(place)}{number}", text.strip())
                    for place, text in enumerate([*row, *[""] * (width - len(row))], 1)
                ]
                for number, row in enumerate(lines, 1)
            ]
        except UnicodeDecodeError:
            continue
        except csv.Error as error:
            raise Mistaken([f"A1: not a CSV file that can be read ({error})"]) from error
    raise Mistaken(["A1: neither UTF-8 nor GB 18030; save it as CSV UTF-8"])


def _xlsx(path: Path) -> list[list[Text]]:
    from openpyxl import load_workbook

    content = _bytes(path)
    try:
        shown, written = (
            load_workbook(io.BytesIO(content), data_only=values).worksheets[0] for values in (True, False)
        )
    except Exception as error:  # a broken archive fails in as many ways as it has parts
        raise Mistaken([f"A1: not an XLSX file that can be read ({error})"]) from error
    merged = _merged(shown)
    return [
        [
            Text(
                cell.coordinate,
                "",
                f"belongs to the merged cells {merged[cell.coordinate]}: split them, and fill in each",
            )
            if cell.coordinate in merged
            else _seen(cell, behind)
            for cell, behind in zip(*rows, strict=True)
        ]
        for rows in zip(shown.iter_rows(), written.iter_rows(), strict=True)
    ]


def _merged(sheet: Worksheet) -> dict[str, str]:
    """The ranges of cells that others cover: all of a range but the first."""
    return {
        sheet.cell(row, column).coordinate: str(one)
        for one in sheet.merged_cells.ranges
        for row, column in list(one.cells)[1:]
    }


def _seen(cell: Cell | MergedCell, behind: Cell | MergedCell) -> Text:
    """What Excel shows of a cell; `behind` is the same with its formula."""
    value = cell.value
    if value is None and behind.value is not None:
        what = "a formula that was never calculated: open the file in Excel and save it, or write the value"
        return Text(cell.coordinate, str(behind.value), what)
    if value is None or isinstance(value, str):
        return Text(cell.coordinate, (value or "").strip())
    if isinstance(value, date):
        return Text(cell.coordinate, _day(value, str(cell.number_format)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Text(cell.coordinate, str(value))
    return _number(cell.coordinate, value, str(cell.number_format))


def _number(address: str, value: float, form: str) -> Text:
    """A number's digits are the rounding, and its format decides how many there are."""
    exact = Decimal(repr(value))
    if plain := _PLAIN_FORMAT.fullmatch(form):
        text = f"{exact:.{len(plain[1] or '')}f}"
        return Text(address, text, note="" if Decimal(text) == exact else f"as Excel shows the number {exact:f}")
    text = f"{exact.quantize(Decimal(1)) if exact == exact.to_integral() else exact:f}"
    if form not in ("General", "@"):
        return Text(address, text, f"a number in the format {form!r}: format the cell as text and write it as printed")
    zero = f"{text}{'' if '.' in text else '.'}0"
    return Text(address, text, note=f"from a number: if {zero} was printed, format the cell as text and write it so")


def _day(value: date, form: str) -> str:
    """As far as the format shows it: a year, a month or a day."""
    letters = _NO_LETTERS.sub("", form.lower())
    months, days = "m" in letters, "d" in letters or "y" not in letters
    return f"{value:%Y-%m-%d}" if days else f"{value:%Y-%m}" if months else f"{value:%Y}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Mistaken([f"A1: cannot be read ({error.strerror})"]) from error
