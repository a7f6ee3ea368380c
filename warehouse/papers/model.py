"""What the files of the papers say, field by field: papers, statements, readings, definitions, measures, groups and checks.

Belongs here: the fields and what is wrong with one by itself. Does not belong here: what one entry says about another
(catalogue), what follows from observations (verdicts). No field holds a verdict: verdicts are computed.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

#: How a statement speaks of its number (rules: rounding). "more than" is 多 or 余, "near" 近 or 接近, "short of" 不足.
Sense = Literal[
    "equals", "about", "near", "above", "at least", "more than", "below", "at most", "short of", "between",
    "rank", "direction", "event",
]  # fmt: skip
#: Over which economies an input is gathered: each answers for itself, the statement's economies or partners together, every
#: ordered pair of two different ones, the provider's world total, or all economies held (aggregates out).
Over = Literal["each", "members", "partners", "pairs", "partner pairs", "world", "universe"]
#: Which periods a row of the answer rests on: its own, also the one before, the first and the last asked for, or all of them.
Needs = Literal["same", "back", "ends", "span"]
#: For whom a row of the answer speaks: each economy (and partner, of a measure that has them), each economy alone, each economy
#: against each partner, the group together, or whichever rows the formula finds.
Answers = Literal["each", "economy", "partner", "group", "some"]
Basis = Literal["named", "assigned", "reference number only"]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def _printed(value: Any) -> Any:
    """A printed number must be quoted: YAML would turn 2.50 into 2.5, and its digits are the rounding."""
    if isinstance(value, list | tuple):
        return tuple(_printed(one) for one in value)
    if isinstance(value, bool | int | float):
        raise ValueError(f"write it in quotes, as printed: its digits are the rounding (got the number {value!r})")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError(f"{value!r} is no printed number: digits, a point, a minus sign, and nothing else")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Words(_Strict):
    """The same in English and Chinese. A bare text stands for both."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _both(cls, value: Any) -> Any:
        return {"en": value, "zh": value} if isinstance(value, str) else value


def _joined(*given: Any) -> dict[str, str]:
    """One text of several, in both languages."""
    both = [text if isinstance(text, dict) else {"en": text, "zh": text} for text in given if text]
    return {
        language: comma.join(str(text.get(language, "")) for text in both)
        for language, comma in (("en", ", "), ("zh", "，"))
    }


#: A printed number, or the two ends of a range.
Printed = Annotated[str | tuple[str, str] | None, BeforeValidator(_printed)]


class Expect(_Strict):
    """What is asked of a number: a sense, and the printed number or range it speaks of."""

    sense: Sense
    printed: Printed = None
    hedge: str | None = Field(None, description="the printed word that hedges, such as 左右")


class Formula(_Strict):
    """A definition applied to measures; what is left out is the statement's own."""

    use: str = Field(description="id of a definition")
    given: dict[str, str] = Field({}, alias="with", description="measure of each input of the definition")
    entities: tuple[str, ...] | None = Field(None, description="economies or a group's id")
    partners: tuple[str, ...] | None = None
    period: str | None = Field(None, description="one SDMX period, or the first and the last: 2016:2021")


class Reading(Formula):
    """One declared way to read a statement and to recompute it; the order in the file is the order of trust."""

    expect: Expect | None = Field(None, description="where it differs from the statement's own sense and number")
    proxy: Words | None = Field(
        None, description="why this measures something else, so that it can only agree or differ"
    )
    assume: Words | None = Field(None, description="what is assumed beyond what is printed")
    changed: Words | None = Field(
        None, description="how the concept was redefined since, so that values do not compare"
    )


