"""Scheduled runs that were missed: after a night off, or a week asleep, a deployment runs once and not once a missed time.

Every poll asks for all that is new, so the runs that piled up would ask the same again. Belongs here: calling the others off,
before workers start and by the first one that runs. Does not belong here: schedules (prefect.yaml), or telling people that
nothing ran (conditions). Runs that a person asked for are never called off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort

#: The tag that Prefect's scheduler gives its runs.
SCHEDULED = "auto-scheduled"
_AT_ONCE = 200


def skip_missed() -> int:
    """Call off every overdue scheduled run but the newest of each deployment; how many. To be called before a worker starts."""
    with get_client(sync_client=True) as client:
        runs = [run for run in _overdue(client) if run.deployment_id is not None]
        runs.sort(key=lambda run: (str(run.deployment_id), str(run.expected_start_time)))
        superseded: list[FlowRun] = []
        for _, missed in groupby(runs, attrgetter("deployment_id")):
            superseded += list(missed)[:-1]
        return _skip(client, superseded, "a later scheduled run asks for all that is new")


def stand_in_for_missed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook of scheduled flows, called when a run begins: it calls off the other overdue runs of its deployment.

    The machine may have slept with server and worker alive; then nobody called them off beforehand.
    """
    if flow_run.deployment_id is None or SCHEDULED not in flow_run.tags:
        return
    with get_client(sync_client=True) as client:
        others = [other for other in _overdue(client, flow_run.deployment_id) if other.id != flow_run.id]
        due = f"{flow_run.expected_start_time:%Y-%m-%d %H:%M} UTC"
        _skip(client, others, f"run {flow_run.name} of {due} asks for all that is new")


def _overdue(client: SyncPrefectClient, deployment: UUID | None = None) -> list[FlowRun]:
    """Runs that the scheduler made, whose time has come, and that no worker has taken."""
    wanted = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Scheduled", "Late"])),  # no retry of a person's
        tags=FlowRunFilterTags(all_=[SCHEDULED]),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)),
    )
    of = DeploymentFilter(id=DeploymentFilterId(any_=[deployment])) if deployment is not None else None
    found: list[FlowRun] = []
    while True:
        some = client.read_flow_runs(
            flow_run_filter=wanted,
            deployment_filter=of,
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=_AT_ONCE,
            offset=len(found),
        )
        found += some
        if len(some) < _AT_ONCE:
            return found


def _skip(client: SyncPrefectClient, runs: Sequence[FlowRun], why: str) -> int:
    for run in runs:
        message = f"Not needed: nothing ran at its time, and {why}."
        client.set_flow_run_state(run.id, State(type=StateType.CANCELLED, name="Skipped", message=message))
    return len(runs)
