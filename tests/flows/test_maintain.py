"""Maintenance from a shell and as a flow: what people see of it. What it does is tested beside the core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import maintain
from flows.cli import app
from flows.maintain import MaintainForm
from tests.warehouse.makers import load, part
from warehouse import compaction
from warehouse.errors import WarehouseError
from warehouse.locks import WrongHost
from warehouse.maintenance import Done, Report
from warehouse.store import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The warehouse of the settings, with a part in many files."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "synthetic")
    monkeypatch.setattr(compaction, "MANY", 2)
    made = Warehouse(tmp_path, "synthetic")
    for day in range(1, 5):
        load(made, part({("A", "2017"): float(day)}, f"2024-01-{day:02}"))
    return made


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that the flow published, instead of a Prefect server that keeps them."""
    pages: list[str] = []
    monkeypatch.setattr(maintain, "create_markdown_artifact", lambda page, **_: pages.append(page))
    return pages


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Warehouse) -> list[Any]:
        raise WarehouseError("it broke", next_step="mend it")

    monkeypatch.setattr(compaction, "bundles", fails)


def test_the_command_says_what_it_would_do_and_does_it(warehouse: Warehouse) -> None:
    before = sorted(warehouse.storage.list("tables"))
    rehearsed = CliRunner().invoke(app, ["maintain", "--dry-run", "--format", "json"])
    assert rehearsed.exit_code == 0
    assert sorted(warehouse.storage.list("tables")) == before
    done = CliRunner().invoke(app, ["maintain", "--format", "json"])
    assert done.exit_code == 0
    said, did = (
        {row["action"]: row["files"] for row in json.loads(run.stdout) if row["step"] == "compaction"}
        for run in (rehearsed, done)
    )
    assert said == did == {"test.one p: 4 vintages, from many files to 2": 8}
    assert {"step", "action", "files", "bytes"} == set(json.loads(done.stdout)[0])


@pytest.mark.usefixtures("warehouse", "failing")
def test_the_command_ends_with_1_when_a_step_failed() -> None:
    ended = CliRunner().invoke(app, ["maintain"])
    assert ended.exit_code == 1
    assert "compaction: it broke. Next: mend it" in ended.output


def test_another_host_may_take_over_and_only_then_write(warehouse: Warehouse, tmp_path: Path) -> None:
    Warehouse(tmp_path, "synthetic", host="elsewhere").take_over()
    refused = CliRunner().invoke(app, ["maintain"])
    assert isinstance(refused.exception, WrongHost)
    taken = CliRunner().invoke(app, ["maintain", "--take-over"])
    assert taken.exit_code == 0
    assert "written until now by host elsewhere" in taken.output
    load(warehouse, part({("A", "2017"): 9.0}, "2024-02-01"))


def test_the_flow_publishes_its_report(warehouse: Warehouse, published: list[str]) -> None:
    state = maintain.maintain.fn(MaintainForm())
    assert state.is_completed()
    assert "| compaction | test.one p: 4 vintages" in published[0]
    assert str(state.message).startswith("8 files brought together")


@pytest.mark.usefixtures("warehouse", "failing")
def test_the_flow_fails_with_the_next_step_when_a_step_failed(published: list[str]) -> None:
    state = maintain.maintain.fn(MaintainForm(dry_run=True))
    assert state.is_failed()
    assert "Next: mend it" in str(state.message)
    assert "### Failed" in published[0]


def test_without_a_warehouse_the_flow_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "none"))
    state = maintain.maintain.fn(MaintainForm())
    assert state.is_failed()
    assert "Next:" in str(state.message)


def test_the_headline_counts_what_was_brought_together_and_removed() -> None:
    done = [
        Done("compaction", "d p", 40, 0),
        Done("removal", "removed: why", 7, 1000),
        Done("removal", "kept for now: why", 5, 0),
    ]
    assert Report(False, done).headline == "40 files brought together, 7 removed (1,000 bytes), 0 steps failed"
    assert Report(True, []).headline.startswith("dry run: 0 files")
