"""The command line on revisions: what is printed, what is written, and how a batch is asked for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import figurekeeper
from flows.cli import app
from tests.warehouse.makers import Cells, load, part, store

A, B = ("KOR.X", "2017"), ("KOR.X", "2018")


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three batches in a warehouse that the environment names."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "synthetic")
    opened = store(tmp_path)
    states: list[Cells] = [{A: 1.0, B: 1.0}, {A: 2.0, B: None}, {A: 2.0, B: 3.0}]
    return [load(opened, part(cells, f"2024-0{month}-10"))[0] for month, cells in enumerate(states, start=1)]


def run(*arguments: str) -> str:
    ended = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_revisions_are_printed_newest_first_up_to_a_limit(batches: list[str]) -> None:
    rows = json.loads(run("revisions", "--format", "json"))
    assert [(row["period"], row["kind"]) for row in rows] == [
        ("2018", "reinstatement"),
        ("2017", "revision"),
        ("2018", "withdrawal"),
    ]
    assert json.loads(run("revisions", "--limit", "1", "--format", "json")) == rows[:1]
    assert json.loads(run("revisions", batches[1], "--format", "json")) == rows[1:]


def test_what_the_limit_leaves_out_is_not_called_older(batches: list[str]) -> None:
    ended = CliRunner().invoke(app, ["revisions", batches[1], "--limit", "1"])
    assert ended.stderr == "SYNTHETIC: invented figures\nand more: raise --limit above 1, or write them all with --to\n"
    assert CliRunner().invoke(app, ["revisions", batches[1], "--limit", "2"]).stderr == "SYNTHETIC: invented figures\n"


def test_an_edition_without_the_series_says_since_which_one_it_is_held(batches: list[str], tmp_path: Path) -> None:
    load(store(tmp_path), part({("CHN.X", "2017"): 1.0}, "2024-04-10", name="q"))
    asked = ("test.one:CHN.X", "--edition", "3")
    assert run("values", *asked) == "nothing is held for that question; held is test.one:CHN.X since edition 4\n"
    assert "held is test.one:CHN.X since edition 4" in run("vintages", *asked)
    for other in (("--as-of", "2020"), ("--edition", "4", "--period", "1999")):
        assert run("values", asked[0], *other) == "nothing is held for that question\n"


def test_analysts_are_told_of_the_editions(batches: list[str]) -> None:
    found = figurekeeper.editions(limit=2)
    assert found["edition"].tolist() == [3, 2]
    [cited] = found["id"][found["edition"] == 2]
    assert figurekeeper.values("test.one:KOR.X", edition=cited)["value"].tolist() == [2.0]


def test_all_of_them_go_into_a_table(batches: list[str], tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    assert f"2 changes in {path}" in run("revisions", batches[1], "--limit", "1", "--to", str(path))
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert [row["new"] for row in csv.DictReader(file)] == ["2.0", ""]


def test_a_triangle_is_drawn_to_a_file(batches: list[str], tmp_path: Path) -> None:
    path = tmp_path / "triangle.svg"
    assert str(path) in run("triangle", "test.one:KOR.X", "--to", str(path))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert all(vintage in text for vintage in ("2024-01-10", "2024-02-10", "2024-03-10"))
