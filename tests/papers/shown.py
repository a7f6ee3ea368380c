"""Exhibits made up for the tests of charts and downloads: rows as warehouse.papers.figures.exhibits.table would give them.

Belongs here: making them. What is asked of them is in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from warehouse.papers.figures.citations import Source
from warehouse.papers.figures.exhibits import COLUMNS, Row, Told
from warehouse.papers.model import Definition, Exhibit, Paper, Words

PAPER = Paper.model_validate(
    {
        "id": "made",
        "title": {"en": "A made-up paper", "zh": "虚构论文"},
        "year": 2024,
        "cutoff": {"earliest": "2023-12-01", "latest": "2024-12-31", "evidence": "made up"},
    }
)
FORMULA = Definition.model_validate(
    {
        "id": "value",
        "name": {"en": "the number itself", "zh": "数值本身"},
        "formula": "x",
        "inputs": {"x": {"unit": "any"}},
        "unit": "same",
        "sql": "select entity, partner, period, value from x",
    }
)
SOURCE = Source(
    dataset="oecd.sbrd",
    part="B_XGDP",
    vintage="65ad958be67f42d1",
    known_from="2026-04-13T14:28:17.000000Z",
    basis="publisher",
    published="2026-04-13",
    fetched="2026-04-14",
    publisher=Words(en="OECD", zh="OECD"),
    title=Words(en="R&D indicators: business R&D", zh="研发指标：企业研发"),
    url="https://data-explorer.oecd.org/",
    licence="CC-BY-4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    attribution="OECD",
)
UNITS = {"percent of GDP": Words(en="percent of GDP", zh="占国内生产总值的%"), "USD": Words(en="US dollars", zh="美元")}
#: What rows of two states have: one inside the paper's days, and the newest.
STATES = {
    "then_is": "inside",
    "then_known_from": "2024-07-23T08:10:28.000000Z",
    "then_vintage": "oecd.sbrd/B_XGDP 8e72729686aff497",
    "now_known_from": "2026-04-13T14:28:17.000000Z",
    "vintage": "oecd.sbrd/B_XGDP 65ad958be67f42d1",
}


def row(**fields: Any) -> Row:
    """One row; what is left out is empty."""
    texts = {f"{name}_zh": fields.get(name) for name in ("row", "column", "note")}
    return dict.fromkeys(COLUMNS) | {"exhibit": "made-fig1", "scale": 0, "unit": "percent of GDP"} | texts | fields


def told(chart: str, rows: Iterable[Row], *, sources: Sequence[Source] = (SOURCE,), spoken: Iterable[str] = ()) -> Told:
    """An exhibit with these rows."""
    exhibit = Exhibit.model_validate(
        {
            "id": "made-fig1",
            "number": "1",
            "kind": "figure",
            "title": {"en": "Business R&D intensity of three economies", "zh": "三国企业研发强度"},
            "quantitative": True,
            "chart": chart,
        }
    )
    return Told(
        PAPER, exhibit, tuple(rows), "sandbox-45-9f3a1c7b20de", tuple(sources), (FORMULA,), UNITS, frozenset(spoken)
    )


def lines() -> Told:
    """Three economies from 2016 to 2021, revised since 2019; of China 2019 is not held, two values are flagged."""
    levels = {"CHN": 1.6, "JPN": 2.5, "USA": 2.0}
    rows = [
        row(row="Business R&D", row_zh="企业研发", entity=entity, period=str(year), then=level + (year - 2016) * 0.1,
            now=level + (year - 2016) * 0.1 + (0.05 if year > 2018 else 0), status={2021: "P"}.get(year, "A"), **STATES)
        for entity, level in levels.items()
        for year in range(2016, 2022)
        if (entity, year) != ("CHN", 2019)
    ]  # fmt: skip
    return told("lines", rows)


def quantities() -> Told:
    """Two quantities of one economy: an amount in the billions, and an intensity."""
    amounts = [row(row="R&D expenditure", row_zh="研发经费", entity="JPN", period=str(year), unit="USD",
                   then=1.7e11 + year, now=1.8e11 + year, **STATES) for year in range(2016, 2022)]  # fmt: skip
    shares = [row(row="R&D intensity", row_zh="研发强度", entity="JPN", period=str(year), then=3.1, now=3.2, **STATES)
              for year in range(2016, 2022)]  # fmt: skip
    return told("lines", amounts + shares)


def bars() -> Told:
    """A table of two rows and three columns; the second row alone is recomputed."""
    groups = (("China, Japan, Korea", "中日韩"), ("United Kingdom, France, Germany", "英法德"), ("Mexico", "墨西哥"))
    rows = [
        row(row=name, row_zh=chinese, column=group, column_zh=zh, period="2018", entity="X", printed=f"{2.5 + number}0",
            **({"then": 2.51 + number, "now": 2.6 + number, **STATES} if recomputed else {}))
        for name, chinese, recomputed in (("Owned abroad", "外国拥有", False), ("Made together", "合作", True))
        for number, (group, zh) in enumerate(groups)
    ]  # fmt: skip
    return told("bars", rows)


def ranking() -> Told:
    """Twenty economies; the paper speaks of the second and of the last."""
    first, rest = (
        ("MCO", "JPN", "ITA", "FIN", "PRT", "GRC", "PRI", "DEU", "BGR", "HRV"),
        ("LVA", "FRA", "LTU", "SVN", "EST"),
    )
    codes = (*first, *rest, "HUN", "ESP", "SWE", "USA", "CHN")
    rows = [
        row(row="People of 65 and over", row_zh="65岁及以上人口", entity=code, period="2022", then=36.0 - rank,
            now=35.5 - rank, **STATES)
        for rank, code in enumerate(codes)
    ]  # fmt: skip
    return told("ranking", rows, spoken=("JPN", "CHN"))


EVERY = {"lines": lines, "quantities": quantities, "bars": bars, "ranking": ranking}
