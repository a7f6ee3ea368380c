"""What the answers of the World Bank hold: one part, in the warehouse's columns.

Belongs here: source, version and indicator that must be those asked for, economies under two codes, units in names. Does
not belong here: asking (worldbank/connector.py), the form of an answer (worldbank/rows.py).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import compress
from typing import Any

from connectors.assemble import Parsed, Writing, part_data, period_start, table_of, without_blank_ends
from connectors.contract import PartFetch
from connectors.datasets import Dataset, Part
from connectors.errors import NoData, UnexpectedPayload
from connectors.http.answers import asked
from connectors.skipped import Skip
from connectors.worldbank.rows import ARCHIVE, Economy, NotWorldBank, Page, Row, read_economies, read_page
from warehouse.schema import PartData, Payload

_LAST_BRACKET = re.compile(r"\(([^()]*)\)$")

#: Numbers as in JSON; what is missing is null, never a text.
WRITING = Writing(number=r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def parse(dataset: Dataset, fetched: PartFetch) -> PartData:
    """Read all pages of one part; the list of economies among the payloads tells codes and aggregates."""
    pages, economies = [], {}
    try:
        for payload in fetched.payloads:
            if _is_data(payload):
                pages.append(read_page(payload.content))
            else:
                economies = read_economies(payload.content)
    except NotWorldBank as error:
        raise _unexpected(dataset, fetched, str(error)) from error
    rows = [row for page in pages for row in page.rows]
    if not rows:
        raise NoData(
            f"part {fetched.part}: the World Bank has no data for this indicator",
            dataset=dataset.id,
            next_step="look the indicator up in its catalogue: it may have moved to the archive",
        )
    if len(rows) != sum(page.total for page in pages if page.page == 1):
        raise _unexpected(dataset, fetched, f"{len(rows)} rows came, not the stated total")
    cells = {(row.code, row.iso2, row.period) for row in rows}
    if len(cells) < len(rows) and any(page.pages > 1 for page in pages):
        raise _unexpected(dataset, fetched, "rows stand on two pages, so others stand on none")
    _check_source(dataset, fetched, pages)
    return part_data(fetched, parsed(dataset, fetched, rows, economies), dataset.frequency, WRITING)


def _is_data(payload: Payload) -> bool:
    return "/indicator/" in payload.url or "/series/" in payload.url


def _check_source(dataset: Dataset, fetched: PartFetch, pages: list[Page]) -> None:
    """The answer is of the source, and of the archive's version, that was asked for."""
    url = next(payload.url for payload in fetched.payloads if _is_data(payload))
    version = re.search(r"/version/([^/]+)/", url)
    source = ARCHIVE if version else dataset.flow
    if others := sorted({page.source for page in pages} - {source}):
        raise _unexpected(dataset, fetched, f"source {source} was asked for, the answer is of source {others}")
    versions = {row.version for page in pages for row in page.rows}
    if version and versions != {version.group(1)}:
        raise _unexpected(
            dataset, fetched, f"version {version.group(1)} was asked for, the answer has {sorted(versions)}"
        )


def _codes(
    dataset: Dataset, fetched: PartFetch, rows: list[Row], economies: dict[str, Economy]
) -> dict[tuple[str, str], str]:
    """The code that the World Bank uses today of each (code, iso2) in the rows. Raises UnexpectedPayload for one that is
    not known or not of three letters, and when one economy comes under two names."""
    shared = Counter(economy.iso2 for economy in economies.values())
    by_iso2 = {economy.iso2: economy.code for economy in economies.values() if shared[economy.iso2] == 1}
    forms: dict[str, Row] = {}
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        form = (row.code, row.iso2)
        if form in found:
            continue
        code = found[form] = row.code or by_iso2.get(row.iso2, "")
        if not re.fullmatch(r"[A-Z][A-Z0-9]{2}", code):
            raise _unexpected(dataset, fetched, f"no ISO3 code for {row.code or row.iso2!r} ({row.name})")
        first = forms.setdefault(code, row)
        if first is not row:
            told = " and ".join(repr(f"{one.iso2}/{one.code}") for one in (first, row))
            raise _unexpected(dataset, fetched, f"{code} ({row.name}) comes under two codes, {told}")
    return found


