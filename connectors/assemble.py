"""From a connector's columns to the PartData that the warehouse stages; the same for all providers.

Belongs here: typing the columns, the start of a period, rows that repeat each other, the order, the canonical hash.
Does not belong here: reading a wire format, or judging values (expectations/).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import PartFetch
from connectors.errors import UnexpectedPayload
from warehouse.schema import PARSED, SERIES, PartData

#: Counted, not a warning: many standing absences are known, and the dataset file names the economies that must be there.
NOT_IN_ANSWER = "economies asked for and not in the answer"
REPEATED = "row repeated word for word"
BLANK = "placeholder of a period in which nothing is published"
_MISSING = frozenset(("", "NaN", "nan", "无"))
_PERIODS = {
    "A": re.compile(r"(\d{4})"),
    "Q": re.compile(r"(\d{4})-Q([1-4])"),
    "M": re.compile(r"(\d{4})-(0[1-9]|1[0-2])"),
}
_MONTHS = {"A": 0, "Q": 3, "M": 1}


@dataclass(frozen=True)
class Parsed:
    """What a reader found in one answer: columns series_key, period, value_text, status (all text; a null value_text
    means that none was given), one SERIES row a series as a dict, what was left out and why, and findings."""

    observations: pa.Table
    series: list[dict[str, Any]]
    skipped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def part_data(fetched: PartFetch, parsed: Parsed, frequency: str) -> PartData:
    """The part as the warehouse stages it: schemas PARSED and SERIES, unique keys, sorted, with its canonical hash.

    Raises UnexpectedPayload for values that are no numbers, periods of another frequency, and rows that contradict
    each other.
    """
    rows, repeated = _without_repeats(parsed.observations, fetched.part)
    texts = rows.column("value_text")
    observations = pa.table(
        {
            "series_key": rows.column("series_key"),
            "period": rows.column("period"),
            "period_start": _starts(rows.column("period"), frequency, fetched.part),
            "value": _numbers(texts, fetched.part),
            "value_text": texts,
            "status": rows.column("status"),
        },
        schema=PARSED,
    ).sort_by([("series_key", "ascending"), ("period", "ascending")])
    series = pa.Table.from_pylist(sorted(parsed.series, key=lambda row: str(row["series_key"])), schema=SERIES)
    skipped = dict(parsed.skipped)
    if repeated:
        skipped[REPEATED] = repeated
    return PartData(
        part=fetched.part,
        observations=observations.combine_chunks(),
        series=series,
        payloads=fetched.payloads,
        stamp=fetched.stamp,
        scope=fetched.scope,
        canonical_hash=canonical_hash(observations, series),
        skipped=skipped,
        notes=(*fetched.notes, *parsed.notes),
    )


def is_missing(text: str | None) -> bool:
    """True for a published text that says that there is no number: none, blank, NaN, 无 (the NBS's "none")."""
    return text is None or text.strip() in _MISSING


def without_blank_ends(cells: Sequence[tuple[str, str, str | None, str]], skipped: dict[str, int]) -> list[bool]:
    """Which cells (key, period, published text, flag) to keep: those with a flag, and those between the first and the
    last period in which any cell has a value. Providers pad answers with years that nobody has published yet; the rest
    is counted in `skipped`."""
    published = [period for _, period, text, _ in cells if not is_missing(text)]
    if not published:
        return [True] * len(cells)
    first, last = min(published), max(published)
    keep = [bool(flag) or first <= period <= last for _, period, _, flag in cells]
    if not all(keep):
        skipped[BLANK] = keep.count(False)
    return keep


def table_of(cells: Iterable[tuple[str, str, str | None, str]]) -> pa.Table:
    """Cells (key, period, published text, flag) as the columns of `Parsed`."""
    columns = list(zip(*cells, strict=True)) or [()] * 4
    names = ("series_key", "period", "value_text", "status")
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def canonical_hash(observations: pa.Table, series: pa.Table) -> str:
    """A sha256 over what an answer means: keys, periods, published strings and flags, and what the series are.

    Both tables sorted by key and period. Equal for answers that differ in row order, message id or preparation time.
    """
    digest = hashlib.sha256()
    columns = [observations.column(name) for name in ("series_key", "period", "value_text", "status")]
    lines = pc.binary_join_element_wise(*columns, "\x1f", null_handling="replace", null_replacement="\x00")
    digest.update("\n".join(lines.to_pylist()).encode())
    for row in series.to_pylist():
        digest.update(b"\n" + json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()


def period_start(period: str, frequency: str) -> date:
    """The first day of an SDMX period (2017, 2017-Q3, 2017-05). ValueError when it is not one of that frequency."""
    found = _PERIODS[frequency].fullmatch(period or "")
    if not found:
        raise ValueError(f"{period!r} is not a period of frequency {frequency}")
    number = int(found.group(2)) if frequency != "A" else 1
    return date(int(found.group(1)), (number - 1) * _MONTHS[frequency] + 1, 1)


def _without_repeats(rows: pa.Table, part: str) -> tuple[pa.Table, int]:
    rows = rows.select(["series_key", "period", "value_text", "status"])
    distinct = rows.group_by(rows.column_names).aggregate([])
    cells = distinct.group_by(["series_key", "period"]).aggregate([([], "count_all")])
    if cells.num_rows < distinct.num_rows:
        worst = cells.filter(pc.greater(cells.column("count_all"), 1)).slice(0, 1).to_pylist()[0]
        raise UnexpectedPayload(
            f"part {part}: the answer contradicts itself, {worst['count_all']} different rows for "
            f"{worst['series_key']} {worst['period']}",
            next_step="open the archived payload; ask again later, and write to the provider when it persists",
        )
    return distinct, rows.num_rows - distinct.num_rows


def _numbers(texts: pa.ChunkedArray, part: str) -> pa.ChunkedArray:
    """The numbers behind published strings; null where the string says that there is none."""
    without = [text for text in texts.unique().to_pylist() if is_missing(text)]
    missing = pc.is_in(texts, value_set=pa.array(without, pa.string()))
    stated = pc.if_else(missing, pa.scalar(None, pa.string()), texts)
    try:
        return pc.cast(stated, pa.float64())
    except pa.ArrowInvalid as error:
        raise UnexpectedPayload(
            f"part {part}: a value is not a number: {error}",
            next_step="open the archived payload; the provider's format may have changed",
        ) from error


def _starts(periods: pa.ChunkedArray, frequency: str, part: str) -> pa.Array:
    known: Sequence[str] = periods.unique().to_pylist()
    try:
        starts = pa.array([period_start(period, frequency) for period in known], pa.date32())
    except ValueError as error:
        raise UnexpectedPayload(
            f"part {part}: {error}", next_step="open the archived payload; check the frequency in the dataset file"
        ) from error
    return starts.take(pc.index_in(periods, pa.array(known, pa.string())))
