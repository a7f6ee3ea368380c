"""The Prefect flow of a refresh: resolve settings, call the core, report, and end in a state that says what matters.

Does not belong here: how a refresh works (pipeline), retries (the connectors' transport has the only layer), wording of
artifacts (report). A refresh of one dataset is one task; a task a series would cost more than the refresh.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from prefect import flow, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateType
from prefect.concurrency.sync import concurrency
from prefect.logging.loggers import PrefectLogAdapter
from prefect.states import Completed, Failed

from flows import alerts, late, pipeline, quiet, report, settings
from flows.forms import NO_FAULT, RefreshForm
from flows.pipeline import Outcome
from warehouse.errors import FigurekeeperError
from warehouse.schema import Decision

quiet.install()


def core_note() -> Callable[[str], None]:
    """Where the core says what it does: the run's log, under a name by which server.core_messages finds it."""
    logger = cast(PrefectLogAdapter, get_run_logger())
    return cast(Callable[[str], None], logger.getChild("core").info)


def provider_limit(dataset: str) -> str:
    """The global concurrency limit a run on this dataset holds; created when the deployments are."""
    return f"figurekeeper-{dataset.split('.')[0]}"


@task(name="refresh-batch", task_run_name="{request.dataset}", cache_policy=NO_CACHE)
def refresh_batch(request: RefreshForm) -> list[Outcome]:
    """One refresh of the form's dataset, or one for each date of its facts; raises FigurekeeperError."""
    current, run_id = settings.load(), runtime.flow_run.id
    actor = "schedule" if "auto-scheduled" in runtime.flow_run.tags else "prefect"
    if request.walk:
        return pipeline.walk(current, request.dataset, note=core_note(), run_id=run_id)
    fault, full = None if request.fault == NO_FAULT else request.fault, request.full
    note = core_note()
    return pipeline.refresh_all(current, request.dataset, fault=fault, full=full, note=note, actor=actor, run_id=run_id)


def ending(outcomes: list[Outcome]) -> State[Any]:
    """The state the operator sees.

    A quarantine is of type FAILED, red and caught by every filter and automation on failures, because a person must
    act; its name says that the data failed, not the machinery. COMPLETED would hide it, and PAUSED offers a button
    "Resume" that decides nothing.
    """
    message = report.headline(outcomes)
    held = [outcome.batch_id for outcome in outcomes if outcome.decision is Decision.QUARANTINED]
    if held:
        next_step = (
            f"Next: read the artifact held-… of this run, then release or discard batch {held[-1]} in the form 'review'"
        )
        return State(type=StateType.FAILED, name="Quarantined", message=f"{message}. {next_step}")
    unread = sorted({part for outcome in outcomes for part in outcome.unread})
    if unread:
        return State(type=StateType.FAILED, name="PartlyFailed", message=message)
    return Completed(message=message)


@flow(
    name="refresh-dataset",
    flow_run_name="{request.dataset}",
    description="Asks the provider for one dataset; publishes what passed its checks, quarantines what did not.",
    on_running=[late.stand_in_for_missed],
)
def refresh_dataset(request: RefreshForm) -> State[Any]:
    """Refresh one dataset. Ends Completed (published or unchanged), Quarantined, or Failed with the next step."""
    done = ""
    try:
        with concurrency(provider_limit(request.dataset), strict=True):
            outcomes = refresh_batch(request)
        done = report.but(report.headline(outcomes))
        _tell(request.dataset, outcomes)
    except FigurekeeperError as error:
        alerts.announce(getattr(error, "incident", None))
        return Failed(message=f"{done}{error}")
    return ending(outcomes)


def _tell(dataset: str, outcomes: list[Outcome]) -> None:
    """Announce what opened or closed, publish the artifacts, and renew what stands around the warehouse."""
    for outcome in outcomes:
        for incident in outcome.incidents:
            alerts.announce(incident)
    current = settings.load()
    report.publish_refresh(current, dataset, outcomes)
    if any(outcome.edition is not None for outcome in outcomes):
        pipeline.finish(current)
