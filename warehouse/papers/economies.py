"""The names of economies in English and Chinese, by the codes of statements and readings (economies.yaml).

Belongs here: names. Does not belong here: groups (groups.yaml), and the providers' own codes (measures.yaml).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from warehouse.papers.model import Words


@cache
def names() -> dict[str, Words]:
    """Every economy's names by its code."""
    from ruamel.yaml import YAML

    text = Path(__file__).with_name("economies.yaml").read_text(encoding="utf-8")
    return {code: Words.model_validate(words) for code, words in YAML(typ="safe").load(text).items()}


def name(code: str, language: str) -> str:
    """The name of an economy; its code where it has none."""
    words = names().get(code)
    return getattr(words, language) if words else code
