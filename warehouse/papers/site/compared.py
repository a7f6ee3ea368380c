"""What changed since a paper: each statement in the data of its days and in the newest, and whether it still stands.

Belongs here: which states stand for the paper's days, and what a reader may conclude from then and now. Does not belong here:
verdicts (judging), and how it looks (pages).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from warehouse.papers import rows
from warehouse.papers.model import Words
from warehouse.papers.results import Judged, Seen, Tried, Verdict

Role = Literal["before", "then", "after"]
_ROLES: tuple[Role, ...] = ("before", "then", "after")


class Stands(StrEnum):
    """Whether a statement is still as the data say, in the order in which readers want to see them."""

    FALLEN = "fallen"
    NEITHER = "neither"
    BETWEEN = "between"
    NOT_HELD = "not held"
    STANDS = "stands"
    NOT_ASKED = "not asked"


#: What each is called; its kind (which gives the colour), and a mark that tells it without colour.
STANDS: dict[Stands, tuple[str, str, Words]] = {
    Stands.FALLEN: ("bad", "✗", Words(en="not any more", zh="不再成立")),
    Stands.NEITHER: ("warn", "▽", Words(en="it did not then, either", zh="当时亦不成立")),
    Stands.BETWEEN: ("warn", "◒", Words(en="lies between two vintages of then", zh="当时介于前后数据版本之间")),
    Stands.NOT_HELD: ("warn", "△", Words(en="not now; no vintage of then is held", zh="现不成立；当时版本缺失")),
    Stands.STANDS: ("good", "✓", Words(en="yes", zh="是")),
    Stands.NOT_ASKED: ("soft", "–", Words(en="cannot be asked", zh="无从判断")),
}


@dataclass(frozen=True)
class Compared:
    """A statement then and now. `moved`: the newest data give another number, or another answer."""

    judged: Judged
    then: tuple[tuple[Role, Seen], ...]
    now: Seen
    stands: Stands
    moved: bool


def of(judged: Iterable[Judged]) -> list[Compared]:
    """The statements that have a then and a now: first those that fell, then those whose number moved."""
    found = [one for one in map(_compared, judged) if one is not None]
    return sorted(found, key=lambda one: (one.stands is not Stands.FALLEN, not one.moved))


def then(chosen: Tried | None) -> tuple[tuple[Role, Seen], ...]:
    """The states that stand for the paper's days: the one inside; its neighbours where none is, or where these decide."""
    if chosen is None:
        return ()
    held: list[tuple[Role, Seen | None]] = [(role, getattr(chosen, role)) for role in _ROLES]
    alone = chosen.then is not None and chosen.outcome not in (Verdict.NEIGHBOUR, Verdict.BRACKETED)
    return tuple((role, seen) for role, seen in held if seen is not None and (role == "then" or not alone))


def _compared(judged: Judged) -> Compared | None:
    chosen, states = judged.chosen, then(judged.chosen)
    if chosen is None or chosen.now is None or not states:
        return None
    return Compared(judged, states, chosen.now, _stands(chosen, chosen.now), rows.has_changed(judged))


def _stands(chosen: Tried, now: Seen) -> Stands:
    if now.holds:
        return Stands.STANDS
    if not now.decided:
        return Stands.NOT_ASKED
    if any(seen.holds for _, seen in then(chosen)):
        return Stands.FALLEN
    if chosen.outcome is Verdict.BRACKETED:
        return Stands.BETWEEN
    return Stands.NEITHER if chosen.then is not None and chosen.then.decided else Stands.NOT_HELD
