"""The analysts' file: a read-only indicators.duckdb beside the tables, written anew after each run and renamed into place.

It holds the current values as a table, every visible vintage as views over the Parquet files, and a comment on every column;
an open connection keeps the old file and neither stops a refresh nor sees half of one. Nothing is stored here that the tables
do not hold.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from sqlalchemy import select

from warehouse import clock, ledger, line
from warehouse.cells import Equality
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
    "url": "the request",
    "method": "HTTP method of the request",
    "number": "order of the answers of a batch",
    "payload_sha256": "sha256 of the answer; figurekeeper payload SHA256 prints it",
    "decision": "what became of the last batch, or of this one",
    "message": "the decision in words",
    "batch": "the refresh",
    "failed": "rules that failed",
    "can": "what a person may decide",
    "actor": "who or what decided",
    "at": "when it was decided, UTC",
    "title": "what the dataset is",
    "title_zh": "the same in Chinese",
    "revisions": "cells revised between neighbouring vintages, as counted when they were published",
    "vintages": "vintages held",
    "last_refresh": "when everything was last asked for as of now, UTC",
    "stale": "no good refresh for longer than the calendar allows",
    "licence": "the publisher's terms",
    "citation": "how to cite the publisher",
    "profile": "sandbox, live or synthetic",
    "written_at": "when this file was written, UTC",
    "old": "value in the vintage before",
    "new": "value in this vintage",
    "kind": "revision, first value, withdrawal",
    "before": "the vintage before",
    "batch_id": "the refresh that brought it",
    "fetched_at": "when it was fetched, UTC",
    "revised": "cells revised against the vintage before",
    "added": "cells added",
    "withdrawn": "cells withdrawn",
    "status_changed": "cells of which the flags alone changed",
    "same_within": "values that differ by no more are the same number",
    "same_within_relative": "and those that differ by no more of the old value",
    "same_by_digits": "and those that are one number printed with fewer and more digits",
    "place": "when the reading that opened the vintage stands in known order, UTC",
    "predecessor_id": "the vintage before",
    "observations": "number of observations",
    "sha256": "of its last payload",
}
#: Questions as views. In `revisions`, `tolerance` says of each vintage when two values are the same number.
_VIEWS = (
    """create view first_held as
    select o.dataset || ':' || o.series_key as series, o.period, arg_min(o.value, (v.known_from, v.place)) as value,
           min(v.known_from) as known_from, arg_min(o.vintage_id, (v.known_from, v.place)) as vintage
    from observations o join vintages v on v.vintage_id = o.vintage_id where o.value is not null group by all""",
    """create macro half_unit(a, b) as (case
        when regexp_full_match(a, '-?[0-9]+([.][0-9]+)?') and regexp_full_match(b, '-?[0-9]+([.][0-9]+)?')
         and least(length(ltrim(regexp_replace(a, '[-.]', '', 'g'), '0')),
                   length(ltrim(regexp_replace(b, '[-.]', '', 'g'), '0'))) >= 6
        then (0.5 + 5e-10) * pow(10, -least(length(split_part(a, '.', 2)), length(split_part(b, '.', 2)))) else 0 end)""",
    """create view revisions as
    with steps as (select * from vintages where predecessor_id is not null),
    cells as (
        select s.vintage_id, n.dataset, n.series_key, n.period, n.value as new, n.value_text as new_text,
               null as old, null as old_text
        from steps s join observations n on n.vintage_id = s.vintage_id where n.value is not null
        union all
        select s.vintage_id, o.dataset, o.series_key, o.period, null, null, o.value, o.value_text
        from steps s join observations o on o.vintage_id = s.predecessor_id where o.value is not null
    ), pairs as (
        select vintage_id, dataset, series_key, period, any_value(old) as old, any_value(new) as new,
               any_value(old_text) as old_text, any_value(new_text) as new_text
        from cells group by all
    )
    select p.dataset || ':' || series_key as series, period,
           case when old is null then 'first value' when new is null then 'withdrawal' else 'revision' end as kind,
           old, new, known_from, vintage_id as vintage, predecessor_id as before
    from pairs p join steps s using (vintage_id)
    where old is null or new is null or abs(new - old) > greatest(
        s.same_within, s.same_within_relative * abs(old),
        case when s.same_by_digits then half_unit(old_text, new_text) else 0 end)""",
    """create view lineage as
    select c.series, c.period, c.value, c.vintage, c.known_from, v.batch_id, p.number, p.method, p.url, p.status,
           p.fetched_at, p.sha256 as payload_sha256
    from "current" c join vintages v on v.vintage_id = c.vintage
    join payloads p on p.batch_id = v.batch_id and p.part = v.part""",
)
_FILLED = "(o.value is not null or o.value_text is not null or o.status <> '')"


def write(warehouse: Warehouse) -> Path:
    """Write indicators.duckdb for the newest edition and swap it in; returns its path."""
    path = warehouse.root / "indicators.duckdb"
    with warehouse.engine.connect() as connection:
        edition = line.newest_edition(connection)
        visible = line.visible(connection, edition=edition)
        rules = {part: line.equality(connection, *part) for part in {(row["dataset"], row["part"]) for row in visible}}
    for left in warehouse.root.glob(f".{path.name}.*"):  # by a process that was killed while it wrote
        left.unlink(missing_ok=True)
    with replacing(path) as temporary, duckdb.connect(str(temporary)) as database:
        database.register("given", _vintages(visible, rules))
        database.execute("create table vintages as select * from given")
        database.unregister("given")
        _views(warehouse, database, visible)
        _current(database, edition)
        database.register("given", _payloads(warehouse, visible))
        database.execute("create table payloads as select * from given")
        database.unregister("given")
        for view in _VIEWS:
            database.execute(view)
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


def _vintages(visible: list[line.Row], rules: dict[tuple[str, str], Equality]) -> pa.Table:
    names = (
        "vintage_id", "dataset", "part", "known_from", "precision", "basis", "stamp", "place", "fetched_at", "batch_id",
        "sha256", "predecessor_id", "observations", "series", "revised", "added", "withdrawn", "status_changed",
    )  # fmt: skip
    numbers = {"observations", "series", "revised", "added", "withdrawn", "status_changed"}
    columns = {
        name: pa.array([row[name] for row in visible], pa.int64() if name in numbers else pa.string()) for name in names
    }
    said = [rules[row["dataset"], row["part"]] for row in visible]
    columns["same_within"] = pa.array([rule.absolute for rule in said], pa.float64())
    columns["same_within_relative"] = pa.array([rule.relative for rule in said], pa.float64())
    columns["same_by_digits"] = pa.array([rule.by_digits for rule in said], pa.bool_())
    return pa.table(columns)


def _payloads(warehouse: Warehouse, visible: list[line.Row]) -> pa.Table:
    """The answers from which visible vintages were read."""
    shown = {(row["batch_id"], row["part"]) for row in visible}
    names = ("batch_id", "part", "number", "method", "url", "status", "fetched_at", "sha256")
    query = select(*(ledger.payloads.c[name] for name in names))
    with warehouse.engine.connect() as connection:
        found = connection.execute(query.where(ledger.payloads.c.part.is_not(None))).mappings().all()
    rows = [dict(row) for row in found if (row["batch_id"], row["part"]) in shown]
    kinds = {"number": pa.int64(), "status": pa.int64()}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)


def _views(warehouse: Warehouse, database: duckdb.DuckDBPyConnection, visible: list[line.Row]) -> None:
    """Views over exactly the visible files; empty tables of the same shape before the first publish."""
    from warehouse.schema import OBSERVATIONS
    from warehouse.tables import SERIES_STORED

    for name, schema in (("observations", OBSERVATIONS), ("series", SERIES_STORED)):
        paths = sorted({str(warehouse.path(row[f"{name}_file"])).replace("'", "''") for row in visible})
        if paths:
            files = ", ".join(f"'{path}'" for path in paths)
            standing = "where vintage_id in (select vintage_id from vintages)"
            database.execute(f"create view {name} as select * from read_parquet([{files}]) {standing}")
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
    newest = (
        "(select arg_max(vintage_id, (known_from, place, fetched_at, sha256)) from vintages{} group by dataset, part)"
    )
    database.execute(f'create table "current" as select {columns} {newest.format("")} order by series, period')
    # Texts are compared, not timestamps: an analyst's session may be in any time zone.
    database.execute(
        f"create macro as_of(day) as table select {columns} "
        + newest.format(" where known_from < strftime(day::date + interval 1 day, '%Y-%m-%d')")
    )


def _comment(database: duckdb.DuckDBPyConnection) -> None:
    """Say of every column what it is; a column nobody has described is a mistake of ours."""
    rows = database.execute(
        "select table_name, column_name from duckdb_columns() where not internal and database_name = current_database()"
    ).fetchall()
    for table, column in rows:
        text = _COMMENTS[column].replace("'", "''")
        database.execute(f"""comment on column "{table}"."{column}" is '{text}'""")
