"""The triangle of a series, period × vintage: which value moved when, laid out for SVG.

Belongs here: what every cell did against the vintage before it, and where it stands. Does not belong here: which series is shown
(the caller) or how marks look (warehouse/templates/triangle.html).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from textwrap import wrap
from typing import Any

from warehouse.cells import RELATIVE_NOISE
from warehouse.chart import four_figures, number
from warehouse.clock import period_start
from warehouse.errors import UsageError
from warehouse.pages import fill
from warehouse.schema import Precision

#: As many columns and rows as stay legible; vintages that changed nothing shown are left out first.
MOST_VINTAGES = 30
MOST_PERIODS = 45
#: Relative changes from which on a mark is drawn larger.
SIZES = (0.005, 0.05)
PITCH_X, PITCH_Y = 22.0, 18.0
_TOP, _MARGIN, _LINE, _LEAST_WIDTH = 92.0, 16.0, 16.0, 500.0
_TEXT_WIDTH = 7.0  # of one digit, at the size the template sets
_NOTE_WIDTH, _TITLE_WIDTH = 6.4, 9.0  # of one letter on average
_HOW = (
    "Size of a triangle: below 0.5 %, below 5 %, 5 % and more, against the vintage before. Columns: vintages, by the day "
    "from which they were known; ground: a value was held."
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Mark:
    """One cell: its middle, what it did (held, first, up, down, gone, back, flagged), how much (0 to 2), and that in words."""

    x: float
    y: float
    did: str
    size: int
    title: str


@dataclass(frozen=True)
class Label:
    """A text with its place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Triangle:
    """A laid out triangle; `first` and `newest` are each period's value in the first and last vintage that has one."""

    title: str
    about: str
    width: float
    height: float
    left: float
    top: float
    bottom: float
    columns: tuple[Label, ...]
    periods: tuple[Label, ...]
    first: tuple[Label, ...]
    newest: tuple[Label, ...]
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]


def lay_out(rows: Iterable[Row], *, title: str, unit: str, source: str) -> Triangle:
    """Place a series; `rows` are those of warehouse.questions.vintages with a period: every vintage of every period.

    Raises UsageError when no vintage holds a value.
    """
    ordered = sorted(rows, key=lambda row: (row["known_from"], row["vintage"]))
    held = sorted({row["period"] for row in ordered if row["value"] is not None}, key=period_start)
    if not held:
        raise UsageError(
            "there is nothing to draw: no vintage holds a value",
            next_step="`figurekeeper vintages SERIES --period A:B` shows what is held",
        )
    periods = held[-MOST_PERIODS:]
    table = [_column(list(one)) for _, one in groupby(ordered, key=lambda row: (row["known_from"], row["vintage"]))]
    drawn = _drawn(table, periods)
    first, newest = (_texts(columns, periods) for columns in (drawn, drawn[::-1]))
    before = _MARGIN + _TEXT_WIDTH * (max(map(len, periods)) + max(7, *map(len, first)))
    behind = _TEXT_WIDTH * max(8, *map(len, newest)) + _MARGIN
    left, bottom = before + 14, _TOP + PITCH_Y * len(periods)
    width = max(left + PITCH_X * len(drawn) + behind + 10, _LEAST_WIDTH, 2 * _MARGIN + _TITLE_WIDTH * len(title))
    middles = [_TOP + PITCH_Y * (index + 0.5) for index in range(len(periods))]
    across = [left + PITCH_X * (index + 0.5) for index in range(len(drawn))]
    notes = [f"{ordered[0]['series']}, {unit}", f"Source: {source}", *_left_out(table, drawn, held, periods)]
    wrapped = tuple(text for note in (_HOW, *notes) for text in wrap(note, int((width - 2 * _MARGIN) / _NOTE_WIDTH)))
    edge = left + PITCH_X * len(drawn) + behind - _MARGIN
    return Triangle(
        title=title,
        about=f"{title}: what each vintage changed, by period",
        width=width,
        height=bottom + 44 + _LINE * len(wrapped),
        left=left,
        top=_TOP,
        bottom=bottom,
        columns=tuple(Label(x, _TOP - 8, day) for x, (day, _) in zip(across, drawn, strict=True)),
        periods=_labels(_MARGIN, middles, periods),
        first=_labels(before, middles, first),
        newest=_labels(edge, middles, newest),
        marks=tuple(_marks(drawn, list(zip(middles, periods, strict=True)), across)),
        notes=wrapped,
    )


