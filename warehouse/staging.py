"""Staging: a parsed part becomes a candidate vintage beside its predecessor, or nothing when nothing changed.

Belongs here: the reading's record, the evidence for the gate, and the staged files. Nothing here is visible to anybody;
warehouse/publish.py makes it so, and warehouse/arrange.py says where in the line it then stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, func, select

from warehouse import clock, contents, ledger, line
from warehouse.arrange import (
    COUNTS,
    Arrangement,
    Run,
    arrange,
    first_counts,
    opening,
    standing_at,
    vintage_row,
)
from warehouse.cells import Equality, tally
from warehouse.compare import compare
from warehouse.contents import Content
from warehouse.line import Row, order_of
from warehouse.schema import Comparison, Decision, PartData, PartEvidence
from warehouse.store import DatasetFacts, Warehouse

#: How many vintages before the predecessor are looked at for reinstatements and rollbacks.
_OLDER = 5
_NOT_COMPARED = "compared with nothing: later vintages are held, but none from before"


@dataclass(frozen=True)
class Staged:
    """A candidate vintage: the evidence for the gate, and its future rows in the ledger."""

    evidence: PartEvidence
    reading: dict[str, Any]
    row: dict[str, Any]
    counts: dict[str, Any]


@dataclass(frozen=True)
class Confirmed:
    """An unchanged part: nothing is stored, but its vintage was known at this point, too."""

    part: str
    reading: dict[str, Any]


def stage(
    warehouse: Warehouse, facts: DatasetFacts, batch_id: str, data: PartData, *, judged: bool = True
) -> Staged | Confirmed:
    """Compare a part with what was known before it, and write its files unless it is unchanged.

    The caller holds the dataset's lease. A partial read is completed from its predecessor and stored whole. `judged`: a gate
    will look at the evidence; without it (replay) no comparison is made, only counts.
    """
    reading = _reading(facts.id, batch_id, data)
    with warehouse.engine.connect() as connection:
        staging = _Staging(warehouse, connection, facts, batch_id, data, reading, judged)
        run = standing_at(connection, staging.part, order_of(reading))
        return staging.first() if run is None else staging.over(run)


@dataclass(frozen=True)
class _Staging:
    """One part of one batch on its way into the warehouse."""

    warehouse: Warehouse
    connection: Connection
    facts: DatasetFacts
    batch_id: str
    data: PartData
    reading: dict[str, Any]
    judged: bool

    @property
    def part(self) -> tuple[str, str]:
        return self.facts.id, self.data.part

    @property
    def read(self) -> Content:
        return Content(self.data.observations, self.data.series)

    def first(self) -> Staged:
        """Nothing is held from before this reading."""
        opened = self._opened(None)
        if line.visible(self.connection, *self.part, since=order_of(self.reading)):
            opened.known = replace(opened.known, note=opened.known.note or _NOT_COMPARED)
        return self._staged(opened, self.read, first_counts(self.read), None)

    def over(self, run: Run) -> Staged | Confirmed:
        """The reading comes after those of a run."""
        complete = self.data.scope.complete
        same_hash = complete and run.content_hash == self.data.canonical_hash
        if same_hash and self._joins(run):
            return Confirmed(self.data.part, self.reading)
        held = contents.held(self.warehouse, run.counts)
        content = self.read if complete else contents.overlaid(held, self.read, self.data.scope)
        rule = self.facts.equality.get(self.data.part, Equality())
        found = tally(*held, *content, rule)
        if not found.material and not same_hash:
            # Equal but for noise: kept, since it is itself again should it open a vintage one day.
            if not content.observations.equals(held.observations):
                self._keep_rows(run)
            if self._joins(run):
                return Confirmed(self.data.part, self.reading)
        comparison = compare(run.vintage_id, *held, *content, rule, self._older()) if self.judged else None
        counts = {
            "predecessor_id": run.vintage_id,
            "material": found.material,
            **{name: getattr(found, name) for name in COUNTS},
        }
        if found.material:
            return self._staged(self._opened(run), content, counts, comparison)
        # The same state; but this reading changes from when it, or the next one, is known.
        return self._staged(run, held, counts, comparison)

    def _older(self) -> list[pa.Table]:
        """What the vintages before the predecessor said; a comparison for the gate looks at them, too."""
        if not self.judged:
            return []
        place = order_of(self.reading)
        rows = line.before(self.connection, *self.part, place, 1 + _OLDER, inclusive=True)[1:]
        return [contents.held(self.warehouse, row).observations for row in rows]

    def _opened(self, before: Run | None) -> Run:
        last = line.reading_before(self.connection, *self.part, order_of(self.reading), inclusive=True)
        return opening(self.part, self.reading, before, last)

    def _joins(self, run: Run) -> bool:
        """Let the reading confirm a run; True when nothing else comes of it."""
        self.reading["vintage_id"] = run.vintage_id
        added = arrange(self.warehouse, self.connection, run.part, self.batch_id, added=[self.reading])
        return added == Arrangement()

    def _staged(self, run: Run, content: Content, counts: dict[str, Any], comparison: Comparison | None) -> Staged:
        """Write the candidate's files, and gather the evidence."""
        self.reading["vintage_id"] = run.vintage_id
        self.reading["compared"] = {"predecessor_id": None, "material": True, **counts}
        row = _write(self.warehouse, self.batch_id, run, content)
        data = self.data
        if not data.scope.complete:
            self._keep_rows(run)
        whole = replace(data, observations=content.observations, series=content.series, canonical_hash=run.content_hash)
        evidence = PartEvidence(
            data=whole,
            known_from=run.known.at,
            precision=run.known.precision,
            basis=run.known.basis,
            vintage_id=run.vintage_id,
            comparison=comparison,
            notes=(*data.notes, *([run.known.note] if run.known.note else [])),
            voided=_voided(self.warehouse, self.facts, data, content) if self.judged else None,
        )
        return Staged(evidence, self.reading, row, counts)

    def _keep_rows(self, run: Run) -> None:
        """Write what the reading itself said where no vintage says it, so that it can be laid over another state later."""
        for name in ("observations", "series"):
            written = contents.file_name("readings", *run.part, f"{name}-{run.vintage_id}", self.batch_id)
            self.reading[f"{name}_file"] = written
        contents.write_rows(self.warehouse, self.reading, self.read)


