"""Why a number is another now than in the paper's days: which vintage moved it, of which economy, by how much, and how.

Belongs here: finding the steps that moved a number and telling them. Does not belong here: what a kind of change is (compare) and
which side of a ratio moved (causes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from warehouse.causes import Causes
from warehouse.papers import formulas
from warehouse.papers.inputs import State
from warehouse.papers.model import Statement, Words
from warehouse.papers.results import Judged, Seen, Tried
from warehouse.revisions import changes, steps

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held

#: A step is told when it makes up at least this share of all movement, and of the economies so many.
_TOLD = 0.2
_ECONOMIES = 3
#: Below this, relative to the number, a change is the noise of binary fractions.
_NOISE = 1e-6
_KINDS = {
    "revision": "修订", "first value": "首次有值", "status change": "状态变更", "rebasing": "换算基准",
    "redefinition": "口径改变", "break": "序列中断", "coverage": "覆盖范围变化", "withdrawal": "撤回",
    "reinstatement": "恢复", "correction of ours": "本库更正",
}  # fmt: skip
_SIDES = {"numerator": "分子变动", "denominator": "分母变动", "both": "分子分母均变动"}


@dataclass(frozen=True)
class _Cell:
    """A number that a formula used, before and after a step; None: not there."""

    entity: str
    period: str
    series: str
    old: float | None
    new: float | None

    @property
    def moved(self) -> float:
        """By which share of itself; all of it where it came or went."""
        if self.old is None or self.new is None:
            return 0.0 if self.old == self.new else 1.0
        return (self.new - self.old) / abs(self.old) if self.old else float(self.new != self.old)


@dataclass(frozen=True)
class _Step:
    """A step in words. `sided`: it names which side of a ratio moved."""

    words: Words
    sided: bool


def of(held: Held, catalogue: Catalogue, said: Judged, chosen: Tried, seen: Seen) -> Words | None:
    """What moved the numbers of a reading between a state and now, step by step; None where they did not move.

    Where other readings without proxy tell which side of a ratio moved in the same time, they are told after it.
    """
    told = [step.words for step in _steps(held, catalogue, said.statement, chosen, seen.known_from)]
    for other in said.readings:
        if other is not chosen and not other.reading.proxy:
            dataset = other.series[0].partition(":")[0]
            for step in _steps(held, catalogue, said.statement, other, seen.known_from):
                if step.sided:
                    told.append(Words(en=f"{dataset}, {step.words.en}", zh=f"{dataset}，{step.words.zh}"))
    return _joined(told)


def of_line(held: Held, catalogue: Catalogue, statement: Statement, tried: Tried, seen: Seen) -> Words | None:
    """What moved the numbers of one reading, or of a line of a figure, between a state and now; None where they did not move."""
    return _joined([step.words for step in _steps(held, catalogue, statement, tried, seen.known_from)])


def _joined(told: Sequence[Words]) -> Words | None:
    return Words(en="; ".join(one.en for one in told), zh="；".join(one.zh for one in told)) if told else None


def _steps(held: Held, catalogue: Catalogue, statement: Statement, tried: Tried, since: str) -> list[_Step]:
    """The steps of a reading since a moment that make up most of its movement."""
    line = [seen for seen in tried.states if seen.known_from >= since]
    moved = [(_distance(one, other), one, other) for one, other in pairwise(line)]
    least = _TOLD * sum(distance for distance, _, _ in moved)
    steps_told = (
        _step(held, catalogue, statement, tried, (one, other))
        for distance, one, other in moved
        if distance and distance >= least
    )
    return [step for step in steps_told if step is not None]


def _distance(one: Seen, other: Seen) -> float:
    """How far the numbers of two states lie apart, in shares of themselves."""
    after = {(number.entity, number.partner, number.period): number.value for number in other.numbers}
    distance = 0.0
    for number in one.numbers:
        value = after.get((number.entity, number.partner, number.period))
        if number.value is None or value is None:
            distance += number.value is not value
        elif number.value:
            distance += abs(value / number.value - 1)
    return distance if distance > _NOISE else 0.0


def _step(
    held: Held, catalogue: Catalogue, statement: Statement, tried: Tried, states: tuple[Seen, Seen]
) -> _Step | None:
    """One step: the vintage, what kind of change it brought, and the economies that it moved most."""
    cells = sorted(_cells(held, catalogue, statement, tried, states), key=lambda cell: -abs(cell.moved))
    if not cells:
        return None
    known = _told(held, states)
    kinds = {known[cell.series, cell.period]["kind"]: None for cell in cells if (cell.series, cell.period) in known}
    sides = {row["cause"]: None for cell in cells if (row := known.get((cell.series, cell.period))) and row["cause"]}
    years = len({cell.period for cell in cells}) > 1
    shown = [f"{cell.entity}{f' {cell.period}' if years else ''} {_share(cell)}" for cell in cells[:_ECONOMIES]]
    en = [*kinds, *(f"by the {side}" if side != "both" else "by numerator and denominator" for side in sides)]
    zh = [*(_KINDS.get(kind, kind) for kind in kinds), *(_SIDES[side] for side in sides)]
    day = states[1].day
    words = Words(
        en=f"vintage of {day}: {', '.join(en) or 'revision'} ({', '.join(shown)})",
        zh=f"{day} 版：{'、'.join(zh) or '修订'}（{'，'.join(shown)}）",
    )
    return _Step(words, bool(sides))


def _cells(
    held: Held, catalogue: Catalogue, statement: Statement, tried: Tried, states: tuple[Seen, Seen]
) -> Iterator[_Cell]:
    """The observations that a step moved."""
    old, new = (_observed(held, catalogue, statement, tried, seen) for seen in states)
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        one = before or after
        assert one is not None  # the key is from one of them
        name = f"{catalogue.measures[one.measure].series.partition(':')[0]}:{one.series_key}"
        cell = _Cell(one.entity, one.period, name, before and before.value, after and after.value)
        if abs(cell.moved) > _NOISE:
            yield cell


def _observed(
    held: Held, catalogue: Catalogue, statement: Statement, tried: Tried, seen: Seen
) -> dict[tuple[str, str, str], formulas.Cell]:
    state = State(seen.known_from, seen.day, seen.precision, seen.basis, seen.vintages)
    found = formulas.cells(held, catalogue, tried.reading, statement, state)
    return {(cell.measure, cell.series_key, cell.period): cell for cell in found}


def _told(held: Held, states: tuple[Seen, Seen]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """What the revision report says of the cells that a step changed, by series and period."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for part, vintage in states[1].vintages.items():
        if states[0].vintages.get(part) not in (None, vintage):
            found |= {(row["series"], row["period"]): row for row in _report(held, part, vintage)}
    return found


def _report(held: Held, part: str, vintage: str) -> Sequence[Mapping[str, Any]]:
    """The changes that a published vintage brought; of one that is only staged nothing is reported yet."""
    if ("changes", vintage) not in held.kept:
        dataset, _, inside = part.partition("/")
        with held.warehouse.engine.connect() as connection:
            line = steps(held.warehouse, connection, dataset, {inside}, edition=held.edition)
        step = next((one for one in line if one.vintage["vintage_id"] == vintage), None)
        held.kept["changes", vintage] = changes(step, Causes(held.warehouse, held.edition)) if step is not None else []
    found: list[Mapping[str, Any]] = held.kept["changes", vintage]
    return found


def _share(cell: _Cell) -> str:
    """By how much a cell moved, for people."""
    if cell.old is None or cell.new is None:
        return "+" if cell.old is None else "−"
    return f"{100 * cell.moved:+.1f} %".replace("-", "−")
