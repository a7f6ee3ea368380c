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

if TYPE_CHECKING:
    from warehouse.staging import Staged
    from warehouse.store import Warehouse

WORLD = "WLD"
#: So begin the notes of a series that the sandbox filled from elsewhere than the provider's answers.
_NO_ANSWER = "SANDBOX:"
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
    provider_unit: str | None = None


@dataclass
class _Described:
    """What a vintage says of the series of a measure: their units, and their notes."""

    units: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)


@dataclass(repr=False)
class Held:
    """Observations of one edition, ready to be asked. `warehouse` and `edition` say whose; `database` has the table `cells`:
    measure, vintage_id, entity, partner, period, value (in the measure's unit), status, series_key. What a vintage gives in
    another unit than the measure's is not in it."""

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
        """Why nothing can be computed from a measure in any vintage; None when something can."""
        entry = self.words.measures[measure]
        dataset = entry.series.partition(":")[0]
        if dataset not in self.datasets:
            return Words(en=f"nothing is held of the dataset {dataset}", zh=f"未收录数据集 {dataset}")
        if measure not in self._parts:
            return Words(
                en=f"the dataset {dataset} is held without a series {entry.series.partition(':')[2]}",
                zh=f"已收录数据集 {dataset}，但其中没有序列 {entry.series.partition(':')[2]}",
            )
        clashes = [self._clash(measure, described) for described in self._described.get(measure, {}).values()]
        return clashes[-1] if clashes and all(clashes) else None

    def clash(self, measure: str, state: State) -> Words | None:
        """That the vintage of a state gives a measure in another unit, so that none of its numbers count; None where not."""
        described = self._described.get(measure, {}).get(self.vintage(measure, state))
        return self._clash(measure, described) if described is not None else None

    def _clash(self, measure: str, described: _Described) -> Words | None:
        wanted, held = self.words.measures[measure].provider_unit, sorted(described.units)
        if wanted is None or wanted in held:
            return None
        return Words(
            en=f"the provider's unit is {', '.join(held)}, not {wanted}",
            zh=f"数据源单位为 {'、'.join(held)}，而非 {wanted}",
        )

    @cached_property
    def _described(self) -> dict[str, dict[str, _Described]]:
        """By measure and vintage, in known order, what is said of the series."""
        meant: dict[tuple[str, str, str], dict[str, None]] = {}
        for one in self.named:
            meant.setdefault((one.dataset, one.part, one.key), {})[one.measure] = None
        place = {row["vintage_id"]: number for number, row in enumerate(self.vintages)}
        found: dict[str, dict[str, _Described]] = {}
        for row in sorted(self.series, key=lambda row: place[row["vintage_id"]]):
            for measure in meant.get((row["dataset"], row["part"], row["series_key"]), ()):
                described = found.setdefault(measure, {}).setdefault(row["vintage_id"], _Described())
                described.units.add(row["unit"])
                described.notes |= {row["notes"]} - {None, ""}
        return found

    def _notes(self, measure: str, state: State) -> set[str]:
        described = self._described.get(measure, {}).get(self.vintage(measure, state))
        return described.notes if described is not None else set()

    def own_number(self, measure: str, paper: str, state: State) -> bool:
        """Whether a series of the measure says of itself, in a state, that its numbers are from a paper: no proof for it."""
        says = re.compile(rf"\b{re.escape(paper)}-[a-z]")
        return any(says.search(note) for note in self._notes(measure, state))

    def disowned(self, measure: str, state: State) -> str | None:
        """The note by which a series of the measure says, in a state, that its numbers are no answer of the provider."""
        return min((note for note in self._notes(measure, state) if note.startswith(_NO_ANSWER)), default=None)

    def last_year(self, state: State) -> int | None:
        """The last year of which the vintages of a state have a number; None where they tell of years after their own day, as
        projections do, or of none."""
        ids = tuple(sorted(state.vintages.values()))
        if ("last year", ids) not in self.kept:
            asked = "select max(left(period, 4)) from cells where list_contains(?, vintage_id) and value is not null"
            self.kept["last year", ids] = self.database.execute(asked, [ids]).fetchall()[0][0]
        year: str | None = self.kept["last year", ids]
        return int(year) if year is not None and year <= state.day[:4] else None

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
    database = duckdb.connect(config={"threads": 1})  # several sum in changing order, and so to changing last bits
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
                named = _Named(measure.id, dataset, one[0], one[1], *fits, measure.multiplier, measure.provider_unit)
                seen[named] = None
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

    text, number = pa.string(), pa.int32()
    scaled = pa.schema([("vintage_id", text), ("series_key", text), ("unit", text), ("multiplier", number)])
    told = [{name: row[name] for name in scaled.names} for row in series]
    meant = pa.schema([(name, number if name == "multiplier" else text) for name in _Named._fields])
    database.register("named", pa.Table.from_pylist([one._asdict() for one in named], meant))
    database.register("scaled", pa.Table.from_pylist(told, scaled))
    if files := sorted({str(warehouse.path(row["observations_file"])) for row in rows}):
        database.execute(f"create temp table cells as {_OBSERVED}", [files, [row["vintage_id"] for row in rows]])
    else:
        database.execute(f"create temp table cells ({_NOTHING})")
    database.unregister("named")
    database.unregister("scaled")


_POWER = "(s.multiplier + n.multiplier)"
# The point is moved in the written number: 4.07 times a million is 4070000, and not 4070000.0000000005.
_MOVED = f"coalesce(try_cast(concat(o.value, 'e', {_POWER}) as double), o.value * pow(10, {_POWER}))"
_OBSERVED = f"""
select n.measure, o.vintage_id, n.entity, n.partner, o.period,
       case when {_POWER} = 0 then o.value else {_MOVED} end as value, o.status, o.series_key
from read_parquet(?, hive_partitioning = false) o
join named n on n.dataset = o.dataset and n.part = o.part and n.key = o.series_key
join scaled s on s.vintage_id = o.vintage_id and s.series_key = o.series_key
     and (n.provider_unit is null or s.unit = n.provider_unit)
where o.vintage_id in (select unnest(?)) and (o.value is not null or o.status <> '')
order by n.measure, o.vintage_id, n.entity, n.partner, o.period, o.series_key
"""
_NOTHING = (
    "measure text, vintage_id text, entity text, partner text, period text, value double, status text, series_key text"
)
