"""Drawing in a second process: from any program, and without one where there can be none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.papers import shown
from warehouse.papers.figures.exhibits import Told
from warehouse.papers.site import files

_SCRIPT = """
from pathlib import Path
from tests.papers import test_drawing_apart
from warehouse.papers.site import files

print("begins", flush=True)
files._draw_one = test_drawing_apart.sketch
files.drawn(test_drawing_apart.two(), Path("kept"), "a")
for place in Path("kept").iterdir():
    print((place / "wide.svg").read_bytes() == b"sketched", flush=True)
"""


def two() -> list[Told]:
    """Two exhibits, which are four drawings in both languages."""
    bars, ranking = shown.bars(), shown.ranking()
    return [bars, replace(ranking, exhibit=ranking.exhibit.model_copy(update={"id": "made-fig2"}))]


def sketch(_picture: Any, _language: str, place: Path) -> None:
    """What takes no time, in place of a drawing."""
    place.mkdir()
    for width in ("wide", "narrow"):
        for ending in ("inline", "svg"):
            (place / f"{width}.{ending}").write_bytes(b"sketched")


def test_a_script_without_a_guard_draws_and_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script)]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert sorted(run.stdout.split()) == ["False", "False", "True", "True", "begins"]


@pytest.mark.parametrize("executable", ["/bin/false", ""])
def test_without_a_second_process_all_is_drawn_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr(files, "_draw_one", sketch)
    monkeypatch.setattr(sys, "executable", executable)
    found = files.drawn(two(), tmp_path / "kept", "a")
    assert [chart.file for charts in found.values() for chart in charts.values()] == [b"sketched"] * 8


def test_a_new_edition_that_moves_no_number_draws_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_draw_one", sketch)
    monkeypatch.setattr(sys, "executable", "")
    first = files.drawn(two(), tmp_path / "kept", "a")
    drawn = {place: place.stat().st_mtime_ns for place in (tmp_path / "kept").iterdir()}
    later = [replace(one, edition="sandbox-46-000000000000") for one in two()]
    assert files.drawn(later, tmp_path / "kept", "a") == first
    assert {place: place.stat().st_mtime_ns for place in (tmp_path / "kept").iterdir()} == drawn
    files.drawn(later, tmp_path / "kept", "another font")
    assert not drawn.keys() & {*(tmp_path / "kept").iterdir()}
