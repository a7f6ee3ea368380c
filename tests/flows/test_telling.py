"""From a quality failure in a run to the people: event, automation, delivery, once to each channel; and so its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import pipeline
from flows.service import FLOW, Service
from flows.settings import Settings
from tests.flows.sinks import Post, Web

DATASET = "nbs.fdi_by_country"
REFRESH = f"{FLOW}/{DATASET}"

pytestmark = [pytest.mark.prefect, pytest.mark.nbs]


def test_an_injected_quality_failure_reaches_webhook_and_mail_once_and_its_end_as_well(
    service: Service,
    service_home: Path,
    hook: Web,
    mailbox: Post,
    run_deployment: Callable[..., Any],
    eventually: Callable[..., Any],
) -> None:
    def told(transition: str) -> tuple[list[dict[str, Any]], list[str]]:
        """What webhook and mail say of the dataset."""
        posted = [one for one in hook.taken if (one["dataset"], one["transition"]) == (DATASET, transition)]
        keys = [f"<figurekeeper.{one['key']}@example.org>" for one in posted]
        return posted, [str(mail["Subject"]) for mail in mailbox.taken if mail["Message-ID"] in keys]

    def both(transition: str) -> bool:
        return all(told(transition))

    pipeline.refresh(Settings(home=service_home), DATASET, note=lambda _: None)
    held = run_deployment(REFRESH, {"request": {"dataset": DATASET, "fault": "scaled_by_1000"}})
    assert held.name == "Quarantined", held.message
    assert eventually(lambda: both("opened"), seconds=120)

    again = run_deployment(REFRESH, {"request": {"dataset": DATASET}})
    assert again.type.value == "COMPLETED", again.message
    assert eventually(lambda: both("closed"), seconds=120)
    assert run_deployment("deliver-notice/deliver-notice", {}).message == "delivered: nothing was owed"
    for transition in ("opened", "closed"):
        posted, subjects = told(transition)
        assert (len(posted), len(subjects)) == (1, 1)
    [opening] = told("opened")[0]
    assert subjects == [f"[Figurekeeper] SANDBOX · closed · {opening['title']}"]
    assert "scale-jump" in opening["text"]
    assert "/v2/runs/flow-run/" in opening["links"]["The run in Prefect"]
