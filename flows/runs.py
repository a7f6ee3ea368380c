"""What the Prefect server knows of runs that ended badly or wait in vain.

Belongs here: asking the server. Does not belong here: which of them need a person, and the words (run_incidents).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from flows.run_incidents import Run, deployment_of, subject_of

#: A run that ended longer ago is history, not news: the longest gap of a schedule is a week.
NEWS = timedelta(days=8)
#: Prefect calls a run late after seconds; so long it may wait for its turn.
LATE_AFTER = timedelta(minutes=10)
#: The runs of the watch and of deliveries are many; they are forgotten after so long.
KEPT = timedelta(days=1)
_AT_MOST = 200
_UNDER_WAY = ("Running", "Pending", "Cancelling")


def bad(now: datetime) -> list[Run]:
    """The runs of deployments that crashed or failed lately, and those that wait though nothing of their queue is under way.

    A run whose state says more than "Failed", such as Quarantined, has told what it had to say.
    """
    with get_client(sync_client=True) as client:
        ended = _runs(client, _named("Crashed", "Failed", "TimedOut"), end_time=FlowRunFilterEndTime(after_=now - NEWS))
        due = FlowRunFilterExpectedStartTime(before_=now - LATE_AFTER)
        waiting = _runs(client, _named("Late"), expected_start_time=due)
        busy = {run.work_queue_id for run in _runs(client, _named(*_UNDER_WAY))} if waiting else set()
        seen = [*ended, *(run for run in waiting if run.work_queue_id not in busy)]
        names = _deployments(client, seen)
    return [_told(run, names[run.deployment_id]) for run in seen if run.deployment_id in names]


def newest_good(subjects: Iterable[str]) -> dict[str, datetime]:
    """When the newest run of each of these subjects ended well; those without any, and unknown ones, are left out."""
    found: dict[str, datetime] = {}
    with get_client(sync_client=True) as client:
        for wanted in subjects:
            deployment = deployment_of(wanted)
            for run in _good(client, deployment):
                if run.end_time is not None and subject_of(deployment, run.parameters) == wanted:
                    found[wanted] = run.end_time
                    break
    return found


def forget_old(deployments: Iterable[str], now: datetime) -> int:
    """Delete runs of deployments that ended over a day ago, however but by dying, so that they do not fill the history;
    how many."""
    types = FlowRunFilterStateType(any_=[StateType.COMPLETED, StateType.CANCELLED, StateType.FAILED])
    with get_client(sync_client=True) as client:
        old = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=types), end_time=FlowRunFilterEndTime(before_=now - KEPT)
            ),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=list(deployments))),
            limit=_AT_MOST,
        )
        for run in old:
            client.delete_flow_run(run.id)
    return len(old)


def _good(client: SyncPrefectClient, deployment: str) -> list[FlowRun]:
    """The runs of a deployment that ended well, the newest first."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED]))
        ),
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
        sort=FlowRunSort.END_TIME_DESC,
        limit=_AT_MOST,
    )


def _named(*states: str) -> FlowRunFilterState:
    return FlowRunFilterState(name=FlowRunFilterStateName(any_=list(states)))


def _runs(client: SyncPrefectClient, state: FlowRunFilterState, **criteria: Any) -> list[FlowRun]:
    """The newest runs in one of these states."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=state, **criteria),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=_AT_MOST,
    )


def _deployments(client: SyncPrefectClient, runs: Iterable[FlowRun]) -> dict[UUID | None, str]:
    """The names of the deployments of runs, by id; those that exist no more are left out."""
    ids = {run.deployment_id for run in runs if run.deployment_id is not None}
    if not ids:
        return {}
    wanted = DeploymentFilter(id=DeploymentFilterId(any_=list(ids)))
    return {found.id: found.name for found in client.read_deployments(deployment_filter=wanted)}


def _told(run: FlowRun, deployment: str) -> Run:
    state: Literal["Crashed", "Failed", "Late"] = (
        "Late" if run.state_name == "Late" else "Crashed" if run.state_type is StateType.CRASHED else "Failed"
    )
    at = run.expected_start_time if state == "Late" else run.end_time
    by_rule = run.auto_scheduled or (run.created_by is not None and run.created_by.type in ("AUTOMATION", "SCHEDULE"))
    assert at is not None, "a run that ended has its time, and so has one that waits"
    message = (run.state.message or "") if run.state is not None else ""
    about = subject_of(deployment, run.parameters)
    return Run(str(run.id), about, run.name, state, at, "" if state == "Late" else message, not by_rule)
