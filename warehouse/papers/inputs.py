"""What formulas compute with: the observations of every vintage that a measure may need, in one scratch database.

Belongs here: choosing the vintages of an edition, reading their files, and what was known at which moment. Does not belong here:
formulas, and anything that a paper says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from warehouse import line
from warehouse.papers.model import Measure, Words
from warehouse.papers.vocabulary import Vocabulary
from warehouse.scratch import scratch

if TYPE_CHECKING:
    from warehouse.staging import Staged
    from warehouse.store import Warehouse

WORLD = "WLD"
_DAY = re.compile(r"(\d{4})-?(\d{2})(?:-?(\d{2}))?")

Row = Mapping[str, Any]
#: Whose number: economy, partner (None of a measure without), period.
Whose = tuple[str, str | None, str]


@dataclass(frozen=True)
class State:
    """What was known of some measures from a moment on: the vintages that answer, by part ("dataset/part").

    known_from is UTC as stored; day, for people, is the publisher's where it stated one; precision and basis are those of the
    vintage with which the state begins.
    """

    known_from: str
    day: str
    precision: str
    basis: str
    vintages: dict[str, str]


class _Named(NamedTuple):
    """A series that a measure means, in one part."""

    measure: str
    dataset: str
    part: str
    key: str
    entity: str
    partner: str | None
    multiplier: int


@dataclass(repr=False)
class Held:
    """Observations of one edition, ready to be asked. `warehouse` and `edition` say whose; `database` has the table `cells`:
    measure, vintage_id, entity, partner, period, value (in the measure's unit), status, series_key."""

    warehouse: Warehouse
    edition: int
    words: Vocabulary
    database: duckdb.DuckDBPyConnection
    datasets: frozenset[str]
    vintages: Sequence[Row]
    named: Sequence[_Named]
    series: Sequence[Row]
    kept: dict[Any, Any] = field(default_factory=dict)  # answers that were computed already

    @cached_property
    def _parts(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for one in self.named:
            found.setdefault(one.measure, {})[f"{one.dataset}/{one.part}"] = None
        return {measure: tuple(parts) for measure, parts in found.items()}

    def states(self, measures: Iterable[str]) -> list[State]:
        """One state for each moment at which a vintage of any of the measures' parts begins to answer, oldest first.

        Begins where each measure is held; empty where one is not.
        """
        wanted = tuple(sorted(set(measures)))
        if ("states", wanted) not in self.kept:
            self.kept["states", wanted] = self._states(wanted)
        found: list[State] = self.kept["states", wanted]
        return found

    def _states(self, measures: Sequence[str]) -> list[State]:
        parts = [self._parts.get(measure, ()) for measure in measures]
        if not all(parts):
            return []
        rows = [row for row in self.vintages if any(_part(row) in some for some in parts)]
        found: list[State] = []
        for moment in sorted({row["known_from"] for row in rows}):
            known = {_part(row): row for row in rows if row["known_from"] <= moment}  # the last in known order
            if not all(any(part in known for part in some) for some in parts):
                continue
            vintages = {part: row["vintage_id"] for part, row in sorted(known.items())}
            if not found or found[-1].vintages != vintages:
                began = [row for row in known.values() if row["known_from"] == moment]
                found.append(_state(moment, began or list(known.values()), vintages))
        return found

    def vintage(self, measure: str, state: State) -> str:
        """The vintage that answers for a measure in a state; of several parts, the one known last."""
        mine = {state.vintages[part] for part in self._parts.get(measure, ()) if part in state.vintages}
        if len(mine) == 1:
            return mine.pop()
        last: str = next(row["vintage_id"] for row in reversed(self.vintages) if row["vintage_id"] in mine)
        return last

    def why_not(self, measure: str) -> Words | None:
        """Why nothing can be computed from a measure; None when something can."""
        entry = self.words.measures[measure]
        dataset = entry.series.partition(":")[0]
        if dataset not in self.datasets:
            return Words(en=f"nothing is held of the dataset {dataset}", zh=f"未持有数据集 {dataset}")
        if measure not in self._parts:
            return Words(
                en=f"the dataset {dataset} is held without a series {entry.series.partition(':')[2]}",
                zh=f"已持有数据集 {dataset}，但其中没有序列 {entry.series.partition(':')[2]}",
            )
        held = self._units.get(measure, set())
        if entry.provider_unit is not None and held - {entry.provider_unit}:
            return Words(
                en=f"the provider's unit is {', '.join(sorted(held))}, not {entry.provider_unit}",
                zh=f"数据源单位为 {'、'.join(sorted(held))}，而非 {entry.provider_unit}",
            )
        return None

    @cached_property
    def _newest(self) -> dict[tuple[str, str, str], Row]:
        """The series as the newest vintage of each part describes them."""
        last = {_part(row): row["vintage_id"] for row in self.vintages}
        return {
            (row["dataset"], row["part"], row["series_key"]): row
            for row in self.series
            if last[_part(row)] == row["vintage_id"]
        }

    @cached_property
    def _units(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for one in self.named:
            if (row := self._newest.get((one.dataset, one.part, one.key))) is not None:
                found.setdefault(one.measure, set()).add(row["unit"])
        return found

    def own_number(self, measure: str, paper: str) -> bool:
        """Whether a series of the measure says of itself that its numbers were taken from a paper: no proof for that paper."""
        says = re.compile(rf"\b{re.escape(paper)}-[a-z]")
        rows = (self._newest.get((one.dataset, one.part, one.key)) for one in self.named if one.measure == measure)
        return any(says.search(row["notes"] or "") for row in rows if row is not None)

    def status(self, measure: str, state: State) -> dict[Whose, str]:
        """The status flags of the observations that answer in a state, where they have any."""
        asked = [measure, self.vintage(measure, state)]
        rows = self.database.execute(
            "select entity, partner, period, status from cells where measure = ? and vintage_id = ? and status <> ''",
            asked,
        ).fetchall()
        return {(entity, partner, period): status for entity, partner, period, status in rows}

    def economies(self, measure: str, state: State) -> int:
        """For how many economies a state has any number of a measure; aggregates are none."""
        key = ("economies", measure, self.vintage(measure, state))
        if key not in self.kept:
            asked = [measure, key[2], sorted(self.words.aggregates)]
            query = (
                "select count(distinct entity) from cells where measure = ? and vintage_id = ? and value is not null"
            )
            found = self.database.execute(f"{query} and not list_contains(?, entity)", asked).fetchall()
            self.kept[key] = found[0][0]
        number: int = self.kept[key]
        return number


def _part(row: Row) -> str:
    return f"{row['dataset']}/{row['part']}"


def _state(moment: str, began: Sequence[Row], vintages: dict[str, str]) -> State:
    last = began[-1]
    stamped = _DAY.match(last.get("stamp") or "")
    day = "-".join(piece for piece in stamped.groups() if piece) if stamped else moment[:10]
    return State(moment, day, last["precision"], last["basis"], vintages)


@contextmanager
def hold(
    warehouse: Warehouse,
    words: Vocabulary,
    *,
    edition: int | str | None = None,
    staged: Sequence[Staged] = (),
) -> Iterator[Held]:
    """All observations that the measures of a catalogue may need, of all vintages visible in an edition (None: the newest).

    `staged` are vintages that no edition shows yet, put where they would stand. The same edition gives the same for ever.
    Raises UsageError for an edition that does not exist.
    """
    datasets = {one.series.partition(":")[0] for one in words.measures.values()}
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        visible = [row for row in line.visible(connection, edition=at) if row["dataset"] in datasets]
    rows = _with_staged(visible, [one for one in staged if one.row["dataset"] in datasets])
    database = scratch()
    try:
        told = _series(warehouse, database, rows)
        named = list(_named(words.measures.values(), told))
        parts = {f"{one.dataset}/{one.part}" for one in named}
        vintages = [row for row in rows if _part(row) in parts]
        series = [row for row in told if _part(row) in parts]
        _fill(warehouse, database, vintages, series, named)
        yield Held(warehouse, at, words, database, frozenset(row["dataset"] for row in rows), vintages, named, series)
    finally:
        database.close()


def _with_staged(visible: Sequence[Row], staged: Sequence[Staged]) -> list[Row]:
    """In known order, with those that are staged in their place."""
    told = ("place", "fetched_at", "sha256", "stamp")
    added: list[Row] = [{**one.row, **{name: one.reading[name] for name in told}} for one in staged]
    replaced = {row["vintage_id"] for row in added}
    return sorted([*(row for row in visible if row["vintage_id"] not in replaced), *added], key=line.order_of)


def _series(warehouse: Warehouse, database: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> list[Row]:
    """What each vintage says of each of its series."""
    names = ("dataset", "part", "vintage_id", "series_key", "label", "entity", "unit", "multiplier", "notes")
    if not rows:
        return []
    files = sorted({str(warehouse.path(row["series_file"])) for row in rows})
    asked = [files, [row["vintage_id"] for row in rows]]
    query = f"select {', '.join(names)} from read_parquet(?, hive_partitioning = false) where vintage_id in (select unnest(?))"
    return [dict(zip(names, row, strict=True)) for row in database.execute(query, asked).fetchall()]


def _named(measures: Collection[Measure], series: Sequence[Row]) -> Iterator[_Named]:
    """Which series each measure means."""
    met = {(row["dataset"], row["part"], row["series_key"], row["label"], row["entity"]) for row in series}
    by_dataset: dict[str, list[tuple[str, str, str, str]]] = {}
    for dataset, *told in sorted(met):
        by_dataset.setdefault(dataset, []).append((told[0], told[1], told[2], told[3]))
    for measure in measures:
        dataset, _, name = measure.series.partition(":")
        found = _by_label if "/" in name else _by_key
        seen: dict[_Named, None] = {}
        for one in by_dataset.get(dataset, ()):
            if (fits := found(measure, name, *one)) is not None:
                seen[_Named(measure.id, dataset, one[0], one[1], *fits, measure.multiplier)] = None
        yield from seen


def _by_key(
    measure: Measure, name: str, _part: str, key: str, _label: str, _entity: str
) -> tuple[str, str | None] | None:
    match = _pattern(name).fullmatch(key)
    if match is None:
        return None
    areas = match.groupdict()
    entity = areas.get("entity")
    partner = areas.get("partner")
    return (
        _ours(measure, entity) if entity is not None else measure.entity or "",
        _ours(measure, partner) if partner is not None else None,
    )


def _by_label(measure: Measure, name: str, part: str, _key: str, label: str, entity: str) -> tuple[str, None] | None:
    wanted_part, _, wanted_label = name.partition("/")
    ours = _ours(measure, entity)
    return (ours, None) if (part, label, ours) == (wanted_part, wanted_label, measure.entity) else None


def _ours(measure: Measure, code: str) -> str:
    """Our code of a provider's area."""
    if code == measure.world:
        return WORLD
    return next((ours for ours, theirs in measure.codes.items() if theirs == code), code)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    escaped = re.escape(name)
    for area in ("entity", "partner"):
        escaped = escaped.replace(re.escape(f"{{{area}}}"), rf"(?P<{area}>[^.]+)")
    return re.compile(escaped)


def _fill(
    warehouse: Warehouse,
    database: duckdb.DuckDBPyConnection,
    rows: Sequence[Row],
    series: Sequence[Row],
    named: Sequence[_Named],
) -> None:
    """Make the table `cells`, with numbers in the measures' units, in the order in which it is asked."""
    import pyarrow as pa

    multipliers = [{name: row[name] for name in ("vintage_id", "series_key", "multiplier")} for row in series]
    scaled = pa.Table.from_pylist(
        multipliers, pa.schema([("vintage_id", pa.string()), ("series_key", pa.string()), ("multiplier", pa.int32())])
    )
    text = pa.string()
    schema = pa.schema([*((name, text) for name in _Named._fields[:-1]), ("multiplier", pa.int32())])
    database.register("named", pa.Table.from_pylist([one._asdict() for one in named], schema))
    database.register("scaled", scaled)
    # The point is moved in the written number: 4.07 times a million is 4070000, and not 4070000.0000000005.
    power = "(s.multiplier + n.multiplier)"
    moved = f"coalesce(try_cast(concat(o.value, 'e', {power}) as double), o.value * pow(10, {power}))"
    value = f"case when {power} = 0 then o.value else {moved} end"
    columns = f"n.measure, o.vintage_id, n.entity, n.partner, o.period, {value} as value, o.status, o.series_key"
    source = (
        f"select {columns} from read_parquet(?, hive_partitioning = false) o"
        " join named n on n.dataset = o.dataset and n.part = o.part and n.key = o.series_key"
        " join scaled s on s.vintage_id = o.vintage_id and s.series_key = o.series_key"
        " where o.vintage_id in (select unnest(?)) and (o.value is not null or o.status <> '')"
        " order by n.measure, o.vintage_id, n.entity, n.partner, o.period"
    )
    files = sorted({str(warehouse.path(row["observations_file"])) for row in rows})
    if files:
        asked = [files, [row["vintage_id"] for row in rows]]
        database.execute(f"create temp table cells as {source}", asked)
    else:
        database.execute(
            "create temp table cells (measure text, vintage_id text, entity text, partner text, period text, value double,"
            " status text, series_key text)"
        )
    database.unregister("named")
    database.unregister("scaled")
