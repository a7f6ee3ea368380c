"""Panels of lines over time, one below the other, each with axes of its own unit.

Belongs here: axes, strokes, gaps, and names at the ends of lines. Does not belong here: which lines there are (pictures).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from warehouse.papers.figures.captions import Origin
from warehouse.papers.figures.drawing.sheet import INK, PAPER, RULE, SERIES, Block, Place, Sheet, ems, wrap
from warehouse.papers.figures.pictures import Curve, Panel, Picture, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "os^Dvp"
#: Years without a value that still join.
_GAP = 1.5
#: A doubtful number stretches the axis to so many times the greatest of the others, and no farther.
_FAR = 3.0
#: What large numbers are counted in.
_SCALES = {"en": ((1e9, "billion"), (1e6, "million")), "zh": ((1e8, "亿"), (1e4, "万"))}
_CUT = {"en": "axis does not begin at zero", "zh": "纵轴不从零起"}


def blocks(picture: Picture, sheet: Sheet) -> list[Block]:
    """A block for each panel."""
    high = (15 if len(picture.panels) > 1 else 20) * sheet.type
    panels = [_Lines(panel, sheet, high, tuple(picture.origins)) for panel in picture.panels]
    return [Block(high + (len(panel.heading) + 2.6) * sheet.line, panel.draw) for panel in panels]


def sample(place: Place, picture: Picture, origin: Origin, x: float, y: float) -> None:
    """A piece of a line of that origin in the key, in the ink of the text."""
    from matplotlib.lines import Line2D

    size = place.sheet.type
    look = _stroke(origin, "o", INK, alone=len(picture.origins) == 1)
    xs, ys = zip(*(place.at(x + part * size, y) for part in (0.0, 1.2, 2.4)), strict=True)
    place.figure.add_artist(Line2D(xs, ys, markevery=[1], **look))


def _stroke(origin: Origin, marker: str, ink: str, *, alone: bool) -> dict[str, Any]:
    """How a line and its markers look; where there is one origin alone, as the newest data do."""
    look: dict[str, Any] = {"color": ink, "marker": marker, "markersize": 4, "linewidth": 1.4, "markeredgewidth": 1.0}
    if alone or origin == "now":
        return look
    if origin == "then":
        return look | {"linestyle": (0, (4, 2)), "linewidth": 1.0, "markerfacecolor": PAPER, "markersize": 5}
    return look | {"linestyle": (0, (1, 1.5)), "linewidth": 0.8, "marker": "x", "markersize": 5}


@dataclass(frozen=True)
class _Lines:
    """One panel; `high`: of its axes; `origins`: those of the whole chart."""

    panel: Panel
    sheet: Sheet
    high: float
    origins: tuple[Origin, ...]

    @property
    def levels(self) -> list[float]:
        """Round values that enclose the numbers; zero is among them when it is near."""
        from matplotlib.ticker import MaxNLocator

        points = [point for curve in self.panel.curves for points in curve.points.values() for point in points]
        far = _FAR * max((abs(point.value) for point in points if not point.doubtful), default=math.inf)
        values = [point.value for point in points if not point.doubtful or abs(point.value) <= far]
        low, high = min(values), max(values)
        low = 0.0 if 0 < low < 0.4 * high else low
        if low == high:
            low, high = low - abs(low) * 0.1 - 0.1, high + abs(high) * 0.1 + 0.1
        return [float(level) for level in MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]

    @property
    def scale(self) -> tuple[float, str]:
        """What the numbers on the upright axis are counted in: (1e9, "billion")."""
        largest = max(map(abs, self.levels))
        return next((pair for pair in _SCALES[self.sheet.language] if largest >= 10 * pair[0]), (1.0, ""))

    @property
    def heading(self) -> list[str]:
        """What is drawn, in which unit, and whether the axis is cut."""
        english, scale, unit = self.sheet.language == "en", self.scale[1], self.panel.unit
        counted = (f"{scale} {unit}" if english else f"{scale}{unit}") if scale else unit
        levels = self.levels
        cut = "" if levels[0] <= 0 <= levels[-1] else _CUT[self.sheet.language]
        between, colon = ("; ", ": ") if english else ("；", "：")
        text = between.join(part for part in (counted, cut) if part)
        return wrap(colon.join(part for part in (self.panel.heading, text) if part), self.sheet.inner, self.sheet.type)

    def draw(self, place: Place, top: float) -> None:
        """Heading, axes, lines, and their names where there are several."""
        sheet, panel, levels = self.sheet, self.panel, self.levels
        texts = _plain([level / self.scale[0] for level in levels])
        several = len(panel.curves) > 1
        labels = (
            ["\n".join(wrap(curve.label, sheet.width * 0.28, sheet.type)) for curve in panel.curves] if several else []
        )
        right = max((ems(line) for label in labels for line in label.split("\n")), default=0) * sheet.type + 10
        left = max(map(ems, texts)) * sheet.type + 6
        place.lines(self.heading, top, sheet.type, INK)
        top -= (len(self.heading) + 0.6) * sheet.line
        width = sheet.inner - left - right
        axes = place.axes(left, top - self.high, width, self.high)
        axes.set_ylim(levels[0], levels[-1])
        axes.set_yticks(levels, texts)
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        self._times(axes, width)
        for number, curve in enumerate(panel.curves):
            self._curve(axes, curve, _MARKERS[number % len(_MARKERS)], SERIES[number % len(SERIES)])
        if labels:
            self._names(axes, labels, (levels[-1] - levels[0]) / self.high)

    def _times(self, axes: Axes, width: float) -> None:
        """As many labels on the time axis as fit, counted back from the last."""
        ticks = sorted(self.panel.ticks.items())
        wide = (max(ems(text) for _, text in ticks) + 1) * self.sheet.type
        first, last = ticks[0][0], ticks[-1][0]
        margin = ((last - first) or 1) * 0.03
        shown: list[tuple[float, str]] = []
        for at, text in reversed(ticks):
            if not shown or (shown[-1][0] - at) / (last - first + 2 * margin) * width >= wide:
                shown.append((at, text))
        axes.set_xlim(first - margin, last + margin)
        axes.set_xticks([at for at, _ in shown], [text for _, text in shown])

    def _curve(self, axes: Axes, curve: Curve, marker: str, ink: str) -> None:
        for origin, points in curve.points.items():
            look = _stroke(origin, marker, ink, alone=len(self.origins) == 1)
            low, high = axes.get_ylim()
            inside = [point for point in points if low <= point.value <= high]
            for run in _runs(inside, joined=not self.panel.yearly):
                axes.plot([p.at for p in run], [p.value for p in run], clip_on=False, **look)
            self._doubtful(axes, [point for point in points if point.doubtful], look)
            for point in points:
                if point.flags:
                    axes.annotate(
                        point.flags, (point.at, point.value), (0, 8), textcoords="offset points", ha="center", va="center",
                        fontsize=self.sheet.type - 1.5, color=INK, zorder=5, annotation_clip=False,
                        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.4},
                    )  # fmt: skip

    def _doubtful(self, axes: Axes, points: Sequence[Point], look: dict[str, Any]) -> None:
        """Hollow; one beyond the axis stands at its end, with an arrow and its number."""
        low, high = axes.get_ylim()
        for point in points:
            at = min(max(point.value, low), high)
            axes.plot([point.at], [at], clip_on=False, **look | {"markerfacecolor": PAPER, "zorder": 4})
            if at != point.value:
                arrow = "\u2191" if point.value > high else "\u2193"
                axes.annotate(
                    f"{_plain([point.value])[0]} {arrow}", (point.at, at), (-6, 0), textcoords="offset points", ha="right",
                    va="center", fontsize=self.sheet.type - 0.5, color=INK, annotation_clip=False,
                )  # fmt: skip

    def _names(self, axes: Axes, labels: Sequence[str], per_point: float) -> None:
        """The name of each line beside its last point, moved up or down so that none covers another."""
        ends = [_end(curve) for curve in self.panel.curves]
        heights = _apart(
            [end.value for end in ends], [label.count("\n") + 1 for label in labels], self.sheet.line * per_point
        )
        right = axes.get_xlim()[1]
        for number, (label, end, height) in enumerate(zip(labels, ends, heights, strict=True)):
            axes.annotate(
                label, (right, height), (4, 0), textcoords="offset points", va="center", color=INK,
                fontsize=self.sheet.type, annotation_clip=False,
            )  # fmt: skip
            ink = SERIES[number % len(SERIES)]
            axes.plot([end.at, right], [end.value, height], color=ink, linewidth=0.5, clip_on=False, zorder=1)


def _end(curve: Curve) -> Point:
    """The last point; of several at one time that of the newest data."""
    return max((points[-1] for points in reversed(curve.points.values()) if points), key=lambda point: point.at)


def _apart(wanted: Sequence[float], lines: Sequence[int], line: float) -> list[float]:
    """Heights near those wanted, from below, with room between them for so many lines each."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    found = list(wanted)
    for lower, upper in pairwise(order):
        found[upper] = max(found[upper], found[lower] + line * (lines[lower] + lines[upper]) / 2)
    over = (sum(found) - sum(wanted)) / len(found)
    return [height - over for height in found]


def _runs(points: Sequence[Point], *, joined: bool) -> list[list[Point]]:
    """The points in stretches without a gap: no line is drawn over years that are not held."""
    runs: list[list[Point]] = []
    for point in points:
        if runs and (joined or point.at - runs[-1][-1].at <= _GAP):
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _plain(values: Sequence[float]) -> list[str]:
    """Round values with as many decimals as all of them need, thousands set off by thin spaces."""
    digits = next(
        n for n in range(13) if all(math.isclose(round(v, n), v, rel_tol=1e-9, abs_tol=1e-12) for v in values)
    )
    return [f"{value:,.{digits}f}".replace(",", "\u2009").replace("-", "\u2212") for value in values]
