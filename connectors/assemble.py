"""From a connector's columns to the PartData that the warehouse stages; the same for all providers.

Belongs here: typing the columns, how numbers and absences are written, the start of a period, rows that repeat each
other, that no record is lost, the order, the canonical hash. Does not belong here: reading a wire format, or judging
values (expectations/).
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
from connectors.skipped import Skip, records
from warehouse.schema import PARSED, SERIES, PartData, Scope

_PERIODS = {
    "A": re.compile(r"([0-9]{4})"),
    "Q": re.compile(r"([0-9]{4})-Q([1-4])"),
    "M": re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])"),
}
_MONTHS = {"A": 0, "Q": 3, "M": 1}


@dataclass(frozen=True)
class Writing:
    """How a provider writes numbers (a regular expression for the whole text, RE2) and that there is none (whole texts,
    blanks around them aside). `thousands` separates groups of digits, where the provider does so.

    Whatever is neither is refused: nothing is guessed from "1,234", "−5", ".." or "Infinity".
    """

    number: str = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
    missing: frozenset[str] = frozenset()
    thousands: str = ""

    def says_none(self, text: str | None) -> bool:
        """True for a published text that says that there is no number, and where there is no text at all."""
        return text is None or text.strip() in self.missing


@dataclass(frozen=True)
class Parsed:
    """What a reader found in one answer: columns series_key, period, value_text, status (all text; a null value_text
    means that none was given), one SERIES row a series as a dict, how many `records` the answer holds (each is an
    observation or skipped), what was skipped and why, and findings."""

    observations: pa.Table
    series: list[dict[str, Any]]
    records: int
    skipped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def part_data(fetched: PartFetch, parsed: Parsed, frequency: str, writing: Writing) -> PartData:
    """The part as the warehouse stages it: schemas PARSED and SERIES, unique keys, sorted, with its canonical hash.

    Raises UnexpectedPayload for values that are no numbers, periods of another frequency, rows that contradict each
    other, and when the records of the answer are not all accounted for.
    """
    rows, repeated = _without_repeats(parsed.observations, fetched.part)
    texts = rows.column("value_text")
    observations = pa.table(
        {
            "series_key": rows.column("series_key"),
            "period": rows.column("period"),
            "period_start": _starts(rows.column("period"), frequency, fetched.part),
            "value": _numbers(texts, writing, fetched.part),
            "value_text": texts,
            "status": rows.column("status"),
        },
        schema=PARSED,
    ).sort_by([("series_key", "ascending"), ("period", "ascending")])
    series = pa.Table.from_pylist(sorted(parsed.series, key=lambda row: str(row["series_key"])), schema=SERIES)
    skipped = dict(parsed.skipped)
    if repeated:
        skipped[Skip.REPEATED] = repeated
    if (told := observations.num_rows + records(skipped)) != parsed.records:
        raise UnexpectedPayload(
            f"part {fetched.part}: the answer holds {parsed.records} records, and {told} are accounted for",
            next_step="keep the archived payload and report it: this is a fault of the reader, not of the provider",
        )
    return PartData(
        part=fetched.part,
        observations=observations.combine_chunks(),
        series=series,
        payloads=fetched.payloads,
        stamp=fetched.stamp,
        scope=fetched.scope,
        canonical_hash=canonical_hash(observations, series),
        skipped={str(reason): count for reason, count in skipped.items()},
        notes=(*fetched.notes, *parsed.notes),
    )


def without_blank_ends(
    cells: Sequence[tuple[str, str, str | None, str]], writing: Writing, skipped: dict[str, int]
) -> list[bool]:
    """Which cells (key, period, published text, flag) to keep: those with a flag, and those between the first and the
    last period in which any cell has a value. Providers pad answers with years that nobody has published yet; the rest
    is counted in `skipped`."""
    published = [period for _, period, text, _ in cells if not writing.says_none(text)]
    if not published:
        return [True] * len(cells)
    first, last = min(published), max(published)
    keep = [bool(flag) or first <= period <= last for _, period, _, flag in cells]
    if not all(keep):
        skipped[Skip.BLANK] = keep.count(False)
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


def within(period: str, scope: Scope, start: str) -> bool:
    """Whether a period was asked for: from the scope's start (else the dataset's `start`) to its end, if it has one, to
    which parts belong as well: 2017-Q4 to 2017."""
    return period >= (scope.start or start) and (not scope.end or period[: len(scope.end)] <= scope.end)


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


def _numbers(texts: pa.ChunkedArray, writing: Writing, part: str) -> pa.ChunkedArray:
    """The numbers behind published strings; null where the string says that there is none."""
    distinct = texts.unique().drop_null()
    missing = pa.array([text for text in distinct.to_pylist() if writing.says_none(text)], pa.string())
    stated = pc.if_else(pc.is_in(texts, value_set=missing), pa.scalar(None, pa.string()), texts)
    numbers = distinct.filter(pc.invert(pc.is_in(distinct, value_set=missing)))
    wrong = numbers.filter(pc.invert(pc.match_substring_regex(numbers, f"^(?:{writing.number})$")))
    if not len(wrong):
        if writing.thousands:
            stated = pc.replace_substring(stated, writing.thousands, "")
        values = pc.cast(stated, pa.float64())
        wrong = texts.filter(pc.is_inf(pc.fill_null(values, 0.0)))
    if len(wrong):
        raise UnexpectedPayload(
            f"part {part}: a value is not a number: {wrong[0].as_py()[:80]!r}",
            next_step="open the archived payload; the provider's format may have changed",
        )
    return values


def _starts(periods: pa.ChunkedArray, frequency: str, part: str) -> pa.Array:
    known: Sequence[str] = periods.unique().to_pylist()
    try:
        starts = pa.array([period_start(period, frequency) for period in known], pa.date32())
    except ValueError as error:
        raise UnexpectedPayload(
            f"part {part}: {error}", next_step="open the archived payload; check the frequency in the dataset file"
        ) from error
    return starts.take(pc.index_in(periods, pa.array(known, pa.string())))
