"""Which single misprint would make a failing check fit: a digit deleted, inserted, replaced, or two neighbours exchanged.

Belongs here: finding the candidates and choosing the one that suits its column best. Does not belong here: the check itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from warehouse.papers.model import Cell, Check, Statement, Words
from warehouse.papers.verdicts.checks import Printed, fits

_DIGITS = "0123456789"


@dataclass(frozen=True)
class Misprint:
    """What may have been meant instead of the printed number of a statement. `doubled`: a digit came out twice or only once."""

    statement: Statement
    meant: str
    doubled: bool
    strange: float

    @property
    def order(self) -> tuple[float, bool, float]:
        """The likelier the smaller: how it suits its column, a doubled digit, how little it moves the number."""
        return self.strange, not self.doubled, abs(float(self.meant) - float(str(self.statement.printed)))


def of(catalogue: Printed, check: Check) -> Words | None:
    """The likeliest single misprint that would make the check fit, and how many others would.

    Looked for in the statements that the check is about, or without such in the operands and the result; and only where the
    result is an exact figure, since a vague one proves no digit wrong.
    """
    if check.against is None or catalogue.statement(check.against)[1].sense != "equals":
        return None
    found = sorted(_fitting(catalogue, check), key=lambda one: one.order)
    if not found:
        return None
    best, others = found[0], len(found) - 1
    was, meant = _grouped(str(best.statement.printed)), _grouped(best.meant)
    en = f"{meant} would fit instead of {was} ({best.statement.id})"
    zh = f"若 {was} 应为 {meant} 则吻合（{best.statement.id}）"
    if others:
        en += f"; {others} other single misprints would fit as well"
        zh += f"；另有 {others} 种单一笔误同样吻合"
    return Words(en=en, zh=zh)


def variants(printed: str) -> Iterator[tuple[str, bool]]:
    """Every number that one slip turns into the printed one, and whether the slip doubled a digit or lost a double."""
    places = [place for place, sign in enumerate(printed) if sign in _DIGITS]
    for place in places:
        before, sign, after = printed[:place], printed[place], printed[place + 1 :]
        yield before + after, sign in (before[-1:], after[:1])
        for digit in _DIGITS:
            yield before + digit + after, False
            yield before + digit + sign + after, digit == sign
            yield before + sign + digit + after, digit == sign
        if after[:1] in _DIGITS and after:
            yield before + after[0] + sign + after[1:], False


def _fitting(catalogue: Printed, check: Check) -> Iterator[Misprint]:
    names = [*check.let.values(), *([check.against] if check.against else [])]
    printed = {name: catalogue.statement(name)[1] for name in names}
    for name, statement in printed.items():
        if not isinstance(statement.printed, str) or (check.about and name not in check.about):
            continue
        column = _column(catalogue, statement)
        candidates: dict[str, bool] = {}
        for meant, doubled in variants(statement.printed):
            if _is_number(meant) and meant != statement.printed:
                candidates[meant] = candidates.get(meant, False) or doubled
        for meant, doubled in candidates.items():
            if fits(check, {**printed, name: statement.model_copy(update={"printed": meant})}):
                yield Misprint(statement, meant, doubled, _strangeness(float(meant), column))


def _column(catalogue: Printed, statement: Statement) -> list[float]:
    """The numbers printed directly above and below in the column of a table."""
    if not isinstance(statement, Cell):
        return []
    paper, _ = catalogue.statement(statement.id)
    exhibit = next(one for one in paper.exhibits if statement in one.cells)
    column = [one for one in exhibit.cells if one.column == statement.column]
    place = column.index(statement)
    beside = [*column[max(place - 1, 0) : place], *column[place + 1 : place + 2]]
    return [float(one.printed) for one in beside if isinstance(one.printed, str)]


def _strangeness(number: float, column: list[float]) -> float:
    """How many powers of e a number is away from the nearest beside it, to one decimal."""
    away = [abs(math.log(number / one)) for one in column if number * one > 0]
    return round(min(away, default=0.0), 1)


def _is_number(text: str) -> bool:
    whole = text.lstrip("-").partition(".")[0]
    return whole.isdigit() and (whole == "0" or whole[0] != "0") and not text.endswith(".")


def _grouped(number: str) -> str:
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, point, decimals = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{decimals}"
