"""The Prefect flow that plans a backfill and, when told to, runs it: old periods, or old vintages of an archive.

Does not belong here: what a backfill is and how it goes on after a stop (backfills), how a plan reads (backfill_plan). Mode
`plan`, the form's default, asks nothing of a provider. What cannot be meant ends the run before anything is asked, since the UI
checks fields one by one only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from prefect import flow, runtime, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateType
from prefect.concurrency.sync import concurrency
from prefect.states import Completed, Failed

from connectors.contract import Ask
from flows import alerts, backfill_plan, backfills, estimate, links, pipeline, quiet, report, settings
from flows.backfills import Backfilled, Progress
from flows.forms import BackfillForm
from flows.markdown import slug
from flows.refresh import core_note, ending, provider_limit
from warehouse.errors import FigurekeeperError, UsageError

quiet.install()

#: Seconds between two updates of a progress bar.
_PAUSE = 1.0


def ask_of(request: BackfillForm, dataset: str) -> Ask:
    """What the form wants of a dataset, in the connectors' words; raises UsageError for a span that is not of its kind."""
    first, last = request.period_from or None, request.period_to or None
    return estimate.ask_of(dataset.split(".")[0], first, last, request.span)


class ProgressBar:
    """The progress of one dataset as an artifact; updated at every chunk, and once a second at the most in between."""

    def __init__(self, dataset: str) -> None:
        self._key = f"backfill-progress-{slug(dataset)}"
        self._artifact: UUID | None = None
        self._chunk, self._next, self._percent = 0, 0.0, 0.0

    def show(self, progress: Progress) -> None:
        """Bring the artifact up to date."""
        now = time.monotonic()
        if progress.chunk == self._chunk and now < self._next:
            return
        self._chunk, self._next = progress.chunk, now + _PAUSE
        self._put(100 * progress.share, progress.text)

    def end(self, done: Backfilled) -> None:
        """All is done, or it is said why not."""
        if done.error is None:
            self._put(100.0, f"{done.dataset}: done, {len(done.outcomes)} batches")
        else:
            self._put(self._percent, done.message)

    def _put(self, percent: float, text: str) -> None:
        self._percent = percent
        if self._artifact is None:
            self._artifact = cast(UUID, create_progress_artifact(percent, key=self._key, description=text))
        else:
            update_progress_artifact(self._artifact, progress=percent, description=text)


@task(name="backfill-dataset", task_run_name="{dataset}", cache_policy=NO_CACHE, persist_result=False)
def backfill_dataset(dataset: str, ask: Ask, reason: str) -> Backfilled:
    """One batch with the asked periods, or one for each vintage of the archive. Raises UsageError."""
    bar = ProgressBar(dataset)
    with concurrency(provider_limit(dataset), strict=True):
        done = backfills.run(
            settings.load(),
            dataset,
            ask,
            reason=reason,
            note=core_note(),
            report=bar.show,
            run_id=str(runtime.flow_run.id),
        )
    bar.end(done)
    return done


@flow(
    name="backfill",
    flow_run_name="{request.mode} a backfill",
    description="Old periods or old vintages: shows what it would ask and cost, and asks only in mode run.",
)
def backfill(request: BackfillForm) -> State[Any]:
    """Plan a backfill, or run it. Ends Failed with the next step when something is wrong, `Unfinished` when it goes on later."""
    current, found = settings.load(), list[Backfilled]()
    try:
        if request.mode == "run":
            backfills.check(current, request.datasets, reason=request.reason)
        headline = _show_plan(request)
        if request.mode == "plan":
            return Completed(message=f"{headline}; nothing was asked. The artifact backfill-plan says what to do next.")
        for dataset in request.datasets:
            found.append(backfill_dataset(dataset, ask_of(request, dataset), request.reason))
            _tell(current, found[-1])
        pipeline.finish(current)
    except FigurekeeperError as error:
        outcomes = [outcome for done in found for outcome in done.outcomes]
        return Failed(message=f"{report.but(report.headline(outcomes)) if outcomes else ''}{error}")
    return conclusion(found)


def _show_plan(request: BackfillForm) -> str:
    """Publish the plan: cost, time and next step on a page, every request in a table. Raises UsageError."""
    if request.vintage_to and not request.vintage_from:
        raise UsageError(
            "the span of vintages has a last one and no first",
            next_step="fill in First archived vintage, or empty Last archived vintage, and run the form again",
        )
    current = settings.load()
    first, last = request.period_from or None, request.period_to or None
    made = backfill_plan.plan(current, request.datasets, first, last, request.span)
    headline = f"{', '.join(request.datasets)}: {made.headline}"
    form = links.of(current).form("backfill", request.filled_to_run)
    page = backfill_plan.page(made, running=request.mode == "run", reason=request.reason, form=form)
    create_markdown_artifact(page, key="backfill-plan", description=headline)
    rows = list(estimate.told(made.requests))
    create_table_artifact(rows, key="backfill-requests", description=f"{len(rows)} first requests")
    return headline


def _tell(current: settings.Settings, done: Backfilled) -> None:
    """Announce what opened or closed, and publish the artifacts."""
    for incident in (one for outcome in done.outcomes for one in outcome.incidents):
        alerts.announce(incident)
    alerts.announce(getattr(done.error, "incident", None))
    report.publish_refresh(current, done.dataset, done.outcomes)


def conclusion(found: Sequence[Backfilled]) -> State[Any]:
    """The state the operator sees. What only waits for a quota is red, too, as it is not done, and its name says that nothing
    is wrong."""
    stopped = [done for done in found if done.error is not None]
    outcomes = [outcome for done in found for outcome in done.outcomes]
    if not stopped:
        return ending(outcomes)
    message = ". ".join([*(done.message for done in stopped), *([report.headline(outcomes)] if outcomes else [])])
    if all(done.waits for done in stopped):
        return State(type=StateType.FAILED, name="Unfinished", message=message)
    return Failed(message=message)
