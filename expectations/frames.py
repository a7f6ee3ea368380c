"""The small frames that expectations examine, computed by DuckDB from one part and its comparison.

Belongs here: the SQL that turns rows into frames, and what it takes to tell one kind of change from another; no
threshold that a dataset file may move. `observations` holds the rows themselves, or, above ROWS_DIRECTLY, those on
which a verdict can depend: one of each combination of period, status and kind of value, extremes, and duplicate keys.
`series` has one row a series of the part, `evidence` one a series of the comparison, `totals` and `comparison` one for
the whole part, `pairs` one an economy, `columns` one a column of the table as it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from connectors.datasets import Dataset
from warehouse.schema import CHANGES, EVIDENCE, PARSED, SERIES, Comparison, PartEvidence

if TYPE_CHECKING:
    import pandas as pd

#: Up to so many rows Great Expectations sees every one; above, DuckDB picks the rows that matter.
ROWS_DIRECTLY = 100_000
#: How many extremes and duplicates are picked from a part above that size.
WORST = 50
#: A ratio new/old counts as a change of scale when it lies within this of a power of ten.
SCALE_TOLERANCE = 1e-3
#: A series has a constant ratio when most of its ratios lie within this of their median, and that is not 1.
CONSTANT_SPREAD = 1e-4
#: What "most" means of the cells of a series.
MOST = 0.9
#: A weaker "most", for changes that leave a few cells alone.
A_LOT = 0.8
#: Fewer common cells say nothing about a series as a whole.
ENOUGH_CELLS = 5
#: Fewer zeros among the new values may be real ones.
FEW_CELLS = 3
#: A new value that lies more than so many powers of ten from the newest known one is a jump.
JUMP = 1.0
#: No flag, and the flag that says "normal value".
UNFLAGGED = ("", "A")
#: Status codes of SDMX that mark a value as not yet observed (an estimate, E, is of something that has happened).
PROJECTIONS = ("F",)

#: A change in these columns of SERIES alters how a series is described; in any other, what its numbers mean.
WORDING = ("label", "notes", "decimals")

#: With these words a connector's note says that two statements of a unit disagree.
UNIT_CONFLICT = "unit conflict"
#: Groups in the World Bank's list of economies (region "Aggregates"), as far as dataset files ask for them.
WORLDBANK_AGGREGATES = (
    *("ARB", "CEB", "EAP", "EAS", "ECS", "EMU", "EUU", "HIC", "LCN", "LIC"),
    *("LMC", "LMY", "MEA", "MIC", "NAC", "OED", "SAS", "SSF", "UMC", "WLD"),
)

_PERIODS_A_YEAR = {"A": 1, "Q": 4, "M": 12}

_ROWS = f"""
CREATE TABLE rows AS
SELECT *,
       CASE WHEN value IS NULL THEN 'none' WHEN isnan(value) THEN 'NaN' WHEN isinf(value) THEN 'infinite'
            ELSE 'finite' END AS value_kind,
       CASE WHEN NOT list_has_any(string_split(status, ';'), {list(PROJECTIONS)})
            THEN try_cast(left(period, 4) AS INTEGER) - $release_year END AS ahead,
       CASE WHEN value IS NOT NULL THEN coalesce(ahead, 0) ELSE 0 END AS years_ahead,
       CASE WHEN value IS NULL THEN coalesce(ahead, 0) ELSE 0 END AS empty_years_ahead,
       CASE WHEN try_cast(value_text AS DOUBLE) IS NULL THEN 0.0 WHEN value IS NULL THEN 1.0
            ELSE abs(try_cast(value_text AS DOUBLE) - value) / greatest(abs(value), 1e-300) END AS text_gap,
       (year(period_start) * 12 + month(period_start) - 1) * $periods_a_year // 12 AS place
