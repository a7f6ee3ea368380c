"""The deployment `backfill` as an operator uses it: the plan, the run, a cancelled one, a killed one, and the rerun that goes on.

Does not belong here: which requests a rerun is spared, provider by provider (test_backfills), or how soon a dead run is marked.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.states import Cancelling, Crashed
from sqlalchemy import select

from connectors import datasets
from connectors.errors import QuotaExhausted, Throttled
from flows import alerts, backfill, backfill_plan, backfills, pipeline, report, server
from flows.backfills import Backfilled
from flows.forms import BackfillForm
from flows.service import Service
from flows.settings import Settings
from tests.flows.test_flows import outcome
from warehouse import ledger, lineage
from warehouse.schema import Decision, IncidentChange

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("service")]

#: Three vintages of the archive, and twelve months that it does not have.
VINTAGES = {"datasets": ["worldbank.wdi"], "vintage_from": "202310", "vintage_to": "202412"}
#: Seconds for a run to be picked up and to begin, or to end.
PATIENCE = 120
PERIODS = {"datasets": ["worldbank.wdi", "oecd.sbrd"], "mode": "run", "period_from": "2010"}
LATER = QuotaExhausted("our limit is used up; it frees at 16:00 UTC", next_step="run the refresh again")
WRONG = Throttled("429", next_step="wait an hour")


def artifacts(run: Any) -> dict[str, Any]:
    """What a run published, by key."""
    chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    with get_client(sync_client=True) as client:
        return {str(found.key): found for found in client.read_artifacts(artifact_filter=chosen)}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A home for flows that are called in this process."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path))
    return Settings(home=tmp_path)


def test_a_plan_asks_nothing_and_shows_cost_time_and_the_next_step(home: Settings) -> None:
    form = BackfillForm(datasets=["oecd.sbrd"], period_from="2000")
    state = backfill.backfill(form, return_state=True)
    requests = backfill_plan.plan(home, ["oecd.sbrd"], "2000").requests
    assert len(requests) > len(datasets.load("oecd.sbrd").parts)
    assert state.message is not None
    assert state.message.startswith(f"oecd.sbrd: {len(requests)} first requests (9 oecd data, 3 oecd structure), ")
    assert "; nothing was asked" in state.message
    told = artifacts(state.state_details.flow_run_id)
    assert len(json.loads(told["backfill-requests"].data)) == len(requests)
    for words in ("| oecd | data |", "### How long", "One run will do", "Nothing was asked. "):
        assert words in told["backfill-plan"].data
    assert not (home.root / "sandbox-access.log").exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({**PERIODS, "reason": " "}, "needs a reason"),
        ({**PERIODS, "reason": "a paper", "period_to": "2009"}, "2010"),
        ({"datasets": ["nbs.science_technology"], "vintage_from": "202109"}, "nbs keeps no old vintages"),
        ({"datasets": ["worldbank.wdi"], "vintage_to": "202109"}, "a last one and no first"),
        ({"datasets": ["nbs.yearbook_technology_imports"]}, "read from files"),
    ],
)
def test_what_cannot_be_meant_ends_failed_with_the_next_step(
    home: Settings, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr(backfills, "run", None)
    state = backfill.backfill(BackfillForm.model_validate(wrong), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert told in str(state.message)
    assert "Next: " in str(state.message)


@pytest.mark.parametrize(
    ("ends", "name", "told"),
    [
        ({}, "Completed", "2 batches: 2 published"),
        (
            {"worldbank.wdi": (LATER, ("p1", "p2"))},
            "Unfinished",
            "2 left: p1, p2. Next: run the same backfill again then",
        ),
        ({"oecd.sbrd": (WRONG, ()), "worldbank.wdi": (LATER, ())}, "Failed", "Next: wait an hour"),
    ],
)
def test_the_last_state_says_what_became_of_every_dataset(
    home: Settings, monkeypatch: pytest.MonkeyPatch, ends: dict[str, Any], name: str, told: str
) -> None:
    announced: list[IncidentChange | None] = []
    monkeypatch.setattr(alerts, "announce", announced.append)
    monkeypatch.setattr(pipeline, "finish", lambda _: None)
    monkeypatch.setattr(report, "publish_refresh", lambda *_: None)

    def played(_: Settings, dataset: str, *__: Any, **___: Any) -> Backfilled:
        error, left = ends.get(dataset, (None, ()))
        return Backfilled(dataset, (outcome(Decision.PUBLISHED),), left, error)

    monkeypatch.setattr(backfills, "run", played)
    form = BackfillForm.model_validate({**PERIODS, "reason": "a new paper"})
    state = backfill.backfill(form, return_state=True)
    assert state.name == name
    assert told in str(state.message)
    assert len(announced) == 2  # what stopped a dataset is told, or that nothing did


def _flow_processes(home: Path) -> list[int]:
    """The processes of flow runs that serve a home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"FIGUREKEEPER_HOME={home}".encode() in (process / "environ").read_bytes()
            if ours and b"prefect.engine" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.timeout(600)
