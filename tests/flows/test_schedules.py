"""What becomes of runs that collide, that were missed, or whose slot nobody holds any more; on the session's service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Scheduled

from flows import late, server
from flows.service import FLOW, Service

pytestmark = pytest.mark.prefect

DATASET = "oecd.gerd"
REFRESH = f"{FLOW}/{DATASET}"


def ended(runs: list[UUID], eventually: Callable[..., Any]) -> list[FlowRun]:
    """The runs, once all of them have ended."""

    def all_of_them() -> list[FlowRun]:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=runs)))
        return found if len(found) == len(runs) and all(run.state and run.state.is_final() for run in found) else []

    found: list[FlowRun] = eventually(all_of_them, seconds=120)
    assert found, "not all runs ended"
    return found


def names(runs: list[FlowRun]) -> Counter[str]:
    return Counter(str(run.state_name) for run in runs)


def missed(days: int) -> UUID:
    """A run as the scheduler makes it, which was due so many days ago."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(REFRESH)
        due: State[Any] = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(days=days))
        return client.create_flow_run_from_deployment(found.id, state=due, tags=[late.SCHEDULED]).id


@contextmanager
def nothing_taken() -> Iterator[None]:
    """No worker takes a poll meanwhile."""
    with get_client(sync_client=True) as client:
        queue = client.read_work_queue_by_name("default", work_pool_name=server.POOL)
        client.update_work_queue(queue.id, is_paused=True)
        try:
            yield
        finally:
            client.update_work_queue(queue.id, is_paused=False)


def test_a_poll_that_meets_a_running_one_is_called_off(service: Service, eventually: Callable[..., Any]) -> None:
    runs = [server.start_run(REFRESH, {"request": {"dataset": DATASET}}) for _ in range(3)]
    found = ended(runs, eventually)
    assert names(found) == {"Completed": 1, "Cancelled": 2}
    [why] = {run.state.message for run in found if run.state and run.state.is_cancelled()}
    assert why == "Deployment concurrency limit reached."


def test_backfills_wait_for_each_other(service: Service, eventually: Callable[..., Any]) -> None:
    form = {"datasets": ["worldbank.wdi"], "period_from": "2015", "period_to": "2016"}
    found = ended([server.start_run("backfill/backfill", {"request": form}) for _ in range(2)], eventually)
    assert names(found) == {"Completed": 2}
    first, second = sorted(found, key=lambda run: str(run.start_time))
    assert first.end_time is not None
    assert second.start_time is not None
    assert first.end_time <= second.start_time


def test_of_seven_missed_polls_one_runs_with_the_worker_alive(service: Service, eventually: Callable[..., Any]) -> None:
    with nothing_taken():  # all are overdue when the worker looks
        runs = [missed(days) for days in range(7, 0, -1)]
    found = ended(runs, eventually)
    assert names(found)["Completed"] == 1
    assert names(found)["Cancelled"] + names(found)["Skipped"] == 6


def test_of_seven_missed_polls_the_newest_is_left_before_a_worker_starts(
    service: Service, eventually: Callable[..., Any]
) -> None:
    with nothing_taken():
        runs = [missed(days) for days in range(7, 0, -1)]
        assert late.skip_missed() == 6
    found = ended(runs, eventually)
    assert names(found) == {"Completed": 1, "Skipped": 6}
    assert next(run for run in found if run.state_name == "Completed").id == runs[-1]


def test_a_slot_that_nobody_holds_is_freed_when_nothing_runs(service: Service, eventually: Callable[..., Any]) -> None:
    limit = "figurekeeper-nbs"
    with get_client(sync_client=True) as client:
        client.update_global_concurrency_limit(limit, GlobalConcurrencyLimitUpdate(active_slots=1))
        assert eventually(lambda: limit in server.free_slots())
        assert client.read_global_concurrency_limit_by_name(limit).active_slots == 0
