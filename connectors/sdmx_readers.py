"""Readers of SDMX messages: from bytes to one table of strings, a row an observation.

Belongs here: the OECD's SDMX-CSV (with and without labels), its SDMX-ML 3.0 structure-specific messages (which neither
sdmx1 nor pysdmx reads), content constraints, and the forms of the API that was switched off in 2024, for archived
payloads. Does not belong here: asking for them, or what flags and values mean (oecd.py).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pacsv

#: Flags of an observation, in their order; then all names that are attributes wherever they stand. What remains beside
#: TIME_PERIOD and OBS_VALUE is a dimension.
STATUS = (
    "OBS_STATUS",
    "OBS_STATUS_2",
    "OBS_STATUS_3",
    "AUX_OBS_STATUS",
    "AUX_OBS_STATUS_2",
    "AUX_OBS_STATUS_3",
    "CONF_STATUS",
)
ATTRIBUTES = frozenset((*STATUS, "UNIT_MULT", "DECIMALS", "BASE_PER", "REF_YEAR_PRICE", "CURRENCY", "TIME_FORMAT"))
_ENVELOPE = ("DATAFLOW", "STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION")
_CODE = re.compile(r"[A-Z][A-Z0-9_]*")


class NotSdmx(ValueError):
    """Bytes that are not a message of the form the reader knows; says what is missing."""


@dataclass(frozen=True)
class Message:
    """One data message: `rows` holds only strings: dimensions, TIME_PERIOD, OBS_VALUE, attributes; null: not given.

    `structure` names the dataflow or data structure, as the message does; `labels` are names of codes by dimension.
    """

    structure: str
    dimensions: tuple[str, ...]
    rows: pa.Table
    prepared: datetime | None = None
    labels: dict[str, dict[str, str]] | None = None
    form: str = ""  # "csv" for SDMX-CSV, the form that is asked for

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attribute columns that the message has."""
        return tuple(n for n in self.rows.column_names if n not in (*self.dimensions, "TIME_PERIOD", "OBS_VALUE"))


def read_csv(content: bytes) -> Message:
    """An SDMX-CSV 1.0 or 2.0 message, codes only or with label columns. Raises NotSdmx."""
    names = next(csv.reader(io.StringIO(content[:65536].decode("utf-8-sig", "replace"))), [])
    if not names or names[0] not in ("DATAFLOW", "STRUCTURE"):
        raise NotSdmx(f"the first column is {names[0] if names else 'absent'!r}, not DATAFLOW or STRUCTURE")
    for needed in ("TIME_PERIOD", "OBS_VALUE"):
        if needed not in names:
            raise NotSdmx(f"no column {needed}; the columns are {', '.join(names)}")
    table = _strings(content, names)
    codes = [n for n in names if _CODE.fullmatch(n) and n not in _ENVELOPE]
    labels = {
        code: _pairs(table, code, names[at + 1])
        for code in codes
        if (at := names.index(code)) + 1 < len(names) and not _CODE.fullmatch(names[at + 1])
    }
    time = codes.index("TIME_PERIOD")
    dimensions = tuple(n for n in codes[:time] if n not in ATTRIBUTES)
    order = [*dimensions, "TIME_PERIOD", "OBS_VALUE", *(n for n in codes if n not in (*dimensions, *_TIME_AND_VALUE))]
    flow = table.column("STRUCTURE_ID" if "STRUCTURE_ID" in names else "DATAFLOW")
    structures = flow.unique().to_pylist()
    if len(structures) > 1:
        raise NotSdmx(f"more than one dataflow in one message: {structures}")
    return Message(
        str(structures[0]) if structures else "", dimensions, table.select(order), None, labels or None, "csv"
    )


_TIME_AND_VALUE = ("TIME_PERIOD", "OBS_VALUE")


