"""`figurekeeper doctor` as an operator sees it: exit status, table and JSON, a recording, and no network on the first day."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from connectors.http import recording
from flows import asking
from flows.cli import app
from warehouse.errors import UsageError

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a home of its own."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, ["doctor", *arguments])


def test_providers_that_are_as_the_files_say_end_with_0_and_can_be_recorded(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    ended = run("--live", "oecd.sbrd", "worldbank.wdi", "--record", str(folder))
    assert ended.exit_code == 0
    assert "2 datasets: 2 as the file says; the answers are in" in ended.output
    assert {entry["dataset"] for entry in recording.read_index(folder)} == {"oecd.sbrd", "worldbank.wdi"}


def test_a_difference_ends_with_1_and_names_the_line(run: Run) -> None:
    ended = run("--live", "oecd.sbrd", "--fault", "changed_unit", "--format", "json")
    assert ended.exit_code == 1
    [row] = json.loads(ended.stdout)
    assert (row["verdict"], row["what"]) == ("differs", "multiplier")
    assert row["place"].startswith("oecd.sbrd.yaml:")
    assert row["seen"]["part"].startswith("G_XGDP: 10 series")


def test_without_a_network_it_says_so_once_a_provider_and_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "live")
    for provider in ("OECD", "WORLDBANK", "NBS"):
        monkeypatch.setenv(f"FIGUREKEEPER_{provider}_URL", "http://127.0.0.1:9/nobody")
    quick: dict[str, Any] = {"backoff": 0.001, "timeouts": (1.0, 1.0)}
    monkeypatch.setattr(asking, "patience", lambda *_: quick)
    ended = run("--live")
    assert ended.exit_code == 1
    assert ended.stdout.count("Unreachable") == 6  # one asked, one row for all the others
    assert "check the network" in ended.stdout
    assert "more" in ended.stdout
    assert "3 failed" in ended.output
    assert "never verified" in run().stdout


def test_datasets_without_live_are_refused(run: Run) -> None:
    for arguments in (["oecd.sbrd"], ["--record", "answers"], ["--fault", "500"]):
        assert isinstance(run(*arguments).exception, UsageError)


def test_a_folder_of_something_else_is_not_recorded_into(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    ended = run("--live", "oecd.sbrd", "--record", str(tmp_path))
    assert isinstance(ended.exception, UsageError)
    assert "something other than a recording" in str(ended.exception)
