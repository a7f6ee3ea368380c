"""What a channel is owed: each opening and closing once, nothing of what was over before the channel was there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.makers import store
from warehouse import clock, deliveries, incidents, publish
from warehouse.schema import IncidentChange, Severity
from warehouse.store import Warehouse

Told = list[tuple[int, str, bool]]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return store(tmp_path)


def opened(warehouse: Warehouse) -> IncidentChange:
    return incidents.open_new(warehouse, "test.one", "failure", Severity.WARNING, "it failed", "why", "test.one@1")


def closed(warehouse: Warehouse, incident: IncidentChange) -> None:
    incidents.close_one(warehouse, incident.id, "test.one@2", "good again")


def owed(warehouse: Warehouse, channel: str) -> Told:
    return [(one.incident["incident"], one.transition, one.untold) for one in deliveries.owed(warehouse, channel)]


def deliver(warehouse: Warehouse, channel: str) -> Told:
    deliveries.begin(warehouse, channel)
    told = owed(warehouse, channel)
    for one in deliveries.owed(warehouse, channel):
        deliveries.delivered(warehouse, one)
    return told


def test_each_channel_is_told_of_opening_and_closing_once(warehouse: Warehouse) -> None:
    first = opened(warehouse)
    assert deliver(warehouse, "webhook") == [(first.id, "opened", False)]
    assert (owed(warehouse, "webhook"), owed(warehouse, "inbox")) == ([], [(first.id, "opened", False)])
    deliver(warehouse, "inbox")
    closed(warehouse, first)
    assert [deliver(warehouse, name) for name in ("webhook", "inbox")] == [[(first.id, "closed", False)]] * 2
    assert [owed(warehouse, name) for name in ("webhook", "inbox")] == [[], []]


def test_an_incident_that_ended_before_it_was_told_makes_one_notice(warehouse: Warehouse) -> None:
    deliveries.begin(warehouse, "mail")
    first = opened(warehouse)
    closed(warehouse, first)
    assert deliver(warehouse, "mail") == [(first.id, "closed", True)]
    assert owed(warehouse, "mail") == []


def test_a_new_channel_is_told_of_what_is_open_and_of_what_comes(warehouse: Warehouse) -> None:
    old, standing = opened(warehouse), opened(warehouse)
    closed(warehouse, old)
    assert owed(warehouse, "slack") == [(standing.id, "opened", False)]
    assert deliver(warehouse, "slack") == [(standing.id, "opened", False)]
    closed(warehouse, standing)
    later = opened(warehouse)
    assert owed(warehouse, "slack") == [(standing.id, "closed", False), (later.id, "opened", False)]


def test_a_channel_that_is_new_while_nothing_is_open_misses_nothing_later(warehouse: Warehouse) -> None:
    closed(warehouse, opened(warehouse))
    assert deliver(warehouse, "slack") == []
    first = opened(warehouse)
    closed(warehouse, first)
    assert owed(warehouse, "slack") == [(first.id, "closed", True)]


def test_a_channel_that_heard_nothing_for_long_is_not_flooded_with_what_is_over(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = opened(warehouse)
    deliver(warehouse, "mail")
    closed(warehouse, known)
    closed(warehouse, opened(warehouse))
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert owed(warehouse, "mail") == [(known.id, "closed", False)]
    assert [number for number, _, _ in owed(warehouse, "inbox")] == [1, 2]


def test_the_inbox_has_all_that_ever_happened(warehouse: Warehouse) -> None:
    old = opened(warehouse)
    closed(warehouse, old)
    assert owed(warehouse, "inbox") == [(old.id, "closed", True)]


def test_what_was_told_comes_back_with_the_journal(warehouse: Warehouse) -> None:
    opened(warehouse)
    deliver(warehouse, "webhook")
    publish.flush(warehouse)
    bodies = [entry["body"] for entry in warehouse.journal.entries() if entry["kind"] == "notice"]
    assert [(body["incident"], body["transition"], body["channel"]) for body in bodies] == [
        (0, "begun", "webhook"),
        (1, "opened", "webhook"),
    ]