def test_cancelled_and_killed_the_same_form_goes_on_and_asks_nothing_twice(
    service: Service, service_home: Path, run_deployment: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    settings = Settings(home=service_home)
    log = settings.root / "sandbox-access.log"
    begun = len(log.read_text(encoding="utf-8").splitlines())
    form = {"request": {**VINTAGES, "mode": "run", "reason": "history"}}

    def asked() -> list[str]:
        """Of the archive."""
        entries = map(json.loads, log.read_text(encoding="utf-8").splitlines()[begun:])
        return [entry["path"] for entry in entries if "/sources/57/country/" in entry["path"]]

    def archived() -> set[str]:
        """Of the archive, too; what was under way when a process died was answered and is not among it."""
        with pipeline.open_warehouse(settings).engine.connect() as connection:
            urls = connection.execute(select(ledger.payloads.c.url)).scalars().all()
        return {f"/{url.split('/', 3)[3]}" for url in urls if "/sources/57/country/" in url}

    def state_of(run: Any) -> str:
        state = server.read_run(run).state
        return state.type.value if state is not None else ""

    def newest() -> dict[str, Any]:
        return lineage.batches(pipeline.open_warehouse(settings), "worldbank.wdi", limit=1)[0]

    cancelled = server.start_run("backfill/backfill", form)
    assert eventually(lambda: len(asked()) > 3, PATIENCE)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(cancelled, Cancelling())
    assert eventually(lambda: state_of(cancelled) not in ("RUNNING", "CANCELLING"), PATIENCE)
    assert state_of(cancelled) == "CANCELLED"
    with pipeline.open_warehouse(settings).lease("worldbank.wdi", wait=0.0):
        assert newest()["decision"] == "abandoned"
    assert "stopped" in newest()["message"]

    before, kept = len(asked()), archived()
    killed = server.start_run("backfill/backfill", form)
    assert eventually(lambda: len(asked()) > before + 3, PATIENCE)
    worker = next(child for child in service.children if child.name == "worker")
    for victim in (worker.pid, *_flow_processes(service_home)):
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: worker.returncode is not None)
    assert state_of(killed) == "RUNNING"  # nobody is left who could say more
    again, kept_then = len(asked()), archived()
    service.restart_dead()
    with get_client(sync_client=True) as client:  # as the automation does when its heart has stopped
        client.set_flow_run_state(killed, Crashed(message="a test"), force=True)

    state = run_deployment("backfill/backfill", form)
    assert state.type.value == "COMPLETED", state.message
    assert len(kept) > 2
    assert len(kept_then) > len(kept)
    assert not kept & set(asked()[before:])
    assert not kept_then & set(asked()[again:])
    assert newest()["actor"] == "backfill"
    bar = artifacts(state.state_details.flow_run_id)["backfill-progress-worldbank-wdi"]
    assert bar.data == 100.0
    assert "done" in str(bar.description)
