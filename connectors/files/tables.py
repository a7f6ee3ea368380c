"""Tables as files: from the bytes of a CSV or XLSX file to rows of cells, each as the text that is published.

Belongs here: encodings, sheets, and cells whose number is not what a reader of the table sees. Does not belong here: which row
or column is what (layout).
"""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from connectors.reading import NotReadable, csv_rows, text

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

#: A row of a table: "" for a blank cell. Rows are as long as they are written.
Row = list[str]

#: How the compound files of Microsoft begin: an .xls, whatever it is called, or a workbook with a password.
_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
MOST_ROWS, MOST_COLUMNS = 20_000, 1_000
#: Bytes of a workbook when unpacked; a yearbook's table has a few hundred thousand.
MOST_UNPACKED = 100 << 20
#: A number format that shows a number divided by thousands: commas behind the last digit.
_SCALED = re.compile(r"[0#?],+(?![0#?,])")


def read_table(content: bytes, sheet: str | None = None) -> list[Row]:
    """The rows of a CSV file (UTF-8 or GB 18030) or of a sheet of an XLSX file; `sheet` may be left out where there is one.

    Numbers of XLSX files are written out with up to 15 digits, as they are stored. Raises NotReadable, also for a formula
    without a stored value, which would look like an empty cell, and for a number that is shown divided.
    """
    if content.startswith(_COMPOUND):
        raise NotReadable("an old .xls, or a workbook with a password, whatever its name; open it and save it as .xlsx")
    rows = _xlsx(content, sheet) if content.startswith(b"PK") else _csv(content, sheet)
    if len(rows) > MOST_ROWS or max(map(len, rows), default=0) > MOST_COLUMNS:
        raise NotReadable(f"more than {MOST_ROWS} rows or {MOST_COLUMNS} columns: not a table of a publication")
    return [[text(cell).strip() for cell in row] for row in rows]


def address(row: int, column: int) -> str:
    """The name of a cell, counted from 0: A1, AB12."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return f"{name}{row + 1}"


def _csv(content: bytes, sheet: str | None) -> list[Row]:
    if sheet is not None:
        raise NotReadable(f"a CSV file has no sheet {sheet!r}")
    try:
        return csv_rows(content)
    except NotReadable as error:
        try:
            return csv_rows(content.decode("gb18030").encode())
        except (UnicodeDecodeError, NotReadable):
            raise error from None


def _xlsx(content: bytes, sheet: str | None) -> list[Row]:
    shown, written = _cells(content, sheet, values=True), _cells(content, sheet, values=False)
    found = []
    for number, (cells, formulas) in enumerate(zip(shown, written, strict=True)):
        for column, (cell, formula) in enumerate(zip(cells, formulas, strict=True)):
            if cell.value is None and formula.value is not None:
                raise NotReadable(
                    f"cell {address(number, column)} holds a formula without its value; open the file, save it, try again"
                )
        found.append([_published(cell, address(number, column)) for column, cell in enumerate(cells)])
    return found


def _cells(content: bytes, sheet: str | None, *, values: bool) -> list[tuple[Any, ...]]:
    """The cells of a sheet as openpyxl gives them: with the values that formulas had, or with the formulas."""
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MOST_UNPACKED:
                raise NotReadable(f"a workbook of more than {MOST_UNPACKED >> 20} MB")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=values)
        chosen = _sheet(book, sheet)
        chosen.reset_dimensions()  # what a file says of its size need not be true
        return list(islice(chosen.iter_rows(), MOST_ROWS + 1))
    except NotReadable:
        raise
    except Exception as error:  # openpyxl raises whatever its parser meets
        raise NotReadable(f"not a workbook (XLSX): {type(error).__name__}: {error}") from error


def _sheet(book: Workbook, name: str | None) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        asked = "which sheet is meant is not said" if name is None else f"no sheet {name!r}"
        raise NotReadable(f"{asked}; there are {', '.join(map(repr, names)) or 'none'}")
    return book[name]


def _published(cell: Any, where: str) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return re.sub(r"\s+", " ", str(value))
    form = str(cell.number_format or "").split(";")[0]
    if _SCALED.search(form):
        raise NotReadable(f"cell {where} is shown divided by thousands (format {form}); save the table as it is shown")
    if value != value or value in (float("inf"), float("-inf")):
        raise NotReadable(f"cell {where} is {value}")
    if "%" in form:
        return f"{_written(value * 100)}%"
    return _written(value)


def _written(value: float) -> str:
    return format(Decimal(f"{value:.15g}"), "f")