FROM parsed
"""

_DECISIVE_ROWS = f"""
WITH numbered AS (SELECT *, row_number() OVER () AS row FROM rows),
picked AS (
    SELECT min(row) AS row FROM numbered GROUP BY period, status, value_kind
    UNION SELECT unnest(min_by(row, value, {WORST})) FROM numbered WHERE value_kind = 'finite'
    UNION SELECT unnest(max_by(row, value, {WORST})) FROM numbered WHERE value_kind = 'finite'
    UNION SELECT unnest(max_by(row, text_gap, {WORST})) FROM numbered
    UNION SELECT unnest(list(row)[:{WORST}]) FROM numbered GROUP BY series_key, period HAVING count(*) > 1)
SELECT * EXCLUDE row FROM numbered SEMI JOIN picked USING (row) ORDER BY row
"""

_SERIES = """
SELECT s.*, coalesce(o.observations, 0) AS observations, coalesce(o."values", 0) AS "values",
       CASE WHEN o."values" > 0 THEN s.entity END AS entity_with_values,
       CASE WHEN o.missing_periods > 0 THEN o.missing_periods || ' missing' END AS gap,
       s.unit || ' x10^' || s.multiplier AS measured_in,
       CASE WHEN measured_in <> $declared THEN measured_in || ' instead of ' || $declared END AS other_unit,
       CASE WHEN list_contains($aggregates, s.entity) AND NOT coalesce(contains(s.notes, 'aggregate'), false)
            THEN s.entity END AS unflagged
FROM described s
LEFT JOIN (
    SELECT series_key, count(*) AS observations, count(value) AS "values",
           max(place) FILTER (value IS NOT NULL) - min(place) FILTER (value IS NOT NULL) + 1
           - count(DISTINCT place) FILTER (value IS NOT NULL) AS missing_periods
    FROM rows GROUP BY series_key) o USING (series_key)
ORDER BY s.series_key
"""

_CELLS = """
CREATE TABLE cells AS
WITH dated AS (SELECT *, try_cast(left(period, 4) AS INTEGER) AS year, substr(period, 5) AS rest FROM changes)
SELECT c.*, c.new_value / nullif(c.old_value, 0) AS ratio, log10(abs(nullif(ratio, 0))) AS magnitude,
       median(ratio) OVER (PARTITION BY c.series_key) AS middle,
       CASE WHEN ratio > 0 AND round(magnitude) <> 0 AND abs(ratio / power(10, round(magnitude)) - 1) < $scale_tolerance
            THEN round(magnitude)::INTEGER END AS power_of_ten,
       coalesce(c.new_value = before.old_value OR c.new_value = after.old_value, false) AS shifted,
       c.old_value IS NULL AND c.period > e.old_last_period AS newer, coalesce(last.old_value, held.value) AS newest
