"""The same cells written in every form in which the World Bank and the NBS give them, by nobody's code but this.

Belongs here: writers of answers for property tests and fuzzing. Does not belong here: tests, or anything of the parsers or
the sandbox.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.http.answers import Classify
from connectors.http.request import Request
from tests.connectors import specimens
from warehouse.schema import Payload

INDICATOR = "GB.XPD.RSDV.GD.ZS"
INDICATOR_NAME = "Research and development expenditure (% of GDP)"
#: ISO2, name and region by ISO3; Namibia's ISO2 code is NA, and so is the region of aggregates.
ECONOMIES = {
    "KOR": ("KR", "Korea, Rep.", "EAS"),
    "JPN": ("JP", "Japan", "EAS"),
    "EMU": ("XC", "Euro area ", "NA"),
    "NAM": ("NA", "Namibia", "SSF"),
    "BRA": ("BR", "Brazil", "LCN"),
}


class Cell(NamedTuple):
    """One cell of the World Bank: a number's text or None."""

    code: str
    year: str
    value: str | None
    status: str = ""


def economies() -> bytes:
    """The answer to /country."""
    entries = [
        {"id": code, "iso2Code": iso2, "name": name, "region": {"id": region, "value": "x"}}
        for code, (iso2, name, region) in ECONOMIES.items()
    ]
    return json.dumps([{"page": 1, "pages": 1, "per_page": "400", "total": len(entries)}, entries]).encode()


def _entry(cell: Cell, style: str) -> str:
    iso2, name, _ = ECONOMIES[cell.code]
    shown, iso3 = {"both": (iso2, cell.code), "iso3": (cell.code, ""), "iso2": (iso2, "")}[style]
    return (
        f'{{"indicator":{{"id":"{INDICATOR}","value":"{INDICATOR_NAME}"}},"country":{{"id":"{shown}","value":"{name}"}},'
        f'"countryiso3code":"{iso3}","date":"{cell.year}","value":{cell.value or "null"},"unit":"",'
        f'"obs_status":"{cell.status}","decimal":2}}'
    )


def page(cells: Sequence[Cell], number: int, size: int, styles: Mapping[str, str]) -> bytes:
    """One page of the v2 API."""
    head = f'"page":{number},"pages":{math.ceil(len(cells) / size)},"per_page":{size},"total":{len(cells)}'
    rows = ",".join(_entry(cell, styles.get(cell.code, "both")) for cell in cells[(number - 1) * size : number * size])
    return f'[{{{head},"sourceid":"2","lastupdated":"2026-07-13"}},[{rows}]]'.encode()


def archive_page(cells: Sequence[Cell], number: int, size: int, version: str) -> bytes:
    """One page of the archive (source 57)."""
    rows = []
    for cell in cells[(number - 1) * size : number * size]:
        concepts = [("Version", version, "2021 July"), ("Series", INDICATOR, INDICATOR_NAME)]
        concepts += [("Country", cell.code, ECONOMIES[cell.code][1]), ("Time", f"YR{cell.year}", cell.year)]
        variables = json.dumps([{"concept": name, "id": code, "value": label} for name, code, label in concepts])
        rows.append(f'{{"variable":{variables},"value":{cell.value or "null"}}}')
    head = f'"page":{number},"pages":{math.ceil(len(cells) / size)},"per_page":{size},"total":{len(cells)}'
    source = f'"source":{{"id":"57","name":"WDI Database Archives","data":[{",".join(rows)}]}}'
    return f'{{{head},"lastupdated":"2025-10-29",{source}}}'.encode()


def versions(*held: str) -> bytes:
    """The archive's list of versions."""
    listed = [{"id": version, "value": "2021 July"} for version in held]
    return json.dumps({"source": [{"id": "57", "concept": [{"id": "version", "variable": listed}]}]}).encode()


@dataclass
class Pages:
    """Answers as a transport does, from cells in the order given; counts what it was asked."""

    cells: Sequence[Cell]
    styles: Mapping[str, str]
    version: str = ""
    asked: int = 0

    def get(self, request: Request, classify: Classify) -> Payload:
        """The answer to one request."""
        self.asked += 1
        params = dict(request.params)
        url = f"http://example.test/{request.path}?page={params.get('page', '')}"
        answer = specimens.payload(self._content(request.path, params), url)
        assert classify(answer) is None
        return answer

    def _content(self, path: str, params: Mapping[str, str]) -> bytes:
        if path == "country":
            return economies()
        if path.endswith("version/data"):
            return versions(self.version)
        codes = path.split("country/")[1].split("/")[0].split(";")
        wanted = [cell for cell in self.cells if cell.code in codes]
        number, size = int(params["page"]), int(params["per_page"])
        if self.version:
            return archive_page(wanted, number, size, self.version)
        return page(wanted, number, size, self.styles)


