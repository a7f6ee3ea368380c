"""Citations in the form of GB/T 7714-2015, character by character, from warehouses with one vintage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.papers import shown
from tests.warehouse import makers
from warehouse import line
from warehouse.papers.figures import citations
from warehouse.papers.figures.citations import Source
from warehouse.schema import Basis, Precision, Stamp
from warehouse.store import DatasetFacts, Warehouse

OECD = {
    "title": "OECD, R&D expenditure indicators",
    "title_zh": "经合组织研发支出指标",
    "citation": "OECD. R&D indicators, dataflow X. OECD Data Explorer. https://data-explorer.oecd.org/",
    "licence": {"id": "CC-BY-4.0", "url": "https://creativecommons.org/licenses/by/4.0/", "attribution": "OECD"},
    "publisher_timezone": "Europe/Paris",
    "parts": [{"id": "p", "label": "Business R&D", "label_zh": "企业研发"}],
}
NBS = {
    "title": "National Bureau of Statistics of China, science and technology",
    "title_zh": "国家统计局科技统计",
    "citation": "国家统计局. 国家数据：科技[DS/OL]. https://data.stats.gov.cn/",
    "licence": {"id": "publisher's terms"},
    "publisher_timezone": "Asia/Shanghai",
    "parts": [{"id": "p", "label": "Overview", "label_zh": "概况"}],
}


def _source(home: Path, about: Mapping[str, Any], name: str = "oecd.test", **stamp: Any) -> tuple[Source, str]:
    """The one vintage of a dataset so described, and the id of its edition."""
    warehouse = makers.store(home)
    facts = DatasetFacts(name, "f" * 64, about, makers.FACTS.equality)
    makers.load(warehouse, makers.part({("CHN.X", "2018"): 1.5}, "2026-04-14T08:00", **stamp), facts=facts)
    (source,) = citations.sources(warehouse, _vintages(warehouse), 1)
    return source, citations.edition_id(warehouse, 1)


def _vintages(warehouse: Warehouse) -> list[str]:
    with warehouse.engine.connect() as connection:
        return [row["vintage_id"] for row in line.visible(connection)]


def test_a_vintage_with_a_day_of_release(tmp_path: Path) -> None:
    source, edition = _source(tmp_path, OECD, stamp="2026-04-13")
    assert citations.of_source(source, edition, "en") == (
        "OECD. R&D expenditure indicators: Business R&D[DS/OL]. (2026-04-13)[2026-04-14]. https://data-explorer.oecd.org/. "
        f"Vintage oecd.test/p {source.vintage}; frozen edition {edition}."
    )
    assert citations.of_source(source, edition, "zh") == (
        "OECD. 经合组织研发支出指标：企业研发[DS/OL]. (2026-04-13)[2026-04-14]. https://data-explorer.oecd.org/. "
        f"数据版本 oecd.test/p {source.vintage}；冻结版次 {edition}."
    )
    assert edition.startswith("synthetic-1-")


def test_an_archive_states_a_month_and_no_finer(tmp_path: Path) -> None:
    source, _ = _source(tmp_path, OECD, archive="202109")
    assert source.published == "2021-09"
    assert "[DS/OL]. (2021-09)[2026-04-14]. https:" in citations.of_source(source, "x-1-0", "zh")


@pytest.mark.parametrize("stamp", [{}, {"carried": "2021-09-15"}])
def test_nobody_stated_a_day_of_release(tmp_path: Path, stamp: dict[str, str]) -> None:
    source, edition = _source(tmp_path, NBS, "nbs.test", **stamp)
    assert source.published is None
    assert citations.of_source(source, edition, "zh") == (
        "国家统计局. 国家统计局科技统计：概况[DS/OL]. [2026-04-14]. https://data.stats.gov.cn/. "
        f"数据版本 nbs.test/p {source.vintage}；冻结版次 {edition}."
    )
    assert citations.of_source(source, edition, "en").startswith(
        "National Bureau of Statistics of China. science and technology: Overview[DS/OL]. [2026-04-14]. https://"
    )


def test_an_instant_is_told_as_the_publishers_own_day(tmp_path: Path) -> None:
    """Three in the morning in Paris is the day before in New York."""
    data = makers.part({("CHN.X", "2018"): 1.5}, "2026-04-14T08:00")
    stamp = Stamp(makers.at("2026-04-13T01:00"), Precision.INSTANT, Basis.PUBLISHER, "2026-04-13T01:00:00Z")
    days = []
    for zone in ("Europe/Paris", "America/New_York"):
        warehouse = makers.store(tmp_path / zone)
        facts = DatasetFacts("oecd.test", "f" * 64, {**OECD, "publisher_timezone": zone}, makers.FACTS.equality)
        makers.load(warehouse, replace(data, stamp=stamp), facts=facts)
        days += [source.published for source in citations.sources(warehouse, _vintages(warehouse), 1)]
    assert days == ["2026-04-13", "2026-04-12"]


def test_a_publication_without_an_address(tmp_path: Path) -> None:
    source, edition = _source(
        tmp_path, {**OECD, "citation": "国家统计局. 中国科技统计年鉴[M]. 北京: 中国统计出版社."}, stamp="2026-04-13"
    )
    assert source.url == ""
    assert f"(2026-04-13)[2026-04-14]. 数据版本 oecd.test/p {source.vintage}" in citations.of_source(
        source, edition, "zh"
    )


def test_an_exhibit_is_cited_with_what_it_was_recomputed_from() -> None:
    told = shown.lines()
    assert citations.of(told, "en")[0] == (
        "Figurekeeper. made, Figure 1. Business R&D intensity of three economies: recomputed from oecd.sbrd/B_XGDP "
        "65ad958be67f42d1[DS]. Data as of 2026-04-14. Frozen edition sandbox-45-9f3a1c7b20de; obtained by: figurekeeper export "
        "made --edition sandbox-45-9f3a1c7b20de."
    )
    assert citations.of(told, "zh") == [
        "Figurekeeper. made 图1 三国企业研发强度：据oecd.sbrd/B_XGDP 65ad958be67f42d1重算[DS]. 数据截至 2026-04-14. 冻结版次 "
        "sandbox-45-9f3a1c7b20de；获取命令：figurekeeper export made --edition sandbox-45-9f3a1c7b20de.",
        citations.of_source(shown.SOURCE, told.edition, "zh"),
    ]


def test_an_exhibit_that_was_not_recomputed_says_so() -> None:
    told = shown.told("lines", shown.lines().rows, sources=())
    assert citations.of(told, "en") == [
        "Figurekeeper. made, Figure 1. Business R&D intensity of three economies: as printed[DS]. Frozen edition "
        "sandbox-45-9f3a1c7b20de; obtained by: figurekeeper export made --edition sandbox-45-9f3a1c7b20de."
    ]
