"""docs/new-claim.md is true: its entry, put into the paper's file, is judged as the page says, and spoilt ones are refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse.papers import asking, catalogue
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.vocabulary import FOLDER
from warehouse.store import Warehouse

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "new-claim.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
ENTRY: str = next(block for kind, block in BLOCKS if kind == "yaml")
SPOILT = [block for kind, block in BLOCKS if kind == "diff"]
TOLD = [block.splitlines() for kind, block in BLOCKS if kind == "text"]
Load = Callable[[str], Catalogue]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Our papers with an entry more among the claims of paper001."""
    for path in FOLDER.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr("warehouse.papers.catalogue.FOLDER", tmp_path)

    def with_entry(entry: str) -> Catalogue:
        file = tmp_path / "paper001.yaml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("\nclaims:\n", f"\nclaims:\n{entry}", 1), encoding="utf-8")
        return catalogue.load()

    return with_entry


def spoilt(change: str) -> str:
    """The entry with the lines of a diff replaced."""
    entry = ENTRY
    lines = change.splitlines()
    for old, new in zip(lines[::2], lines[1::2], strict=True):
        assert old[0] == "-"
        assert new[0] == "+"
        assert entry.count(old[1:]) == 1
        entry = entry.replace(old[1:], new[1:])
    return entry


def test_the_entry_is_judged_as_the_page_says(load: Load, filled: Warehouse) -> None:
    row = asking.claim(filled, load(ENTRY), "paper001-c900")
    assert f"says `{row['verdict']}`: {row['then']} in " in PAGE
    assert f", {row['now']} in those of {row['now_known_from'][:4]}." in PAGE


@pytest.mark.parametrize("number", range(len(SPOILT)))
def test_a_spoilt_entry_is_refused_with_the_words_of_the_page(load: Load, number: int) -> None:
    found = load(spoilt(SPOILT[number]))
    lines = found.wrong["paper001.yaml"].path.read_text(encoding="utf-8").splitlines()
    begun = lines.index("claims:") + 2
    told = [_relative(mistake, begun) for mistake in found.wrong["paper001.yaml"].mistakes]
    assert told == TOLD[number]
    assert {"paper000", "paper002", "paper003", "paper004"} <= found.papers.keys()


def _relative(mistake: str, begun: int) -> str:
    """With the line counted from the entry's first, as the page does: nobody knows how long the file will be."""
    line, _, what = mistake.partition(": ")
    return f"{int(line) - begun + 1}: {what}"
