"""The analysts' file: a read-only indicators.duckdb beside the tables, written anew after each run and renamed into place.

It holds the current values as a table, the readings that count, every visible vintage as views over the Parquet files, the
verdicts on papers (papers/tables), and a comment on every column; an open connection keeps the old file and neither stops a
refresh nor sees half of one. Nothing is stored here that the tables do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlalchemy import select

from warehouse import clock, ledger, line
from warehouse.cells import Equality
from warehouse.errors import UsageError
from warehouse.files import replacing
from warehouse.lineage import batches, datasets
from warehouse.papers import tables
from warehouse.papers.asking import Answers
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
    "precision": "how exact known_from is: instant, day, month, year",
    "basis": "whose word it is: publisher, archive, captured, carried",
    "stamp": "the publisher's stamp as given",
    "vintage_id": "the vintage",
    "vintage": "the vintage",
    "edition": "the edition of this file; readings that only confirmed it count too, unlike in an answer for its number",
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
    "kind": "as figurekeeper revisions says it, but for rebasing, redefinition and correction of ours, which need more than SQL: "
    "such cells are a revision, break, first value, ... here, and a redefinition has no row of its own without a period",
    "weight": "visible, or below display: the change cannot be seen in the published digits",
    "old_status": "flags in the vintage before; null: it had no such row",
    "new_status": "flags in this vintage; null: it has no such row",
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
    "scope_from": "first day asked for; of a complete read all three of scope_ are null",
    "scope_to": "last day asked for",
    "scope_entities": "areas asked for; what lies outside the scope is of the vintage before",
}
#: Questions as views. `lineage` leads to the reading in whose scope a cell lies, as the verb does.
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
    "create macro flags(s) as (case when coalesce(s, '') = 'A' then '' else coalesce(s, '') end)",
    "create macro broken(s) as list_contains(string_split(coalesce(s, ''), ';'), 'B')",
    """create view revisions as
    with places as (
        select *, row_number() over (partition by dataset, part order by place, fetched_at, sha256) as position from vintages
    ), steps as (select * from places where predecessor_id is not null),
    held as (
        select v.dataset, v.part, series_key, period, min(position) as first
        from observations o join places v using (vintage_id) where value is not null group by all
    ), cells as (
        select s.vintage_id, true as after, series_key, period, value, value_text, status
        from steps s join observations o on o.vintage_id = s.vintage_id
        union all
        select s.vintage_id, false, series_key, period, value, value_text, status
        from steps s join observations o on o.vintage_id = s.predecessor_id
    ), pairs as (
        select vintage_id, series_key, period, any_value(value) filter (not after) as old, any_value(value) filter (after) as new,
               any_value(value_text) filter (not after) as old_text, any_value(value_text) filter (after) as new_text,
               any_value(status) filter (not after) as old_status, any_value(status) filter (after) as new_status
        from cells group by all
    ), judged as (
        select p.*, s.dataset, s.part, s.known_from, s.predecessor_id, s.position,
               bool_or(old is not null) over (partition by vintage_id, series_key) as known,
               (old is null and new is null) or coalesce(new = old or abs(new - old) <= greatest(
                   s.same_within, s.same_within_relative * abs(old),
                   case when s.same_by_digits then half_unit(old_text, new_text) else 0 end), false) as same,
               flags(old_status) <> flags(new_status)
               or (old is null and new is null and coalesce(old_text, '') <> coalesce(new_text, '')) as reflagged
        from pairs p join steps s using (vintage_id)
    )
    select j.dataset || ':' || j.series_key as series, j.period,
           case when old is not null and new is null then 'withdrawal'
                when old is null and new is not null then
                    case when h.first < j.position - 1 then 'reinstatement'
                         when not known then 'coverage' else 'first value' end
                when old_status is not null and broken(new_status) and not broken(old_status) then 'break'
                when same then 'status change' else 'revision' end as kind,
           case when not same and abs(new - old) < 0.5 * pow(10, -m.decimals)
                then 'below display' else 'visible' end as weight,
           old, new, old_status, new_status, j.known_from, j.vintage_id as vintage, j.predecessor_id as before
    from judged j
    left join held h on h.dataset = j.dataset and h.part = j.part and h.series_key = j.series_key and h.period = j.period
    left join series m on m.vintage_id = j.vintage_id and m.series_key = j.series_key
    where not same or reflagged""",
    """create view lineage as
    with recursive steps as (
        select distinct vintage, vintage as origin, 0 as back from "current"
        union all
        select s.vintage, v.predecessor_id, back + 1 from steps s join vintages v on v.vintage_id = s.origin
        where v.predecessor_id is not null
          and (v.scope_from is not null or v.scope_to is not null or v.scope_entities is not null)
    ), origins as (
        select c.series, c.period, c.value, c.vintage, c.known_from, v.batch_id, v.part
        from "current" c join steps s on s.vintage = c.vintage join vintages v on v.vintage_id = s.origin
        where v.predecessor_id is null or (c.period_start >= coalesce(v.scope_from, c.period_start)
          and c.period_start <= coalesce(v.scope_to, c.period_start)
          and coalesce(list_contains(v.scope_entities, c.entity), true))
        qualify row_number() over (partition by c.series, c.period order by s.back) = 1
    )
    select o.series, o.period, o.value, o.vintage, o.known_from, o.batch_id, p.number, p.method, p.url, p.status,
           p.fetched_at, p.sha256 as payload_sha256
    from origins o join payloads p on p.batch_id = o.batch_id and p.part = o.part""",
)
_LOOK = ("dataset", "part", "place", "fetched_at", "batch_id")
_FILLED = "(o.value is not null or o.value_text is not null or o.status <> '')"


def write(warehouse: Warehouse, papers: Answers | None = None) -> Path:
    """Write indicators.duckdb for the newest edition and swap it in; returns its path. `papers`: what is said of them in that
    edition, where it is known already.

    What goes wrong with the papers is raised when all else is written and in its place.
    """
    path = warehouse.root / "indicators.duckdb"
    with warehouse.engine.connect() as connection:
        edition = line.newest_edition(connection)
        visible = line.visible(connection, edition=edition)
        parts = sorted({(row["dataset"], row["part"]) for row in visible})
        rules = {part: line.equality(connection, *part) for part in parts}
        looks = [{name: row[name] for name in _LOOK} for part in parts for row in line.readings(connection, *part)]
    for left in warehouse.root.glob(f".{path.name}.*"):  # by a process that was killed while it wrote
        left.unlink(missing_ok=True)
    with replacing(path) as temporary, duckdb.connect(str(temporary)) as database:
        _create(database, "vintages", _vintages(visible, rules))
        _create(database, "readings", pa.Table.from_pylist(looks, pa.schema([(name, pa.string()) for name in _LOOK])))
        _views(warehouse, database, visible)
        _current(database, edition)
        _create(database, "payloads", _payloads(warehouse, visible))
        for view in _VIEWS:
            database.execute(view)
        for name, rows in (("datasets", datasets(warehouse)), ("batches", batches(warehouse, limit=1000))):
            if rows:
                _create(database, name, pa.Table.from_pylist(rows))
        stamp = clock.to_text(clock.now())
        database.execute("create table edition as select ? as edition, ? as profile, ? as written_at",
                         [edition, warehouse.profile, stamp])  # fmt: skip
        told, failure = _papers(database, warehouse, edition, papers)
        _comment(database, told)
    if failure is not None:
        raise failure
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


def _papers(
    database: duckdb.DuckDBPyConnection, warehouse: Warehouse, edition: int, papers: Answers | None
) -> tuple[dict[tuple[str, str], str], Exception | None]:
    """The tables of the papers, all or none: the comments on their columns, or what went wrong."""
    database.execute("begin")
    try:
        told = tables.write(database, warehouse, edition, papers)
    except Exception as error:
        database.execute("rollback")
        return {}, error
    database.execute("commit")
    return told, None


def _create(database: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    database.register("given", rows)
    database.execute(f"create table {name} as select * from given")
    database.unregister("given")


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
    scopes = [row["scope"] for row in visible]
    starts = [clock.period_start(scope["start"]) if scope["start"] is not None else None for scope in scopes]
    ends = [clock.period_end(scope["end"]) if scope["end"] is not None else None for scope in scopes]
    columns["scope_from"], columns["scope_to"] = pa.array(starts, pa.date32()), pa.array(ends, pa.date32())
    columns["scope_entities"] = pa.array([scope["entities"] for scope in scopes], pa.list_(pa.string()))
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
            _create(database, name, schema.empty_table())


def _current(database: duckdb.DuckDBPyConnection, edition: int) -> None:
    """What each series says now, with what it means; and the same for any day, as a macro.

    A series is answered from the newest vintage of its part; of several parts that hold it, of the one that was read last.
    """
    columns = f"""
        select o.dataset || ':' || o.series_key as series, o.dataset, o.part, o.series_key, s.label, s.entity, o.period,
        o.period_start, o.value, o.value_text, o.status, s.unit, s.multiplier, o.known_from, v."precision", v.basis,
        o.vintage_id as vintage, {edition} as edition
        from observations o
        join answering a on a.vintage_id = o.vintage_id and a.series_key = o.series_key
        join vintages v on v.vintage_id = o.vintage_id
        join series s on s.vintage_id = o.vintage_id and s.series_key = o.series_key
        where {_FILLED}"""
    # Texts are compared, not timestamps: an analyst's session may be in any time zone.
    until = "strftime(day::date + interval 1 day, '%Y-%m-%d')"
    now, then = _answering(), _answering(f"where known_from < {until}", f"where place < {until}")
    database.execute(f'create table "current" as {now} {columns} order by series, period')
    database.execute(f"create macro as_of(day) as table {then} {columns}")


def _answering(known: str = "", read: str = "") -> str:
    """The vintage that answers for each series, as SQL: `known` bounds the vintages, `read` the readings."""
    return f"""
        with newest as (
            select dataset, part, max(known_from) as known_from,
                   arg_max(vintage_id, (known_from, place, fetched_at, sha256)) as vintage_id
            from vintages {known} group by dataset, part
        ), looks as (
            select dataset, part, max(place) as place from readings {read} group by dataset, part
        ), answering as (
            select s.dataset, s.series_key, arg_max(s.vintage_id, (greatest(n.known_from, l.place), n.part)) as vintage_id
            from series s join newest n on n.vintage_id = s.vintage_id
            left join looks l on l.dataset = n.dataset and l.part = n.part group by s.dataset, s.series_key
        )"""


def _comment(database: duckdb.DuckDBPyConnection, told: Mapping[tuple[str, str], str]) -> None:
    """Say of every column what it is, as `told` by its table or else by its name; one that nobody has described is a mistake."""
    rows = database.execute(
        "select table_name, column_name from duckdb_columns() where not internal and database_name = current_database()"
    ).fetchall()
    database.execute("begin")  # one transaction: a commit for each comment would take longer than all else
    for table, column in rows:
        text = (told.get((table, column)) or _COMMENTS[column]).replace("'", "''")
        database.execute(f"""comment on column "{table}"."{column}" is '{text}'""")
    database.execute("commit")