#: Indicators of the NBS: name and unit by number. The classic API and the portal have ids of their own for them.
INDICATORS = {1: ("技术市场成交额", "亿元"), 2: ("专利申请数", "项"), 3: ("居民消费价格指数(上年=100)", "%")}
NATION = "000000000000"
Figures = Mapping[tuple[int, str], str]  # the published text by indicator and year; "" is blank


def listing(numbers: Iterable[int] = INDICATORS) -> bytes:
    """The portal's list of the indicators of a leaf."""
    entries = [
        {"_id": f"id{n}", "_name": INDICATORS[n][0], "ek": f"ek{n}", "dp": "1", "kj1": None, "num_accuracy_value": "2"}
        | {"i_showname": f"{INDICATORS[n][0]} ({INDICATORS[n][1]}) ", "du_name": INDICATORS[n][1], "i_mark": None}
        for n in numbers
    ]
    return _enveloped({"list": entries, "total": len(entries)})


def _enveloped(data: Any) -> bytes:
    return json.dumps({"data": data, "success": True, "state": 20000, "message": "成功"}, ensure_ascii=False).encode()


def portal(figures: Figures, order: Sequence[tuple[int, str]], split: bool = False) -> bytes:
    """The portal's values, periods and cells in the order of `order`; `split`: a period may come in several blocks."""
    blocks: list[dict[str, Any]] = []
    for number, year in order:
        code = f"{year}YY"
        block = next((one for one in blocks if one["code"] == code), None)
        if block is None or (split and blocks[-1]["code"] != code):
            block = {"code": code, "name": f"{year}年", "values": []}
            blocks.append(block)
        said = {"_id": f"id{number}", "value": figures[number, year], "da": NATION, "da_name": "全国", "kj1": None}
        block["values"].append(said)
    return _enveloped(blocks)


def classic(figures: Figures, order: Sequence[tuple[int, str]]) -> bytes:
    """The same from easyquery.htm: a false zero stands beside a blank."""
    nodes = [
        {
            "data": {"data": 0.0, "dotcount": 2, "hasdata": figures[at] != "", "strdata": figures[at]},
            "wds": [{"valuecode": f"A0{at[0]}", "wdcode": "zb"}, {"valuecode": at[1], "wdcode": "sj"}],
        }
        for at in order
    ]
    named = [{"code": f"A0{n}", "cname": name, "unit": unit, "dotcount": 2} for n, (name, unit) in INDICATORS.items()]
    data = {"datanodes": nodes, "wdnodes": [{"wdcode": "zb", "nodes": [None, *named]}]}
    return json.dumps({"returncode": 200, "returndata": data}, ensure_ascii=False).encode()


def _export(figures: Figures, order: Sequence[tuple[int, str]], head: str, end: str, last: str) -> bytes:
    numbers, years = dict.fromkeys(n for n, _ in order), dict.fromkeys(year for _, year in order)
    lines = [f"指标{end}," + ",".join(f"{year}年{end}" for year in years) + last]
    for number in numbers:
        name, unit = INDICATORS[number]
        lines.append(f"{name}({unit}){end}," + ",".join(figures.get((number, y), "") + end for y in years) + last)
    return ("\ufeff" + head + "\n".join(lines) + "\n数据来源：国家统计局\n").encode()


def classic_export(figures: Figures, order: Sequence[tuple[int, str]]) -> bytes:
    """The table that the old pages let people download."""
    return _export(figures, order, "数据库：年度数据\n时间：最近10年\n", "", "")


def portal_export(figures: Figures, order: Sequence[tuple[int, str]]) -> bytes:
    """The table that the portal lets people download: its cells end in a tab, its lines in a blank cell."""
    return _export(figures, order, "数据库：年度数据 \n时间： \n", "\t", ",")


NBS_TABLES: dict[str, Callable[[Figures, Sequence[tuple[int, str]]], bytes]] = {
    "classic": classic_export,
    "portal": portal_export,
}
