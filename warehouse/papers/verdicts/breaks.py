"""Breaks in series: where numbers before and after mean different things, as curated (breaks.yaml) and as providers flag them.

Belongs here: which breaks a formula reaches across, and which years come in late. Does not belong here: what a reader is told
besides (caveats).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from warehouse import yaml_lines
from warehouse.papers.formulas import Cell
from warehouse.papers.model import Definition, Words

#: The status flag of SDMX for a break in a series.
FLAG = "B"


class Break(BaseModel):
    """A break at a period of the data, or at a moment from which vintages are counted otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concepts: tuple[str, ...]
    entities: tuple[str, ...] = ()
    period: str | None = None
    known: date | None = None
    what: Words


class Late(BaseModel):
    """Concepts of which the last years of any vintage are incomplete."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concepts: tuple[str, ...]
    years: int


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    breaks: tuple[Break, ...]
    late: tuple[Late, ...]


@cache
def _file() -> _File:
    return yaml_lines.read((Path(__file__).parent / "breaks.yaml").read_bytes(), _File)


def curated() -> tuple[Break, ...]:
    """The breaks we know of beyond those that providers flag."""
    return _file().breaks


def late() -> tuple[Late, ...]:
    """The numbers that come in late."""
    return _file().late


def incomplete(concepts: Collection[str], year: int, known: date) -> Iterator[Words]:
    """Whether numbers of a year were still coming in on a day."""
    for one in late():
        if {*concepts} & {*one.concepts} and known.year - year <= one.years:
            yield Words(
                en=f"the numbers of {year} were incomplete in the paper's days, as the last {one.years} years of any vintage are",
                zh=f"文章取数时 {year} 年数据尚在陆续入库：各数据版本最近 {one.years} 年均不完整",
            )


def reach(definition: Definition, period: str) -> tuple[str, str] | None:
    """The first and the last year that an answer compares, in one number or in several; None where it is of one period alone."""
    first, _, last = period.partition(":")
    last = last or first
    if (definition.needs == "same" and first == last) or not (first[:4].isdigit() and last[:4].isdigit()):
        return None
    return (str(int(first[:4]) - 1) if definition.needs == "back" else first[:4]), last[:4]


def between_periods(concepts: Collection[str], entities: Collection[str], first: str, last: str) -> Iterator[Words]:
    """The curated breaks after `first` and up to `last` (years)."""
    for one in curated():
        if one.period and _concerns(one, concepts, entities) and first < one.period <= last:
            yield one.what


def between_vintages(concepts: Collection[str], entities: Collection[str], before: str, after: str) -> Iterator[Words]:
    """The curated breaks between vintages known from two moments (UTC texts)."""
    for one in curated():
        if one.known and _concerns(one, concepts, entities) and before < one.known.isoformat() <= after:
            yield one.what


def flagged(cells: Iterable[Cell], first: str, last: str) -> Iterator[Words]:
    """The breaks after `first` and up to `last` (years) that the provider flags in the observations of a formula."""
    found = {(cell.entity, cell.period) for cell in cells if FLAG in cell.status.split(";")}
    for entity, period in sorted(found):
        if first < period[:4] <= last:
            yield Words(
                en=f"the provider flags a break in the series of {entity} in {period}",
                zh=f"数据提供方标注 {entity} 的序列在 {period} 年中断",
            )


def _concerns(one: Break, concepts: Collection[str], entities: Collection[str]) -> bool:
    return bool({*concepts} & {*one.concepts}) and (not one.entities or bool({*entities} & {*one.entities}))
