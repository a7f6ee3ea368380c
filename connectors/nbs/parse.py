"""What the answers of the NBS portal hold: the indicators of one leaf and their values, in the warehouse's columns.

Belongs here: names and units as the portal writes them, slices of time that must agree, cells without values. Does not
belong here: asking (nbs/connector.py), or the forms of the past (nbs/classic.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import compress
from typing import Any, NamedTuple

from connectors.assemble import Parsed, Writing, part_data, period_start, table_of, within, without_blank_ends
from connectors.contract import PartFetch
from connectors.datasets import Dataset, Part
from connectors.errors import NoData, UnexpectedPayload
from connectors.http.answers import asked
from connectors.reading import LONGEST_NOTE, NotReadable, load_json, text, whole_number
from connectors.skipped import Skip
from warehouse.schema import PartData, Payload

#: Plain digits; a cell that is blank or says 无 ("none") has no number.
WRITING = Writing(number=r"-?[0-9]+(\.[0-9]+)?", missing=frozenset(("", "无")))
_SPLITS = ("kj1", "kj2", "kj3")
#: What an answer with values says of an indicator, as its list does.
_TOLD = ("_name", "i_showname", "ek", "dp", "du_name", "num_accuracy_value", *_SPLITS)
_REQUIRED = ("_id", "_name", "ek", "i_showname")
_OPTIONAL = ("du_name", "dp", "num_accuracy_value", "i_mark", "i_annotation", *_SPLITS)


def parse(dataset: Dataset, fetched: PartFetch) -> PartData:
    """Read the indicators and the values of one leaf."""
    listed, *values = fetched.payloads
    indicators = wanted_of(dataset.part(fetched.part), indicators_in(listed))
    periods = [one for payload in values for one in _periods(dataset, fetched, payload)]
    return part_data(fetched, parsed(dataset, fetched, indicators, periods), dataset.frequency, WRITING)


def period_of(code: str) -> str:
    """An SDMX period of the portal's code: 2023YY → 2023, 202301SS → 2023-Q1, 202412MM → 2024-12. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{4})([0-9]{2})?(YY|SS|MM)", code)
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
    return load_json(payload.content)["data"]


def _periods(dataset: Dataset, fetched: PartFetch, payload: Payload) -> list[Any]:
    try:
        return list(_content(payload))
    except (NotReadable, LookupError, TypeError) as error:
        raise _unexpected(dataset, fetched, f"not the portal's envelope: {error}") from error


def indicators_in(payload: Payload) -> list[dict[str, Any]]:
    """The entries of a leaf; every one has the four fields that a series is made of, and those that it has are text."""
    try:
        data = _content(payload)
        listed: list[dict[str, Any]] = list(data["list"] if isinstance(data, dict) else data)
        wrong = {name for one in listed for name in _REQUIRED if not one.get(name)}
        for one in listed:
            for name in (*_REQUIRED, *_OPTIONAL):
                if one.get(name) is not None:
                    text(one[name], LONGEST_NOTE)
            if one.get("num_accuracy_value"):
                whole_number(one["num_accuracy_value"])
        if len({one["_id"] for one in listed}) < len(listed):
            wrong.add("one _id stands twice")
    except (NotReadable, LookupError, TypeError, AttributeError) as error:
        wrong, listed = {f"{type(error).__name__}: {error}"}, []
    if wrong:
        raise UnexpectedPayload(
            f"the list of indicators is not of the known form: {', '.join(sorted(wrong))}",
            request=asked(payload),
            next_step="compare the archived payload with the documented form; the portal may have changed",
        )
    return listed


