"""Named bytes in a folder and in a bucket: the same answers from both."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.errors import UsageError
from warehouse.files import StoreUnreachable
from warehouse.storage import LocalStorage, ObjectStorage, Storage


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return LocalStorage(tmp_path / "kept")
    return ObjectStorage(request.getfixturevalue("bucket"), "live", tmp_path / "cache")


def test_what_was_written_is_read_listed_and_removed(storage: Storage) -> None:
    storage.write("a/b/c.gz", b"\x1f\x8bnot to be unpacked")
    storage.write("a/d", b"old")
    storage.write("a/d", b"new")
    assert storage.read("a/b/c.gz") == b"\x1f\x8bnot to be unpacked"
    assert (storage.read("a/d"), storage.size("a/d")) == (b"new", 3)
    assert list(storage.list("a")) == ["a/b/c.gz", "a/d"]
    assert list(storage.list("a", deep=False)) == ["a/d"]
    assert list(storage.list("")) == ["a/b/c.gz", "a/d"]
    assert 0 <= storage.age("a/d") + 2 < 60  # seconds; the two clocks need not agree
    storage.remove("a/d")
    storage.remove("a/d")
    assert not storage.exists("a/d")
    assert list(storage.list("a")) == ["a/b/c.gz"]


def test_what_is_missing_is_said_to_be(storage: Storage) -> None:
    assert not storage.exists("nothing")
    assert list(storage.list("nowhere")) == []
    for question in (storage.read, storage.age, storage.size):
        with pytest.raises(FileNotFoundError):
            question("nothing")


def test_a_local_file_is_moved_in(storage: Storage, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"content")
    storage.put("tables/x.parquet", mine)
    assert not mine.exists()
    assert storage.local("tables/x.parquet").read_bytes() == storage.read("tables/x.parquet") == b"content"


def test_a_block_that_fails_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    def fail() -> None:
        with storage.writing("tables/x.parquet") as path:
            path.write_bytes(b"half of it")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not storage.exists("tables/x.parquet")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with storage.writing("tables/x.parquet") as path:
        path.write_bytes(b"all of it")
    assert storage.read("tables/x.parquet") == b"all of it"


def test_a_dead_writers_temporary_file_is_no_name_but_a_leftover(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a/b", b"1")
    (tmp_path / "a" / ".c.123.abcdef").write_bytes(b"half")
    assert list(storage.list("a")) == ["a/b"]
    assert list(storage.leftovers("a")) == ["a/.c.123.abcdef"]
    storage.remove("a/.c.123.abcdef")
    assert list(storage.leftovers("")) == []


def test_another_host_reads_a_bucket_through_a_copy_of_its_own(bucket: str, tmp_path: Path) -> None:
    one, other = ObjectStorage(bucket, "live", tmp_path / "one"), ObjectStorage(bucket, "live", tmp_path / "other")
    one.write("tables/x", b"content")
    copy = other.local("tables/x")
    assert copy == tmp_path / "other" / "tables" / "x"
    one.remove("tables/x")
    assert other.local("tables/x").read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        one.local("tables/x")


def test_addresses_are_those_that_iceberg_understands(bucket: str, s3_server: str, tmp_path: Path) -> None:
    kept = ObjectStorage(bucket, "live", tmp_path)
    assert kept.address("tables/x") == f"{bucket.partition('?')[0]}/live/tables/x"
    assert kept.iceberg_properties() == {"s3.endpoint": s3_server, "s3.region": "us-east-1"}
    assert LocalStorage(tmp_path).address("tables/x") == f"file://{tmp_path}/tables/x"


def test_a_bucket_that_is_not_there_is_said_to_be_missing(s3_server: str, tmp_path: Path) -> None:
    storage = ObjectStorage(f"s3://no-such-bucket?endpoint={s3_server}", "live", tmp_path)
    with pytest.raises(
        StoreUnreachable, match=r"s3://no-such-bucket.*does not exist.*Next: see that FIGUREKEEPER_STORAGE"
    ):
        storage.write("x", b"1")


@pytest.mark.parametrize(
    "uri", ["folder/elsewhere", "s3://", "s3://key:secret@bucket/x", "s3://bucket?endpiont=http://localhost:9000"]
)
def test_a_wrong_address_is_refused_without_being_repeated(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FIGUREKEEPER_STORAGE_URI") as refused:
        ObjectStorage(uri, "live", tmp_path)
    assert "secret" not in str(refused.value)
