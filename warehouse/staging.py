"""Staging: a parsed part becomes a candidate vintage beside its predecessor, or nothing when nothing changed.

Belongs here: finding the predecessor, completing a partial read, the decision that a part is unchanged, the stamp, and the
staged files. Nothing here is visible to anybody; warehouse/publish.py makes it so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy.engine import RowMapping

from warehouse import clock
from warehouse.compare import Equality, compare
from warehouse.schema import (
    OBSERVATIONS,
    PARSED,
    SERIES,
    Basis,
    Comparison,
    PartData,
    PartEvidence,
    Scope,
)
from warehouse.store import DatasetFacts, Event, Warehouse
from warehouse.tables import SERIES_STORED, write_vintage

#: How many vintages before the predecessor are looked at for reinstatements and rollbacks.
_OLDER = 5


@dataclass(frozen=True)
class Staged:
    """A candidate vintage: the evidence for the gate, and its future row in the ledger (without the batch id)."""

    evidence: PartEvidence
    row: dict[str, Any]


@dataclass(frozen=True)
class Confirmed:
    """An unchanged part: nothing is stored, but its vintage was known at this point, too (a future ledger row)."""

    part: str
    row: dict[str, Any]


def stage(warehouse: Warehouse, facts: DatasetFacts, batch_id: str, data: PartData) -> Staged | Confirmed:
    """Compare a part with what was known before it, and write its files unless it is unchanged.

    The caller holds the dataset's lease. A partial read is completed from its predecessor and stored whole.
    """
    fetched_at = max(payload.fetched_at for payload in data.payloads)
    with warehouse.engine.connect() as connection:
        line = warehouse.timeline(connection, facts.id, data.part).get((facts.id, data.part), [])
    limit = clock.to_text(_place(data, fetched_at))
    before = [event for event in line if event.at <= limit]
    predecessor = before[-1].vintage if before else None
    if predecessor is not None and data.scope.complete and predecessor["canonical_hash"] == data.canonical_hash:
        return _confirmed(facts.id, data, predecessor, fetched_at)
    if predecessor is not None and not data.scope.complete:
        data = _completed(data, predecessor["vintage_id"], *read_vintage(warehouse, predecessor))
    comparison = _compare(warehouse, facts, data, before)
    if predecessor is not None and comparison is not None and not comparison.material:
        return _confirmed(facts.id, data, predecessor, fetched_at)
    last = clock.from_text(before[-1].at) if before else None
    known = clock.known_from(data.stamp, fetched_at, last, predecessor["stamp"] if predecessor is not None else None)
    vintage_id = _vintage_id(facts.id, data, known)
    notes = (*data.notes, *([known.note] if known.note else []))
    evidence = PartEvidence(data, known.at, known.precision, known.basis, vintage_id, comparison, notes)
    return Staged(evidence, _write(warehouse, facts.id, batch_id, evidence, fetched_at))


def batch_suffix(batch_id: str) -> str:
    """What tells a batch's files from those of others: its id without the dataset."""
    return batch_id.rsplit("@", 1)[-1]


def _place(data: PartData, fetched_at: datetime) -> datetime:
    """Where a reading stands in known order: an archive's version at its month, a live reading when it was taken."""
    archived = data.stamp is not None and data.stamp.basis is Basis.ARCHIVE
    return min(data.stamp.at, fetched_at) if archived and data.stamp is not None else fetched_at


def _confirmed(dataset: str, data: PartData, vintage: RowMapping, fetched_at: datetime) -> Confirmed:
    at = clock.to_text(_place(data, fetched_at))
    row = {
        "part": data.part,
        "dataset": dataset,
        "vintage_id": vintage["vintage_id"],
        "at": max(at, vintage["known_from"]),
        "fetched_at": clock.to_text(fetched_at),
        "sha256": data.payloads[-1].sha256,
    }
    return Confirmed(data.part, row)


def read_vintage(warehouse: Warehouse, vintage: RowMapping) -> tuple[pa.Table, pa.Table]:
    """The observations (schema PARSED) and series (schema SERIES) of a vintage."""
    observations = pq.read_table(warehouse.path(vintage["observations_file"]), columns=PARSED.names).cast(PARSED)
    series = pq.read_table(warehouse.path(vintage["series_file"]), columns=SERIES.names).cast(SERIES)
    return observations, series


