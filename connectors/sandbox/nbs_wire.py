"""The wire format of the NBS data portal of 2026: home page, tree, indicators of a leaf, and values (`stream/esData`).

Belongs here: addresses, ids and forms of the portal. What was known when is asked of facts.py. The ids of the
indicators below these leaves are not publicly known; the sandbox derives stable ones (`_id`, `ek`) from a hash of
"sandbox:" + leaf + name, so no id seen here may ever be pinned. Only the branches that lead to held leaves are served.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from connectors.sandbox import facts, faults
from connectors.sandbox.facts import NbsIndicator
from connectors.sandbox.wire import Answer, Question, text

ROOT = "884c062607104a91967b22742537f44f"
NATION = "000000000000"
API = "publicrelease/web/external"
#: leaf id → dataset and part
LEAVES = {
    "d198efc7d03c46bd9069e035e7ddd038": ("nbs.science_technology", "overview"),
    "b450f3f38a89456fa6b5cdafb729547b": ("nbs.science_technology", "patent_applications"),
    "33ae392d31234d2280f2c274d02d9588": ("nbs.science_technology", "patent_grants"),
    "5757191d22e24526bcc4b32d2ed76d88": ("nbs.science_technology", "papers_indexed"),
    "50121eeff3c34231bd9a46f67786e449": ("nbs.fdi_by_country", "asia"),
}
_WINDOW = 10  # years shown when no range is asked
_NOTES = {
    "secondary": "SANDBOX: 数值取自第二手图表，并非国家统计局应答 (from a secondary chart source, not an NBS answer)",
    "paper": "SANDBOX: 数值取自论文所载 (as printed in a paper, not an NBS answer)",
}
Row = dict[str, object]


def answer(question: Question) -> Answer:
    """Answer any address below the portal's base URL."""
    path = question.path.strip("/")
    match question.method, path.removeprefix(f"{API}/"):
        case "GET", "page.html":
            cookies = (("Set-Cookie", "JSESSIONID=sandbox; Path=/"), ("Set-Cookie", "wzws_cid=sandbox; Path=/"))
            page = "<!DOCTYPE html><html><head><title>国家数据</title></head><body>SANDBOX</body></html>"
            return Answer(page.encode(), "text/html; charset=utf-8", headers=cookies)
        case "GET", "new/queryIndexTreeAsync":
            return _tree(question)
        case "GET", "new/queryIndicatorsByCid":
            cid = question.params.get("cid", "")
            held = () if question.fault == "vanished_code" and _touched(cid) else _indicators(cid)
            rows = [_indicator_row(cid, n, one, question) for n, one in enumerate(held, 1)]
            return _success({"list": rows, "total": len(rows)})
        case "POST", "stream/esData":
            return _values(question)
    return text("<html><body><h1>404 Not Found</h1></body></html>", 404, "text/html")


def _tree(question: Question) -> Answer:
    """One level of the annual tree; an empty parent gives the root."""
    if question.params.get("code", "3") != "3":
        return _success([])
    parent = question.params.get("pid", "")
    if not parent:
        return _success([_node(ROOT, "年度数据", "", "folder", 0)])
    wanted = "" if parent == ROOT else parent
    nodes = [row for row in facts.table("nbs_tree.csv") if row["parent"] == wanted]
    nodes = [row for row in nodes if not (question.fault == "vanished_code" and _touched(row["id"]))]
    names = {row["id"]: _name(question, row) for row in nodes}
    return _success([_node(row["id"], names[row["id"]], parent, row["kind"], len(_branch(row["id"]))) for row in nodes])


def _touched(leaf: str) -> bool:
    """Whether the faults that change the tree touch this leaf."""
    dataset, part = LEAVES.get(leaf, ("", ""))
    return bool(part) and faults.SCALED.get(dataset) == part


def _name(question: Question, row: dict[str, str]) -> str:
    renamed = question.fault == "renamed_code" and _touched(row["id"])
    return f"{row['name']}（新口径）" if renamed else row["name"]


def _node(identifier: str, name: str, parent: str, kind: str, level: int) -> Row:
    branch = [ROOT, *reversed(_branch(identifier))] if identifier != ROOT else [ROOT]
    return {
        **{"_id": identifier, "_name": name, "name": name, "isLeaf": kind == "leaf", "type": "catalog"},
        **{"treeinfo_globalid": ".".join(branch), "treeinfo_pid": parent, "treeinfo_level": level},
        **{"sdate": None, "edate": None},
    }


def _branch(identifier: str) -> list[str]:
    """A node and its ancestors below the root, the node first."""
    parents = {row["id"]: row["parent"] for row in facts.table("nbs_tree.csv")}
    found = []
    while identifier:
        found.append(identifier)
        identifier = parents.get(identifier, "")
    return found


def _indicators(cid: str) -> tuple[NbsIndicator, ...]:
    return facts.nbs_indicators(LEAVES[cid][1]) if cid in LEAVES else ()


