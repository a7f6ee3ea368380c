"""The archive and the journal: bytes that are what they say, and damage that is found and named."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pytest

from tests.warehouse.makers import load, part, store
from warehouse import incidents
from warehouse.errors import Corrupted, WarehouseError
from warehouse.journal import Journal
from warehouse.payloads import PayloadArchive
from warehouse.schema import Severity
from warehouse.storage import LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def test_bytes_are_kept_once_under_their_hash(storage: LocalStorage) -> None:
    archive = PayloadArchive(storage)
    sha256 = archive.store(b"answer")
    written = archive.path(sha256).stat().st_mtime_ns
    assert archive.store(b"answer") == sha256
    assert archive.path(sha256).stat().st_mtime_ns == written
    assert archive.read(sha256) == b"answer"
    assert list(archive.hashes()) == [sha256]


def test_missing_and_exchanged_payloads_are_named(storage: LocalStorage) -> None:
    archive = PayloadArchive(storage)
    sha256 = archive.store(b"answer")
    archive.path(sha256).write_bytes(gzip.compress(b"another", compresslevel=4, mtime=0))
    with pytest.raises(Corrupted, match=rf"{sha256}.gz does not match"):
        archive.read(sha256)
    with pytest.raises(WarehouseError, match="no payload 00 is held"):
        archive.read("00")


def test_any_flipped_byte_of_a_payload_is_found(storage: LocalStorage) -> None:
    archive = PayloadArchive(storage)
    sha256 = archive.store(b"an answer of some length, with some repetition, some repetition")
    path = archive.path(sha256)
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(Corrupted, match=sha256):
            archive.read(sha256)


def _journal(storage: LocalStorage, *flushes: range) -> Journal:
    """A journal with one segment a flush."""
    journal = Journal(storage)
    for numbers in flushes:
        journal.append([(number, "batch", {"is": f"entry {number}"}) for number in numbers])
    return journal


def _numbers(journal: Journal) -> list[int]:
    return [entry["n"] for entry in journal.entries()]


def _files(storage: LocalStorage) -> list[Path]:
    return [storage.local(name) for name in storage.list("journal")]


def test_the_journal_appends_each_number_once(storage: LocalStorage) -> None:
    journal = Journal(storage)
    assert journal.tail() == (0, "")
    journal.append([(1, "batch", {"a": 1}), (2, "batch", {"名": "中"})])
    journal.append([(2, "batch", {"名": "中"}), (5, "decision", {})])
    journal.append([(5, "decision", {})])
    entries = list(journal.entries())
    assert [(entry["n"], entry["kind"]) for entry in entries] == [(1, "batch"), (2, "batch"), (5, "decision")]
    assert entries[1]["body"] == {"名": "中"}
    assert journal.tail() == (5, entries[-1]["sha256"])
    assert [path.name for path in _files(storage)] == [
        "000000000001-000000000002.jsonl",
        "000000000005-000000000005.jsonl",
    ]


def test_the_end_is_found_without_reading_the_rest(storage: LocalStorage) -> None:
    journal = _journal(storage, range(1, 4), range(4, 6))
    _files(storage)[0].unlink()
    assert journal.tail()[0] == 5
    with pytest.raises(Corrupted, match=r"000000000004-000000000005.jsonl, line 1"):
        list(journal.entries())


def test_any_changed_line_is_found_and_named(storage: LocalStorage) -> None:
    journal = _journal(storage, range(1, 3), range(3, 5))
    second = _files(storage)[1]
    content = second.read_bytes()
    for old, new in ((b"entry 4", b"entry 5"), (b'"n": 4', b'"n": 6'), (b'{"n": 4', b'{"n" 4')):
        second.write_bytes(content.replace(old, new))
        with pytest.raises(Corrupted, match=r"000000000003-000000000004.jsonl, line 2.*Next: restore the journal"):
            list(journal.entries())


@pytest.mark.parametrize("kept", [[0, 2], [1, 0, 2], [0, 1], []])
def test_missing_and_reordered_lines_are_found(storage: LocalStorage, kept: list[int]) -> None:
    journal = _journal(storage, range(1, 4), range(4, 5))
    first = _files(storage)[0]
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[number] for number in kept))
    with pytest.raises(Corrupted, match=r"000000000001-000000000003.jsonl, line \d"):
        list(journal.entries())


def test_a_cut_last_line_is_found(storage: LocalStorage) -> None:
    journal = _journal(storage, range(1, 3))
    [file] = _files(storage)
    file.write_bytes(file.read_bytes()[:-10])
    for read in (lambda: list(journal.entries()), journal.tail):
        with pytest.raises(Corrupted, match="line 2"):
            read()


def test_a_segment_that_a_stalled_writer_brings_late_changes_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    journal = _journal(storage, range(1, 3), range(3, 6))
    stalled = LocalStorage(tmp_path / "stalled")
    _journal(stalled, range(1, 3), range(3, 5))
    late = _files(stalled)[1]
    storage.write(f"journal/{late.name}", late.read_bytes())
    assert _numbers(journal) == [1, 2, 3, 4, 5]
    assert journal.tail()[0] == 5
    journal.append([(6, "batch", {})])
    assert _numbers(journal) == [1, 2, 3, 4, 5, 6]


def test_another_history_of_the_same_numbers_is_found(storage: LocalStorage, tmp_path: Path) -> None:
    journal = _journal(storage, range(1, 3), range(3, 6))
    other = Journal(LocalStorage(tmp_path / "other"))
    other.append([(1, "batch", {"is": "another"})])
    foreign = tmp_path / "other" / "journal" / "000000000001-000000000001.jsonl"
    storage.write("journal/000000000002-000000000004.jsonl", foreign.read_bytes())
    with pytest.raises(Corrupted, match=r"000000000002-000000000004.jsonl, line 1"):
        list(journal.entries())


def test_the_single_file_of_version_1_is_the_first_segment_and_never_written(storage: LocalStorage) -> None:
    journal = _journal(storage, range(1, 4))
    [segment] = _files(storage)
    old = storage.local("journal/journal.jsonl")
    segment.rename(old)
    with old.open("ab") as file:
        file.write(b'{"n": 4, "kind": "bat')  # left by a crash; the entry came again, or comes yet
    content = old.read_bytes()
    assert journal.tail() == (3, list(journal.entries())[-1]["sha256"])
    journal.append([(4, "batch", {}), (5, "batch", {})])
    journal.append([(6, "batch", {})])
    assert journal.merge(100) == ["journal/000000000004-000000000005.jsonl", "journal/000000000006-000000000006.jsonl"]
    assert _numbers(journal) == [1, 2, 3, 4, 5, 6]
    assert old.read_bytes() == content


def test_merging_leaves_one_file_that_says_the_same(storage: LocalStorage) -> None:
    journal = _journal(storage, *(range(number, number + 2) for number in range(1, 41, 2)))
    before, tail = list(journal.entries()), journal.tail()
    removed = journal.merge(31)
    assert len(removed) == 15
    assert [path.name[:25] for path in _files(storage)][:2] == [
        "000000000001-000000000030",
        "000000000031-000000000032",
    ]
    assert list(journal.entries()) == before
    assert journal.tail() == tail
    assert journal.merge(31) == []
    journal.append([(41, "batch", {})])
    assert _numbers(journal) == list(range(1, 42))


@pytest.mark.parametrize("done", range(5))
def test_a_merge_that_is_cut_off_loses_nothing(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    journal = _journal(storage, *(range(number, number + 1) for number in range(1, 5)))
    before = list(journal.entries())
    steps = iter(range(done))
    remove = storage.remove

    def stop_after(name: str) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        remove(name)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(storage, "remove", stop_after)
        journal.merge(100)
    assert len(_files(storage)) == 5 - done
    assert list(journal.entries()) == before
    journal.append([(5, "batch", {})])
    journal.merge(100)
    assert len(_files(storage)) == 1
    assert list(journal.entries())[:4] == before


def test_a_reader_of_segments_that_are_just_being_merged_misses_nothing(storage: LocalStorage) -> None:
    journal = _journal(storage, *(range(number, number + 1) for number in range(1, 5)))
    reading = journal.entries()
    read = [next(reading)["n"]]
    journal.merge(100)
    assert read + [entry["n"] for entry in reading] == [1, 2, 3, 4]


def test_merging_checks_what_it_joins(storage: LocalStorage) -> None:
    journal = _journal(storage, range(1, 2), range(2, 3), range(3, 4))
    second = _files(storage)[1]
    second.write_bytes(second.read_bytes().replace(b"entry 2", b"entry 7"))
    with pytest.raises(Corrupted, match=r"000000000002-000000000002.jsonl, line 1"):
        journal.merge(100)
    assert len(_files(storage)) == 3


def test_an_incident_opens_once_counts_and_closes(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    batch, _ = load(warehouse, part({("CHN.X", "2017"): 1.0}, "2024-01-10"))
    opened = incidents.open_or_count(warehouse, "test.one", "failure", Severity.WARNING, "title", "text", batch)
    assert opened is not None
    assert incidents.open_or_count(warehouse, "test.one", "failure", Severity.WARNING, "title", "again", batch) is None
    closed = incidents.close_open(warehouse, "test.one", batch, "good again")
    assert closed is not None
    assert closed.id == opened.id
    assert incidents.close_open(warehouse, "test.one", batch, "good again") is None