FROM dated c
LEFT JOIN evidence e ON e.series_key = c.series_key
LEFT JOIN dated last ON last.series_key = c.series_key AND last.period = e.old_last_period
LEFT JOIN rows held ON held.series_key = c.series_key AND held.period = e.old_last_period
LEFT JOIN dated before ON before.series_key = c.series_key AND before.year = c.year - 1 AND before.rest = c.rest
LEFT JOIN dated after ON after.series_key = c.series_key AND after.year = c.year + 1 AND after.rest = c.rest
WHERE c.weight <> 'noise'
"""

_EVIDENCE = f"""
CREATE TABLE judged AS
SELECT e.*, coalesce(c.scaled_n, 0) AS scaled_n, c.power_of_ten,
       CASE WHEN c.scaled_n >= {ENOUGH_CELLS} OR c.scaled_n = e.common_n THEN
            CASE c.power_of_ten WHEN 4 THEN '×10^4 (万)' WHEN 8 THEN '×10^8 (亿)' WHEN -4 THEN '×10^-4 (万)'
                 WHEN -8 THEN '×10^-8 (亿)' ELSE '×10^' || c.power_of_ten END END AS scaled_by,
       CASE WHEN e.common_n >= {ENOUGH_CELLS} AND c.constant_n >= {MOST} * e.common_n AND scaled_by IS NULL
             AND r.meaning IS NULL AND abs(c.middle - 1) > {SCALE_TOLERANCE}
            THEN printf('×%.6g', c.middle) END AS constant_ratio,
       CASE WHEN e.revised_n >= {ENOUGH_CELLS} AND c.shifted_n >= {A_LOT} * e.revised_n
            THEN printf('%d of %d', c.shifted_n, e.revised_n) END AS shifted,
       CASE WHEN e.zeroed_n > 0 AND (e.zeroed_n = e.common_n OR e.zeroed_n >= {ENOUGH_CELLS})
            THEN printf('%d of %d turned 0', e.zeroed_n, e.common_n) END AS zeroed,
       CASE WHEN e.added_zero_n > 0 THEN coalesce(c.newer_zeros, 0) ELSE 0 END AS newest_zeros,
       coalesce(c.newer_jump, 0) AS newer_jump,
       coalesce(c.largest_revision, 0) AS largest_revision,
       CASE WHEN e.common_n >= {ENOUGH_CELLS} AND e.revised_n >= {A_LOT} * e.common_n
            THEN coalesce(e.median_rel_change, 0) ELSE 0 END AS amount_revised_by,
       CASE WHEN e.old_n > 0 AND e.new_n = 0 THEN printf('%d values gone', e.old_n) END AS vanished,
       CASE WHEN e.new_last_period < e.old_last_period
            THEN e.new_last_period || ' after ' || e.old_last_period END AS receded,
       CASE WHEN e.common_n >= {ENOUGH_CELLS} AND e.revised_n > {MOST} * e.common_n
            THEN coalesce(e.median_rel_change, 0) ELSE 0 END AS rewritten_by,
       CASE WHEN c.opened_n > 0 THEN printf('%d withdrawn between others', c.opened_n) END AS gap_opened,
       r.meaning AS meaning_redefined, r.wording AS wording_redefined
FROM evidence e
LEFT JOIN redefined r USING (series_key)
LEFT JOIN (SELECT series_key, count(power_of_ten) AS scaled_n, mode(power_of_ten) AS power_of_ten,
                  count(*) FILTER (shifted) AS shifted_n, any_value(middle) AS middle,
                  max(abs(new_value - old_value) / least(abs(old_value), abs(new_value)))
                  FILTER (old_value <> 0 AND new_value <> 0) AS largest_revision,
                  count(*) FILTER (newer AND new_value = 0) AS newer_zeros,
                  max(abs(log10(new_value / newest))) FILTER (newer AND newest <> 0 AND new_value / newest > 0) AS newer_jump,
                  count(*) FILTER (abs(ratio / middle - 1) < {CONSTANT_SPREAD}) AS constant_n,
                  count(*) FILTER (kind = 'withdrawal' AND period BETWEEN first AND last) AS opened_n
           FROM cells LEFT JOIN (SELECT series_key, min(period) AS first, max(period) AS last
                                 FROM rows WHERE value IS NOT NULL GROUP BY series_key) USING (series_key)
           GROUP BY series_key) c USING (series_key)
ORDER BY e.series_key
"""

_TOTALS = """
SELECT (SELECT count(*) FROM rows) AS observations, (SELECT count(value) FROM rows) AS "values",
       (SELECT count(*) FROM described) AS series,
       (SELECT coalesce(max(place) - min(place) + 1 - count(DISTINCT place), 0) FROM rows WHERE value IS NOT NULL)
       AS lost_periods,
       (SELECT count(DISTINCT series_key) FROM rows ANTI JOIN described USING (series_key)) AS undescribed,
       $taken_back AS taken_back, $stamp_findings AS stamp_findings, $reader_findings AS reader_findings,
       $unit_conflicts AS unit_conflicts, $skipped AS skipped
"""

_COMPARISON = f"""
WITH flagged AS (
    SELECT count(*) FILTER (coalesce(old_status, '') NOT IN {UNFLAGGED}
                            AND coalesce(new_status, '') IN {UNFLAGGED}) AS flags_lost_n,
           count(*) FILTER (coalesce(new_status, '') NOT IN {UNFLAGGED}
                            AND coalesce(old_status, '') IN {UNFLAGGED}) AS gained_n,
           (SELECT count(*) FROM rows WHERE status NOT IN {UNFLAGGED}) - gained_n + flags_lost_n AS old_flags_n
    FROM changes)
