"""What changed since a paper: which states stand for its days, and what may be concluded from then and now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.papers import judgements
from warehouse.papers import rows
from warehouse.papers.model import Reading
from warehouse.papers.results import Judged, Seen, Tried, Verdict
from warehouse.papers.site import compared
from warehouse.papers.site.compared import STANDS, Stands


def _seen(day: str, value: float | None) -> Seen:
    """A state whose number is as printed when it is 2.2."""
    one = judgements.seen(day, value)
    holds = None if value is None else value == 2.2
    return replace(one, numbers=(replace(one.numbers[0], holds=holds),))


def _judged(
    outcome: Verdict,
    *,
    before: float | None = None,
    then: float | None = None,
    after: float | None = None,
    now: float | None = None,
) -> Judged:
    tried = Tried(
        1,
        Reading(use="value"),
        ("d:KOR.X",),
        "percent of GDP",
        outcome,
        before=None if before is None else _seen("2018-09-30", before),
        then=None if then is None else _seen("2021-09-15", then),
        after=None if after is None else _seen("2023-05-10", after),
        now=_seen("2026-02-24", now),
    )
    one = judgements.statement()
    return Judged(one, judgements.paper(one), outcome, unit="percent of GDP", chosen=tried)


CASES = [
    (_judged(Verdict.REPRODUCED, then=2.2, now=2.2), ["then"], Stands.STANDS),
    (_judged(Verdict.REVISED, then=2.2, now=2.0), ["then"], Stands.FALLEN),
    (_judged(Verdict.NOT_REPRODUCED, before=2.1, then=2.0, now=2.0), ["then"], Stands.NEITHER),
    (_judged(Verdict.DIFFERS_NOW, before=2.0, after=2.0, now=2.0), ["before", "after"], Stands.NOT_HELD),
    (_judged(Verdict.NEIGHBOUR, before=2.2, then=2.0, now=2.0), ["before", "then"], Stands.FALLEN),
    (_judged(Verdict.BRACKETED, before=1.0, then=3.0, now=3.0), ["before", "then"], Stands.BETWEEN),
    (_judged(Verdict.BRACKETED, before=1.0, after=3.0, now=3.0), ["before", "after"], Stands.BETWEEN),
    (_judged(Verdict.REPRODUCED, then=2.2), ["then"], Stands.NOT_ASKED),
]


@pytest.mark.parametrize(("judged", "roles", "stands"), CASES)
def test_then_is_what_is_held_and_nothing_else_is_said_of_it(judged: Judged, roles: list[str], stands: Stands) -> None:
    [one] = compared.of([judged])
    assert [role for role, _ in one.then] == roles
    assert one.stands is stands
    assert one.moved is rows.has_changed(judged)


def test_every_conclusion_has_words_and_a_mark_of_its_own() -> None:
    assert STANDS.keys() == set(Stands)
    assert len({mark for _, mark, _ in STANDS.values()}) == len(Stands)


def test_the_fallen_come_first_and_then_those_that_moved() -> None:
    order = [compared.of([judged])[0].judged for judged, _, _ in CASES]
    found = compared.of(order)
    assert [one.stands is Stands.FALLEN for one in found] == sorted((j for j in map(_fell, order)), reverse=True)
    rest = [one.moved for one in found if one.stands is not Stands.FALLEN]
    assert rest == sorted(rest, reverse=True)
    assert compared.of([replace(order[0], chosen=None)]) == []


def _fell(judged: Judged) -> bool:
    return compared.of([judged])[0].stands is Stands.FALLEN
