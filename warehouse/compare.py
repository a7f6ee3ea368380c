"""Comparison of two vintages of one part: what changed, of which kind and weight, and evidence for the gate.

Belongs here: the meaning of every kind and weight of change; what is equal is in warehouse/cells.py. Nothing is stored.

Kinds, the first that fits. `correction of ours`: the same bytes parsed anew. `redefinition`: the numbers of the series mean
something else now, or another series took its place. `withdrawal`, and for a value where there was none `reinstatement` (an
earlier vintage had it), `coverage` (the series had none) or `first value`. `redefinition` again: nearly all values that the part
had moved far, and no factor explains it. `break`: a flag B that was not there. `rebasing`: one factor over the whole series, or
a new price base or reference year. `revision`. `status change`: flags alone, or another kind of absence.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.cells import Equality, equal_cells, side_by_side, tally
from warehouse.errors import UsageError
from warehouse.redefinition import BASE, WORDING, redefinitions
from warehouse.schema import CHANGES, EVIDENCE, PARSED, Comparison

__all__ = ["Equality", "compare", "tally"]

#: A series was rebased when of at least so many common values nearly all moved by one factor that is not 1.
REBASED_CELLS, REBASED_SHARE, REBASED_SPREAD, REBASED_BY = 5, 0.9, 1e-4, 1e-3

#: A part was redefined when of at least so many common values more than this share moved, by a larger median than this.
#: One series alone moves like that for other reasons: a census, an area with other members, an economy's new balance of payments.
REWRITTEN_CELLS, REWRITTEN_SHARE, REWRITTEN_BY = 10, 0.9, 0.2

#: (series key, period) → the number as a table of a paper prints it, in the unit of the series.
Printed = Mapping[tuple[str, str], str]


_MACROS = """
create macro broken(s) as list_contains(string_split(coalesce(s, ''), ';'), 'B');
create macro moved(ov, nv) as (case when ov is null or nv is null or ov = nv then null
    when ov = 0 then 'Infinity'::double else abs(nv - ov) / abs(ov) end);
"""

_FACTORS = f"""
with ratios as (
    select series_key, nv / ov as ratio, median(nv / ov) over (partition by series_key) as middle
    from joined where ov <> 0 and nv <> 0
)
select series_key, any_value(middle) as factor from ratios group by series_key
having count(*) >= {REBASED_CELLS} and abs(factor - 1) > {REBASED_BY}
   and count(*) filter (abs(ratio / middle - 1) < {REBASED_SPREAD}) >= {REBASED_SHARE} * count(*)
"""

_REWRITTEN = f"""
select revised, common, middle from (
    select count(*) as common, count(*) filter (not same) as revised, median(moved(ov, nv)) filter (not same) as middle
    from joined where ov is not null and nv is not null
     and series_key not in (select series_key from factors union all select series_key from meant where meant or based)
) where common >= {REWRITTEN_CELLS} and revised > {REWRITTEN_SHARE} * common and middle > {REWRITTEN_BY}
"""

_CHANGES = f"""
with known as (select distinct series_key from joined where ov is not null)
select j.series_key, j.period, ov as old_value, nv as new_value, ot as old_text, nt as new_text,
       os as old_status, ns as new_status,
       case when $ours then 'correction of ours'
            when m.meant then 'redefinition'
            when ov is not null and nv is null then 'withdrawal'
            when ov is null and nv is not null then
                case when e.series_key is not null then 'reinstatement'
                     when k.series_key is null then 'coverage' else 'first value' end
            when $rewritten and not same and f.factor is null and not coalesce(m.based, false) then 'redefinition'
            when os is not null and broken(ns) and not broken(os) then 'break'
            when same and reflagged then 'status change'
            when abs(nv / ov / f.factor - 1) < {REBASED_SPREAD} or m.based then 'rebasing'
            else 'revision' end as kind,
       case when same and not reflagged then 'noise'
            when not same and ov is not null and nv is not null and s.decimals is not null
                 and abs(nv - ov) < 0.5 * pow(10, -s.decimals) then 'below display'
            else 'visible' end as weight,
       moved(ov, nv) as rel_change
