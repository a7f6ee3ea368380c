"""The words that people write in a spreadsheet, and how they are matched: without case, spaces and width of letters.

Belongs here: synonyms.yaml, and what is near a word that is not in it. Does not belong here: cells, and what they
become (own).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from warehouse.yaml_lines import read


class Synonyms(BaseModel):
    """synonyms.yaml: for each meaning the words people use, and for measures and units the meanings of a word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, tuple[str, ...]]
    paper: dict[str, tuple[str, ...]]
    senses: dict[str, tuple[str, ...]]
    economies: dict[str, tuple[str, ...]]
    units: dict[str, tuple[tuple[str, int], ...]]
    measures: dict[str, tuple[str, ...]]
    formulas: dict[str, tuple[str, ...]]


@cache
def synonyms() -> Synonyms:
    """The words of synonyms.yaml."""
    return read(Path(__file__).with_name("synonyms.yaml").read_bytes(), Synonyms)


def index(words: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The meaning of each word, by the word as it is matched."""
    return {plain(word): meaning for meaning, said in words.items() for word in said}


def plain(text: str) -> str:
    """Without case, spaces, and width of letters."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def near(text: str, words: Iterable[str]) -> str:
    """A question for the words that look alike, to be added to what is wrong; empty where none does."""
    close = difflib.get_close_matches(plain(text), list(words), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""


def split(text: str) -> list[str]:
    """The parts of a list in one cell."""
    return [part.strip() for part in re.split(r"[,;，；、/]", text) if part.strip()]


def called(words: Sequence[str]) -> str:
    """The first English and the first Chinese word."""
    return f"{words[0]} {next((word for word in words if not word.isascii()), '')}".strip()
