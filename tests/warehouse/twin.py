"""A dataset beside its reference model: what is done to the one is done to the other, and both are asked the same.

Belongs here: the comparison of their answers. What is done, and in which order, is up to the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from tests.warehouse import oracle
from tests.warehouse.makers import load, reading
from warehouse import clock, ledger, publish, questions, revisions
from warehouse.publish import Closing
from warehouse.schema import Decision, PartData
from warehouse.store import DatasetFacts, Warehouse

Row = dict[str, Any]
Signature = list[tuple[oracle.Known, oracle.Content]]
#: Words of the warehouse for what the reference model calls a revision or a change of status.
_FINER, _COARSER = {"break", "rebasing", "redefinition"}, {"revision", "status change"}
_SHOWN = {Decision.PUBLISHED, Decision.PUBLISHED_WITH_WARNINGS, Decision.RELEASED}


class Twin:
    """One dataset of a warehouse, and a Memory for each of its parts."""

    def __init__(self, warehouse: Warehouse, facts: DatasetFacts) -> None:
        self.warehouse = warehouse
        self.facts = facts
        self.parts: dict[str, oracle.Memory] = {}
        self.shown: dict[str, set[str]] = {}
        self.editions: list[int] = []

    def load(self, *data: PartData, hold: bool = False) -> str:
        """One batch, quarantined or published; returns its id."""
        before = self.signature()
        decision = Decision.QUARANTINED if hold else Decision.PUBLISHED
        batch, edition = load(self.warehouse, *data, decision=decision, facts=self.facts)
        held = self._held_back(batch)
        assert not held or hold
        changed = [self._remember(reading(batch, one), one.part, one.part in held, hold) for one in data]
        assert self.decision(batch) == decision or not any(changed)
        self._born(edition, before)
        return batch

    def _remember(self, told: oracle.Reading, part: str, held: bool, hold: bool) -> bool:
        """Take up a reading; True when it changes the line. One that does not is never held back, and so confirms."""
        memory = self.parts.setdefault(part, oracle.Memory())
        before = memory.line()
        memory.counting.append(told)
        after = memory.line()
        changes = _signature(after) != _signature(before)
        opens = any(run.readings[0] is told for run in after)
        assert held or not (changes and hold), "held back by nobody"
        assert changes or opens or not held, "held back, though it says nothing new"
        if held:
            memory.held_back.append(memory.counting.pop())
        return changes

    def _held_back(self, batch: str) -> set[str]:
        """The parts of a batch that do not count."""
        columns = ledger.readings.c
        query = select(columns.part).where(columns.batch_id == batch, columns.published_in.is_(None))
        with self.warehouse.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def decide(self, batch: str, *, discard: bool = False) -> None:
        """What can be done with a batch in its state: release or discard it, or void it; nothing when nothing can."""
        state = self.decision(batch)
        if state == Decision.QUARANTINED:
            decision = Decision.DISCARDED if discard else Decision.RELEASED
        elif state in _SHOWN:
            decision = Decision.VOIDED
        else:
            return
        before = self.signature()
        edition = publish.decide(self.warehouse, batch, Closing(decision, "Ada", "said so", "because"))
        for memory in self.parts.values():
            act = {Decision.DISCARDED: memory.discard, Decision.RELEASED: memory.release, Decision.VOIDED: memory.void}
            act[decision](batch)
        self._born(edition, before)

    def decision(self, batch: str) -> str:
        """What became of a batch."""
        return str(publish.read_batch(self.warehouse, batch)["decision"])

    def signature(self) -> dict[str, Signature]:
        """The lines as they should be: a change of any of it makes an edition."""
        return {part: _signature(memory.line()) for part, memory in self.parts.items()}

    def _born(self, edition: int | None, before: dict[str, Signature]) -> None:
        changed = {part: line for part, line in self.signature().items() if line != before.get(part, [])}
        assert edition is not None or not changed, f"no edition, though the line changed: {changed}"
        if edition is None:
            return
        self.editions.append(edition)
        for part, memory in self.parts.items():
            memory.publish(edition)
            self.shown.setdefault(part, set()).update(name for run in memory.line() for name in run.content.meanings)

    # -- questions ---------------------------------------------------------------------------------------------------

    def names(self, part: str | None = None) -> list[str]:
        """Every series that was ever visible, of one part or of all."""
        some = [part] if part is not None else list(self.parts)
        return [f"{self.facts.id}:{name}" for one in some for name in sorted(self.shown.get(one, ()))]

    def check_lines(self, edition: int | None = None) -> None:
        """The vintages of each part are the runs of its readings."""
        for part, names in self.shown.items():
            if names:
                rows = questions.vintages(self.warehouse, f"{self.facts.id}:{min(names)}", edition=edition)
                got = [(row["known_from"], row["precision"], row["basis"]) for row in rows]
                wanted = [_dated(run.known) for run in self.parts[part].line(edition)]
                assert got == wanted, (part, edition, got, wanted)

    def check_values(
        self, known: datetime | None = None, *, edition: int | None = None, only: str | None = None
    ) -> None:
        """The values known at an instant (None: the latest), of one part or of all, with what is said of them."""
        if not self.names(only):
            return
        asked = None if known is None else clock.to_text(known)
        rows = questions.values(self.warehouse, self.names(only), as_of=asked, edition=edition)
        got = {(row["series"], row["period"]): row for row in rows}
        wanted: dict[oracle.Key, tuple[str, oracle.Cell, Row]] = {}
        for part in self.parts if only is None else [only]:
            line = self.parts[part].line(edition)
            run = (line[-1] if line else None) if known is None else oracle.as_of(line, known)
            if run is not None:
                told = _told(line, run, known)
                wanted |= {
                    (f"{self.facts.id}:{key[0]}", key[1]): (part, cell, told)
                    for key, cell in run.content.cells.items()
                    if cell != oracle.EMPTY
                }
        assert got.keys() == wanted.keys()
        for key, (_, cell, told) in wanted.items():
            assert _cell(got[key]) == cell, key
            assert {name: got[key][name] for name in told} == told, key

    def check_first(self) -> None:
        """The first value held of every cell, and of which vintage it is."""
        if not self.names():
            return
        rows = questions.values(self.warehouse, self.names(), first=True)
        got = {(row["series"], row["period"]): row for row in rows}
        wanted = {}
        for part, memory in self.parts.items():
            line = memory.line()
            for key in {key for run in line for key in run.content.cells}:
                held = oracle.first(line, key)
                if held is not None:
                    wanted[f"{self.facts.id}:{key[0]}", key[1]] = (part, *held)
        assert got.keys() == wanted.keys()
        for key, (_, cell, run) in wanted.items():
            assert _cell(got[key]) == cell, key
            assert (got[key]["known_from"], got[key]["precision"], got[key]["basis"]) == _dated(run.known)

    def check_vintages(self, periods: str) -> None:
        """The value of each cell in each vintage."""
        for part, names in self.shown.items():
            line = self.parts[part].line()
            for name in names:
                rows = questions.vintages(self.warehouse, f"{self.facts.id}:{name}", period=periods)
                for period in {row["period"] for row in rows}:
                    some = [row for row in rows if row["period"] == period]
                    assert [row["known_from"] for row in some] == [_dated(run.known)[0] for run in line]
                    for row, run in zip(some, line, strict=True):
                        cell = run.content.cells.get((name, period), oracle.EMPTY)
                        assert _cell(row) == cell, (row["series"], period)

    def check_revisions(self) -> None:
        """Every changed cell between neighbouring vintages, and what became of it."""
        rows = [row for row in revisions.revisions(self.warehouse, self.facts.id) if row["period"]]
        changes = [change for memory in self.parts.values() for change in oracle.revisions(memory.line())]
        wanted: dict[oracle.Key, list[oracle.Change]] = {}
        for one in changes:
            wanted.setdefault((f"{self.facts.id}:{one.key[0]}", one.key[1]), []).append(one)
        got: dict[oracle.Key, list[Row]] = {}
        for row in rows:
            got.setdefault((row["series"], row["period"]), []).append(row)
        assert {key: len(found) for key, found in got.items()} == {key: len(found) for key, found in wanted.items()}
        for key in wanted:
            for row, change in zip(got[key], wanted[key], strict=True):
                assert row["known_from"] == clock.to_text(change.known_from), key
                kind = row["kind"]
                assert kind == change.kind or (kind in _FINER and change.kind in _COARSER), (key, kind, change)
                assert (row["old"], row["new"]) == (change.old, change.new), key


def instants(line: Iterable[oracle.Run]) -> list[datetime]:
    """Every moment at which an answer may change, the one before it, and the ends of time."""
    moments = {datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)}
    for run in line:
        moments.add(run.known.at)
        for one in run.readings:
            moments |= {one.place, one.fetched_at} | ({one.stamp.at} if one.stamp is not None else set())
    return sorted(moments | {moment - timedelta(microseconds=1) for moment in moments})


def _signature(line: list[oracle.Run]) -> Signature:
    return [(run.known, run.content) for run in line]


def _cell(row: Row) -> oracle.Cell:
    return oracle.Cell(row["value"], row["status"] or "", row["value_text"])


def _dated(known: oracle.Known) -> tuple[str, str, str]:
    return clock.to_text(known.at), known.precision.value, known.basis.value


def _told(line: list[oracle.Run], run: oracle.Run, known: datetime | None) -> Row:
    at, precision, basis = _dated(run.known)
    after = oracle.following(line, run) if known is not None else None
    return {
        "known_from": at,
        "precision": precision,
        "basis": basis,
        "next_known_from": _dated(after.known)[0] if after is not None else None,
        "gap": known is not None and oracle.gap(run, known),
    }