def _completed(data: PartData, predecessor_id: str, observations: pa.Table, series: pa.Table) -> PartData:
    """Lay a partial read over its predecessor: inside its scope it replaces, outside nothing is concluded.

    Its hash is made of both, so that a later complete answer is never taken for the same content.
    """
    scope = data.scope
    with duckdb.connect() as connection:
        for name, table in (
            ("old", observations),
            ("new", data.observations),
            ("old_series", series),
            ("new_series", data.series),
        ):
            connection.register(name, table)
        inside = ["true"]
        if scope.start is not None:
            inside.append(f"period_start >= date '{clock.period_start(scope.start)}'")
        if scope.end is not None:
            inside.append(f"period_start <= date '{clock.period_end(scope.end)}'")
        if scope.entities is not None:
            connection.register("wanted", pa.table({"entity": pa.array(scope.entities, pa.string())}))
            inside.append(
                "series_key in (select series_key from old_series where entity in (select entity from wanted))"
            )
        merged = connection.sql(
            f"select * from old where not ({' and '.join(inside)}) and not exists"
            " (select 1 from new where new.series_key = old.series_key and new.period = old.period)"
            " union all select * from new order by series_key, period"
        ).to_arrow_table()
        merged_series = connection.sql(
            "select * from new_series union all select * from old_series "
            "where series_key not in (select series_key from new_series) order by series_key"
        ).to_arrow_table()
    both = hashlib.sha256(f"{data.canonical_hash} over {predecessor_id}".encode()).hexdigest()
    return replace(data, observations=merged.cast(PARSED), series=merged_series.cast(SERIES), canonical_hash=both)


def _compare(warehouse: Warehouse, facts: DatasetFacts, data: PartData, before: Sequence[Event]) -> Comparison | None:
    if not before:
        return None
    newest = before[-1].vintage
    others: dict[str, RowMapping] = {}
    for event in reversed(before):
        if event.vintage["vintage_id"] != newest["vintage_id"]:
            others.setdefault(event.vintage["vintage_id"], event.vintage)
    old, old_series = read_vintage(warehouse, newest)
    older = [read_vintage(warehouse, row)[0] for row in list(others.values())[:_OLDER]]
    equality = facts.equality.get(data.part, Equality())
    return compare(newest["vintage_id"], old, old_series, data.observations, data.series, equality, older)


def _vintage_id(dataset: str, data: PartData, known: clock.KnownFrom) -> str:
    """Made from what the vintage is, not from when it was loaded: the same content under the same stamp is the same."""
    native = known.basis is not Basis.CAPTURED and data.stamp is not None
    when = data.stamp.text if native and data.stamp is not None else clock.to_text(known.at)
    scope = "" if data.scope.complete else repr(data.scope)
    text = "\n".join([dataset, data.part, known.basis, when, data.canonical_hash, scope])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(
    warehouse: Warehouse, dataset: str, batch_id: str, evidence: PartEvidence, fetched_at: datetime
) -> dict[str, Any]:
    data = evidence.data
    place = {"dataset": dataset, "vintage_id": evidence.vintage_id, "known_from": evidence.known_from}
    observations = _placed(data.observations, {**place, "part": data.part}, OBSERVATIONS)
    series = _placed(data.series, place, SERIES_STORED)
    suffix = batch_suffix(batch_id)
    files = {
        name: f"tables/{name}/data/{dataset}/{data.part}/{evidence.vintage_id}-{suffix}.parquet"
        for name in ("observations", "series")
    }
    write_vintage(warehouse.path(files["observations"]), observations)
    write_vintage(warehouse.path(files["series"]), series)
    return {
        "vintage_id": evidence.vintage_id,
        "dataset": dataset,
        "part": data.part,
        "known_from": clock.to_text(evidence.known_from),
        "precision": evidence.precision.value,
        "basis": evidence.basis.value,
        "stamp": data.stamp.text if data.stamp is not None else None,
        "fetched_at": clock.to_text(fetched_at),
        "sha256": data.payloads[-1].sha256,
        "canonical_hash": data.canonical_hash,
        "scope": _scope(data.scope),
        "observations": _filled(data.observations),
        "series": data.series.num_rows,
        "observations_file": files["observations"],
        "series_file": files["series"],
        "predecessor_id": evidence.comparison.predecessor_id if evidence.comparison is not None else None,
        **_counts(evidence),
    }


def _placed(table: pa.Table, place: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """The table with constant columns that say where its rows belong."""
    columns = {
        name: pa.repeat(pa.scalar(place[name], schema.field(name).type), table.num_rows)
        if name in place
        else table.column(name)
        for name in schema.names
    }
    return pa.table(columns, schema=schema)


def _filled(observations: pa.Table) -> int:
    """Observations with a value or a flag; the empty cells of a provider's grid are none."""
    valued = pc.is_valid(observations.column("value"))
    return int(pc.sum(pc.or_(valued, pc.not_equal(observations.column("status"), ""))).as_py() or 0)


def _scope(scope: Scope) -> dict[str, Any]:
    entities = list(scope.entities) if scope.entities is not None else None
    return {"start": scope.start, "end": scope.end, "entities": entities}


def _counts(evidence: PartEvidence) -> dict[str, int]:
    """Changed cells against the predecessor; all values count as added when there is none."""
    if evidence.comparison is None:
        values = evidence.data.observations.column("value")
        return {"revised": 0, "added": len(values) - values.null_count, "withdrawn": 0, "status_changed": 0}
    table = evidence.comparison.evidence
    totals = {name: sum(table.column(f"{name}_n").to_pylist()) for name in ("revised", "added", "withdrawn")}
    return {**totals, "status_changed": sum(table.column("status_changed_n").to_pylist())}
