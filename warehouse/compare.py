"""Comparison of two vintages of one part: what changed, of which kind and weight, and evidence for the gate.

Belongs here: the meaning of "equal" and of every kind of change. The comparison is one DuckDB join; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from warehouse.schema import CHANGES, EVIDENCE, SERIES, Comparison

#: Relative difference below which two values that are no counts are the same number: single-precision noise is 6e-8.
RELATIVE_NOISE = 1e-6
#: A text of so many significant digits may be a shorter print of the other one.
_TRUSTED_DIGITS = 6


@dataclass(frozen=True)
class Equality:
    """When two values of a part are the same number.

    In this order: within `equal_within` of the old value, when the dataset file says so; exact for counts; within half a unit
    of the last of `decimals` published digits, when they are declared; else within 1e-6 of the old value, or half a unit of
    the last digit of the shorter of two texts that carry at least six significant digits (downloads print the same number with
    6 or with 15).
    """

    counts: bool = False
    decimals: int | None = None
    equal_within: float | None = None

    def sql(self) -> str:
        """The tolerance as a DuckDB expression over ov, ot (old value, text) and nt (new text)."""
        if self.equal_within is not None:
            return f"{self.equal_within!r} * abs(ov)"
        if self.counts:
            return "0.0"
        if self.decimals is not None:
            return f"0.5 * pow(10, {-self.decimals}) * (1 + 1e-9)"
        return f"greatest({RELATIVE_NOISE!r} * abs(ov), half_unit(ot, nt))"


_MACROS = f"""
create macro plain(t) as (t is not null and regexp_full_match(t, '-?[0-9]+([.][0-9]+)?'));
create macro digits(t) as length(ltrim(replace(replace(t, '-', ''), '.', ''), '0'));
create macro places(t) as (case when contains(t, '.') then length(t) - strpos(t, '.') else 0 end);
create macro half_unit(a, b) as (case
    when plain(a) and plain(b) and digits(a) >= {_TRUSTED_DIGITS} and digits(b) >= {_TRUSTED_DIGITS}
    then 0.5 * pow(10, -least(places(a), places(b))) * (1 + 1e-9) else 0.0 end);
create macro flags(s) as (case when s is null or s = 'A' then '' else s end);
"""


def _joined(equality: Equality) -> str:
    return f"""
create temp table joined as
with cells as (
    select coalesce(o.series_key, n.series_key) as series_key, coalesce(o.period, n.period) as period,
           o.value as ov, n.value as nv, o.value_text as ot, n.value_text as nt, o.status as os, n.status as ns
    from old o full outer join new n on o.series_key = n.series_key and o.period = n.period
), judged as (
    select *, (ov is null and nv is null) or
           (ov is not null and nv is not null and (ov = nv or abs(nv - ov) <= {equality.sql()})) as same,
           ov is null and nv is null and coalesce(ot, '') <> coalesce(nt, '') as other_absence
    from cells
)
select *, case when ov is null or nv is null or ov = nv then null
               when ov = 0 then 'Infinity'::double else abs(nv - ov) / abs(ov) end as rel_change
from judged
"""


_CHANGES = """
select j.series_key, j.period, ov as old_value, nv as new_value, ot as old_text, nt as new_text,
       os as old_status, ns as new_status,
       case when ov is not null and nv is null then 'withdrawal'
            when ov is null and nv is not null then
                case when b.series_key is not null then 'reinstatement'
                     when k.series_key is null then 'coverage' else 'first value' end
            when not same then 'revision'
            when flags(os) <> flags(ns) or other_absence then 'status change'
            else 'revision' end as kind,
       case when same and flags(os) = flags(ns) and not other_absence then 'noise'
            when not same and ov is not null and nv is not null and s.decimals is not null
                 and abs(nv - ov) < 0.5 * pow(10, -s.decimals) then 'below display'
            else 'visible' end as weight,
       rel_change
