"""An editor's incident: it lasts until its verdicts are back or somebody takes note of it, and the journal knows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import cli, settings
from tests.warehouse.makers import load, part
from warehouse import incidents, lineage, publish
from warehouse.schema import IncidentChange, Severity
from warehouse.store import Warehouse

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "synthetic")
    made = Warehouse(tmp_path / "home", "synthetic")
    load(made, part({("KOR.X", "2017"): 1.0}, "2024-01-10"))
    return made


@pytest.fixture
def command(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line as a shell sees it: exit status, and all that it said."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), "".join(capsys.readouterr())

    return run


def opened(warehouse: Warehouse, title: str = "two verdicts changed") -> IncidentChange:
    return incidents.open_new(
        warehouse, "test.one", incidents.VERDICT, Severity.WARNING, title, "which, and why", "test.one@1"
    )


def test_each_batch_has_an_incident_of_its_own_and_a_good_refresh_closes_none(warehouse: Warehouse) -> None:
    first, second = opened(warehouse), opened(warehouse, "another one")
    assert first.id != second.id
    assert incidents.close_open(warehouse, "test.one", "test.one@2", "the refresh was good") is None
    assert [row["id"] for row in lineage.open_incidents(warehouse)] == [first.id, second.id]


def test_acknowledging_closes_it_with_name_and_reason(warehouse: Warehouse, command: Command) -> None:
    change = opened(warehouse)
    code, said = command("acknowledge", str(change.id), "--by", "Li Wei", "--reason", "corrigendum sent")
    assert code == 0
    assert f"incident {change.id} of test.one: acknowledged by Li Wei: corrigendum sent" in said
    assert lineage.open_incidents(warehouse) == []
    letters = sorted(path.name for path in (settings.load().root / "inbox").iterdir())
    assert letters == ["000001-closed-test.one.md"]  # it was over before anybody was told
    told = [entry["body"] for entry in warehouse.journal.entries() if entry["kind"] == "incident"]
    assert [(body["transition"], body.get("closed_by")) for body in told] == [("opened", None), ("closed", "Li Wei")]


@pytest.mark.parametrize(
    ("incident", "by", "reason", "code", "said"),
    [
        ("7", "Li Wei", "noted", 2, "there is no incident 7"),
        ("1", " ", "noted", 2, "needs a reason and a name"),
        ("1", "Li Wei", "", 2, "needs a reason and a name"),
        ("2", "Li Wei", "noted", 1, "is of kind failure, which ends with its cause"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused(
    warehouse: Warehouse, command: Command, incident: str, by: str, reason: str, code: int, said: str
) -> None:
    opened(warehouse)
    incidents.open_or_count(warehouse, "test.one", "failure", Severity.WARNING, "it failed", "why", "test.one@1")
    ended, told = command("acknowledge", incident, "--by", by, "--reason", reason)
    assert (ended, said in told) == (code, True), told
    assert len(lineage.open_incidents(warehouse)) == 2


def test_one_that_is_closed_says_how_it_ended(warehouse: Warehouse, command: Command) -> None:
    change = opened(warehouse)
    incidents.close_one(warehouse, change.id, "test.one@2", "the verdicts are what they were")
    publish.flush(warehouse)
    code, said = command("acknowledge", str(change.id), "--by", "Li Wei", "--reason", "noted")
    assert (code, "the verdicts are what they were" in said) == (1, True)
