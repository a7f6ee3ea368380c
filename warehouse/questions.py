"""What analysts ask: values (latest, as of a day, first held), vintages, series; every answer names its vintage.

Belongs here: choosing vintages by the rules of DESIGN "Time, exactly", and reading exactly their files with DuckDB. Answers are
lists of plain rows (dicts); figurekeeper.py makes pandas frames of them, the command line tables and JSON. Revisions are in
warehouse/revisions.py, where a number came from is in warehouse/lineage.py.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, func, select

from warehouse import clock, ledger, line
from warehouse.errors import UsageError
from warehouse.schema import Precision
from warehouse.scratch import scratch
from warehouse.store import Warehouse

Row = dict[str, Any]
#: How long before its stated end an imprecise stamp may already have been public.
_IMPRECISION = {
    Precision.INSTANT: timedelta(0),
    Precision.DAY: timedelta(days=1),
    Precision.MONTH: timedelta(days=31),
    Precision.YEAR: timedelta(days=366),
}
_VALUE_COLUMNS = "vintage_id, series_key, period, value, value_text, status"
#: An empty cell (no value, no flag) is a provider's way to print a grid; it is no observation.
_FILLED = "(value is not null or value_text is not null or status <> '')"


@dataclass(frozen=True)
class Asked:
    """A series as a person names it, found in the warehouse."""

    dataset: str
    key: str
    parts: tuple[str, ...]  # in which it is or was, the first one first

    @property
    def name(self) -> str:
        """dataset:key."""
        return f"{self.dataset}:{self.key}"


@dataclass(frozen=True)
class Line:
    """The vintages behind a series, in known order.

    Of one part all of them; of several parts those that hold the series, and those that let go of it.
    """

    vintages: Sequence[Mapping[str, Any]]
    gone: frozenset[str] = frozenset()  # of several parts: the vintages that do not hold it any more

    def told(self) -> list[Mapping[str, Any]]:
        """Without those that let go of a series which another part held at that moment."""
        holders: set[str] = set()
        rows = []
        for row in self.vintages:
            (holders.discard if row["vintage_id"] in self.gone else holders.add)(row["part"])
            if row["vintage_id"] not in self.gone or not holders:
                rows.append(row)
        return rows


@dataclass(frozen=True)
class _Chosen:
    """The vintage that answers for a series, and what surrounds it."""

    vintage: Mapping[str, Any]
    next_known_from: str | None
    gap: bool
    ambiguous: bool


def find(connection: Connection, series: str, edition: int | None = None) -> Asked:
    """A series by its name `dataset:key`, with its parts up to an edition (None: all; before the first: that one).

    Raises UsageError, with the nearest names held, when there is none.
    """
    dataset, colon, key = series.partition(":")
    columns = ledger.series_index.c
    if colon:
        query = select(columns.part, columns.published_in).where(columns.dataset == dataset, columns.series_key == key)
        found = connection.execute(query.order_by(columns.published_in, columns.part)).all()
        if found:
            parts = tuple(part for part, begun in found if edition is None or begun <= edition)
            return Asked(dataset, key, parts or (found[0].part,))
    names = select(columns.dataset, columns.series_key).distinct()
    held = [f"{name}:{other}" for name, other in connection.execute(names).tuples()]
    near = difflib.get_close_matches(series, held, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "`figurekeeper series` lists what is held"
    raise UsageError(f"no series '{series}' is held", next_step=hint)


def not_yet(warehouse: Warehouse, series: Sequence[str], edition: int | str | None) -> dict[str, int]:
    """The series that an edition does not hold yet, and the first edition that does. Raises UsageError as `values` does."""
    columns = ledger.series_index.c
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        since = {}
        for one in (find(connection, name) for name in series):
            query = select(func.min(columns.published_in))
            held = connection.execute(query.where(columns.dataset == one.dataset, columns.series_key == one.key))
            since[one.name] = int(held.scalar_one())
    return {name: begun for name, begun in since.items() if begun > at}


def values(
    warehouse: Warehouse,
    series: Sequence[str],
    *,
    as_of: str | None = None,
    first: bool = False,
    edition: int | str | None = None,
    period: str | None = None,
) -> list[Row]:
    """Values of series: the latest, as known on a date, or as first held.

    Rows: series, period, value, unit, multiplier (power of ten), value_text (as published), status, known_from, precision,
    basis, vintage, edition, next_known_from (of the next vintage held), gap (nobody looked between the vintage used and the
    next one, so the public may have known another), ambiguous (the date asked lies inside an imprecise stamp). `period` is one
    period or A:B.

    An explicit edition is frozen at its birth. Without one, readings that only confirmed what the newest edition says count
    at once, so that `gap` may be false here and true for the same edition by its number. A series that was in several parts
    is answered by the one that holds it at that moment, of several by the one that was read last; at one moment, by the last
    in the order of names. Raises UsageError for an unknown series, date, period or edition.
    """
    if first and as_of is not None:
        raise UsageError("--first and --as-of exclude each other", next_step="ask for one of them")
    start, end = clock.parse_periods(period)
    known = clock.parse_as_of(as_of) if as_of is not None else None
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        asked = [find(connection, name, at) for name in series]
        rows: list[Row] = []
        for group in _together(asked):
            behind = line_of(warehouse, connection, group[0], at)
            if first:
                chosen = {row["vintage_id"]: _Chosen(row, None, False, False) for row in behind.vintages}
            else:
                frozen = at if edition is not None else None
                one = _choose(connection, behind, known, frozen)
                chosen = {one.vintage["vintage_id"]: one} if one is not None else {}
            cells = _cells(warehouse, [item.vintage for item in chosen.values()], group, start, end)
            if first:
                cells = _first_held(cells, behind.vintages)
            units = _units(warehouse, [item.vintage for item in chosen.values()], group)
            rows += [_answer(cell, chosen[cell["vintage_id"]], units, group[0].dataset, at) for cell in cells]
    order = {name: position for position, name in enumerate(series)}
    return sorted(rows, key=lambda row: (order[row["series"]], row["period"]))


def vintages(
    warehouse: Warehouse, series: str, *, period: str | None = None, edition: int | str | None = None
) -> list[Row]:
    """Every vintage held of a series, oldest first, and the value of each period asked for in each of them.

    Rows: series, known_from, precision, basis, stamp, vintage, batch, edition, and with `period` also period, value,
    value_text, status, changed (differs from the vintage before); without it the number of the part's observations. A vintage
    that holds no observation of the period has value None. A series that was in several parts: of each part the vintages that
    hold it, and those with which it ceased to be held.
    """
    start, end = clock.parse_periods(period)
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        asked = find(connection, series, at)
        visible = line_of(warehouse, connection, asked, at).told()
    base = [
        {
            "series": asked.name,
            "known_from": row["known_from"],
            "precision": row["precision"],
            "basis": row["basis"],
            "stamp": row["stamp"],
            "vintage": row["vintage_id"],
            "batch": row["batch_id"],
            "edition": at,
        }
        for row in visible
    ]
    if period is None:
        return [
            {**told, "part_observations": row["observations"], "revised": row["revised"], "added": row["added"]}
            for told, row in zip(base, visible, strict=True)
        ]
    cells = _cells(warehouse, visible, [asked], start, end)
    held = {(cell["vintage_id"], cell["period"]): cell for cell in cells}
    rows: list[Row] = []
    for wanted in sorted({cell["period"] for cell in cells}):
        before: Row | None = None
        for told in base:
            cell = held.get((told["vintage"], wanted))
            now = {name: cell[name] if cell else None for name in ("value", "value_text", "status")}
            changed = before is not None and (now["value"], now["status"]) != (before["value"], before["status"])
            rows.append({**told, "period": wanted, **now, "changed": changed})
            before = now
    return rows


def series(warehouse: Warehouse, dataset: str | None = None) -> list[Row]:
    """Every series held in the newest vintages: series, part, label, entity, unit, multiplier, first, last, observations.

    Of several parts that hold a series, the one that answers for it.
    """
    with warehouse.engine.connect() as connection:
        newest = line.newest(connection, dataset)
    if not newest:
        raise UsageError(
            f"nothing is held of '{dataset or 'any dataset'}'", next_step="`figurekeeper status` shows what is held"
        )
    files = {
        name: sorted({str(warehouse.path(row[f"{name}_file"])) for row in newest})
        for name in ("series", "observations")
    }
    query = f"""
        select s.dataset || ':' || s.series_key as series, s.part, s.label, s.entity, s.unit, s.multiplier,
               min(o.period) as first, max(o.period) as last, count(o.period) as observations, s.vintage_id
        from read_parquet(?) s left join (select * from read_parquet(?) where {_FILLED}) o
            on o.vintage_id = s.vintage_id and o.series_key = s.series_key
        where s.vintage_id in (select unnest(?))
        group by all order by series"""
    names = ("series", "part", "label", "entity", "unit", "multiplier", "first", "last", "observations")
    states = {row["vintage_id"]: row for row in newest}
    with scratch() as database:
        rows = database.execute(query, [files["series"], files["observations"], list(states)]).fetchall()
    held: dict[str, dict[str, Row]] = defaultdict(dict)
    for *told, vintage_id in rows:
        held[told[0]][vintage_id] = dict(zip(names, told, strict=True))
    with warehouse.engine.connect() as connection:
        return [
            found[_read_last(connection, [states[name] for name in found], None, None)["vintage_id"]]
            for found in held.values()
        ]


def _together(asked: Sequence[Asked]) -> list[list[Asked]]:
    """The series of one part together; each that was in several parts alone, since it has a line of its own."""
    groups: dict[tuple[str, ...], list[Asked]] = defaultdict(list)
    for item in asked:
        alone = (item.key,) if len(item.parts) > 1 else ()
        groups[item.dataset, *item.parts, *alone].append(item)
    return list(groups.values())


def line_of(warehouse: Warehouse, connection: Connection, asked: Asked, edition: int) -> Line:
    """The vintages behind a series in an edition, over all its parts."""
    lines = [line.visible(connection, asked.dataset, part, edition=edition) for part in asked.parts]
    if len(lines) == 1:
        return Line(lines[0])
    if not any(lines):
        return Line([])
    holding = _holding(warehouse, [row for rows in lines for row in rows], asked.key)
    held = [row for rows in lines for row in rows if row["vintage_id"] in holding]
    steps = [step for rows in lines for step in pairwise(rows)]
    gone = [row for before, row in steps if before["vintage_id"] in holding and row["vintage_id"] not in holding]
    in_order = sorted([*held, *gone], key=lambda row: (row["known_from"], *line.order_of(row)))
    return Line(in_order, frozenset(row["vintage_id"] for row in gone))


def _holding(warehouse: Warehouse, vintages: Sequence[Mapping[str, Any]], key: str) -> set[str]:
    """Which of some vintages hold a series."""
    files = sorted({str(warehouse.path(row["series_file"])) for row in vintages})
    with scratch() as database:
        rows = database.execute("select vintage_id from read_parquet(?) where series_key = ?", [files, key]).fetchall()
    return {vintage_id for (vintage_id,) in rows}


def _choose(connection: Connection, behind: Line, known: datetime | None, edition: int | None) -> _Chosen | None:
    """The vintage known at an instant (None: at all), and how sure one can be of that."""
    limit = clock.to_text(known) if known is not None else None
    states = {row["part"]: row for row in behind.vintages if limit is None or row["known_from"] <= limit}
    holding = [row for row in states.values() if row["vintage_id"] not in behind.gone]
    if not holding:
        return None
    vintage = _read_last(connection, holding, limit, edition)
    if known is None or limit is None:
        return _Chosen(vintage, None, False, False)
    after = next((row for row in behind.vintages if row["known_from"] > limit), None)
    until = line.order_of(after) if after is not None else None
    looked = line.looked_between(connection, vintage["dataset"], vintage["part"], limit, until, edition=edition)
    ambiguous = any(_inside_stamp(row, known) for row in (vintage, after) if row is not None)
    return _Chosen(vintage, after["known_from"] if after is not None else None, not looked, ambiguous)


def _read_last(
    connection: Connection, states: Sequence[Mapping[str, Any]], limit: str | None, edition: int | None
) -> Mapping[str, Any]:
    """Of the states of several parts the one that was read last up to an instant, by readings that count."""
    if len(states) == 1:
        return states[0]

    def read(row: Mapping[str, Any]) -> tuple[str, str]:
        looked = line.last_look(connection, row["dataset"], row["part"], until=limit, edition=edition)
        return max(row["known_from"], looked or ""), row["part"]

    return max(states, key=read)


def _inside_stamp(vintage: Mapping[str, Any], known: datetime) -> bool:
    end = clock.from_text(vintage["known_from"])
    return end - _IMPRECISION[Precision(vintage["precision"])] < known < end


def _cells(
    warehouse: Warehouse,
    chosen: Sequence[Mapping[str, Any]],
    asked: Sequence[Asked],
    start: str | None,
    end: str | None,
) -> list[Row]:
    """The observations of some series in some vintages: a read of exactly those files."""
    if not chosen:
        return []
    files = sorted({str(warehouse.path(row["observations_file"])) for row in chosen})
    bounds = ""
    parameters: list[Any] = [files, [item.key for item in asked], [row["vintage_id"] for row in chosen]]
    for bound, sign in ((start, ">="), (end, "<=")):
        if bound is not None:
            bounds += f" and period_start {sign} ?"
            parameters.append(clock.period_start(bound) if sign == ">=" else clock.period_end(bound))
    with scratch() as connection:
        rows = connection.execute(
            f"select {_VALUE_COLUMNS} from read_parquet(?) where series_key in (select unnest(?))"
            f" and vintage_id in (select unnest(?)) and {_FILLED}{bounds}",
            parameters,
        ).fetchall()
    names = _VALUE_COLUMNS.split(", ")
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    # A year is no answer to a question about one of its quarters.
    return [cell for cell in cells if end is None or clock.period_end(cell["period"]) <= clock.period_end(end)]


def _first_held(cells: Sequence[Row], visible: Sequence[Mapping[str, Any]]) -> list[Row]:
    position = {row["vintage_id"]: number for number, row in enumerate(visible)}
    earliest: dict[tuple[str, str], Row] = {}
    for cell in sorted(cells, key=lambda cell: position[cell["vintage_id"]]):
        if cell["value"] is not None:
            earliest.setdefault((cell["series_key"], cell["period"]), cell)
    return list(earliest.values())


def _units(
    warehouse: Warehouse, chosen: Sequence[Mapping[str, Any]], asked: Sequence[Asked]
) -> dict[tuple[str, str], tuple[str, int]]:
    """(vintage, series) → unit and multiplier, as that vintage defined them."""
    if not chosen:
        return {}
    files = sorted({str(warehouse.path(row["series_file"])) for row in chosen})
    with scratch() as connection:
        rows = connection.execute(
            "select vintage_id, series_key, unit, multiplier from read_parquet(?)"
            " where series_key in (select unnest(?)) and vintage_id in (select unnest(?))",
            [files, [item.key for item in asked], [row["vintage_id"] for row in chosen]],
        ).fetchall()
    return {(vintage, key): (unit, multiplier) for vintage, key, unit, multiplier in rows}


def _answer(cell: Row, chosen: _Chosen, units: dict[tuple[str, str], tuple[str, int]], dataset: str, at: int) -> Row:
    vintage = chosen.vintage
    unit, multiplier = units[cell["vintage_id"], cell["series_key"]]
    return {
        "series": f"{dataset}:{cell['series_key']}",
        "period": cell["period"],
        "value": cell["value"],
        "unit": unit,
        "multiplier": multiplier,
        "value_text": cell["value_text"],
        "status": cell["status"],
        "known_from": vintage["known_from"],
        "precision": vintage["precision"],
        "basis": vintage["basis"],
        "vintage": vintage["vintage_id"],
        "edition": at,
        "next_known_from": chosen.next_known_from,
        "gap": chosen.gap,
        "ambiguous": chosen.ambiguous,
    }
