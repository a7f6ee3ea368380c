"""The names of economies in English and Chinese, by the codes of statements and readings (economies.yaml), and of the parts in
which some formulas answer, which stand where an economy or a partner stands.

Belongs here: names. Does not belong here: groups (groups.yaml), and the providers' own codes (measures.yaml).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from warehouse.papers.model import Words

#: The parts that the SQL of definitions.yaml tells apart.
_PARTS = {
    "expenditure": Words(en="R&D expenditure", zh="研发经费"),
    "patents": Words(en="patent applications", zh="专利申请量"),
    "papers": Words(en="papers", zh="论文数"),
    "foreign-owned": Words(en="domestic inventions owned abroad", zh="外国拥有的本国发明"),
    "owned-abroad": Words(en="inventions abroad owned at home", zh="本国拥有的外国发明"),
    "co-invented": Words(en="joint inventions", zh="合作发明"),
}


@cache
def names() -> dict[str, Words]:
    """Every economy's names by its code."""
    from ruamel.yaml import YAML

    text = Path(__file__).with_name("economies.yaml").read_text(encoding="utf-8")
    return {code: Words.model_validate(words) for code, words in YAML(typ="safe").load(text).items()}


def name(code: str, language: str) -> str:
    """The name of an economy or a part; its code where it has none."""
    words = names().get(code) or _PARTS.get(code)
    return getattr(words, language) if words else code
