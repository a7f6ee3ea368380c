"""From what the states of the data say to a verdict: which state is then, what one reading gives, and which reading decides.

Belongs here: the decisions, over records already computed. Does not belong here: how a number is computed (formulas) or compared
with what is printed (rounding), and what else a reader is told (verdicts).
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from warehouse.papers.model import Cutoff, Reading, Statement, Words
from warehouse.papers.results import Seen, Tried, Verdict
from warehouse.papers.verdicts.rounding import Allowed

#: The verdicts by which observations speak for a statement as it is printed.
REPRODUCING = frozenset({Verdict.REPRODUCED, Verdict.REVISED, Verdict.NEIGHBOUR})
#: Those that stand against a printed number which says otherwise.
STANDING = REPRODUCING | {Verdict.ASSUMED}
#: The outcomes of a reading that agrees with the statement.
AGREEING = STANDING | {Verdict.PROXY_AGREES}
_FAILING = (Verdict.DIFFERS_NOW, Verdict.NOT_REPRODUCED)
#: From what decides at once to what is only said when nothing else can be.
_ORDER = (
    (Verdict.REPRODUCED, Verdict.REVISED), (Verdict.NEIGHBOUR,), (Verdict.BRACKETED,), (Verdict.ASSUMED,),
    (Verdict.PARTLY,), _FAILING, (Verdict.NOT_COMPARABLE,), (Verdict.PROXY_AGREES,), (Verdict.PROXY_DIFFERS,),
    (Verdict.NOT_COMPUTED,),
)  # fmt: skip
_PLACE = {verdict: place for place, verdicts in enumerate(_ORDER) for verdict in verdicts}


@dataclass(frozen=True)
class Placed:
    """The states of a reading around a paper's cutoff interval.

    `inside`: all that lie in it and answer; `then`: the one of them that says most for the statement, the newest of such;
    `before`, `after`: the nearest outside that settle it, or else that answer; `neighbours`: those two, the one
    nearest to the interval first; `now`: the newest, whether it answers or not.
    """

    inside: tuple[Seen, ...] = ()
    then: Seen | None = None
    before: Seen | None = None
    after: Seen | None = None
    neighbours: tuple[Seen, ...] = ()
    now: Seen | None = None

    @property
    def decisive(self) -> Seen | None:
        """The state by which the statement is judged where none holds: the first that settles it, inside before nearest."""
        around = (self.then, *self.neighbours)
        return next((seen for seen in around if seen is not None and seen.decided), None)


def compared(seen: Seen, allowed: Allowed) -> Seen:
    """A state with each number asked whether it is as the statement says."""
    spans = allowed.each([number.value for number in seen.numbers])
    numbers = tuple(
        replace(number, holds=None if number.value is None else span.holds(number.value))
        for number, span in zip(seen.numbers, spans, strict=True)
    )
    return replace(seen, numbers=numbers)


def margin(seen: Seen, allowed: Allowed) -> float | None:
    """By how much the number of a state that is farthest off is off; None where it has none."""
    spans = allowed.each([number.value for number in seen.numbers])
    pairs = zip(seen.numbers, spans, strict=True)
    return max((span.margin(number.value) for number, span in pairs if number.value is not None), default=None)


def place(states: Sequence[Seen], cutoff: Cutoff) -> Placed:
    """Put states, oldest first, around the cutoff interval."""
    answering = [seen for seen in states if answers(seen)]
    inside = tuple(seen for seen in answering if cutoff.earliest <= last_day(seen) <= cutoff.latest)
    before = [seen for seen in answering if last_day(seen) < cutoff.earliest]
    after = [seen for seen in answering if last_day(seen) > cutoff.latest]
    then = max(reversed(inside), key=lambda seen: (seen.holds, seen.decided, seen.held), default=None)
    beside = _first(reversed(before)), _first(after)
    return Placed(inside, then, *beside, nearest(cutoff, *beside), states[-1] if states else None)


def nearest(cutoff: Cutoff, before: Seen | None, after: Seen | None) -> tuple[Seen, ...]:
    """The states on either side of an interval, the one with fewer days to it first; of two as near the later."""
    away = [(last_day(after) - cutoff.latest, after)] if after is not None else []
    away += [(cutoff.earliest - last_day(before), before)] if before is not None else []
    return tuple(seen for _, seen in sorted(away, key=lambda one: one[0]))


def outcome(reading: Reading, placed: Placed, allowed: Allowed, *, exact: bool, cut: Allowed | None = None) -> Verdict:
    """The verdict that one computed reading alone would give.

    `allowed` is what the states were compared with; `exact`: a single number is printed, so that vintages may bracket it; `cut`
    is the alternative that its further digits were cut off.
    """
    found = _plain(placed, allowed, exact=exact, cut=cut)
    if found is Verdict.NOT_COMPUTED:
        return found
    if reading.proxy:
        return Verdict.PROXY_AGREES if found in REPRODUCING else Verdict.PROXY_DIFFERS
    if reading.changed and found not in (Verdict.REPRODUCED, Verdict.REVISED):
        return Verdict.NOT_COMPARABLE
    if reading.assume:
        if found in REPRODUCING:
            return Verdict.ASSUMED
        return found if found is Verdict.PARTLY else _fails(placed)
    return found


def is_cut(placed: Placed, cut: Allowed | None) -> bool:
    """Whether the numbers are as printed once further digits are cut off, in a state of the day or, without one, beside it."""
    states = (placed.then,) if placed.then else placed.neighbours
    return cut is not None and any(compared(seen, cut).holds for seen in states)


def decisive(tried: Iterable[Tried]) -> Tried | None:
    """The reading on which the verdict rests: the best outcome, one that assumes nothing, one that reaches the cutoff, and then
    the first declared."""

    def order(one: Tried) -> tuple[int, bool, bool, int]:
        return _PLACE[one.outcome], one.reading.assume is not None, one.then is None, one.number

    return min(tried, key=order, default=None)


def combined(statement: Statement, tried: Sequence[Tried], *, cited: Collection[int]) -> Verdict:
    """The verdict of all readings together. `cited`: the numbers of those computed from the data that the paper names.

    A statement is contradicted only by data that the paper names itself and that are held for its days, when every declared
    reading was computed, none is a proxy, none holds in any vintage, and one needs no assumption.
    """
    if not tried:
        return _without_readings(statement)
    chosen = decisive(tried)
    assert chosen is not None
    refuted = all(
        one.outcome is Verdict.NOT_REPRODUCED and one.number in cited and not any(seen.holds for seen in one.states)
        for one in tried
    )
    stated = statement.source_basis == "named" and any(not one.reading.assume for one in tried)
    return Verdict.CONTRADICTED if refuted and stated else chosen.outcome


def imprecise(seen: Seen, cutoff: Cutoff, newest: int | None = None) -> Words | None:
    """What a reader must know of a state whose moment is only an upper bound, or a month that reaches over the interval's end.

    `newest`: the last year of which it has numbers, where that bounds it from below: before that year nobody knew it.
    """
    last = last_day(seen)
    first = last.replace(day=1) if seen.precision == "month" else last
    inside = cutoff.earliest <= last <= cutoff.latest
    end = cutoff.earliest if inside else cutoff.latest
    reaches = last >= cutoff.earliest and (newest is None or newest <= end.year)
    if seen.basis in ("captured", "carried") and reaches:
        where = ("before the interval", "区间之前") if inside else ("inside the interval", "区间之内")
        en = f"the vintage of {seen.day} was known at the latest on that day ({seen.basis}): it may have appeared {where[0]}"
        return Words(en=en, zh=f"{seen.day} 的数据版本只知其最晚日期：可能发布于{where[1]}")
    if first < cutoff.earliest <= last or first <= cutoff.latest < last:
        return Words(
            en=f"the vintage of {seen.day} is stamped to the month, which reaches over an end of the interval",
            zh=f"{seen.day} 的数据版本只精确到月，该月跨越区间端点",
        )
    return None


def answers(seen: Seen) -> bool:
    """Whether a state has any number at all."""
    return any(number.value is not None for number in seen.numbers)


def last_day(seen: Seen) -> date:
    """The day from which a state was surely known: of a month, its last."""
    year, month, *day = (int(part) for part in seen.day.split("-"))
    return date(year, month, day[0] if day else calendar.monthrange(year, month)[1])


def _plain(placed: Placed, allowed: Allowed, *, exact: bool, cut: Allowed | None) -> Verdict:
    if placed.then and placed.then.holds:
        return Verdict.REPRODUCED if placed.now and placed.now.holds else Verdict.REVISED
    if any(seen.holds for seen in placed.neighbours):
        return Verdict.NEIGHBOUR
    if exact and bracket(placed, allowed):
        return Verdict.BRACKETED
    if is_cut(placed, cut):
        return Verdict.ASSUMED
    judged = placed.decisive
    if judged is None:
        return Verdict.NOT_COMPUTED
    return Verdict.PARTLY if judged.held else _fails(placed)


def _first(states: Iterable[Seen]) -> Seen | None:
    """The first state that settles the statement, or else the first."""
    found = list(states)
    return next((seen for seen in found if seen.decided), found[0] if found else None)


def _fails(placed: Placed) -> Verdict:
    of_the_day = placed.then is not None and placed.then.decided
    differs_now = not of_the_day and placed.now is not None and not placed.now.holds
    return Verdict.DIFFERS_NOW if differs_now else Verdict.NOT_REPRODUCED


def bracket(placed: Placed, allowed: Allowed) -> tuple[Seen, Seen] | None:
    """The two consecutive states between whose single numbers lies what is printed; the last such, None without any."""
    around = [seen for seen in (placed.before, *placed.inside, placed.after) if seen is not None]
    values = [seen.numbers[0].value for seen in around if len(seen.numbers) == 1]
    if len(values) != len(around) or allowed.low is None or allowed.high is None:
        return None
    above = [value is not None and value > allowed.high for value in values]
    found = [pair for pair, sides in zip(pairwise(around), pairwise(above), strict=True) if sides[0] != sides[1]]
    return found[-1] if found else None


def _without_readings(statement: Statement) -> Verdict:
    said = statement.printed is not None or statement.also_printed is not None
    if statement.sense in ("direction", "event") and not said:
        return Verdict.NOT_QUANTITATIVE
    return Verdict.NO_SOURCE if statement.machine_readable == "no" else Verdict.NOT_COMPUTED
