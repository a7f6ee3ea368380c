"""The Iceberg tables: one commit a change, repeatable, at a flat cost, also over files that hold several vintages."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from warehouse.schema import OBSERVATIONS
from warehouse.storage import LocalStorage
from warehouse.tables import KEPT_SNAPSHOTS, Tables, write_vintage


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(LocalStorage(tmp_path), f"sqlite:///{tmp_path}/catalog.sqlite")


def rows_of(vintage: int) -> pa.Table:
    """Three observations, which say in their value whose they are."""
    lines = [
        {
            "dataset": "d", "part": "p", "vintage_id": f"{vintage:016x}", "series_key": key, "period": "2017",
            "known_from": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=vintage),
            "period_start": date(2017, 1, 1), "value": float(vintage), "value_text": None, "status": "",
        }
        for key in ("A", "B", "C")
    ]  # fmt: skip
    return pa.Table.from_pylist(lines, schema=OBSERVATIONS)


def staged(tables: Tables, *vintages: int) -> dict[str, str]:
    """Files of single vintages, as a refresh writes them: vintage id → storage name."""
    files = {f"{n:016x}": f"tables/observations/data/d/p/{n:016x}-batch.parquet" for n in vintages}
    for n, name in zip(vintages, files.values(), strict=True):
        write_vintage(tables.storage, name, rows_of(n))
    return files


def compacted(tables: Tables, *vintages: int) -> dict[str, str]:
    """One file of several vintages: vintage id → its storage name, the same for all."""
    name = f"tables/observations/data/d/p/compacted-{vintages[0]}-{vintages[-1]}.parquet"
    write_vintage(tables.storage, name, pa.concat_tables([rows_of(n) for n in vintages]))
    return {f"{n:016x}": name for n in vintages}


def held(tables: Tables) -> list[int]:
    """The vintages that a scan of the table finds, checked against what the files' statistics say."""
    rows = tables.table("observations").scan().to_arrow()
    counts = rows.group_by("vintage_id").aggregate([("value", "count"), ("value", "min"), ("value", "max")]).to_pylist()
    assert all(row["value_count"] == 3 for row in counts), "a vintage stands in the table in part, or twice"
    assert all(row["value_min"] == row["value_max"] == int(row["vintage_id"], 16) for row in counts)
    assert tables.vintages("observations") == sorted(row["vintage_id"] for row in counts)
    return sorted(int(row["vintage_id"], 16) for row in counts)


def ids(vintages: Iterable[int]) -> list[str]:
    return [f"{n:016x}" for n in vintages]


def commits(tables: Tables) -> int:
    """How many metadata files the table has had."""
    return int(Path(tables.table("observations").metadata_location).name.split("-")[0])


def test_a_change_adds_and_drops_in_one_commit_and_is_made_once(tables: Tables) -> None:
    tables.change("observations", staged(tables, 1, 2), [], "first")
    before = commits(tables)
    files = staged(tables, 3)
    snapshot = tables.change("observations", files, ids([1]), "second")
    assert held(tables) == [2, 3]
    assert commits(tables) == before + 1
    assert tables.change("observations", files, ids([1]), "second") == snapshot
    assert held(tables) == [2, 3]
    assert commits(tables) == before + 1


def test_a_void_and_the_publish_it_takes_back_carry_different_marks(tables: Tables) -> None:
    tables.change("observations", staged(tables, 1), [], "batch")
    tables.change("observations", {}, ids([1]), "void:batch")
    assert held(tables) == []
    tables.change("observations", {}, ids([1]), "void:batch")
    assert held(tables) == []


def test_a_resumed_change_that_left_the_newest_snapshots_is_not_made_twice(tables: Tables) -> None:
    files = staged(tables, 0)
    tables.change("observations", files, [], "stuck")
    for n in range(1, KEPT_SNAPSHOTS + 3):
        tables.change("observations", staged(tables, n), [], f"batch {n}")
    tables.change("observations", files, [], "stuck", resumed=True)
    assert held(tables) == list(range(KEPT_SNAPSHOTS + 3))


def test_only_the_newest_snapshots_and_metadata_files_stay(tables: Tables) -> None:
    for n in range(KEPT_SNAPSHOTS + 15):
        tables.change("observations", staged(tables, n), [], f"batch {n}")
    assert len(tables.table("observations").snapshots()) == KEPT_SNAPSHOTS
    metadata = [name for name in tables.storage.list("tables/observations/metadata") if name.endswith(".json")]
    assert len(metadata) == KEPT_SNAPSHOTS + 1
    assert held(tables) == list(range(KEPT_SNAPSHOTS + 15))


