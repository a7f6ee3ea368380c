"""One chart: a series by period, a line for every vintage that can be told apart, laid out for SVG.

Belongs here: which vintages share a line, and where lines, ticks and labels stand. Does not belong here: how it looks
(warehouse/templates/overview.html) or which series is shown (the caller).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from warehouse.clock import period_start

#: As many lines as stay legible; the first and the newest are always among them.
MOST_LINES = 6
#: Vintages whose common values differ by less than this share of the chart's height share a line.
TELL_APART = 0.01

#: (label, known_from, [(period, value)]): what was held of a series from one day on.
Line = tuple[str, str, list[tuple[str, float]]]
Point = tuple[float, float]

_SCALES = ((1e9, "billion"), (1e6, "million"))
_TEXT_HEIGHT = 16.0
_TEXT_WIDTH = 7.0  # of one character, at the size the template sets


@dataclass(frozen=True)
class ChartData:
    """What to draw. `unit` and `source` go on the axes; `lines` come in any order, one for each vintage."""

    title: str
    series: str
    unit: str
    source: str
    lines: list[Line]


@dataclass(frozen=True)
class State:
    """One line of the chart: consecutive vintages that cannot be told apart; label and points are the last one's."""

    label: str
    known_from: str
    vintages: int
    points: dict[str, float]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawn:
    """A state with its place: SVG path data, lone points, the line's end, and its label: beside or above that end."""

    state: State
    style: int  # 0 is the newest
    path: str
    dots: tuple[Point, ...]
    end: Point
    label: Point
    beside: bool


