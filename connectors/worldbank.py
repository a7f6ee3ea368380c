"""The World Bank's Indicators API v2 for current data, and its archive (source 57) for old vintages by version id.

Belongs here: how the World Bank is asked, pages that must agree, and what its answers mean: errors that come with HTTP
200, pages of HTML that pass on a retry, economies under two codes. Does not belong here: HTTP (transport.py), or the
form of its answers (worldbank_rows.py). How many rows a page may have and whether 429 exists is not established.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import partial
from itertools import compress
from typing import Any

from connectors.assemble import NOT_IN_ANSWER, Parsed, part_data, table_of, without_blank_ends
from connectors.contract import Ask, Fetched, PartFetch, chosen_parts, part_or_error
from connectors.datasets import Dataset, Part
from connectors.errors import BadRequest, Moved, NoData, NotFound, ProviderError, ServerFault, UnexpectedPayload
from connectors.request import Request
from connectors.transport import Transport, asked, classify_status, json_error, throttled
from connectors.worldbank_rows import (
    ARCHIVE,
    Economy,
    NotWorldBank,
    Page,
    Row,
    load_json,
    read_economies,
    read_page,
    read_versions,
)
from warehouse.clock import archive_stamp, day_stamp
from warehouse.schema import PartData, Payload, Scope, Stamp

PER_PAGE = "20000"
READS = 3
MAX_CODES = 1400  # characters between two slashes; the documented limit is 1,500
_LAST_BRACKET = re.compile(r"\(([^()]*)\)$")
#: Why a cell of an answer is none that was asked for.
_OTHER_ECONOMY, _OTHER_PERIOD = "economy not asked for", "period not asked for"


class WorldBank:
    """The connector of the World Bank."""

    provider = "worldbank"

    def plan(self, dataset: Dataset, ask: Ask) -> list[Request]:
        """The lists of economies and versions, then page 1 of every part (and version, and bundle of economies)."""
        year = datetime.now(UTC).year
        return [
            _economies_request(),
            *([_versions_request()] if ask.versions else []),
            *(
                _data_request(dataset, part, ask.scope, codes, version, year)
                for part in chosen_parts(dataset, ask, archive=True)
                for version in ask.versions or ("",)
                for codes in _bundles(ask.scope.entities or dataset.entities)
            ),
        ]

    def fetch(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """Every part by itself; for each archive version asked for, one PartFetch, whose error is NoData when the archive
        lists no such version."""
        wanted = chosen_parts(dataset, ask, archive=True)
        listed = transport.get(_versions_request(), classify) if ask.versions else None
        held = self._held(dataset, listed) if listed is not None else {""}
        missing = [version for version in ask.versions if version not in held]
        economies = transport.get(_economies_request(), classify)
        parts = [
            part_or_error(
                dataset, part, ask.scope, partial(self._part, dataset, part, ask.scope, version, economies, transport)
            )
            for part in wanted
            for version in ask.versions or ("",)
            if version in held
        ]
        parts += [
            PartFetch(part, (), None, ask.scope, _no_version(dataset, version, held))
            for part in wanted
            for version in missing
        ]
        return Fetched(tuple(parts), () if listed is None else (listed,))

    def _held(self, dataset: Dataset, listed: Payload) -> set[str]:
        try:
            return set(read_versions(listed.content))
        except NotWorldBank as error:
            raise UnexpectedPayload(
                str(error), dataset=dataset.id, request=asked(listed), next_step="open the archived payload and see why"
            ) from error

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
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
        _check_source(dataset, fetched, pages)
        return part_data(fetched, _parsed(dataset, fetched, rows, economies), dataset.frequency)

    def _part(
        self, dataset: Dataset, part: str, scope: Scope, version: str, economies: Payload, transport: Transport
    ) -> PartFetch:
        year = economies.fetched_at.year
        for _ in range(READS):
            bundles = [
                _read(partial(_data_request, dataset, part, scope, codes, version, year), transport)
                for codes in _bundles(scope.entities or dataset.entities)
            ]
            if None in bundles:
                continue
            read = [one for bundle in bundles if bundle for one in bundle]
            days = {page.last_updated for _, page in read}
            if len(days) == 1:
                payloads = (economies, *(payload for payload, _ in read))
                return PartFetch(part, payloads, _stamp(days.pop(), version, dataset), scope)
        raise Moved(
            f"part {part}: the pages disagreed in each of {READS} readings",
            dataset=dataset.id,
            next_step="the publisher is updating: run the refresh again in an hour",
        )


CONNECTOR = WorldBank()


def classify(payload: Payload) -> ProviderError | None:
    """What the World Bank means by an answer; None when it is one."""
    request = asked(payload)
    head = payload.content[:2048].removeprefix(b"\xef\xbb\xbf").lstrip().decode("utf-8", "replace")
    if payload.status == 429:
        return throttled(payload)
    if payload.status in (403, 404) and not head.startswith(("[", "{")):
        return classify_status(payload)
    if message := _message(payload, head):
        return _classify_message(*message, request)
    if head.startswith("<") or payload.status >= 500:
        return ServerFault(
            f"a page instead of JSON (HTTP {payload.status})", request=request, next_step="run the refresh again later"
        )
    if not head.startswith(("[", "{")):
        return UnexpectedPayload(
            f"not JSON; it begins with {head[:60]!r}",
            request=request,
            next_step="open the archived payload and see why",
        )
    return classify_status(payload) or json_error(payload)


def _message(payload: Payload, head: str) -> tuple[str, str] | None:
    """Id and words of the World Bank's own error, in JSON or XML, whatever the status."""
    if found := re.search(r'<wb:message id="(\d+)"[^>]*>([^<]*)', head):
        return found.group(1), found.group(2)
    if not re.match(r'\[\s*\{\s*"message"', head):
        return None
    try:
        message = load_json(payload.content)[0]["message"][0]
        return str(message["id"]), str(message["value"])
    except (NotWorldBank, LookupError, TypeError):
        return None


