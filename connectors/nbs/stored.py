"""Answers of the NBS's old API and exports of its pages that somebody kept, as values of the portal's series.

Belongs here: finding the portal's indicators by the names in such files. Does not belong here: the old forms themselves
(nbs/classic), what the portal's lists and cells mean (nbs/parse).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from connectors.assemble import part_data
from connectors.contract import FILE, PartFetch
from connectors.datasets import Dataset
from connectors.errors import NoData, UnexpectedPayload
from connectors.http.request import Request
from connectors.nbs.classic import read_export, read_query
from connectors.nbs.parse import WRITING, indicators_in, parsed, plain_name, split_unit, wanted_of
from connectors.reading import NotReadable
from connectors.skipped import Skip
from warehouse.schema import PartData, Payload, Stamp

EXPECTED = (
    "an answer of the old API (easyquery, JSON) or an export of the NBS's pages (CSV) with all indicators of a leaf of the "
    "dataset; their names are looked up in the portal's list, so the dataset must have been refreshed before"
)
_DIGITS = 12


class _Cell(NamedTuple):
    name: str
    unit: str
    region: str
    period: str
    value: str


def bundles(files: Sequence[Payload]) -> list[tuple[Payload, ...]]:
    """Every file stands by itself."""
    return [(file,) for file in files]


def beside(request: Request) -> bool:
    """The list of a leaf's indicators."""
    return request.path.endswith("queryIndicatorsByCid")


def parts(dataset: Dataset, bundle: Sequence[Payload], lists: dict[str, Payload]) -> list[str]:
    """The leaves that have all their indicators in the file. Raises NotReadable."""
    if not lists:
        raise NotReadable("no list of indicators is held of the dataset")
    names = {plain_name(cell.name) for cell in _cells(dataset, bundle[-1])}
    lacking = {part: sorted(_names(dataset, part, listed) - names) for part, listed in lists.items()}
    held = [part.id for part in dataset.parts if lacking.get(part.id) == []]
    if not held:
        told = "; ".join(f"part {part} would also need {', '.join(missing)}" for part, missing in lacking.items())
        raise NotReadable(f"its indicators are {', '.join(sorted(names)[:8])}; {told}")
    return held


def stamp(dataset: Dataset, bundle: Sequence[Payload]) -> Stamp | None:
    """Neither form says of when it is."""
    return None


def read(dataset: Dataset, fetched: PartFetch) -> PartData:
    """The values of one leaf; its list of indicators stands before the file. Raises NotReadable, UnexpectedPayload."""
    listed, file = fetched.payloads
    indicators = wanted_of(dataset.part(fetched.part), indicators_in(listed))
    places = {(plain_name(one["_name"]), _unit(one)): one["_id"] for one in indicators.values()}
    cells = _cells(dataset, file)
    own = [cell for cell in cells if (cell.name, cell.unit) in places]
    known = {name for name, _ in places}
    if strange := sorted(
        {f"{cell.name} ({cell.unit})" for cell in cells if cell.name in known} - {f"{n} ({u})" for n, u in places}
    ):
        raise NotReadable(f"in other units than the portal's: {', '.join(strange)}")
    periods: dict[str, list[dict[str, Any]]] = {}
    for cell in own:
        value = {"_id": places[cell.name, cell.unit], "da": cell.region, "value": cell.value}
        periods.setdefault(_code(cell.period), []).append(value)
    answer = [{"code": code, "values": values} for code, values in periods.items()]
    found = parsed(dataset, fetched, indicators, answer)
    if others := len(cells) - len(own):
        found = replace(
            found, records=found.records + others, skipped={**found.skipped, Skip.OTHER_SERIES.value: others}
        )
    return part_data(fetched, found, dataset.frequency, WRITING)


def _unit(indicator: dict[str, Any]) -> str:
    return split_unit(indicator["i_showname"])[1] or plain_name(indicator.get("du_name") or "")


def _names(dataset: Dataset, part: str, listed: Payload) -> set[str]:
    wanted = wanted_of(dataset.part(part), indicators_in(listed))
    return {plain_name(one["_name"]) for one in wanted.values()}


def _cells(dataset: Dataset, file: Payload) -> list[_Cell]:
    """The values of either form. An export does not name its region, so the dataset must have one alone."""
    if file.method != FILE:
        raise NotReadable("an answer of the portal itself")
    try:
        if file.content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            return _classic(file.content)
        if len(dataset.entities) != 1:
            raise NotReadable("an export does not say of which region it is, and the dataset has several")
        values = read_export(_utf8(file.content)).values
    except (NoData, UnexpectedPayload) as error:
        raise NotReadable(error.what) from error
    return [_Cell(name, unit, dataset.entities[0], period, text) for (name, unit, period), text in values.items()]


def _classic(content: bytes) -> list[_Cell]:
    """The values of an answer of the old API, which states the unit beside the name and has short codes of regions."""
    found = read_query(content)
    series = {row["series_key"]: row for row in found.series}
    cells = []
    for row in found.observations.to_pylist():
        told = series[row["series_key"]]
        name, unit = plain_name(told["label"]), plain_name(told["unit"])
        cells.append(_Cell(name, unit, told["entity"].ljust(_DIGITS, "0"), row["period"], row["value_text"]))
    return cells


def _utf8(content: bytes) -> bytes:
    """A file in UTF-8 or GB 18030 as UTF-8."""
    try:
        content.decode("utf-8-sig")
        return content
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030").encode()
    except UnicodeDecodeError as error:
        raise NotReadable(f"neither UTF-8 nor GB 18030: {error}") from error


def _code(period: str) -> str:
    """An SDMX period as the portal writes it."""
    if "Q" in period:
        return f"{period[:4]}0{period[-1]}SS"
    return f"{period.replace('-', '')}{'YY' if len(period) == 4 else 'MM'}"
