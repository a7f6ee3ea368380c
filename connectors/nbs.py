"""China's National Bureau of Statistics: the data portal of 2026 (`stream/esData`).

Belongs here: how the portal is asked, indicators found by name at run time (their ids are never pinned), and what its
answers and its firewall mean: when it blocks we stop, say so, and keep the last good data. Does not belong here: the
API that died in March 2026 and the files people download by hand (nbs_classic.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import compress
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.assemble import Parsed, part_data, without_blank_ends
from connectors.contract import Ask, Fetched, PartFetch, Request, chosen_parts, part_or_error
from connectors.datasets import Dataset, Part
from connectors.errors import Blocked, NoData, NotFound, ProviderError, ServerFault, UnexpectedPayload
from connectors.transport import Transport, asked, classify_status, json_body, json_error, throttled
from warehouse.schema import PartData, Payload, Scope

API = "publicrelease/web/external"
PAGE = "page.html"
HEADERS = (("X-Requested-With", "XMLHttpRequest"), ("Accept", "application/json"))
NO_VALUES = "period without values"
_WALL = (b"wzws", b"waf_zw_verify", b"WZWS_CONFIRM_PREFIX_LABEL")
_SUFFIX = {"A": "YY", "Q": "SS", "M": "MM"}
_SPLITS = ("kj1", "kj2", "kj3")


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
        """Every leaf by itself. Blocked by the firewall, nothing further is asked."""
        page = transport.get(_page_request(), classify_page)
        parts = tuple(
            part_or_error(dataset, part, ask.scope, partial(self._part, dataset, part, ask.scope, transport))
            for part in chosen_parts(dataset, ask)
        )
        return Fetched(parts, (page,))

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read the indicators and the values of one leaf."""
        indicators = _wanted(dataset.part(fetched.part), _indicators(fetched.payloads[0]))
        periods = _content(fetched.payloads[1])
        return part_data(fetched, _parsed(dataset, fetched, indicators, periods), dataset.frequency)

    def _part(self, dataset: Dataset, part: str, scope: Scope, transport: Transport) -> PartFetch:
        listed = transport.get(_indicators_request(dataset, part), classify)
        wanted = _wanted(dataset.part(part), _indicators(listed))
        if not wanted:
            raise NotFound(
                f"part {part}: the leaf has none of the wanted indicators",
                dataset=dataset.id,
                request=listed.url,
                next_step="look the leaf up in the portal's tree: it may have been renamed or moved; correct the cid",
            )
        values = transport.get(_values_request(dataset, part, scope, list(wanted), listed.fetched_at), classify)
        return PartFetch(part, (listed, values), None, scope)


CONNECTOR = Nbs()


def classify_page(payload: Payload) -> ProviderError | None:
    """The home page is HTML by right; only its status and the marks of the firewall count."""
    if payload.status < 300 and any(mark in payload.content for mark in _WALL):
        return _blocked(payload, "its firewall answers with a challenge")
    return _refusal(payload)


def classify(payload: Payload) -> ProviderError | None:
    """What the portal means by an answer; None when it is one."""
    head = payload.content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if payload.status == 429 or b"exceeded the number of requests" in head:
        return throttled(payload)
    if payload.status >= 300:
        return _refusal(payload)
    if head.startswith(b"<") or "text/html" in payload.headers.get("content-type", ""):
        return _blocked(payload, "its firewall answers with a page instead of data")
    if error := json_error(payload):
        return error
    return _classify_state(payload)


def _refusal(payload: Payload) -> ProviderError | None:
    request = asked(payload)
    if payload.status == 403:
        return _blocked(payload, "the path is closed to all (UrlACL)" if b"UrlACL" in payload.content else "403")
    if payload.status == 404:
        return NotFound(
            "the portal knows no such path; it renamed paths twice in 2026",
            request=request,
            next_step="compare the path with what the portal's own pages call, and correct connectors/nbs.py",
        )
    if payload.status == 400 and payload.content.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        return ServerFault("a page instead of JSON (400)", request=request, next_step="run the refresh again later")
    return classify_status(payload)


def _blocked(payload: Payload, why: str) -> Blocked:
    return Blocked(
        f"the NBS portal refuses us: {why}",
        request=asked(payload),
        next_step="do not evade it: wait half an hour, then run the refresh once; the last good data keep serving",
    )


