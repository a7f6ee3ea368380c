"""What we ask of a running Prefect server: work pool, limits, automations, runs.

Belongs here: everything that speaks to the server on behalf of the service; it expects PREFECT_API_URL in the
environment. Does not belong here: processes and their lives (service), or what a flow does.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import LogSort
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker
from ruamel.yaml import YAML

PROJECT = Path(__file__).resolve().parent.parent
POOL = "figurekeeper"
#: Runs at once on one provider, across all workers. Requests are bounded by the connectors' quotas, not here.
RUNS_AT_ONCE = {"oecd": 2, "worldbank": 2, "nbs": 1}
QUEUES = {"main-job": 2, "default": None, "backfill": 1, "notices": None}


def prepare() -> None:
    """Create the work pool, its queues and the providers' concurrency limits; what is there already stays."""
    with get_client(sync_client=True) as client:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template), overwrite=True)
        for queue, at_once in QUEUES.items():
            _ensure_queue(client, queue, at_once)
        for provider, at_once in RUNS_AT_ONCE.items():
            client.upsert_global_concurrency_limit_by_name(f"figurekeeper-{provider}", at_once)


def _ensure_queue(client: SyncPrefectClient, name: str, at_once: int | None) -> None:
    try:
        client.create_work_queue(name, work_pool_name=POOL, concurrency_limit=at_once)
    except ObjectAlreadyExists:
        queue = client.read_work_queue_by_name(name, work_pool_name=POOL)
        client.update_work_queue(queue.id, concurrency_limit=at_once)


def install_automations(file: Path = PROJECT / "flows" / "automations.yaml") -> list[str]:
    """Replace every automation of the file by what it says now; returns their names. It needs the deployments."""
    with get_client(sync_client=True) as client:
        automations = [_resolved(client, entry) for entry in YAML(typ="safe").load(file)]
        for automation in automations:
            for old in client.read_automations_by_name(automation.name):
                client.delete_automation(old.id)
            client.create_automation(automation)
    return [automation.name for automation in automations]


def _resolved(client: SyncPrefectClient, entry: dict[str, Any]) -> AutomationCore:
    for action in entry["actions"]:
        if "deployment" in action:
            action["deployment_id"] = client.read_deployment_by_name(action.pop("deployment")).id
    return AutomationCore.model_validate(entry)


def forget_refreshes(kept: Set[str]) -> list[str]:
    """Delete the deployments of datasets that are not among `kept`: their file is gone, or wrong; returns their names."""
    with get_client(sync_client=True) as client:
        tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=["refresh"]))
        gone = [found for found in client.read_deployments(deployment_filter=tagged) if found.name not in kept]
        for deployment in gone:
            client.delete_deployment(deployment.id)
    return [deployment.name for deployment in gone]


def start_run(deployment: str, parameters: dict[str, Any], queue: str | None = None) -> UUID:
    """Create a run of `flow/deployment`, as the UI's form does; returns its id."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return client.create_flow_run_from_deployment(found.id, parameters=parameters, work_queue_name=queue).id


def read_run(run: UUID) -> FlowRun:
    """The run as the server knows it now."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run)


def core_messages(run: UUID, after: int) -> Iterator[tuple[int, str]]:
    """The core's own words in a run's log from the `after`-th entry on, numbered; Prefect's lines are left out."""
    with get_client(sync_client=True) as client:
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
        logs = client.read_logs(wanted, offset=after, limit=200, sort=LogSort.TIMESTAMP_ASC)
    for number, entry in enumerate(logs, start=after + 1):
        yield number, entry.message if entry.name.endswith(".core") else ""
