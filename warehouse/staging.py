"""Staging: a parsed part becomes a candidate vintage beside its predecessor, or nothing when nothing changed.

Belongs here: the reading's record, the evidence for the gate, and the staged files. Nothing here is visible to anybody;
warehouse/publish.py makes it so, and warehouse/arrange.py says where in the line it then stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from warehouse import clock, contents, ledger, line
from warehouse.arrange import (
    COUNTS,
    Arrangement,
    Run,
    arrange,
    content_hash,
    first_counts,
    opening_claim,
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
#: How many voided vintages of a part are remembered.
_VOIDED = 20


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
    part = (facts.id, data.part)
    reading = _reading(facts.id, batch_id, data)
    read = Content(data.observations, data.series)
    with warehouse.engine.connect() as connection:
        run = standing_at(connection, part, order_of(reading))
        last = line.reading_before(connection, *part, order_of(reading), inclusive=True)
        if run is None:
            opened = _run(part, reading, None, last)
            return _staged(warehouse, facts, batch_id, data, reading, opened, read, first_counts(read), None, judged)
        same_hash = data.scope.complete and run.content_hash == data.canonical_hash
        if same_hash and _joins(connection, warehouse, reading, run):
            return Confirmed(data.part, reading)
        held = contents.read_vintage(warehouse, run.counts)
        content = read if data.scope.complete else contents.overlaid(held, read, data.scope)
        rule = facts.equality.get(data.part, Equality())
        found = tally(*held, *content, rule)
        if not found.material and not same_hash and _joins(connection, warehouse, reading, run):
            return Confirmed(data.part, reading)
        rows = line.before(connection, *part, order_of(reading), 1 + _OLDER, inclusive=True)[1:] if judged else []
    older = [contents.read_vintage(warehouse, row).observations for row in rows]
    comparison = compare(run.vintage_id, *held, *content, rule, older) if judged else None
    counts = {"predecessor_id": run.vintage_id, **{name: getattr(found, name) for name in COUNTS}}
    if found.material:
        run, held = _run(part, reading, run, last), content
    # Otherwise the same state; but this reading changes from when it, or the next one, is known.
    return _staged(warehouse, facts, batch_id, data, reading, run, held, counts, comparison, judged)


def _run(part: tuple[str, str], reading: dict[str, Any], before: Run | None, last: Row | None) -> Run:
    claim = opening_claim(reading, before, last)
    since = before.known.at if before is not None else None
    return Run(part, reading, claim, reading["stamp"], content_hash(reading, before), None, last, {}, since)


def _joins(connection: Connection, warehouse: Warehouse, reading: dict[str, Any], run: Run) -> bool:
    """Let a reading confirm a run; True when nothing else comes of it."""
    reading["vintage_id"] = run.vintage_id
    return arrange(warehouse, connection, run.part, reading["batch_id"], added=[reading]) == Arrangement()


def _staged(
    warehouse: Warehouse,
    facts: DatasetFacts,
    batch_id: str,
    data: PartData,
    reading: dict[str, Any],
    run: Run,
    content: Content,
    counts: dict[str, Any],
    comparison: Comparison | None,
    judged: bool,
) -> Staged:
    """Write the candidate's files, and gather the evidence."""
    reading["vintage_id"] = run.vintage_id
    reading["compared"] = {"predecessor_id": None, **counts}
    row = _write(warehouse, batch_id, run, content)
    _keep_rows(warehouse, batch_id, reading, data, run)
    whole = replace(data, observations=content.observations, series=content.series, canonical_hash=run.content_hash)
    evidence = PartEvidence(
        data=whole,
        known_from=run.known.at,
        precision=run.known.precision,
        basis=run.known.basis,
        vintage_id=run.vintage_id,
        comparison=comparison,
        notes=(*data.notes, *([run.known.note] if run.known.note else [])),
        voided=_voided(warehouse, facts, data, content) if judged else None,
    )
    return Staged(evidence, reading, row, counts)


def _keep_rows(warehouse: Warehouse, batch_id: str, reading: dict[str, Any], data: PartData, run: Run) -> None:
    """Write what a partial reading itself said, so that it can be laid over another state later."""
    if data.scope.complete:
        return
    for name in ("observations", "series"):
        reading[f"{name}_file"] = contents.file_name("readings", *run.part, f"{name}-{run.vintage_id}", batch_id)
    contents.write_rows(warehouse, reading, Content(data.observations, data.series))


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
    """Vintages of a part that a person voided, newest first, with who and why."""
    readings, decisions = ledger.readings.c, ledger.decisions.c
    query = (
        select(ledger.vintages, readings.canonical_hash.label("read_hash"), decisions.actor, decisions.reason)
        .join(ledger.readings, readings.vintage_id == ledger.vintages.c.vintage_id)
        .join(ledger.editions, ledger.editions.c.edition == readings.voided_in)
        .join(ledger.decisions, decisions.edition == readings.voided_in)
        .where(readings.dataset == part[0], readings.part == part[1], decisions.decision == Decision.VOIDED.value)
        .order_by(readings.voided_in.desc())
        .limit(_VOIDED)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _voided(warehouse: Warehouse, facts: DatasetFacts, data: PartData, content: Content) -> str | None:
    """Who took the same content back before, and why."""
    with warehouse.engine.connect() as connection:
        taken_back = _taken_back(connection, (facts.id, data.part))
    rule = facts.equality.get(data.part, Equality())
    if taken_back and _counts_again(warehouse, facts.id, data):
        return None
    for row in taken_back:
        same = row["read_hash"] == data.canonical_hash
        if not same:
            held = contents.read_vintage(warehouse, row)
            same = not tally(*held, *content, rule).material
        if same:
            return f"{row['actor']} took vintage {row['vintage_id']} back: {row['reason']}"
    return None


def _counts_again(warehouse: Warehouse, dataset: str, data: PartData) -> bool:
    """True when a person has let the same content in again since."""
    columns = ledger.readings.c
    query = select(columns.batch_id).where(
        columns.dataset == dataset,
        columns.part == data.part,
        columns.canonical_hash == data.canonical_hash,
        columns.published_in.is_not(None),
        columns.voided_in.is_(None),
    )
    with warehouse.engine.connect() as connection:
        return connection.execute(query.limit(1)).first() is not None
