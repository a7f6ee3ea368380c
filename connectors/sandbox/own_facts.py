"""A user's own facts: a folder of SDMX-CSV downloads, each served as the OECD flow that it is a download of.

Belongs here: reading such files (as the OECD's Data Explorer writes them, with or without labels) and refusing bad ones with file
and line when the sandbox starts. `NAME@2026-10-01.csv` is known from the end of that day on, a name without a day always;
several files of one flow are its vintages. The reader is this module's own, as everything on this side of the wire.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from connectors.sandbox import oecd_flows
from connectors.sandbox.facts import Cell, Cells, Vintage
from connectors.sandbox.oecd_flows import Flow
from warehouse.errors import FigurekeeperError, UsageError

#: Where the economies are, in the order of what is looked for; else the first dimension.
_AREAS = ("REF_AREA", "LOCATION", "COU", "COUNTRY")
_LEADS = ("DATAFLOW", "STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION")
_FLOW = re.compile(r"(?P<agency>[\w.]+):(?P<id>[\w@]+)\((?P<version>\d+(\.\d+)*)\)")
_PERIOD = re.compile(r"\d{4}(-(Q[1-4]|S[12]|W\d\d|(0[1-9]|1[0-2])(-\d\d)?))?")
_ALWAYS = date(1900, 1, 1)


class OwnFactsError(FigurekeeperError):
    """A file of a user's own facts cannot be served; the message names file and line."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(
            f"{path}:{line}: {message}",
            next_step="download it again from the OECD's Data Explorer (all of SDMX-CSV), or take it out of the folder",
        )


class _Columns(NamedTuple):
    """Where things stand in a row."""

    flow: int
    name: int | None
    action: int | None
    dimensions: dict[str, int]
    period: int
    value: int
    attributes: dict[str, int]
    labelled: bool  # the label of a column stands behind it


@dataclass(frozen=True)
class _File:
    """One file: a vintage of a flow."""

    path: Path
    agency: str
    flow: str
    version: str
    name: str
    known_on: date
    columns: _Columns
    cells: Cells
    labels: dict[str, dict[str, str]]  # column → code → label


