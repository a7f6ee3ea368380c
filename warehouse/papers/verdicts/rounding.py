"""What a printed number allows: the interval in which a value lies that was printed so, and the rule in words.

Belongs here: rounding, the senses of hedged words, ranks and directions, in decimal arithmetic. Does not belong here: what
follows for a statement (judging).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from warehouse.papers.model import Expect, Statement, Words

#: Digits to which a computed value is trusted: beyond them lies the noise of binary fractions.
_DIGITS = 12
#: 约, 左右, 大约: this share of the number in either direction, or half a printed unit where that is more.
_ABOUT = Decimal("0.05")
#: 近, 接近, 不足: from this share of the number up to it.
_NEAR = Decimal("0.9")
#: Printed words that make the ends of a range vague.
_VAGUE = ("约", "大约", "左右", "大致")


@dataclass(frozen=True)
class Allowed:
    """An interval with open or closed ends (None: without end), and the rule it comes from.

    `ends`: where a range is printed of which the least and the greatest are meant, what is allowed of these two.
    """

    rule: Words
    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False
    ends: tuple[Allowed, Allowed] | None = None

    def each(self, values: Sequence[float | None]) -> list[Allowed]:
        """What is allowed of each of several values: of the two ends of a printed range, each its own."""
        known = [value for value in values if value is not None]
        if self.ends is None or len(known) != len(values) or len(values) != 2:
            return [self] * len(values)
        return list(self.ends) if known[0] <= known[1] else list(self.ends[::-1])

    def holds(self, value: float) -> bool:
        """Whether a value lies inside."""
        number = decimal(value)
        above = self.low is None or number > self.low or (number == self.low and not self.low_open)
        below = self.high is None or number < self.high or (number == self.high and not self.high_open)
        return above and below

    def margin(self, value: float) -> float:
        """How far a value lies outside, 0 inside; never negative."""
        number = decimal(value)
        off = max(
            self.low - number if self.low is not None else Decimal(0),
            number - self.high if self.high is not None else Decimal(0),
        )
        return float(max(off, Decimal(0)))


def decimal(value: float) -> Decimal:
    """A value as people would write it: 4.55 is 4.55, and 0.1 + 0.2 is 0.3."""
    return Decimal(f"{value:.{_DIGITS}g}")


def unit_of(printed: str) -> Decimal:
    """One unit of the last printed digit: 0.1 of "537.9", 1 of "1100"."""
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)  # a printed number is neither infinite nor no number
    return Decimal(1).scaleb(min(exponent, 0))


def expected(statement: Statement, expect: Expect | None = None, factor: Decimal = Decimal(1)) -> Allowed | None:
    """What a statement, or the reading of it that says otherwise, allows of a number; None where it speaks of none.

    What is printed counts in the statement's unit with its scale multiplied out, times `factor`: how many of the number's unit
    one of the statement's is. What `expect` says instead counts in the number's unit. A difference of rounded numbers may be off
    by a whole unit of its last digit.
    """
    asked = expect or Expect(sense=statement.sense, printed=statement.printed, hedge=statement.hedge)
    size = _size(statement, expect, factor)
    if asked.sense == "direction":
        return Allowed(_say("is above zero", "大于零"), low=Decimal(0), low_open=True)
    if asked.printed is None:
        return None
    if isinstance(asked.printed, tuple):
        found = _sized(_between(*asked.printed, vague=any(word in (asked.hedge or "") for word in _VAGUE)), size)
        if statement.kind != "range":
            return found
        return replace(found, ends=(_sized(_rounds(asked.printed[0]), size), _sized(_rounds(asked.printed[1]), size)))
    if asked.sense == "equals":
        difference = statement.kind == "difference" or statement.unit == "percentage points"
        return _sized((_within_a_unit if difference else _rounds)(asked.printed), size)
    rule = _RULES.get(asked.sense)
    return _sized(rule(asked.printed), size) if rule else None


def cut_off(statement: Statement, expect: Expect | None = None, factor: Decimal = Decimal(1)) -> Allowed | None:
    """The stated alternative to rounding: further digits were cut off. None where the statement hedges or prints no number."""
    asked = expect or statement
    if asked.sense != "equals" or not isinstance(asked.printed, str):
        return None
    number, unit = Decimal(asked.printed), unit_of(asked.printed)
    rule = _say(f"is {asked.printed} when further digits are cut off", f"舍去其后各位为 {asked.printed}")
    found = _outward(number, Allowed(rule, low=abs(number), high=abs(number) + unit, high_open=True))
    return _sized(found, _size(statement, expect, factor))


def rounded(printed: str) -> Allowed:
    """The interval of all numbers that are printed so: half a unit of the last digit to either side, ends included."""
    return _rounds(printed)


def _rounds(printed: str) -> Allowed:
    number, half = Decimal(printed), unit_of(printed) / 2
    rule = _say(f"rounds to {printed}", f"四舍五入为 {printed}")
    return Allowed(rule, low=number - half, high=number + half)


def _within_a_unit(printed: str) -> Allowed:
    number, unit = Decimal(printed), unit_of(printed)
    rule = _say(f"is {printed} ± {unit}, a difference of rounded numbers", f"{printed} ± {unit}（舍入后数字之差）")
    return Allowed(rule, low=number - unit, high=number + unit)


def _exactly(printed: str) -> Allowed:
    return Allowed(_say(f"is rank {printed}", f"位次为 {printed}"), low=Decimal(printed), high=Decimal(printed))


def _vagueness(printed: str) -> Decimal:
    return max(unit_of(printed) / 2, abs(Decimal(printed)) * _ABOUT)


def _about(printed: str) -> Allowed:
    number, off = Decimal(printed), _vagueness(printed)
    rule = _say(f"is about {printed}: ± {_plain(off)}", f"约 {printed}：± {_plain(off)}")
    return Allowed(rule, low=number - off, high=number + off)


def _between(first: str, last: str, *, vague: bool) -> Allowed:
    below, above = (_vagueness(end) if vague else unit_of(end) / 2 for end in (first, last))
    rule = _say(f"lies from {first} to {last}, the ends rounded", f"介于 {first} 与 {last} 之间（两端按舍入计）")
    return Allowed(rule, low=Decimal(first) - below, high=Decimal(last) + above)


def _near(printed: str) -> Allowed:
    number = abs(Decimal(printed))
    rule = _say(f"is near {printed}: from 90 % of it, not reaching it", f"接近 {printed}：不低于其九成而未达到")
    return _outward(Decimal(printed), Allowed(rule, low=number * _NEAR, high=number, high_open=True))


def _more_than(printed: str) -> Allowed:
    number = abs(Decimal(printed))
    leading = Decimal(1).scaleb(number.adjusted())
    rule = _say(
        f"is {printed} and something: less than {_plain(leading)} more", f"{printed} 余：超出不足 {_plain(leading)}"
    )
    span = Allowed(rule, low=number, high=number + leading, low_open=True, high_open=True)
    return _outward(Decimal(printed), span)


def _above(printed: str) -> Allowed:
    return Allowed(_say(f"is above {printed}", f"大于 {printed}"), low=Decimal(printed), low_open=True)


def _at_least(printed: str) -> Allowed:
    return Allowed(_say(f"is {printed} or more", f"不低于 {printed}"), low=Decimal(printed))


def _below(printed: str) -> Allowed:
    return Allowed(_say(f"is below {printed}", f"小于 {printed}"), high=Decimal(printed), high_open=True)


def _at_most(printed: str) -> Allowed:
    return Allowed(_say(f"is {printed} or less", f"不高于 {printed}"), high=Decimal(printed))


_RULES: dict[str, Callable[[str], Allowed]] = {
    "about": _about, "near": _near, "above": _above, "at least": _at_least, "more than": _more_than, "below": _below,
    "at most": _at_most, "short of": _near, "rank": _exactly,
}  # fmt: skip


def _outward(number: Decimal, span: Allowed) -> Allowed:
    """An interval meant for the size of a number, on the side where the number stands."""
    if number >= 0:
        return span
    low = None if span.high is None else -span.high
    high = None if span.low is None else -span.low
    return Allowed(span.rule, low, high, low_open=span.high_open, high_open=span.low_open)


def _size(statement: Statement, expect: Expect | None, factor: Decimal) -> Decimal:
    return factor.scaleb(statement.scale) if expect is None else Decimal(1)


def _sized(span: Allowed, size: Decimal) -> Allowed:
    low, high = (None if end is None else end * size for end in (span.low, span.high))
    return Allowed(span.rule, low, high, low_open=span.low_open, high_open=span.high_open)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _say(en: str, zh: str) -> Words:
    return Words(en=en, zh=zh)