def _classify_state(payload: Payload) -> ProviderError | None:
    request = asked(payload)
    try:
        answer = json.loads(payload.content.decode("utf-8-sig"))
        state, success, data = answer["state"], answer["success"], answer["data"]
    except (ValueError, KeyError, TypeError) as error:
        return UnexpectedPayload(
            f"not the portal's envelope: {type(error).__name__}: {error}",
            request=request,
            next_step="open the archived payload; the portal may have changed its form",
        )
    if state != 20000 or success is not True:
        return UnexpectedPayload(
            f"the portal refuses the question (state {state}: {answer.get('message')})",
            request=request,
            next_step="check cid, rootId and periods in the dataset file",
        )
    if not data:
        return NoData(
            "the portal has nothing for this leaf",
            request=request,
            next_step="check that cid and root id belong to the same tree in the dataset file",
        )
    return None


def _page_request() -> Request:
    return Request(None, "GET", PAGE)


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


def period_of(code: str) -> str:
    """An SDMX period of the portal's code: 2023YY → 2023, 202301SS → 2023-Q1, 202412MM → 2024-12. Raises ValueError."""
    found = re.fullmatch(r"(\d{4})(\d{2})?(YY|SS|MM)", code)
    if not found or (found.group(2) is None) != (found.group(3) == "YY"):
        raise ValueError(f"{code!r} is not a period of the portal")
    year, number, kind = found.groups()
    return year if kind == "YY" else f"{year}-Q{int(number)}" if kind == "SS" else f"{year}-{number}"


def plain_name(name: str) -> str:
    """A name as it is matched: without spaces, full-width brackets as plain ones."""
    return re.sub(r"\s", "", name).replace("（", "(").replace("）", ")")


def split_unit(showname: str) -> tuple[str, str]:
    """Name and unit of "域名数 (万个) ": the last bracket of the name is the unit; "" when there is none.

    A bracket of years, "(2023-)", is a slice of time and belongs to the name.
    """
    name = plain_name(showname)
    found = re.fullmatch(r"(.+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)", name)
    if not found or re.fullmatch(r"[\d\-年]+", found.group(2)):
        return name, ""
    return found.group(1), found.group(2)


def _content(payload: Payload) -> Any:
    return json.loads(payload.content.decode("utf-8-sig"), parse_float=str, parse_int=str)["data"]