from joined j
left join known k on k.series_key = j.series_key
left join factors f on f.series_key = j.series_key
left join meant m on m.series_key = j.series_key
left join earlier e on e.series_key = j.series_key and e.period = j.period
left join new_series s on s.series_key = j.series_key
where differs
order by j.series_key, j.period
"""

_EVIDENCE = """
select series_key,
       count(ov) as old_n, count(nv) as new_n,
       count(*) filter (ov is not null and nv is not null) as common_n,
       count(*) filter (ov is not null and nv is not null and not same) as revised_n,
       count(*) filter (ov is null and nv is not null) as added_n,
       count(*) filter (ov is not null and nv is null) as withdrawn_n,
       count(*) filter (same and reflagged) as status_changed_n,
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
    select *, moved(ov, nv) as rel_change,
           arg_max(ov, period) filter (ov is not null) over (partition by series_key) as newest
    from joined
) group by series_key order by series_key
"""

_CELL = ["series_key", "period"]
_MEANT = pa.schema([("series_key", pa.string()), ("meant", pa.bool_()), ("based", pa.bool_())])
_here = threading.local()


def compare(
    predecessor_id: str,
    old: pa.Table,
    old_series: pa.Table,
    new: pa.Table,
    new_series: pa.Table,
    equality: Equality,
    older: Sequence[pa.Table] = (),
    *,
    earlier: pa.Table | None = None,
    ours: bool = False,
    printed: Printed | None = None,
) -> Comparison:
    """Compare a complete part with its predecessor in known order.

    `old`, `new` and each of `older` (vintages before the predecessor, newest first) have at least the columns of PARSED; the
    series tables those of SERIES. `earlier` are the cells (series_key, period) that had a value in any vintage before the
    predecessor; left out, those of `older`. `ours` says that both sides are the same bytes, read by another program of ours.
    A missing row, and a row without value and flags, are the same: an empty cell. Returns a Comparison whose `changes` hold
    every cell that is not equal to the letter, noise included. Raises UsageError when a printed text is no number.
    """
    redefined = redefinitions(old_series, new_series)
    cells = side_by_side(old, new, equality)
    tables = {
        "joined": cells,
        "new_series": new_series.select(["series_key", "decimals"]),
        "earlier": _valued(older) if earlier is None else earlier.select(_CELL).group_by(_CELL).aggregate([]),
        "meant": _meant(redefined),
    }
    with _registered(tables) as connection:
        evidence = connection.sql(_EVIDENCE).to_arrow_table().cast(EVIDENCE)
        changes, rewritten = CHANGES.empty_table(), ""
        if pc.any(cells["differs"]).as_py():
            tables["factors"] = connection.sql(_FACTORS).to_arrow_table()
            connection.register("factors", tables["factors"])
            many = (pc.sum(evidence["revised_n"]).as_py() or 0) > REWRITTEN_SHARE * REWRITTEN_CELLS
            rewritten = _rewritten(connection) if many and not ours else ""
            asked = {"ours": ours, "rewritten": bool(rewritten)}
            changes = connection.sql(_CHANGES, params=asked).to_arrow_table().cast(CHANGES)
    return Comparison(
        predecessor_id=predecessor_id,
        changes=_weighed(changes, printed) if printed else changes,
        evidence=evidence,
        predecessor_equal=equal_cells(cells),
        older_equal=tuple(equal_cells(side_by_side(table, new, equality)) for table in older),
        redefinitions=redefined,
        rewritten=rewritten,
    )


@contextmanager
def _registered(tables: Mapping[str, pa.Table]) -> Iterator[duckdb.DuckDBPyConnection]:
    """This thread's own connection, with some tables in it.

    A child process makes its own, and keeps the one it inherited without touching it: closing that would wait for ever.
    """
    mine: dict[int, duckdb.DuckDBPyConnection] = _here.__dict__.setdefault("connections", {})
    connection = mine.get(os.getpid())
    if connection is None:
        connection = mine[os.getpid()] = duckdb.connect(config={"threads": 1})
        connection.execute(_MACROS)
    try:
        for name, table in tables.items():
            connection.register(name, table)
        yield connection
    finally:
        for name in tables:
            connection.unregister(name)


def _rewritten(connection: duckdb.DuckDBPyConnection) -> str:
    """The evidence that the part was redefined, series that were rebased or redefined in words left aside; "" without."""
    for revised, common, middle in connection.sql(_REWRITTEN).fetchall():
        return f"{revised:,} of {common:,} common values of the part revised, half of them by more than {middle:.0%}"
    return ""


def _valued(older: Sequence[pa.Table]) -> pa.Table:
    """The cells with a value in any of some vintages, each once."""
    tables = [table.filter(table.column("value").is_valid()).select(_CELL) for table in older]
    cells = pa.concat_tables(tables) if tables else PARSED.empty_table().select(_CELL)
    return cells.group_by(_CELL).aggregate([])


def _meant(redefined: pa.Table) -> pa.Table:
    """For each series that was redefined: do its numbers mean something else, or have another base only?"""
    found: dict[str, dict[str, Any]] = {}
    for row in redefined.to_pylist():
        meant = row["column"] not in (*WORDING, *BASE)
        for key in filter(None, (row["series_key"], row["replaces"])):
            series = found.setdefault(key, {"series_key": key, "meant": False, "based": False})
            series["meant"] |= meant
            series["based"] |= row["column"] in BASE
    return pa.Table.from_pylist(list(found.values()), schema=_MEANT)


def _weighed(changes: pa.Table, printed: Printed) -> pa.Table:
    """The changes with the weight of those after which a printed number would read otherwise."""
    weights = [
        "changes a printed cell" if _reads_otherwise(row, printed) else row["weight"] for row in changes.to_pylist()
    ]
    return changes.set_column(
        changes.schema.get_field_index("weight"), CHANGES.field("weight"), pa.array(weights, pa.string())
    )


def _reads_otherwise(row: Mapping[str, Any], printed: Printed) -> bool:
    """Whether old and new value, rounded to the digits that were printed, are different numbers."""
    text = printed.get((row["series_key"], row["period"]))
    if text is None:
        return False
    try:
        unit = Decimal(text.replace(",", "").replace("\u2212", "-").replace("\u2009", "")).as_tuple().exponent
    except InvalidOperation:
        raise UsageError(
            f"'{text}', printed of {row['series_key']} in {row['period']}, is no number",
            next_step="give the digits as printed, in the unit of the series",
        ) from None
    old, new = (
        None
        if row[f"{side}_value"] is None
        else Decimal(repr(row[f"{side}_value"])).quantize(Decimal(1).scaleb(int(unit)), ROUND_HALF_UP)
        for side in ("old", "new")
    )
    return old != new
