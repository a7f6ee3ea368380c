"""The flows as functions, over a core that is played: their last state, what they publish, what they announce."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from connectors.errors import Throttled
from flows import alerts, held, notices, pipeline, refresh, review
from flows.forms import AcknowledgeForm, RefreshForm, ReviewForm
from flows.notices.channels import Inbox, NotDelivered
from flows.pipeline import IncidentChange, Outcome, PartOutcome
from flows.settings import Settings
from warehouse.errors import StoreUnwritable
from warehouse.schema import CheckResult, Decision, Severity

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("service")]

PART = PartOutcome("G_PPP", "3 revised", "v1", datetime(2026, 4, 13, tzinfo=UTC), 3, 0, 0, ("cd" * 32,))
CHECK = CheckResult("scale-jump", "comparison", "G_PPP", Severity.CRITICAL, False, 10, 9, "ratio 1000", "none")
OPENED = IncidentChange(7, "quarantine", "oecd.sbrd", "opened", "oecd.sbrd: quarantined", "scale-jump")


def outcome(decision: Decision, **changes: Any) -> Outcome:
    known: dict[str, Any] = {"message": f"told: {decision.value}", "parts": (PART,), "vintages": 1}
    known["edition"] = 1 if decision is Decision.PUBLISHED else None
    return Outcome("oecd.sbrd", "b1", decision, **{**known, **changes})


FACTS: dict[str, Any] = {
    "batch": {"batch_id": "b1", "dataset": "oecd.sbrd", "decision": "quarantined", "can": "release, discard"},
    "asked": "everything",
    "serving": "edition 1",
    "decisions": [],
    "checks": [
        {
            "severity": "critical",
            "rule": CHECK.rule,
            "parts": [CHECK.part],
            "found": CHECK.observed,
            "expected": CHECK.expected,
            "why": "A changed unit.",
        }
    ],
    "worst": [],
    "verdicts": {"en": [], "zh": []},
}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, service_home: Path) -> None:
    """The flows read the ledger of the session's service, and the facts of a batch that is played."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(service_home))
    monkeypatch.setattr(held, "facts", lambda *_: FACTS)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[IncidentChange]:
    """The incidents the flow announced, instead of events that automations would act on."""
    seen: list[IncidentChange] = []
    monkeypatch.setattr(alerts, "announce", lambda incident: seen.append(incident) if incident else None)
    return seen


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The calls by which a flow had pages and indicators.duckdb rewritten."""
    seen: list[Settings] = []
    monkeypatch.setattr(pipeline, "finish", seen.append)
    monkeypatch.setattr(pipeline, "changes", lambda *_: [])
    return seen


def playing(monkeypatch: pytest.MonkeyPatch, verb: str, answer: Any) -> list[dict[str, Any]]:
    """Let a verb of the core answer (or raise) `answer`; returns the list of the calls it gets."""
    calls: list[dict[str, Any]] = []

    def play(_: Settings, *arguments: Any, **named: Any) -> Any:
        calls.append({"arguments": arguments, **named})
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(pipeline, verb, play)
    return calls


def artifact(key: str) -> Any:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort=ArtifactSort.CREATED_DESC
        )
    return found[0].data if found else None


def test_a_publish_ends_completed_with_artifacts(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange], finished: list[Settings]
) -> None:
    calls = playing(monkeypatch, "refresh", outcome(Decision.PUBLISHED))
    changed = {"part": "G_PPP", "kind": "revision", "cells": 3, "series": 1, "largest": 0.02, "causes": ""}
    monkeypatch.setattr(pipeline, "changes", lambda *_: [changed])
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd"), return_state=True)
    assert (state.type.value, state.message) == ("COMPLETED", "told: published")
    assert "G_PPP" in artifact("changes-oecd-sbrd")
    assert calls[0]["arguments"] == ("oecd.sbrd",)
    assert calls[0]["fault"] is None
    assert calls[0]["run_id"]
    assert "told: published" in artifact("refresh-oecd-sbrd")
    assert len(finished) == 1
    assert announced == []


def test_an_unchanged_refresh_ends_completed_and_rewrites_nothing(
    monkeypatch: pytest.MonkeyPatch, finished: list[Settings]
) -> None:
    playing(monkeypatch, "refresh", outcome(Decision.UNCHANGED, vintages=0))
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd"), return_state=True)
    assert (state.name, state.message) == ("Completed", "told: unchanged")
    assert finished == []


def test_a_quarantine_is_red_has_its_own_name_and_is_announced(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange], finished: list[Settings]
) -> None:
    quarantined = outcome(Decision.QUARANTINED, failed_checks=(CHECK,), incident=OPENED, vintages=0)
    calls = playing(monkeypatch, "refresh", quarantined)
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd", fault="scaled_by_1000"), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "Quarantined")
    assert calls[0]["fault"] == "scaled_by_1000"
    assert announced == [OPENED]
    assert "told: quarantined" in artifact("refresh-oecd-sbrd")
    page = artifact("held-oecd-sbrd")
    assert "**scale-jump** in G_PPP: ratio 1000; expected none. A changed unit." in page
    assert "figurekeeper discard b1 " in page


def test_a_provider_failure_ends_failed_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange], finished: list[Settings]
) -> None:
    error = Throttled("429 from the OECD", next_step="wait an hour", dataset="oecd.sbrd")
    error.incident = OPENED  # type: ignore[attr-defined, unused-ignore]
    playing(monkeypatch, "refresh", error)
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd"), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert state.message is not None
    assert state.message.endswith("Next: wait an hour")
    assert announced == [OPENED]
    assert finished == []


def test_a_walk_is_one_run_of_many_batches(monkeypatch: pytest.MonkeyPatch, finished: list[Settings]) -> None:
    playing(monkeypatch, "walk", [outcome(Decision.PUBLISHED), outcome(Decision.UNCHANGED, vintages=0)])
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd", walk=True), return_state=True)
    assert state.message == "2 batches: 1 published, 1 unchanged; 1 vintages"
    assert len(finished) == 1


def test_review_passes_reason_name_and_run_to_the_audit(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange], finished: list[Settings]
) -> None:
    monkeypatch.setattr(held, "find", lambda _, named, __: named)
    calls = playing(monkeypatch, "decide", outcome(Decision.RELEASED, incident=OPENED))
    form = ReviewForm(batch="b1", decision="release", reason="checked with the OECD", by="A. Person")
    state = review.review(form, return_state=True)
    assert state.type.value == "COMPLETED"
    assert calls[0]["arguments"] == ("b1", "release")
    assert (calls[0]["reason"], calls[0]["by"]) == ("checked with the OECD", "A. Person")
    assert calls[0]["run_id"]
    page = artifact("review-oecd-sbrd")
    assert "**By** A. Person (as typed into the form" in page
    assert "checked with the OECD" in page
    assert "scale-jump" in artifact("held-oecd-sbrd")
    assert (len(announced), len(finished)) == (1, 1)


def test_what_stands_is_told_even_when_something_fails_after_it(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange]
) -> None:
    def full(_: Settings) -> None:
        raise StoreUnwritable("the disk is full", next_step="make room, then `figurekeeper pages`")

    monkeypatch.setattr(pipeline, "finish", full)
    monkeypatch.setattr(pipeline, "changes", lambda *_: [])
    monkeypatch.setattr(held, "find", lambda _, named, __: named)
    playing(monkeypatch, "decide", outcome(Decision.RELEASED))
    form = ReviewForm(batch="b1", decision="release", reason="checked with the OECD", by="A. Person")
    decided = review.review(form, return_state=True)
    playing(monkeypatch, "refresh", outcome(Decision.PUBLISHED))
    refreshed = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd"), return_state=True)
    for state, word in ((decided, "released"), (refreshed, "published")):
        assert state.type.value == "FAILED"
        assert str(state.message).startswith(
            f"done, and it stands: told: {word}. But then: the disk is full. Next: make"
        )


def test_review_of_an_unknown_batch_ends_failed_and_names_those_that_could_be_meant() -> None:
    form = ReviewForm(batch="b1", decision="release", reason="because", by="A. Person")
    state = review.review(form, return_state=True)
    assert state.type.value == "FAILED"
    assert state.message is not None
    assert state.message.startswith("there is no batch 'b1'. Next: ")


def test_an_incident_that_nobody_knows_cannot_be_acknowledged() -> None:
    form = AcknowledgeForm(incident=999, reason="nothing to mend", by="E. Editor")
    state = review.acknowledge(form, return_state=True)
    assert state.type.value == "FAILED"
    assert state.message == "there is no incident 999. Next: `figurekeeper status` lists those that are open"


def test_an_acknowledgement_is_announced_and_closes(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange], finished: list[Settings]
) -> None:
    closed = replace(OPENED, transition="closed", text="acknowledged by E. Editor: nothing to mend")
    monkeypatch.setattr(held, "take_note", lambda *_, **__: closed)
    form = AcknowledgeForm(incident=7, reason="nothing to mend", by="E. Editor")
    state = review.acknowledge(form, return_state=True)
    assert (state.type.value, state.message) == ("COMPLETED", closed.text)
    assert announced == [closed]
    assert closed.text in artifact("acknowledged-oecd-sbrd")
    assert len(finished) == 1


def test_a_run_without_its_limit_fails_rather_than_go_unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, "refresh", outcome(Decision.PUBLISHED))
    monkeypatch.setattr(refresh, "provider_limit", lambda _: "figurekeeper-nobody")
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd"), return_state=True)
    assert state.type.value == "FAILED"
    assert state.message is not None
    assert "ConcurrencySlotAcquisitionError" in state.message


def test_delivery_ends_failed_when_one_channel_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    told = SimpleNamespace(title="a", channel="inbox", remark="")
    refused = [NotDelivered(inbox, "the disk is full", "make room")]
    monkeypatch.setattr(notices, "deliver_pending", lambda _: ([told], refused))
    failed = alerts.deliver_notice("7", return_state=True)
    assert failed.type.value == "FAILED"
    assert failed.message is not None
    assert failed.message.endswith("which stays owed: the disk is full. Next: make room; delivered: a (inbox)")
    monkeypatch.setattr(notices, "deliver_pending", lambda _: ([told], []))
    assert alerts.deliver_notice("7", return_state=True).message == "delivered: a (inbox)"


def test_an_announcement_names_dataset_and_incident() -> None:
    event = alerts.announce(OPENED)
    assert event is not None
    assert event.event == "figurekeeper.incident.opened"
    assert event.resource.id == "figurekeeper.subject.oecd.sbrd"
    assert event.payload["incident"] == "7"
    assert alerts.announce(None) is None
