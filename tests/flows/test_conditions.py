"""What needs a person although no refresh says so: opened once, counted while it lasts, closed when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pyrate_limiter import Duration, Rate

from connectors import datasets
from connectors.errors import Blocked, Unreachable
from connectors.http import quota as quotas
from connectors.http.breaker import Breaker
from connectors.http.quota import Quota
from connectors.sandbox.server import serve
from flows import catalogue, conditions, pipeline, run_incidents, watch
from flows import settings as settings_module
from flows.run_incidents import REFUSED_FORM, Run
from flows.settings import Settings
from tests.warehouse.makers import load, part
from warehouse import clock, incidents, lineage
from warehouse.errors import NoWarehouse, UsageError
from warehouse.schema import Severity
from warehouse.store import Warehouse

NAME = "nbs.fdi_by_country"
#: A Tuesday noon in China, an hour after the weekly poll of the dataset was due.
START = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with serve() as running:
        yield f"http://127.0.0.1:{running.port}"


@pytest.fixture
def settings(tmp_path: Path, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A sandbox in which one dataset is enabled, whose file was written long ago."""
    monkeypatch.setattr(catalogue, "enabled", lambda _: {NAME: datasets.load(NAME)})
    monkeypatch.setattr(conditions, "_changed", lambda _: datetime(2026, 1, 1, tzinfo=UTC))
    return Settings(home=tmp_path, sandbox_url=sandbox)


def look(settings: Settings, moment: datetime) -> list[tuple[str, str, str]]:
    """Look at a moment; what was opened and closed: transition, kind, subject."""
    return [(one.transition, one.kind, one.dataset) for one in conditions.look(settings, now=moment)]


@pytest.fixture
def kept(tmp_path: Path) -> Settings:
    """A warehouse in which something is kept."""
    load(Warehouse(tmp_path / "home", "synthetic"), part({("KOR.X", "2017"): 1.0}, "2024-01-10"))
    return Settings(home=tmp_path / "home", profile="synthetic")


def refresh(settings: Settings, moment: datetime, **how: Any) -> None:
    """One refresh of the dataset at that moment."""
    with time_machine.travel(moment, tick=True):
        pipeline.refresh(settings, NAME, note=lambda _: None, **how)


def standing(settings: Settings) -> list[dict[str, Any]]:
    return lineage.open_incidents(Warehouse(**settings.place, create=False))


def test_where_nothing_was_ever_kept_there_is_nothing_to_watch(settings: Settings) -> None:
    with pytest.raises(NoWarehouse):
        conditions.look(settings)


def test_all_is_quiet_after_a_good_refresh(settings: Settings) -> None:
    refresh(settings, START)
    assert look(settings, START + 7 * DAY) == []


def test_schedules_that_stand_still_are_one_incident_until_something_is_asked_again(settings: Settings) -> None:
    refresh(settings, START)
    due = conditions.next_due(datasets.load(NAME), START)
    assert look(settings, due + DAY - timedelta(minutes=1)) == []
    assert look(settings, due + DAY) == [("opened", incidents.SILENCE, conditions.SERVICE)]
    assert look(settings, due + 40 * DAY) == []  # nor is the dataset called old: one cause is told once
    [row] = standing(settings)
    assert "2026-03-03" in row["title"]
    assert "Next: " in row["text"]
    refresh(settings, due + 40 * DAY)
    assert look(settings, due + 40 * DAY) == [("closed", incidents.SILENCE, conditions.SERVICE)]


def test_what_is_old_stays_old_when_the_schedules_stand_still_as_well(settings: Settings) -> None:
    refresh(settings, START)
    for week in range(1, 6):
        with pytest.raises(Blocked):
            refresh(settings, START + week * 7 * DAY, fault="403")
    assert look(settings, START + 35 * DAY) == [("opened", incidents.STALE, NAME)]
    assert look(settings, START + 60 * DAY) == [("opened", incidents.SILENCE, conditions.SERVICE)]
    assert {row["kind"] for row in standing(settings)} == {incidents.FAILURE, incidents.STALE, incidents.SILENCE}


def test_a_first_walk_through_the_past_is_not_old(settings: Settings) -> None:
    Warehouse(**settings.place)
    refresh(settings, START, on=pipeline.days_to_walk(settings, NAME)[0])
    assert look(settings, START) == []
    assert look(settings, conditions.next_due(datasets.load(NAME), START)) == []