@dataclass(frozen=True)
class Layout:
    """A chart of one size; plot area is left..right, top..bottom in units of the view box."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Drawn, ...]
    from_zero: bool
    scale: str  # "billion", "million" or "": what the numbers on the value axis count


def states(lines: Sequence[Line]) -> list[State]:
    """The lines to draw, oldest first: neighbours in time that agree wherever both have a value become one."""
    found: list[State] = []
    ordered = sorted((line for line in lines if line[2]), key=lambda line: line[1])
    values = [value for _, _, points in ordered for _, value in points]
    tolerance = TELL_APART * (max(values) - min(values)) if values else 0.0
    for label, known_from, pairs in ordered:
        points = dict(pairs)
        last = found[-1] if found else None
        if last and all(abs(last.points[p] - points[p]) <= tolerance for p in last.points.keys() & points.keys()):
            found[-1] = State(label, known_from, last.vintages + 1, points)
        else:
            found.append(State(label, known_from, 1, points))
    return found


def drawable(found: Sequence[State]) -> list[State]:
    """At most MOST_LINES of them: the first, and the newest."""
    return list(found) if len(found) <= MOST_LINES else [found[0], *found[-(MOST_LINES - 1) :]]


def lay_out(shown: Sequence[State], width: int, height: int) -> Layout:
    """Place the states (oldest first, at least one) in a chart of that size."""
    periods = sorted({period for state in shown for period in state.points}, key=period_start)
    years = {period: _year(period_start(period)) for period in periods}
    values = [value for state in shown for value in state.points.values()]
    y_values = _nice_ticks(min(values), max(values))
    low, high = min(y_values[0], *values), max(y_values[-1], *values)
    factor, scale = next((entry for entry in _SCALES if max(-low, high) >= 10 * entry[0]), (1.0, ""))
    scaled = [value / factor for value in y_values]
    y_texts = [number(value, _exact(scaled)) for value in scaled]
    longest = _TEXT_WIDTH * max(len(state.label) for state in shown)
    left, right = 10 + _TEXT_WIDTH * max(map(len, y_texts)), width - 18 - longest
    top, bottom = 14, height - 28
    first, last = years[periods[0]], years[periods[-1]]

    def x(period: str) -> float:
        return round(left + (right - left) * (years[period] - first) / ((last - first) or 1), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / ((high - low) or 1), 1)

    step = min((later - earlier for earlier, later in pairwise(years.values())), default=1.0)
    drawn: list[Drawn] = []
    for style, state in enumerate(reversed(shown)):
        runs = _runs(state, years, step)
        places = [[(x(period), y(state.points[period])) for period in run] for run in runs]
        path = "".join("M" + "L".join(f"{px},{py}" for px, py in run) for run in places if len(run) > 1)
        dots = tuple(run[0] for run in places if len(run) == 1)
        end = places[-1][-1]
        beside = end[0] > right - longest
        label = (right + 12, end[1]) if beside else (end[0], end[1] - 12)
        drawn.append(Drawn(state, style, path, dots, end, label, beside))
    every = max(1, math.ceil(len(periods) * 46 / (right - left)))
    x_ticks = tuple(Tick(x(period), period) for period in periods[::-1][::every][::-1])
    y_ticks = tuple(Tick(y(value), text) for value, text in zip(y_values, y_texts, strict=True))
    return Layout(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=_without_overlap(drawn, top, bottom),
        from_zero=low <= 0 <= high,
        scale=scale,
    )


def number(value: float, digits: int) -> str:
    """A value with so many decimals, thousands set off by thin spaces."""
    return f"{value:,.{digits}f}".replace(",", "\u2009").replace("-", "\u2212")


def four_figures(values: Sequence[float]) -> int:
    """The decimals that show the largest of these values with four significant figures."""
    largest = max(map(abs, values), default=0.0)
    return max(0, 3 - math.floor(math.log10(largest))) if largest else 0


def _exact(values: Sequence[float]) -> int:
    """The fewest decimals that show each of these round values as it is."""
    return next(digits for digits in range(13) if all(math.isclose(round(v, digits), v, abs_tol=1e-12) for v in values))


def _year(day: date) -> float:
    return day.year + (day.month - 1) / 12


def _runs(state: State, years: dict[str, float], step: float) -> list[list[str]]:
    """The periods of a state in stretches without a gap: no line is drawn over years that are not held."""
    runs: list[list[str]] = []
    for period in sorted(state.points, key=period_start):
        if runs and years[period] - years[runs[-1][-1]] <= 1.5 * step:
            runs[-1].append(period)
        else:
            runs.append([period])
    return runs


def _nice_ticks(low: float, high: float) -> list[float]:
    """Round values that enclose low..high, four to seven of them; zero is enclosed when it is near."""
    if low > 0 and low < 0.4 * high:
        low = 0.0
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if span / (factor * power) <= 6)
    start, stop = math.floor(low / step), math.ceil(high / step)
    return [round(index * step, 12) for index in range(start, stop + 1)]


def _without_overlap(drawn: Sequence[Drawn], top: float, bottom: float) -> tuple[Drawn, ...]:
    """The same lines, oldest first, with their labels moved up or down so that none covers another."""
    beside = sorted((line for line in drawn if line.beside), key=lambda line: line.end[1])
    heights: list[float] = []
    for line in beside:
        heights.append(max(line.label[1], heights[-1] + _TEXT_HEIGHT if heights else top))
    ceiling = bottom
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - _TEXT_HEIGHT
    placed = [replace(line, label=(line.label[0], height)) for line, height in zip(beside, heights, strict=True)]
    for line in sorted((line for line in drawn if not line.beside), key=lambda line: line.label[1], reverse=True):
        x, y = line.label
        while any(_covers(line, (x, y), other) for other in placed if not other.beside):
            y -= _TEXT_HEIGHT
        placed.append(replace(line, label=(x, y)))
    return tuple(sorted(placed, key=lambda line: -line.style))


def _covers(line: Drawn, label: Point, other: Drawn) -> bool:
    width = _TEXT_WIDTH * max(len(line.state.label), len(other.state.label))
    return abs(label[0] - other.label[0]) < width and abs(label[1] - other.label[1]) < _TEXT_HEIGHT