class Statement(_Strict):
    """A number or a direction in a paper's text or table, in our own words."""

    id: str = Field(pattern=r"^[a-z0-9]+-[a-z0-9-]+$")
    says: Words
    kind: str = Field(description="level, share, growth, rank, trend, ...")
    entities: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    period: str = Field(description="as printed, SDMX where it can be: 2017, 2016:2021, c. 2018")
    printed: Printed = None
    also_printed: Words | None = Field(None, description="what is printed where it is no plain number, such as 2/3")
    unit: str
    scale: int = Field(0, ge=-9, le=15, description="power of ten by which the printed number counts: 8 for 亿")
    sense: Sense
    hedge: str | None = None
    source: str | None = Field(None, description="as the paper names it")
    source_basis: Basis = "assigned"
    provider: str = Field("other", description="who the figures originate with")
    machine_readable: Literal["yes", "partly", "no"] = "no"
    exhibit: str | None = Field(None, description="the figure or table it belongs to")
    note: Words | None = None
    answer: Words | None = Field(None, description="what the authors answer to the verdict")
    readings: tuple[Reading, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        pair = isinstance(self.printed, tuple)
        if pair != (self.sense == "between") and self.printed is not None:
            raise ValueError("a range has the sense `between` and two numbers, anything else one number")
        if isinstance(self.printed, tuple) and float(self.printed[0]) > float(self.printed[1]):
            raise ValueError(f"the range {self.printed[0]} to {self.printed[1]} runs backwards")
        if self.printed is None and self.sense not in ("direction", "event", "rank") and self.also_printed is None:
            raise ValueError(f"the sense `{self.sense}` speaks of a number, and `printed` has none")
        if self.sense == "rank" and isinstance(self.printed, str) and "." in self.printed:
            raise ValueError(f"{self.printed} is no rank: a rank is a whole number")
        return self


class Cell(Statement):
    """One printed cell of a table."""

    row: Words
    column: Words


class Drawn(Formula):
    """One line, or set of bars, of a figure."""

    label: Words
    unit: str
    proxy: Words | None = None


class Exhibit(_Strict):
    """A figure or table of a paper. `cells` are those printed in the text; `drawn` is what a figure shows."""

    id: str
    number: str
    kind: Literal["figure", "table"]
    title: Words
    quantitative: bool
    source: str | None = None
    source_basis: Basis = "assigned"
    provider: str = "other"
    machine_readable: Literal["yes", "partly", "no"] = "no"
    chart: Literal["lines", "bars", "ranking", "none"] = "none"
    note: Words | None = None
    each: dict[str, Any] = Field({}, description="fields that all cells share, but for those that say otherwise")
    cells: tuple[Cell, ...] = ()
    drawn: tuple[Drawn, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _shared(cls, value: Any) -> Any:
        """Give each cell what `each` says, and words of its own from title, row and column."""
        if not isinstance(value, dict) or not isinstance(value.get("cells"), list):
            return value
        shared = value["each"] if isinstance(value.get("each"), dict) else {}
        cells = [{"kind": "cell", **shared, **cell} if isinstance(cell, dict) else cell for cell in value["cells"]]
        for cell in cells:
            if isinstance(cell, dict) and "says" not in cell:
                cell["says"] = _joined(value.get("title"), cell.get("row"), cell.get("column"))
        return {**value, "cells": cells}


class Check(_Strict):
    """An arithmetic or textual check of what is printed.

    arithmetic: `expression` over the statements in `let`, against the printed number of `against`;
    order: the statements of `among` rise (`rising`, `falling`) in their order; same: those of `among` print the same number;
    count: of how many of `among` the economy is `of`, against the printed number of `against`; remark: a misprint that no
    arithmetic can show, told and not computed.
    """

    id: str
    what: Words
    where: str = Field("", description="section or table, as printed")
    kind: Literal["arithmetic", "order", "same", "count", "remark"]
    let: dict[str, str] = Field({}, description="a name for each statement in the expression")
    expression: str | None = None
    against: str | None = Field(None, description="the statement that prints the result; none: only told")
    among: tuple[str, ...] = ()
    way: Literal["rising", "falling"] | None = None
    of: str | None = Field(None, description="count: the economy")
    about: tuple[str, ...] = Field((), description="the statements that a failure makes inconsistent")
    note: Words | None = None


class Cutoff(_Strict):
    """Between which days the paper's data were taken, and how we know."""

    earliest: date
    latest: date
    evidence: Words

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.earliest > self.latest:
            raise ValueError(f"the interval from {self.earliest} to {self.latest} runs backwards")
        return self


class Paper(_Strict):
    """One paper: what it is, when its data were taken, and everything quantitative that it prints."""

    id: str = Field(pattern=r"^[a-z0-9]+$")
    slug: str = ""
    title: Words
    authors: tuple[str, ...] = ()
    year: int
    year_note: Words | None = None
    doi: str | None = None
    public: bool = Field(
        False, description="whether pages and exports show it; ours are, one's own are not unless said"
    )
    cutoff: Cutoff
    sources: tuple[str, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    claims: tuple[Statement, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All claims, and all cells of all tables."""
        return (*self.claims, *(cell for exhibit in self.exhibits for cell in exhibit.cells))

    def about(self, exhibit: Exhibit) -> tuple[str, ...]:
        """The ids of an exhibit's cells, and of the claims about it."""
        claims = (claim.id for claim in self.claims if claim.exhibit == exhibit.id)
        return (*(cell.id for cell in exhibit.cells), *claims)


class Group(_Strict):
    """Economies taken together. `members` may be empty where the paper prints no list."""

    id: str
    name: Words
    members: tuple[str, ...] = ()
    printed: bool = Field(True, description="whether the paper names the members itself")
    note: Words | None = None


class Measure(_Strict):
    """A line of numbers of one provider for every economy: which series, in which unit, and what it is a measure of."""

    id: str
    name: Words
    series: str = Field(
        description="dataset:key with {entity}, and {partner} where there is one; dataset:part/label where a provider's ids "
        "are resolved by name at every read (NBS)"
    )
    unit: str = Field(description="of the numbers, once the provider's multiplier is applied")
    provider_unit: str | None = Field(None, description="as the provider states it; another one held is a clash")
    concept: str | None = Field(None, description="measures of one concept stand for each other")
    world: str | None = Field(None, description="the provider's code of the world total")
    codes: dict[str, str] = Field({}, description="the provider's code of an economy where it is another")
    entity: str | None = Field(None, description="the economy that speaks where the series does not name it")
    multiplier: int = Field(
        0, ge=-9, le=15, description="power of ten that the provider's unit has in words: 8 for 亿美元"
    )
    registry: str | None = Field(None, description="its id in the catalogue of the papers")
    note: Words | None = None


class Input(_Strict):
    """What a definition needs: numbers in a unit, gathered over some economies."""

    unit: str = Field(description="a unit; `any`; `adds`: any that may be summed; `same`: that of the first input")
    over: Over = "each"
    measure: str | None = Field(None, description="taken where a reading names none")
    of: str | None = Field(None, description="the input whose measure this one shares where a reading names none")


class Definition(_Strict):
    """A formula: one place for it, as SQL over its inputs.

        Each input is a relation of its name with the columns entity, partner, period, value (in the unit, multiplied out); the
    relation `asked` has one row: first, last (periods), steps (periods between them), members, partners (lists). The answer has
        value, and as far as they apply entity, partner, period (left out where the whole span answers), ties, margin (both of a
        rank) and covered (economies with data).
    """

    id: str
    name: Words
    formula: Words = Field(description="for people")
    inputs: dict[str, Input]
    unit: str = Field(
        description="of the answer; `same`: that of its first input; `difference`: that too, but of percents percentage points"
    )
    needs: Needs = "same"
    answers: Answers = "each"
    sql: str
    registry: str | None = None
    note: Words | None = None


class Unit(_Strict):
    """A unit of statements: its words, and how many of `of` it is. `general` is the wider unit that it narrows."""

    id: str
    name: Words
    of: str | None = None
    factor: float = Field(1.0, gt=0)
    general: str | None = Field(None, description="the wider unit that may stand for it, as percent for percent of GDP")
    adds: bool = Field(True, description="whether numbers in it may be summed over economies")
    whole: bool = Field(False, description="whether it counts whole things, so that no decimals can be printed of one")
