"""A definition's formula over what was known in a state: the numbers, and what was missing for those that are withheld.

Belongs here: gathering the inputs over their economies and periods, running the SQL, completeness. Does not belong here: the
formulas themselves (definitions.yaml), reading observations (inputs), and whether a number is as printed (verdicts).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any, NamedTuple

import duckdb

from warehouse import clock
from warehouse.errors import FigurekeeperError
from warehouse.papers.inputs import WORLD, Held, State, Whose
from warehouse.papers.model import Definition, Formula, Input, Statement
from warehouse.papers.results import Number
from warehouse.papers.vocabulary import Vocabulary

#: Whose number is asked for; economy and partner are None where a group answers.
_Group = tuple[str | None, str | None, str]
#: The vintages that answer, one an input.
_Vintages = tuple[str, ...]
#: What an answer may have beside its value.
_COLUMNS = ("entity", "partner", "period", "value", "ties", "margin", "covered")
#: What no flag is: none, and a normal value.
_UNFLAGGED = {"", "A"}
#: Told as missing where all is there and the formula has no value, as a division by zero has none.
UNDEFINED = "a value of the formula"


class FormulaError(FigurekeeperError):
    """A definition's SQL does not run, or does not answer with the columns that are agreed on."""

    def __init__(self, definition: str, problem: str) -> None:
        super().__init__(
            f"the formula of {definition} cannot be computed: {problem}",
            next_step=f"correct the sql of {definition} in warehouse/papers/definitions.yaml, or see whether a paper of your own"
            " uses it for economies, periods or measures that it is not meant for",
        )


class Cell(NamedTuple):
    """An observation that an answer rests on, in the unit of its measure."""

    measure: str
    vintage: str
    series_key: str
    entity: str
    partner: str | None
    period: str
    value: float | None
    status: str


class _Rest(NamedTuple):
    """An observation that a number rests on: whose, its status flags (None: it is not there), and whether it must be there."""

    name: str
    status: str | None
    needed: bool


