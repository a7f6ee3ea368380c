"""What a rule is, and the kinds of demand a rule can make of a frame.

Belongs here: the vocabulary in which part_rules.py, comparison_rules.py, structure_rules.py and golden_rules.py are written.
No rule, no threshold, and no Great Expectations: suites.py turns a demand into an expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from connectors.datasets import Checks, Dataset, Part
from warehouse.schema import Severity

Layer = Literal["part", "provider", "dataset", "comparison", "structure", "papers"]
FrameName = Literal[
    "columns", "observations", "series", "totals", "evidence", "comparison", "pairs", "structure", "printed"
]

#: The expectation of a column of findings: one aggregate, which costs a fraction of a test of each cell.
FINDINGS = "ExpectColumnUniqueValueCountToBeBetween"

#: Frames of one row: their numbers are judged as a whole.
SINGLE = ("totals", "comparison")


@dataclass(frozen=True)
class Subject:
    """What a rule is made for: one part of one dataset, with the thresholds of its file."""

    dataset: Dataset
    part: Part
    checks: Checks


@dataclass(frozen=True)
class Demand:
    """An expectation of Great Expectations by name and arguments, and what it says in words."""

    expectation: str
    arguments: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Rule:
    """One rule: `demand` says what `column` of `frame` must satisfy for a subject; None: the rule does not apply.

    In a frame of one row, `counts` names the column that tells how many rows or cells are at fault, and `worst` the
    column of the evidence by which the examples are picked.
    """

    id: str
    layer: Layer
    severity: Severity
    frame: FrameName
    column: str
    why: str
    demand: Callable[[Subject], Demand | None]
    counts: str | None = None
    worst: str | None = None


def nothing(text: str) -> Demand:
    """Every cell of a column of findings is empty."""
    return Demand(FINDINGS, {"max_value": 0}, text)


def between(low: float | None, high: float | None) -> Demand:
    """Every number lies in a closed range; an open end is None."""
    ends = [f"at least {low:g}"] if low is not None else []
    ends += [f"at most {high:g}"] if high is not None else []
    return Demand("ExpectColumnValuesToBeBetween", {"min_value": low, "max_value": high}, " and ".join(ends))


def at_most(limit: float) -> Demand:
    """No number is above the limit."""
    return Demand("ExpectColumnMaxToBeBetween", {"max_value": limit}, f"at most {limit:g}")


def at_least(limit: float) -> Demand:
    """No number is below the limit."""
    return Demand("ExpectColumnMinToBeBetween", {"min_value": limit}, f"at least {limit:g}")


def matching(regex: str, text: str) -> Demand:
    """Every text matches the whole of a regular expression."""
    return Demand("ExpectColumnValuesToMatchRegex", {"regex": regex}, text)


def none_of(values: Iterable[str]) -> Demand:
    """No text is one of these."""
    refused = sorted(values)
    return Demand("ExpectColumnValuesToNotBeInSet", {"value_set": refused}, f"none of {', '.join(refused)}")


def all_of(values: Iterable[str]) -> Demand:
    """Each of these is among the texts."""
    wanted = sorted(values)
    return Demand("ExpectColumnDistinctValuesToContainSet", {"value_set": wanted}, f"all of {', '.join(wanted)}")


def exactly(values: Iterable[str]) -> Demand:
    """The texts are these and no others."""
    wanted = sorted(values)
    return Demand("ExpectColumnDistinctValuesToEqualSet", {"value_set": wanted}, f"exactly {', '.join(wanted)}")


def always(demand: Demand) -> Callable[[Subject], Demand]:
    """The same demand of every part."""
    return lambda subject: demand


def of_provider(provider: str, demand: Demand) -> Callable[[Subject], Demand | None]:
    """A demand that only one provider's data must meet."""
    return lambda subject: demand if subject.dataset.provider == provider else None
