"""Checks of what is printed against what is printed elsewhere: arithmetic, order, sameness, counts.

Belongs here: evaluating the checks of a paper, and of all papers together, over the intervals that rounding leaves. Does not
belong here: which misprint would explain a failure (corrections), and what a failure means for a verdict (verdicts).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from functools import lru_cache
from itertools import pairwise, product
from typing import TYPE_CHECKING, Protocol

from warehouse.errors import UsageError
from warehouse.papers.model import Check, Paper, Statement, Words
from warehouse.papers.verdicts.rounding import Allowed, expected

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue

Span = tuple[Decimal, Decimal]
_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip
_CALLS: dict[str, Callable[[Sequence[Decimal]], Decimal]] = {"min": min, "max": max}
_ENDLESS = Decimal("Infinity")


class Printed(Protocol):
    """Where a check finds what is printed: a catalogue."""

    def statement(self, name: str, /) -> tuple[Paper, Statement]:
        """The paper and the statement of an id."""


@dataclass(frozen=True)
class Checked:
    """What a check found. `agrees` is None where nothing is printed to compare with, or nothing can be computed.

    `computed` is the result in digits, for people; `correction` the single misprint that would explain a failure; `about` are
    the statements that a failure makes doubtful.
    """

    check: Check
    agrees: bool | None
    computed: str = ""
    correction: Words | None = None
    about: tuple[str, ...] = ()


def run(catalogue: Printed, paper: Paper) -> list[Checked]:
    """The checks of one paper, in their order. Raises UsageError where an expression cannot be meant."""
    return [checked(catalogue, check) for check in paper.checks]


def run_across(catalogue: Catalogue) -> list[Checked]:
    """The checks between papers, in their order. Raises UsageError like `run`."""
    return [checked(catalogue, check) for check in catalogue.cross]


@lru_cache(maxsize=4)
def every(catalogue: Catalogue) -> tuple[Checked, ...]:
    """All checks of all papers and between them, computed once for a catalogue. Raises UsageError like `run`."""
    return (*(one for paper in catalogue.papers.values() for one in run(catalogue, paper)), *run_across(catalogue))


def checked(catalogue: Printed, check: Check) -> Checked:
    """One check. Raises UsageError where its expression cannot be meant."""
    from warehouse.papers.verdicts import corrections

    def statement(name: str) -> Statement:
        return catalogue.statement(name)[1]

    if check.kind == "arithmetic":
        found = _arithmetic(check, statement)
        correction = corrections.of(catalogue, check) if found.agrees is False else None
        return Checked(check, found.agrees, found.computed, correction, check.about)
    if check.kind == "order":
        return _order(check, [statement(name) for name in check.among])
    if check.kind == "same":
        return _same(check, [statement(name) for name in check.among])
    if check.kind == "count":
        return _count(check, [statement(name) for name in check.among], statement)
    return Checked(check, None, about=check.about)


def fits(check: Check, printed: Mapping[str, Statement]) -> bool | None:
    """Whether an arithmetic check holds of these statements, by id; None where that cannot be told."""
    return _arithmetic(check, printed.__getitem__).agrees


def calculate(expression: str, values: Mapping[str, Span]) -> Span:
    """The lowest and the highest result of an expression over intervals: + - * / **, min, max, numbers and names.

    Raises UsageError for anything else, and decimal.DecimalException where it has no result (a division by zero).
    """
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise _unmeant(expression, "it is no expression") from error
    return _result(tree, values, expression)


def _result(node: ast.expr, values: Mapping[str, Span], whole: str) -> Span:
    match node:
        case ast.Constant(value=int() | float() as value):
            return Decimal(str(value)), Decimal(str(value))
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.Name(id=name):
            raise _unmeant(whole, f"`let` has no {name}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            low, high = _result(operand, values, whole)
            return -high, -low
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            divisor = _result(right, values, whole)
            if isinstance(op, ast.Div) and divisor[0] <= 0 <= divisor[1]:
                raise DecimalException(f"{whole}: the divisor may be zero")
            ends = product(_result(left, values, whole), divisor)
            return _hull([_OPERATORS[type(op)](*pair) for pair in ends])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLS and args:
            spans = [_result(one, values, whole) for one in args]
            return _CALLS[name]([low for low, _ in spans]), _CALLS[name]([high for _, high in spans])
    raise _unmeant(whole, f"`{ast.unparse(node)}` is more than + - * / **, min, max, numbers and names")


def span_of(statement: Statement) -> Span | None:
    """The numbers that what a statement prints may stand for, its scale multiplied out; None: it prints none."""
    allowed = expected(statement) if statement.printed is not None else None
    if allowed is None:
        return None
    return -_ENDLESS if allowed.low is None else allowed.low, _ENDLESS if allowed.high is None else allowed.high


def _arithmetic(check: Check, statement: Callable[[str], Statement]) -> Checked:
    operands = {name: statement(of) for name, of in check.let.items()}
    spans = {name: span for name, one in operands.items() if (span := span_of(one)) is not None}
    if len(spans) < len(operands) or check.expression is None:
        return Checked(check, None, about=check.about)
    try:
        low, high = calculate(check.expression, spans)
        told = _told(calculate(check.expression, {name: _as_printed(one) for name, one in operands.items()}))
    except DecimalException:
        return Checked(check, None, about=check.about)
    allowed = expected(statement(check.against)) if check.against else None
    return Checked(check, None if allowed is None else _meet((low, high), allowed), told, about=check.about)


def _order(check: Check, among: Sequence[Statement]) -> Checked:
    """Numbers in their order; two that rounding may have made equal, or exchanged, are in order."""
    spans = [span for one in among if (span := span_of(one)) is not None]
    falling = check.way == "falling"
    broken = [
        place
        for place, (one, other) in enumerate(pairwise(spans))
        if (one[1] < other[0] if falling else other[1] < one[0])
    ]
    told = "; ".join(f"{among[place].printed} → {among[place + 1].printed}" for place in broken)
    agrees = not broken if len(spans) == len(among) else None
    return Checked(check, agrees, told, about=check.about)


def _same(check: Check, among: Sequence[Statement]) -> Checked:
    spans = [span for one in among if (span := span_of(one)) is not None]
    told = " / ".join(str(one.printed) for one in among)
    agrees = max(low for low, _ in spans) <= min(high for _, high in spans) if len(spans) == len(among) else None
    return Checked(check, agrees, told, about=check.about or check.among)


def _count(check: Check, among: Sequence[Statement], statement: Callable[[str], Statement]) -> Checked:
    number = sum(check.of in one.entities for one in among)
    allowed = expected(statement(check.against)) if check.against else None
    return Checked(check, None if allowed is None else allowed.holds(number), str(number), about=check.about)


def _meet(span: Span, allowed: Allowed) -> bool:
    low, high = span
    above = allowed.low is None or high > allowed.low or (high == allowed.low and not allowed.low_open)
    below = allowed.high is None or low < allowed.high or (low == allowed.high and not allowed.high_open)
    return above and below


def _as_printed(statement: Statement) -> Span:
    ends = statement.printed if isinstance(statement.printed, tuple) else (statement.printed, statement.printed)
    low, high = (Decimal(str(end)).scaleb(statement.scale) for end in ends)
    return low, high


def _hull(ends: Sequence[Decimal]) -> Span:
    return min(ends), max(ends)


def _told(span: Span) -> str:
    """A result for people: as many digits as tell it, one number where both ends are the same."""
    low, high = (f"{float(end):.5g}" if abs(end) < 10000 else f"{float(end):.0f}" for end in span)
    return low if low == high else f"{low} … {high}"


def _unmeant(expression: str, why: str) -> UsageError:
    return UsageError(
        f"the check's expression `{expression}` cannot be computed: {why}",
        next_step="correct the expression in the paper's file; `let` names its statements",
    )
