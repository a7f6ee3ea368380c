"""The service for real: server, worker, deployments and automations over the sandbox, as an operator uses them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)

from connectors import datasets
from flows import automations, deployments, pipeline, server
from flows import held as deciding
from flows.environment import PROJECT
from flows.service import FLOW, Service
from flows.settings import Settings
from warehouse import lineage
from warehouse.schema import Severity

pytestmark = pytest.mark.prefect

DATASET = "oecd.pct_cooperation"
REFRESH = f"{FLOW}/{DATASET}"


def scheduled(deployment: str) -> list[datetime]:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Scheduled"]))),
        )
    return [run.expected_start_time for run in runs if run.expected_start_time]


@pytest.mark.parametrize("dataset", datasets.enabled_ids())
def test_every_calendar_gets_future_runs(service: Service, eventually: Callable[..., Any], dataset: str) -> None:
    # With a wrong SQLAlchemy the server boots, answers and deploys, and silently schedules nothing.
    due = eventually(lambda: scheduled(dataset))
    assert len(due) >= 3
    assert all(time > datetime.now(UTC) for time in due)


def test_a_dataset_of_one_s_own_is_deployed_until_its_file_is_gone(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    text = datasets.path_of("oecd.sbrd").read_text(encoding="utf-8")
    (tmp_path / "oecd.mine.yaml").write_text(text.replace("id: oecd.sbrd", "id: oecd.mine"), encoding="utf-8")
    monkeypatch.setattr(service, "settings", service.settings.model_copy(update={"datasets": tmp_path}))
    monkeypatch.setitem(service.env, "FIGUREKEEPER_DATASETS", str(tmp_path))
    service.deploy()
    with get_client(sync_client=True) as client:
        offered = client.read_deployment_by_name(f"{FLOW}/oecd.mine").parameter_openapi_schema
    assert offered
    assert "oecd.mine" in offered["definitions"]["RefreshForm"]["properties"]["dataset"]["enum"]
    assert eventually(lambda: scheduled("oecd.mine"))
    assert server.forget_refreshes(deployments.names(deployments.FILE)) == ["oecd.mine"]
    assert server.forget_refreshes(deployments.names(deployments.FILE)) == []


def test_installing_automations_twice_leaves_one_of_each(service: Service) -> None:
    names = automations.install(service.settings)
    with get_client(sync_client=True) as client:
        assert [len(client.read_automations_by_name(name)) for name in names] == [1] * len(names)


def test_a_form_the_api_refuses(service: Service) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    with pytest.raises(PrefectHTTPStatusError, match="409") as caught:
        server.start_run(REFRESH, {"request": {"dataset": "oecd.nothing"}})
    assert "oecd.nothing" in caught.value.response.text


@pytest.mark.oecd
def test_quarantine_notice_review_and_recovery(
    service: Service, service_home: Path, run_deployment: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    settings = Settings(home=service_home)

    def letters(transition: str) -> list[Path]:
        return sorted((settings.root / "inbox").glob(f"*-{transition}-{DATASET}.md"))

    good = run_deployment(REFRESH, {"request": {"dataset": DATASET}})
    assert good.type.value == "COMPLETED", good.message
    visible = pipeline.summary(settings)

    held = run_deployment(REFRESH, {"request": {"dataset": DATASET, "fault": "scaled_by_1000"}})
    assert (held.type.value, held.name) == ("FAILED", "Quarantined"), held.message
    assert [row["observations"] for row in pipeline.summary(settings)] == [row["observations"] for row in visible]
    assert len(eventually(lambda: letters("opened"))) == 1

    again = run_deployment(REFRESH, {"request": {"dataset": DATASET, "fault": "scaled_by_1000"}})
    assert again.name == "Quarantined"
    batch = lineage.batches(pipeline.open_warehouse(settings), DATASET, limit=1)[0]["batch"]
    decision = {"batch": batch, "decision": "discard", "reason": "a test of the form", "by": "A. Person"}
    assert run_deployment("review/review", {"request": decision}).type.value == "COMPLETED"
    failed = deciding.facts(settings, batch)["checks"]
    critical = [check["rule"] for check in failed if check["severity"] == Severity.CRITICAL]
    assert critical
    assert any(rule in held.message for rule in critical)
    twice = run_deployment("review/review", {"request": decision})
    assert (twice.type.value, "Next:" in twice.message) == ("FAILED", True)

    assert len(eventually(lambda: letters("closed"))) == 1
    assert len(letters("opened")) == 1

    recovered = run_deployment(REFRESH, {"request": {"dataset": DATASET}})
    assert recovered.type.value == "COMPLETED"
    assert "nothing new" in recovered.message


def test_a_worker_that_dies_is_started_again(service: Service, eventually: Callable[..., Any]) -> None:
    worker = next(child for child in service.children if child.name == "worker")
    before = worker.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: worker.returncode is not None)

    def is_there_again() -> bool:
        service.restart_dead()
        return worker.pid != before

    assert eventually(is_there_again)
    assert worker.returncode is None


def of_home(home: Path) -> list[str]:
    """The command lines of all processes that serve this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"FIGUREKEEPER_HOME={home}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_service_stops_cleanly_on_sigterm_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "FIGUREKEEPER_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "flows.service", "run"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as main_job:
        assert main_job.stdout is not None
        for line in main_job.stdout:
            if "deploying" in line:
                break
        assert len(of_home(tmp_path)) >= 3  # itself, the sandbox, the server
        main_job.send_signal(signal.SIGTERM)
        assert main_job.wait(60) == 1
    assert of_home(tmp_path) == []
