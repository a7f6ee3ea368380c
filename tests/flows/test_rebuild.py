"""Warehouses of schema version 1, upgraded or replayed by the connectors' parsers; and the commands that keep a warehouse."""

from __future__ import annotations

import json
import sqlite3
import sys
import tarfile
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flows import cli
from flows.rebuild import ArchiveParsers
from warehouse import deliveries, ledger, lineage, questions, rebuild
from warehouse.archived import Archived
from warehouse.errors import Corrupted, WrongProfile
from warehouse.locks import Busy, FileLocks
from warehouse.sameness import differences
from warehouse.schema import PartData
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse
from warehouse.upgrade import AnswersChanged, Upgraded, upgrade

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "version1.tar.xz"
KEPT_WHOLE = ("check_results", "incidents", "notices", "decisions")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a warehouse of schema version 1."""
    root = tmp_path / "home" / "sandbox"
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(root, filter="data")
    with sqlite3.connect(root / "catalog.sqlite") as connection:
        connection.executescript((root / "ledger.sql").read_text())
    connection.close()
    return tmp_path / "home"


@pytest.fixture
def told(home: Path) -> dict[str, Any]:
    """What version 1 answered."""
    found: dict[str, Any] = json.loads((home / "sandbox" / "answers.json").read_text())
    return found


def upgraded(home: Path, *, accept: bool = False) -> tuple[Upgraded, Warehouse]:
    done = upgrade(home, "sandbox", ArchiveParsers(), accept=accept)
    return done, Warehouse(home, "sandbox", create=False)


def check_answers(warehouse: Warehouse, told: dict[str, Any]) -> int:
    """Every answer is as version 1 gave it; how many rows that are."""
    checked = 0
    for question in told["values"]:
        columns, rows = question["columns"], question["rows"]
        found = questions.values(warehouse, sorted({row[0] for row in rows}), **question["ask"]) if rows else []
        assert [[row[name] for name in columns] for row in found] == rows, question["ask"]
        checked += len(rows)
    for series, rows in told["vintages"].items():
        found = questions.vintages(warehouse, series)
        assert [[row[name] for name in ("known_from", "precision", "basis", "stamp")] for row in found] == rows
        checked += len(rows)
    return checked


def rows_of(database: Path, table: str) -> list[Any]:
    """All rows of a table, JSON as what it means."""
    connection = sqlite3.connect(database)
    try:
        rows = connection.execute(f"select * from {table}").fetchall()
    finally:
        connection.close()
    meant = [[json.loads(one) if str(one).startswith(("[", "{")) else one for one in row] for row in rows]
    return sorted(meant, key=repr)


def test_an_older_folder_is_refused_with_the_way_out(home: Path) -> None:
    with pytest.raises(WrongProfile, match="has schema version 1") as caught:
        Warehouse(home, "sandbox", create=False)
    assert "figurekeeper upgrade" in caught.value.next_step
    with pytest.raises(WrongProfile, match="has schema version 1"):
        Warehouse(home, "sandbox")
    tables = {row[1] for row in rows_of(home / "sandbox" / "catalog.sqlite", "sqlite_master")}
    assert "confirmations" in tables
    assert "readings" not in tables


def test_after_an_upgrade_all_answers_are_as_before(home: Path, told: dict[str, Any]) -> None:
    done, warehouse = upgraded(home)
    assert check_answers(warehouse, told) > 1000
    assert done.changed == []
    assert done.unfinished == []
    assert done.old_folder == home / "sandbox.version-1"
    for table in KEPT_WHOLE:
        assert rows_of(home / "sandbox" / "catalog.sqlite", table) == rows_of(done.old_folder / "catalog.sqlite", table)
    assert deliveries.owed(warehouse, "inbox") == []  # nobody is told twice


def test_lineage_leads_to_the_old_bytes(home: Path) -> None:
    _, warehouse = upgraded(home)
    with warehouse.engine.connect() as connection:
        series = connection.execute(select(ledger.series_index)).mappings().all()
    for row in series[::5]:
        name = f"{row['dataset']}:{row['series_key']}"
        period = questions.values(warehouse, [name])[-1]["period"]
        found = lineage.lineage(warehouse, name, period)
        assert found["payloads"]
        assert all(warehouse.payloads.read(payload["sha256"]) for payload in found["payloads"])


def test_the_next_replay_knows_all_that_the_upgrade_carried_over(
    home: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    _, warehouse = upgraded(home)
    rebuild.into_home(LocalStorage(warehouse.root), tmp_path / "again", "sandbox", ArchiveParsers(cores=1))
    again = Warehouse(tmp_path / "again", "sandbox", create=False)
    assert not list(differences(warehouse, again))
    check_answers(again, told)


def test_a_version_1_journal_alone_is_enough_for_the_answers(home: Path, told: dict[str, Any], tmp_path: Path) -> None:
    rebuild.into_home(LocalStorage(home / "sandbox"), tmp_path / "there", "sandbox", ArchiveParsers())
    check_answers(Warehouse(tmp_path / "there", "sandbox", create=False), told)


class OnOneCoreAndOnTwo(ArchiveParsers):
    """Reads all twice, and keeps what was found."""

    def parse(self, parts: Iterable[Archived]) -> Generator[PartData, None, None]:
        kept = list(parts)
        self.found = [list(ArchiveParsers(cores).parse(kept)) for cores in (1, 2)]
        yield from self.found[0]


def test_on_several_cores_all_is_read_in_order(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.rebuild._FEW", 3)
    parsers = OnOneCoreAndOnTwo()
    done = rebuild.into_home(LocalStorage(home / "sandbox"), tmp_path / "there", "sandbox", parsers)
    alone, together = ([(data.part, data.canonical_hash, data.payloads) for data in each] for each in parsers.found)
    assert len(alone) == done.readings > 3
    assert together == alone


def test_an_upgrade_takes_along_what_is_not_the_warehouse(home: Path) -> None:
    (home / "sandbox" / "inbox").mkdir()
    (home / "sandbox" / "inbox" / "1.md").write_text("a letter")
    _, warehouse = upgraded(home)
    assert (warehouse.root / "inbox" / "1.md").read_text() == "a letter"


def test_owed_entries_are_not_lost(home: Path) -> None:
    row = {
        "incident": 1,
        "transition": "closed",
        "closed_at": "2026-11-23T00:00:00.000000Z",
        "closed_by": "x",
        "text": "y",
    }
    with sqlite3.connect(home / "sandbox" / "catalog.sqlite") as connection:
        connection.execute("insert into journal_outbox (kind, body) values ('incident', ?)", [json.dumps(row)])
    connection.close()
    _, warehouse = upgraded(home)
    entries = [entry for entry in warehouse.journal.entries() if entry["body"] == row]
    assert len(entries) == 1


def test_nothing_is_put_in_place_while_an_answer_would_change(home: Path) -> None:
    database = home / "sandbox" / "catalog.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("update vintages set known_from = '2011-01-01T00:00:00.000000Z' where dataset = 'oecd.sbrd'")
    connection.close()
    before = rows_of(database, "vintages")
    with pytest.raises(AnswersChanged, match=r"oecd\.sbrd") as caught:
        upgraded(home)
    assert "--accept" in caught.value.next_step
    assert rows_of(database, "vintages") == before
    assert [path.name for path in home.iterdir() if not path.name.startswith(".")] == ["sandbox"]
    done, _ = upgraded(home, accept=True)
    assert {row["dataset"] for row in done.changed} == {"oecd.sbrd"}


def test_an_upgrade_waits_for_nobody_and_disturbs_nobody(home: Path) -> None:
    with FileLocks(home / "sandbox" / "locks").held("worldbank.wdi", wait=0), pytest.raises(Busy):
        upgraded(home)


def test_a_damaged_version_1_journal_is_named(home: Path) -> None:
    path = home / "sandbox" / "journal" / "journal.jsonl"
    content = path.read_text()
    path.write_text(content.replace('"discarded"', '"published"', 1))
    with pytest.raises(Corrupted, match=r"journal.jsonl, line \d+"):
        upgraded(home)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in that home: exit status, and all that it said."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(home))
    monkeypatch.delenv("FIGUREKEEPER_PROFILE", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), "".join(capsys.readouterr())

    return run


def test_the_commands_that_keep_a_warehouse(command: Command, home: Path, tmp_path: Path) -> None:
    code, said = command("status")
    assert code != 0
    assert "figurekeeper upgrade" in said
    assert command("upgrade")[0] == 0
    code, said = command("upgrade")
    assert (code, "is up to date" in said) == (0, True)
    code, said = command("replay", "--into", str(tmp_path / "there"), "--verify")
    assert (code, "the same, table by table" in said) == (0, True)
    assert command("replay", "--into", str(tmp_path / "there"))[0] == 2
    assert command("backup", "--to", str(tmp_path / "safe"))[0] == 0
    code, said = command("backup", "--to", str(tmp_path / "safe"))
    assert (code, "0 new files" in said) == (0, True)
    assert command("restore", "--from", str(tmp_path / "safe"))[0] == 2
    (home / "sandbox").rename(home / "gone")
    assert command("restore", "--from", str(tmp_path / "nothing"))[0] == 2
    assert command("restore", "--from", str(tmp_path / "safe"))[0] == 0
    assert "edition" in command("editions")[1]
    here, there = Warehouse(home, "sandbox", create=False), Warehouse(tmp_path / "there", "sandbox", create=False)
    assert not list(differences(here, there))
