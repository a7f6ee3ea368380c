"""The archive and the journal: bytes that are what they say, and damage that is found and named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.warehouse.makers import load, part, store
from warehouse import incidents
from warehouse.errors import Corrupted, WarehouseError
from warehouse.journal import Journal
from warehouse.payloads import PayloadArchive
from warehouse.schema import Severity


def test_bytes_are_kept_once_under_their_hash(tmp_path: Path) -> None:
    archive = PayloadArchive(tmp_path)
    sha256 = archive.store(b"answer")
    written = archive.path(sha256).stat().st_mtime_ns
    assert archive.store(b"answer") == sha256
    assert archive.path(sha256).stat().st_mtime_ns == written
    assert archive.read(sha256) == b"answer"
    assert list(archive.hashes()) == [sha256]


def test_damaged_and_missing_payloads_are_named(tmp_path: Path) -> None:
    archive = PayloadArchive(tmp_path)
    sha256 = archive.store(b"answer")
    archive.path(sha256).write_bytes(gzip.compress(b"another"))
    with pytest.raises(Corrupted, match=sha256):
        archive.read(sha256)
    archive.path(sha256).write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(Corrupted, match="cannot be unpacked"):
        archive.read(sha256)
    with pytest.raises(WarehouseError, match="no payload 00 is held"):
        archive.read("00")


def test_the_journal_appends_each_number_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([(1, "batch", {"a": 1}), (2, "batch", {"名": "中"})])
    journal.append([(2, "batch", {"名": "中"}), (3, "decision", {})])
    assert [(entry["n"], entry["kind"]) for entry in journal.entries()] == [(1, "batch"), (2, "batch"), (3, "decision")]


def test_a_half_written_line_is_cut_off_and_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append([(1, "batch", {"a": 1})])
    with path.open("ab") as file:
        file.write(b'{"n": 2, "kind": "bat')
    Journal(path).append([(2, "batch", {"b": 2})])
    assert [entry["n"] for entry in Journal(path).entries()] == [1, 2]


@pytest.mark.parametrize(("old", "new"), [(b'"a": 1', b'"a": 7'), (b'"n": 1', b'"n": 9')])
def test_a_changed_journal_line_is_found(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append([(1, "batch", {"a": 1}), (2, "batch", {"a": 2})])
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(Corrupted, match="line 1"):
        list(Journal(path).entries())


def test_missing_lines_are_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append([(number, "batch", {}) for number in range(1, 6)])
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    Journal(path).append([(6, "batch", {})])
    with pytest.raises(Corrupted, match="line 3"):
        list(Journal(path).entries())


def test_a_long_journal_is_continued_from_its_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([(1, "batch", {"text": "x" * 300_000})])
    journal.append([(2, "batch", {})])
    assert [entry["n"] for entry in journal.entries()] == [1, 2]


def test_an_incident_opens_once_counts_and_closes(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    batch, _ = load(warehouse, part({("CHN.X", "2017"): 1.0}, "2024-01-10"))
    opened = incidents.open_or_count(warehouse, "test.one", "failure", Severity.WARNING, "title", "text", batch)
    assert opened is not None
    assert incidents.open_or_count(warehouse, "test.one", "failure", Severity.WARNING, "title", "again", batch) is None
    owed = incidents.undelivered(warehouse, ("inbox", "webhook"))
    assert owed == [(opened.id, "opened", "inbox"), (opened.id, "opened", "webhook")]
    incidents.mark_delivered(warehouse, opened.id, "opened", "inbox")
    closed = incidents.close_open(warehouse, "test.one", batch, "good again")
    assert closed is not None
    assert closed.id == opened.id
    assert incidents.close_open(warehouse, "test.one", batch, "good again") is None
    assert incidents.undelivered(warehouse, ("inbox",)) == [(opened.id, "closed", "inbox")]