@dataclass(frozen=True)
class _Asked:
    """A formula with everything that it leaves to its statement."""

    definition: Definition
    measures: Mapping[str, str]
    paired: frozenset[str]  # inputs whose measure has partners
    members: tuple[str, ...]
    partners: tuple[str, ...]
    periods: tuple[str, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells this question from others."""
        return (self.definition.id, *self.measures.items(), self.members, self.partners, self.periods)

    @property
    def first(self) -> str:
        """The first period that is read, which is before the first asked for where growth is computed."""
        return _before(self.periods[0]) if self.definition.needs == "back" else self.periods[0]


def answer(held: Held, words: Vocabulary, formula: Formula, statement: Statement | None, state: State) -> list[Number]:
    """The numbers of a formula in a state, in the definition's unit; what the formula leaves out is the statement's own.

    A number for which an input is missing has value None, and `missing` says which. A number of several periods bears them as
    2000:2017. Those that rank or sum over all economies tell in `coverage` how many have a value, of how many that are held.
    Raises FormulaError where the SQL is wrong, UsageError where the period is none.
    """
    asked = _asked(words, formula, statement)
    mine = _vintages(held, asked, state)
    if (asked.key, mine) not in held.kept:
        # One question for all states costs little more than for one, and who asks for one asks for the others.
        together = {_vintages(held, asked, one): one for one in [*held.states(asked.measures.values()), state]}
        held.kept |= {(asked.key, one): numbers for one, numbers in _answers(held, asked, together).items()}
    numbers: list[Number] = held.kept[asked.key, mine]
    return list(numbers)


def cells(held: Held, words: Vocabulary, formula: Formula, statement: Statement | None, state: State) -> list[Cell]:
    """The observations that an answer rests on, by measure, economy, partner and period."""
    asked = _asked(words, formula, statement)
    found: dict[Cell, None] = {}
    for where, vintage in zip(_inputs(held, asked).values(), _vintages(held, asked, state), strict=True):
        query = (
            "select measure, vintage_id, series_key, entity, partner, period, value, status from cells"
            f" where {where} and vintage_id = {_text(vintage)}"
        )
        found |= dict.fromkeys(Cell(*row) for row in held.database.execute(f"{query} order by all").fetchall())
    return list(found)


def periods_between(first: str, last: str) -> tuple[str, ...]:
    """All periods of one frequency from the first to the last: 2016 to 2021, 2017-Q3 to 2018-Q2, 2017-05 to 2017-09."""
    found = [first]
    while found[-1] < last:
        found.append(_after(found[-1]))
    return tuple(found)


def _after(period: str) -> str:
    return _shifted(period, 1)


def _before(period: str) -> str:
    return _shifted(period, -1)


def _shifted(period: str, by: int) -> str:
    year, _, part = period.partition("-")
    if not part:
        return str(int(year) + by)
    quarterly = part.startswith("Q")
    count = 4 if quarterly else 12
    position = int(year) * count + int(part.lstrip("Q")) - 1 + by
    number = position % count + 1
    return f"{position // count}-" + (f"Q{number}" if quarterly else f"{number:02d}")


def _asked(words: Vocabulary, formula: Formula, statement: Statement | None) -> _Asked:
    entities = formula.entities or (statement.entities if statement is not None else ())
    partners = formula.partners or (statement.partners if statement is not None else ())
    first, last = clock.parse_periods(formula.period or (statement.period if statement is not None else None))
    measures = words.measures_of(formula)
    paired = frozenset(name for name, measure in measures.items() if "{partner}" in words.measures[measure].series)
    return _Asked(
        words.definitions[formula.use],
        measures,
        paired,
        words.members(entities),
        words.members(partners),
        periods_between(first or last or "", last or first or ""),
    )


def _vintages(held: Held, asked: _Asked, state: State) -> _Vintages:
    """The vintage of each input, in their order."""
    return tuple(held.vintage(measure, state) for measure in asked.measures.values())


def _answers(held: Held, asked: _Asked, states: Mapping[_Vintages, State]) -> dict[_Vintages, list[Number]]:
    """The numbers in several states."""
    rows, present = _run(held, asked, list(states)), _present(held, asked, list(states))
    universe = [measure for name, measure in asked.measures.items() if asked.definition.inputs[name].over == "universe"]
    found: dict[_Vintages, list[Number]] = {}
    for place, (vintages, state) in enumerate(states.items()):
        among = min((held.economies(measure, state) for measure in universe), default=0)
        there = {name: present.get((name, vintage), {}) for name, vintage in zip(asked.measures, vintages, strict=True)}
        found[vintages] = [
            _number(whose, row, list(_rests_on(asked, there, whose)), among)
            for whose, row in _expected(asked, rows.get(place, []))
        ]
    return found


def _number(whose: _Group, row: dict[str, Any] | None, rests: Sequence[_Rest], among: int) -> Number:
    entity, partner, period = whose
    lacking = tuple(rest.name for rest in rests if rest.status is None and rest.needed)
    flags = {flag for rest in rests for flag in (rest.status or "").split(";")} - _UNFLAGGED
    told = row if row is not None else {}
    value = told.get("value")
    if lacking or (value is not None and not math.isfinite(value)):
        value = None
    unanswered = row is None or not any(rest.needed for rest in rests)
    return Number(
        period,
        value,
        entity,
        partner,
        missing=lacking or (() if value is not None else (_absent(whose) if unanswered else UNDEFINED,)),
        ties=told.get("ties") or 0,
        margin=told.get("margin"),
        coverage=(told["covered"], among) if told.get("covered") is not None else None,
        status=";".join(sorted(flags)),
    )


def _absent(whose: _Group) -> str:
    """Whom no row answers for, as the economy without a value among those that are ranked."""
    entity, partner, period = whose
    return " ".join(filter(None, ["-".join(filter(None, [entity, partner])), period]))


def _run(held: Held, asked: _Asked, states: Sequence[_Vintages]) -> dict[int, list[dict[str, Any]]]:
    """The rows that the formula finds in each of some states, by the state's place."""
    definition = asked.definition
    relations = [
        f"{_name(name)} as (select entity, partner, period, value from cells"
        f" where {where} and vintage_id = states.{_name(name)} and value is not null)"
        for name, where in _inputs(held, asked).items()
    ]
    relations.append(
        f"asked as (select {_text(asked.periods[0])} as first, {_text(asked.periods[-1])} as last,"
        f" {len(asked.periods) - 1} as steps, {_list(asked.members)} as members, {_list(asked.partners)} as partners)"
    )
    listed = ", ".join(f"({place}, {', '.join(map(_text, vintages))})" for place, vintages in enumerate(states))
    columns = ", ".join(["place", *map(_name, asked.measures)])
    query = (
        f"select states.place as state, answer.* from (values {listed}) states({columns}),"
        f" lateral (with {', '.join(relations)} {definition.sql}) answer"
    )
    try:
        answered = held.database.execute(query)
        names = [column[0] for column in answered.description or ()][1:]
        rows = answered.fetchall()
    except duckdb.Error as error:
        raise FormulaError(definition.id, str(error).splitlines()[0]) from error
    if "value" not in names or not set(names) <= set(_COLUMNS):
        raise FormulaError(definition.id, f"it answers with the columns {', '.join(names)}, not with value")
    found: dict[int, list[dict[str, Any]]] = {}
    for state, *row in rows:
        found.setdefault(state, []).append(dict(zip(names, row, strict=True)))
    return found


def _present(held: Held, asked: _Asked, states: Sequence[_Vintages]) -> dict[tuple[str, str], dict[Whose, str]]:
    """Of whom each input has a value, with its status flags, by input and vintage; of inputs over the universe only of the
    economies that are named."""
    told = [
        f"select {_text(name)}, vintage_id, entity, partner, period, status from cells"
        f" where {where} and vintage_id in {_among(sorted({vintages[place] for vintages in states}))} and value is not null"
        + (f" and entity in {_among(asked.members)}" if asked.definition.inputs[name].over == "universe" else "")
        for place, (name, where) in enumerate(_inputs(held, asked).items())
    ]
    found: dict[tuple[str, str], dict[Whose, str]] = {}
    if told:
        for name, vintage, *whose, status in held.database.execute(" union all ".join(told)).fetchall():
            found.setdefault((name, vintage), {})[whose[0], whose[1], whose[2]] = status
    return found


def _inputs(held: Held, asked: _Asked) -> dict[str, str]:
    """Which rows of `cells` each input takes in any state, as SQL, in the order of the inputs."""
    bounds = (
        f"period between {_text(asked.first)} and {_text(asked.periods[-1])} and length(period) = {len(asked.first)}"
    )
    members, partners = f"in {_among(asked.members)}", f"in {_among(asked.partners)}"
    found = {}
    for name, measure in asked.measures.items():
        chosen = {
            "each": f"entity {members}" + (f" and partner {partners}" if name in asked.paired else ""),
            "members": f"entity {members}",
            "partners": f"entity {partners}",
            "pairs": f"entity {members} and partner {members} and entity <> partner",
            "partner pairs": f"entity {partners} and partner {partners} and entity <> partner",
            "world": f"entity = {_text(WORLD)}",
            "universe": f"entity not in {_among(sorted(held.words.aggregates))}",
        }[asked.definition.inputs[name].over]
        found[name] = f"measure = {_text(measure)} and {bounds} and {chosen}"
    return found


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


def _name(value: str) -> str:
    return f'"{value}"'


def _among(values: Sequence[str]) -> str:
    return f"({', '.join(map(_text, values))})" if values else "(null)"


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]::text[]"


