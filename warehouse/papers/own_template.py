"""Templates of a paper of one's own: a YAML file or a spreadsheet with two example claims, to be filled in.

Belongs here: what stands in them. A template is itself a paper that can be checked; reading one is in catalogue and own.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from warehouse.errors import UsageError
from warehouse.files import write_durably
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.own_words import synonyms

_YAML = """\
id: {id} # letters and digits; the ids of its claims begin with it
title: {{en: A title, zh: 题目}}
year: 2021
public: false # whether pages and exports may show it
cutoff: # between which days the paper's data were taken: verdicts of "then" rest on vintages of these days
  earliest: 2021-01-01
  latest: 2021-12-31
  evidence: {{en: as the author states, zh: 据作者说明}}
claims:
  - id: {id}-c001
    says: {{en: "R&D expenditure of Korea in 2017, share of GDP", zh: 韩国2017年研发经费占国内生产总值比重}}
    kind: level
    entities: [KOR]
    period: "2017"
    printed: "4.6" # in quotes, every digit as printed: they are the rounding
    unit: percent of GDP
    sense: equals # or about, near, above, at least, more than, below, at most, short of, between, rank, direction
    source: World Bank # as the paper names it
    source_basis: named
    machine_readable: "yes"
    readings: # each one way to recompute it, tried in this order
      - {{use: value, with: {{x: {measure}}}}}
"""
_ABOUT = {
    "en": (
        ("title", "A title"), ("authors", "A. Author"), ("published", "2021"), ("data from", "2021-01-01"),
        ("data until", "2021-12-31"), ("public", "no"),
    ),
    "zh": (
        ("题目", "论文题目"), ("作者", "作者姓名"), ("发表年份", "2021"), ("数据不早于", "2021-01-01"),
        ("数据不晚于", "2021-12-31"), ("公开", "否"),
    ),
}  # fmt: skip
_CLAIMS = {
    "en": (
        ("id", "sentence", "economies", "year", "value", "unit", "measure", "formula", "wording", "source"),
        ("c001", "R&D intensity of Korea in 2017", "Korea", "2017", "4.6", "% of GDP", "R&D intensity", "", "", ""),
        ("c002", "Japan spent more than 3 % of GDP on R&D", "Japan", "2017", "3", "% of GDP", "R&D intensity", "", "above", ""),
    ),
    "zh": (
        ("编号", "句子", "经济体", "年份", "数值", "单位", "指标", "算法", "修饰语", "来源"),
        ("c001", "韩国2017年研发强度", "韩国", "2017", "4.6", "%", "研发强度", "", "", ""),
        ("c002", "日本2017年研发强度超过3%", "日本", "2017", "3", "%", "研发强度", "", "超过", ""),
    ),
}  # fmt: skip
#: The measure of the YAML example.
EXAMPLE = "wdi-gerd-gdp"


def write(path: Path, catalogue: Catalogue, language: str = "en") -> Path:
    """Write a template that its ending chooses: .yaml, .xlsx (with a sheet of the words one may write) or .csv.

    Raises UsageError for another ending, for a name that is no id of a paper, when the file exists, or its folder does not.
    """
    if path.exists():
        raise UsageError(f"{path} is there already", next_step="name a new file; nothing was written")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", next_step="make it first; nothing was written")
    if not re.fullmatch("[a-z0-9]+", path.stem):
        raise UsageError(
            f"{path.stem!r} is no id of a paper, which the name of its file is",
            next_step="take small letters and digits, such as mine; nothing was written",
        )
    if path.suffix in (".yaml", ".yml"):
        content = _YAML.format(id=path.stem, measure=EXAMPLE).encode()
    elif path.suffix == ".csv":
        content = _csv([*_ABOUT[language], (), *_CLAIMS[language]])
    elif path.suffix == ".xlsx":
        content = _xlsx(catalogue, language)
    else:
        raise UsageError(
            f"a template is no {path.suffix or 'file without an ending'}", next_step="end it in .yaml, .xlsx or .csv"
        )
    write_durably(path, content)
    return path


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode("utf-8-sig")


def _xlsx(catalogue: Catalogue, language: str) -> bytes:
    """Cells of text, so that 4.60 stays 4.60, and a second sheet that says which words are understood."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = {"en": "claims", "zh": "论断"}[language]
    rows = [*_ABOUT[language], (), *_CLAIMS[language]]
    for number in range(1, len(rows) + 200):
        for place in range(1, len(_CLAIMS[language][0]) + 1):
            sheet.cell(number, place).number_format = "@"
    for number, row in enumerate(rows, 1):
        for place, text in enumerate(row, 1):
            sheet.cell(number, place, text)
    for cell in sheet[len(_ABOUT[language]) + 2]:
        cell.font = Font(bold=True)
    for column, width in zip("ABCDEFGHIJ", (14, 48, 16, 12, 12, 14, 22, 14, 12, 20), strict=True):
        sheet.column_dimensions[column].width = width
    words = book.create_sheet({"en": "words", "zh": "可用词"}[language])
    for kind, text, meaning in _words(catalogue, language):
        words.append((kind, text, meaning))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _words(catalogue: Catalogue, language: str) -> Iterable[tuple[str, str, str]]:
    """What one may write in which column, and what is taken for it."""
    known = synonyms()
    yield {"en": ("column", "you may write", "taken for"), "zh": ("列", "可写", "理解为")}[language]
    for word, ids in known.measures.items():
        yield "measure 指标", word, ", ".join(getattr(catalogue.measures[one].name, language) for one in ids)
    for one in catalogue.measures.values():
        yield "measure 指标", one.id, getattr(one.name, language)
    for word, units in known.units.items():
        yield "unit 单位", word, " / ".join(unit + (f" × 10^{scale}" if scale else "") for unit, scale in units)
    for unit in catalogue.units.values():
        yield "unit 单位", unit.id, getattr(unit.name, language)
    for definition in catalogue.definitions.values():
        yield "formula 算法", definition.id, getattr(definition.formula, language)
    for sense, said in known.senses.items():
        yield "wording 修饰语", ", ".join(said), sense
