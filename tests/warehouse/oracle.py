"""The reference model: what the warehouse must answer, from the readings that count, in plain dictionaries.

Belongs here: DESIGN section 4 written down once more, as plainly as it can be. Does not belong here: SQL, files, and anything
of the code under test but its plain types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from warehouse.schema import Basis, Precision, Scope, Stamp

Key = tuple[str, str]  # series key, period
NOISE = 1e-6
#: A stamp whose end lies further ahead of its reading cannot date it.
SLACK = {
    Precision.INSTANT: timedelta(minutes=5),
    Precision.DAY: timedelta(hours=36),
    Precision.MONTH: timedelta(days=32),
}


class Cell(NamedTuple):
    """One observation: its value, its flags, its published string."""

    value: float | None
    status: str = ""
    text: str | None = None


EMPTY = Cell(None)


@dataclass(frozen=True)
class Content:
    """The observations of a part, and in one word for each series what its numbers mean."""

    cells: Mapping[Key, Cell] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """One part of one batch as it was read."""

    batch: str
    said: Content
    fetched_at: datetime
    sha256: str
    stamp: Stamp | None = None
    scope: Scope = field(default_factory=Scope)

    @property
    def place(self) -> datetime:
        """An archive's version and a carried state stand where they are dated, a live answer when it was taken."""
        if self.stamp is None or self.stamp.basis is Basis.PUBLISHER:
            return self.fetched_at
        return min(self.stamp.at, self.fetched_at)

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        """Known order; the time of loading is not in it."""
        return self.place, self.fetched_at, self.sha256


class Known(NamedTuple):
    """From when a state was known, how exactly, and on whose word."""

    at: datetime
    precision: Precision = Precision.INSTANT
    basis: Basis = Basis.CAPTURED


@dataclass(frozen=True)
class Run:
    """Readings of one state, one after the other; `known` is that of the vintage."""

    content: Content
    readings: tuple[Reading, ...]
    known: Known


class Change(NamedTuple):
    """A cell that differs between a state and the one before it."""

    key: Key
    kind: str
    old: float | None
    new: float | None
    known_from: datetime


def runs(readings: Iterable[Reading]) -> list[Run]:
    """The line of a part: the pure function from its readings that count."""
    line: list[tuple[Content, list[Reading]]] = []
    for reading in sorted(readings, key=lambda reading: reading.order):
        content = _laid_over(reading, line[-1][0]) if line else reading.said
        if line and not differs(line[-1][0], content):
            line[-1][1].append(reading)
        else:
            line.append((content, [reading]))
    dated: list[Run] = []
    for content, members in line:
        last = dated[-1].readings[-1] if dated else None
        known = min((_claim(one, last) for one in members), key=lambda known: known.at)
        if dated:  # never before the state that it follows
            known = known._replace(at=max(known.at, dated[-1].known.at))
        dated.append(Run(content, tuple(members), known))
    return dated


def as_of(line: list[Run], known: datetime) -> Run | None:
    """The newest state that was known at an instant."""
    return next((run for run in reversed(line) if run.known.at <= known), None)


def following(line: list[Run], run: Run) -> Run | None:
    """The next state held."""
    return next(iter(line[line.index(run) + 1 :]), None)


def gap(run: Run, known: datetime) -> bool:
    """True when nobody looked after that instant and still found this state."""
    return not any(reading.place > known for reading in run.readings)


def first(line: list[Run], key: Key) -> tuple[Cell, Run] | None:
    """The first value held of a cell, and the state that held it."""
    held = ((run.content.cells.get(key, EMPTY), run) for run in line)
    return next(((cell, run) for cell, run in held if cell.value is not None), None)


def revisions(line: list[Run]) -> list[Change]:
    """Cells that differ between neighbours; one that differs by noise does not."""
    found = []
    for number in range(1, len(line)):
        old, new = line[number - 1].content, line[number].content
        for key in sorted({*old.cells, *new.cells}):
            before, after = old.cells.get(key, EMPTY), new.cells.get(key, EMPTY)
            if not same(before, after):
                earlier = [run.content for run in line[: number - 1]]
                kind = _kind(key, before, after, old, earlier)
                found.append(Change(key, kind, before.value, after.value, line[number].known.at))
    return found


def differs(old: Content, new: Content) -> bool:
    """True when something other than noise differs."""
    cells = any(not same(old.cells.get(key, EMPTY), new.cells.get(key, EMPTY)) for key in {*old.cells, *new.cells})
    common = old.meanings.keys() & new.meanings.keys()
    return cells or any(old.meanings[name] != new.meanings[name] for name in common)


