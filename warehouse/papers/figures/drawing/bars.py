"""Panels of lying bars with their numbers beside them, on a wide sheet several side by side; and rankings.

Belongs here: rows, bars and numbers. Does not belong here: which bars there are and in which order (pictures).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from warehouse.papers.figures.captions import ORIGINS, Origin
from warehouse.papers.figures.drawing.sheet import INK, PAPER, SERIES, SOFT, Block, Place, Sheet, ems, wrap
from warehouse.papers.figures.pictures import Bars, Panel, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How a bar looks: fill, edge, hatch.
_LOOK: dict[Origin, tuple[str, str, str]] = {
    "printed": (PAPER, INK, ""),
    "then": (PAPER, SERIES[0], "/////"),
    "now": (SERIES[0], SERIES[0], ""),
}
_THEN: dict[str, Any] = {
    "color": INK,
    "marker": "D",
    "markersize": 3.5,
    "markerfacecolor": PAPER,
    "linestyle": "none",
    "markeredgewidth": 0.8,
}


def blocks(picture: Picture, sheet: Sheet) -> list[Block]:
    """A block for each row of panels; those that stand side by side have the same bars, named once."""
    alike = len({tuple(bar.label for bar in panel.bars) for panel in picture.panels}) == 1
    columns = min(sheet.columns, len(picture.panels)) if alike else 1
    rows = [picture.panels[start : start + columns] for start in range(0, len(picture.panels), columns)]
    highest = {panel.unit: [0.0, 0.0] for panel in picture.panels}
    for panel in picture.panels:
        values = [value for bar in panel.bars for value in bar.values.values()]
        low, high = highest[panel.unit]
        highest[panel.unit] = [min(low, *values), max(high, *values)]
    made = [_Row(row, sheet, columns, picture.form == "ranking", highest) for row in rows]
    return [Block(row.head + sum(row.room) + sheet.line, row.draw) for row in made]


def sample(place: Place, picture: Picture, origin: Origin, x: float, y: float) -> None:
    """A small bar of that origin in the key; in a ranking the data of then are a mark on the bar of now."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    size = place.sheet.type
    if picture.form == "ranking" and origin == "then" and "now" in picture.origins:
        across, up = place.at(x + 1.2 * size, y)
        place.figure.add_artist(Line2D([across], [up], **_THEN))
        return
    fill, edge, hatch = _LOOK[origin]
    low, high = place.at(x, y - 0.4 * size), place.at(x + 2.4 * size, y + 0.4 * size)
    box = Rectangle(low, high[0] - low[0], high[1] - low[1], facecolor=fill, edgecolor=edge, hatch=hatch, linewidth=0.7)
    place.figure.add_artist(box)


@dataclass(frozen=True)
class _Row:
    """Panels side by side. `range_of`: the least and the greatest value of a unit in the whole chart, zero included."""

    panels: Sequence[Panel]
    sheet: Sheet
    columns: int
    ranking: bool
    range_of: dict[str, list[float]]

    @cached_property
    def origins(self) -> list[Origin]:
        """Those that have bars of their own in these panels."""
        held = {origin for panel in self.panels for bar in panel.bars for origin in bar.values}
        marked = {"then"} if self.ranking and "now" in held else set()
        return [origin for origin in ORIGINS if origin in held - marked]

    @property
    def thick(self) -> float:
        """Height of a bar and the air around it."""
        return self.sheet.type * 1.25

    @cached_property
    def labels(self) -> list[list[str]]:
        """The names of the bars, in lines."""
        return [wrap(bar.label, self.sheet.width * 0.3, self.sheet.type) for bar in self.panels[0].bars]

    @cached_property
    def room(self) -> list[float]:
        """The height of each name's bars."""
        air = self.sheet.type * (0.35 if self.ranking else 0.8)
        bars = self.thick * len(self.origins)
        return [max(bars, len(label) * self.sheet.line) + air for label in self.labels]

    @cached_property
    def left(self) -> float:
        """Where the first panel begins."""
        return max(ems(line) for label in self.labels for line in label) * self.sheet.type + 6

    @property
    def width(self) -> float:
        """Of one panel."""
        return (self.sheet.inner - self.left) / self.columns

    @cached_property
    def headings(self) -> list[list[str]]:
        """What each panel shows, and below it the unit."""
        size, width = self.sheet.type, self.width - 6
        return [[*wrap(panel.heading, width, size), *wrap(panel.unit, width, size)] for panel in self.panels]

    @property
    def head(self) -> float:
        """Height of the headings."""
        return max(map(len, self.headings)) * self.sheet.line + 4

    def draw(self, place: Place, top: float) -> None:
        """Headings, names, bars."""
        size, base = self.sheet.type, top - self.head
        for number, (panel, heading) in enumerate(zip(self.panels, self.headings, strict=True)):
            start = self.left + number * self.width
            units = len(wrap(panel.unit, self.width - 6, size))
            place.lines(heading[:-units], top, size, INK, start)
            place.lines(heading[-units:], top - (len(heading) - units) * self.sheet.line, size, SOFT, start)
            self._panel(place.axes(start, base - sum(self.room), self.width - 8, sum(self.room)), panel)
        for label, high in zip(self.labels, self.room, strict=True):
            place.text(self.left - 5, base - high / 2, "\n".join(label), size, INK, ha="right", va="center")
            base -= high

    def _panel(self, axes: Axes, panel: Panel) -> None:
        """One unit of the upright axis is a point; along the other is room for the longest number."""
        texts = [text for bar in panel.bars for text in bar.texts.values()]
        beside = (max(map(ems, texts), default=1.0) + 2.5) * self.sheet.type
        low, high = self.range_of[panel.unit]
        width = self.width - 8
        axes.set_xlim(low, low + ((high - low) or 1.0) * width / max(width - beside, width * 0.3))
        axes.set_ylim(sum(self.room), 0)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        axes.spines["left"].set_position(("data", 0))
        origins = [origin for origin in self.origins if any(origin in bar.values for bar in panel.bars)]
        top = 0.0
        for bar, high in zip(panel.bars, self.room, strict=True):
            at = top + (high - self.thick * (len(origins) - 1)) / 2
            for origin in origins:
                self._bar(axes, bar, origin, at)
                at += self.thick
            if "then" not in origins and "then" in bar.values:
                axes.plot([bar.values["then"]], [top + high / 2], **_THEN)
            top += high

    def _bar(self, axes: Axes, bar: Bars, origin: Origin, at: float) -> None:
        value = bar.values.get(origin)
        if value is None:
            return
        fill, edge, hatch = _LOOK[origin]
        if self.ranking and not bar.marked:
            fill = edge = SERIES[5]
        axes.barh(at, value, height=self.thick * 0.8, facecolor=fill, edgecolor=edge, hatch=hatch, linewidth=0.7)
        end = max([value, 0.0, *(bar.values.values() if self.ranking else [])])
        mark = " \u25c0" if bar.marked else ""
        axes.annotate(
            f"{bar.texts[origin]}{mark}", (end, at), (6 if self.ranking else 4, 0), textcoords="offset points",
            va="center", fontsize=self.sheet.type - 0.5, color=INK, annotation_clip=False,
        )  # fmt: skip