def parsed(dataset: Dataset, fetched: PartFetch, rows: list[Row], economies: dict[str, Economy]) -> Parsed:
    """Rows as columns, a SERIES row an economy; what was not asked for is left out and counted."""
    part, scope = dataset.part(fetched.part), fetched.scope
    expected = set(scope.entities or dataset.entities_of(part.id))
    today = max(payload.fetched_at for payload in fetched.payloads)  # the list of economies may be some days old
    start, end = scope.start or dataset.start, scope.end or dataset.end or str(today.year)
    codes = _codes(dataset, fetched, rows, economies)
    cells: list[tuple[str, str, str | None, str]] = []
    series: dict[str, dict[str, Any]] = {}
    skipped: dict[str, int] = {}
    notes: dict[str, None] = {}
    for row in sorted(rows, key=_newest_first, reverse=True):
        if row.indicator != part.key:
            raise _unexpected(dataset, fetched, f"{part.key} was asked for, the answer has {row.indicator}")
        code = codes[row.code, row.iso2]
        _check_period(dataset, fetched, row.period)
        if code not in expected:
            skipped[Skip.OTHER_ECONOMY] = skipped.get(Skip.OTHER_ECONOMY, 0) + 1
        elif not start <= row.period <= end:
            skipped[Skip.OTHER_PERIOD] = skipped.get(Skip.OTHER_PERIOD, 0) + 1
        else:
            key = f"{code}.{part.key}"
            told = _series(dataset, part, code, row, economies, notes)
            if series.setdefault(key, told) != told:
                notes[f"{code} is described in two ways: {_differences(series[key], told)}"] = None
            cells.append((key, row.period, row.value, row.status))
    if missing := sorted(expected - {str(one["entity"]) for one in series.values()}):
        skipped[Skip.ABSENT.naming(missing)] = len(missing)
    if not cells:
        raise _unexpected(dataset, fetched, "no row is of an economy and period that was asked for")
    kept = table_of(compress(cells, without_blank_ends(cells, WRITING, skipped)))
    return Parsed(kept, list(series.values()), len(rows), skipped, tuple(sorted(notes)))


def _newest_first(row: Row) -> tuple[str, ...]:
    """The order in which the newest description of a series comes first, whatever the order of the answer."""
    return row.period, row.indicator_name, row.name, row.unit


def _differences(one: dict[str, Any], other: dict[str, Any]) -> str:
    return ", ".join(f"{one[name]!r} and {other[name]!r}" for name in ("label", "unit") if one[name] != other[name])


def _check_period(dataset: Dataset, fetched: PartFetch, period: str) -> None:
    """Also of a row that is then left out: a period that cannot be read is not "another"."""
    try:
        period_start(period, dataset.frequency)
    except ValueError as error:
        raise _unexpected(dataset, fetched, str(error)) from error


def _series(
    dataset: Dataset, part: Part, code: str, row: Row, economies: dict[str, Economy], notes: dict[str, None]
) -> dict[str, Any]:
    bracket = _LAST_BRACKET.search(row.indicator_name.strip())
    unit = row.unit or (bracket.group(1) if bracket else part.unit)
    if unit != part.unit:
        notes[f"unit conflict: {unit!r} in the answer, {part.unit!r} in the dataset file"] = None
    aggregate = code in economies and economies[code].aggregate
    return {
        "series_key": f"{code}.{part.key}",
        "part": part.id,
        "label": f"{row.name.strip()}: {row.indicator_name.strip()}",
        "entity": code,
        "dimensions": json.dumps({"COUNTRY": code, "SERIES": part.key}),
        "unit": unit,
        "multiplier": part.multiplier,
        "decimals": part.decimals,  # the answer's `decimal` is how it is displayed, not how many digits are given
        "frequency": dataset.frequency,
        "price_base": part.price_base,
        "reference_year": part.reference_year,
        "notes": "; ".join(text for text in ("aggregate of economies" if aggregate else "", part.notes) if text)
        or None,
    }


def _unexpected(dataset: Dataset, fetched: PartFetch, what: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"part {fetched.part}: {what}",
        dataset=dataset.id,
        request=asked(fetched.payloads[-1]),
        next_step="compare the archived payload with the documented form; the API may have changed",
    )
