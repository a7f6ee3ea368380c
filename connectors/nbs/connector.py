"""China's National Bureau of Statistics: the data portal of 2026 (`stream/esData`).

Belongs here: how the portal is asked, and indicators found by name at run time (their ids are never pinned). Does not
belong here: what its answers mean (nbs/errors.py) and hold (nbs/parse.py), or the API that died in March 2026 and the
files people download by hand (nbs/classic.py).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from connectors.contract import Ask, Fetched, PartFetch, chosen_parts, part_or_error
from connectors.datasets import Dataset
from connectors.errors import BadRequest, NoData, NotFound, UnexpectedPayload
from connectors.http.request import Request, json_body
from connectors.http.transport import Transport
from connectors.nbs.errors import classify, classify_page
from connectors.nbs.parse import describes, indicators_in, parse, wanted_of
from warehouse.schema import PartData, Payload, Scope

API = "publicrelease/web/external"
PAGE = "page.html"
HEADERS = (("X-Requested-With", "XMLHttpRequest"), ("Accept", "application/json"))
_SUFFIX = {"A": "YY", "Q": "SS", "M": "MM"}


class Nbs:
    """The connector of the NBS portal."""

    provider = "nbs"

    def plan(self, dataset: Dataset, ask: Ask) -> list[Request]:
        """The home page for its cookies, then two requests a leaf: its indicators, their values."""
        now = datetime.now(UTC)
        requests = [_page_request()]
        for part in chosen_parts(dataset, ask):
            requests += [_indicators_request(dataset, part), _values_request(dataset, part, ask.scope, [], now)]
        return requests

    def fetch(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """Every leaf by itself; the lists of indicators may be some days old, and the home page comes before new ones only."""
        wanted = chosen_parts(dataset, ask)
        pages: list[Payload] = []
        if any(ask.recall(_indicators_request(dataset, part)) is None for part in wanted):
            _warm(transport, pages)
        parts = tuple(
            part_or_error(dataset, part, ask.scope, partial(self._part, dataset, part, ask, transport, pages))
            for part in wanted
        )
        return Fetched(parts, tuple(pages))

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read one leaf; connectors.nbs.parse.parse."""
        return parse(dataset, fetched)

    def _part(self, dataset: Dataset, part: str, ask: Ask, transport: Transport, pages: list[Payload]) -> PartFetch:
        if (found := self._with_kept_list(dataset, part, ask, transport)) is not None:
            return found
        _warm(transport, pages)
        new = replace(_indicators_request(dataset, part), anew=True)  # a kept one was no good
        listed = transport.get(new, classify)
        wanted = wanted_of(dataset.part(part), indicators_in(listed))
        if not wanted:
            raise NotFound(
                f"part {part}: the leaf has none of the wanted indicators",
                dataset=dataset.id,
                request=listed.url,
                next_step="look the leaf up in the portal's tree: it may have been renamed or moved; correct the cid",
            )
        values = transport.get(_values_request(dataset, part, ask.scope, list(wanted), listed.fetched_at), classify)
        return PartFetch(part, (listed, values), None, ask.scope)

    def _with_kept_list(self, dataset: Dataset, part: str, ask: Ask, transport: Transport) -> PartFetch | None:
        """The leaf by its list of some days ago; None when none is kept, or it is not that of today any more."""
        kept = ask.recall(_indicators_request(dataset, part))
        if kept is None:
            return None
        try:
            wanted = wanted_of(dataset.part(part), indicators_in(kept))
            request = _values_request(dataset, part, ask.scope, list(wanted), datetime.now(UTC))
            values = transport.get(request, classify)
        except (BadRequest, NoData, UnexpectedPayload):
            return None
        return PartFetch(part, (kept, values), None, ask.scope) if describes(wanted, values) else None


CONNECTOR = Nbs()


def _warm(transport: Transport, pages: list[Payload]) -> None:
    """Visit the home page, as a browser would, unless that was done."""
    if not pages:
        pages.append(transport.get(_page_request(), classify_page))


def _page_request() -> Request:
    return Request(None, "GET", PAGE, anew=True)


def _indicators_request(dataset: Dataset, part: str) -> Request:
    params = (("cid", dataset.part(part).key), ("dt", ""), ("name", ""))
    return Request(part, "GET", f"{API}/new/queryIndicatorsByCid", params, HEADERS)


def _values_request(dataset: Dataset, part: str, scope: Scope, ids: list[str], now: datetime) -> Request:
    """One POST a leaf, with an explicit closed range: the default window would cut the history."""
    today = now.astimezone(ZoneInfo(dataset.publisher_timezone))
    last = {"A": f"{today.year}", "Q": f"{today.year}-Q{(today.month + 2) // 3}", "M": f"{today:%Y-%m}"}
    first, end = scope.start or dataset.start, scope.end or last[dataset.frequency]
    body = json_body(
        ("cid", dataset.part(part).key),
        ("indicatorIds", ids),
        ("daCatalogId", ""),  # anything else makes the portal ignore `das`
        ("das", [{"text": "全国", "value": region} for region in scope.entities or dataset.entities]),
        ("showType", "1"),
        ("dts", [f"{_code(first, dataset.frequency)}-{_code(end, dataset.frequency)}"]),
        ("rootId", dataset.flow),
    )
    headers = (*HEADERS, ("Content-Type", "application/json;charset=UTF-8"))
    return Request(part, "POST", f"{API}/stream/esData", headers=headers, body=body)


def _code(period: str, frequency: str) -> str:
    """A period as the portal writes it: 2023YY, 202301SS (a quarter), 202412MM."""
    return re.sub(r"-Q?", "0" if "Q" in period else "", period) + _SUFFIX[frequency]
