"""SDMX-ML data messages: structure-specific 2.1 and 3.0, generic 2.1, and the OECD's own 3.0 without a header.

Belongs here: from XML to one table of strings; neither sdmx1 nor pysdmx reads the OECD's messages. Does not belong here:
structures (sdmx1 reads them), other forms (sdmx/readers.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.reading import NotReadable, xml_elements
from connectors.sdmx.message import ATTRIBUTES, TIME_AND_VALUE, Message, NotSdmx, instant, table_of

if TYPE_CHECKING:
    from lxml.etree import _Element

_PARTS = {"Header", "DataSet", "Footer"}
_KIND_OF_GROUP = ("{http://www.w3.org/2001/XMLSchema-instance}type", "type")


@dataclass
class _Read:
    """What has been read so far: one entry a series, and for each observation the number of its series."""

    structure: str = ""
    prepared: str = ""
    series: list[dict[str, str]] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    observations: list[dict[str, str]] = field(default_factory=list)
    groups: list[dict[str, str]] = field(default_factory=list)
    root: _Element | None = None
    stated: set[str] = field(default_factory=set)  # attributes by the message's own word (generic form)


def read_ml(content: bytes) -> Message:
    """A structure-specific (2.1, 3.0) or generic (2.1) SDMX-ML message, also one whose header names no structure.

    Series may be split over several elements and stand in any order, as in the OECD's real files; observations may stand
    without series. Raises NotSdmx, also for every element whose content would be passed over.
    """
    read = _Read()
    try:
        for element in xml_elements(content, "Series", "Group", "Prepared", "Ref", "DataSet"):
            _take(read, element)
            if _local(element) == "DataSet":
                read.root = element.getparent()
    except NotReadable as error:
        raise NotSdmx(str(error)) from error
    if others := sorted({_local(child) for child in (() if read.root is None else read.root)} - _PARTS):
        raise NotSdmx(f"elements beside the data set that are not read: {', '.join(others)}")
    if not read.structure:
        raise NotSdmx("no DataSet element, or nothing that names its structure")
    return _assemble(read)


def _take(read: _Read, element: _Element) -> None:
    name = _local(element)
    if name == "Series":
        _take_series(read, element)
        element.clear()
    elif name == "Group":
        read.groups.append(_cells(element, read.stated))
        element.clear()
    elif name == "Prepared":
        read.prepared = element.text or ""
    elif name == "Ref" and not read.structure:
        read.structure = f"{element.get('agencyID')}:{element.get('id')}({element.get('version', '1.0')})"
    elif name == "DataSet":
        read.structure = _structure(element) or read.structure
        _take_flat(read, element)


def _take_series(read: _Read, element: _Element) -> None:
    cells = _cells(element, read.stated, skip=("Obs",))
    observations = [child for child in element if _local(child) == "Obs"]
    read.index += [len(read.series)] * len(observations)
    read.series.append(cells)
    read.observations += [_cells(child, read.stated) for child in observations]


def _take_flat(read: _Read, dataset: _Element) -> None:
    """Observations that stand in no series, each with its whole key."""
    if any(_local_name(name) == "action" and text.startswith("D") for name, text in _items(dataset)):
        raise NotSdmx("the message deletes what it names")
    for child in dataset:
        name = _local(child)
        if name == "Obs":
            read.index.append(len(read.series))
            read.series.append({})
            read.observations.append(_cells(child, read.stated))
        elif name == "Attributes":
            read.groups.append(_values(child, read.stated))
        elif name not in ("Series", "Group", "Annotations"):
            raise NotSdmx(f"an element {name} in the data set, which is not read")


def _cells(element: _Element, stated: set[str], skip: Iterable[str] = ()) -> dict[str, str]:
    """What one element says by name: in its XML attributes (structure-specific) or in its children (generic)."""
    cells = {name: text for name, text in _items(element) if name not in _KIND_OF_GROUP}
    for child in element:
        name = _local(child)
        if name in skip or name == "Annotations":
            continue
        if name in ("SeriesKey", "ObsKey", "GroupKey"):
            found = _values(child)
        elif name == "Attributes":
            found = _values(child, stated)
        elif name == "ObsDimension":
            found = {child.get("id", "TIME_PERIOD"): child.get("value", "")}
        elif name == "ObsValue":
            found = {"OBS_VALUE": child.get("value", "")}
        else:
            raise NotSdmx(f"an element {name} inside {_local(element)}, which is not read")
        if cells.keys() & found.keys():
            raise NotSdmx(f"{_local(element)} says {', '.join(sorted(cells.keys() & found.keys()))} twice")
        cells |= found
    return cells


def _values(element: _Element, stated: set[str] | None = None) -> dict[str, str]:
    """The children <Value id= value=> of a generic message; their names are noted where they are attributes."""
    found: dict[str, str] = {}
    for child in element:
        name, value = child.get("id"), child.get("value")
        if _local(child) != "Value" or name is None or value is None or name in found:
            raise NotSdmx(f"a {_local(child)} in {_local(element)} without id and value, or a second {name}")
        found[name] = value
    if stated is not None:
        stated |= found.keys()
    return found


def _items(element: _Element) -> list[tuple[str, str]]:
    if element.text and element.text.strip():
        raise NotSdmx(f"text inside {_local(element)}: {element.text.strip()[:40]!r}")
    return [(str(name), str(text)) for name, text in element.attrib.items()]


def _local(element: _Element) -> str:
    return _local_name(str(element.tag))


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]


def _structure(dataset: _Element) -> str:
    """The structure that a data set's namespaces name: its own in the OECD's 3.0, that of its type in 2.1."""
    for namespace in (str(dataset.tag), *(str(uri) for uri in dataset.nsmap.values())):
        if found := re.search(r"=([^=]+\([0-9.]+\))", namespace):
            return found.group(1)
    return ""


def _assemble(read: _Read) -> Message:
    """Join series and observations; what an observation says wins over its series, and that over their group."""
    others = ATTRIBUTES | read.stated | set(TIME_AND_VALUE)
    on_series = dict.fromkeys(name for one in read.series for name in one)
    dimensions = tuple(name for name in on_series if name not in others)
    if not dimensions or "TIME_PERIOD" in on_series:  # then an observation names dimensions itself
        named = dict.fromkeys(name for one in read.observations for name in one)
        dimensions += tuple(name for name in named if name not in (*others, *dimensions))
    if read.groups:
        pairs = zip(read.observations, (read.series[n] for n in read.index), strict=True)
        records = [_with_groups(series | own, read.groups, dimensions) for own, series in pairs]
        return Message(read.structure, dimensions, table_of(records, dimensions), instant(read.prepared))
    return Message(read.structure, dimensions, _joined(read, dimensions), instant(read.prepared))


def _with_groups(record: dict[str, str], groups: list[dict[str, str]], dimensions: tuple[str, ...]) -> dict[str, str]:
    for group in groups:
        if all(record.get(name) == group[name] for name in dimensions if name in group):
            record = {name: text for name, text in group.items() if name not in dimensions} | record
    return record


def _joined(read: _Read, dimensions: tuple[str, ...]) -> pa.Table:
    """As `table_of` for observations beside their series, column by column: a series has many observations."""
    series, own = table_of(read.series, dimensions), table_of(read.observations, ())
    columns: dict[str, Any] = {}
    spread = series.take(pa.array(read.index, pa.int64()))
    for name in dict.fromkeys((*series.column_names, *own.column_names)):
        both = [table.column(name) for table in (own, spread) if name in table.column_names]
        columns[name] = pc.coalesce(*both)
    return pa.table(columns)
