"""What a chart of an exhibit shows: panels of lines or bars, their words and notes, free of any drawing library.

Belongs here: which rows share a panel, what is marked and how it is named, in English or Chinese. Does not belong here: notes
(captions), ink (drawing), and how the rows came about (exhibits).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from warehouse.chart import four_figures, number
from warehouse.clock import period_start
from warehouse.papers import economies
from warehouse.papers.figures.captions import ORIGINS, Origin, doubtful, flags, notes, value
from warehouse.papers.figures.citations import Language, heading

if TYPE_CHECKING:
    from warehouse.papers.figures.exhibits import Row, Told

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
#: A ranking shows so many economies from the top, and those of which the paper speaks.
TOP = 15


@dataclass(frozen=True)
class Point:
    """A value at a place on the time axis (years, a month being a twelfth). `flags` are codes such as P; `doubtful`: the paper
    itself speaks against it."""

    at: float
    value: float
    flags: str = ""
    doubtful: bool = False


@dataclass(frozen=True)
class Curve:
    """One line of a panel, as often as it has origins."""

    label: str
    points: dict[Origin, tuple[Point, ...]]


@dataclass(frozen=True)
class Bars:
    """The bars of one category. `texts` are the numbers as they are written beside them, with their flags; `marked`: the
    paper speaks of it."""

    label: str
    values: dict[Origin, float]
    texts: dict[Origin, str]
    marked: bool = False


@dataclass(frozen=True)
class Panel:
    """Axes of one unit. Either curves, or bars."""

    heading: str
    unit: str
    curves: tuple[Curve, ...] = ()
    bars: tuple[Bars, ...] = ()
    ticks: dict[float, str] = field(default_factory=dict)
    yearly: bool = True


@dataclass(frozen=True)
class Picture:
    """A whole chart in one language."""

    id: str
    form: str
    title: str
    panels: tuple[Panel, ...]
    origins: dict[Origin, str]
    notes: tuple[str, ...]


def of(told: Told, language: Language) -> Picture | None:
    """What the exhibit's chart shows; None where no chart is declared or no number is there to be drawn."""
    rows = [row for row in told.rows if any(value(row, origin) is not None for origin in ORIGINS)]
    if told.exhibit.chart == "none" or not rows:
        return None
    panels = {"lines": _lines, "bars": _bars, "ranking": _ranking}[told.exhibit.chart](told, rows, language)
    origins = [origin for origin in ORIGINS if any(value(row, origin) is not None for row in rows)]
    names = {origin: getattr(ORIGINS[origin], language) for origin in origins}
    return Picture(
        told.exhibit.id, told.exhibit.chart, heading(told.exhibit, language), tuple(panels), names,
        tuple(notes(told, rows, language)),
    )  # fmt: skip


def _lines(told: Told, rows: Sequence[Row], language: Language) -> list[Panel]:
    """A panel for each unit, one below the other: two quantities never share an axis."""
    found = []
    by = _identity(rows)
    for unit, members in _grouped(rows, lambda row: (row["unit"], row["scale"])).items():
        curves = [
            Curve(_label(member, by, language), {origin: _points(member, origin) for origin in ORIGINS})
            for member in _grouped(members, partial(_fields, by)).values()
        ]
        ticks = {_at(row["period"]): _period(row["period"]) for row in members}
        yearly = all(re.fullmatch(r"[0-9]{4}(:[0-9]{4})?", row["period"]) for row in members)
        alone = curves[0].label if len(curves) == 1 else ""
        found.append(Panel(alone, _unit(told, unit[0], unit[1], language), tuple(curves), ticks=ticks, yearly=yearly))
    return found


def _bars(told: Told, rows: Sequence[Row], language: Language) -> list[Panel]:
    """A panel for each row of the table, or column where these are fewer; the bars are the other."""
    across = _in("column", language) if any(row["column"] for row in rows) else "period"
    outer, inner = sorted((_in("row", language), across), key=lambda name: len({row[name] for row in rows}))
    return [
        Panel(
            panel[0] or "",
            _unit(told, panel[1], panel[2], language),
            bars=tuple(_bar(row, row[inner] or "") for row in members),
        )
        for panel, members in _grouped(rows, lambda row: (row[outer], row["unit"], row["scale"])).items()
    ]


