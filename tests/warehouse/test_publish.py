"""Publishing: visibility, editions, decisions, and processes killed at every point between commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.warehouse.makers import FACTS, load, part, store
from warehouse import clock, ledger, line, lineage, locks, publish, questions, staging
from warehouse.errors import StoreUnwritable, UnknownBatch, UsageError, WrongProfile, WrongState
from warehouse.publish import Closing
from warehouse.schema import Decision, Scope
from warehouse.store import Warehouse
from warehouse.tables import Tables

S = "test.one:CHN.X"
A = ("CHN.X", "2017")
B = ("CHN.X", "2018")


def value(
    warehouse: Warehouse, as_of: str | None = None, period: str = "2017", edition: int | None = None
) -> float | None:
    rows = questions.values(warehouse, [S], as_of=as_of, period=period, edition=edition)
    return rows[0]["value"] if rows else None


def decide(warehouse: Warehouse, batch: str, decision: Decision) -> int | None:
    return publish.decide(warehouse, batch, Closing(decision, "Ada", "said so", "because"))


def test_whole_vintages_answer_as_of_whatever_the_order_of_loading(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2021-01-10", archive="202101"))
    load(warehouse, part({A: 3.0}, "2023-01-10", archive="202301"))
    assert value(warehouse, "2022-06-30") == 1.0
    load(warehouse, part({A: 2.0}, "2024-01-10", archive="202201"))
    assert [value(warehouse, day) for day in ("2021-06-30", "2022-06-30", "2023-06-30")] == [1.0, 2.0, 3.0]
    assert value(warehouse, "2020-12-31") is None
    assert value(warehouse) == 3.0


def test_a_state_that_came_back_is_known_again_whatever_the_order_of_loading(tmp_path: Path) -> None:
    months = {"202101": 1.0, "202102": 2.0, "202103": 1.0}
    for number, order in enumerate(permutations(months)):
        warehouse = store(tmp_path / str(number))
        for month in order:
            load(warehouse, part({A: months[month]}, "2024-01-10", archive=month))
        answers = [value(warehouse, day) for day in ("2021-02-15", "2021-03-15", "2021-04-15")]
        assert (answers, value(warehouse)) == ([1.0, 2.0, 1.0], 1.0), order


def test_a_reading_that_found_nothing_new_counts_when_an_archive_comes_late(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    load(warehouse, part({A: 1.0}, "2024-03-10"))
    load(warehouse, part({A: 2.0}, "2024-06-01", archive="202401"))
    assert [value(warehouse, day) for day in ("2024-01-20", "2024-02-10", "2024-03-20")] == [1.0, 2.0, 1.0]
    assert value(warehouse, "2024-02-10", edition=1) == 1.0


def test_a_correction_on_the_stamps_own_day_shows_at_once_and_once(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10T12:00", stamp="2024-01-10"))
    for hour in ("13", "14", "15"):
        load(warehouse, part({A: 5.0}, f"2024-01-10T{hour}:00", stamp="2024-01-10"))
    assert value(warehouse) == 5.0
    assert len(questions.vintages(warehouse, S)) == 2


@pytest.mark.parametrize("name", ["with space", "用户", "per%cent"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    warehouse = store(tmp_path / name)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    load(warehouse, part({A: 2.0}, "2024-02-10"))
    assert value(warehouse) == 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("name", ["a[b]", "a#b"])
def test_a_folder_name_that_means_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="FIGUREKEEPER_HOME"):
        store(tmp_path / name)


def test_a_batch_whose_publish_has_begun_cannot_fail_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.publish._record", lambda *_: (_ for _ in ()).throw(OSError("odd")))
        with pytest.raises(OSError, match="odd"):
            load(warehouse, part({A: 1.0}, "2024-01-10"))
    with warehouse.engine.connect() as connection:
        [batch] = connection.execute(select(ledger.batches.c.batch_id)).scalars()
    assert publish.close(warehouse, batch, Closing(Decision.FAILED, "test", "odd")) is None
    assert publish.read_batch(warehouse, batch)["decision"] == "published"
    assert value(warehouse) == 1.0


def test_a_batch_that_cannot_be_completed_stops_its_own_dataset_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = store(tmp_path)
    other = replace(FACTS, id="test.two")
    change = Tables.change

    def broken(self: Tables, name: str, add: Any, drop: Any, mark: str, *, resumed: bool = False) -> str | None:
        if "test.one" in mark:
            raise OSError("odd")
        return change(self, name, add, drop, mark, resumed=resumed)

    monkeypatch.setattr(Tables, "change", broken)
    with pytest.raises(OSError, match="odd"):
        load(warehouse, part({A: 1.0}, "2024-01-10"))
    assert load(warehouse, part({A: 1.0}, "2024-01-10"), facts=other)[1] == 1
    with pytest.raises(OSError, match="odd"):
        load(warehouse, part({A: 1.0}, "2024-01-10"))


def test_a_complete_reading_after_a_partial_one_sees_what_was_withdrawn(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 2.0}, "2024-01-10"))
    load(warehouse, part({B: 2.5}, "2024-02-10", scope=Scope(start="2018")))
    load(warehouse, part({B: 2.5}, "2024-03-10"))
    assert value(warehouse) is None


def test_an_answer_for_an_edition_never_changes(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2021-01-10", archive="202101"))
    batch, edition = load(warehouse, part({A: 3.0}, "2023-01-10", archive="202301"))
    load(warehouse, part({A: 2.0}, "2024-01-10", archive="202201"))
    decide(warehouse, batch, Decision.VOIDED)
    assert (value(warehouse, "2022-06-30"), value(warehouse)) == (2.0, 2.0)
    assert edition == 2
    assert (value(warehouse, "2022-06-30", edition=2), value(warehouse, edition=2)) == (1.0, 3.0)
    with pytest.raises(UsageError, match="there is no edition 9"):
        value(warehouse, edition=9)


def files(warehouse: Warehouse) -> list[str]:
    return sorted(str(path) for path in (warehouse.root / "tables").rglob("*") if path.is_file())


def test_an_unchanged_part_stores_nothing_but_the_batch_record(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 2.0}, "2024-01-10", stamp="2024-01-10"))
    before = files(warehouse)
    batch, edition = load(warehouse, part({A: 1.0, B: 2.0}, "2024-02-10", stamp="2024-02-10"))
    assert edition is None
    assert publish.read_batch(warehouse, batch)["decision"] == "unchanged"
    assert files(warehouse) == before


def test_noise_publishes_nothing_and_is_kept_for_the_day_on_which_it_opens_a_vintage(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 2.0}, "2024-01-10"))
    before = files(warehouse)
    _, edition = load(warehouse, part({A: 1.0 + 4e-7, B: 2.0}, "2024-03-10"))
    assert edition is None
    assert all("/readings/" in name for name in set(files(warehouse)) - set(before))
    assert value(warehouse) == 1.0
    load(warehouse, part({A: 9.0, B: 2.0}, "2024-06-01", archive="202401"))
    assert value(warehouse) == 1.0 + 4e-7


def test_a_void_that_was_cut_off_is_finished_by_asking_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    wrong, _ = load(warehouse, part({A: 9.0}, "2024-02-10"))
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.publish._record", lambda *_: (_ for _ in ()).throw(OSError("odd")))
        with pytest.raises(OSError, match="odd"):
            decide(warehouse, wrong, Decision.VOIDED)
    [newest] = lineage.batches(warehouse, limit=1)
    assert (newest["decision"], newest["can"]) == ("publishing", "")
    assert decide(warehouse, wrong, Decision.VOIDED) == 3
    assert value(warehouse) == 1.0
    with pytest.raises(WrongState):
        decide(warehouse, wrong, Decision.VOIDED)


def test_a_discarded_partial_reading_never_lends_its_rows_to_another(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 2.0}, "2024-01-10"))
    held, _ = load(
        warehouse, part({A: 7.0}, "2024-06-02", stamp="2024-06-01", scope=Scope("2017", "2018")),
        decision=Decision.QUARANTINED,
    )  # fmt: skip
    decide(warehouse, held, Decision.DISCARDED)
    load(warehouse, part({A: 7.0}, "2024-06-03", stamp="2024-06-01", scope=Scope("2017", "2017")))
    assert (value(warehouse), value(warehouse, period="2018")) == (7.0, 2.0)


def test_an_archive_that_answers_a_b_a_under_one_version_has_three_vintages(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    for number, told in enumerate((1.0, 2.0, 1.0), start=1):
        batch, _ = load(warehouse, part({A: told}, f"2024-06-0{number}", archive="202401"))
    assert len({row["vintage"] for row in questions.vintages(warehouse, S)}) == 3
    [first] = questions.values(warehouse, [S], first=True)
    assert first["value"] == 1.0
    decide(warehouse, batch, Decision.VOIDED)
    assert value(warehouse) == 2.0
    with warehouse.engine.connect() as connection:
        standing = sorted(row["vintage_id"] for row in line.visible(connection))
    assert warehouse.tables.vintages("observations") == standing


def test_what_was_voided_is_remembered_though_it_stood_before(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    load(warehouse, part({A: 2.0}, "2024-02-10"))
    again, _ = load(warehouse, part({A: 1.0}, "2024-03-10"))
    decide(warehouse, again, Decision.VOIDED)
    found = staging.stage(warehouse, FACTS, "test.one@a", part({A: 1.0}, "2024-04-10"))
    assert isinstance(found, staging.Staged)
    assert "Ada took vintage" in (found.evidence.voided or "")


def test_voiding_what_says_the_same_to_the_letter_leaves_the_vintage(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    again, _ = load(warehouse, part({A: 1.0}, "2024-01-10"), part({("JPN.X", "2017"): 5.0}, "2024-01-10", name="q"))
    decide(warehouse, again, Decision.VOIDED)
    assert value(warehouse) == 1.0


def test_the_same_stamp_with_changed_data_takes_the_fetch_time(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10T12:00", stamp="2024-01-10"))
    load(warehouse, part({A: 5.0}, "2024-01-12T12:00", stamp="2024-01-10"))
    first, second = questions.vintages(warehouse, S, period="2017")
    assert (first["basis"], second["basis"], second["value"]) == ("publisher", "captured", 5.0)
    assert second["known_from"] == "2024-01-12T12:00:00.000000Z"


def test_a_partial_read_is_completed_and_concludes_nothing_outside_its_scope(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 2.0, ("JPN.X", "2018"): 7.0}, "2024-01-10"))
    scope = Scope(start="2018", end="2018", entities=("CHN",))
    load(warehouse, part({B: 2.5}, "2024-02-10", scope=scope))
    assert (value(warehouse), value(warehouse, period="2018")) == (1.0, 2.5)
    [japan] = questions.values(warehouse, ["test.one:JPN.X"])
    assert japan["value"] == 7.0
    load(warehouse, part({}, "2024-03-10", scope=scope))
    assert value(warehouse, period="2018") is None
    assert value(warehouse) == 1.0


def test_quarantine_shows_nothing_and_release_takes_its_place_in_known_order(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    held, edition = load(warehouse, part({A: 1000.0}, "2024-02-10"), decision=Decision.QUARANTINED)
    assert edition is None
    assert value(warehouse) == 1.0
    load(warehouse, part({A: 1.5}, "2024-03-10"))
    assert decide(warehouse, held, Decision.RELEASED) == 3
    assert (value(warehouse, "2024-02-15"), value(warehouse)) == (1000.0, 1.5)
    decide(warehouse, held, Decision.VOIDED)
    assert value(warehouse, "2024-02-15") == 1.0
    with warehouse.engine.connect() as connection:
        rows = connection.execute(
            select(ledger.decisions.c.decision, ledger.decisions.c.reason).where(ledger.decisions.c.batch_id == held)
        ).all()
    assert [tuple(row) for row in rows] == [("quarantined", None), ("released", "because"), ("voided", "because")]


def test_decisions_want_a_reason_a_name_and_the_right_state(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    batch, _ = load(warehouse, part({A: 1.0}, "2024-01-10"))
    with pytest.raises(UsageError, match="reason and a name"):
        publish.decide(warehouse, batch, Closing(Decision.VOIDED, "Ada", "", " "))
    with pytest.raises(WrongState, match="cannot be released"):
        decide(warehouse, batch, Decision.RELEASED)
    with pytest.raises(UnknownBatch, match="no batch 'nonsense'"):
        decide(warehouse, "nonsense", Decision.VOIDED)
    decide(warehouse, batch, Decision.VOIDED)
    with pytest.raises(WrongState):
        decide(warehouse, batch, Decision.VOIDED)


def test_releasing_what_was_published_meanwhile_doubles_nothing(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10", stamp="2024-01-10"))
    held, _ = load(warehouse, part({A: 2.0}, "2024-02-10", stamp="2024-02-10"), decision=Decision.QUARANTINED)
    load(warehouse, part({A: 2.0}, "2024-02-11", stamp="2024-02-10"))
    decide(warehouse, held, Decision.RELEASED)
    assert len(questions.vintages(warehouse, S)) == 2
    assert len(questions.values(warehouse, [S])) == 1


def test_a_late_archive_splits_and_mends_what_stands_on_it(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 5.0}, "2024-01-10"))
    load(warehouse, part({B: 6.0}, "2024-03-10", scope=Scope(start="2018")))
    load(warehouse, part({A: 2.0, B: 5.0}, "2024-06-01", archive="202401"))
    assert [value(warehouse, "2024-04-01", period=period) for period in ("2017", "2018")] == [2.0, 6.0]
    assert [value(warehouse, "2024-04-01", period=period, edition=2) for period in ("2017", "2018")] == [1.0, 6.0]


def test_voided_content_is_remembered_until_a_person_lets_it_in(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    wrong, _ = load(warehouse, part({A: 9.0}, "2024-02-10"))
    load(warehouse, part({A: 9.0}, "2024-02-11"))
    decide(warehouse, wrong, Decision.VOIDED)
    assert value(warehouse) == 1.0
    again = staging.stage(warehouse, FACTS, "test.one@a", part({A: 9.0 + 1e-9}, "2024-02-12"))
    assert isinstance(again, staging.Staged)
    assert "Ada took vintage" in (again.evidence.voided or "")
    held, _ = load(warehouse, part({A: 9.0}, "2024-02-12"), decision=Decision.QUARANTINED)
    decide(warehouse, held, Decision.RELEASED)
    after = staging.stage(warehouse, FACTS, "test.one@b", part({A: 9.0, B: 1.0}, "2024-02-13"))
    assert isinstance(after, staging.Staged)
    assert after.evidence.voided is None


def test_profiles_never_mix(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    warehouse.root.rename(tmp_path / "live")
    with pytest.raises(WrongProfile, match="stamped 'synthetic', not 'live'"):
        Warehouse(tmp_path, "live")
    with pytest.raises(UsageError, match="there is no warehouse"):
        Warehouse(tmp_path / "elsewhere", "live", create=False)


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("warehouse.files.fsync_path", full)
        with pytest.raises(StoreUnwritable, match=r"No space left.*free space"):
            load(warehouse, part({A: 2.0}, "2024-02-10"))
    assert value(warehouse) == 1.0
    assert load(warehouse, part({A: 2.0}, "2024-02-10"))[1] == 2


@contextmanager
def kept_busy(warehouse: Warehouse, seconds: float) -> Iterator[None]:
    ready = threading.Event()

    def hold() -> None:
        with warehouse.lease(FACTS.id):
            ready.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    yield
    thread.join()


def test_a_second_refresh_of_the_same_dataset_waits(tmp_path: Path) -> None:
    warehouse, told = store(tmp_path), list[str]()
    with kept_busy(warehouse, 0.5):
        with pytest.raises(locks.Busy, match="Next: wait"), warehouse.lease(FACTS.id, wait=0.1):
            raise AssertionError("the lease is held by another")
        with warehouse.lease(FACTS.id, wait=20, note=told.append):
            pass
    assert "another run holds the lease" in told[0]


def test_every_batch_is_in_the_journal_with_what_replay_needs(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    batch, _ = load(warehouse, part({A: 1.0}, "2024-01-10"))
    [entry] = warehouse.journal.entries()
    body = entry["body"]
    assert (body["batch_id"], body["decision"], body["edition"]) == (batch, "published", 1)
    assert body["batch"]["dataset_file_sha256"] == FACTS.file_sha256
    [reading] = body["readings"]
    assert (reading["published_in"], [reading["vintage_id"]]) == (1, body["begun"])
    [payload] = body["payloads"]
    assert warehouse.payloads.read(payload["sha256"])
    assert clock.from_text(payload["fetched_at"]) == clock.from_text("2024-01-10T00:00:00.000000Z")
