"""`figurekeeper status`: the first line says whether anything needs a person, and for each thing what to do."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import time_machine

from connectors import datasets
from connectors.datasets import DatasetFileError
from flows import catalogue, cli, conditions, standing
from flows.settings import Settings
from tests.warehouse.makers import load, part
from warehouse import clock, incidents
from warehouse.schema import Severity
from warehouse.store import Warehouse

Status = Callable[..., str]

NAME = "nbs.fdi_by_country"


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "synthetic")
    monkeypatch.setenv("FIGUREKEEPER_PORT", "9")  # where nobody answers
    made = Warehouse(tmp_path / "home", "synthetic")
    load(made, part({("KOR.X", "2017"): 1.0}, "2024-01-10"))
    return made


@pytest.fixture
def status(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Status:
    """What the command prints for people on a terminal of 80 columns, or for programs."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", "status", *options])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)

    return run


def fail(warehouse: Warehouse, kind: str, subject: str, title: str, text: str) -> int:
    return incidents.open_new(warehouse, subject, kind, Severity.WARNING, title, text, "a test").id


def test_when_all_is_right_the_first_line_says_so(status: Status) -> None:
    first, *others = status().splitlines()
    assert first == "All right: nothing needs a person."
    assert not [line for line in others if "Next: " in line]


def test_what_needs_a_person_comes_first_with_the_next_step(warehouse: Warehouse, status: Status) -> None:
    fail(warehouse, incidents.RUN, "maintain", "maintain: a run died", "It was gone. Next: start it again.")
    number = fail(warehouse, incidents.VERDICT, NAME, "two verdicts changed", "which, and why")
    said = status()
    assert said.startswith("NOT all right: 2 things need a person.\n  1. maintain: a run died, since ")
    assert "     Next: start it again.\n" in said
    assert f"`figurekeeper acknowledge {number} --reason" in said


def test_what_the_watch_has_not_told_yet_is_said_all_the_same(
    warehouse: Warehouse, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = conditions.Finding(incidents.STALE, NAME, Severity.WARNING, f"{NAME}: old", "It is old. Next: refresh it.")
    monkeypatch.setattr(conditions, "findings", lambda *_: [found])
    assert "1. nbs.fdi_by_country: old" in status()
    fail(warehouse, incidents.STALE, NAME, found.title, found.text)
    assert status().count("nbs.fdi_by_country: old") == 1


def test_a_channel_that_refuses_needs_a_person_after_a_while(warehouse: Warehouse) -> None:
    settings = Settings()
    number = fail(warehouse, incidents.FAILURE, NAME, "it failed", "why. Next: look")
    owing = "channel inbox: 1 notices are not delivered"
    assert owing not in standing.status(settings)["verdict"]["needs a person"]
    with time_machine.travel(clock.now() + timedelta(hours=1), tick=False):
        said = standing.status(settings)
    assert number
    assert owing in said["verdict"]["needs a person"]
    assert any("alerts test --channel inbox" in row["next"] for row in said["to do"])


def test_a_dataset_that_was_never_read_stands_in_the_table(
    warehouse: Warehouse, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = catalogue.survey(Settings())
    monkeypatch.setattr(
        catalogue,
        "survey",
        lambda _: datasets.Survey(
            {NAME: files.enabled[NAME]}, {}, {"oecd.mine": DatasetFileError(Path("oecd.mine.yaml"), ["1: wrong"])}
        ),
    )
    said = status()
    assert re.search(rf"{re.escape(NAME)} +NEVER +Tue 02:45", said)
    assert "1. oecd.mine: its dataset file is wrong\n     Next: `figurekeeper doctor` says where." in said


def test_no_line_of_the_table_is_wider_than_a_terminal(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [line for line in status().splitlines() if line.startswith(" ")]
    assert any("next, UTC" in line for line in table)
    assert max(len(line.rstrip()) for line in table if "Next:" not in line and "told" not in line) <= 80


def test_a_service_that_is_gone_needs_a_person_where_one_ever_ran(warehouse: Warehouse, status: Status) -> None:
    assert "does not answer at" not in status()
    (Settings().root / "logs").mkdir()
    (Settings().root / "logs" / "pages.log").touch()
    assert (
        "1. the service does not answer at http://127.0.0.1:9/api\n     Next: start it: `figurekeeper up`" in status()
    )


def test_a_service_is_looked_for_where_it_listens(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.2", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("FIGUREKEEPER_BIND", "127.0.0.2")
        monkeypatch.setenv("FIGUREKEEPER_PORT", str(server.server_port))
        assert standing.status(Settings())["service"]["answers"]
        server.shutdown()


def test_a_step_is_folded_and_its_command_never_broken(warehouse: Warehouse, status: Status) -> None:
    command = "`figurekeeper refresh nbs.fdi_by_country --full`"
    fail(
        warehouse,
        incidents.STALE,
        NAME,
        "it is old",
        f"It is. Next: {'look at its runs ' * 4}and then {command} by hand.",
    )
    said = status()
    assert command in said
    [start] = [number for number, line in enumerate(said.splitlines()) if "Next: look" in line]
    step = said.splitlines()[start : start + 2]
    assert all(line.startswith("     ") and len(line) <= 80 for line in step)


def test_settings_are_shown_on_request_and_always_to_programs(status: Status) -> None:
    assert "language" not in status()
    assert re.search(r"language +en", status("--settings"))
    told: dict[str, Any] = json.loads(status("--format", "json"))
    assert told["settings"]["language"] == "en"
    assert told["verdict"] == {
        "all right": True,
        "needs a person": "nothing",
        "not enabled": told["verdict"]["not enabled"],
    }
    assert told["service"] == {
        "api": "http://127.0.0.1:9/api",
        "answers": False,
        "tells of a dead worker": "nobody",
    }
