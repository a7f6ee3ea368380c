"""What the warehouse says of a statement: the verdicts, their words, and everything a reader sees behind one.

Belongs here: the records that verdicts makes and that pages, command line, exports and alerts show. Nothing is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from warehouse.papers.model import Paper, Reading, Statement, Words


class Verdict(StrEnum):
    """What becomes of a printed statement, in the words readers see (English; `WORDS` has both languages)."""

    REPRODUCED = "reproduced"
    REVISED = "reproduced, revised since"
    NEIGHBOUR = "reproduced in a neighbouring vintage"
    BRACKETED = "bracketed by neighbouring vintages"
    ASSUMED = "reproduced under a stated assumption"
    PARTLY = "partly holds"
    DIFFERS_NOW = "differs now, vintage of the day not held"
    NOT_REPRODUCED = "not reproduced"
    CONTRADICTED = "contradicted by the cited data"
    INCONSISTENT = "internally inconsistent"
    PROXY_AGREES = "proxy agrees"
    PROXY_DIFFERS = "proxy differs"
    NOT_COMPARABLE = "no longer comparable"
    NO_SOURCE = "no machine-readable source"
    NOT_COMPUTED = "not computed"
    NOT_QUANTITATIVE = "not quantitative"


def _both(en: str, zh: str) -> Words:
    return Words(en=en, zh=zh)


WORDS: dict[Verdict, Words] = {
    Verdict.REPRODUCED: _both("reproduced", "复现"),
    Verdict.REVISED: _both("reproduced, revised since", "当时复现，此后修订"),
    Verdict.NEIGHBOUR: _both("reproduced in a neighbouring vintage", "邻近版本复现"),
    Verdict.BRACKETED: _both("bracketed by neighbouring vintages", "介于前后版本"),
    Verdict.ASSUMED: _both("reproduced under a stated assumption", "按假设复现"),
    Verdict.PARTLY: _both("partly holds", "部分成立"),
    Verdict.DIFFERS_NOW: _both("differs now, vintage of the day not held", "当时版本缺失，现值不同"),
    Verdict.NOT_REPRODUCED: _both("not reproduced", "未能复现"),
    Verdict.CONTRADICTED: _both("contradicted by the cited data", "与所引数据不符"),
    Verdict.INCONSISTENT: _both("internally inconsistent", "文内不一致/疑似笔误"),
    Verdict.PROXY_AGREES: _both("proxy agrees", "替代口径一致"),
    Verdict.PROXY_DIFFERS: _both("proxy differs", "替代口径不一致"),
    Verdict.NOT_COMPARABLE: _both("no longer comparable", "口径已变，不可比"),
    Verdict.NO_SOURCE: _both("no machine-readable source", "无机读来源"),
    Verdict.NOT_COMPUTED: _both("not computed", "尚未计算"),
    Verdict.NOT_QUANTITATIVE: _both("not quantitative", "非定量"),
}


@dataclass(frozen=True)
class Number:
    """One number of an answer. `value` is in the unit of the definition; None: an input was missing, and `missing` says which.

    `holds`: whether it is as the statement says; None where that cannot be asked. Of a rank: `ties` share it, `margin` is the
    relative distance to the nearest neighbour. `coverage`: how many economies have a value, of how many that are held.
    `status`: the provider's flags of the observations of the economies that it names, joined by ; (A, a normal value, is none).
    """

    period: str
    value: float | None
    entity: str | None = None
    partner: str | None = None
    holds: bool | None = None
    missing: tuple[str, ...] = ()
    ties: int = 0
    margin: float | None = None
    coverage: tuple[int, int] | None = None
    status: str = ""


@dataclass(frozen=True)
class Seen:
    """What one state of the data says of a reading. A state begins with a vintage of any of its parts.

    `known_from` is UTC as stored; `day` is for people; `vintages` are those that answer, by part ("dataset/part").
    """

    known_from: str
    day: str
    precision: str
    basis: str
    vintages: dict[str, str]
    numbers: tuple[Number, ...]

    @property
    def asked(self) -> int:
        """How many numbers could be asked."""
        return sum(number.holds is not None for number in self.numbers)

    @property
    def held(self) -> int:
        """How many of them are as the statement says."""
        return sum(number.holds is True for number in self.numbers)

    @property
    def decided(self) -> bool:
        """Whether its numbers settle the statement: one is otherwise than it says, or none is missing."""
        refuted = any(number.holds is False for number in self.numbers)
        return refuted or (bool(self.numbers) and self.asked == len(self.numbers))

    @property
    def lacking(self) -> tuple[str, ...]:
        """What was missing for the numbers that could not be asked, each once."""
        return tuple(dict.fromkeys(name for number in self.numbers for name in number.missing))

    @property
    def holds(self) -> bool:
        """Whether all numbers could be asked, and all are as the statement says."""
        return bool(self.numbers) and self.held == len(self.numbers)


@dataclass(frozen=True)
class Tried:
    """One reading and what became of it.

    `reading` is as declared; what the notes of its series say against them is added to what it assumes. `then`: a state inside
    the paper's cutoff interval, the one that holds where there is one; `before` and `after`: the nearest outside; `now`:
    the newest. `why` says why nothing could be computed. `outcome` is the verdict this reading alone would give.
    `factor`: how many of `unit` one of the statement's unit is; `own_unit`: the two do not compare, as with the direction of a
    change, so that its numbers can be told in `unit` alone.
    """

    number: int
    reading: Reading
    series: tuple[str, ...]
    unit: str
    outcome: Verdict
    then: Seen | None = None
    before: Seen | None = None
    after: Seen | None = None
    now: Seen | None = None
    states: tuple[Seen, ...] = ()
    why: Words | None = None
    factor: float = 1.0
    own_unit: bool = False


@dataclass(frozen=True)
class Judged:
    """A verdict and all that stands behind it. `chosen` is the reading the verdict rests on.

    `rule` says how the printed number was compared, `margin` by how much the value is off in `unit` (0: within the rule).
    `tried` and `agreeing` count readings. `holds`: how many numbers hold, of how many that could be asked; `which` names those
    that do not. `why` says why nothing was computed. `correction` is what would fit where the text is inconsistent.
    `cause` says what revised the number since.
    `evidence` are checks and other statements that speak for or against it.
    """

    statement: Statement
    paper: Paper
    verdict: Verdict
    rule: Words | None = None
    margin: float | None = None
    unit: str = ""
    readings: tuple[Tried, ...] = ()
    chosen: Tried | None = None
    tried: int = 0
    agreeing: int = 0
    holds: tuple[int, int] | None = None
    which: tuple[str, ...] = ()
    cause: Words | None = None
    correction: Words | None = None
    why: Words | None = None
    evidence: tuple[Words, ...] = field(default_factory=tuple)
