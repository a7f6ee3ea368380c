"""From the rows of a printed table to values of series and periods, as the manifest says what stands where.

Belongs here: heads over several rows, names and units as tables print them, numbers with separators and footnote marks, and
which mark says that there is no number. Does not belong here: reading files (tables), the manifest's fields (manifest).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connectors.assemble import Writing, period_start
from connectors.files.manifest import Table
from connectors.files.tables import Row, address
from connectors.nbs.parse import plain_name, split_unit

#: What stands where there is no number, as the SDMX list of observation status has it. Yearbooks of China print "…" for what
#: is not known or too small to print and "-" for what does not exist; neither is zero.
_NOT_KNOWN, _DOES_NOT_EXIST = "O", "M"
NO_NUMBER = {
    "": "",
    **dict.fromkeys(("…", "……", "...", "..", "⋯"), _NOT_KNOWN),
    **dict.fromkeys(("-", "--", "—", "——", "–", "―"), _DOES_NOT_EXIST),
}
_WIDE = str.maketrans("０１２３４５６７８９，．－−％＊", "0123456789,.--%*")
_DIGITS = r"-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?"
_NUMBER = re.compile(rf"({_DIGITS})\s*(?P<mark>\D{{0,8}}?)")
_FOOTNOTES = "*†‡§¹²³⁰⁴⁵⁶⁷⁸⁹" + "".join(map(chr, (*range(0x2460, 0x24EA), *range(0x2776, 0x2794))))
_UNIT_LINE = re.compile(r"^[(（]?\s*(?:计量)?(?:单位|Unit)\s*[:：]\s*(.+?)[)）]?$", re.IGNORECASE)
_NOTE = ("注", "数据来源", "资料来源", "Note", "Source")
_NBS_HEAD = "指标"
_YEAR = re.compile(r"(\d{4})\s*年?度?")
_MONTH = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月")


class Cell(NamedTuple):
    """One value: the code of its series, its period, what is printed, and the code of its status."""

    item: str
    period: str
    text: str
    status: str


@dataclass(frozen=True)
class Printed:
    """What a table holds: values, how many cells are of series not wanted, units that differ from the one expected by the name
    of the series, and notes below the table."""

    cells: tuple[Cell, ...]
    others: int
    units: Mapping[str, str]
    notes: tuple[str, ...]


class Misfit(ValueError):
    """A table that is not what the manifest says; all that does not fit."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def read(rows: Sequence[Row], table: Table, names: Mapping[str, Sequence[str]], unit: str, frequency: str) -> Printed:
    """The values of the series in `names` (code → names under which tables print it), whose unit must be `unit`.

    Raises Misfit for heads that are neither periods nor skipped, series that stand nowhere or twice, cells that are no numbers
    and marks that nobody explained.
    """
    grid = _Grid.of(rows, table)
    lines = grid.transposed() if table.series == "columns" else grid
    problems: list[str] = []
    periods = _periods(lines.heads, table, frequency, problems)
    wanted = _wanted(lines.sides, table, names, problems)
    line = _unit_line(rows, table, problems)
    units: dict[str, str] = {}
    cells: list[Cell] = []
    for at, (item, printed) in wanted.items():
        if (found := printed or line) is None:
            problems.append(
                f"no unit is printed for {lines.sides[at]!r}: say where (`unit_at`) or which it is (`unit`)"
            )
        elif plain_name(found) != plain_name(unit):
            units[item] = found
        for column, period in periods.items():
            try:
                cells.append(Cell(item, period, *number(lines.cell(at, column), table.marks)))
            except ValueError as error:
                problems.append(f"cell {lines.address(at, column)}: {error}")
    if problems:
        raise Misfit(problems)
    others = [side for at, side in enumerate(lines.sides) if at not in wanted and side]
    return Printed(tuple(cells), len(others) * len(periods), units, grid.notes)


def number(printed: str, marks: Mapping[str, str]) -> tuple[str, str]:
    """A printed cell as the text of its number, or of what stands in its place, and the code of its status.

    Explained footnote marks are taken off; digits and separators of thousands stay as they are. Raises ValueError.
    """
    told = printed.translate(_WIDE).strip()
    if told in NO_NUMBER or told in marks:
        return told, marks.get(told) or NO_NUMBER.get(told, _NOT_KNOWN)
    found = _NUMBER.fullmatch(told)
    if found is None:
        raise ValueError(f"{printed!r} is not a number")
    mark = found["mark"].strip()
    if mark and mark not in marks:
        raise ValueError(f"{printed!r}: `marks` must say what {mark!r} means")
    return found.group(1), marks[mark] if mark else ""


def writing(tables: Sequence[Table]) -> Writing:
    """How numbers, and what stands in their place, are written in tables."""
    marks = (mark for table in tables for mark in table.marks)
    return Writing(number=_DIGITS, missing=frozenset((*NO_NUMBER, *marks)), thousands=",")