def test_a_dataset_that_is_asked_in_vain_grows_old_until_the_next_good_refresh(settings: Settings) -> None:
    refresh(settings, START)
    for week in range(1, 5):
        with pytest.raises(Blocked):
            refresh(settings, START + week * 7 * DAY, fault="403")
    assert look(settings, START + 30 * DAY) == []
    assert look(settings, START + 31 * DAY) == [("opened", incidents.STALE, NAME)]
    assert look(settings, START + 32 * DAY) == []
    refresh(settings, START + 32 * DAY)
    assert standing(settings) == []
    assert look(settings, START + 32 * DAY) == []


def test_a_dataset_that_is_never_asked_for_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh(settings, START)
    refresh(settings, START + 7 * DAY)
    other = datasets.load("nbs.science_technology")
    monkeypatch.setattr(catalogue, "enabled", lambda _: {NAME: datasets.load(NAME), other.id: other})
    due = conditions.next_due(other, START)
    assert look(settings, due + conditions.FIRST_GRACE) == []
    assert look(settings, due + conditions.FIRST_GRACE + timedelta(minutes=1)) == [
        ("opened", incidents.STALE, other.id)
    ]
    monkeypatch.setattr(catalogue, "enabled", lambda _: {NAME: datasets.load(NAME)})
    assert look(settings, due + 2 * conditions.FIRST_GRACE) == [("closed", incidents.STALE, other.id)]