@dataclass(frozen=True)
class OwnFlow(Flow):
    """A flow whose vintages come from files of the user; all its attributes stand with each observation."""

    held: tuple[tuple[Vintage, Cells], ...] = field(default=(), repr=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """One part: a file speaks of the whole flow."""
        return (self.id,)

    def newest(self, on: date | None) -> Vintage | None:
        """The vintage that is newest at the end of `on`, or of today: a file may be of a day that is still to come."""
        day = on or datetime.now(UTC).date()
        return next((vintage for vintage, _ in reversed(self.held) if vintage.day <= day), None)

    def cells(self, part: str, on: date | None) -> Cells:
        """The cells of the vintage that is newest at the end of `on`."""
        newest = self.newest(on)
        return next((cells for vintage, cells in self.held if vintage is newest), {})


def read(folder: Path) -> tuple[OwnFlow, ...]:
    """The flows of all `*.csv` in a folder. Raises OwnFactsError, which names the file and the line, or UsageError."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} of facts", next_step="name a folder that exists")
    by_flow: dict[tuple[str, str], list[_File]] = {}
    for path in sorted(folder.glob("*.csv")):
        one = _read_file(path)
        by_flow.setdefault((one.agency, one.flow), []).append(one)
    return tuple(_flow(files) for files in by_flow.values())


def walk_dates(folder: Path, reference: str) -> list[date]:
    """The days on which the files of a flow ("AGENCY,DSD@DF,VERSION") are said to be of, sorted. Raises as `read` does."""
    agency, flow, *_ = reference.split(",")
    held = [vintage for own in read(folder) if (own.agency, own.id) == (agency, flow) for vintage, _ in own.held]
    return sorted({vintage.day for vintage in held if vintage.native})


def _flow(files: list[_File]) -> OwnFlow:
    files = sorted(files, key=lambda one: one.known_on)
    newest = files[-1]
    for one, after in pairwise(files):
        if one.known_on == after.known_on:
            day = "always" if one.known_on == _ALWAYS else f"from {one.known_on}"
            raise OwnFactsError(after.path, 1, f"{after.flow} is known {day} from {one.path.name} already")
        if list(one.columns.dimensions) != list(after.columns.dimensions):
            raise OwnFactsError(after.path, 1, f"{after.flow} has other dimensions here than in {one.path.name}")
    if any((known.agency, known.id) == (newest.agency, newest.flow) for known in oecd_flows.known()):
        raise OwnFactsError(newest.path, 1, f"the sandbox has facts of its own of {newest.agency}:{newest.flow}")
    observed = tuple(dict.fromkeys(name for one in reversed(files) for name in one.columns.attributes))
    lists = {name: f"{newest.agency}:CL_{name}(1.0)" for name in newest.columns.dimensions}
    labels = _labels(files)
    return OwnFlow(
        *(f"{newest.agency}:{newest.flow}", newest.agency, newest.flow, newest.name),
        lists=lists,
        area=next((name for name in _AREAS if name in lists), next(iter(lists))),
        attributes=observed,
        codes={listed: labels[name] for name, listed in lists.items()},
        observed=observed,
        notes={name: labels.get(name, {}) for name in observed},
        held=tuple((_vintage(one), _ordered(one, observed)) for one in files),
    )


def _labels(files: Sequence[_File]) -> dict[str, dict[str, str]]:
    labels: dict[str, dict[str, str]] = {}
    for one in files:
        for column, known in one.labels.items():
            labels.setdefault(column, {}).update(known)
    return {column: dict(sorted(known.items())) for column, known in labels.items()}


def _vintage(one: _File) -> Vintage:
    """A dated file counts as stamped by its publisher on that day; one without a day has no stamp."""
    dated = one.known_on != _ALWAYS
    stamp = f"{one.known_on}T00:00:00Z" if dated else ""
    words = ("instant", "publisher") if dated else ("day", "carried")
    flow = f"{one.agency}:{one.flow}"
    return Vintage(flow, one.flow, one.path.name, str(one.known_on), stamp, *words, one.version, str(one.path), "")


def _ordered(one: _File, observed: Sequence[str]) -> Cells:
    """The cells with their attributes in the order of the flow, which may have more than the file."""
    if list(one.columns.attributes) == list(observed):
        return one.cells
    places = [list(one.columns.attributes).index(name) if name in one.columns.attributes else None for name in observed]
    return {
        place: Cell(cell.value, tuple("" if n is None else cell.status[n] for n in places))
        for place, cell in one.cells.items()
    }


def _read_file(path: Path) -> _File:
    (first, header), *rows = _rows(path)
    columns = _columns(path, first, header)
    if not rows:
        raise OwnFactsError(path, first, "there is a header, but no observation")
    cells: Cells = {}
    labels: dict[str, dict[str, str]] = {name: {} for name in (*columns.dimensions, *columns.attributes)}
    line, row = rows[0]
    flow = row[columns.flow] if len(row) > columns.flow else ""
    match = _FLOW.fullmatch(flow)
    if match is None:
        raise OwnFactsError(path, line, f"{flow!r} is not a dataflow such as OECD.STI.STP:DSD_MSTI@DF_MSTI(1.3)")
    name = row[columns.name] if columns.name is not None else match["id"]
    for line, row in rows:
        if len(row) != len(header):
            raise OwnFactsError(path, line, f"{len(row)} fields, but the header has {len(header)}")
        if row[columns.flow] != flow:
            raise OwnFactsError(path, line, f"a row of {row[columns.flow]}, but the first is of {flow}")
        place, cell = _observation(path, line, row, columns)
        if place in cells:
            raise OwnFactsError(path, line, f"series {place[0]} has {place[1]} twice")
        cells[place] = cell
        _learn(labels, row, columns)
    cells = dict(sorted(cells.items()))  # once, not at every question
    return _File(path, match["agency"], match["id"], match["version"], name, _known_on(path), columns, cells, labels)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """All rows with the line on which each ends; one at least."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise OwnFactsError(path, 1, f"cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise OwnFactsError(path, 1, f"not a CSV in UTF-8 ({error})") from error
    if not rows:
        raise OwnFactsError(path, 1, "the file is empty")
    return rows


def _known_on(path: Path) -> date:
    match = re.search(r"@(\d{4}-\d\d-\d\d)$", path.stem)
    try:
        return date.fromisoformat(match[1]) if match else _ALWAYS
    except ValueError:
        raise OwnFactsError(path, 1, f"the name ends in {path.stem[-11:]}, which is no day") from None


def _columns(path: Path, line: int, header: Sequence[str]) -> _Columns:
    """Take a header apart. Raises OwnFactsError when it is not that of SDMX-CSV."""
    lead = next((n for n, name in enumerate(header) if name not in _LEADS), len(header))
    missing = [name for name in ("TIME_PERIOD", "OBS_VALUE") if header.count(name) != 1]
    if (
        header[0] not in ("DATAFLOW", "STRUCTURE")
        or missing
        or (header[0] == "STRUCTURE" and "STRUCTURE_ID" not in header)
    ):
        raise OwnFactsError(path, line, "not an SDMX-CSV: the first column is DATAFLOW or STRUCTURE (then STRUCTURE_ID), and "
                            "TIME_PERIOD and OBS_VALUE stand once each")  # fmt: skip
    period, value = header.index("TIME_PERIOD"), header.index("OBS_VALUE")
    labelled = value == period + 2
    step = 2 if labelled else 1
    if (value - period) != step or (period - lead) % step or not period - lead:
        raise OwnFactsError(path, line, "before TIME_PERIOD stand the dimensions, and OBS_VALUE follows it")
    codes = {name: n for n, name in enumerate(header) if n >= lead and (n - lead) % step == 0}
    wrong = [name for name in codes if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name)]
    if wrong or len(codes) != len(range(lead, len(header), step)):
        raise OwnFactsError(path, line, f"{', '.join(wrong) or 'a column'} is not the id of a column, or stands twice")
    return _Columns(
        flow=header.index("STRUCTURE_ID") if header[0] == "STRUCTURE" else 0,
        name=header.index("STRUCTURE_NAME") if "STRUCTURE_NAME" in header else None,
        action=header.index("ACTION") if "ACTION" in header else None,
        dimensions={name: n for name, n in codes.items() if n < period},
        period=period,
        value=value,
        attributes={name: n for name, n in codes.items() if n > value},
        labelled=labelled,
    )


