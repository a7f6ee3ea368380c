"""Maintenance: fewer files, the same answers for ever, whatever it is cut off at and whoever works beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import select

from tests.warehouse.forms import Form
from tests.warehouse.histories import MakersParsers
from tests.warehouse.lived import SERIES, answers, cells, decide, fill, sound
from tests.warehouse.makers import load, part, store
from warehouse import (
    compaction,
    ledger,
    line,
    locks,
    maintenance,
    publish,
    questions,
    rebuild,
    snapshot,
    soundness,
    truth,
)
from warehouse.errors import WarehouseError
from warehouse.lineage import batch as batch_of
from warehouse.sameness import differences
from warehouse.schema import Decision
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse

NOTHING = timedelta(0)  # a grace period that is over with the next run


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three files of a part are many here."""
    monkeypatch.setattr(compaction, "MANY", 2)


class _Killed(BaseException):
    """Nothing of ours catches it."""


def data_files(warehouse: Warehouse) -> set[str]:
    return set(warehouse.storage.list("tables/observations/data")) | set(warehouse.storage.list("tables/series/data"))


def did(report: maintenance.Report, step: str) -> int:
    return sum(item.files for item in report.done if item.step == step)


def test_everything_answers_as_before_from_fewer_files(tmp_path: Path, form: Form) -> None:
    warehouse = fill(form.open(tmp_path))
    before, files = answers(warehouse), data_files(warehouse)
    first = maintenance.maintain(warehouse, grace=NOTHING)
    assert first.problems == []
    assert did(first, "compaction") > 0
    assert files <= data_files(warehouse), "a notebook may still read the old files"
    second = maintenance.maintain(warehouse, grace=NOTHING)
    assert second.problems == []
    assert did(second, "removal") > 0
    assert len(data_files(warehouse)) < len(files) / 2
    assert answers(warehouse) == before
    assert sound(warehouse) == []
    third = maintenance.maintain(warehouse, grace=NOTHING)
    assert (did(third, "compaction"), did(third, "tables")) == (0, 0)


def test_the_tables_hold_exactly_the_newest_edition_after_it(lived: Warehouse) -> None:
    maintenance.maintain(lived, grace=NOTHING)
    with lived.engine.connect() as connection:
        visible = {row["vintage_id"] for row in line.visible(connection)}
    rows = lived.tables.table("observations").scan().to_arrow().to_pylist()
    assert {row["vintage_id"] for row in rows} == visible
    assert len(rows) == len({(row["vintage_id"], row["series_key"], row["period"]) for row in rows})


def test_work_goes_on_after_it(lived: Warehouse) -> None:
    """A vintage that lies in a compacted file ends by a void; new ones come; it is brought together again."""
    maintenance.maintain(lived, grace=NOTHING)
    with lived.engine.connect() as connection:
        last = line.newest(connection)[0]
    decide(lived, last["batch_id"], Decision.VOIDED)
    for day in range(1, 5):
        load(lived, part(cells(50.0 + day), f"2024-12-{day:02}"))
    before = answers(lived)
    for _ in range(3):
        assert maintenance.maintain(lived, grace=NOTHING).problems == []
    assert answers(lived) == before
    assert sound(lived) == []


def test_a_part_that_was_withdrawn_whole_stays_so(lived: Warehouse) -> None:
    load(lived, part({}, "2024-12-01"))
    for day in (2, 3):
        load(lived, part(cells(5.0 + day), f"2024-12-{day:02}"))
    before = answers(lived)
    for _ in range(2):
        assert maintenance.maintain(lived, grace=NOTHING).problems == []
    assert answers(lived) == before
    assert questions.values(lived, SERIES, as_of="2024-12-01") == []
    assert sound(lived) == []
    assert did(maintenance.maintain(lived, grace=NOTHING), "tables") == 0


def test_an_open_notebook_keeps_its_rows_for_the_grace_period(lived: Warehouse) -> None:
    query = "select vintage_id, series_key, period, value from observations order by all"
    with duckdb.connect(str(lived.root / "indicators.duckdb"), read_only=True) as notebook:
        before = notebook.execute(query).fetchall()
        for _ in range(3):
            maintenance.maintain(lived)
        assert notebook.execute(query).fetchall() == before
    with snapshot.connect(lived) as fresh:
        assert fresh.execute(query).fetchall() == before


