"""What the commands that write somewhere else say of places that will not do, and of what need not be done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import cli, notices, settings
from tests.warehouse.makers import load, part
from warehouse import incidents
from warehouse.schema import Severity
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse

Command = Callable[..., tuple[int, str]]
SERIES = "test.one:KOR.X"
WRITING = {
    "triangle": ("triangle", SERIES, "--to"),
    "revisions": ("revisions", "--to"),
    "backup": ("backup", "--to"),
    "replay": ("replay", "--into"),
}
FOLDERS = ("backup", "replay")


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The warehouse of the settings, with one revision."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "synthetic")
    made = Warehouse(tmp_path / "home", "synthetic")
    for month, value in ((1, 1.0), (2, 2.0)):
        load(made, part({("KOR.X", "2017"): value}, f"2024-0{month}-10"))
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


@pytest.mark.parametrize("asked", list(WRITING))
def test_a_place_that_cannot_be_written_is_refused_in_one_line(command: Command, asked: str, tmp_path: Path) -> None:
    a_file, a_folder = tmp_path / "file", tmp_path / "folder"
    a_file.write_text("of somebody")
    a_folder.mkdir()
    wrong = a_file if asked in FOLDERS else a_folder
    for place in (wrong, a_file / "x", Path("/proc/x"), Path("/proc/x/y"), tmp_path / ("x" * 300)):
        code, said = command(*WRITING[asked], str(place))
        assert code == 2, place
        assert said.startswith(f"figurekeeper: cannot write to {place}: "), said
        assert "Next: name a " in said
        assert len(said.splitlines()) == 1
    assert a_file.read_text() == "of somebody"
    assert not list(a_folder.iterdir())


@pytest.mark.parametrize("asked", ["triangle", "revisions"])
def test_a_file_may_be_new_in_a_new_folder_or_written_again(command: Command, asked: str, tmp_path: Path) -> None:
    place = tmp_path / "new" / "deeper" / "file"
    for _ in range(2):
        code, said = command(*WRITING[asked], str(place))
        assert (code, str(place) in said) == (0, True)
        assert place.stat().st_size > 0
        place.write_bytes(b"")


def test_a_back_up_into_the_home_itself_is_refused(command: Command, warehouse: Warehouse) -> None:
    for to in (warehouse.root.parent, warehouse.root):
        code, said = command("backup", "--to", str(to))
        assert code == 2
        assert f"a warehouse lies in {warehouse.root}" in said
    assert not (warehouse.root / "profile").exists()


def test_a_mistyped_home_is_told_and_does_not_block_the_next_try(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    into = tmp_path / "into"
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "hoem"))
    code, said = command("replay", "--into", str(into))
    assert (code, "there is no journal in" in said) == (2, True)
    assert "FIGUREKEEPER_HOME" in said
    assert not into.exists()


def test_what_is_up_to_date_needs_no_upgrade(command: Command, warehouse: Warehouse) -> None:
    code, said = command("upgrade")
    assert (code, said) == (0, f"{warehouse.root} is up to date; nothing was done\n")


def test_the_server_form_is_not_upgraded_in_place(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIGUREKEEPER_CATALOG_URI", "postgresql+psycopg://nobody:s@localhost:1/none")
    code, said = command("upgrade")
    assert code == 2
    assert "`upgrade` is for folders" in said
    assert "restore" in said.split("Next:")[1]


def test_taking_over_from_nobody_says_so(
    command: Command, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "fresh"))
    fresh = Warehouse(tmp_path / "fresh", "synthetic")
    assert LocalStorage(fresh.root).exists("catalog.sqlite")
    code, said = command("maintain", "--take-over")
    assert (code, "written until now by nobody\n" in said) == (0, True)
    code, said = command("maintain", "--take-over")
    assert f"written until now by host {warehouse.host}\n" in said


def test_the_journal_knows_which_notices_went_out(warehouse: Warehouse) -> None:
    """Else a warehouse restored from it would tell them again."""
    opened = incidents.open_or_count(warehouse, "test.one", "failure", Severity.WARNING, "it failed", "why", "b1")
    told, refused = notices.deliver_pending(settings.load())
    assert ([notice.title for notice in told], refused) == (["it failed"], [])
    assert opened is not None
    bodies = [entry["body"] for entry in warehouse.journal.entries() if entry["kind"] == "notice"]
    assert [(body["incident"], body["channel"]) for body in bodies] == [(opened.id, "inbox")]
