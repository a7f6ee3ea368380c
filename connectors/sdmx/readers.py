"""Readers of SDMX messages: from bytes to one table of strings, a row an observation.

Belongs here: which reader a message wants, SDMX-CSV (1.0 and 2.0, with and without labels), tables of the API that was
switched off in 2024, content constraints. Does not belong here: the other forms (sdmx/ml.py, sdmx/json.py), asking for
them, or what flags and values mean (oecd/parse.py).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence

import pyarrow as pa
from pyarrow import csv as pacsv

from connectors.reading import NotReadable, csv_rows, structure_message
from connectors.sdmx.json import read_json
from connectors.sdmx.message import ATTRIBUTES, TIME_AND_VALUE, Message, NotSdmx
from connectors.sdmx.ml import read_ml

_ENVELOPE = ("DATAFLOW", "STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION")
_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_LINE = re.compile(rb"[^\r\n]+")


def read_csv(content: bytes) -> Message:
    """An SDMX-CSV 1.0 or 2.0 message, codes only or with label columns. Raises NotSdmx."""
    names = _header(content)
    if not names or names[0] not in ("DATAFLOW", "STRUCTURE"):
        raise NotSdmx(f"the first column is {names[0] if names else 'absent'!r}, not DATAFLOW or STRUCTURE")
    for needed in TIME_AND_VALUE:
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
    dimensions = tuple(n for n in codes[:time] if n not in ATTRIBUTES and n != "OBS_VALUE")
    order = [*dimensions, *TIME_AND_VALUE, *(n for n in codes if n not in (*dimensions, *TIME_AND_VALUE))]
    return Message(_flow(table), dimensions, table.select(order), None, labels or None, "csv")


def _flow(table: pa.Table) -> str:
    """The one dataflow that all rows name; they must not be rows that delete."""
    name = "STRUCTURE_ID" if "STRUCTURE_ID" in table.column_names else table.column_names[0]
    flows = table.column(name).unique().to_pylist()
    if len(flows) > 1:
        raise NotSdmx(f"more than one dataflow in one message: {flows}")
    if "ACTION" in table.column_names and "D" in table.column("ACTION").unique().to_pylist():
        raise NotSdmx("rows that delete what they name (ACTION is D)")
    return str(flows[0]) if flows else ""


def _header(content: bytes) -> list[str]:
    """The names of the columns. Raises NotSdmx."""
    line = _LINE.search(content)
    try:
        return csv_rows(line.group())[0] if line else []
    except NotReadable as error:
        raise NotSdmx(str(error)) from error


def _strings(content: bytes, names: Sequence[str]) -> pa.Table:
    """A CSV table with every column as text; the empty cell is null. Raises NotSdmx for a row of another width, and when
    lines were joined, as a quote that is left open does."""
    if len(set(names)) < len(names):
        raise NotSdmx(f"a column stands twice: {sorted({n for n in names if names.count(n) > 1})}")
    options = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    try:
        table = pacsv.read_csv(
            io.BytesIO(content),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=1 << 24),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise NotSdmx(f"not a table of {len(names)} columns: {error}") from error
    lines = sum(1 for _ in _LINE.finditer(content)) - 1
    if table.column_names != list(names) or table.num_rows != lines:
        raise NotSdmx(f"{lines} lines below the header, but {table.num_rows} rows of {', '.join(table.column_names)}")
    return table


def _pairs(table: pa.Table, code: str, label: str) -> dict[str, str]:
    both = pa.table({"code": table.column(code), "label": table.column(label)})  # a name with a dot would be a path
    pairs = both.group_by(["code", "label"]).aggregate([])
    found = zip(pairs.column("code").to_pylist(), pairs.column("label").to_pylist(), strict=True)
    return {key: text for key, text in found if key is not None and text is not None}


def read_valid_from(content: bytes) -> str | None:
    """Since when a flow's data are as they are, as an "actual" content constraint in SDMX-ML 2.1 gives it; read by sdmx1.

    Raises NotSdmx.
    """
    try:
        found = list(structure_message(content).constraint.values())
    except (NotReadable, AttributeError) as error:
        raise NotSdmx(str(error)) from error
    if len(found) != 1:
        raise NotSdmx(f"{len(found)} content constraints where one was expected")
    return str(found[0].valid_from) if found[0].valid_from else None


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
    names = _header(content)
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
    dimensions = tuple(n for n in table.column_names if n not in ATTRIBUTES and n not in TIME_AND_VALUE)
    order = [*dimensions, *TIME_AND_VALUE, *(n for n in table.column_names if n in ATTRIBUTES)]
    return Message("stats.oecd.org", dimensions, table.select(order))


def reader_for(content: bytes) -> Callable[[bytes], Message]:
    """The reader for a data message, chosen by its first bytes. Raises NotSdmx."""
    head = content[:2048].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<") and (b"StructureSpecificData" in head or b"GenericData" in head):
        return read_ml
    if head.startswith(b"{"):
        return read_json
    if head.startswith((b"DATAFLOW,", b"STRUCTURE,")):
        return read_csv
    if b"," in head and not head.startswith(b"<"):
        return read_legacy_csv
    raise NotSdmx(f"no known form of message begins with {head[:40]!r}")
