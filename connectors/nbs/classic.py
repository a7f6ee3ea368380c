"""Older forms of NBS data, for archived payloads and files: nothing here is ever asked for.

Belongs here: answers of the API that was switched off in March 2026 (easyquery.htm) and the CSV files that the web
pages export. Does not belong here: the portal of today (nbs/connector.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.assemble import Parsed, table_of
from connectors.errors import NoData, UnexpectedPayload
from connectors.nbs.parse import plain_name, split_unit
from connectors.reading import LONGEST_NOTE, NotReadable, csv_rows, load_json, text, whole_number

NATION = "000000"
_NEXT = "open the archived payload and compare it with the recorded forms of easyquery.htm"
_QUARTER = {"A": "Q1", "B": "Q2", "C": "Q3", "D": "Q4"}


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Whatever is stumbled over becomes UnexpectedPayload."""
    try:
        yield
    except (NotReadable, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedPayload(f"not {what}: {type(error).__name__}: {error}", next_step=_NEXT) from error


def period_of(code: str) -> str:
    """An SDMX period of a classic code: 2019 → 2019, 2019B → 2019-Q2, 202412 → 2024-12. Raises UnexpectedPayload."""
    found = re.fullmatch(r"([0-9]{4})([ABCD]|0[1-9]|1[0-2])?", code)
    if not found:
        raise UnexpectedPayload(f"{code!r} is not a period of the classic API", next_step=_NEXT)
    year, rest = found.groups()
    return year if rest is None else f"{year}-{_QUARTER.get(rest, rest)}"


def read_query(content: bytes, part: str = "") -> Parsed:
    """An answer to m=QueryData: keys `<zb>.<region>`, the published string as value_text ("" where hasdata is false:
    the number beside it is a false zero). Raises NoData for returncode 501, UnexpectedPayload for any other form."""
    answer = _answer(content)
    with _reading("a classic answer"):
        names = {
            (text(axis["wdcode"]), text(node["code"])): node
            for axis in answer["wdnodes"]
            for node in axis["nodes"]
            if node is not None  # real answers hold null entries
        }
        nodes = answer["datanodes"]
        if not isinstance(nodes, list):  # an empty text would pass for an empty answer
            raise TypeError(f"datanodes is {type(nodes).__name__}, not a list")
        cells = [_cell(node) for node in nodes]
        found = dict.fromkeys((zb, reg, _frequency(period)) for zb, reg, period, _ in cells)
        series = [_series(part, *one, names) for one in found]
    table = table_of((f"{zb}.{region}", period, published, "") for zb, region, period, published in cells)
    return Parsed(table, series, len(cells))


def _answer(content: bytes) -> dict[str, Any]:
    with _reading("a classic envelope"):
        answer = load_json(content)
        code, data = answer["returncode"], answer["returndata"]
    if code == "501":
        raise NoData(f"the classic API had nothing (501: {data})", next_step="check the indicator code of the request")
    if code != "200" or not isinstance(data, dict):
        raise UnexpectedPayload(f"the classic API refused (returncode {code}: {str(data)[:80]})", next_step=_NEXT)
    return data


def _cell(node: dict[str, Any]) -> tuple[str, str, str, str]:
    at = {text(axis["wdcode"]): text(axis["valuecode"]) for axis in node["wds"]}
    if len(at) < len(node["wds"]) or not isinstance(node["data"]["hasdata"], bool):
        raise NotReadable(f"a cell of {', '.join(at)}, one of them twice or without saying whether it has data")
    published = text(node["data"]["strdata"]) if node["data"]["hasdata"] else ""
    return at["zb"], at.get("reg", NATION), period_of(at["sj"]), published


def _frequency(period: str) -> str:
    return "A" if len(period) == 4 else "Q" if "Q" in period else "M"


def _series(part: str, zb: str, region: str, frequency: str, names: dict[tuple[str, str], Any]) -> dict[str, Any]:
    node = names.get(("zb", zb), {})
    remarks = [text(node[name], LONGEST_NOTE) for name in ("exp", "memo") if node.get(name)]
    digits = node.get("dotcount")
    return {
        "series_key": f"{zb}.{region}",
        "part": part,
        "label": text(node.get("cname") or zb),
        "entity": region,
        "dimensions": json.dumps({"INDICATOR": zb, "REGION": region}),
        "unit": text(node.get("unit") or ""),
        "multiplier": 0,
        "decimals": None if digits is None else whole_number(digits),
        "frequency": frequency,
        "notes": "; ".join(remarks) or None,
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
    with _reading("a level of the tree"):
        return [
            TreeNode(text(n["id"]), text(n["name"]), text(n["pid"]), n["isParent"] is False) for n in load_json(content)
        ]


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
    with _reading("a table"):
        lines = [[text(cell.strip(), LONGEST_NOTE) for cell in line] for line in csv_rows(content)]
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
        with _reading("an export"):
            row = _export_row(line, periods)
        if row.keys() & values.keys():
            raise UnexpectedPayload(f"{line[0]!r} stands twice in the export", next_step="check the file")
        values |= row
    years = sorted(int(period) for period in periods if re.fullmatch(r"[0-9]{4}", period))
    gaps = tuple(str(year) for year in range(years[0], years[-1]) if year not in years) if years else ()
    database = next((line[0] for line in lines if line and line[0].startswith("数据库")), "")
    return Export(plain_name(database.partition("：")[2]), values, tuple(notes), gaps)


def _export_row(line: list[str], periods: list[str]) -> dict[tuple[str, str, str], str]:
    """The cells of one indicator; the portal ends its lines with a blank one."""
    name, unit = split_unit(text(line[0]))
    cells = line[1:-1] if len(line) == len(periods) + 2 and not line[-1] else line[1:]
    if len(cells) != len(periods) or len(set(periods)) < len(periods):
        raise NotReadable(f"{len(cells)} cells of {name!r} for the periods {', '.join(periods)[:80]}")
    return {(name, unit, period): published for period, published in zip(periods, cells, strict=True)}