def _indicator_row(cid: str, order: int, indicator: NbsIndicator, question: Question) -> Row:
    """An indicator as queryIndicatorsByCid lists it. The note says what its values rest on."""
    return _common(cid, order, indicator, question) | {
        **{"ek_name": indicator.name, "ek_dp": f"{derived_id(cid, indicator.name, 'ek')}_1"},
        **{"ek_dp_name": f"{indicator.name}_本期", "dp_name": "本期", "i_annotation": None},
        **{"i_mark": f"{_NOTES[indicator.basis]} {indicator.where}"},
        **dict.fromkeys(("kj1", "kj1_name", "kj2", "kj2_name", "kj3", "kj3_name")),
        **dict.fromkeys(("chart_style_text", "chart_style_value", "dead_line_value", "default_indicator_value")),
        **dict.fromkeys(("daterange_sdate", "daterange_edate")),
    }


def _common(cid: str, order: int, indicator: NbsIndicator, question: Question) -> Row:
    """The fields that indicators and values share. The bracket of i_showname and du_name agree, save under a fault."""
    unit = f"万{indicator.unit}" if question.fault == "changed_unit" else indicator.unit
    return {
        **{"i_showname": f"{indicator.name} ({indicator.unit}) ", "num_accuracy_text": indicator.digits},
        **{"_name": indicator.name, "is_economy_chart_show_text": "是", "ek": derived_id(cid, indicator.name, "ek")},
        **{"dp": "1", "type": "indicator", "is_economy_chart_show_value": "1", "ds_order": order},
        **{"du": derived_id("unit", unit), "catalogid": cid, "_id": derived_id(cid, indicator.name)},
        **{"num_accuracy_value": indicator.digits, "du_name": unit},
    }


def derived_id(*words: str) -> str:
    """A stable stand-in for an id that is not publicly known."""
    return hashlib.sha256(("sandbox:" + "".join(words)).encode()).hexdigest()[:32]


def _values(question: Question) -> Answer:
    """Values of a leaf. A body that the portal would not understand is answered as the portal does."""
    try:
        asked = json.loads(question.body)
    except ValueError:
        return text("<html><body>400 Bad Request</body></html>", 400, "text/html")
    if not asked.get("showType"):
        return text('{"success":false,"state":50000,"message":"系统异常"}', 500, "application/json")
    years = _years(asked.get("dts") or [f"{question.today.year - _WINDOW}YY-{question.today.year - 1}YY"])
    if years is None:
        return text("<html><body>参数错误</body></html>", 200, "text/html")
    cid = str(asked.get("cid", ""))
    gone = question.fault == "vanished_code" and _touched(cid)
    if asked.get("rootId") != ROOT or cid not in LEAVES or gone:
        return _success([], data=True)
    if question.fault == "empty_future_period":
        years |= {question.today.year + 1}
    wanted = asked.get("indicatorIds") or [derived_id(cid, one.name) for one in _indicators(cid)]
    places = asked.get("das") if asked.get("daCatalogId", "") == "" else None
    regions = places or [{"text": "全国", "value": NATION}]
    periods = [
        {"code": f"{year}YY", "name": f"{year}年", "values": list(_row(question, cid, wanted, regions, str(year)))}
        for year in sorted(years, reverse=True)
    ]
    return _success(periods, data=True)


def _row(question: Question, cid: str, wanted: list[str], regions: list[dict[str, str]], year: str) -> Iterator[Row]:
    """The values of one period; "" where nothing is published, which is the case for every region but the nation."""
    dataset, part = LEAVES[cid]
    cells = facts.state(dataset, part, question.on)
    cells = faults.change(question.fault, dataset, part, cells, question.today.year + 1)
    column = "v" if question.fault == "renamed_column" else "value"
    for order, indicator in enumerate(_indicators(cid), 1):
        row = _common(cid, order, indicator, question)
        if row["_id"] not in wanted:
            continue
        for region in regions:
            nation = region["value"] == NATION
            cell = cells.get((indicator.name, year)) if nation else None
            found = row | {"order": order, column: cell.value if cell else "", "da": region["value"]}
            found |= {"da_name": "全国" if nation else region.get("text", "")}
            if question.fault == "new_dimension":
                found |= {"kj1": derived_id("kj1"), "kj1_name": "规模以上"}
            yield found
            if question.fault == "duplicate_row" and order == 1:
                yield found


def _years(ranges: object) -> set[int] | None:
    """The years of a list of closed ranges such as "2013YY-2023YY"; None for anything else."""
    if not isinstance(ranges, list):
        return None
    years: set[int] = set()
    for asked in ranges:
        match = re.fullmatch(r"(\d{4})YY-(\d{4})YY", str(asked))
        if match is None:
            return None
        years |= set(range(int(match[1]), int(match[2]) + 1))
    return years


def _success(content: object, *, data: bool = False) -> Answer:
    body = {"data": content, "success": True, "state": 20000, "message": "成功"}
    return Answer(json.dumps(body, ensure_ascii=False).encode(), data=data)
