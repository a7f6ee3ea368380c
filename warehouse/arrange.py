"""How a line comes to be: the pure function from the readings of a part to its vintages, and what a change does to it.

Readings stand in known order. One that says something else than the state before it opens a run, which is one vintage; one that
says the same joins it. A partial reading is laid over the state before it. A run is known from the earliest moment that one of
its readings proves. Since nothing else enters, the order of loading, releasing and voiding never matters. A change is computed
from its own place on, up to where the line is as it was.

Belongs here: that function. Reading the line is in warehouse/line.py, writing it in warehouse/publish.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from warehouse import clock, contents, ledger, line
from warehouse.cells import tally
from warehouse.clock import KnownFrom
from warehouse.contents import Content
from warehouse.errors import Corrupted
from warehouse.line import Row, order_of
from warehouse.schema import Basis, Decision, Precision, Stamp
from warehouse.store import Warehouse

Part = tuple[str, str]
COUNTS = ("revised", "added", "withdrawn", "status_changed")
_HEAD = ("place", "fetched_at", "sha256", "batch_id", "scope")


@dataclass(frozen=True)
class Begun:
    """A vintage that begins to stand: its rows in `vintages` and `line`, and its content when no file holds it yet."""

    vintage: Row
    standing: Row
    content: Content | None


@dataclass(frozen=True)
class Arrangement:
    """What a change does to the line of one part; `ended` are rows of `line`."""

    ended: tuple[Row, ...] = ()
    begun: tuple[Begun, ...] = ()


@dataclass(frozen=True)
class Change:
    """What a batch does to the line of one part: the readings that begin or cease to count, and what follows."""

    readings: Sequence[Row]
    arrangement: Arrangement


@dataclass
class Run:
    """Consecutive readings of one state, and what opened it."""

    part: Part
    head: Row  # the reading that opened it; of a run that stands already, its vintage
    known: KnownFrom
    stamp: str | None  # of the reading whose claim it is
    content_hash: str
    content_id: str | None  # a vintage that holds the same rows
    prior: Row | None  # the last reading of the run before
    counts: Row
    since: datetime | None  # when the run before was known
    before: str | None  # and which vintage it is
    content: Content | None = None

    @property
    def vintage_id(self) -> str:
        """What the vintage is, not when it was loaded: the same state, known from the same moment, is the same."""
        return vintage_id(self.part, self.known, self.content_hash, self.before if self._at_once else None)

    @property
    def _at_once(self) -> bool:
        """Known from the same moment as the run before: its content may have stood at that moment already."""
        return self.since is not None and self.since == self.known.at

    def join(self, reading: Row) -> None:
        """Take a reading that says the same; it may prove that the state was known earlier."""
        claim = not_before(claim_of(reading, self.prior), self.since)
        if claim.at < self.known.at:
            self.known, self.stamp = claim, reading["stamp"]


def vintage_id(part: Part, known: KnownFrom, content_hash: str, before: str | None) -> str:
    """A hash over part, known_from with precision and basis, content, and the vintage before when both have one moment."""
    text = "\n".join([*part, known.basis, known.precision, clock.to_text(known.at), content_hash, before or ""])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def claim_of(reading: Row, prior: Row | None) -> KnownFrom:
    """From when a row of `readings` proves its state, after the last reading of another one."""
    fetched_at = clock.from_text(reading["fetched_at"])
    if prior is None:
        return clock.claim(stamp_of(reading), fetched_at)
    return clock.claim(stamp_of(reading), fetched_at, clock.from_text(prior["place"]), prior["stamp"])


def opening(part: Part, reading: Row, before: Run | None, last: Row | None) -> Run:
    """The run that a reading opens over the one before it; `last` is the reading before it."""
    since, over = (before.known.at, before.vintage_id) if before is not None else (None, None)
    claim = not_before(claim_of(reading, last), since)
    return Run(part, reading, claim, reading["stamp"], content_hash(reading, before), None, last, {}, since, over)


def not_before(claim: KnownFrom, since: datetime | None) -> KnownFrom:
    """A claim that does not overtake the run before."""
    return claim if since is None else replace(claim, at=max(claim.at, since))


def stamp_of(reading: Row) -> Stamp | None:
    """The stamp of a row of `readings`."""
    if reading["stamp"] is None:
        return None
    at: datetime = clock.from_text(reading["stamp_at"])
    return Stamp(at, Precision(reading["stamp_precision"]), Basis(reading["stamp_basis"]), reading["stamp"])


def is_complete(reading: Row) -> bool:
    """True for a reading that left nothing out."""
    return contents.scope_of(reading["scope"]).complete


def content_hash(reading: Row, before: Run | None) -> str:
    """The hash of what a reading makes of the state before it."""
    if is_complete(reading):
        return str(reading["canonical_hash"])
    scope = json.dumps(reading["scope"], sort_keys=True)
    over = before.content_hash if before is not None else ""
    return hashlib.sha256(f"{reading['canonical_hash']} {scope} over {over}".encode()).hexdigest()


def first_counts(content: Content) -> dict[str, int]:
    """Changed cells of the first vintage of a part: all values count as added."""
    return {"revised": 0, "added": content.valued, "withdrawn": 0, "status_changed": 0}


def vintage_row(run: Run, content: Content, batch_id: str) -> dict[str, Any]:
    """The row of `vintages` for a run whose files `batch_id` writes."""
    dataset, part = run.part
    name = run.vintage_id
    return {
        "vintage_id": name,
        "dataset": dataset,
        "part": part,
        "known_from": clock.to_text(run.known.at),
        "precision": run.known.precision.value,
        "basis": run.known.basis.value,
        "canonical_hash": run.content_hash,
        "observations": content.filled,
        "series": content.series.num_rows,
        "observations_file": contents.file_name("observations", dataset, part, name, batch_id),
        "series_file": contents.file_name("series", dataset, part, name, batch_id),
        "staged_by": batch_id,
    }


def arrange(
    warehouse: Warehouse,
    connection: Connection,
    part: Part,
    batch_id: str,
    *,
    added: Sequence[Row] = (),
    removed: Sequence[Row] = (),
) -> Arrangement:
    """What the line of a part becomes when readings begin or cease to count. Nothing is written.

    `added` and `removed` are rows of `readings`; `batch_id` is the batch in whose name files will be written. Raises
    WarehouseError or Corrupted when stored rows cannot be read.
    """
    if not added and not removed:
        return Arrangement()
    return _Fold(warehouse, connection, part, batch_id).change(added, removed)


def changes_of(warehouse: Warehouse, connection: Connection, batch: Row) -> list[Change]:
    """What the decision in a row of `batches` does: a void removes what the batch brought, any other adds it."""
    columns = ledger.readings.c
    query = select(ledger.readings).where(columns.batch_id == batch["batch_id"]).order_by(columns.part)
    found = []
    for reading in [dict(row) for row in connection.execute(query).mappings()]:
        part = (reading["dataset"], reading["part"])
        if batch["decision"] == Decision.VOIDED:
            moved = _taken_back(connection, part, reading)
            arrangement = arrange(warehouse, connection, part, batch["batch_id"], removed=moved)
        else:
            moved = [reading] if reading["published_in"] is None else []
            # What only confirms was tried when it was staged.
            changing = moved if reading["compared"] is not None else []
            arrangement = arrange(warehouse, connection, part, batch["batch_id"], added=changing)
        found.append(Change(moved, arrangement))
    return found


def _taken_back(connection: Connection, part: Part, reading: Row) -> list[Row]:
    """The readings that are voided with one: when it opened a vintage, those that said the same since."""
    if reading["published_in"] is None or reading["voided_in"] is not None:
        return []
    own = order_of(reading)
    if not line.opens(connection, *part, own, reading["batch_id"]):
        return [reading]
    follow = [place for row in line.visible(connection, *part, since=own) if (place := order_of(row)) != own]
    return line.readings(connection, *part, since=own, until=follow[0] if follow else None)


def standing_at(connection: Connection, part: Part, place: line.Order) -> Run | None:
    """The run in force at a place, as it stands."""
    rows = line.before(connection, *part, place, inclusive=True)
    return _as_it_stands(connection, part, rows[0]) if rows else None


def _as_it_stands(connection: Connection, part: Part, row: Row) -> Run:
    known = KnownFrom(clock.from_text(row["known_from"]), Precision(row["precision"]), Basis(row["basis"]))
    prior = line.reading_before(connection, *part, order_of(row))
    before = line.vintage(connection, row["predecessor_id"]) if row["predecessor_id"] is not None else None
    since = clock.from_text(before["known_from"]) if before is not None else None
    return Run(
        part,
        row,
        known,
        row["stamp"],
        row["canonical_hash"],
        row["vintage_id"],
        prior,
        row,
        since,
        row["predecessor_id"],
    )


class _Fold:
    """One recomputation of a part's line."""

    def __init__(self, warehouse: Warehouse, connection: Connection, part: Part, batch_id: str) -> None:
        self.warehouse = warehouse
        self.connection = connection
        self.part = part
        self.batch_id = batch_id

    def change(self, added: Sequence[Row], removed: Sequence[Row]) -> Arrangement:
        changed = sorted(order_of(row) for row in (*added, *removed))
        gone = {row["batch_id"] for row in removed}
        start = self._start(changed[0], appending=not removed)
        standing = line.before(self.connection, *self.part, start)
        runs = [_as_it_stands(self.connection, self.part, row) for row in standing]
        last = line.reading_before(self.connection, *self.part, start)
        olds = line.visible(self.connection, *self.part, since=start)
        heads = {order_of(row): row for row in olds}
        kept = [row for row in line.readings(self.connection, *self.part, since=start) if row["batch_id"] not in gone]
        for reading in sorted([*kept, *added], key=order_of):
            run = runs[-1] if runs else None
            old = heads.get(order_of(reading))
            if old is not None and old["predecessor_id"] != (run.vintage_id if run else None):
                old = None
            if old is not None and last is not None and order_of(last) > changed[-1]:
                olds = [row for row in olds if order_of(row) < order_of(reading)]
                break  # from here on everything is as it was
            opened = self._opened(reading, run, last, old)
            if opened is not None:
                runs.append(opened)
            elif run is not None:
                run.join(reading)
            last = reading
        predecessor = standing[0]["predecessor_id"] if standing else None
        return self._difference([*standing, *olds], runs, predecessor)

    def _start(self, first: line.Order, *, appending: bool) -> line.Order:
        """Where to begin: at the change itself when nothing follows it, else at the head of the run that it falls into."""
        if appending and not line.readings(self.connection, *self.part, since=first):
            return first
        rows = line.before(self.connection, *self.part, first)
        return min(first, order_of(rows[0])) if rows else first

    def _opened(self, reading: Row, run: Run | None, last: Row | None, old: Row | None) -> Run | None:
        """The run that a reading opens; None when it says what the state before it says.

        `old` is the vintage that it opened over the same state before this change.
        """
        if run is not None and old is None and self._says_the_same(reading, run):
            return None
        opened = opening(self.part, reading, run, last)
        if old is not None:
            opened.content_id, opened.counts = old["vintage_id"], old
            return opened
        if is_complete(reading) and reading["observations_file"] is None:
            opened.content_id = reading["vintage_id"]
        told = reading["compared"]
        if told is not None and told["material"] and told["predecessor_id"] == opened.before:
            opened.content_id, opened.counts = reading["vintage_id"], told  # staged over this very state
            return opened
        opened.content = content = self._content(reading, run)
        if run is None:
            opened.counts = first_counts(content)
            return opened
        found = tally(*self._of(run), *content, line.equality(self.connection, *self.part))
        opened.counts = {name: getattr(found, name) for name in COUNTS}
        return opened if found.material else None

    def _says_the_same(self, reading: Row, run: Run) -> bool:
        """Known without looking at the rows: the same vintage, or the same hash."""
        if run.content_id is not None and reading["vintage_id"] == run.content_id:
            return True
        return is_complete(reading) and reading["canonical_hash"] == run.content_hash

    def _content(self, reading: Row, run: Run | None) -> Content:
        """What a reading makes of the state before it: its own rows where they were kept, else those it was found to equal."""
        scope = contents.scope_of(reading["scope"])
        if reading["observations_file"] is not None:
            rows = contents.read_rows(self.warehouse, reading)
        else:
            rows = contents.inside(self._held(reading["vintage_id"]), scope)
        return contents.overlaid(self._of(run), rows, scope) if run is not None else rows

    def _of(self, run: Run) -> Content:
        if run.content is None:
            run.content = self._held(run.content_id or run.vintage_id)
        return run.content

    def _held(self, vintage: str) -> Content:
        row = line.vintage(self.connection, vintage)
        if row is None:
            raise Corrupted(
                f"the ledger has no vintage {vintage}, but a reading names it",
                dataset=self.part[0],
                next_step="rebuild the warehouse: `figurekeeper replay --into DIR`",
            )
        return contents.held(self.warehouse, row)

    def _difference(self, olds: Sequence[Row], runs: Sequence[Run], predecessor: str | None) -> Arrangement:
        stands = {(row["vintage_id"], row["predecessor_id"], row["batch_id"]): row for row in olds}
        begun = []
        for run in runs:
            if stands.pop((run.vintage_id, predecessor, run.head["batch_id"]), None) is None:
                begun.append(self._begun(run, predecessor))
            predecessor = run.vintage_id
        return Arrangement(tuple(stands.values()), tuple(begun))

    def _begun(self, run: Run, predecessor: str | None) -> Begun:
        dataset, part = self.part
        standing = {
            "vintage_id": run.vintage_id,
            "dataset": dataset,
            "part": part,
            "known_from": clock.to_text(run.known.at),
            **{name: run.head[name] for name in _HEAD},
            "stamp": run.stamp,
            "predecessor_id": predecessor,
            **{name: run.counts[name] for name in COUNTS},
        }
        held = line.vintage(self.connection, run.vintage_id)
        if held is not None:
            return Begun(held, standing, None)
        content = self._of(run)
        row = vintage_row(run, content, self.batch_id)
        return Begun(row, standing, content)