from joined j
left join (select distinct series_key from old where value is not null) k on k.series_key = j.series_key
left join before b on b.series_key = j.series_key and b.period = j.period
left join new_series s on s.series_key = j.series_key
where not same or (ov <> nv) or flags(os) <> flags(ns) or other_absence
order by j.series_key, j.period
"""

_EVIDENCE = """
select series_key,
       count(ov) as old_n, count(nv) as new_n,
       count(*) filter (ov is not null and nv is not null) as common_n,
       count(*) filter (ov is not null and nv is not null and not same) as revised_n,
       count(*) filter (ov is null and nv is not null) as added_n,
       count(*) filter (ov is not null and nv is null) as withdrawn_n,
       count(*) filter (same and (flags(os) <> flags(ns) or other_absence)) as status_changed_n,
       count(*) filter ((ov = 0 and nv is null) or (ov is null and nv = 0 and os is not null)) as zero_flips_n,
       count(*) filter (ov <> 0 and nv = 0) as zeroed_n,
       case when count(*) filter (ov = 0) = 0 and count(ov) > 0
            then count(*) filter (ov is null and nv = 0) else 0 end as added_zero_n,
       max(abs(log10(nv / newest))) filter (ov is null and nv / newest > 0) as added_jump,
       max(rel_change) filter (not same and isfinite(rel_change)) as max_rel_change,
       median(rel_change) filter (not same and isfinite(rel_change)) as median_rel_change,
       min(nv / ov) filter (ov <> 0 and nv <> 0) as ratio_min,
       median(nv / ov) filter (ov <> 0 and nv <> 0) as ratio_median,
       max(nv / ov) filter (ov <> 0 and nv <> 0) as ratio_max,
       max(period) filter (ov is not null) as old_last_period,
       max(period) filter (nv is not null) as new_last_period
from (
    select *, arg_max(ov, period) filter (ov is not null) over (partition by series_key) as newest from joined
) group by series_key order by series_key
"""


def compare(
    predecessor_id: str,
    old: pa.Table,
    old_series: pa.Table,
    new: pa.Table,
    new_series: pa.Table,
    equality: Equality,
    older: Sequence[pa.Table] = (),
) -> Comparison:
    """Compare a complete part with its predecessor in known order.

    `old`, `new` and each of `older` (vintages before the predecessor, newest first) have at least the columns of PARSED; the
    series tables those of SERIES. A missing row, and a row without value and flags, are the same: an empty cell. Returns a
    Comparison whose `changes` hold every cell that is not equal to the letter, noise included.
    """
    with duckdb.connect() as connection:
        connection.execute(_MACROS)
        for name, table in (("old", old), ("new", new), ("old_series", old_series), ("new_series", new_series)):
            connection.register(name, table)
        connection.execute("create temp table before (series_key varchar, period varchar)")
        for table in older:
            connection.register("one", table)
            connection.execute("insert into before select series_key, period from one where value is not null")
        connection.execute("create or replace temp table before as select distinct * from before")
        connection.execute(_joined(equality))
        changes = connection.sql(_CHANGES).to_arrow_table().cast(CHANGES)
        evidence = connection.sql(_EVIDENCE).to_arrow_table().cast(EVIDENCE)
        return Comparison(
            predecessor_id=predecessor_id,
            changes=changes,
            evidence=evidence,
            predecessor_equal=_count(connection, "select count(*) from joined where same and ov is not null"),
            older_equal=tuple(_equal_cells(connection, table, equality) for table in older),
            redefined=_redefined(connection),
        )


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    [[count]] = connection.execute(query).fetchall()
    return int(count)


def _equal_cells(connection: duckdb.DuckDBPyConnection, table: pa.Table, equality: Equality) -> int:
    connection.register("one", table)
    return _count(
        connection,
        f"""select count(*) from (
            select o.value as ov, n.value as nv, o.value_text as ot, n.value_text as nt
            from one o join new n on o.series_key = n.series_key and o.period = n.period
            where o.value is not null and n.value is not null
        ) where ov = nv or abs(nv - ov) <= {equality.sql()}""",
    )


def _redefined(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    names = [name for name in SERIES.names if name not in ("series_key", "part")]
    flags = ", ".join(f'o."{name}" is distinct from n."{name}" as "{name}"' for name in names)
    rows = connection.execute(
        f"select o.series_key, {flags} from old_series o join new_series n on o.series_key = n.series_key"
        " order by o.series_key"
    ).fetchall()
    found = {str(row[0]): [name for name, differs in zip(names, row[1:], strict=True) if differs] for row in rows}
    return {key: columns for key, columns in found.items() if columns}
