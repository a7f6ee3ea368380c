"""The tables of facts of the National Bureau of Statistics of China: the little that is publicly known.

Belongs here: reading the charts' numbers, the claims of papers, and the branches of the tree; see facts/README.md.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from ruamel.yaml import YAML

from connectors.sandbox.facts import Vintage

Row = Sequence[str]
NBS_RETRIEVED = date(2026, 11, 21)
NBS_LEAVES = {
    "overview": "d198efc7d03c46bd9069e035e7ddd038",
    "patent_applications": "b450f3f38a89456fa6b5cdafb729547b",
    "patent_grants": "33ae392d31234d2280f2c274d02d9588",
    "papers_indexed": "5757191d22e24526bcc4b32d2ed76d88",
    "asia": "50121eeff3c34231bd9a46f67786e449",
}
NBS_CHART = {
    "patent_applications_total_items": ("专利申请数", "项", 0),
    "patent_grants_total_items": ("专利申请授权数", "项", 0),
    "technology_market_turnover_100m_yuan": ("技术市场成交额", "亿元", 2),
    "hightech_exports_100m_usd": ("高技术产品出口额", "亿美元", 2),
    "hightech_imports_100m_usd": ("高技术产品进口额", "亿美元", 2),
}
NBS_CLAIMS = {
    "paper004-c010": ("patent_applications", "发明专利申请数", "件", 0),
    "paper004-c011": ("patent_applications", "发明专利申请数", "件", 0),
    "paper004-c013": ("patent_grants", "发明专利授权数", "件", 0),
    "paper004-c014": ("patent_grants", "发明专利授权数", "件", 0),
    "paper004-c016": ("papers_indexed", "SCI收录科技论文数", "篇", 0),
    "paper004-c019": ("papers_indexed", "EI收录科技论文数", "篇", 0),
    "paper004-c022": ("papers_indexed", "CPCI-S收录科技论文数", "篇", 0),
    "paper000-c045": ("asia", "中国实际利用日本外商直接投资金额", "亿美元", 2),
}


def nbs(folder: Path, papers: Path) -> tuple[list[Vintage], list[Row]]:
    """NBS values: part, indicator, unit, digits, period, vintage, value, what it rests on, and where it stands."""
    rows: list[Row] = []
    stamp = NBS_RETRIEVED.isoformat()
    path = folder / "exports/secondary_chart_values_science_tech_2015_2024.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        for line in csv.DictReader(handle):
            for column, (name, unit, digits) in NBS_CHART.items():
                if value := line[column].removesuffix(".0"):
                    rows.append(
                        ("overview", name, unit, str(digits), line["year"], stamp, value, "secondary", path.name)
                    )
    claims = {claim["id"]: claim for claim in _claims(YAML(typ="safe").load(papers))}
    for claim_id, (part, name, unit, digits) in NBS_CLAIMS.items():
        claim = claims[claim_id]
        rows.append((part, name, unit, str(digits), claim["period"], stamp, str(claim["value"]), "paper", claim_id))
    vintages = []
    for part in NBS_LEAVES:
        held = [row for row in rows if row[0] == part]
        dataset = "nbs.fdi_by_country" if part == "asia" else "nbs.science_technology"
        sources = " ".join(sorted({row[-1] for row in held}))
        vintages.append(
            Vintage(dataset, part, stamp, stamp, "", "day", "carried", "", sources, "", rows=str(len(held)))
        )
    return vintages, rows


def _claims(node: object) -> Iterator[dict[str, str]]:
    if isinstance(node, dict):
        if str(node.get("id", "")).startswith("paper") and "value" in node and "period" in node:
            yield node
        for child in node.values():
            yield from _claims(child)
    elif isinstance(node, list):
        for child in node:
            yield from _claims(child)


def nbs_tree(folder: Path) -> list[Row]:
    """The branches of the annual tree that lead to the leaves served: id, name, parent ("" = root), kind."""
    with (folder / "catalog/portal_tree_yearly.csv").open(encoding="utf-8", newline="") as handle:
        nodes = {line["id"]: line for line in csv.DictReader(handle)}
    wanted: dict[str, Row] = {}
    for leaf in NBS_LEAVES.values():
        node = leaf
        while node and node not in wanted:
            line = nodes[node]
            wanted[node] = (node, line["name"], line["parent_id"], line["kind"])
            node = line["parent_id"]
    return list(wanted.values())