def _reading(dataset: str, batch_id: str, data: PartData) -> dict[str, Any]:
    """The future row of `readings`."""
    fetched_at = max(payload.fetched_at for payload in data.payloads)
    stamp = data.stamp
    return {
        "batch_id": batch_id,
        "part": data.part,
        "dataset": dataset,
        "place": clock.to_text(clock.place(stamp, fetched_at)),
        "fetched_at": clock.to_text(fetched_at),
        "sha256": data.payloads[-1].sha256,
        "canonical_hash": data.canonical_hash,
        "stamp": stamp.text if stamp is not None else None,
        "stamp_at": clock.to_text(stamp.at) if stamp is not None else None,
        "stamp_precision": stamp.precision.value if stamp is not None else None,
        "stamp_basis": stamp.basis.value if stamp is not None else None,
        "scope": contents.told_scope(data.scope),
        "vintage_id": "",
        "observations_file": None,
        "series_file": None,
        "compared": None,
    }


def _write(warehouse: Warehouse, batch_id: str, opened: Run, content: Content) -> dict[str, Any]:
    """Write the candidate's files, unless the same vintage is held already."""
    with warehouse.engine.connect() as connection:
        held = line.vintage(connection, opened.vintage_id)
    if held is not None:
        return dict(held)
    row = vintage_row(opened, content, batch_id)
    contents.write(warehouse, row, content)
    return row


def _taken_back(connection: Connection, part: tuple[str, str]) -> list[Row]:
    """Vintages of a part that ended because a person took them back, newest first, with who and why."""
    readings, decisions, standing = ledger.readings.c, ledger.decisions.c, ledger.line.c
    ended = select(standing.voided_in).where(standing.dataset == part[0], standing.part == part[1])
    vintage = (ledger.vintages.c[name] for name in ("vintage_id", "observations_file", "series_file"))
    told = (readings.canonical_hash, readings.voided_in, decisions.actor, decisions.reason)
    query = (
        select(*vintage, *told)
        .join(ledger.readings, readings.vintage_id == ledger.vintages.c.vintage_id)
        .join(ledger.decisions, decisions.edition == readings.voided_in)
        .where(readings.dataset == part[0], readings.part == part[1], decisions.decision == Decision.VOIDED.value)
        .where(readings.voided_in.in_(ended))
        .order_by(readings.voided_in.desc())
        .distinct()
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _voided(warehouse: Warehouse, facts: DatasetFacts, data: PartData, content: Content) -> str | None:
    """Who took the same content back before, and why; None when nobody did, or a person let it in again since."""
    with warehouse.engine.connect() as connection:
        taken_back = _taken_back(connection, (facts.id, data.part))
        let_in = _let_in(connection, facts.id, data) if taken_back else 0
    rule = facts.equality.get(data.part, Equality())
    for row in taken_back:
        if row["voided_in"] < let_in:
            return None
        same = row["canonical_hash"] == data.canonical_hash
        if same or not tally(*contents.read_vintage(warehouse, row), *content, rule).material:
            return f"{row['actor']} took vintage {row['vintage_id']} back: {row['reason']}"
    return None


def _let_in(connection: Connection, dataset: str, data: PartData) -> int:
    """The newest edition in which the same content began to count, and still does; 0 when there is none."""
    columns = ledger.readings.c
    query = select(func.coalesce(func.max(columns.published_in), 0)).where(
        columns.dataset == dataset,
        columns.part == data.part,
        columns.canonical_hash == data.canonical_hash,
        columns.voided_in.is_(None),
    )
    return int(connection.execute(query).scalar_one())