def _classify_message(number: str, words: str, request: str) -> ProviderError:
    if number == "175":
        return NotFound(
            f"the indicator was deleted or archived ({number}: {words})",
            request=request,
            next_step="find its successor in the catalogue, or ask the archive (source 57); change the dataset file",
        )
    if number == "105":
        return ServerFault(f"service unavailable ({words})", request=request, next_step="run the refresh again later")
    return BadRequest(
        f"the World Bank refuses the question ({number}: {words})",
        request=request,
        next_step="check the codes of economies and indicator in the dataset file",
    )


def _economies_request() -> Request:
    return Request(None, "GET", "country", (("format", "json"), ("per_page", "400")), cost="structure")


def _bundles(codes: Iterable[str]) -> list[str]:
    """Codes joined by ";", each bundle short enough for one address."""
    bundles: list[str] = []
    for code in codes:
        if bundles and len(bundles[-1]) + len(code) < MAX_CODES:
            bundles[-1] += f";{code}"
        else:
            bundles.append(code)
    return bundles


def _versions_request() -> Request:
    params = (("format", "json"), ("per_page", "1000"))
    return Request(None, "GET", f"sources/{ARCHIVE}/version/data", params, cost="structure")


def _no_version(dataset: Dataset, version: str, held: set[str]) -> NoData:
    return NoData(
        f"the archive has no version {version}; its newest is {max(held, default='none')}",
        dataset=dataset.id,
        next_step="choose another month; versions are irregular, five to twelve a year",
    )