def wanted_of(part: Part, listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The indicators of a leaf that the dataset file wants (all, when it names none), by their id of today."""
    names = {plain_name(name) for name in part.indicators or {}}
    return {one["_id"]: one for one in listed if not names or plain_name(one["_name"]) in names}


def describes(indicators: dict[str, dict[str, Any]], values: Payload) -> bool:
    """True when an answer has values of just these indicators, and tells name, unit and splits of each as the list does."""
    try:
        rows = [row for period in _content(values) for row in period["values"]]
        same = all(row.get(name, own) == own for row in rows for name, own in _told(indicators[row["_id"]]).items())
        return same and {row["_id"] for row in rows} == set(indicators)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _told(indicator: dict[str, Any]) -> dict[str, Any]:
    return {name: indicator.get(name) for name in _TOLD}


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


def parsed(dataset: Dataset, fetched: PartFetch, indicators: dict[str, dict[str, Any]], periods: list[Any]) -> Parsed:
    """Values as columns. "" and 无 stay apart in value_text; blank years before and after all values are counted."""
    part = dataset.part(fetched.part)
    skipped: dict[str, int] = {}
    notes: dict[str, None] = {}
    answered = list(_cells(dataset, fetched, indicators, periods, skipped))
    records = len(answered) + sum(skipped.values())
    cells = _joined_slices(dataset, fetched, answered, skipped)
    published = [cell.period for cell in cells if not WRITING.says_none(cell.text)]
    if not published:
        raise NoData(
            f"part {part.id}: not one value is published",
            dataset=dataset.id,
            next_step="check region, root id and periods in the dataset file",
        )
    rows = [(cell.key, cell.period, cell.text, "") for cell in cells]
    kept = list(compress(rows, without_blank_ends(rows, WRITING, skipped)))
    series = _all_series(dataset, part, cells, notes)
    spoken = {cell.indicator["ek"] for cell in cells}
    if silent := sorted(plain_name(i["_name"]) for i in indicators.values() if i["ek"] not in spoken):
        notes[f"indicators asked for and not in the answer: {', '.join(silent)}"] = None
    if gaps := sorted(set(_years_between(min(published), max(published))) - {period for _, period, _, _ in kept}):
        notes[f"years not in the answer: {', '.join(gaps)}"] = None
    if absent := sorted(set(fetched.scope.entities or dataset.entities) - {cell.region for cell in cells}):
        skipped[Skip.ABSENT.naming(absent)] = len(absent)
    return Parsed(table_of(kept), series, records, skipped, tuple(notes))


def _joined_slices(dataset: Dataset, fetched: PartFetch, cells: list[_Cell], skipped: dict[str, int]) -> list[_Cell]:
    """The portal splits some series over slices of time, "(-2022)" and "(2023-)", and leaves a slice blank outside its
    years. Of several cells in one place the one with a value is kept. Slices that disagree are refused."""
    places: dict[tuple[str, str], list[_Cell]] = {}
    for cell in cells:
        places.setdefault((cell.key, cell.period), []).append(cell)
    kept: list[_Cell] = []
    for (key, period), found in places.items():
        stated = [cell for cell in found if not WRITING.says_none(cell.text)]
        if len({cell.text for cell in stated}) > 1:
            told = sorted(f"{plain_name(cell.indicator['i_showname'])} says {cell.text}" for cell in stated)
            raise _unexpected(dataset, fetched, f"{key} {period} contradicts itself: {', '.join(told)}")
        text = stated[0].text if stated else max(cell.text for cell in found)  # 无 says more than a blank
        chosen = [cell for cell in found if cell.text == text]
        if len(chosen) < len(found):
            skipped[Skip.BLANK_SLICE] = skipped.get(Skip.BLANK_SLICE, 0) + len(found) - len(chosen)
        kept += chosen
    return kept


def _all_series(dataset: Dataset, part: Part, cells: list[_Cell], notes: dict[str, None]) -> list[dict[str, Any]]:
    """A SERIES row a series, as its slice with the newest value describes it; slices in other units are a conflict."""
    found: dict[str, dict[str, Any]] = {}
    for cell in sorted(
        cells, key=lambda c: (not WRITING.says_none(c.text), c.period, c.indicator["_id"]), reverse=True
    ):
        row = _series(dataset, part, cell.key, cell.indicator, cell.region, notes)
        if found.setdefault(cell.key, row)["unit"] != row["unit"]:
            notes[f"unit conflict: {row['label']} has slices in {row['unit']!r} and {found[cell.key]['unit']!r}"] = None
    return list(found.values())


def _years_between(first: str, last: str) -> Iterator[str]:
    if len(first) == len(last) == 4:
        yield from (str(year) for year in range(int(first), int(last) + 1))


def _cells(
    dataset: Dataset,
    fetched: PartFetch,
    indicators: dict[str, dict[str, Any]],
    periods: list[Any],
    skipped: dict[str, int],
) -> Iterator[_Cell]:
    """The cells of all periods that were asked for."""
    regions = set(fetched.scope.entities or dataset.entities)
    try:
        for one in periods:
            period, values = period_of(one["code"]), _list(one["values"])
            period_start(period, dataset.frequency)
            if not values:
                skipped[Skip.NO_VALUES] = skipped.get(Skip.NO_VALUES, 0) + 1
            elif not within(period, fetched.scope, dataset.start):
                skipped[Skip.OTHER_PERIOD] = skipped.get(Skip.OTHER_PERIOD, 0) + len(values)
                continue
            for value in values:
                indicator, region = indicators.get(value["_id"]), value["da"]
                if indicator is None:
                    raise _unexpected(dataset, fetched, f"indicator {value['_id']} was not asked for")
                if region not in regions:
                    raise _unexpected(dataset, fetched, f"region {region} was not asked for ({value.get('da_name')})")
                for split in _SPLITS:
                    if value.get(split) not in (None, "", indicator.get(split)):
                        named = value.get(f"{split}_name")
                        raise _unexpected(dataset, fetched, f"a new dimension {split} ({named}) splits the values")
                yield _Cell(_series_key(indicator, region), period, _or_blank(value["value"]), region, indicator)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _unexpected(dataset, fetched, f"not the known form of values: {type(error).__name__}: {error}") from error


def _list(values: object) -> list[dict[str, Any]]:
    if not isinstance(values, list):
        raise NotReadable(f"{type(values).__name__} where a list was expected")
    return values


def _or_blank(value: object) -> str:
    return "" if value is None else text(value)


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
