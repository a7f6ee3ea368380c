"""From made-up states to verdicts: every verdict, the ends of the interval, and which reading decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from warehouse.papers.model import Cutoff, Reading, Statement, Words
from warehouse.papers.results import Number, Seen, Tried, Verdict
from warehouse.papers.verdicts.judging import bracket, combined, decisive, imprecise, margin, nearest, outcome, place
from warehouse.papers.verdicts.judging import compared as asked
from warehouse.papers.verdicts.rounding import Allowed, cut_off, expected

CUTOFF = Cutoff(earliest=date(2020, 12, 1), latest=date(2021, 12, 31), evidence=Words(en="said", zh="如此"))
PLAIN = Reading(use="value")
ASSUMED = Reading(use="value", assume=Words(en="an average is meant", zh="指平均"))
PROXY = Reading(use="value", proxy=Words(en="another count", zh="另一口径"))
CHANGED = Reading(use="value", changed=Words(en="counted otherwise since", zh="口径已变"))


def statement(printed: str | None = "4.6", sense: str = "equals", **others: object) -> Statement:
    fields = {"id": "p-c1", "says": "a number", "kind": "level", "period": "2017", "unit": "percent", **others}
    return Statement.model_validate({**fields, "sense": sense, "printed": printed})


def seen(day: str, *values: float | None, precision: str = "day", basis: str = "publisher") -> Seen:
    numbers = tuple(Number(str(2010 + place), value) for place, value in enumerate(values))
    return Seen(f"{day}T23:59:59.999999Z", day, precision, basis, {"d/p": f"d@{day}"}, numbers)


def rule(of: Statement) -> Allowed:
    found = expected(of)
    assert found is not None
    return found


def verdict(states: list[Seen], of: Statement | None = None, reading: Reading = PLAIN, *, cut: bool = True) -> Verdict:
    of = of or statement()
    allowed = rule(of)
    placed = place([asked(state, allowed) for state in states], CUTOFF)
    return outcome(reading, placed, allowed, exact=of.sense == "equals", cut=cut_off(of) if cut else None)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([("2021-09-15", 4.553)], Verdict.REPRODUCED),
        ([("2021-09-15", 4.553), ("2026-07-01", 4.6)], Verdict.REPRODUCED),
        ([("2021-09-15", 4.553), ("2026-07-01", 4.07)], Verdict.REVISED),
        ([("2021-03-01", 4.4), ("2021-09-15", 4.553), ("2021-12-01", 4.4)], Verdict.REVISED),
        ([("2021-09-15", 4.553), ("2026-07-01", None)], Verdict.REVISED),
        ([("2020-09-15", 4.553), ("2021-09-15", 4.4)], Verdict.NEIGHBOUR),
        ([("2024-09-15", 4.553)], Verdict.NEIGHBOUR),
        ([("2018-09-15", 4.6), ("2020-09-15", 4.4), ("2024-03-01", 4.3), ("2026-01-01", 4.6)], Verdict.NOT_REPRODUCED),
        ([("2018-09-15", 4.5), ("2021-09-15", 4.8)], Verdict.BRACKETED),
        ([("2021-02-15", 4.8), ("2021-09-15", 4.5)], Verdict.BRACKETED),
        ([("2020-02-15", 4.5), ("2024-09-15", 4.8)], Verdict.BRACKETED),
        ([("2021-09-15", 4.69)], Verdict.ASSUMED),
        ([("2024-09-15", 4.07)], Verdict.DIFFERS_NOW),
        ([("2021-09-15", 4.4), ("2024-09-15", 4.07)], Verdict.NOT_REPRODUCED),
        ([("2021-09-15", None)], Verdict.NOT_COMPUTED),
        ([("2021-09-15", 4.6, 4.5), ("2024-01-01", 4.4, 4.4)], Verdict.PARTLY),
        ([("2021-09-15", 4.6, 4.5, None)], Verdict.PARTLY),
        ([("2021-09-15", 4.6, None)], Verdict.NOT_COMPUTED),
        ([("2021-09-15", 4.5, None)], Verdict.NOT_REPRODUCED),
        ([("2021-09-15", 4.6, None), ("2024-01-01", 4.6, 4.6)], Verdict.NEIGHBOUR),
        ([("2021-09-15", 4.6, None), ("2024-01-01", 4.6, 4.4)], Verdict.PARTLY),
        ([("2021-09-15", 4.6, None), ("2024-01-01", 4.4, 4.4)], Verdict.DIFFERS_NOW),
        ([("2021-09-15", 4.6, None), ("2022-01-01", 4.6, None), ("2024-01-01", 4.6, 4.4)], Verdict.PARTLY),
        ([("2021-05-15", 4.4, 4.4), ("2021-09-15", 4.6, None)], Verdict.NOT_REPRODUCED),
        ([], Verdict.NOT_COMPUTED),
    ],
)
def test_one_reading_gives(states: list[tuple[str, float]], expected: Verdict) -> None:
    assert verdict([seen(*state) for state in states]) is expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2020-11-30", Verdict.NEIGHBOUR),
        ("2020-12-01", Verdict.REPRODUCED),
        ("2021-12-31", Verdict.REPRODUCED),
        ("2021-12", Verdict.REPRODUCED),
        ("2022-01-01", Verdict.NEIGHBOUR),
        ("2022-01", Verdict.NEIGHBOUR),
    ],
)
def test_the_interval_includes_its_ends_and_a_month_counts_from_its_last_day(day: str, expected: Verdict) -> None:
    assert verdict([seen(day, 4.6)]) is expected


def test_the_state_that_holds_is_then_and_else_the_newest_inside() -> None:
    allowed = rule(statement())
    holding = [seen("2021-01-15", 4.6), seen("2021-02-15", 4.6), seen("2021-03-15", 4.0)]
    placed = place([asked(state, allowed) for state in holding], CUTOFF)
    assert placed.then is not None
    assert placed.then.day == "2021-02-15"
    failing = place([asked(seen("2021-01-15", 4.1), allowed), asked(seen("2021-02-15", 4.2), allowed)], CUTOFF)
    assert failing.then is not None
    assert failing.then.day == "2021-02-15"


def test_a_state_without_the_number_is_passed_over_but_stays_now() -> None:
    states = [seen("2020-01-15", 4.0), seen("2020-02-15", None), seen("2021-02-15", None), seen("2022-02-15", None)]
    placed = place(states, CUTOFF)
    assert placed.before is states[0]
    assert (placed.then, placed.after) == (None, None)
    assert placed.now is states[-1]


def test_the_neighbour_with_fewer_days_to_the_interval_is_the_nearest() -> None:
    before, after = seen("2020-09-30", 4.0), seen("2022-06-15", 4.0)
    assert nearest(CUTOFF, before, after) == (before, after)
    assert place([before, after], CUTOFF).neighbours == (before, after)
    assert nearest(CUTOFF, seen("2019-09-30", 4.0), after)[0] is after
    assert nearest(CUTOFF, seen("2020-11-20", 4.0), seen("2022-01-11", 4.0))[0].day == "2022-01-11"
    assert nearest(CUTOFF, before, None) == (before,)
    assert nearest(CUTOFF, None, None) == ()


def test_a_bracket_is_made_of_the_two_states_on_either_side_of_the_number() -> None:
    states = [seen("2018-09-15", 4.5), seen("2021-02-15", 4.8), seen("2021-09-15", 4.9)]
    assert bracket(place(states, CUTOFF), rule(statement())) == (states[0], states[1])
    assert bracket(place(states[1:], CUTOFF), rule(statement())) is None


def test_a_direction_or_a_limit_is_never_bracketed_and_never_cut_off() -> None:
    trend = statement(None, "direction")
    assert verdict([seen("2018-01-01", -1.0), seen("2021-02-01", -2.0)], trend) is Verdict.NOT_REPRODUCED
    limit = statement("15", "at least")
    assert verdict([seen("2021-02-01", 14.9)], limit) is Verdict.NOT_REPRODUCED


def test_a_printed_range_is_held_against_both_its_ends() -> None:
    fields = {**statement().model_dump(), "sense": "between", "printed": ("0.41", "0.62"), "kind": "range"}
    ranged = Statement.model_validate(fields)
    assert verdict([seen("2021-02-01", 0.62, 0.41)], ranged) is Verdict.REPRODUCED
    assert verdict([seen("2021-02-01", 0.5, 0.62)], ranged) is Verdict.PARTLY
    assert margin(seen("2021-02-01", 0.5, 0.62), rule(ranged)) == pytest.approx(0.085)
    assert verdict([seen("2021-02-01", 0.5)], ranged) is Verdict.REPRODUCED


def test_an_assumption_a_proxy_and_a_changed_concept_never_reproduce() -> None:
    holding, failing = [seen("2021-02-15", 4.6)], [seen("2021-02-15", 4.0)]
    assert verdict(holding, reading=ASSUMED) is Verdict.ASSUMED
    assert verdict(failing, reading=ASSUMED) is Verdict.NOT_REPRODUCED
    assert verdict([seen("2020-02-15", 4.5), seen("2021-02-15", 4.9)], reading=ASSUMED) is Verdict.NOT_REPRODUCED
    assert verdict(holding, reading=PROXY) is Verdict.PROXY_AGREES
    assert verdict(failing, reading=PROXY) is Verdict.PROXY_DIFFERS
    assert verdict([seen("2021-02-15", 4.69)], reading=PROXY) is Verdict.PROXY_DIFFERS
    assert verdict([seen("2024-02-15", 4.6)], reading=CHANGED) is Verdict.NOT_COMPARABLE
    assert verdict([*holding, seen("2024-02-15", 9.0)], reading=CHANGED) is Verdict.REVISED


def tried(number: int, reading: Reading, outcome: Verdict, *, reached: bool = True) -> Tried:
    then = seen("2021-02-15", 4.6) if reached else None
    return Tried(number, reading, ("d:k",), "percent", outcome, then=then)


@pytest.mark.parametrize(
    ("outcomes", "expected", "chosen"),
    [
        ([(PLAIN, Verdict.NEIGHBOUR), (PLAIN, Verdict.REVISED)], Verdict.REVISED, 2),
        ([(PLAIN, Verdict.REVISED), (PLAIN, Verdict.REPRODUCED)], Verdict.REVISED, 1),
        ([(PLAIN, Verdict.PARTLY), (ASSUMED, Verdict.ASSUMED)], Verdict.ASSUMED, 2),
        ([(PLAIN, Verdict.NOT_REPRODUCED), (PROXY, Verdict.PROXY_AGREES)], Verdict.NOT_REPRODUCED, 1),
        ([(PLAIN, Verdict.NOT_COMPUTED), (PROXY, Verdict.PROXY_AGREES)], Verdict.PROXY_AGREES, 2),
        ([(PROXY, Verdict.PROXY_DIFFERS), (PROXY, Verdict.PROXY_AGREES)], Verdict.PROXY_AGREES, 2),
        ([(CHANGED, Verdict.NOT_COMPARABLE), (PROXY, Verdict.PROXY_AGREES)], Verdict.NOT_COMPARABLE, 1),
        ([(PLAIN, Verdict.NOT_COMPUTED)], Verdict.NOT_COMPUTED, 1),
    ],
)
def test_the_reading_that_decides(outcomes: list[tuple[Reading, Verdict]], expected: Verdict, chosen: int) -> None:
    readings = [tried(place, reading, found) for place, (reading, found) in enumerate(outcomes, 1)]
    decided = decisive(readings)
    assert decided is not None
    assert decided.number == chosen
    assert combined(statement(), readings, cited=()) is expected


def test_of_failing_readings_the_one_that_reaches_the_cutoff_decides() -> None:
    late = tried(1, PLAIN, Verdict.DIFFERS_NOW, reached=False)
    reaching = tried(2, PLAIN, Verdict.NOT_REPRODUCED)
    assert decisive([late, reaching]) is reaching


def test_of_failing_readings_one_that_assumes_nothing_decides_before_one_that_reaches_the_cutoff() -> None:
    late = tried(1, PLAIN, Verdict.DIFFERS_NOW, reached=False)
    assert decisive([late, tried(2, ASSUMED, Verdict.NOT_REPRODUCED)]) is late


def test_only_named_data_of_the_day_contradict_and_only_when_every_reading_fails() -> None:
    named = statement(source="the yearbook", source_basis="named")
    failing = [tried(1, PLAIN, Verdict.NOT_REPRODUCED), tried(2, ASSUMED, Verdict.NOT_REPRODUCED)]
    assert combined(named, failing, cited=(1, 2)) is Verdict.CONTRADICTED
    assert combined(named, failing, cited=(1,)) is Verdict.NOT_REPRODUCED
    assert combined(statement(), failing, cited=(1, 2)) is Verdict.NOT_REPRODUCED
    assert combined(named, failing[1:], cited=(2,)) is Verdict.NOT_REPRODUCED
    once = replace(failing[0], states=(asked(seen("2026-02-15", 4.6), rule(named)),))
    assert combined(named, [once], cited=(1,)) is Verdict.NOT_REPRODUCED
    for other in (Verdict.DIFFERS_NOW, Verdict.PROXY_AGREES, Verdict.PROXY_DIFFERS, Verdict.NOT_COMPUTED):
        assert combined(named, [failing[0], tried(2, PLAIN, other)], cited=(1, 2)) is not Verdict.CONTRADICTED


def test_without_readings_the_statement_itself_says_why() -> None:
    assert combined(statement(), [], cited=()) is Verdict.NO_SOURCE
    assert combined(statement(machine_readable="yes"), [], cited=()) is Verdict.NOT_COMPUTED
    assert combined(statement(None, "direction"), [], cited=()) is Verdict.NOT_QUANTITATIVE
    assert combined(statement(None, "event"), [], cited=()) is Verdict.NOT_QUANTITATIVE
    assert combined(statement(None, "direction", also_printed="2/3"), [], cited=()) is Verdict.NO_SOURCE


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (seen("2021-09-15", 1.0), None),
        (seen("2021-09-15", 1.0, basis="captured"), "before the interval"),
        (seen("2021-09-15", 1.0, basis="carried"), "before the interval"),
        (seen("2022-03-15", 1.0, basis="carried"), "inside the interval"),
        (seen("2020-03-15", 1.0, basis="carried"), None),
        (seen("2021-09", 1.0, precision="month", basis="archive"), None),
        (seen("2021-12", 1.0, precision="month", basis="archive"), None),
    ],
)
def test_an_imprecise_stamp_is_told(state: Seen, told: str | None) -> None:
    found = imprecise(state, CUTOFF)
    assert (found is None) == (told is None)
    assert found is None or (told is not None and told in found.en)


def test_what_tells_of_years_after_the_interval_did_not_appear_inside_it() -> None:
    after, inside = (seen(day, 1.0, basis="captured") for day in ("2024-10-21", "2021-09-15"))
    assert [imprecise(after, CUTOFF, newest) is None for newest in (2021, 2022, None)] == [False, True, False]
    assert [imprecise(inside, CUTOFF, newest) is None for newest in (2020, 2021)] == [False, True]


def test_a_month_that_reaches_over_an_end_is_told() -> None:
    narrow = Cutoff(earliest=date(2020, 12, 10), latest=date(2021, 12, 20), evidence=CUTOFF.evidence)
    for day in ("2020-12", "2021-12"):
        found = imprecise(seen(day, 1.0, precision="month", basis="archive"), narrow)
        assert found is not None
        assert "stamped to the month" in found.en