SELECT sum(revised_n)::BIGINT AS revised_n, sum(withdrawn_n)::BIGINT AS withdrawn_n,
       sum(zero_flips_n)::BIGINT AS zero_flips_n,
       coalesce(sum(revised_n) / nullif(sum(common_n), 0), 0) AS share_revised,
       coalesce(sum(withdrawn_n) / nullif(sum(old_n), 0), 0) AS share_withdrawn,
       greatest(sum(old_n) - sum(new_n), 0)::BIGINT AS fewer, coalesce(fewer / nullif(sum(old_n), 0), 0) AS share_fewer,
       CASE WHEN sum(common_n) >= $enough AND sum(revised_n) > $most * sum(common_n)
            THEN (SELECT median(rel_change) FROM cells WHERE rel_change IS NOT NULL) ELSE 0 END AS rewritten_by,
       greatest($older_equal - $predecessor_equal, 0) / greatest(sum(common_n), 1) AS rollback,
       sum(zeroed_n)::BIGINT AS zeroed_n, coalesce(sum(zeroed_n) / nullif(sum(common_n), 0), 0) AS share_zeroed,
       sum(added_zero_n)::BIGINT AS added_zero_n,
       CASE WHEN sum(added_zero_n) >= {FEW_CELLS} THEN sum(added_zero_n) / sum(added_n) ELSE 0 END AS share_added_zero,
       count(*) FILTER (added_jump > {JUMP} AND isfinite(added_jump)) AS jumps_n,
       coalesce(jumps_n / nullif(count(*) FILTER (isfinite(added_jump)), 0), 0) AS share_jumped,
       sum(status_changed_n)::BIGINT AS status_changed_n,
       coalesce(sum(status_changed_n) / nullif(sum(common_n), 0), 0) AS share_status_changed,
       any_value(flags_lost_n) AS flags_lost_n,
       CASE WHEN any_value(old_flags_n) >= $enough THEN any_value(flags_lost_n) / any_value(old_flags_n) ELSE 0 END
       AS share_flags_lost
FROM judged, flagged
"""

_PAIRS = """
SELECT s.entity, r.common_n, r.revised_n AS ratio_revised_n, a.revised_n AS amount_revised_n,
       CASE WHEN r.common_n >= $enough AND r.revised_n >= $a_lot * r.common_n
                 AND coalesce(a.revised_n, 0) = 0
            THEN printf('%d of %d years', r.revised_n, r.common_n) END AS denominator_revised
FROM ratio r JOIN ratio_series s USING (series_key)
LEFT JOIN (SELECT t.entity, m.* FROM amount m JOIN amount_series t USING (series_key)) a ON a.entity = s.entity
WHERE a.entity IS NOT NULL OR $amount_unchanged
ORDER BY s.entity
"""


@dataclass(frozen=True)
class Frames:
    """The frames of one part by name; `examined` says on how many rows or cells each rests, also where condensed."""

    frames: dict[str, pd.DataFrame]
    examined: dict[str, int]


def of_columns(table: pa.Table) -> Frames:
    """One row a column of the table as it arrived (`column`: name and Arrow type)."""
    columns = pa.table({"column": [f"{field.name}: {field.type}" for field in table.schema]}).to_pandas()
    return Frames({"columns": columns}, {"columns": len(columns)})


def of_part(dataset: Dataset, evidence: PartEvidence) -> Frames:
    """All frames of one part; those without a row (an empty part, nothing to compare with) are left out."""
    with duckdb.connect(config={"threads": 1}) as connection:
        frames = _part_frames(connection, dataset, evidence)
        if evidence.comparison is not None:
            frames |= _comparison_frames(connection, evidence.comparison)
    examined = {name: len(frame) for name, frame in frames.items()}
    examined["observations"] = evidence.data.observations.num_rows
    examined["totals"] = max(evidence.data.observations.num_rows, 1)
    if "evidence" in frames:
        examined["comparison"] = max(int((frames["evidence"]["old_n"] + frames["evidence"]["added_n"]).sum()), 1)
    return Frames({name: frame for name, frame in frames.items() if len(frame)}, examined)


def of_pair(ratio: PartEvidence, amount: PartEvidence | None) -> Frames:
    """One row an economy: how a ratio moved, and how the amount in its numerator did (None: it did not change)."""
    asked = {"enough": ENOUGH_CELLS, "a_lot": A_LOT, "amount_unchanged": amount is None}
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, side in (("ratio", ratio), ("amount", amount)):
            comparison = side.comparison if side else None
            connection.register(name, comparison.evidence if comparison else EVIDENCE.empty_table())
            connection.register(f"{name}_series", side.data.series if side else SERIES.empty_table())
        pairs = connection.execute(_PAIRS, asked).df()
    return Frames({"pairs": pairs} if len(pairs) else {}, {"pairs": len(pairs)})


def stamp_findings(evidence: PartEvidence) -> tuple[str, ...]:
    """What was noted when the part was dated: notes of the evidence that the reader did not make."""
    return tuple(note for note in evidence.notes if note not in evidence.data.notes)


def release_day(dataset: Dataset, evidence: PartEvidence) -> str:
    """The day from which the public could know the part, in the publisher's time zone (ISO date)."""
    return evidence.known_from.astimezone(ZoneInfo(dataset.publisher_timezone)).date().isoformat()


