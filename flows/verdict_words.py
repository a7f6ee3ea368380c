"""The words in which the command line tells verdicts to people: names of fields and of what stands in them, in Chinese.

Belongs here: words for people. Does not belong here: the names of fields for programs (warehouse/papers/rows.py), which stay as
they are, and words that the rows hold in both languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Fields that people see, by their name for programs.
_FIELDS = {
    "id": "编号", "paper": "论文", "exhibit": "图表", "verdict": "判定", "says": "论断", "period": "时期", "printed": "原文数值",
    "unit": "单位", "then": "当时", "then_known_from": "当时数据公布于", "then_status": "当时状态", "before": "此前",
    "before_known_from": "此前数据公布于", "before_status": "此前状态", "after": "此后", "after_known_from": "此后数据公布于",
    "after_status": "此后状态", "now": "现在", "now_known_from": "现在数据公布于", "now_status": "现在状态",
    "stands": "是否仍成立", "holds": "成立", "which": "不成立的", "tried": "试用读法", "agreeing": "相符读法", "margin": "相差",
    "rule": "比对规则", "cause": "修订原因", "correction": "可能更正", "why": "缘由", "source": "文中来源",
    "source_basis": "来源依据", "days": "取数时间", "note": "说明", "evidence": "证据", "reading": "读法", "proxy": "替代指标",
    "assume": "假设", "changed": "口径变动", "when": "时点", "known_from": "公布于", "basis": "时间依据", "entity": "经济体",
    "partner": "伙伴", "value": "数值", "status": "状态", "missing": "缺少", "ties": "并列", "next": "与相邻者相差",
    "coverage": "覆盖", "vintages": "数据版本", "row": "行", "column": "列", "then_is": "当时数据版本所在",
    "statement": "论断编号", "all": "合计", "borne_out": "得到支持", "of": "共", "title": "标题",
}  # fmt: skip
#: What stands in some of them.
_VALUES = {
    "yes": "是", "no": "否", "then": "当时", "before": "此前", "after": "此后", "now": "现在", "inside": "取数期内",
    "named": "论文写明", "assigned": "由本库指定", "reference number only": "论文仅给出文献编号",
    "publisher": "发布方所示", "archive": "存档版本号", "captured": "以获取时间计", "carried": "转存所示",
}  # fmt: skip


def field(name: str, language: str) -> str:
    """What people call a field."""
    return _FIELDS.get(name, name) if language == "zh" else name


def value(text: str, language: str) -> str:
    """What people call a value that is a word of ours, or several with commas between; any other as it is."""
    if language != "zh":
        return text
    return re.sub(r"^(\d+) of (\d+)$", r"\1/\2", "、".join(_VALUES.get(one, one) for one in text.split(", ")))


def headed(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A row under the names that people read."""
    return {field(name, language): told for name, told in row.items()}


def area(code: str | None, language: str) -> str | None:
    """An economy, or a part of an answer: in Chinese by its name."""
    from warehouse.papers import economies

    return economies.name(code, language) if code and language == "zh" else code


def unit(name: str, scale: int, language: str) -> str:
    """A unit, and the power of ten by which a number counts."""
    from warehouse.papers.vocabulary import vocabulary

    known = vocabulary().units.get(name)
    said = getattr(known.name, language) if known else name
    return f"{said} × 10^{scale}" if scale else said
