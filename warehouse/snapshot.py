"""The analysts' file: a read-only indicators.duckdb beside the tables, written anew after each run and renamed into place.

It holds the current values as a table, every visible vintage as views over the Parquet files, and a comment on every column;
an open connection keeps the old file and neither stops a refresh nor sees half of one. Nothing is stored here that the tables
do not hold.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from sqlalchemy.engine import RowMapping

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.files import replacing
from warehouse.lineage import batches, datasets
from warehouse.store import Warehouse

_COMMENTS = {
    "series": "dataset:key, the provider's own key in its own dimension order",
    "dataset": "what one refresh fetches",
    "part": "what is fetched, changes and is judged together",
    "series_key": "the provider's key",
    "label": "what the series is",
    "entity": "the provider's area code",
    "dimensions": "JSON object of the key's dimensions",
    "period": "SDMX period: 2017, 2017-Q3, 2017-05",
    "period_start": "first day of the period",
    "value": "as published, in unit times ten to the power of multiplier",
    "value_text": "the published string",
    "status": "the provider's flags in order, joined by ;",
    "unit": "unit of value",
    "multiplier": "power of ten: 6 means millions",
    "decimals": "published digits, where stated",
    "frequency": "A, Q or M",
    "price_base": "price base, where there is one",
    "reference_year": "reference year of prices",
    "notes": "definition notes",
    "known_from": "from when the public could know the vintage, UTC",
    "precision": "how exact known_from is: instant, day, month",
    "basis": "whose word it is: publisher, archive, captured, carried",
    "stamp": "the publisher's stamp as given",
    "vintage_id": "the vintage",
    "vintage": "the vintage",
    "edition": "the edition of this file",
    "batch_id": "the refresh that brought it",
    "fetched_at": "when it was fetched, UTC",
    "revised": "cells revised against the vintage before",
    "added": "cells added",
    "withdrawn": "cells withdrawn",
    "observations": "number of observations",
    "sha256": "of its last payload",
}
_FILLED = "(o.value is not null or o.value_text is not null or o.status <> '')"


def write(warehouse: Warehouse) -> Path:
    """Write indicators.duckdb for the newest edition and swap it in; returns its path."""
    path = warehouse.root / "indicators.duckdb"
    with warehouse.engine.connect() as connection:
        edition = warehouse.edition(connection)
        visible = warehouse.visible(connection)
    with replacing(path) as temporary, duckdb.connect(str(temporary)) as database:
        database.register("given", _vintages(visible))
        database.execute("create table vintages as select * from given")
        database.unregister("given")
        _views(warehouse, database, visible)
        _current(database, edition)
        for name, rows in (("datasets", datasets(warehouse)), ("batches", batches(warehouse, limit=1000))):
            if rows:
                database.register("given", pa.Table.from_pylist(rows))
                database.execute(f"create table {name} as select * from given")
                database.unregister("given")
        stamp = clock.to_text(clock.now())
        database.execute("create table edition as select ? as edition, ? as profile, ? as written_at",
                         [edition, warehouse.profile, stamp])  # fmt: skip
        _comment(database)
    return path


def connect(warehouse: Warehouse) -> duckdb.DuckDBPyConnection:
    """A connection that reads indicators.duckdb as it is now, even where the process holds an older one open.

    DuckDB shares one instance a path within a process: a plain `duckdb.connect` beside a connection that is still open would
    silently answer from the file that was replaced. Attaching to a new instance does not. Raises UsageError when none was
    written yet.
    """
    path = warehouse.root / "indicators.duckdb"
    if not path.exists():
        raise UsageError(f"there is no {path}", next_step="run a refresh; the file is written after each")
    connection = duckdb.connect()
    connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as indicators (read_only)")
    connection.execute("use indicators")
    return connection


def _vintages(visible: list[RowMapping]) -> pa.Table:
    names = (
        "vintage_id", "dataset", "part", "known_from", "precision", "basis", "stamp", "fetched_at", "batch_id", "sha256",
        "observations", "series", "revised", "added", "withdrawn",
    )  # fmt: skip
    numbers = {"observations", "series", "revised", "added", "withdrawn"}
    columns = {
        name: pa.array([row[name] for row in visible], pa.int64() if name in numbers else pa.string()) for name in names
    }
    return pa.table(columns)


def _views(warehouse: Warehouse, database: duckdb.DuckDBPyConnection, visible: list[RowMapping]) -> None:
    """Views over exactly the visible files; empty tables of the same shape before the first publish."""
    from warehouse.schema import OBSERVATIONS
    from warehouse.tables import SERIES_STORED

    for name, schema in (("observations", OBSERVATIONS), ("series", SERIES_STORED)):
        files = ", ".join("'" + str(warehouse.path(row[f"{name}_file"])).replace("'", "''") + "'" for row in visible)
        if files:
            database.execute(f"create view {name} as select * from read_parquet([{files}])")
        else:
            database.register("given", schema.empty_table())
            database.execute(f"create table {name} as select * from given")
            database.unregister("given")


def _current(database: duckdb.DuckDBPyConnection, edition: int) -> None:
    """The newest vintage of each part, with what its series mean; and the same for any day, as a macro."""
    columns = f"""
        o.dataset || ':' || o.series_key as series, o.dataset, o.part, o.series_key, s.label, s.entity, o.period,
        o.period_start, o.value, o.value_text, o.status, s.unit, s.multiplier, o.known_from, v."precision", v.basis,
        o.vintage_id as vintage, {edition} as edition
        from observations o
        join vintages v on v.vintage_id = o.vintage_id
        join series s on s.vintage_id = o.vintage_id and s.series_key = o.series_key
        where {_FILLED} and o.vintage_id in """
    newest = "(select arg_max(vintage_id, (known_from, fetched_at, sha256)) from vintages{} group by dataset, part)"
    database.execute(f'create table "current" as select {columns} {newest.format("")} order by series, period')
    database.execute(
        f"create macro as_of(day) as table select {columns} "
        + newest.format(" where known_from::timestamptz < day::date + interval 1 day")
    )


def _comment(database: duckdb.DuckDBPyConnection) -> None:
    kinds = database.execute("select table_name, table_type from information_schema.tables").fetchall()
    tables = {name for name, kind in kinds if kind == "BASE TABLE"}
    rows = database.execute("select table_name, column_name from information_schema.columns").fetchall()
    for table, column in rows:
        if table in tables and column in _COMMENTS:
            text = _COMMENTS[column].replace("'", "''")
            database.execute(f"""comment on column "{table}"."{column}" is '{text}'""")