def _data_request(
    dataset: Dataset, part: str, scope: Scope, codes: str, version: str, year: int, page: int = 1
) -> Request:
    series = dataset.part(part).key
    start, end = scope.start or dataset.start, scope.end or str(year)
    paging = (("per_page", PER_PAGE), ("page", str(page)))
    if not version:
        path = f"country/{codes}/indicator/{series}"
        params = (("format", "json"), ("source", dataset.flow), *paging[:1], ("date", f"{start}:{end}"), *paging[1:])
        return Request(part, "GET", path, params)
    time = "all" if scope.start is None and scope.end is None else _years(start, end)
    path = f"sources/{ARCHIVE}/country/{codes}/series/{series}/time/{time}/version/{version}/data"
    return Request(part, "GET", path, (("format", "json"), *paging))


def _years(start: str, end: str) -> str:
    return ";".join(f"YR{year}" for year in range(int(start), int(end) + 1))


def _read(request: Any, transport: Transport) -> list[tuple[Payload, Page]] | None:
    """All pages of one answer, with page 1 as the measure; None when they do not belong together."""
    read: list[tuple[Payload, Page]] = []
    pages = 1
    while len(read) < pages:
        payload = transport.get(request(page=len(read) + 1), classify)
        page = _page(payload)
        if not read:
            pages = max(page.pages, 1)  # an answer without data has none
        elif page.identity != read[0][1].identity:
            return None
        read.append((payload, page))
    cells = [(row.code or row.iso2, row.period) for _, page in read for row in page.rows]
    shifted = pages > 1 and len(set(cells)) < len(cells)
    return None if shifted or len(cells) != read[0][1].total else read


def _page(payload: Payload) -> Page:
    try:
        return read_page(payload.content)
    except NotWorldBank as error:
        raise UnexpectedPayload(
            f"not the documented form: {error}",
            request=asked(payload),
            next_step="compare the archived payload with the documented form; the API may have changed",
        ) from error


def _stamp(last_updated: str | None, version: str, dataset: Dataset) -> Stamp | None:
    """The archive's month, or the publisher's day; None where it states none (or no day)."""
    if version:
        return archive_stamp(version, dataset.publisher_timezone)
    try:
        return day_stamp(date.fromisoformat(last_updated or ""), dataset.publisher_timezone, str(last_updated))
    except ValueError:
        return None


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
    by_iso2 = {economy.iso2: economy.code for economy in economies.values()}
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


def _parsed(dataset: Dataset, fetched: PartFetch, rows: list[Row], economies: dict[str, Economy]) -> Parsed:
    """Rows as columns, a SERIES row an economy; what was not asked for is left out and counted."""
    part, scope = dataset.part(fetched.part), fetched.scope
    expected = set(scope.entities or dataset.entities)
    start, end = scope.start or dataset.start, scope.end or str(fetched.payloads[0].fetched_at.year)
    codes = _codes(dataset, fetched, rows, economies)
    cells: list[tuple[str, str, str | None, str]] = []
    series: dict[str, dict[str, Any]] = {}
    skipped: dict[str, int] = {}
    notes: dict[str, None] = {}
    for row in rows:
        if row.indicator != part.key:
            raise _unexpected(dataset, fetched, f"{part.key} was asked for, the answer has {row.indicator}")
        code = codes[row.code, row.iso2]
        if code not in expected:
            skipped[_OTHER_ECONOMY] = skipped.get(_OTHER_ECONOMY, 0) + 1
        elif not start <= row.period <= end:
            skipped[_OTHER_PERIOD] = skipped.get(_OTHER_PERIOD, 0) + 1
        else:
            key = f"{code}.{part.key}"
            if key not in series:
                series[key] = _series(dataset, part, code, row, economies, notes)
            cells.append((key, row.period, row.value, row.status))
    if missing := sorted(expected - {str(one["entity"]) for one in series.values()}):
        skipped[f"{NOT_IN_ANSWER}: {', '.join(missing)}"] = len(missing)
    if not cells:
        raise _unexpected(dataset, fetched, "no row is of an economy and period that was asked for")
    kept = table_of(compress(cells, without_blank_ends(cells, skipped)))
    return Parsed(kept, list(series.values()), skipped, tuple(notes))


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
