"""The Prefect flow that plans a backfill and, when told to, runs it: old periods, or old vintages of an archive.

Does not belong here: what a request costs (connectors) or how a partial read is completed (warehouse). Mode
`plan`, the form's default, asks nothing of a provider.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.states import Completed, Failed

from connectors.contract import Ask
from flows import alerts, estimate, pipeline, report, settings
from flows.forms import BackfillForm
from flows.pipeline import Outcome
from flows.refresh import core_note, ending, provider_limit
from warehouse.errors import FigurekeeperError, UsageError


def ask_of(request: BackfillForm, dataset: str) -> Ask:
    """What the form wants of a dataset, in the connectors' words; raises UsageError for a span that is not of its kind."""
    first, last = request.period_from or None, request.period_to or None
    return estimate.ask_of(dataset.split(".")[0], first, last, request.span)


@task(name="backfill-dataset", task_run_name="{dataset}", cache_policy=NO_CACHE)
def backfill_dataset(dataset: str, ask: Ask, reason: str) -> list[Outcome]:
    """One batch with the asked periods, or one for each vintage of the archive; raises FigurekeeperError."""
    with concurrency(provider_limit(dataset), strict=True):
        return pipeline.backfill(
            settings.load(), dataset, ask, reason=reason, note=core_note(), run_id=runtime.flow_run.id
        )


@flow(
    name="backfill",
    flow_run_name="{request.mode} a backfill",
    description="Old periods or old vintages: shows what it would ask and cost, and asks only in mode run.",
)
def backfill(request: BackfillForm) -> State[Any]:
    """Plan a backfill, or run it. Ends Failed with the error's next step when a provider fails."""
    try:
        first, last = request.period_from or None, request.period_to or None
        rows = estimate.rows(settings.load(), request.datasets, first, last, request.span)
        totals = estimate.totals(settings.load(), rows)
        text = f"{', '.join(request.datasets)}: {estimate.headline(rows, totals)}"
        report.publish_plan(list(estimate.told(rows)), totals, text)
        if request.mode == "plan":
            return Completed(message=f"{text}; nothing was asked. Run the form again with mode run to ask.")
        return _run(request)
    except FigurekeeperError as error:
        alerts.announce(getattr(error, "incident", None))
        return Failed(message=str(error))


def _run(request: BackfillForm) -> State[Any]:
    if not request.reason:
        raise UsageError("a backfill needs a reason", next_step="fill in the field Reason and run the form again")
    current, outcomes = settings.load(), list[Outcome]()
    for dataset in request.datasets:
        loaded = backfill_dataset(dataset, ask_of(request, dataset), request.reason)
        for outcome in loaded:
            for incident in outcome.incidents:
                alerts.announce(incident)
        report.publish_refresh(dataset, current.profile, loaded)
        outcomes += loaded
    pipeline.finish(current)
    return ending(outcomes)
