"""Replay, back-up, restoring and moving: the same warehouse again, from its journal and payloads alone."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ColumnElement, String, Table, and_, select, update

from tests.warehouse.forms import Form
from tests.warehouse.histories import KOREA, MakersParsers, eventful
from tests.warehouse.makers import load, part, store
from warehouse import ledger, line, questions, rebuild, truth
from warehouse.archived import Archived
from warehouse.backup import backup, opened
from warehouse.errors import Corrupted, UsageError, WrongProfile, WrongState
from warehouse.journal import Journal
from warehouse.locks import Busy
from warehouse.payloads import PayloadArchive
from warehouse.replay import Differs
from warehouse.sameness import COMPARED, NOT_COMPARED, differences
from warehouse.schema import PartData
from warehouse.settling import settle
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse
from warehouse.tables import TABLES
from warehouse.truth import Truth

SERIES = ["test.one:KOR"]


@pytest.fixture
def here(tmp_path: Path) -> Warehouse:
    """A warehouse in which everything has happened once."""
    warehouse = store(tmp_path / "here")
    eventful(warehouse)
    return warehouse


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Such a one for all tests that only read it."""
    warehouse = store(tmp_path_factory.mktemp("seen"))
    eventful(warehouse)
    return warehouse


@pytest.fixture
def bare(seen: Warehouse, tmp_path: Path) -> LocalStorage:
    """Its journal and payloads alone, in another place."""
    return copied(seen, tmp_path / "bare")


