"""The World Bank's Indicators API v2 for current data, and its archive (source 57) for old vintages by version id.

Belongs here: how the World Bank is asked, and pages that must agree. Does not belong here: what its answers mean
(worldbank/errors.py) and hold (worldbank/parse.py), their form (worldbank/rows.py), HTTP (http/transport.py). How many rows a
page may have and whether 429 exists is not established.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from connectors.contract import Ask, Fetched, PartFetch, chosen_parts, part_or_error
from connectors.datasets import Dataset
from connectors.errors import CONCERNS_ALL, Moved, NoData, ProviderError, UnexpectedPayload
from connectors.http.answers import asked
from connectors.http.request import Request, bundled
from connectors.http.transport import Transport
from connectors.worldbank.errors import classify
from connectors.worldbank.parse import parse
from connectors.worldbank.rows import ARCHIVE, NotWorldBank, Page, read_list, read_page, read_versions
from warehouse.clock import archive_stamp, day_stamp
from warehouse.schema import PartData, Payload, Scope, Stamp

PER_PAGE = "20000"
READS = 3
#: A list of versions that is older may lack one.
NEW_VERSIONS = timedelta(days=1)
MAX_CODES = 1400  # characters between two slashes; the documented limit is 1,500


class _Economies(NamedTuple):
    """The list of economies, which may be some days old, and the year of today."""

    listed: Payload
    year: int


class WorldBank:
    """The connector of the World Bank."""

    provider = "worldbank"

    def plan(self, dataset: Dataset, ask: Ask) -> list[Request]:
        """The publisher's stamp or the list of versions, the list of economies, then page 1 of every part (and version, and
        bundle of economies)."""
        year = datetime.now(UTC).year
        return [
            *([_versions_request()] if ask.versions else []),
            *([_source_request(dataset)] if ask.whole else []),
            _economies_request(),
            *(
                _data_request(dataset, part, ask.scope, codes, version, year)
                for part in chosen_parts(dataset, ask, archive=True)
                for version in ask.versions or ("",)
                for codes in _bundles(dataset, part, ask.scope)
            ),
        ]

    def fetch(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """Every part by itself, or none when the source's stamp is still what `ask.known` says; for each archive version
        asked for, one PartFetch, whose error is NoData when the archive lists no such version.

        The source's day is remembered only when it is the newest that the pages carry: caches may serve either from before an
        update.
        """
        wanted = chosen_parts(dataset, ask, archive=True)
        if ask.versions:
            return self._fetch_versions(dataset, ask, wanted, transport)
        probes = self._source(dataset, ask, transport)
        day = _last_updated(probes[0]) if probes else None
        if ask.known is not None and day == ask.known.probe and _over(day, dataset, ask.known.read_at):
            return Fetched((), probes, day, unmoved=True)
        economies = _economies(ask, transport)
        parts = tuple(
            part_or_error(
                dataset, part, ask.scope, partial(self._part, dataset, part, ask.scope, "", economies, transport)
            )
            for part in wanted
        )
        newest = max((part.stamp.text for part in parts if part.stamp is not None), default=None)
        return Fetched(parts, probes, day if day == newest else None)

    def _source(self, dataset: Dataset, ask: Ask, transport: Transport) -> tuple[Payload, ...]:
        """What the publisher says of the source, when everything of it is asked for; that it states no day is remembered for
        a while. A failure that concerns it alone may not cost the data."""
        if not ask.whole:
            return ()
        request = _source_request(dataset)
        kept = ask.recall(request)
        try:
            return (kept if kept is not None and _last_updated(kept) is None else transport.get(request, classify),)
        except ProviderError as error:
            if isinstance(error, CONCERNS_ALL):
                raise
            return ()

    def _fetch_versions(self, dataset: Dataset, ask: Ask, wanted: tuple[str, ...], transport: Transport) -> Fetched:
        kept = ask.recall(_versions_request())
        if kept is None or kept.fetched_at < datetime.now(UTC) - NEW_VERSIONS:
            kept = transport.get(_versions_request(), classify)
        held = _versions_in(dataset, kept)
        economies = _economies(ask, transport)
        parts = [
            part_or_error(
                dataset,
                part,
                ask.scope,
                partial(self._part, dataset, part, ask.scope, version, economies, transport),
            )
            if version in held
            else PartFetch(part, (), None, ask.scope, _no_version(dataset, version, held))
            for part in wanted
            for version in ask.versions
        ]
        return Fetched(tuple(parts), (kept,))

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read all pages of one part; connectors.worldbank.parse.parse."""
        return parse(dataset, fetched)

    def _part(
        self, dataset: Dataset, part: str, scope: Scope, version: str, economies: _Economies, transport: Transport
    ) -> PartFetch:
        for _ in range(READS):
            bundles = [
                _read(partial(_data_request, dataset, part, scope, codes, version, economies.year), transport)
                for codes in _bundles(dataset, part, scope)
            ]
            if None in bundles:
                continue
            read = [one for bundle in bundles if bundle for one in bundle]
            days = {page.last_updated for _, page in read}
            if len(days) == 1:
                payloads = (economies.listed, *(payload for payload, _ in read))
                return PartFetch(part, payloads, _stamp(days.pop(), version, dataset), scope)
        raise Moved(
            f"part {part}: the pages disagreed in each of {READS} readings",
            dataset=dataset.id,
            next_step="the publisher is updating: run the refresh again in an hour",
        )


CONNECTOR = WorldBank()


def _economies(ask: Ask, transport: Transport) -> _Economies:
    kept = ask.recall(_economies_request())
    if kept is not None:
        return _Economies(kept, datetime.now(UTC).year)
    listed = transport.get(_economies_request(), classify)
    return _Economies(listed, listed.fetched_at.year)


def _economies_request() -> Request:
    return Request(None, "GET", "country", (("format", "json"), ("per_page", "400")), cost="structure")


def _bundles(dataset: Dataset, part: str, scope: Scope) -> list[str]:
    return bundled(scope.entities or dataset.entities_of(part), ";", MAX_CODES)


def _source_request(dataset: Dataset) -> Request:
    return Request(None, "GET", f"source/{dataset.flow}", (("format", "json"),), cost="structure", anew=True)


def _over(day: str, dataset: Dataset, read_at: datetime) -> bool:
    """True when a day was over when it was read: before, more may have come under the same stamp."""
    stamp = _stamp(day, "", dataset)
    return stamp is not None and stamp.at < read_at


def _last_updated(payload: Payload) -> str | None:
    """The day on which the source was last updated, as the publisher states it; None where it states none."""
    try:
        return next((str(one["lastupdated"]) for one in read_list(payload.content) if one.get("lastupdated")), None)
    except NotWorldBank:
        return None


def _versions_request() -> Request:
    params = (("format", "json"), ("per_page", "1000"))
    return Request(None, "GET", f"sources/{ARCHIVE}/version/data", params, cost="structure", anew=True)


def _versions_in(dataset: Dataset, listed: Payload) -> set[str]:
    try:
        return set(read_versions(listed.content))
    except NotWorldBank as error:
        raise UnexpectedPayload(
            str(error), dataset=dataset.id, request=asked(listed), next_step="open the archived payload and see why"
        ) from error


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
    start, end = scope.start or dataset.start, scope.end or dataset.end or str(year)
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
        elif page.identity != read[0][1].identity or page.page != len(read) + 1 or not page.rows:
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
