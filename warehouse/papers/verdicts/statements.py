"""A printed statement against published observations: every reading in every state of the data, and the verdict that follows.

Belongs here: asking the formulas, and putting together what stands behind a verdict. Does not belong here: the decisions
themselves (judging), what a printed number allows (rounding), checks of printed numbers (checks), why a number was revised
(causes_told) and what else must be known of it (caveats).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from warehouse import clock
from warehouse.papers import formulas
from warehouse.papers.model import Paper, Reading, Statement, Words
from warehouse.papers.results import Judged, Number, Seen, Tried, Verdict
from warehouse.papers.verdicts import causes_told, caveats, checks, judging, rounding
from warehouse.papers.verdicts.checks import Checked
from warehouse.papers.verdicts.rounding import Allowed

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held, State


def judge(
    held: Held, catalogue: Catalogue, wanted: Collection[str] | None = None, *, known: datetime | None = None
) -> dict[str, Judged]:
    """The verdict on each statement (claims and cells) by its id, in the order of the papers; `wanted` None means all.

    What became known after `known` does not exist. Raises UsageError for an unknown id.
    """
    asked = list(catalogue.statements.values()) if wanted is None else [catalogue.statement(name) for name in wanted]
    court = _Court(held, catalogue, clock.to_text(known) if known else None)
    return with_checks({one.id: court.judged(paper, one) for paper, one in asked}, checks.every(catalogue))


def with_checks(judged: Mapping[str, Judged], found: Iterable[Checked]) -> dict[str, Judged]:
    """Verdicts with what checks of the printed numbers say of them.

    What a failing check makes doubtful is internally inconsistent, unless observations reproduce it; where they do, it is the
    other statements of the check that are.
    """
    told = dict(judged)
    for one in found:
        for name in {*one.about, *one.check.among, one.check.against or ""} & told.keys():
            before = told[name]
            doubtful = one.agrees is False and name in one.about and before.verdict not in judging.STANDING
            told[name] = replace(
                before,
                verdict=Verdict.INCONSISTENT if doubtful else before.verdict,
                correction=before.correction or (one.correction if doubtful else None),
                evidence=(*before.evidence, *filter(None, [caveats.of_check(one)])),
            )
    return told


@dataclass(frozen=True)
class _Court:
    """What all statements of one question are judged by."""

    held: Held
    catalogue: Catalogue
    known: str | None

    def judged(self, paper: Paper, statement: Statement) -> Judged:
        """The verdict by the readings alone."""
        tried = tuple(self._tried(paper, statement, place, one) for place, one in enumerate(statement.readings, 1))
        cited = [one.number for one in tried if all(name.startswith(f"{statement.provider}.") for name in one.series)]
        verdict = judging.combined(statement, tried, cited=cited)
        computed = [one for one in tried if one.outcome is not Verdict.NOT_COMPUTED]
        chosen = judging.decisive(tried)
        said = Judged(
            statement,
            paper,
            verdict,
            readings=tried,
            chosen=chosen,
            tried=len(computed),
            agreeing=sum(one.outcome in judging.AGREEING for one in computed),
            why=_why(statement, verdict, chosen),
        )
        return self._explained(said, chosen) if chosen in computed and chosen is not None else said

    def _tried(self, paper: Paper, statement: Statement, number: int, reading: Reading) -> Tried:
        """One reading in all states."""
        measures = list(dict.fromkeys(self.catalogue.measures_of(reading).values()))
        series = tuple(self.catalogue.measures[name].series for name in measures)
        unit = self.catalogue.unit_of(reading)
        factor = self._factor(statement, unit)
        allowed = rounding.expected(statement, reading.expect, factor)
        known, why = self._states(paper, measures)
        if why is None and allowed is None:
            why = _say("nothing printed can be compared", "没有可比较的印刷数字")
        own_unit = self.catalogue.factor(statement.unit, unit) is None
        tried = Tried(
            number, reading, series, unit, Verdict.NOT_COMPUTED, why=why, factor=float(factor), own_unit=own_unit
        )
        if why is not None or allowed is None:
            return tried
        reading = self._with_notes(reading, measures, known)
        states = tuple(self._seen(statement, reading, state, allowed) for state in known)
        placed = judging.place(states, paper.cutoff)
        cut = rounding.cut_off(statement, reading.expect, factor)
        found = judging.outcome(reading, placed, allowed, exact=_exact(statement, reading), cut=cut)
        if found is Verdict.NOT_COMPUTED:
            clashes = (self.held.clash(name, known[-1]) for name in measures) if known else ()
            why = next(filter(None, clashes), None) or _without_value(states)
        around = {name: getattr(placed, name) for name in ("then", "before", "after", "now")}
        return replace(tried, reading=reading, outcome=found, states=states, why=why, **around)

    def _seen(self, statement: Statement, reading: Reading, state: State, allowed: Allowed) -> Seen:
        """What a state says of a reading, each number compared with what is allowed of it."""
        numbers = tuple(formulas.answer(self.held, self.catalogue, reading, statement, state))
        seen = Seen(state.known_from, state.day, state.precision, state.basis, state.vintages, numbers)
        return judging.compared(seen, allowed)

    def _states(self, paper: Paper, measures: Sequence[str]) -> tuple[list[State], Words | None]:
        """The states in which measures speak for this paper, or why there are none."""
        if (why := next(filter(None, map(self.held.why_not, measures)), None)) is not None:
            return [], why
        known = [one for one in self.held.states(measures) if self.known is None or one.known_from <= self.known]
        speaking = [one for one in known if not any(self.held.own_number(name, paper.id, one) for name in measures)]
        if speaking or not known:
            return speaking, None
        return [], _say(
            "all that is held is the number that this paper prints, which is no proof of it",
            "现有数据即本文原文数值，不能自证",
        )

    def _with_notes(self, reading: Reading, measures: Sequence[str], states: Iterable[State]) -> Reading:
        """A reading that also assumes what the notes of its series leave open: that numbers from elsewhere are the provider's."""
        found = (self.held.disowned(name, state) for state in states for name in measures)
        if (note := next(filter(None, found), None)) is None:
            return reading
        said = [reading.assume] if reading.assume else []
        said.append(
            _say(
                f"the numbers held are those of the provider, whose answer they are not ({note})",
                f"所持数值虽非数据源应答，假定与其一致（{note}）",
            )
        )
        assume = _say("; ".join(one.en for one in said), "；".join(one.zh for one in said))
        return reading.model_copy(update={"assume": assume})

    def _factor(self, statement: Statement, unit: str) -> Decimal:
        """How many of a number's unit one of the statement's unit is."""
        factor = self.catalogue.factor(statement.unit, unit)
        return Decimal(1) if factor is None else Decimal(repr(factor))

    def _explained(self, said: Judged, chosen: Tried) -> Judged:
        """A verdict with rule, margin, what fails, cause and evidence, by the state on which it rests."""
        statement, reading = said.statement, chosen.reading
        factor = self._factor(statement, chosen.unit)
        allowed = rounding.expected(statement, reading.expect, factor)
        cut = rounding.cut_off(statement, reading.expect, factor)
        if cut is not None and chosen.outcome is Verdict.ASSUMED and not reading.assume:
            allowed = cut
        seen = _rests_on(said.paper, chosen, allowed) if allowed is not None else None
        if allowed is None or seen is None:
            return said
        differs = chosen.now is not None and not judging.compared(chosen.now, allowed).holds
        return replace(
            said,
            rule=allowed.rule,
            margin=judging.margin(seen, allowed),
            unit=chosen.unit,
            holds=(seen.held, seen.asked) if len(seen.numbers) > 1 else None,
            which=tuple(_label(one, seen) for one in seen.numbers if one.holds is False),
            cause=causes_told.of(self.held, self.catalogue, said, chosen, seen) if differs else None,
            evidence=caveats.of(self.held, self.catalogue, said, chosen, seen, allowed),
        )