@pytest.fixture(scope="module")
def rebuilt(seen: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A replay of it; what a test changes there it takes back."""
    return replayed(copied(seen, tmp_path_factory.mktemp("bare")), tmp_path_factory.mktemp("rebuilt"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def copied(warehouse: Warehouse, to: Path) -> LocalStorage:
    storage = LocalStorage(to)
    truth.copy(warehouse.storage, storage)
    return storage


def replayed(source: LocalStorage, home: Path) -> Warehouse:
    rebuild.into_home(source, home, "synthetic", MakersParsers())
    return Warehouse(home, "synthetic", create=False)


def standing(warehouse: Warehouse) -> list[str]:
    with warehouse.engine.connect() as connection:
        return sorted(row["vintage_id"] for row in line.visible(connection))


@pytest.mark.usefixtures("offline")
def test_a_replay_is_the_same_table_by_table(seen: Warehouse, bare: LocalStorage, tmp_path: Path) -> None:
    there = replayed(bare, tmp_path / "there")
    assert not list(differences(seen, there))
    for asked in ({}, {"as_of": "2020-12"}, {"as_of": "2021-12-31"}, {"first": True}, {"edition": 3}):
        assert questions.values(there, SERIES, **asked) == questions.values(seen, SERIES, **asked)
    for name in TABLES:
        assert there.tables.vintages(name) == standing(seen)


def test_a_replayed_warehouse_goes_on_as_the_other_one(here: Warehouse, tmp_path: Path) -> None:
    bare = copied(here, tmp_path / "bare")
    there = replayed(bare, tmp_path / "there")
    more = part({**KOREA, ("KOR", "2019"): 4.63}, "2024-03-01", stamp="2024-02-20")
    assert load(here, more)[1] == load(there, more)[1]
    assert standing(here) == standing(there)
    assert there.journal.tail()[0] > Truth(bare).journal.tail()[0]
    assert [entry["kind"] for entry in there.journal.entries()] == [entry["kind"] for entry in here.journal.entries()]
    assert there.tables.vintages("observations") == standing(there)


def test_a_replay_of_a_replay(seen: Warehouse, rebuilt: Warehouse, tmp_path: Path) -> None:
    again = replayed(LocalStorage(rebuilt.root), tmp_path / "again")
    assert not list(differences(seen, again))


def test_a_replay_of_nothing_makes_nothing(form: Form, bare: LocalStorage, tmp_path: Path) -> None:
    mistyped = LocalStorage(tmp_path / "mistyped")
    with pytest.raises(UsageError, match=f"no journal in {mistyped.address('')}"):
        replayed(mistyped, tmp_path / "there")
    assert not (tmp_path / "there").exists()
    replayed(bare, tmp_path / "there")
    into = form.open(tmp_path / "into")
    with pytest.raises(UsageError, match="no journal in"):
        rebuild.into_server(mistyped, into, MakersParsers())
    rebuild.into_server(bare, into, MakersParsers())


def test_a_replay_does_not_nest_in_its_source(seen: Warehouse, tmp_path: Path) -> None:
    held = sorted(seen.root.rglob("*"))
    with pytest.raises(UsageError, match=f"a warehouse lies in {seen.root}"):
        replayed(LocalStorage(seen.root), seen.root)
    assert sorted(seen.root.rglob("*")) == held
    bare = copied(seen, tmp_path / "safe" / "synthetic")
    with pytest.raises(UsageError, match=f"a warehouse lies in {bare.root}"):
        replayed(bare, bare.root)


def test_every_table_is_compared_or_named() -> None:
    assert {*COMPARED, *NOT_COMPARED} == set(ledger.metadata.sorted_tables)


@contextmanager
def changed(warehouse: Warehouse, column: Column[Any], chosen: ColumnElement[bool], value: object) -> Iterator[None]:
    """Another value in the rows chosen of one table, for as long as it lasts."""
    with warehouse.engine.begin() as connection:
        [before] = connection.execute(select(column).where(chosen)).scalars()
        connection.execute(update(column.table).where(chosen).values({column: value}))
    try:
        yield
    finally:
        with warehouse.engine.begin() as connection:
            connection.execute(update(column.table).where(chosen).values({column: before}))


@pytest.mark.parametrize("table", list(COMPARED), ids=lambda table: table.name)
def test_a_difference_in_any_table_is_found(seen: Warehouse, rebuilt: Warehouse, table: Table) -> None:
    other = next(c for c in table.c if not c.primary_key and c.name not in COMPARED[table] and c.name != "batch_id")
    with rebuilt.engine.connect() as connection:
        first = connection.execute(select(*table.primary_key).limit(1)).one()
    row = and_(*(key == value for key, value in zip(table.primary_key, first, strict=True)))
    with changed(rebuilt, other, row, "other" if isinstance(other.type, String) else 77):
        found = [difference for difference in differences(seen, rebuilt) if difference.table == table.name]
    assert found
    assert {difference.column for difference in found} <= {other.name, "(row)"}


def test_a_difference_in_the_rows_of_a_vintage_is_found(seen: Warehouse, rebuilt: Warehouse) -> None:
    with rebuilt.engine.connect() as connection:
        one, other = [row for row in line.visible(connection) if row["part"] == "p"][:2]
    columns = ledger.vintages.c
    chosen = columns.vintage_id == one["vintage_id"]
    with changed(rebuilt, columns.observations_file, chosen, other["observations_file"]):
        [found] = differences(seen, rebuilt)
    assert (found.table, found.row) == ("observations (Parquet)", one["vintage_id"])


def files_of(storage: LocalStorage) -> dict[str, str]:
    """One file of each kind."""
    kinds = {"journal": truth.JOURNAL, "attachment": truth.ATTACHED, "payload": truth.PAYLOADS}
    return {kind: next(iter(storage.list(folder, deep=kind != "journal"))) for kind, folder in kinds.items()}


@pytest.mark.parametrize("kind", ["journal", "attachment", "payload"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_flipped_byte_is_found_and_named(bare: LocalStorage, tmp_path: Path, kind: str, share: float) -> None:
    name = files_of(bare)[kind]
    content = bytearray(bare.read(name))
    content[int(len(content) * share)] ^= 1
    bare.write(name, bytes(content))
    with pytest.raises(Corrupted, match=name) as caught:
        replayed(bare, tmp_path / "there")
    assert "back-up" in caught.value.next_step
    assert not (tmp_path / "there" / "synthetic").exists()


@pytest.mark.parametrize("kind", ["attachment", "payload"])
def test_a_missing_file_is_named(bare: LocalStorage, tmp_path: Path, kind: str) -> None:
    name = files_of(bare)[kind]
    bare.remove(name)
    with pytest.raises(Corrupted, match=rf"{name} is missing"):
        replayed(bare, tmp_path / "there")


class Misreading(MakersParsers):
    """A parser that has changed since."""

    def parse(self, parts: Iterable[Archived]) -> Generator[PartData, None, None]:
        for data in super().parse(parts):
            yield replace(data, canonical_hash="0" * 64)


class MisreadingLate(MakersParsers):
    """One that reads most as it was."""

    def parse(self, parts: Iterable[Archived]) -> Generator[PartData, None, None]:
        *most, last = super().parse(parts)
        yield from (*most, replace(last, canonical_hash="0" * 64))


def test_a_parser_that_reads_otherwise_is_told_and_leaves_nothing(bare: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(Differs, match="read otherwise than they were then"):
        rebuild.into_home(bare, tmp_path / "there", "synthetic", Misreading())
    assert not [path for path in (tmp_path / "there").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_journal_that_tells_something_else_is_told(bare: LocalStorage, tmp_path: Path) -> None:
    false = LocalStorage(tmp_path / "false")
    entries = [(entry["n"], entry["kind"], entry["body"]) for entry in Truth(bare).entries()]
    truth.copy(bare, false)
    for name in list(false.list(truth.JOURNAL, deep=False)):
        false.remove(name)
    entries[2][2]["readings"][0]["compared"]["revised"] += 1
    Journal(false).append(entries)
    with pytest.raises(Differs, match=rf"entry {entries[2][0]} .* at readings\[0\]\.compared\.revised: 1 instead of 2"):
        replayed(false, tmp_path / "there")


def test_a_replay_never_writes_into_what_is_there(rebuilt: Warehouse, bare: LocalStorage) -> None:
    before = standing(rebuilt)
    with pytest.raises(UsageError, match="exists already"):
        rebuild.into_home(bare, rebuilt.root.parent, "synthetic", MakersParsers())
    assert standing(rebuilt) == before


def test_one_replay_at_a_time_and_what_a_dead_one_left_goes(bare: LocalStorage, tmp_path: Path) -> None:
    home = tmp_path / "there"
    with rebuild.building(home, "synthetic") as yard:
        (yard / "half").write_text("done")
        with pytest.raises(Busy):
            replayed(bare, home)
        dead = shutil.copytree(yard, tmp_path / "dead")
    shutil.copytree(dead, yard)
    replayed(bare, home)
    assert not yard.exists()


def test_a_back_up_is_brought_up_to_date_and_restored(here: Warehouse, tmp_path: Path) -> None:
    first = backup(here, tmp_path / "safe")
    assert first.new == first.held
    assert backup(here, tmp_path / "safe").new == 0
    load(here, part({**KOREA, ("KOR", "2019"): 4.63}, "2024-03-01"))
    later = backup(here, tmp_path / "safe")
    assert 0 < later.new < first.new
    assert later.entries == first.entries + 1
    rebuild.into_home(opened(tmp_path / "safe", "synthetic"), tmp_path / "there", "synthetic", MakersParsers())
    assert not list(differences(here, Warehouse(tmp_path / "there", "synthetic", create=False)))


def test_a_back_up_shares_no_bytes_with_the_warehouse(seen: Warehouse, tmp_path: Path) -> None:
    backup(seen, tmp_path / "safe")
    name = files_of(LocalStorage(seen.root))["payload"]
    assert seen.path(name).stat().st_ino != (tmp_path / "safe" / "synthetic" / name).stat().st_ino


def test_a_back_up_takes_no_damaged_bytes(here: Warehouse, tmp_path: Path) -> None:
    name = files_of(LocalStorage(here.root))["payload"]
    here.storage.write(name, here.storage.read(name)[:-9])
    with pytest.raises(Corrupted, match=name):
        backup(here, tmp_path / "safe")


def test_a_back_up_belongs_to_one_profile(seen: Warehouse, tmp_path: Path) -> None:
    backup(seen, tmp_path / "safe")
    with pytest.raises(UsageError, match="no back-up of profile live; it has those of synthetic"):
        opened(tmp_path / "safe", "live")
    (tmp_path / "safe" / "synthetic").rename(tmp_path / "safe" / "live")
    with pytest.raises(WrongProfile, match="stamped 'synthetic'"):
        opened(tmp_path / "safe", "live")


def test_a_back_up_lies_outside_of_every_warehouse(here: Warehouse, tmp_path: Path) -> None:
    other = store(tmp_path / "other")
    (tmp_path / "link").symlink_to(tmp_path / "here")
    held = sorted(tmp_path.rglob("*"))
    for to in (tmp_path / "here", tmp_path / "link", here.root, here.root / "payloads", tmp_path / "other", other.root):
        with pytest.raises(UsageError, match="a warehouse lies in") as caught:
            backup(here, to)
        assert "outside of every warehouse" in caught.value.next_step
    assert sorted(tmp_path.rglob("*")) == held
    deep = store(tmp_path / "synthetic" / "deeper")
    with pytest.raises(UsageError, match=f"{tmp_path / 'synthetic'} cannot be used"):
        backup(deep, tmp_path)
    assert backup(here, tmp_path / "here" / "safe").new


def test_a_moved_folder_mends_its_tables_with_the_next_publish(here: Warehouse, tmp_path: Path) -> None:
    here.engine.dispose()
    (tmp_path / "elsewhere").mkdir()
    shutil.move(here.root, tmp_path / "elsewhere" / "synthetic")
    there = Warehouse(tmp_path / "elsewhere", "synthetic", create=False)
    load(there, part({**KOREA, ("KOR", "2019"): 4.63}, "2024-03-01"))
    for name in TABLES:
        assert there.tables.vintages(name) == standing(there)
        files = there.tables.table(name).scan().plan_files()
        assert all(str(tmp_path / "elsewhere") in task.file.file_path for task in files)
    with there.publish_lock():
        assert not settle(there)


def test_either_form_is_restored_into_the_other(
    seen: Warehouse, bare: LocalStorage, form: Form, tmp_path: Path
) -> None:
    there = form.open(tmp_path / "there")
    rebuild.into_server(bare, there, MakersParsers())
    again = form.open(tmp_path / "there", create=False)
    assert not list(differences(seen, again))
    for name in TABLES:
        assert again.tables.vintages(name) == standing(seen)
    back = tmp_path / "back"
    rebuild.into_home(again.storage, back, "synthetic", MakersParsers())
    assert not list(differences(again, Warehouse(back, "synthetic", create=False)))
    with pytest.raises(UsageError, match="is not empty"):
        rebuild.into_server(bare, again, MakersParsers())


def test_a_restore_that_was_cut_off_cannot_be_opened(bare: LocalStorage, form: Form, tmp_path: Path) -> None:
    there = form.open(tmp_path / "there")
    with pytest.raises(Differs):
        rebuild.into_server(bare, there, Misreading())
    with pytest.raises(WrongState, match="a replay into it has not ended"):
        form.open(tmp_path / "there", create=False)


def test_a_restore_that_was_cut_off_begins_again_and_no_other_does(
    seen: Warehouse, bare: LocalStorage, form: Form, tmp_path: Path
) -> None:
    def opened_unfinished() -> Warehouse:
        uris = form.catalog_uri, form.storage_uri
        return Warehouse(tmp_path / "there", "synthetic", catalog_uri=uris[0], storage_uri=uris[1], unfinished=True)

    with pytest.raises(Differs):
        rebuild.into_server(bare, opened_unfinished(), MisreadingLate())
    stray = "tables/observations/data/test.one/p/of the first try.parquet"
    opened_unfinished().storage.write(stray, b"")
    rebuild.into_server(bare, opened_unfinished(), MakersParsers())
    again = form.open(tmp_path / "there", create=False)
    assert not list(differences(seen, again))
    assert not again.storage.exists(stray)
    with pytest.raises(UsageError, match="is not empty"):
        rebuild.into_server(bare, opened_unfinished(), MakersParsers())
    assert not list(differences(seen, again))


def test_one_restore_at_a_time(bare: LocalStorage, form: Form, tmp_path: Path) -> None:
    there = form.open(tmp_path / "there")
    with there.locks.held("replay", wait=0), pytest.raises(Busy):
        rebuild.into_server(bare, there, MakersParsers())


class Retelling(MakersParsers):
    """Knows the readings that a version-1 journal does not tell."""

    def __init__(self, bodies: Iterable[dict[str, Any]]) -> None:
        self.told = {body["batch_id"]: body["readings"] for body in bodies}

    def readings(self, body: Mapping[str, Any], archive: PayloadArchive) -> list[dict[str, Any]]:
        names = ("part", "scope", "stamp", "stamp_at", "stamp_precision", "stamp_basis")
        return [{name: row[name] for name in names} for row in self.told[body["batch_id"]]]


def test_what_version_1_took_for_unchanged_and_proves_more_is_kept_back(tmp_path: Path) -> None:
    here = store(tmp_path / "here")
    load(here, part(KOREA, "2020-03-01"))
    late, _ = load(here, part(KOREA, "2021-01-01", archive="201912"))
    bodies = [entry["body"] for entry in here.journal.entries()]
    older = LocalStorage(tmp_path / "older")
    truth.copy(here.storage, older)
    for name in list(older.list(truth.JOURNAL, deep=False)):
        older.remove(name)
    names = ["batch_id", "dataset", "at", "edition", "actor", "reason", "run_id", "payloads", "message"]
    names.append("dataset_description")
    as_then = [{**{name: body[name] for name in names}, **body["batch"], "vintages": []} for body in bodies]
    told = [{**body, "decision": word} for body, word in zip(as_then, ("published", "unchanged"), strict=True)]
    Journal(older).append([(number, "batch", body) for number, body in enumerate(told, start=1)])
    done = rebuild.into_home(older, tmp_path / "there", "synthetic", Retelling(bodies))
    assert (done.entries_1, done.kept_back) == (2, [(late, "p")])
    [first] = questions.vintages(Warehouse(tmp_path / "there", "synthetic", create=False), SERIES[0])
    assert first["known_from"].startswith("2020-03-01")
