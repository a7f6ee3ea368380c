"""What we ask of a running Prefect server: work pool, limits, deployments, a single run.

Belongs here: everything that speaks to the server on behalf of the service; it expects PREFECT_API_URL in the
environment. Does not belong here: processes and their lives (service), what a flow does, runs that
ended badly (runs) or were missed (late).
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate, WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from flows import links
from flows.settings import Settings

POOL = "figurekeeper"
#: Runs at once on one provider, across all workers. Requests are bounded by the connectors' quotas, not here.
RUNS_AT_ONCE = {"oecd": 2, "worldbank": 2, "nbs": 1}
#: Runs at once from each queue, across all workers: decisions never wait for refreshes, nor refreshes for a backfill.
QUEUES = {"main-job": 2, "default": 4, "backfill": 1, "decisions": 2, "notices": 4}


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


def free_slots() -> list[str]:
    """Free the slots that are held though no run is alive, and so held for ever; returns the names of their limits.

    A server that lost its leases (an older version of ours kept them in memory; a folder that was not restored) would call off
    every later run of a deployment that runs once at a time.
    """
    alive = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
    with get_client(sync_client=True) as client:
        if client.read_flow_runs(flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=alive)), limit=1):
            return []
        held = [limit for limit in client.read_global_concurrency_limits(limit=200) if limit.active_slots]
        for limit in held:
            client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active_slots=0))
    return [limit.name for limit in held]


def forget_refreshes(kept: Set[str]) -> list[str]:
    """Delete the deployments of datasets that are not among `kept`: their file is gone, or wrong; returns their names."""
    with get_client(sync_client=True) as client:
        tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=["refresh"]))
        gone = [found for found in client.read_deployments(deployment_filter=tagged) if found.name not in kept]
        for deployment in gone:
            client.delete_deployment(deployment.id)
    return [deployment.name for deployment in gone]


def remember_links(settings: Settings, *, ui: str, pages: str | None = None) -> None:
    """Write down, for notices and pages, where people reach the UI at `ui` and the forms of every deployment."""
    with get_client(sync_client=True) as client:
        known = {found.name: str(found.id) for found in client.read_deployments()}
    links.remember(settings, known, ui=ui, pages=pages)


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
