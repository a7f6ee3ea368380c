"""What one entry of a paper says against others: references, units, periods, rounding, and what was left open.

Belongs here: everything that can be wrong with a paper whose fields are each right by themselves (model says when they are).
Does not belong here: reading files (catalogue), and whether numbers hold (verdicts, checks).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.papers.model import Check, Drawn, Formula, Input, Measure, Paper, Reading, Statement, Words
from warehouse.papers.vocabulary import ADDS, ANY, SAME, Vocabulary
from warehouse.yaml_lines import Mistake, Where

Found = tuple[Where, str]
_ECONOMY = re.compile(r"[A-Z]{3}|EU27_2020")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_GATHERS_PARTNERS = ("partners", "partner pairs")


def left_open(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every field of a file in which TODO was left."""
    yield from _open_in(data, ())


def _open_in(value: Any, where: Where) -> Iterator[Mistake]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _open_in(item, (*where, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _open_in(item, (*where, index))
    elif isinstance(value, str) and re.search(r"\bTODO\b", value):
        yield where, f"{'.'.join(map(str, where))}: still TODO"


def mistakes(paper: Paper, words: Vocabulary, *, ours: bool) -> Iterator[Found]:
    """What is wrong with a paper whose fields are right. `ours`: Chinese words must be Chinese."""
    known: dict[str, Statement] = {}
    for where, statement in _statements(paper):
        if statement.id in known:
            yield (*where, "id"), f"{statement.id} stands twice"
        if not statement.id.startswith(f"{paper.id}-"):
            yield (*where, "id"), f"{statement.id} does not begin with the paper's id, {paper.id}-"
        known[statement.id] = statement
        yield from ((((*where, *field)), what) for field, what in _wrong_statement(statement, paper, words))
    for index, exhibit in enumerate(paper.exhibits):
        at: Where = ("exhibits", index)
        if not exhibit.id.startswith(f"{paper.id}-"):
            yield (*at, "id"), f"{exhibit.id} does not begin with the paper's id, {paper.id}-"
        for number, drawn in enumerate(exhibit.drawn):
            yield from (((*at, "drawn", number, *field), what) for field, what in _wrong_drawn(drawn, words))
    yield from wrong_checks(paper.checks, known)
    if ours:
        yield from _not_chinese(paper)


def _statements(paper: Paper) -> Iterator[tuple[Where, Statement]]:
    for index, claim in enumerate(paper.claims):
        yield ("claims", index), claim
    for number, exhibit in enumerate(paper.exhibits):
        for index, cell in enumerate(exhibit.cells):
            yield ("exhibits", number, "cells", index), cell


def _wrong_statement(statement: Statement, paper: Paper, words: Vocabulary) -> Iterator[Found]:
    unit = words.units.get(statement.unit)
    if unit is None:
        yield ("unit",), f"{statement.id}: unknown unit {statement.unit!r}"
    elif unit.whole:
        yield from _not_whole(statement)
    if statement.exhibit is not None and statement.exhibit not in {one.id for one in paper.exhibits}:
        yield ("exhibit",), f"{statement.id}: the paper has no exhibit {statement.exhibit}"
    yield from _wrong_economies(statement.id, statement, words)
    if statement.machine_readable != "no" and not statement.readings and statement.note is None:
        yield (
            ("machine_readable",),
            f"{statement.id}: a source is machine-readable, but no reading says how it is recomputed, and no note why not",
        )
    for index, reading in enumerate(statement.readings):
        told = (
            (("readings", index, *field), f"{statement.id}: {what}")
            for field, what in _wrong_reading(reading, statement, words)
        )
        yield from told


def _not_whole(statement: Statement) -> Iterator[Found]:
    printed = statement.printed if isinstance(statement.printed, tuple) else (statement.printed,)
    for number in printed:
        decimals = len((number or "").partition(".")[2])
        if decimals > max(statement.scale, 0):
            times = f"10^{statement.scale} " if statement.scale else ""
            yield ("printed",), f"{statement.id}: {number} {times}{statement.unit} is no whole number of them"


def _wrong_economies(name: str, entry: Statement | Formula, words: Vocabulary) -> Iterator[Found]:
    for field in ("entities", "partners"):
        for entity in getattr(entry, field) or ():
            if entity not in words.groups and not _ECONOMY.fullmatch(entity):
                yield (field,), f"{name}: {entity!r} is neither a code of three letters nor a group"


def _wrong_reading(reading: Reading, statement: Statement, words: Vocabulary) -> Iterator[Found]:
    found = list(_wrong_formula(reading, words))
    yield from found
    yield from _wrong_economies("the reading", reading, words)
    yield from _wrong_period(reading.period or statement.period)
    if found:
        return
    yield from _unnamed(reading, reading.entities or statement.entities, reading.partners or statement.partners, words)
    own_number = reading.expect is not None and reading.expect.printed is not None  # counts in the definition's unit
    compared = statement.printed is not None and not own_number and statement.unit in words.units
    unit = words.unit_of(reading)
    if compared and words.factor(unit, statement.unit) is None:
        yield ("unit",), f"{reading.use} gives {unit}, which is no {statement.unit}"


def _wrong_drawn(drawn: Drawn, words: Vocabulary) -> Iterator[Found]:
    found = list(_wrong_formula(drawn, words))
    yield from found
    yield from _wrong_economies("the line", drawn, words)
    if drawn.period is None:
        yield (), "a line wants its own period"
    else:
        yield from _wrong_period(drawn.period)
    if drawn.unit not in words.units:
        yield ("unit",), f"unknown unit {drawn.unit!r}"
    elif not found:
        yield from _unnamed(drawn, drawn.entities or (), drawn.partners or (), words)
        if words.factor(words.unit_of(drawn), drawn.unit) is None:
            yield ("use",), f"{drawn.use} gives {words.unit_of(drawn)}, which is no {drawn.unit}"


def _wrong_formula(formula: Formula, words: Vocabulary) -> Iterator[Found]:
    definition = words.definitions.get(formula.use)
    if definition is None:
        yield ("use",), f"unknown definition {formula.use!r}"
        return
    for name, measure in formula.given.items():
        if name not in definition.inputs:
            yield ("with", name), f"{formula.use} has no input {name!r}; it has {', '.join(definition.inputs)}"
        elif measure not in words.measures:
            yield ("with", name), f"unknown measure {measure!r}"
    measures = words.measures_of(formula)
    for name in definition.inputs:
        if name not in measures:
            yield ("use",), f"{formula.use}: no measure is named for its input {name!r}"
    if set(measures) == set(definition.inputs) and set(measures.values()) <= set(words.measures):
        yield from _wrong_inputs(formula, measures, words)


def _wrong_inputs(formula: Formula, measures: Mapping[str, str], words: Vocabulary) -> Iterator[Found]:
    inputs = words.definitions[formula.use].inputs
    first = words.measures[measures[next(iter(inputs))]].unit
    for name, one in inputs.items():
        wanted = first if one.unit == SAME else one.unit
        where: Where = ("with", name) if name in formula.given else ("use",)
        for what in (
            _unfit(words.measures[measures[name]], one),
            _clash(words.measures[measures[name]], wanted, words),
        ):
            if what:
                yield where, f"{measures[name]} {what}: the input {name!r} of {formula.use}"


def _unfit(measure: Measure, one: Input) -> str:
    """Why a measure cannot be gathered as an input is."""
    paired = "{partner}" in measure.series
    if paired and one.over not in ("each", "pairs", "partner pairs"):
        return "is told by partner where totals are wanted"
    if not paired and one.over in ("pairs", "partner pairs"):
        return "is not told by partner"
    return "has no world total" if one.over == "world" and measure.world is None else ""


def _clash(measure: Measure, wanted: str, words: Vocabulary) -> str:
    """Why a measure's unit is not the one wanted."""
    if wanted == ADDS:
        return "" if words.units[measure.unit].adds else f"is in {measure.unit}, which is not summed"
    fits = wanted == ANY or words.factor(measure.unit, wanted) == 1
    return "" if fits else f"is in {measure.unit}, where {wanted} is wanted"


def _wrong_period(period: str) -> Iterator[Found]:
    try:
        first, last = clock.parse_periods(period)
    except UsageError as error:
        yield ("period",), f"{error.what}; a reading of this sentence needs a `period` such as 2017 or 2016:2021"
        return
    if first is None or last is None:
        yield ("period",), f"{period!r} has no first or no last period"
    elif (len(first), "Q" in first) != (len(last), "Q" in last):
        yield ("period",), f"{period!r} runs from a period of one length to one of another"


def _unnamed(
    formula: Formula, entities: Collection[str], partners: Collection[str], words: Vocabulary
) -> Iterator[Found]:
    """Economies that a formula needs and nobody names."""
    inputs, measures = words.definitions[formula.use].inputs, words.measures_of(formula)
    paired = any(
        "{partner}" in words.measures[measures[name]].series and one.over == "each" for name, one in inputs.items()
    )
    gathered = any(one.over in _GATHERS_PARTNERS for one in inputs.values())
    if not words.members(entities):
        yield ("entities",), f"{formula.use} has no economies to speak of: none is named, or the group lists no members"
    if (paired or gathered) and not words.members(partners):
        yield ("partners",), f"{formula.use} has no partners to speak of: none is named, or the group lists no members"


def wrong_checks(checks: Iterable[Check], known: Mapping[str, Any]) -> Iterator[Found]:
    """References of checks to statements that do not exist, and names in expressions that nothing stands behind."""
    seen: set[str] = set()
    for index, check in enumerate(checks):
        at: Where = ("checks", index)
        if check.id in seen:
            yield (*at, "id"), f"{check.id} stands twice"
        seen.add(check.id)
        for name in sorted(named_in(check) - set(known)):
            yield at, f"{check.id}: no statement {name}"
        if check.kind == "arithmetic" and check.expression is None:
            yield at, f"{check.id}: an arithmetic check wants an expression"
        if check.kind in ("order", "same") and len(check.among) < 2:
            yield at, f"{check.id}: `among` wants two statements or more"
        if check.expression is not None:
            yield from (((*at, "expression"), f"{check.id}: {what}") for what in _wrong_expression(check))


def named_in(check: Check) -> set[str]:
    """All statements that a check names."""
    against = {check.against} if check.against is not None else set()
    return {*check.let.values(), *check.among, *check.about, *against}


def _wrong_expression(check: Check) -> Iterator[str]:
    try:
        tree = ast.parse(check.expression or "", mode="eval")
    except SyntaxError:
        yield f"{check.expression!r} is no expression"
        return
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - called
    for name in sorted(names - set(check.let)):
        yield f"nothing in `let` is called {name}"
    for name in sorted(set(check.let) - names):
        yield f"{name} is in `let` and not in the expression"


def _not_chinese(paper: Paper) -> Iterator[Found]:
    """Words whose Chinese has no Chinese character."""
    yield from _foreign(paper, ())


def _foreign(value: Any, where: Where) -> Iterator[Found]:
    if isinstance(value, Words):
        if not _CHINESE.search(value.zh) and re.search(r"[A-Za-z]{4}", value.zh) and value.zh != "SANDBOX":
            yield (*where, "zh"), f"{'.'.join(map(str, where))}: {value.zh!r} is no Chinese"
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _foreign(item, (*where, index))
    elif hasattr(value, "model_fields_set"):
        for field in type(value).model_fields:
            yield from _foreign(getattr(value, field), (*where, field))
