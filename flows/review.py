"""The Prefect flow by which a person releases, discards or voids a batch, from a form.

Does not belong here: what a decision does to the warehouse (pipeline, publish), or the command line's way to it (cli).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from sqlalchemy import select

from flows import alerts, pipeline, report, settings
from flows.forms import ReviewForm
from flows.settings import Settings
from warehouse import ledger
from warehouse.errors import FigurekeeperError
from warehouse.schema import CheckResult, Severity


def held_against(current: Settings, batch: str) -> list[CheckResult]:
    """The checks that failed in a batch and are not on the acceptance list, as the gate recorded them."""
    columns = ledger.check_results.c
    query = select(ledger.check_results).where(columns.batch_id == batch, columns.success.is_(False))
    with pipeline.open_warehouse(current, create=False).engine.connect() as connection:
        rows = connection.execute(query.where(columns.accepted.is_(None)).order_by(columns.number)).mappings().all()
    known = [field.name for field in fields(CheckResult)]
    return [
        CheckResult(**{name: row[name] for name in known} | {"severity": Severity(row["severity"])}) for row in rows
    ]


@flow(
    name="review",
    flow_run_name="{request.decision} {request.batch}",
    description="A person's decision on a batch: release a quarantined one, discard it, or void a published one.",
)
def review(request: ReviewForm) -> State[Any]:
    """Record and carry out the decision; the audit row keeps this flow run's id. Failed, with the reason, when it
    cannot be taken (unknown batch, or not in a state for it)."""
    current = settings.load()
    try:
        outcome = pipeline.decide(
            current,
            request.batch,
            request.decision,
            reason=request.reason,
            by=request.by,
            run_id=runtime.flow_run.id,
        )
    except FigurekeeperError as error:
        return Failed(message=str(error))
    for incident in outcome.incidents:
        alerts.announce(incident)
    report.publish_review(outcome, held_against(current, request.batch), request.decision, request.by, request.reason)
    pipeline.finish(current)
    return Completed(message=outcome.message)