def svg(triangle: Triangle) -> str:
    """The triangle as one SVG document that needs nothing from outside."""
    return fill("triangle.html", triangle=triangle)


_Column = tuple[str, dict[str, Row]]


def _column(rows: Sequence[Row]) -> _Column:
    """The day of a vintage, and its rows by period."""
    return _day(rows[0]), {row["period"]: row for row in rows}


def _labels(x: float, heights: Sequence[float], texts: Sequence[str]) -> tuple[Label, ...]:
    return tuple(Label(x, y, text) for y, text in zip(heights, texts, strict=True))


def _marks(drawn: Sequence[_Column], periods: Sequence[tuple[float, str]], across: Sequence[float]) -> Iterator[Mark]:
    for place, x in enumerate(across):
        for y, period in periods:
            did = _did([column[period] for _, column in drawn[: place + 1]], drawn[place][0])
            if did is not None:
                yield Mark(x, y, *did)


def _day(row: Row) -> str:
    """From when a vintage was known, as exactly as its stamp says."""
    return str(row["known_from"])[: {Precision.YEAR: 4, Precision.MONTH: 7}.get(row["precision"], 10)]


def _drawn(table: list[_Column], periods: Sequence[str]) -> list[_Column]:
    """The first vintage and those that changed something shown, at most MOST_VINTAGES; all of them when that is not too many."""
    if len(table) > MOST_VINTAGES:
        moved = [now for before, now in pairwise(table) if _differ(before, now, periods)]
        table = [table[0], *moved[-(MOST_VINTAGES - 1) :]]
    return table


def _differ(before: _Column, now: _Column, periods: Sequence[str]) -> bool:
    found = (_did([before[1][period], now[1][period]], "") for period in periods)
    return any(did is not None and did[0] != "held" for did in found)


def _texts(drawn: Sequence[_Column], periods: Sequence[str]) -> list[str]:
    """The first value that these columns have of each period, in four figures of the largest."""
    values = [
        next((column[p]["value"] for _, column in drawn if column[p]["value"] is not None), None) for p in periods
    ]
    digits = four_figures([value for value in values if value is not None])
    return ["" if value is None else number(value, digits) for value in values]


def _did(past: Sequence[Row], day: str) -> tuple[str, int, str] | None:
    """What the last of a period's rows did against the one before: a word, a size and a sentence; None for nothing."""
    now, before = past[-1], past[-2] if len(past) > 1 else None
    old, new = before["value"] if before else None, now["value"]
    told = f"{now['period']}, known from {day}:"
    if new is None:
        return None if old is None else ("gone", 0, f"{told} {old:.10g} withdrawn")
    if before is None or old is None:
        back = any(row["value"] is not None for row in past[:-1])
        return ("back", 0, f"{told} {new:.10g} again") if back else ("first", 0, f"{told} {new:.10g}")
    if abs(new - old) > RELATIVE_NOISE * abs(old):
        share = (new - old) / abs(old) if old else math.copysign(math.inf, new)
        size = sum(abs(share) >= bound for bound in SIZES)
        return ("up" if share > 0 else "down"), size, f"{told} {old:.10g} → {new:.10g} ({share:+.2%})"
    if before["status"] != now["status"]:
        flags = " → ".join(row["status"] or "none" for row in (before, now))
        return "flagged", 0, f"{told} {new:.10g}, flags {flags}"
    return "held", 0, f"{told} {new:.10g}"


def _left_out(
    table: Sequence[_Column], drawn: Sequence[_Column], held: Sequence[str], shown: Sequence[str]
) -> list[str]:
    """What is not drawn, in words."""
    told = []
    if len(drawn) < len(table):
        told.append(f"Not drawn: {len(table) - len(drawn)} vintages that changed nothing here or lie between.")
    if len(shown) < len(held):
        told.append(f"Not drawn: {len(held) - len(shown)} periods before {shown[0]}.")
    return told
