"""SDMX-JSON data messages: 1.0 and 2.0, by series or flat, and the form of the API that was switched off in 2024.

Belongs here: from indices to codes. Does not belong here: JSON itself (reading.py), other forms (sdmx/readers.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.reading import NotReadable, load_json, text, whole_number
from connectors.sdmx.message import Message, NotSdmx, instant, table_of

_LEVELS = ("dataSet", "dimensionGroup", "series", "observation")


def read_json(content: bytes) -> Message:
    """An SDMX-JSON message: 1.0 (`structure`), 2.0 (`structures`), or the old API's (no `data` around them).

    Raises NotSdmx, also for an index that leads nowhere and for data sets of several structures.
    """
    try:
        message = load_json(content)
        data = message.get("data", message)
        structure = data["structure"] if "structure" in data else _only(data["structures"], "structures")
        dimensions, attributes = _levels(structure["dimensions"]), _levels(structure.get("attributes", {}))
        names = [text(one["id"]) for level in dimensions.values() for one in level]
        records = [row for one in data["dataSets"] for row in _records(one, dimensions, attributes)]
        header = message.get("meta") or message.get("header") or {}
        labels = {text(d["id"]): _labels(d["values"]) for level in dimensions.values() for d in level}
        prepared = instant(header.get("prepared"))
        name = text(structure.get("name", ""))
    except NotSdmx:
        raise
    except (NotReadable, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise NotSdmx(f"not SDMX-JSON with data: {type(error).__name__}: {error}") from error
    if len(set(names)) < len(names):
        raise NotSdmx(f"a dimension stands twice among {', '.join(names)}")
    others = tuple(name for name in names if name != "TIME_PERIOD")
    return Message(name, others, table_of(records, others), prepared, labels)


def _only(found: list[Any], what: str) -> Any:
    if len(found) != 1:
        raise NotSdmx(f"{len(found)} {what} where one was expected")
    return found[0]


def _levels(components: dict[str, Any]) -> dict[str, list[Any]]:
    return {level: list(components.get(level) or []) for level in _LEVELS}


def _labels(values: Sequence[Any]) -> dict[str, str]:
    return {_code(value): text(value["name"]) for value in values if "name" in value and isinstance(value["name"], str)}


def _records(
    dataset: dict[str, Any], dimensions: dict[str, list[Any]], attributes: dict[str, list[Any]]
) -> Iterator[dict[str, str]]:
    """One record an observation, with what its series, its group and the whole data set say."""
    if str(dataset.get("action", "")).startswith("D"):
        raise NotSdmx("the message deletes what it names")
    whole = {text(one["id"]): _code(_only(one["values"], "values")) for one in dimensions["dataSet"]}
    whole |= _attributes(dataset.get("attributes") or [], attributes["dataSet"])
    groups = [
        (text(key).split(":"), _attributes(cells, attributes["dimensionGroup"]))
        for key, cells in (dataset.get("dimensionGroupAttributes") or {}).items()
    ]
    series = dataset.get("series")
    if series is None:
        series = {"": {"observations": dataset["observations"]}}
    for key, one in series.items():
        on_series = _key(key, dimensions["series"]) | _attributes(one.get("attributes") or [], attributes["series"])
        for at, cells in one["observations"].items():
            full = f"{key}:{at}" if key else at
            of_groups = {n: t for mask, said in groups if _within(full.split(":"), mask) for n, t in said.items()}
            yield whole | of_groups | on_series | _observation(at, cells, dimensions, attributes)


def _within(key: list[str], mask: list[str]) -> bool:
    return all(index in ("", given) for given, index in zip(key, mask, strict=False))


def _observation(
    at: str, cells: list[Any], dimensions: dict[str, list[Any]], attributes: dict[str, list[Any]]
) -> dict[str, str]:
    if not isinstance(cells, list):
        raise NotSdmx(f"{type(cells).__name__} where the cells of an observation were expected")
    record = _key(at, dimensions["observation"])
    if cells and cells[0] is not None:
        record["OBS_VALUE"] = text(cells[0])
    return record | _attributes(cells[1:], attributes["observation"])


def _key(key: str, dimensions: list[Any]) -> dict[str, str]:
    indices = text(key).split(":") if key else []
    if len(indices) != len(dimensions):
        raise NotSdmx(f"{key!r} is not an index of {len(dimensions)} dimensions")
    return {
        text(dimension["id"]): _code(dimension["values"][whole_number(at)])
        for dimension, at in zip(dimensions, indices, strict=True)
    }


def _attributes(cells: list[Any], attributes: list[Any]) -> dict[str, str]:
    """Attributes by index. Trailing ones may be left out; the old API gave no place to one that is never used."""
    if len(cells) < len(attributes):
        used = [one for one in attributes if one["values"]]
        attributes = used if len(used) == len(cells) else attributes
    if len(cells) > len(attributes):
        raise NotSdmx(f"{len(cells)} attributes where {len(attributes)} are described")
    found = {}
    for attribute, at in zip(attributes, cells, strict=False):
        if at is not None:
            values = attribute.get("values") or []
            found[text(attribute["id"])] = _code(values[whole_number(at)]) if values else text(at)
    return found


def _code(value: Any) -> str:
    return text(value["id"] if "id" in value else value["value"])
