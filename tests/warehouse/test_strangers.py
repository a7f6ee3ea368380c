"""A catalogue and its journal belong together: one that was lost, is older, or is another's, is noticed in time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.warehouse.forms import Form
from tests.warehouse.lived import sound
from tests.warehouse.makers import load, part, store
from warehouse import ledger, maintenance, publish, questions
from warehouse.errors import Corrupted, UsageError
from warehouse.journal import Journal
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse

KEY = ("CHN.X", "2017")
Entry = tuple[int, str, dict[str, Any]]


def _load(warehouse: Warehouse, number: int) -> None:
    load(warehouse, part({KEY: float(number)}, f"2024-01-{number:02}"))


def _told(warehouse: Warehouse) -> list[str]:
    """The batches that the journal tells of."""
    return [entry["body"]["batch_id"] for entry in warehouse.journal.entries()]


def _owed(warehouse: Warehouse) -> int:
    with warehouse.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(ledger.outbox)).scalar_one()


def test_profiles_share_an_address_without_meeting(postgres: str, bucket: str, tmp_path: Path) -> None:
    form = Form("server", postgres, bucket)
    one, other = form.open(tmp_path, "synthetic"), form.open(tmp_path, "live")
    for number in (1, 2, 3):
        _load(one, number)
    for number in (11, 12):
        _load(other, number)
    assert [len(set(_told(warehouse))) for warehouse in (one, other)] == [3, 2]
    assert [one.storage.read("profile"), other.storage.read("profile")] == [b"synthetic", b"live"]
    for _ in range(2):
        maintenance.maintain(other, grace=timedelta(0))
    fresh = form.open(tmp_path / "another machine", "synthetic")  # nothing in memory, nothing in a cache
    assert [row["value"] for row in questions.values(fresh, ["test.one:CHN.X"])] == [3.0]


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_a_second_catalogue_on_the_bytes_of_another_is_refused(
    postgres: str, bucket: str, tmp_path: Path, used: bool
) -> None:
    form = Form("server", postgres, bucket)
    first = form.open(tmp_path)
    if used:
        _load(first, 1)
    first.storage.remove("profile" if used else "nothing")
    with first.engine.begin() as connection:
        ledger.metadata.drop_all(connection)  # what another database looks like
    with pytest.raises(UsageError, match=r"is new, but s3://.*/kept/here/synthetic/.*Next: "):
        form.open(tmp_path / "other")


def test_a_new_catalogue_beside_a_journal_is_refused(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    _load(warehouse, 1)
    warehouse.engine.dispose()
    for file in warehouse.root.glob("catalog.sqlite*"):
        file.unlink()
    for _ in range(2):
        with pytest.raises(UsageError, match=r"holds a journal.*replay --into.*restore --from"):
            store(tmp_path)


def test_nothing_is_published_when_the_end_of_the_journal_is_lost(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    for number in (1, 2):
        _load(warehouse, number)
    newest = warehouse.journal.segments()[-1].name
    kept = warehouse.storage.read(newest)
    warehouse.storage.remove(newest)
    assert len(sound(warehouse)) == 2  # the decision, and the entry itself
    with pytest.raises(
        Corrupted, match=r"entry 2, which the catalogue brought there last.*Next: restore the newest files"
    ):
        _load(warehouse, 3)
    assert questions.values(warehouse, ["test.one:CHN.X"])[0]["value"] == 2.0
    warehouse.storage.write(newest, kept)
    _load(warehouse, 3)
    assert len(_told(warehouse)) == 3


def test_an_older_copy_of_the_catalogue_cannot_go_on(tmp_path: Path) -> None:
    warehouse = store(tmp_path / "now")
    _load(warehouse, 1)
    warehouse.engine.dispose()
    shutil.copytree(warehouse.root, tmp_path / "older" / warehouse.root.name)
    _load(warehouse, 2)
    older = store(tmp_path / "older")
    for segment in warehouse.journal.segments():
        older.storage.write(segment.name, warehouse.storage.read(segment.name))
    assert any("in the journal alone" in found for found in sound(older))
    with pytest.raises(Corrupted, match=r"after entry 1 was not brought by this catalogue.*Next: .*replay --into"):
        _load(older, 3)
    assert _told(older) == _told(warehouse)


def test_decisions_are_compared_one_by_one(tmp_path: Path) -> None:
    """A journal with as many entries, of other batches, is another one."""
    warehouse = store(tmp_path)
    _load(warehouse, 1)
    [entry] = warehouse.journal.entries()
    forged = {**entry["body"], "batch_id": "test.one@20240101T000000-00000000"}
    warehouse.storage.remove(warehouse.journal.segments()[0].name)
    warehouse.journal.append([(1, "batch", forged)])
    found = sound(warehouse)
    assert [said for said in found if "is not in the journal" in said and entry["body"]["batch_id"] in said]
    assert [said for said in found if "in the journal alone" in said and forged["batch_id"] in said]


def test_a_flush_that_was_cut_off_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it brought to the journal is owed still, and is found there."""
    warehouse = store(tmp_path)
    _load(warehouse, 1)
    with monkeypatch.context() as patch:
        append = warehouse.journal.append

        def die(*arguments: Any) -> None:
            append(*arguments)
            if arguments[0]:
                raise KeyboardInterrupt

        patch.setattr(warehouse.journal, "append", die)
        with pytest.raises(KeyboardInterrupt):
            _load(warehouse, 2)
    assert _owed(warehouse) == 1
    publish.flush(warehouse)
    assert _owed(warehouse) == 0
    _load(warehouse, 3)
    assert len(set(_told(warehouse))) == len(_told(warehouse)) == 3
    assert sound(warehouse) == []


def test_a_catalogue_that_remembers_no_end_takes_the_journal_as_it_is_once(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    _load(warehouse, 1)
    with warehouse.engine.begin() as connection:
        ledger.stamp(connection, ledger.JOURNAL_END, None)
    _load(warehouse, 2)
    with warehouse.engine.connect() as connection:
        assert ledger.journal_end(connection) == warehouse.journal.tail()


FIRST: list[Entry] = [(1, "batch", {"a": 1}), (2, "batch", {"a": 2})]


@pytest.mark.parametrize(
    ("owed", "after"),
    [
        ([(2, "batch", {"a": 3})], lambda _: None),
        ([(1, "batch", {"a": 1})], lambda _: None),
        ([(3, "batch", {})], lambda journal: (1, next(journal.entries())["sha256"])),
        ([(3, "batch", {})], lambda _: (2, "another")),
        ([(4, "batch", {})], lambda _: (3, "lost")),
    ],
    ids=["same number", "not all", "unknown entry", "other entry", "lost entry"],
)
def test_entries_that_do_not_continue_the_journal_are_refused(
    tmp_path: Path, owed: list[Entry], after: Callable[[Journal], tuple[int, str] | None]
) -> None:
    journal = Journal(LocalStorage(tmp_path))
    journal.append(FIRST)
    before = list(journal.entries())
    with pytest.raises(Corrupted, match=r"journal file://.*Next: "):
        journal.append(owed, after(journal))
    assert list(journal.entries()) == before
    assert journal.append(FIRST, None) == journal.append(FIRST[1:], None) == journal.tail()
