"""The flows as functions, over a core that is played: their last state, what they publish, what they announce."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from connectors import datasets
from connectors.errors import Throttled
from flows import alerts, backfill, estimate, notices, pipeline, refresh, review
from flows.forms import BackfillForm, RefreshForm, ReviewForm
from flows.pipeline import IncidentChange, Outcome, PartOutcome
from flows.settings import Settings
from warehouse.errors import WrongState
from warehouse.schema import CheckResult, Decision, Severity

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("service")]

PART = PartOutcome("G_PPP", "3 revised", "v1", datetime(2026, 4, 13, tzinfo=UTC), 3, 0, 0, ("cd" * 32,))
CHECK = CheckResult("scale-jump", "comparison", "G_PPP", Severity.CRITICAL, False, 10, 9, "ratio 1000", "none")
OPENED = IncidentChange(7, "quarantine", "oecd.sbrd", "opened", "oecd.sbrd: quarantined", "scale-jump")


def outcome(decision: Decision, **changes: Any) -> Outcome:
    known: dict[str, Any] = {"message": f"told: {decision.value}", "parts": (PART,), "vintages": 1}
    known["edition"] = 1 if decision is Decision.PUBLISHED else None
    return Outcome("oecd.sbrd", "b1", decision, **{**known, **changes})


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
    assert "3 revised" in artifact("revisions-oecd-sbrd")
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
    held = outcome(Decision.QUARANTINED, failed_checks=(CHECK,), incident=OPENED, vintages=0)
    calls = playing(monkeypatch, "refresh", held)
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd", fault="scaled_by_1000"), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "Quarantined")
    assert calls[0]["fault"] == "scaled_by_1000"
    assert announced == [OPENED]
    assert "scale-jump" in artifact("refresh-oecd-sbrd")


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
    calls = playing(monkeypatch, "decide", outcome(Decision.RELEASED, incident=OPENED))
    monkeypatch.setattr(review, "held_against", lambda *_: [CHECK])
    form = ReviewForm(batch="b1", decision="release", reason="checked with the OECD", by="A. Person")
    state = review.review(form, return_state=True)
    assert state.type.value == "COMPLETED"
    assert calls[0]["arguments"] == ("b1", "release")
    assert (calls[0]["reason"], calls[0]["by"]) == ("checked with the OECD", "A. Person")
    assert calls[0]["run_id"]
    page = artifact("review-oecd-sbrd")
    assert "A. Person" in page
    assert "scale-jump" in page
    assert (len(announced), len(finished)) == (1, 1)


def test_review_of_a_batch_in_the_wrong_state_ends_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, "decide", WrongState("batch b1 is published", next_step="use void"))
    form = ReviewForm(batch="b1", decision="release", reason="because", by="A. Person")
    state = review.review(form, return_state=True)
    assert state.message == "batch b1 is published. Next: use void"
    assert state.type.value == "FAILED"


def test_a_plan_asks_nothing_and_shows_its_cost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = playing(monkeypatch, "refresh", outcome(Decision.PUBLISHED))
    form = BackfillForm(datasets=["oecd.sbrd"], period_from="2000")
    state = backfill.backfill(form, return_state=True)
    assert asked == []
    assert state.message is not None
    requests = estimate.rows(Settings(home=tmp_path), ["oecd.sbrd"], "2000")
    assert state.message.startswith(f"oecd.sbrd: {len(requests)} first requests (9 oecd data, 3 oecd structure), ")
    assert "; nothing was asked" in state.message
    shown = artifact("backfill-requests")
    assert len(requests) > len(datasets.load("oecd.sbrd").parts)
    assert [row["request"] for row in json.loads(shown)] == [row["request"] for row in requests]
    assert "| oecd | data |" in artifact("backfill-plan")


def test_a_backfill_runs_every_dataset_and_needs_a_reason(
    monkeypatch: pytest.MonkeyPatch, announced: list[IncidentChange], finished: list[Settings]
) -> None:
    asked = playing(monkeypatch, "backfill", [outcome(Decision.PUBLISHED)])
    form = {"datasets": ["worldbank.wdi", "oecd.sbrd"], "mode": "run", "period_from": "2010"}
    refused = backfill.backfill(BackfillForm.model_validate(form), return_state=True)
    assert refused.message is not None
    assert "needs a reason" in refused.message
    assert asked == []
    state = backfill.backfill(BackfillForm.model_validate({**form, "reason": "a new paper"}), return_state=True)
    assert state.type.value == "COMPLETED"
    assert [call["arguments"][0] for call in asked] == ["worldbank.wdi", "oecd.sbrd"]
    assert asked[0]["arguments"][1].scope.start == "2010"


def test_a_run_without_its_limit_fails_rather_than_go_unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, "refresh", outcome(Decision.PUBLISHED))
    monkeypatch.setattr(refresh, "provider_limit", lambda _: "figurekeeper-nobody")
    state = refresh.refresh_dataset(RefreshForm(dataset="oecd.sbrd"), return_state=True)
    assert state.type.value == "FAILED"
    assert state.message is not None
    assert "ConcurrencySlotAcquisitionError" in state.message


def test_delivery_goes_on_when_one_channel_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Owed:
        def __init__(self, title: str, channel: str) -> None:
            self.title, self.channel = title, channel

    def deliver(_: Settings, notice: Any) -> bool:
        if notice.channel == "webhook":
            raise notices.NotDelivered("the webhook refused", next_step="mend it")
        return True

    owed = [Owed("a", "webhook"), Owed("a", "inbox")]
    monkeypatch.setattr(notices, "pending_notices", lambda _: owed)
    monkeypatch.setattr(notices, "deliver", deliver)
    failed = alerts.deliver_notice("7", return_state=True)
    assert (failed.type.value, failed.message) == ("FAILED", "the webhook refused. Next: mend it")
    owed.pop(0)
    done = alerts.deliver_notice("7", return_state=True)
    assert done.message == "notices delivered: a (inbox)"


def test_an_announcement_names_dataset_and_incident() -> None:
    event = alerts.announce(OPENED)
    assert event is not None
    assert event.event == "figurekeeper.incident.opened"
    assert event.resource.id == "figurekeeper.dataset.oecd.sbrd"
    assert event.payload["incident"] == "7"
    assert alerts.announce(None) is None