def _rests_on(paper: Paper, tried: Tried, allowed: Allowed) -> Seen | None:
    """The state of a reading that speaks: the one that holds, of the day before its neighbours; else the nearest settling it."""
    around = ([tried.then] if tried.then else []) + [*judging.nearest(paper.cutoff, tried.before, tried.after)]
    near = [judging.compared(seen, allowed) for seen in around]
    speaking = [*(seen for seen in near if seen.holds), *(seen for seen in near if seen.decided), *near]
    return speaking[0] if speaking else None


def _exact(statement: Statement, reading: Reading) -> bool:
    """Whether one number is printed that vintages may bracket."""
    asked = reading.expect or statement
    return asked.sense in ("equals", "about") and isinstance(asked.printed, str)


def _label(number: Number, seen: Seen) -> str:
    """Which of several numbers: what tells it from the others."""
    told = [number.period]
    for name in ("entity", "partner"):
        if len({getattr(one, name) for one in seen.numbers}) > 1:
            told.append(str(getattr(number, name)))
    return " ".join(told)


def _why(statement: Statement, verdict: Verdict, chosen: Tried | None) -> Words | None:
    """Why nothing was computed."""
    if verdict is not Verdict.NOT_COMPUTED:
        return None
    if chosen is None:
        return statement.note or _say("no reading says how it is recomputed", "未说明如何重算")
    return chosen.why


def _without_value(states: Sequence[Seen]) -> Words:
    if not states:
        return _say("nothing of it was known by then", "其时尚无数据")
    missing = states[-1].lacking
    en, zh = "no vintage held has the value", "现有各数据版本均无此值"
    return _say(f"{en}: {', '.join(missing)}", f"{zh}：{'、'.join(missing)}") if missing else _say(en, zh)


def _say(en: str, zh: str) -> Words:
    return Words(en=en, zh=zh)