def test_a_used_up_quota_is_one_incident_until_half_of_it_is_free(
    kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(quotas.GENEROUS, "data", [Rate(4, Duration.HOUR)])
    with closing(Quota(kept.quota_place, "oecd", profile="synthetic")) as quota:
        for _ in range(4):
            quota.take("data")
    now = clock.now()
    monkeypatch.setattr(catalogue, "enabled", lambda _: {})
    assert look(kept, now) == [("opened", incidents.QUOTA, "oecd")]
    assert look(kept, now) == []
    [row] = standing(kept)
    assert "All 4 requests" in row["text"]
    monkeypatch.setitem(quotas.GENEROUS, "data", [Rate(6, Duration.HOUR)])
    assert look(kept, now) == []  # two of six are free
    monkeypatch.setitem(quotas.GENEROUS, "data", [Rate(8, Duration.HOUR)])
    assert look(kept, now) == [("closed", incidents.QUOTA, "oecd")]


def test_a_provider_that_is_left_alone_for_long_is_told_until_it_answers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(settings, START)
    live = settings.model_copy(update={"profile": "live"})
    with closing(Breaker(settings.quota_place, "nbs", "https://portal.test", profile=live.profile)) as breaker:
        breaker.admit()
        breaker.settle(Blocked("the wall", next_step="wait"))
    now = clock.now()
    monkeypatch.setattr(conditions, "_silence", lambda *_: [])
    monkeypatch.setattr(conditions, "_stale", lambda *_: [])
    assert look(settings, now) == []
    later = now + conditions.PAUSED_AFTER + timedelta(minutes=1)
    assert look(settings, later) == [("opened", incidents.PAUSED, "nbs")]
    [row] = standing(settings)
    assert "the wall" in row["text"]
    monkeypatch.setattr(conditions, "paused", lambda _: [])  # the pause is over, and the trial fails
    with pytest.raises((Blocked, Unreachable)):
        pipeline.refresh(settings, NAME, fault="403", note=lambda _: None)
    assert look(settings, later) == []
    refresh(settings, clock.now() + DAY)
    assert ("closed", incidents.PAUSED, "nbs") in look(settings, later)


def test_what_is_owed_is_delivered_although_the_look_fails(kept: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise UsageError("the look failed", next_step="mend it")

    incidents.open_new(
        Warehouse(**kept.place), NAME, incidents.FAILURE, Severity.WARNING, "it failed", "why. Next: look", "a test"
    )
    monkeypatch.setattr(settings_module, "load", lambda: kept)
    monkeypatch.setattr(conditions, "look", fail)
    state = watch.watch.fn()
    assert (state.type.value, state.message) == ("FAILED", "the look failed. Next: mend it")
    assert [path.name for path in (kept.root / "inbox").iterdir()] == [f"000001-opened-{NAME}.md"]


def run(
    number: int,
    state: Any = "Crashed",
    minutes: int = 0,
    message: str = "",
    by_person: bool = False,
    of: str = "maintain",
) -> Run:
    at = START + timedelta(minutes=minutes)
    return Run(f"00000000-0000-0000-0000-{number:012}", of, f"run-{number}", state, at, message, by_person)


def test_fifty_runs_that_die_are_one_incident_until_one_ends_well(kept: Settings) -> None:
    dead = [run(number, minutes=number) for number in range(50)]
    with time_machine.travel(START + timedelta(hours=1), tick=False):
        [opened] = run_incidents.look(kept, dead, {})
        assert run_incidents.look(kept, dead, {}) == []
    assert (opened.kind, opened.dataset, opened.title) == (incidents.RUN, "maintain", "maintain: a run died")
    assert [row["occurrences"] for row in standing(kept)] == [50]
    assert run_incidents.troubled(kept) == {"maintain"}
    with time_machine.travel(START + timedelta(hours=3), tick=False):
        [closed] = run_incidents.look(kept, dead, {"maintain": START + timedelta(hours=2)})
        assert run_incidents.look(kept, dead, {"maintain": START + timedelta(hours=2)}) == []
    assert (closed.id, closed.transition) == (opened.id, "closed")


@pytest.mark.parametrize(
    ("ended", "title"),
    [
        (run(1), "maintain: a run died"),
        (run(1, "Failed", message="ModuleNotFoundError: no module"), "maintain: a run failed"),
        (run(1, "Failed", message="wrong settings. Next: mend them"), "maintain: a run failed"),
        (run(1, "Failed", message="unexpected", by_person=True), "maintain: a run failed"),
        (run(1, "Late"), "maintain: a run is not started"),
        (run(1, "Failed", message="there is no batch x. Next: look", by_person=True), None),
        (run(1, "Failed", message=f"{REFUSED_FORM}: reason", by_person=True), None),
        (run(1, "Failed", message="slack refused. Next: mend it", of="watch"), None),
        (run(1, "Crashed", of="deliver-notice"), "deliver-notice: a run died"),
    ],
)
def test_a_run_that_told_a_person_what_to_do_is_no_incident(kept: Settings, ended: Run, title: str | None) -> None:
    changes = run_incidents.look(kept, [ended], {})
    assert [change.title for change in changes] == ([title] if title else [])
    assert [change.text.count("Next: ") for change in changes] == ([1] if title else [])


def test_a_run_whose_batch_has_an_incident_is_not_told_twice(settings: Settings) -> None:
    refresh(settings, START)
    failed = run(7, "Failed", message="refused. Next: wait")
    with pytest.raises(Blocked):
        refresh(settings, START + DAY, fault="403", run_id=failed.id)
    assert run_incidents.look(settings, [failed], {}) == []
    assert [row["kind"] for row in standing(settings)] == [incidents.FAILURE]


def test_a_run_that_died_while_an_earlier_one_was_closed_is_told(kept: Settings) -> None:
    first, later = run(1), run(2, minutes=20)
    [opened] = run_incidents.look(kept, [first], {})
    [closed] = run_incidents.look(kept, [first], {"maintain": START + timedelta(minutes=10)})
    assert closed.id == opened.id
    [again] = run_incidents.look(kept, [first, later], {"maintain": START + timedelta(minutes=10)})
    assert (again.transition, again.id) == ("opened", opened.id + 1)


@pytest.mark.parametrize(
    ("deployment", "asked", "subject"),
    [
        ("maintain", {"dry_run": True}, "maintain"),
        (
            "backfill",
            {"datasets": ["oecd.sbrd", "worldbank.wdi"], "mode": "run"},
            "backfill of oecd.sbrd, worldbank.wdi",
        ),
        ("backfill", {"datasets": ["oecd.sbrd"], "mode": "plan"}, "backfill of a plan oecd.sbrd"),
        ("review", {"batch": "oecd.sbrd@1"}, "review of oecd.sbrd@1"),
        ("acknowledge", {"incident": 7}, "acknowledge of 7"),
    ],
)
def test_a_good_run_speaks_for_runs_that_asked_for_the_same(deployment: str, asked: Any, subject: str) -> None:
    assert run_incidents.subject_of(deployment, {"request": asked}) == subject
    assert run_incidents.deployment_of(subject) == deployment


def test_two_that_close_one_incident_close_it_once(kept: Settings) -> None:
    [opened] = run_incidents.look(kept, [run(1)], {})
    warehouse = Warehouse(**kept.place, create=False)
    incidents.acknowledge(warehouse, opened.id, reason="noted", by="A. Person")
    assert incidents.close_one(warehouse, opened.id, "watch", "it is over") is None


def test_a_person_may_close_an_incident_of_runs_that_nobody_repeats(kept: Settings) -> None:
    dead = [run(1)]
    [opened] = run_incidents.look(kept, dead, {})
    warehouse = Warehouse(**kept.place, create=False)
    incidents.acknowledge(warehouse, opened.id, reason="the backfill is not needed", by="A. Person")
    assert run_incidents.look(kept, dead, {}) == []
    assert standing(kept) == []