def same_number(old: Cell, new: Cell) -> bool:
    """Within 1e-6, or two prints of one number: equal to the last digit of the shorter, from six digits on."""
    if old.value is None or new.value is None:
        return old.value is new.value
    tolerance = Decimal(NOISE) * abs(Decimal(old.value))
    if len(_digits(old)) >= 6 and len(_digits(new)) >= 6:
        tolerance = max(tolerance, Decimal("0.500000001").scaleb(max(_last_place(old), _last_place(new))))
    return abs(Decimal(new.value) - Decimal(old.value)) <= tolerance


def same(old: Cell, new: Cell) -> bool:
    """True when two cells differ by noise at most; no flag and "A" are one, and kinds of absence are several."""
    flags = [cell.status if cell.status != "A" else "" for cell in (old, new)]
    absence = old.value is None and new.value is None and (old.text or "") != (new.text or "")
    return same_number(old, new) and flags[0] == flags[1] and not absence


def _digits(cell: Cell) -> str:
    return (cell.text or "").replace(".", "").replace("-", "").lstrip("0")


def _last_place(cell: Cell) -> int:
    return -len((cell.text or "").partition(".")[2])


def _kind(key: Key, before: Cell, after: Cell, old: Content, earlier: list[Content]) -> str:
    if before.value is not None and after.value is None:
        return "withdrawal"
    if before.value is None and after.value is not None:
        if any(content.cells.get(key, EMPTY).value is not None for content in earlier):
            return "reinstatement"
        known = any(cell.value is not None for (name, _), cell in old.cells.items() if name == key[0])
        return "first value" if known else "coverage"
    return "status change" if same_number(before, after) else "revision"


def _laid_over(reading: Reading, before: Content) -> Content:
    """Inside its scope a reading replaces; outside it nothing is concluded."""
    if reading.scope.complete:
        return reading.said
    kept = {key: cell for key, cell in before.cells.items() if not _inside(reading.scope, key)}
    return Content({**kept, **reading.said.cells}, {**before.meanings, **reading.said.meanings})


def _inside(scope: Scope, key: Key) -> bool:
    """Whether a cell was asked for; periods are years, and an economy is the beginning of a series key."""
    name, period = key
    asked = scope.entities is None or name.split(".")[0] in scope.entities
    return asked and (scope.start or period) <= period <= (scope.end or period)


def _claim(reading: Reading, last: Reading | None) -> Known:
    """From when a reading proves its state, after the last reading of another one."""
    seen = reading.fetched_at if last is None else max(reading.place, last.place + timedelta(microseconds=1))
    if reading.stamp is None:
        return Known(seen)
    stated = min(reading.stamp.at, reading.fetched_at)
    if reading.stamp.basis is Basis.PUBLISHER:
        ahead = reading.stamp.at > reading.fetched_at + SLACK[reading.stamp.precision]
        moved = last is None or (stated > last.place and reading.stamp.text != (last.stamp and last.stamp.text))
        if ahead or not moved:
            return Known(seen)
    return Known(stated, reading.stamp.precision, reading.stamp.basis)


@dataclass
class Memory:
    """One part through everything that is decided about it, and what counted when each edition was born."""

    counting: list[Reading] = field(default_factory=list)
    held_back: list[Reading] = field(default_factory=list)
    born: dict[int, tuple[Reading, ...]] = field(default_factory=dict)

    def line(self, edition: int | None = None) -> list[Run]:
        """The line in an edition, frozen at its birth; None asks for all that counts now."""
        if edition is None:
            return runs(self.counting)
        counted: tuple[Reading, ...] = ()
        for number in sorted(self.born):
            counted = self.born[number] if number <= edition else counted
        return runs(counted)

    def release(self, batch: str) -> None:
        """What was held back of a batch begins to count."""
        self.counting += [reading for reading in self.held_back if reading.batch == batch]
        self.discard(batch)

    def discard(self, batch: str) -> None:
        """What was held back of a batch never counts."""
        self.held_back = [reading for reading in self.held_back if reading.batch != batch]

    def void(self, batch: str) -> None:
        """A batch ceases to count, and with a reading that opened a run all readings of that run."""
        opened = [run for run in runs(self.counting) if run.readings[0].batch == batch]
        gone = {reading.order for run in opened for reading in run.readings}
        self.counting = [one for one in self.counting if one.batch != batch and one.order not in gone]

    def publish(self, edition: int) -> None:
        """An edition is born: it keeps what counts now."""
        self.born[edition] = tuple(self.counting)
