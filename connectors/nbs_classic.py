"""Older forms of NBS data, for archived payloads and files: nothing here is ever asked for.

Belongs here: answers of the API that was switched off in March 2026 (easyquery.htm) and the CSV files that the web
pages export. Does not belong here: the portal of today (nbs.py).
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from connectors.assemble import Parsed
from connectors.errors import NoData, UnexpectedPayload
from connectors.nbs import plain_name, split_unit

NATION = "000000"
_NEXT = "open the archived payload and compare it with the recorded forms of easyquery.htm"
_QUARTER = {"A": "Q1", "B": "Q2", "C": "Q3", "D": "Q4"}


def period_of(code: str) -> str:
    """An SDMX period of a classic code: 2019 → 2019, 2019B → 2019-Q2, 202412 → 2024-12. Raises UnexpectedPayload."""
    found = re.fullmatch(r"(\d{4})([ABCD]|0[1-9]|1[0-2])?", code)
    if not found:
        raise UnexpectedPayload(f"{code!r} is not a period of the classic API", next_step=_NEXT)
    year, rest = found.groups()
    return year if rest is None else f"{year}-{_QUARTER.get(rest, rest)}"


def read_query(content: bytes, part: str = "") -> Parsed:
    """An answer to m=QueryData: keys `<zb>.<region>`, the published string as value_text ("" where hasdata is false:
    the number beside it is a false zero). Raises NoData for returncode 501, UnexpectedPayload for any other form."""
    answer = _answer(content)
    try:
        names = {
            (axis["wdcode"], node["code"]): node
            for axis in answer["wdnodes"]
            for node in axis["nodes"]
            if node is not None  # real answers hold null entries
        }
        cells = [_cell(node) for node in answer["datanodes"]]
    except (KeyError, TypeError) as error:
        raise UnexpectedPayload(f"not a classic answer: {type(error).__name__}: {error}", next_step=_NEXT) from error
    columns = list(zip(*((f"{zb}.{reg}", period, text) for zb, reg, period, text in cells), strict=True)) or [
        (),
        (),
        (),
    ]
    table = pa.table(
        {
            **{
                name: pa.array(column, pa.string())
                for name, column in zip(("series_key", "period", "value_text"), columns, strict=True)
            },
            "status": pa.array([""] * len(cells), pa.string()),
        }
    )
    found = dict.fromkeys((zb, reg, _frequency(period)) for zb, reg, period, _ in cells)
    return Parsed(table, [_series(part, *one, names) for one in found])


def _answer(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content.decode("utf-8-sig"))
        code, data = answer["returncode"], answer["returndata"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnexpectedPayload(f"not a classic envelope: {type(error).__name__}: {error}", next_step=_NEXT) from error
    if code == 501:
        raise NoData(f"the classic API had nothing (501: {data})", next_step="check the indicator code of the request")
    if code != 200 or not isinstance(data, dict):
        raise UnexpectedPayload(f"the classic API refused (returncode {code}: {data})", next_step=_NEXT)
    return data


def _cell(node: dict[str, Any]) -> tuple[str, str, str, str]:
    at = {axis["wdcode"]: axis["valuecode"] for axis in node["wds"]}
    text = node["data"]["strdata"] if node["data"]["hasdata"] else ""
    return at["zb"], at.get("reg", NATION), period_of(at["sj"]), text


def _frequency(period: str) -> str:
    return "A" if len(period) == 4 else "Q" if "Q" in period else "M"


def _series(part: str, zb: str, region: str, frequency: str, names: dict[tuple[str, str], Any]) -> dict[str, Any]:
    node = names.get(("zb", zb), {})
    remarks = [node.get("exp"), node.get("memo")]
    return {
        "series_key": f"{zb}.{region}",
        "part": part,
        "label": node.get("cname") or zb,
        "entity": region,
        "dimensions": json.dumps({"INDICATOR": zb, "REGION": region}),
        "unit": node.get("unit") or "",
        "multiplier": 0,
        "decimals": node.get("dotcount"),
        "frequency": frequency,
        "notes": "; ".join(text for text in remarks if text) or None,
    }


@dataclass(frozen=True)
class TreeNode:
    """One node of the classic tree; a leaf holds indicators."""

    id: str
    name: str
    parent: str
    leaf: bool


def read_tree(content: bytes) -> list[TreeNode]:
    """An answer to m=getTree: one level of the tree. Raises UnexpectedPayload."""
    try:
        return [
            TreeNode(n["id"], n["name"], n["pid"], not n["isParent"]) for n in json.loads(content.decode("utf-8-sig"))
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UnexpectedPayload(f"not a level of the tree: {type(error).__name__}: {error}", next_step=_NEXT) from error


@dataclass(frozen=True)
class Export:
    """A CSV file of the download button. `values` are published strings by (name, unit, period); "" where blank.

    `gaps` are years the file leaves out (the classic export silently dropped one). The file does not name the region.
    """

    database: str
    values: dict[tuple[str, str, str], str]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]


def read_export(content: bytes) -> Export:
    """An export of the classic pages or of the portal (whose cells end in a tab). Raises UnexpectedPayload."""
    lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(content.decode("utf-8-sig")))]
    head = next((n for n, line in enumerate(lines) if line and line[0] == "指标"), None)
    if head is None:
        raise UnexpectedPayload("no line that begins with 指标", next_step="check that the file is an NBS export")
    periods = [cell.removesuffix("年") for cell in lines[head][1:] if cell]
    values: dict[tuple[str, str, str], str] = {}
    notes: list[str] = []
    for line in lines[head + 1 :]:
        if len(line) < 2 or line[0].startswith(("注", "数据来源")):
            notes += [line[0]] if line and line[0] else []
            continue
        name, unit = split_unit(line[0])
        values |= {(name, unit, period): text for period, text in zip(periods, line[1:], strict=False)}
    years = sorted(int(period) for period in periods if re.fullmatch(r"\d{4}", period))
    gaps = tuple(str(year) for year in range(years[0], years[-1]) if year not in years) if years else ()
    database = next((line[0] for line in lines if line and line[0].startswith("数据库")), "")
    return Export(plain_name(database.partition("：")[2]), values, tuple(notes), gaps)