def _strings(content: bytes, names: Sequence[str], nulls: bool = True) -> pa.Table:
    """A CSV table with every column as text; the empty cell is null. A row of another width raises NotSdmx."""
    if len(set(names)) < len(names):
        raise NotSdmx(f"a column stands twice: {sorted({n for n in names if names.count(n) > 1})}")
    options = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=nulls,
        quoted_strings_can_be_null=nulls,
    )
    try:
        return pacsv.read_csv(
            io.BytesIO(content),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=1 << 24),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
    except pa.ArrowInvalid as error:
        raise NotSdmx(f"not a table of {len(names)} columns: {error}") from error


def _pairs(table: pa.Table, code: str, label: str) -> dict[str, str]:
    pairs = table.select([code, label]).group_by([code, label]).aggregate([])
    found = zip(pairs.column(code).to_pylist(), pairs.column(label).to_pylist(), strict=True)
    return {key: text for key, text in found if key is not None and text is not None}


def read_ml(content: bytes) -> Message:
    """A structure-specific SDMX-ML message (2.1 or 3.0), also one whose header names no structure. Raises NotSdmx.

    Series may be split over several elements and stand in any order, as in the OECD's real files.
    """
    from lxml import etree

    structure, prepared = "", None
    series: list[dict[str, str]] = []
    index: list[int] = []
    observations: list[dict[str, str]] = []
    try:
        # Series and Obs have no namespace of a standard: the OECD puts the structure's URN there
        for _, element in etree.iterparse(
            io.BytesIO(content), tag=("{*}Series", "{*}Prepared", "{*}DataSet"), resolve_entities=False, no_network=True
        ):
            name = etree.QName(element)
            if name.localname == "Series":
                index += [len(series)] * len(element)
                series.append(dict(element.attrib))
                observations += [dict(child.attrib) for child in element]
                element.clear()
            elif name.localname == "Prepared":
                prepared = datetime.fromisoformat(element.text)
            else:
                structure = _structure(name.namespace or "")
    except etree.XMLSyntaxError as error:
        raise NotSdmx(f"not well-formed XML: {error}") from error
    if not structure:
        raise NotSdmx("no DataSet element in a namespace that names its structure")
    return _assemble(structure, prepared, series, index, observations)


def _structure(namespace: str) -> str:
    found = re.search(r"=([^=]+\([\d.]+\))", namespace)
    return found.group(1) if found else ""


def _assemble(
    structure: str,
    prepared: datetime | None,
    series: list[dict[str, str]],
    index: list[int],
    observations: list[dict[str, str]],
) -> Message:
    """Join the columns of series and observations; a value on the observation wins over the series' own."""
    on_series = list(dict.fromkeys(name for one in series for name in one))
    on_obs = dict.fromkeys(name for one in observations for name in one)
    dimensions = tuple(name for name in on_series if name not in ATTRIBUTES)
    take = pa.array(index, pa.int32())
    columns: dict[str, pa.Array] = {
        name: pa.array([one.get(name) for one in series], pa.string()).take(take) for name in on_series
    }
    for name in dict.fromkeys((*_TIME_AND_VALUE, *on_obs)):
        own = pa.array([one.get(name) for one in observations], pa.string())
        columns[name] = pc.coalesce(own, columns[name]) if name in columns else own
    order = [*dimensions, *_TIME_AND_VALUE, *(n for n in columns if n not in (*dimensions, *_TIME_AND_VALUE))]
    return Message(structure, dimensions, pa.table({name: columns[name] for name in order}), prepared)


def read_valid_from(content: bytes) -> str | None:
    """Since when a flow's data are as they are, as an "actual" content constraint in SDMX-ML 2.1 gives it; read by sdmx1.

    Raises NotSdmx.
    """
    import sdmx

    try:
        message: Any = sdmx.read_sdmx(io.BytesIO(content))
        found = list(message.constraint.values())
    except Exception as error:  # sdmx1 raises whatever its parser meets
        raise NotSdmx(f"not a structure message: {type(error).__name__}: {error}") from error
    if len(found) != 1:
        raise NotSdmx(f"{len(found)} content constraints where one was expected")
    return str(found[0].valid_from) if found[0].valid_from else None