def test_refreshes_and_readers_go_on_beside_it(lived: Warehouse) -> None:
    """Another process, as far as the code can tell, publishes and asks while maintenance runs again and again."""
    days = ("2024-03-31", "2024-08-31")
    before = [questions.values(lived, SERIES, as_of=day, edition=9) for day in days]
    published: list[int | None] = []
    mistakes: list[str] = []

    def work() -> None:
        own = Warehouse(lived.root.parent, "synthetic")
        for number in range(6):
            data = part(cells(100.0 + number), f"2025-01-{number + 1:02}")
            published.append(load(own, data)[1])
            if [questions.values(own, SERIES, as_of=day, edition=9) for day in days] != before:
                mistakes.append(f"another answer after publish {number}")

    with ThreadPoolExecutor(max_workers=1) as pool:
        working = pool.submit(work)
        runs = 0
        while not working.done():
            mistakes += maintenance.maintain(lived, grace=timedelta(seconds=5)).problems
            runs += 1
        working.result()
    assert mistakes == []
    assert len(published) == 6
    assert None not in published
    assert runs > 0
    maintenance.maintain(lived, grace=NOTHING)
    assert sound(lived) == []


def test_a_dry_run_changes_nothing_and_says_the_same(lived: Warehouse) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        paths = [path for path in lived.root.rglob("*") if path.is_file()]
        kept = [path for path in paths if not path.name.endswith((".lock", ".sqlite-wal", ".sqlite-shm"))]
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in kept}

    before = everything()
    said = maintenance.maintain(lived, dry_run=True, grace=NOTHING)
    assert everything() == before
    assert said.dry_run
    done = maintenance.maintain(lived, grace=NOTHING)
    assert did(said, "compaction") == did(done, "compaction") > 0
    assert did(said, "retention") == did(done, "retention") > 0


def test_discarded_candidates_go_and_undecided_ones_stay(lived: Warehouse) -> None:
    with lived.engine.connect() as connection:
        rows = connection.execute(
            select(ledger.batches.c.batch_id, ledger.batches.c.decision, ledger.vintages.c.observations_file).join(
                ledger.vintages, ledger.vintages.c.staged_by == ledger.batches.c.batch_id
            )
        ).mappings().all()  # fmt: skip
    discarded = [row for row in rows if row["decision"] == "discarded"]
    quarantined = [row for row in rows if row["decision"] == "quarantined"]
    assert len(discarded) == len(quarantined) == 1
    for _ in range(2):
        report = maintenance.maintain(lived, grace=NOTHING)
    assert any("discarded" in item.action for item in report.done if item.step == "removal")
    assert not lived.storage.exists(discarded[0]["observations_file"])
    assert batch_of(lived, discarded[0]["batch_id"])["batch"]["decision"] == "discarded"
    assert lived.storage.exists(quarantined[0]["observations_file"])
    with lived.engine.connect() as connection:
        (batch,) = connection.execute(
            select(ledger.batches.c.batch_id).where(ledger.batches.c.decision == "quarantined")
        ).scalars()
    decide(lived, batch, Decision.RELEASED)
    assert questions.values(lived, ["test.one:A"], as_of="2024-06-27", period="2017")[0]["value"] == 1e7
    assert sound(lived) == []


def test_a_dataset_that_is_being_refreshed_is_put_off(lived: Warehouse) -> None:
    with lived.lease("test.one"):
        report = maintenance.maintain(lived, grace=NOTHING)
    assert report.problems == []
    assert [item.files for item in report.done if "put off" in item.action] == [0]


def test_only_one_at_a_time(lived: Warehouse) -> None:
    with lived.lease("maintenance"), pytest.raises(locks.Busy):
        maintenance.maintain(lived)


def test_leftovers_of_dead_writers_go(lived: Warehouse) -> None:
    orphan = "tables/observations/data/test.one/p/0123456789abcdef-20240101T000000-aaaa.parquet"
    lived.storage.write(orphan, b"half a vintage")
    temporary = lived.root / "payloads" / "ab" / ".x.gz.123.0a1b2c3d"
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_bytes(b"half a payload")
    mine = lived.root / "payloads" / ".gitignore"
    mine.write_text("*")
    for _ in range(2):
        maintenance.maintain(lived, grace=NOTHING)
    assert not lived.storage.exists(orphan)
    assert not temporary.exists()
    assert mine.exists()


def test_copies_of_objects_that_another_host_removed_go(tmp_path: Path, postgres: str, bucket: str) -> None:
    warehouse = Form("server", postgres, bucket).open(tmp_path)
    load(warehouse, part(cells(1.0), "2024-01-10"))
    sound(warehouse)  # reads every file, which brings copies here
    copies = warehouse.root / "cache" / "tables"
    before = set(copies.rglob("*.parquet"))
    gone = copies / "observations" / "data" / "test.one" / "p" / "gone.parquet"
    gone.write_bytes(b"removed elsewhere")
    report = maintenance.maintain(warehouse, grace=NOTHING)
    assert did(report, "local copies") == 1
    assert before == set(copies.rglob("*.parquet")) != set()


