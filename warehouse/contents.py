"""The rows of a vintage: reading them from its files, laying a partial reading over them, writing them where they belong.

Belongs here: tables in, tables out. Which vintage stands where is in warehouse/line.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse import clock
from warehouse.schema import OBSERVATIONS, PARSED, SERIES, Scope
from warehouse.scratch import scratch
from warehouse.tables import SERIES_STORED, TABLES, write_vintage

if TYPE_CHECKING:
    from warehouse.store import Warehouse


#: How many vintages of at most so many bytes are kept at hand for a warehouse.
_RECENT, _SMALL = 40, 4 << 20
_recent: WeakKeyDictionary[Warehouse, dict[str, Content]] = WeakKeyDictionary()


class Content(NamedTuple):
    """What a reading or a vintage says: observations (schema PARSED) and series (schema SERIES)."""

    observations: pa.Table
    series: pa.Table

    @property
    def filled(self) -> int:
        """Observations with a value or a flag; the empty cells of a provider's grid are none."""
        valued = pc.is_valid(self.observations.column("value"))
        return int(pc.sum(pc.or_(valued, pc.not_equal(self.observations.column("status"), ""))).as_py() or 0)

    @property
    def valued(self) -> int:
        """Observations with a value."""
        values = self.observations.column("value")
        return len(values) - int(values.null_count)


def read_vintage(warehouse: Warehouse, row: Mapping[str, Any]) -> Content:
    """The rows of a vintage, from a row of `vintages`; its files may hold others, too."""
    return _read(warehouse, row, [("vintage_id", "=", row["vintage_id"])])


def held(warehouse: Warehouse, row: Mapping[str, Any]) -> Content:
    """As read_vintage, for those who stage and publish: the last few small vintages of a process are at hand."""
    known = _recent.setdefault(warehouse, {})
    content = known.pop(row["vintage_id"], None) or read_vintage(warehouse, row)
    _keep(known, row["vintage_id"], content)
    return content


def _keep(known: dict[str, Content], vintage_id: str, content: Content) -> None:
    if content.observations.nbytes + content.series.nbytes <= _SMALL:
        known[vintage_id] = content
        while len(known) > _RECENT:
            del known[next(iter(known))]


def read_rows(warehouse: Warehouse, reading: Mapping[str, Any]) -> Content:
    """The rows of a partial reading alone, from a row of `readings`."""
    return _read(warehouse, reading, None)


def _read(warehouse: Warehouse, row: Mapping[str, Any], only: list[tuple[str, str, str]] | None) -> Content:
    observations, series = (
        pq.read_table(warehouse.path(row[f"{name}_file"]), columns=schema.names, filters=only, partitioning=None)
        for name, schema in (("observations", PARSED), ("series", SERIES))
    )
    return Content(observations.cast(PARSED), series.cast(SERIES))


def scope_of(told: Mapping[str, Any]) -> Scope:
    """A scope from the ledger."""
    entities = tuple(told["entities"]) if told["entities"] is not None else None
    return Scope(told["start"], told["end"], entities)


def told_scope(scope: Scope) -> dict[str, Any]:
    """A scope for the ledger."""
    entities = list(scope.entities) if scope.entities is not None else None
    return {"start": scope.start, "end": scope.end, "entities": entities}


def inside(content: Content, scope: Scope) -> Content:
    """The rows that lie inside a scope."""
    if scope.complete:
        return content
    with scratch() as connection:
        _register(connection, "old", content)
        rows = connection.sql(f"select * from old where {_inside(connection, scope)} order by series_key, period")
        observations = rows.to_arrow_table().cast(PARSED)
        named = connection.sql("select * from old_series order by series_key").to_arrow_table().cast(SERIES)
    kept = pc.is_in(named.column("series_key"), value_set=observations.column("series_key").combine_chunks().unique())
    return Content(observations, named.filter(kept))


def overlaid(base: Content, partial: Content, scope: Scope) -> Content:
    """A partial reading over the state before it: inside its scope it replaces, outside nothing is concluded."""
    if scope.complete:
        return partial
    with scratch() as connection:
        _register(connection, "old", base)
        _register(connection, "new", partial)
        merged = connection.sql(
            f"select * from old where not ({_inside(connection, scope)}) and not exists"
            " (select 1 from new where new.series_key = old.series_key and new.period = old.period)"
            " union all select * from new order by series_key, period"
        ).to_arrow_table()
        series = connection.sql(
            "select * from new_series union all select * from old_series "
            "where series_key not in (select series_key from new_series) order by series_key"
        ).to_arrow_table()
    return Content(merged.cast(PARSED), series.cast(SERIES))


def _register(connection: duckdb.DuckDBPyConnection, name: str, content: Content) -> None:
    connection.register(name, content.observations)
    connection.register(f"{name}_series", content.series)


def _inside(connection: duckdb.DuckDBPyConnection, scope: Scope) -> str:
    """Whether a row of `old` lies inside a scope, as SQL."""
    bounds = ["true"]
    if scope.start is not None:
        bounds.append(f"period_start >= date '{clock.period_start(scope.start)}'")
    if scope.end is not None:
        bounds.append(f"period_start <= date '{clock.period_end(scope.end)}'")
    if scope.entities is not None:
        connection.register("wanted", pa.table({"entity": pa.array(scope.entities, pa.string())}))
        bounds.append("series_key in (select series_key from old_series where entity in (select entity from wanted))")
    return " and ".join(bounds)


def file_name(table: str, dataset: str, part: str, name: str, batch_id: str) -> str:
    """Where a file of a part lies; the batch tells those of a dead writer from others."""
    return f"tables/{table}/data/{dataset}/{part}/{name}-{batch_suffix(batch_id)}.parquet"


def batch_suffix(batch_id: str) -> str:
    """What tells a batch's files from those of others: its id without the dataset."""
    return batch_id.rsplit("@", 1)[-1]


def write(warehouse: Warehouse, row: Mapping[str, Any], content: Content) -> None:
    """Write the files of a vintage, durably; `row` is its row of `vintages`."""
    place = {name: row[name] for name in ("dataset", "part", "vintage_id")}
    place["known_from"] = clock.from_text(row["known_from"])
    for name, table, schema in zip(TABLES, content, (OBSERVATIONS, SERIES_STORED), strict=True):
        write_vintage(warehouse.storage, row[f"{name}_file"], _placed(table, place, schema))
    _keep(_recent.setdefault(warehouse, {}), row["vintage_id"], Content(*content))


def write_rows(warehouse: Warehouse, row: Mapping[str, Any], content: Content) -> None:
    """Write the rows of a partial reading as they were read; `row` is its row of `readings`."""
    for name, table in zip(TABLES, content, strict=True):
        write_vintage(warehouse.storage, row[f"{name}_file"], table)


def _placed(table: pa.Table, place: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """The table with constant columns that say where its rows belong."""
    columns = {
        name: pa.repeat(pa.scalar(place[name], schema.field(name).type), table.num_rows)
        if name in place and name not in table.column_names
        else table.column(name)
        for name in schema.names
    }
    return pa.table(columns, schema=schema)