def read_json(content: bytes) -> Message:
    """An SDMX-JSON 1.0 message with all dimensions at the observation, as the old API gave it. Raises NotSdmx."""
    try:
        message = json.loads(content, parse_float=str, parse_int=str)
        structure, sets = message["structure"], message["dataSets"]
        dimensions = structure["dimensions"]["observation"]
        attributes = structure["attributes"]["observation"]
        rows = [
            _json_row(key, cells, dimensions, attributes) for one in sets for key, cells in one["observations"].items()
        ]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NotSdmx(f"not SDMX-JSON 1.0 with observations: {type(error).__name__}: {error}") from error
    names = tuple(d["id"] for d in dimensions if d["id"] != "TIME_PERIOD")
    order = (*names, *_TIME_AND_VALUE, *(a["id"] for a in attributes))
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in order})
    labels = {d["id"]: {value["id"]: value["name"] for value in d["values"]} for d in dimensions}
    prepared = datetime.fromisoformat(message["header"]["prepared"])
    return Message(str(structure.get("name", "")), names, table, prepared, labels)


def _json_row(key: str, cells: list[Any], dimensions: list[Any], attributes: list[Any]) -> dict[str, str]:
    row = {d["id"]: d["values"][int(at)]["id"] for d, at in zip(dimensions, key.split(":"), strict=True)}
    if cells[0] is not None:
        row["OBS_VALUE"] = cells[0]
    if len(cells) - 1 < len(attributes):  # the old API gave no place to an attribute that is never used
        attributes = [a for a in attributes if a["values"]]
    for attribute, at in zip(attributes, cells[1:], strict=True):
        if at is not None:
            row[attribute["id"]] = attribute["values"][int(at)]["id"]
    return row


#: Column names of the old API's tables and what they are called today.
_LEGACY = {
    "TIME": "TIME_PERIOD",
    "Time": "TIME_PERIOD",
    "Value": "OBS_VALUE",
    "ObsValue": "OBS_VALUE",
    "Flag.Codes": "OBS_STATUS",
    "PowerCode.Code": "UNIT_MULT",
    "POWERCODE": "UNIT_MULT",
    "Unit.Code": "UNIT_MEASURE",
    "UNIT": "UNIT_MEASURE",
    "Reference.Period.Code": "REF_YEAR_PRICE",
}


def read_legacy_csv(content: bytes) -> Message:
    """A table of stats.oecd.org (switched off in 2024), with or without label columns. Raises NotSdmx."""
    names = next(csv.reader(io.StringIO(content[:65536].decode("utf-8-sig"))), [])
    table = _strings(content, names)
    renamed: dict[str, str] = {}
    for name in names:
        today = _LEGACY.get(name, name)
        if _CODE.fullmatch(today) and today not in renamed.values():
            renamed[name] = today
    missing = {"TIME_PERIOD", "OBS_VALUE"} - set(renamed.values())
    if missing:
        raise NotSdmx(f"no column for {', '.join(sorted(missing))} among {', '.join(names)}")
    table = table.select(list(renamed)).rename_columns(list(renamed.values()))
    dimensions = tuple(n for n in table.column_names if n not in ATTRIBUTES and n not in _TIME_AND_VALUE)
    order = [*dimensions, *_TIME_AND_VALUE, *(n for n in table.column_names if n in ATTRIBUTES)]
    return Message("stats.oecd.org", dimensions, table.select(order))


def reader_for(content: bytes) -> Callable[[bytes], Message]:
    """The reader for a data message, chosen by its first bytes. Raises NotSdmx."""
    head = content[:2048].lstrip(b"\xef\xbb\xbf \r\n")
    if head.startswith(b"<") and b"StructureSpecificData" in head:
        return read_ml
    if head.startswith(b"{"):
        return read_json
    if head.startswith((b"DATAFLOW,", b"STRUCTURE,")):
        return read_csv
    if b"," in head and not head.startswith(b"<"):
        return read_legacy_csv
    raise NotSdmx(f"no known form of message begins with {head[:40]!r}")