def _part_frames(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, evidence: PartEvidence
) -> dict[str, pd.DataFrame]:
    part, data = dataset.part(evidence.data.part), evidence.data
    connection.register("parsed", data.observations.select(PARSED.names))
    connection.register("described", data.series)
    release_year = int(release_day(dataset, evidence)[:4])
    connection.execute(_ROWS, {"release_year": release_year, "periods_a_year": _PERIODS_A_YEAR[dataset.frequency]})
    declared = None if dataset.provider == "nbs" else f"{part.unit} x10^{part.multiplier}"  # there, one an indicator
    asked = {
        "declared": declared,
        "aggregates": list(WORLDBANK_AGGREGATES) if dataset.provider == "worldbank" else [],
    }
    condensed = data.observations.num_rows > ROWS_DIRECTLY
    conflicts = sum(note.startswith(UNIT_CONFLICT) for note in data.notes)
    found = {
        "taken_back": int(evidence.voided is not None),
        "stamp_findings": len(stamp_findings(evidence)),
        "reader_findings": len(data.notes) - conflicts,
        "unit_conflicts": conflicts,
        "skipped": sum(data.skipped.values()),
    }
    return {
        "observations": connection.execute(_DECISIVE_ROWS if condensed else "FROM rows").df(),
        "series": connection.execute(_SERIES, asked).df(),
        "totals": connection.execute(_TOTALS, found).df(),
    }


def _comparison_frames(connection: duckdb.DuckDBPyConnection, comparison: Comparison) -> dict[str, pd.DataFrame]:
    connection.register("changes", comparison.changes.select(CHANGES.names))
    connection.register("evidence", comparison.evidence.select(EVIDENCE.names))
    connection.register("redefined", _redefined(comparison.redefined))
    connection.execute(_CELLS, {"scale_tolerance": SCALE_TOLERANCE})
    connection.execute(_EVIDENCE)
    equal = {"older_equal": max(comparison.older_equal, default=0), "predecessor_equal": comparison.predecessor_equal}
    return {
        "evidence": connection.execute("FROM judged ORDER BY series_key").df(),
        "comparison": connection.execute(_COMPARISON, equal | {"enough": ENOUGH_CELLS, "most": MOST}).df(),
    }


_REDEFINED = pa.schema([("series_key", pa.string()), ("meaning", pa.string()), ("wording", pa.string())])


def _redefined(columns_of: dict[str, list[str]]) -> pa.Table:
    rows = [
        {
            "series_key": key,
            "meaning": ", ".join(column for column in columns if column not in WORDING) or None,
            "wording": ", ".join(column for column in columns if column in WORDING) or None,
        }
        for key, columns in columns_of.items()
    ]
    return pa.Table.from_pylist(rows, schema=_REDEFINED)