def test_young_leftovers_stay(lived: Warehouse) -> None:
    temporary = lived.root / "payloads" / ".x.gz.123.0a1b2c3d"
    temporary.write_bytes(b"being written")
    for _ in range(2):
        maintenance.maintain(lived)
    assert temporary.exists()


def test_the_journal_says_the_same_in_fewer_segments(lived: Warehouse) -> None:
    before, segments = list(lived.journal.entries()), len(lived.journal.segments())
    payloads = sorted(lived.payloads.hashes())
    maintenance.maintain(lived, grace=NOTHING)
    assert list(lived.journal.entries()) == before
    assert len(lived.journal.segments()) < segments
    assert sorted(lived.payloads.hashes()) == payloads


def test_a_step_that_fails_does_not_stop_the_others(lived: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Warehouse) -> list[compaction.Bundle]:
        raise WarehouseError("no", next_step="mend it")

    monkeypatch.setattr(compaction, "bundles", fails)
    report = maintenance.maintain(lived, grace=NOTHING)
    assert report.problems == ["compaction: no. Next: mend it"]
    assert did(report, "retention") > 0
    assert did(report, "journal") > 0


def test_an_unfinished_publish_is_completed_first(lived: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are in the tables, but not yet in the ledger's newest edition: they must not be taken for too many."""

    def dies(*_: Any) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_record", dies)
        with pytest.raises(_Killed):
            load(lived, part(cells(77.0), "2024-12-24"))
    monkeypatch.setattr(soundness, "_PAUSE", 0.0)
    assert [finding for finding in sound(lived) if "its publish is unfinished" not in finding] == []
    assert len(sound(lived)) == 1
    assert maintenance.maintain(lived, grace=NOTHING).problems == []
    assert questions.values(lived, ["test.one:A"], period="2017")[0]["value"] == 77.0
    assert sound(lived) == []


def cut_off(target: Callable[..., Any], call: int) -> Callable[..., Any]:
    """The same function, but the process ends before its n-th call, as far as the code can tell."""
    calls = count(1)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise _Killed
        return target(*args, **kwargs)

    return wrapped


def test_cut_off_anywhere_it_is_made_good_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run after the other is cut off before one of its durable steps, while new vintages keep coming."""
    warehouse = store(tmp_path)
    load(warehouse, part(cells(0.0), "2024-01-10"))
    places: list[tuple[Any, str, int]] = [
        (warehouse.storage, "write", 1),  # a new file
        (warehouse.storage, "write", 2),  # the other one
        (ledger, "transaction", 1),  # the ledger names them
        (warehouse.tables, "rebuild", 1),  # the first table follows
        (warehouse.tables, "expire", 1),
        (warehouse.tables, "rebuild", 2),  # the other one
        (snapshot, "write", 1),
        (warehouse.journal, "merge", 1),
        (warehouse.storage, "write", 4),  # what is noted for removal
        (warehouse.storage, "write", 99),  # not cut off: it notes
        (warehouse.storage, "remove", 9),  # in the midst of removing
    ]
    for number, (owner, name, call) in enumerate(places):
        for value in (2 * number + 1, 2 * number + 2):
            load(warehouse, part(cells(float(value)), str(date(2025, 1, 1) + timedelta(days=value))))
        before = answers(warehouse)
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, cut_off(getattr(owner, name), call))
            with nullcontext() if call == 99 else pytest.raises(_Killed):
                maintenance.maintain(warehouse, grace=NOTHING)
        assert answers(warehouse) == before, (name, call)
        assert sound(warehouse) == [], (name, call)
    before = answers(warehouse)
    for _ in range(3):
        assert maintenance.maintain(warehouse, grace=NOTHING).problems == []
    assert answers(warehouse) == before
    assert sound(warehouse) == []
    assert len(data_files(warehouse)) <= 4


def test_a_replay_of_what_is_left_is_the_same(lived: Warehouse, tmp_path: Path) -> None:
    """But for the candidate that was discarded: a replay stages it again."""
    for _ in range(2):
        maintenance.maintain(lived, grace=NOTHING)
    bare = LocalStorage(tmp_path / "bare")
    truth.copy(lived.storage, bare)
    rebuild.into_home(bare, tmp_path / "there", "synthetic", MakersParsers())
    anew = Warehouse(tmp_path / "there", "synthetic", create=False)
    assert answers(anew) == answers(lived)
    assert sound(anew) == []
    with anew.engine.connect() as connection:
        discarded = select(ledger.batches.c.batch_id).where(ledger.batches.c.decision == "discarded")
        candidates = select(ledger.vintages.c.vintage_id).where(ledger.vintages.c.staged_by.in_(discarded))
        forgotten = connection.execute(candidates).scalars().all()
    found = list(differences(lived, anew))
    assert {difference.table for difference in found} <= {"vintages"}
    assert all(any(vintage in difference.row for vintage in forgotten) for difference in found)
