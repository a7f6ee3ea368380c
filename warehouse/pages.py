"""The overview page: what is held, how fresh it is, what was decided, what needs a person, and one revised series.

Belongs here: rows in, one self-contained HTML file out (no outside request, no script, works from a file:// address).
Does not belong here: gathering the rows (the caller's) or judging them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from warehouse.chart import ChartData, State, drawable, four_figures, lay_out, number, states
from warehouse.clock import from_text, period_start
from warehouse.files import write_durably
from warehouse.schema import Decision

_TEMPLATES = Path(__file__).with_name("templates")
#: Rows of the table under the chart; the whole series is one `figurekeeper values` away.
_TABLE_PERIODS = 12
_WORD_CLASS = {
    "quarantined": "bad",
    "failed": "bad",
    "abandoned": "bad",
    "published with warnings": "warn",
    "discarded": "warn",
    "voided": "warn",
}


@dataclass(frozen=True)
class PageData:
    """All that the page shows, as plain rows. Times are datetimes, stored text (warehouse/clock.py) or None.

    `datasets`: dataset, title, title_zh, series, observations, vintages, revisions (counts), last_refresh, decision,
    stale, licence, citation. `batches`, newest first: batch, dataset, decision, at, message. `incidents`, those open:
    id, kind, dataset, title, text, opened_at. `chart`: drawn once a revision can be seen in it. `papers`: whether the pages of
    the papers lie beside this one.
    """

    profile: str
    edition: int | None
    generated_at: datetime
    datasets: list[dict[str, Any]]
    batches: list[dict[str, Any]]
    incidents: list[dict[str, Any]]
    chart: ChartData | None
    papers: bool = False


def render(data: PageData) -> str:
    """The page as one HTML document. Raises jinja2.UndefinedError when a row lacks a field."""
    return fill("overview.html", data=data, figure=_figure(data.chart))


def fill(template: str, **given: Any) -> str:
    """A template of ours with what it was given. Raises jinja2.UndefinedError when something is missing."""
    return _environment().get_template(template).render(given)


@cache
def _environment() -> Environment:
    """Our templates, each compiled once."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "when": _when, "iso": _iso, "word_class": _word_class}
    return environment


def write(folder: Path, data: PageData) -> Path:
    """Put the page into `folder` as index.html, in one step for readers, and return its path."""
    path = folder / "index.html"
    write_durably(path, render(data).encode())
    return path


def _figure(chart: ChartData | None) -> dict[str, Any] | None:
    """What the template needs to draw the chart: two sizes, and a table. None: no revision can be seen."""
    found = states(chart.lines) if chart else []
    if chart is None or len(found) < 2:
        return None
    shown = drawable(found)
    return {
        "chart": chart,
        "wide": lay_out(shown, 760, 340),
        "narrow": lay_out(shown, 360, 320),
        "left_out": len(found) - len(shown),
        "vintages": sum(state.vintages for state in found),
        "shown": shown,
        "table": _table(shown),
    }


def _table(shown: list[State]) -> list[tuple[str, list[str]]]:
    periods = sorted({period for state in shown for period in state.points}, key=period_start)[-_TABLE_PERIODS:]
    digits = four_figures([value for state in shown for value in state.points.values()])
    return [
        (period, [number(state.points[period], digits) if period in state.points else "" for state in shown])
        for period in periods
    ]


def _count(value: int) -> str:
    return f"{value:,}".replace(",", "\u2009")


def _instant(value: datetime | str) -> datetime:
    return (from_text(value) if isinstance(value, str) else value).astimezone(UTC)


def _when(value: datetime | str | None) -> str:
    return f"{_instant(value):%Y-%m-%d %H:%M} UTC" if value else "never"


def _iso(value: datetime | str) -> str:
    return f"{_instant(value):%Y-%m-%dT%H:%M:%SZ}"


def _word_class(decision: str | None) -> str:
    """How a decision is coloured; a batch that is still running has none."""
    return _WORD_CLASS.get(Decision(decision), "good") if decision in set(Decision) else "soft"