def _observation(path: Path, line: int, row: Sequence[str], columns: _Columns) -> tuple[tuple[str, str], Cell]:
    if columns.action is not None and row[columns.action] == "D":
        raise OwnFactsError(path, line, "ACTION D deletes, and a download of facts has nothing to delete")
    codes = {name: row[n] for name, n in columns.dimensions.items()}
    for name, code in codes.items():
        if not _is_code(code):
            raise OwnFactsError(path, line, f"{code!r} in column {name} is not a code")
    period, value = row[columns.period], row[columns.value]
    if not _PERIOD.fullmatch(period):
        raise OwnFactsError(
            path, line, f"{period!r} in column TIME_PERIOD is not a period such as 2017, 2017-Q3 or 2017-05"
        )
    if value and not _is_number(value):
        raise OwnFactsError(path, line, f"{value!r} in column OBS_VALUE is not a number")
    return (".".join(codes.values()), period), Cell(value, tuple(row[n] for n in columns.attributes.values()))


@lru_cache(maxsize=4096)
def _is_code(text: str) -> bool:
    return re.fullmatch(r"[\w@$-]+", text) is not None


def _is_number(text: str) -> bool:
    try:
        return text == text.strip() and Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _learn(labels: Mapping[str, dict[str, str]], row: Sequence[str], columns: _Columns) -> None:
    """Keep the labels of a row; without label columns a code is its own."""
    for name, n in (*columns.dimensions.items(), *columns.attributes.items()):
        if row[n]:
            labels[name][row[n]] = row[n + 1] if columns.labelled else row[n] if name in columns.dimensions else ""
