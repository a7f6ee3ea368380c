"""Generated histories: whatever was read, in whatever order it was loaded, and whatever was decided, the oracle answers the same.

A history is what one part goes through: three to six readings of any kind, loaded in any order, and decisions on their batches.
The number of histories is HISTORIES (environment). A failing one is cut down here to what it takes to fail; hypothesis, which
makes them, would need minutes for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, zip_longest

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.warehouse import oracle
from tests.warehouse.makers import FACTS, part
from tests.warehouse.quick import quick_store
from tests.warehouse.twin import Twin, instants
from warehouse import line
from warehouse.schema import Decision, PartData, Scope
from warehouse.store import Warehouse

HISTORIES = int(os.environ.get("HISTORIES", "1200"))
PARTS = tuple("pqrstuvwxy")
A_TEST = 8 * len(PARTS)  # histories
CELLS = tuple((entity, period) for entity in ("CHN", "JPN") for period in ("2017", "2018", "2019"))
#: Four states of a part, by cell: 1 is missing what 0 has, 3 is missing it, too.
STATES = ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (1.0, 2.5, None, 4.0, 5.0, 6.0), (1.0, 2.5, 3.0, 4.5, 5.0, 6.5),
          (None, 2.0, None, 4.5, 5.0, None))  # fmt: skip
TWISTS = ("", "", "", "noise", "drift", "further", "withdrawn", "flagged", "suppressed", "redefined")
#: Shares by which a value may be off: no difference, and two steps that are none each, but one together.
OFF = {"noise": 1e-9, "drift": 7e-7, "further": 1.4e-6}
SCOPES = (None, None, None, None, Scope("2018", "2018"), Scope(start="2018"), Scope(entities=("CHN",)),
          Scope("2018", None, ("JPN",)))  # fmt: skip
STAMPS = (
    *((None,) * 4),
    *(("stamp", day) for day in ("2024-01-05", "2024-01-10", "2024-01-10", "2024-01-15", "2024-01-22", "2024-02-20")),
    *(("archive", month) for month in ("202312", "202401", "202401", "202402")),
    *(("carried", day) for day in ("2024-01-03", "2024-01-12")),
)
BEGINNING = datetime(2024, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """What was read of a part, when (in half days), and how it was dated."""

    state: int
    twist: str
    cell: int
    scope: Scope | None
    fetched: int
    stamp: tuple[str, str] | None

    def data(self, name: str) -> PartData:
        """The part as a connector would hand it over."""
        cells: dict[oracle.Key, tuple[float | None, str, str]] = {
            key: (value, "", repr(value)) for key, value in zip(CELLS, STATES[self.state], strict=True) if value
        }
        key = CELLS[self.cell]
        if key in cells and self.twist:
            value = (STATES[self.state][self.cell] or 0.0) * (1 + OFF.get(self.twist, 0.0))
            twisted: dict[str, tuple[float | None, str, str]]
            twisted = {"flagged": (cells[key][0], "E", cells[key][2]), "suppressed": (None, "C", ":"),
                       **dict.fromkeys(OFF, (value, "", repr(value)))}  # fmt: skip
            cells[key] = twisted.get(self.twist, cells[key])
            if self.twist == "withdrawn":
                del cells[key]
        inside = {
            (f"{entity}.{name}", period): cell
            for (entity, period), cell in cells.items()
            if _asked(self.scope, entity, period)
        }
        fetched = (BEGINNING + timedelta(hours=12 * self.fetched)).strftime("%Y-%m-%dT%H:%M")
        dated = {self.stamp[0]: self.stamp[1]} if self.stamp else {}
        notes = "another definition" if self.twist == "redefined" else None
        return part(inside, fetched, name=name, scope=self.scope, notes=notes, **dated)


def _asked(scope: Scope | None, entity: str, period: str) -> bool:
    if scope is None:
        return True
    among = scope.entities is None or entity in scope.entities
    return among and (scope.start or period) <= period <= (scope.end or period)


@dataclass(frozen=True)
class Step:
    """One batch: whether the gate holds it back, and which batch a person decides on afterwards, if any."""

    hold: bool
    decide: int | None
    discard: bool


QUIET = Step(hold=False, decide=None, discard=False)


@dataclass(frozen=True)
class History:
    """The readings of each part in the order of loading; the n-th of each travel in the n-th batch."""

    parts: tuple[list[Told], ...]
    steps: list[Step]

    def batches(self) -> Iterator[tuple[Step, list[PartData]]]:
        """The batches in the order of loading; what was read twice to the letter is loaded once."""
        seen = set()
        for step, told in zip(self.steps, zip_longest(*self.parts), strict=False):
            fresh = [(name, one) for name, one in zip(PARTS, told, strict=True) if one and (name, one) not in seen]
            seen.update(fresh)
            if fresh:
                yield step, [one.data(name) for name, one in fresh]


_TOLD = st.builds(
    Told,
    state=st.integers(0, len(STATES) - 1),
    twist=st.sampled_from(TWISTS),
    cell=st.integers(0, len(CELLS) - 1),
    scope=st.sampled_from(SCOPES),
    fetched=st.integers(0, 70),
    stamp=st.sampled_from(STAMPS),
)
_STEP = st.builds(
    Step,
    hold=st.sampled_from((False, False, False, True)),
    decide=st.sampled_from((None, None, 0, 1, 2, 3)),
    discard=st.sampled_from((False, False, True)),
)
HISTORY = st.builds(
    History,
    parts=st.tuples(*(st.lists(_TOLD, min_size=3, max_size=6) for _ in PARTS)),
    steps=st.lists(_STEP, min_size=6, max_size=6),
)


@pytest.fixture
def warehouses() -> Iterator[tuple[Warehouse, Warehouse]]:
    """Two warehouses without the cost of a disk; each history has a dataset of its own in them."""
    with quick_store() as one, quick_store() as other:
        yield one, other


_NUMBERS = count(1)
_QUIETLY = settings(
    max_examples=A_TEST // len(PARTS),
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)


@pytest.mark.parametrize("number", range(-(-HISTORIES // A_TEST)))
def test_every_answer_is_the_oracles(warehouses: tuple[Warehouse, Warehouse], number: int) -> None:
    done = 0

    @seed(number)
    @_QUIETLY
    @given(HISTORY)
    def live(history: History) -> None:
        nonlocal done
        try:
            run(warehouses[0], history)
        except AssertionError:
            told = shortest(warehouses[0], history)
            raise AssertionError(f"the shortest history that fails: {told}") from complaint(warehouses[0], told)
        done += len(history.parts)

    live()
    assert done >= A_TEST


@pytest.mark.parametrize("number", range(-(-HISTORIES // A_TEST // 10)))
def test_the_order_of_loading_never_matters(warehouses: tuple[Warehouse, Warehouse], number: int) -> None:
    done = 0

    @seed(number)
    @_QUIETLY
    @given(HISTORY, st.permutations(range(6)))
    def load_twice(history: History, order: Sequence[int]) -> None:
        nonlocal done
        facts = replace(FACTS, id=f"test.o{next(_NUMBERS)}", equality={})
        one, other = (Twin(warehouse, facts) for warehouse in warehouses)
        for _, batch in history.batches():
            one.load(*batch)
        shuffled = tuple([told[place] for place in order if place < len(told)] for told in history.parts)
        loaded = [other.load(*batch, hold=step.hold) for step, batch in History(shuffled, history.steps).batches()]
        for name in loaded:
            if other.decision(name) == Decision.QUARANTINED:
                other.decide(name)
        assert vintages(one) == vintages(other)
        done += len(history.parts)

    load_twice()
    assert done >= A_TEST


def vintages(twin: Twin) -> dict[str, list[dict[str, object]]]:
    """The line of each part, but for which batch and edition brought it."""
    told = ("vintage_id", "predecessor_id", "known_from", "precision", "basis", "stamp", "place", "sha256", "observations",
            "revised", "added", "withdrawn", "status_changed")  # fmt: skip
    with twin.warehouse.engine.connect() as connection:
        return {
            part: [{name: row[name] for name in told} for row in line.visible(connection, twin.facts.id, part)]
            for part in sorted(twin.parts)
        }


def run(warehouse: Warehouse, history: History) -> Twin:
    """Live a history and compare after every batch and decision; all questions at the end."""
    twin = Twin(warehouse, replace(FACTS, id=f"test.h{next(_NUMBERS)}", equality={}))
    batches: list[str] = []
    for step, data in history.batches():
        batches.append(twin.load(*data, hold=step.hold))
        twin.check_lines()
        if step.decide is not None:
            twin.decide(batches[step.decide % len(batches)], discard=step.discard)
            twin.check_lines()
    ask_everything(twin)
    return twin


def complaint(warehouse: Warehouse, history: History) -> AssertionError | None:
    """How a history fails, if it does."""
    try:
        run(warehouse, history)
    except AssertionError as found:
        return found
    return None


def shortest(warehouse: Warehouse, history: History) -> History:
    """A failing history without the parts, batches and decisions that it does not take to fail."""
    for smaller in smaller_ones(history):
        if complaint(warehouse, smaller) is not None:
            return shortest(warehouse, smaller)
    return history


def smaller_ones(history: History) -> Iterator[History]:
    """One part alone; without one batch; without one decision; with one reading plainer."""
    parts, steps = history.parts, history.steps
    if sum(map(bool, parts)) > 1:
        for one in parts:
            yield History(tuple(told if told is one else [] for told in parts), steps)
    for place in range(max(map(len, parts))):
        rest = steps[:place] + steps[place + 1 :] + [QUIET]
        yield History(tuple(told[:place] + told[place + 1 :] for told in parts), rest)
    for place, step in enumerate(steps):
        if step != QUIET:
            yield History(parts, [*steps[:place], QUIET, *steps[place + 1 :]])
    for number, told in enumerate(parts):
        for place, reading in enumerate(told):
            for plainer in (replace(reading, twist=""), replace(reading, scope=None), replace(reading, stamp=None)):
                if plainer != reading:
                    changed = [*told[:place], plainer, *told[place + 1 :]]
                    yield History((*parts[:number], changed, *parts[number + 1 :]), steps)


def ask_everything(twin: Twin) -> None:
    """The latest, as of every other interesting instant, first, vintages, revisions, and every edition ever made."""
    twin.check_values()
    for name, memory in twin.parts.items():
        for moment in instants(memory.line())[len(memory.counting) % 2 :: 2]:
            twin.check_values(moment, only=name)
    twin.check_first()
    twin.check_vintages("2017:2019")
    twin.check_revisions()
    for edition in twin.editions:
        twin.check_lines(edition)
        twin.check_values(edition=edition)
        known = BEGINNING + timedelta(days=edition % 40)
        twin.check_values(known, edition=edition, only=sorted(twin.parts)[edition % len(twin.parts)])