@dataclass(frozen=True)
class _Grid:
    """The numbers of a table between its heads: `heads` above the columns, `sides` before the rows ("": none, or skipped)."""

    rows: Sequence[Row]
    heads: Sequence[str]
    sides: Sequence[str]
    places: tuple[Sequence[int], Sequence[int]]  # where in the file the rows and columns are
    notes: tuple[str, ...] = ()
    turned: bool = False

    @classmethod
    def of(cls, rows: Sequence[Row], table: Table) -> _Grid:
        first, last = table.heads or _nbs_heads(rows)
        if last > len(rows):
            raise Misfit([f"the table has {len(rows)} rows, and its heads were to stand in row {last}"])
        names = _column(table.names)
        begin, end = table.rows or (last + 1, len(rows))
        body, notes = [], []
        for at in range(begin - 1, min(end, len(rows))):
            name = rows[at][names] if names < len(rows[at]) else ""
            if table.rows is None and name.startswith(_NOTE):
                notes = [row[names] for row in rows[at:] if names < len(row) and row[names]]
                break
            body.append(at)
        width = max((len(rows[at]) for at in (*range(first - 1, last), *body)), default=0)
        columns = [column for column in range(width) if column != names]
        heads = _joined_heads(rows[first - 1 : last], columns)
        sides = [rows[at][names] if names < len(rows[at]) else "" for at in body]
        skipped = {plain(one) for one in table.skip if isinstance(one, str)}
        numbers = {one for one in table.skip if isinstance(one, int)}
        told = tuple(note for note in notes if not note.startswith(("数据来源", "资料来源", "Source")))
        return cls(
            rows,
            ["" if plain(head) in skipped else head for head in heads],
            ["" if plain(side) in skipped or at + 1 in numbers else side for at, side in zip(body, sides, strict=True)],
            (body, columns),
            told,
        )

    def transposed(self) -> _Grid:
        """The same, with what stood above the columns before the rows."""
        return _Grid(self.rows, self.sides, self.heads, self.places, self.notes, not self.turned)

    def cell(self, side: int, head: int) -> str:
        row, column = self._place(side, head)
        return self.rows[row][column] if column < len(self.rows[row]) else ""

    def address(self, side: int, head: int) -> str:
        return address(*self._place(side, head))

    def _place(self, side: int, head: int) -> tuple[int, int]:
        row, column = (head, side) if self.turned else (side, head)
        return self.places[0][row], self.places[1][column]


def plain(label: str) -> str:
    """A head or name as it is matched: without spaces, footnote marks behind it, and in one form of brackets."""
    return plain_name(label.translate(_WIDE)).rstrip(_FOOTNOTES)


def _nbs_heads(rows: Sequence[Row]) -> tuple[int, int]:
    for at, row in enumerate(rows, start=1):
        if row and row[0] == _NBS_HEAD:
            return at, at
    raise Misfit(
        [f"no row begins with {_NBS_HEAD}, and the manifest does not say in which row the heads stand (`header`)"]
    )


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _joined_heads(rows: Sequence[Row], columns: Sequence[int]) -> list[str]:
    """The heads of columns from the top down, joined by "/". Above the lowest row a head holds for the blank cells on its
    right, as merged cells do."""
    levels: list[list[str]] = []
    for level, row in enumerate(rows):
        cells, last = [], ""
        for column in columns:
            cell = row[column] if column < len(row) else ""
            last = cell or last if level < len(rows) - 1 else cell
            cells.append(last)
        levels.append(cells)
    return ["/".join(dict.fromkeys(part for part in parts if part)) for parts in zip(*levels, strict=True)]


def _periods(heads: Sequence[str], table: Table, frequency: str, problems: list[str]) -> dict[int, str]:
    """The periods of the columns by their number."""
    if table.period is not None:
        found = [at for at, head in enumerate(heads) if head and plain(head) == plain(table.values or "")]
        if len(found) != 1:
            stands = "stands nowhere" if not found else f"stands {len(found)} times"
            problems.append(f"`values`: {table.values!r} {stands} among {', '.join(filter(None, heads))}")
        period = _period(table.period, frequency)
        if period is None:
            problems.append(f"`period`: {table.period!r} is no period of the dataset's frequency")
        return dict.fromkeys(found[:1], period or "")
    told: dict[int, str] = {}
    for at, head in enumerate(heads):
        if not head:
            continue
        period = _period(plain(head), frequency)
        if period is None:
            problems.append(f"{head!r} is not a period; if it is none, add it to `skip`")
        elif period in told.values():
            problems.append(f"the period {period} stands twice")
        else:
            told[at] = period
    if not told:
        problems.append("no period stands where the manifest says that they do")
    return told


def _period(head: str, frequency: str) -> str | None:
    """The SDMX period of a head such as 2021, 2021年 or 2021年3月."""
    period = head
    if found := _YEAR.fullmatch(head):
        period = found.group(1)
    elif found := _MONTH.fullmatch(head):
        period = f"{found.group(1)}-{int(found.group(2)):02d}"
    try:
        period_start(period, frequency)
    except ValueError:
        return None
    return period


def _wanted(
    sides: Sequence[str], table: Table, names: Mapping[str, Sequence[str]], problems: list[str]
) -> dict[int, tuple[str, str | None]]:
    """Which rows hold a series that is wanted: its code, and the unit in the brackets of its name."""
    codes = {plain(name): code for code, printed in names.items() for name in printed}
    found: dict[int, tuple[str, str | None]] = {}
    for at, side in enumerate(sides):
        whole = plain(side)
        name, unit = (whole, None) if whole in codes else split_unit(whole)
        if side and name in codes:
            found[at] = codes[name], unit or None
    for code in names:
        count = [item for item, _ in found.values()].count(code)
        if count > 1:
            problems.append(f"{names[code][0]!r} stands {count} times; say with `rows` or `skip` which is meant")
    if not found:
        problems.append(
            f"none of the names of part {table.part} stands in the table: {', '.join(map(str, names.values()))}"
        )
    return found


def _unit_line(rows: Sequence[Row], table: Table, problems: list[str]) -> str | None:
    if table.unit_at is None:
        return table.unit
    letters, row = re.findall(r"[A-Z]+|\d+", table.unit_at)
    column, line = _column(letters), int(row) - 1
    printed = rows[line][column] if line < len(rows) and column < len(rows[line]) else ""
    found = _UNIT_LINE.match(printed)
    if not printed or (found is None and len(printed) > 20):
        problems.append(f"`unit_at`: cell {table.unit_at} holds no unit, but {printed!r}")
        return None
    return found.group(1) if found else printed
