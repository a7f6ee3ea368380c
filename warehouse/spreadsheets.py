"""Tables as files that people open: CSV for Excel, workbooks with numbers as numbers, archives; same rows, same bytes.

Belongs here: bytes. Does not belong here: what stands in a table, and where a file is put.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from warehouse.errors import UsageError

#: A sheet of Excel holds so many rows, its head included.
MOST_ROWS = 1_048_576
#: The moment that archives and workbooks are said to be of: their format's earliest.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_WIDEST = 60


class Printed(NamedTuple):
    """A number with the digits in which it is printed: 2.50."""

    text: str


def csv_bytes(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as CSV in UTF-8; the byte-order mark tells Excel so."""
    content = io.StringIO()
    writer = csv.DictWriter(content, fieldnames=list(names), extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return content.getvalue().encode("utf-8-sig")


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """Sheets of rows, the first of each its head, as XLSX; what is a number stays one.

    Raises UsageError for more rows than a sheet can hold.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for title, rows in sheets.items():
        if len(rows) > MOST_ROWS:
            raise UsageError(
                f"{len(rows):,} rows are more than a sheet of a workbook can hold ({MOST_ROWS:,})",
                next_step="write .csv or .parquet instead",
            )
        _fill(book.create_sheet(title), rows)
    content = io.BytesIO()
    book.save(content)
    with zipfile.ZipFile(content) as written:
        parts = {name: written.read(name) for name in written.namelist()}
    properties = parts["docProps/core.xml"].decode()
    parts["docProps/core.xml"] = re.sub(r">\d{4}-\d\d-\d\dT[^<]*<", ">1980-01-01T00:00:00Z<", properties).encode()
    return archive(parts)


def archive(files: Mapping[str, bytes]) -> bytes:
    """Files by name as ZIP, in the order of names and without a time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            made.writestr(entry, files[name])
    return content.getvalue()


def _fill(sheet: Any, rows: Sequence[Sequence[Any]]) -> None:
    """The head in bold and always in sight, columns as wide as their texts."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    def cell(given: Any, *, bold: bool = False) -> Any:
        value = float(given.text) if isinstance(given, Printed) else given
        if not bold and not isinstance(given, Printed) and not (isinstance(value, str) and value.startswith("=")):
            return value
        made = WriteOnlyCell(sheet, value=value)
        if isinstance(given, Printed):
            made.number_format = "0" + ("." + "0" * digits if (digits := len(given.text.partition(".")[2])) else "")
        if isinstance(value, str):
            made.data_type = "s"  # never a formula
        if bold:
            made.font = Font(bold=True)
        return made

    sheet.freeze_panes = "A2"
    for index, texts in enumerate(zip(*rows[:200], strict=False), start=1):
        longest = max(len(str(text.text if isinstance(text, Printed) else text or "")) for text in texts)
        sheet.column_dimensions[get_column_letter(index)].width = min(longest + 2, _WIDEST)
    for number, row in enumerate(rows):
        sheet.append([cell(value, bold=number == 0) for value in row])