def test_old_snapshots_expire_but_for_the_newest(tables: Tables) -> None:
    for n in range(4):
        tables.change("observations", staged(tables, n), [], f"batch {n}")
    made = datetime.now(UTC)
    assert tables.expire("observations", made - timedelta(days=1)) == 0
    assert tables.expire("observations", made + timedelta(days=1), dry_run=True) == 3
    assert len(tables.table("observations").snapshots()) == 4
    assert tables.expire("observations", made + timedelta(days=1)) == 3
    assert len(tables.table("observations").snapshots()) == 1
    assert held(tables) == [0, 1, 2, 3]


def test_of_a_file_with_several_vintages_one_can_end_and_come_back(tables: Tables) -> None:
    files = compacted(tables, 1, 2, 3)
    tables.change("observations", {**files, **staged(tables, 4)}, [], "first")
    tables.change("observations", {}, ids([2]), "second")
    assert held(tables) == [1, 3, 4]
    tables.change("observations", {ids([2])[0]: files[ids([2])[0]]}, [], "third")
    assert held(tables) == [1, 2, 3, 4]


def test_more_vintages_end_at_once_than_pyiceberg_compares(tables: Tables) -> None:
    wanted = {**compacted(tables, *range(250)), **staged(tables, 250, 251)}
    tables.change("observations", wanted, [], "first")
    tables.change("observations", {}, ids(range(1, 251)), "second")
    assert held(tables) == [0, 251]


@pytest.mark.parametrize("before", [[], [1, 2], [2, 3, 4]], ids=["empty", "fewer", "others"])
def test_rebuild_makes_a_table_hold_exactly_what_is_wanted(tables: Tables, before: list[int]) -> None:
    if before:
        tables.change("observations", staged(tables, *before), [], "first")
    tables.rebuild("observations", staged(tables, 1, 2, 3))
    assert held(tables) == [1, 2, 3]


def test_rebuild_takes_a_compacted_file_for_its_parts_and_commits_nothing_twice(tables: Tables) -> None:
    tables.change("observations", staged(tables, 1, 2, 3, 4), [], "first")
    files = {**compacted(tables, 1, 2, 3), **staged(tables, 4)}
    tables.rebuild("observations", files)
    assert held(tables) == [1, 2, 3, 4]
    assert set(files.values()) <= tables.files("observations")
    before = commits(tables)
    tables.rebuild("observations", files)
    assert commits(tables) == before


def test_rebuild_takes_of_a_compacted_file_only_what_is_wanted(tables: Tables) -> None:
    files = compacted(tables, 1, 2, 3)
    tables.change("observations", files, [], "first")
    del files[ids([2])[0]]
    tables.rebuild("observations", files)
    assert held(tables) == [1, 3]
    before = commits(tables)
    tables.rebuild("observations", files)
    assert commits(tables) == before


def test_a_vintage_without_rows_is_no_reason_to_commit_again(tables: Tables) -> None:
    files = staged(tables, 1)
    empty = f"{2:016x}"
    files[empty] = f"tables/observations/data/d/p/{empty}-batch.parquet"
    write_vintage(tables.storage, files[empty], OBSERVATIONS.empty_table())
    tables.change("observations", files, [], "first")
    assert tables.lag("observations", files) == (set(), {})
    tables.change("observations", {}, ids([1]), "second")
    tables.rebuild("observations", files)
    assert held(tables) == [1]
    assert tables.lag("observations", files) == (set(), {})


def test_rebuild_mends_a_file_that_was_added_twice(tables: Tables) -> None:
    files = staged(tables, 1, 2)
    tables.change("observations", files, [], "first")
    tables.change("observations", staged(tables, 2), [], "by mistake")
    assert tables.vintages("observations") == ids([1, 2, 2])
    tables.rebuild("observations", files)
    assert held(tables) == [1, 2]


def test_every_file_that_is_named_exists(tables: Tables) -> None:
    for n in range(KEPT_SNAPSHOTS + 5):
        tables.change("observations", staged(tables, n), [], f"batch {n}")
    named = tables.files("observations")
    assert set(staged(tables, 0, KEPT_SNAPSHOTS + 4).values()) <= named
    assert {name for name in named if not tables.storage.exists(name)} == set()


def test_a_commit_costs_the_same_after_a_hundred_others(tables: Tables) -> None:
    """Processor time: a busy machine must not change the result. The fourth window against the second."""
    seconds: list[float] = []
    for n in range(160):
        files = staged(tables, n)
        start = time.process_time()
        tables.change("observations", files, [], f"batch {n}")
        seconds.append(time.process_time() - start)
    assert median(seconds[120:]) <= 1.3 * median(seconds[40:80])
    assert pc.count(tables.table("observations").scan().to_arrow().column("value")).as_py() == 3 * 160
