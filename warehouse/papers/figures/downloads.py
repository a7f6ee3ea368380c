"""The files a reader takes away from an exhibit: CSV, XLSX, SVG and PNG, 17 cm and 8 cm wide.

Belongs here: which files, and what stands in them; pages and `figurekeeper export` offer the same. Does not belong here: the
rows (exhibits), the pictures (charts), where the files are put.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from warehouse.papers import wording
from warehouse.papers.figures import charts, citations
from warehouse.papers.figures.charts import WIDTHS, Chart, Width
from warehouse.papers.figures.citations import Language, Source
from warehouse.papers.figures.exhibits import COLUMNS, Row, Told
from warehouse.spreadsheets import Printed, csv_bytes, workbook

_SHEETS = {"en": ("data", "notes", "vintages"), "zh": ("数据", "说明", "数据版本")}
#: Heads of the first sheet, in Chinese; in English they are the names of the fields.
_HEADS = {
    "row": "行", "column": "列", "entity": "经济体", "partner": "伙伴", "period": "时期", "unit": "单位", "scale": "10的幂",
    "printed": "原文数值", "then": "当时", "then_is": "当时数据版本所在", "then_known_from": "当时数据公布时间",
    "then_vintage": "当时数据版本", "then_status": "当时状态", "now": "现在", "now_known_from": "现在数据公布时间",
    "vintage": "现在数据版本", "status": "现在状态", "verdict": "判定",
    "statement": "编号", "note": "备注",
}  # fmt: skip
_WHEN = {"inside": "取数期内", "before": "取数期之前", "after": "取数期之后"}
#: Fields of a source, with their heads.
SOURCES = {
    "dataset": "数据集", "part": "部分", "vintage": "数据版本", "known_from": "公布时间", "basis": "时间依据",
    "published": "发布日",
    "fetched": "引用日", "url": "网址", "licence": "许可", "licence_url": "许可网址", "attribution": "署名",
}  # fmt: skip
_ABOUT = {
    "exhibit": "图表", "paper": "论文", "edition": "冻结版次", "origin": "数据性质", "numbers": "数值", "note": "备注",
    "formula": "公式", "sql": "SQL", "licence": "许可", "citation": "引用", "picture": "图片",
}  # fmt: skip
#: What a profile means for the numbers, in English and Chinese.
ORIGIN = {
    "live": ("live: as the providers serve it", "实时：由数据提供方发布"),
    "sandbox": ("SANDBOX: published figures from a local stand-in", "SANDBOX：由本地替代服务提供的已发布数据"),
    "synthetic": ("SYNTHETIC: invented figures", "SYNTHETIC：虚构数据"),
}
_NUMBERS = (
    "printed, then and now count ten to the power of `scale` of the unit; then is the value in the data of the paper's days",
    "“原文数值”“当时”“现在”均以单位的10的幂次计；“当时”为论文取数期内的数据",
)
_NO_CHINESE_PICTURE = "未生成中文PNG：本机没有中文字体，请安装（如 Debian 的 fonts-noto-cjk）"


def files(told: Told, language: Language, drawn: Mapping[Width, Chart] | None = None) -> dict[str, bytes]:
    """The files of an exhibit by name; `drawn` are its charts where they are at hand.

    Pictures are missing where the exhibit has no chart, a PNG also where the machine has no Chinese font; all of them where it
    has no number.
    """
    if told.nothing:
        return {}
    name = told.exhibit.id
    found = {f"{name}.csv": csv_bytes(COLUMNS, told.rows), f"{name}-{language}.xlsx": book(told, language)}
    for width, chart in (charts.drawn(told, language) if drawn is None else drawn).items():
        for ending, content in (("svg", chart.file), ("png", chart.png)):
            if content is not None:
                found[f"{name}-{language}-{WIDTHS[width]:.0f}cm.{ending}"] = content
    return found


def book(told: Told, language: Language) -> bytes:
    """A workbook: data with numbers as numbers; notes (unit, formula, licence, citation); the vintages behind it."""
    heads = {"en": {name: name for name in _HEADS}, "zh": _HEADS}[language]
    data = [list(heads.values()), *([_cell(row, name, told, language) for name in heads] for row in told.rows)]
    titles = _SHEETS[language]
    return workbook(dict(zip(titles, (data, notes(told, language), vintages(told.sources, language)), strict=True)))


def notes(told: Told, language: Language) -> list[list[Any]]:
    """What must be said with the rows, one thing a row: its name, and the text."""
    at = 0 if language == "en" else 1
    said: list[tuple[str, str]] = [
        ("exhibit", citations.heading(told.exhibit, language)),
        ("paper", f"{told.paper.id}. {getattr(told.paper.title, language)}"),
        ("edition", told.edition),
        ("origin", ORIGIN[told.profile][at]),
        ("numbers", _NUMBERS[at]),
    ]
    if told.exhibit.note:
        said.append(("note", getattr(told.exhibit.note, language)))
    for formula in told.formulas:
        said.append(
            ("formula", f"{formula.id}. {getattr(formula.name, language)}: {_words(formula.formula, language)}")
        )
        said.append(("sql", formula.sql.strip()))
    said += [("licence", text) for text in licences(told.sources)]
    said += [("citation", text) for text in citations.of(told, language)]
    if language == "zh" and told.exhibit.chart != "none" and charts.chinese_font() is None:
        said.append(("picture", _NO_CHINESE_PICTURE))
    names = {name: name if language == "en" else chinese for name, chinese in _ABOUT.items()}
    return [["about", "text"] if language == "en" else ["项目", "内容"], *([names[name], text] for name, text in said)]


def licences(sources: Sequence[Source]) -> list[str]:
    """The licence of each dataset, once."""
    return list(dict.fromkeys(f"{one.dataset}: {one.licence} {one.licence_url}. {one.attribution}" for one in sources))


def vintages(sources: Sequence[Source], language: Language) -> list[list[Any]]:
    """A row a vintage, with its head."""
    heads = list(SOURCES) if language == "en" else list(SOURCES.values())
    return [heads, *([getattr(one, name) for name in SOURCES] for one in sources)]


def _words(given: Any, language: Language) -> str:
    return given if isinstance(given, str) else str(getattr(given, language))


def _cell(row: Row, name: str, told: Told, language: Language) -> Any:
    value = row[name]
    if name == "printed" and isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return Printed(value)
    if name == "printed" and row["statement"]:
        return wording.printed(next(cell for cell in told.exhibit.cells if cell.id == row["statement"]), language)
    if name == "unit" and value in told.units:
        return getattr(told.units[value], language)
    if language == "zh" and name == "then_is":
        return _WHEN.get(value)
    return row[f"{name}_zh"] if language == "zh" and f"{name}_zh" in row else value
