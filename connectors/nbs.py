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
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from connectors.assemble import Parsed, is_missing, part_data, table_of, without_blank_ends
from connectors.contract import Ask, Fetched, PartFetch, chosen_parts, part_or_error
from connectors.datasets import Dataset, Part
from connectors.errors import BadRequest, Blocked, NoData, NotFound, ProviderError, ServerFault, UnexpectedPayload
from connectors.request import Request
from connectors.transport import Transport, asked, classify_status, json_body, json_error, throttled
from warehouse.schema import PartData, Payload, Scope

API = "publicrelease/web/external"
PAGE = "page.html"
HEADERS = (("X-Requested-With", "XMLHttpRequest"), ("Accept", "application/json"))
NO_VALUES = "period without values"
BLANK_SLICE = "blank cell of a slice of time where another slice has the value"
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
    if payload.status == 429:
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
    if payload.status == 500 and payload.body is not None:
        return BadRequest(
            "the portal cannot read the question (500, as it answers a body of another form)",
            request=request,
            next_step="compare the request's body with what the portal's own pages send, and correct connectors/nbs.py",
        )
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


class _Cell(NamedTuple):
    """One value of the answer, with the indicator (a slice of time has its own) that it was given for."""

    key: str
    period: str
    text: str
    region: str
    indicator: dict[str, Any]


def _parsed(dataset: Dataset, fetched: PartFetch, indicators: dict[str, dict[str, Any]], periods: Any) -> Parsed:
    """Values as columns. "" and 无 stay apart in value_text; blank years before and after all values are counted."""
    part = dataset.part(fetched.part)
    skipped: dict[str, int] = {}
    notes: dict[str, None] = {}
    cells = _joined_slices(dataset, fetched, list(_cells(dataset, fetched, indicators, periods, skipped)), skipped)
    published = [cell.period for cell in cells if not is_missing(cell.text)]
    if not published:
        raise NoData(
            f"part {part.id}: not one value is published",
            dataset=dataset.id,
            next_step="check region, root id and periods in the dataset file",
        )
    rows = [(cell.key, cell.period, cell.text, "") for cell in cells]
    kept = list(compress(rows, without_blank_ends(rows, skipped)))
    series = _all_series(dataset, part, cells, notes)
    answered = {cell.indicator["ek"] for cell in cells}
    if silent := sorted(plain_name(i["_name"]) for i in indicators.values() if i["ek"] not in answered):
        notes[f"indicators asked for and not in the answer: {', '.join(silent)}"] = None
    if gaps := sorted(set(_years_between(min(published), max(published))) - {period for _, period, _, _ in kept}):
        notes[f"years not in the answer: {', '.join(gaps)}"] = None
    return Parsed(table_of(kept), series, skipped, tuple(notes))


def _joined_slices(dataset: Dataset, fetched: PartFetch, cells: list[_Cell], skipped: dict[str, int]) -> list[_Cell]:
    """The portal splits some series over slices of time, "(-2022)" and "(2023-)", and leaves a slice blank outside its
    years. Of several cells in one place the one with a value is kept. Slices that disagree are refused."""
    places: dict[tuple[str, str], list[_Cell]] = {}
    for cell in cells:
        places.setdefault((cell.key, cell.period), []).append(cell)
    kept: list[_Cell] = []
    for (key, period), found in places.items():
        stated = [cell for cell in found if not is_missing(cell.text)]
        if len({cell.text for cell in stated}) > 1:
            told = sorted(f"{plain_name(cell.indicator['i_showname'])} says {cell.text}" for cell in stated)
            raise _unexpected(dataset, fetched, f"{key} {period} contradicts itself: {', '.join(told)}")
        text = stated[0].text if stated else max(cell.text for cell in found)  # 无 says more than a blank
        chosen = [cell for cell in found if cell.text == text]
        if len(chosen) < len(found):
            skipped[BLANK_SLICE] = skipped.get(BLANK_SLICE, 0) + len(found) - len(chosen)
        kept += chosen
    return kept


def _all_series(dataset: Dataset, part: Part, cells: list[_Cell], notes: dict[str, None]) -> list[dict[str, Any]]:
    """A SERIES row a series, as its slice with the newest value describes it; slices in other units are a conflict."""
    found: dict[str, dict[str, Any]] = {}
    for cell in sorted(cells, key=lambda c: (not is_missing(c.text), c.period, c.indicator["_id"]), reverse=True):
        row = _series(dataset, part, cell.key, cell.indicator, cell.region, notes)
        if found.setdefault(cell.key, row)["unit"] != row["unit"]:
            notes[f"unit conflict: {row['label']} has slices in {row['unit']!r} and {found[cell.key]['unit']!r}"] = None
    return list(found.values())


def _years_between(first: str, last: str) -> Iterator[str]:
    if len(first) == len(last) == 4:
        yield from (str(year) for year in range(int(first), int(last) + 1))


def _cells(
    dataset: Dataset, fetched: PartFetch, indicators: dict[str, dict[str, Any]], periods: Any, skipped: dict[str, int]
) -> Iterator[_Cell]:
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
                yield _Cell(_series_key(indicator, region), period, value["value"] or "", region, indicator)
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