def _expected(asked: _Asked, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[_Group, dict[str, Any] | None]]:
    """Whose numbers were asked for, each with the row that answers, and the rows that only the formula can tell."""
    whole = asked.definition.needs in ("ends", "span")
    label = f"{asked.periods[0]}:{asked.periods[-1]}" if len(asked.periods) > 1 else asked.periods[0]
    labels = (label,) if whole else asked.periods
    found = [((row.get("entity"), row.get("partner"), label if whole else row["period"]), row) for row in rows]
    found = sorted((one for one in found if one[0][2] in labels), key=lambda one: _in_order(one[0]))
    if asked.definition.answers == "some":
        yield from found
        yield from (
            ((None, None, period), None) for period in labels if not any(whose[2] == period for whose, _ in found)
        )
        return
    answered = dict(found)
    for period in labels:
        for entity, partner in _areas(asked):
            whose = (entity, partner, period)
            yield whose, answered.get(whose)


def _in_order(whose: _Group) -> tuple[str, str, str]:
    entity, partner, period = whose
    return entity or "", partner or "", period


def _areas(asked: _Asked) -> list[tuple[str | None, str | None]]:
    """For whom a formula that knows its rows answers."""
    answers = asked.definition.answers
    if answers == "group":
        return [(None, None)]
    paired = any(asked.definition.inputs[name].over == "each" for name in asked.paired)
    if answers == "partner" or (answers == "each" and paired):
        return list(product(asked.members, asked.partners))
    return [(entity, None) for entity in asked.members]


def _rests_on(asked: _Asked, present: Mapping[str, Mapping[Whose, str]], whose: _Group) -> Iterator[_Rest]:
    """The observations that a row rests on, whether they are there or not."""
    entity, partner, period = whose
    periods = _resting_on(asked, period)
    several = len(set(asked.measures.values())) > 1
    for name, one in asked.definition.inputs.items():
        for area, other in _required(asked, name, one, entity, partner):
            for wanted in periods:
                who = f"{area}-{other}" if other is not None else area
                told = f"{asked.measures[name]} {who} {wanted}" if several else f"{who} {wanted}"
                yield _Rest(told, present[name].get((area, other, wanted)), one.over != "universe")


def _resting_on(asked: _Asked, period: str) -> tuple[str, ...]:
    needs = asked.definition.needs
    if needs == "ends":
        return tuple(dict.fromkeys((asked.periods[0], asked.periods[-1])))
    if needs == "span":
        return asked.periods
    return (_before(period), period) if needs == "back" else (period,)


def _required(
    asked: _Asked, name: str, one: Input, entity: str | None, partner: str | None
) -> Iterable[tuple[str, str | None]]:
    """The economies, and partners, that a row wants of an input. A row that names an economy wants no other of `each`."""
    members = (entity,) if entity in asked.members and entity is not None else asked.members
    partners = (partner,) if partner in asked.partners and partner is not None else asked.partners
    if one.over == "each":
        return product(members, partners if name in asked.paired else (None,))
    if one.over in ("pairs", "partner pairs"):
        return permutations(asked.members if one.over == "pairs" else asked.partners, 2)
    if one.over == "world":
        return [(WORLD, None)]
    gathered = {"members": asked.members, "partners": partners, "universe": members}[one.over]
    return product(gathered, (None,))