def _ranking(told: Told, rows: Sequence[Row], language: Language) -> list[Panel]:
    """The economies by size, the largest first: those at the top, and those of which the paper speaks."""
    last = max(row["period"] for row in rows)
    ordered = sorted(
        (row for row in rows if row["period"] == last and _newest(row) is not None),
        key=lambda row: (-(_newest(row) or 0.0), row["entity"]),
    )
    shown = [
        _bar(row, f"{rank}  {economies.name(row['entity'], language)}", marked=row["entity"] in told.spoken)
        for rank, row in enumerate(ordered, start=1)
        if rank <= TOP or row["entity"] in told.spoken
    ]
    one, many = ordered[0], len(ordered)
    counted = f", {last} ({many} economies)" if language == "en" else f"，{last}（{many}个经济体）"
    unit = _unit(told, one["unit"], one["scale"], language)
    return [Panel(one[_in("row", language)] + counted, unit, bars=tuple(shown))]


def _newest(row: Row) -> float | None:
    now = value(row, "now")
    return value(row, "then") if now is None else now


def _bar(row: Row, label: str, *, marked: bool = False) -> Bars:
    """A category: its numbers as printed, and those of the data with a digit more, or four figures where none is printed."""
    values = {origin: found for origin in ORIGINS if (found := value(row, origin)) is not None}
    printed = row["printed"]
    digits = len(printed.partition(".")[2]) + 1 if printed else four_figures(list(values.values()))
    texts = {
        origin: " ".join(
            filter(
                None,
                [printed.replace("-", "\u2212") if origin == "printed" else number(found, digits), flags(row, origin)],
            )
        )
        for origin, found in values.items()
    }
    return Bars(label, values, texts, marked)


def _identity(rows: Sequence[Row]) -> tuple[str, ...]:
    """The fields that tell the lines apart: those by which there are fewest, while no period comes twice in one."""
    candidates = (
        ("row",),
        ("column",),
        ("entity",),
        ("row", "entity"),
        ("row", "entity", "partner"),
        ("row", "column"),
    )
    found = {}
    for names in candidates:
        lines = _grouped(rows, partial(_fields, names))
        if all(len({row["period"] for row in line}) == len(line) for line in lines.values()):
            found[names] = len(lines)
    return min(found, key=lambda names: found[names], default=("row", "column", "entity", "partner"))


def _fields(names: Sequence[str], row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _label(rows: Sequence[Row], by: Sequence[str], language: Language) -> str:
    one = rows[0]
    texts = [
        economies.name(one[name], language) if name in ("entity", "partner") else one[_in(name, language)]
        for name in by
        if one[name]
    ]
    return ", ".join(texts)


def _points(rows: Sequence[Row], origin: Origin) -> tuple[Point, ...]:
    found = [
        Point(
            _at(row["period"]),
            number,
            "" if origin == "then" and _told_now(row) else flags(row, origin),
            doubtful(row, origin),
        )
        for row in rows
        if (number := value(row, origin)) is not None
    ]
    return tuple(sorted(found, key=lambda point: point.at))


def _told_now(row: Row) -> bool:
    """Whether the number of now, at the same place, bears the flags of then."""
    return value(row, "now") is not None and flags(row, "now") == flags(row, "then")


def _at(period: str) -> float:
    """Where a period stands: a range at its end, a month in its year."""
    last = period_start(period.rpartition(":")[2])
    return last.year + (last.month - 1) / 12


def _period(period: str) -> str:
    """2001:2010 as 2001–10."""
    first, colon, last = period.partition(":")
    return f"{first}\u2013{last[2:] if len(last) == 4 else last}" if colon else first


def _unit(told: Told, unit: str, scale: int, language: Language) -> str:
    words = told.units.get(unit)
    name = getattr(words, language) if words else unit
    return f"{name} × 10{str(scale).translate(_RAISED)}" if scale else name


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _in(name: str, language: Language) -> str:
    return name if language == "en" else f"{name}_zh"


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items by a key, both in the order in which they come."""
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