def _indicators(payload: Payload) -> list[dict[str, Any]]:
    """The entries of a leaf; every one has the four fields that a series is made of."""
    try:
        data = _content(payload)
        listed = list(data["list"] if isinstance(data, dict) else data)
        lacking = {name for one in listed for name in ("_id", "_name", "ek", "i_showname") if not one.get(name)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        lacking, listed = {f"{type(error).__name__}: {error}"}, []
    if lacking:
        raise UnexpectedPayload(
            f"the list of indicators is not of the known form: {', '.join(sorted(lacking))}",
            request=asked(payload),
            next_step="compare the archived payload with the documented form; the portal may have changed",
        )
    return listed


def _wanted(part: Part, listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The indicators of a leaf that the dataset file wants (all, when it names none), by their id of today."""
    names = {plain_name(name) for name in part.indicators or {}}
    return {one["_id"]: one for one in listed if not names or plain_name(one["_name"]) in names}


def _series_key(indicator: dict[str, Any], region: str) -> str:
    """`ek` is the same in every catalogue, `_id` is not; a further split or another measure (dp) is part of the key."""
    splits = [str(indicator[name]) for name in _SPLITS if indicator.get(name)]
    measure = [f"dp{indicator['dp']}"] if indicator.get("dp", "1") not in ("1", None) else []
    return "_".join([str(indicator["ek"]), *splits, *measure]) + f".{region}"


def _parsed(dataset: Dataset, fetched: PartFetch, indicators: dict[str, dict[str, Any]], periods: Any) -> Parsed:
    """Values as columns. "" and 无 stay apart in value_text; blank years before and after all values are counted."""
    part = dataset.part(fetched.part)
    skipped: dict[str, int] = {}
    notes: dict[str, None] = {}
    series: dict[str, dict[str, Any]] = {}
    rows: list[tuple[str, str, str]] = []
    for key, period, text, indicator, region in _cells(dataset, fetched, indicators, periods, skipped):
        rows.append((key, period, text))
        if key not in series:
            series[key] = _series(dataset, part, key, indicator, region, notes)
    published = [period for _, period, text in rows if text]
    if not published:
        raise NoData(
            f"part {part.id}: not one value is published",
            dataset=dataset.id,
            next_step="check region, root id and periods in the dataset file",
        )
    kept = list(compress(rows, without_blank_ends(rows, skipped)))
    silent = sorted(
        plain_name(i["_name"]) for i in indicators.values() if not any(k.startswith(i["ek"]) for k in series)
    )
    if silent:
        notes[f"indicators asked for and not in the answer: {', '.join(silent)}"] = None
    if gaps := sorted(set(_years_between(min(published), max(published))) - {period for _, period, _ in kept}):
        notes[f"years not in the answer: {', '.join(gaps)}"] = None
    columns = list(zip(*kept, strict=True))
    table = pa.table(
        {
            **{
                name: pa.array(column, pa.string())
                for name, column in zip(("series_key", "period", "value_text"), columns, strict=True)
            },
            "status": pa.array([""] * len(kept), pa.string()),
        }
    )
    return Parsed(table, list(series.values()), skipped, tuple(notes))


def _years_between(first: str, last: str) -> Iterator[str]:
    if len(first) == len(last) == 4:
        yield from (str(year) for year in range(int(first), int(last) + 1))


def _cells(
    dataset: Dataset, fetched: PartFetch, indicators: dict[str, dict[str, Any]], periods: Any, skipped: dict[str, int]
) -> Iterator[tuple[str, str, str, dict[str, Any], str]]:
    regions = set(fetched.scope.entities or dataset.entities)
    try:
        for one in periods:
            period = period_of(one["code"])
            if not one["values"]:
                skipped[NO_VALUES] = skipped.get(NO_VALUES, 0) + 1
            for value in one["values"]:
                indicator, region = indicators.get(value["_id"]), value["da"]
                if indicator is None:
                    raise _unexpected(dataset, fetched, f"indicator {value['_id']} was not asked for")
                if region not in regions:
                    raise _unexpected(dataset, fetched, f"region {region} was not asked for ({value.get('da_name')})")
                for split in _SPLITS:
                    if value.get(split) not in (None, "", indicator.get(split)):
                        named = value.get(f"{split}_name")
                        raise _unexpected(dataset, fetched, f"a new dimension {split} ({named}) splits the values")
                yield _series_key(indicator, region), period, value["value"] or "", indicator, region
    except (KeyError, TypeError, ValueError) as error:
        raise _unexpected(dataset, fetched, f"not the known form of values: {type(error).__name__}: {error}") from error


def _series(
    dataset: Dataset, part: Part, key: str, indicator: dict[str, Any], region: str, notes: dict[str, None]
) -> dict[str, Any]:
    name, bracket = split_unit(indicator["i_showname"])
    stated = indicator.get("du_name") or ""
    unit = bracket or stated or part.unit
    expected = {plain_name(n): u for n, u in (part.indicators or {}).items()}.get(plain_name(indicator["_name"]), unit)
    conflicts = []
    if stated and stated != unit:
        conflicts.append(f"unit conflict: {name} says {unit!r} in its name and {stated!r} beside it")
    if expected != unit:
        conflicts.append(f"unit conflict: {name} is in {unit!r}, the dataset file expects {expected!r}")
    notes |= dict.fromkeys(conflicts)
    digits = indicator.get("num_accuracy_value")
    # A conflict is part of what the series means: unchanged numbers under another unit must not count as unchanged.
    remarks = (indicator.get("i_mark"), indicator.get("i_annotation"), part.notes, *conflicts)
    return {
        "series_key": key,
        "part": part.id,
        "label": name,
        "entity": region,
        "dimensions": json.dumps({"INDICATOR": key.split(".")[0], "REGION": region}),
        "unit": unit,
        "multiplier": part.multiplier,
        "decimals": int(digits) if digits else part.decimals,
        "frequency": dataset.frequency,
        "price_base": part.price_base,
        "reference_year": part.reference_year,
        "notes": "; ".join(text for text in remarks if text) or None,
    }


def _unexpected(dataset: Dataset, fetched: PartFetch, what: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"part {fetched.part}: {what}",
        dataset=dataset.id,
        request=asked(fetched.payloads[-1]),
        next_step="compare the archived payload with the documented form; the portal may have changed",
    )
