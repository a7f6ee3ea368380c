"""The paper a chart is drawn on: its size and inks, texts measured and broken into lines, axes placed in points.

Belongs here: what panels of every kind need. Does not belong here: the panels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.papers.figures.citations import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, RULE, PAPER = "#1b2127", "#57616b", "#d5dbe0", "#ffffff"
#: One for each line: blue, vermilion, green, purple, ochre, grey. Told apart by the colour-blind, and by markers in grey.
SERIES = ("#0b4f8a", "#d55e00", "#009e73", "#b4558f", "#b98300", "#7a848e")
MARGIN = 4.0
LEADING = 1.4


@dataclass(frozen=True)
class Sheet:
    """The paper: its width and its size of type in points, and the language."""

    width: float
    type: float
    language: Language

    @property
    def line(self) -> float:
        """Height of a line of text."""
        return self.type * LEADING

    @property
    def inner(self) -> float:
        """The width within the margins."""
        return self.width - 2 * MARGIN

    @property
    def columns(self) -> int:
        """How many panels of bars stand side by side at most."""
        return 3 if self.width > 400 else 1


@dataclass(frozen=True)
class Place:
    """A figure measured in points: x from the left margin, y from the lower edge."""

    figure: Figure
    sheet: Sheet
    height: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place as matplotlib counts it: in parts of the figure."""
        return (MARGIN + x) / self.sheet.width, y / self.height

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes without upper and right edge."""
        box = (*self.at(left, bottom), width / self.sheet.width, height / self.height)
        axes = self.figure.add_axes(box, facecolor="none")
        axes.tick_params(labelsize=self.sheet.type, pad=2)
        axes.spines[["top", "right"]].set_visible(False)
        return axes

    def text(self, x: float, y: float, text: str, size: float, ink: str, **how: Any) -> None:
        """A text; `how` as in matplotlib."""
        self.figure.text(*self.at(x, y), text, fontsize=size, color=ink, **how)

    def lines(self, lines: Iterable[str], top: float, size: float, ink: str, left: float = 0) -> None:
        """Lines of text below an edge."""
        for number, line in enumerate(lines, start=1):
            self.text(left, top - number * size * LEADING + size * 0.4, line, size, ink, va="baseline")


@dataclass(frozen=True)
class Block:
    """Some height of the chart, and what draws it below an upper edge."""

    height: float
    draw: Callable[[Place, float], None]


def ems(text: str) -> float:
    """How wide a text is, in units of its size: a Chinese character is one, others about half."""
    return sum(1.0 if ord(letter) > 0x2E7F else 0.55 for letter in text)


def wrap(text: str, width: float, size: float) -> list[str]:
    """A text in lines that fit into a width; Chinese may break anywhere, but not before a closing mark."""
    lines, line = [], ""
    for token in re.findall(r"[\u2e80-\uffef][，。；：、）》”]*|[^\s\u2e80-\uffef]+\s*|\s+", text):
        if line and ems(line + token.rstrip()) * size > width:
            lines.append(line.rstrip())
            line = ""
        line += token
    return [*lines, line.rstrip()] if line.strip() else lines
