"""The Prefect flows by which a person decides, from a form: on a batch (release, discard, void), or on an editor's incident.

Does not belong here: what a decision does to the warehouse (held, publish), how it is told (report), or the command line's way to
it (cli, editors).
"""

from __future__ import annotations

from typing import Any

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import alerts, held, pipeline, quiet, report, settings
from flows.forms import AcknowledgeForm, ReviewForm
from flows.refresh import core_note
from warehouse.errors import FigurekeeperError

quiet.install()


@flow(
    name="review",
    flow_run_name="{request.decision} {request.batch}",
    description="A person's decision on a batch: release a quarantined one, discard it, or void a published one.",
)
def review(request: ReviewForm) -> State[Any]:
    """Record and carry out the decision; the audit row keeps this flow run's id. Failed, with the reason and the batches that
    could be meant, when it cannot be taken (unknown batch, or not in a state for it)."""
    current, done = settings.load(), ""
    try:
        outcome = held.decide(
            current,
            request.batch,
            request.decision,
            reason=request.reason,
            by=request.by,
            run_id=runtime.flow_run.id,
            note=core_note(),
        )
        done = report.but(outcome.message)
        for incident in outcome.incidents:
            alerts.announce(incident)
        report.publish_review(current, outcome, request.by, request.reason)
        pipeline.finish(current)
    except FigurekeeperError as error:
        return Failed(message=f"{done}{error}")
    return Completed(message=outcome.message)


@flow(
    name="acknowledge",
    flow_run_name="incident {request.incident}",
    description="A person has taken note of changed verdicts, or of a run that nobody repeats; the incident closes.",
)
def acknowledge(request: AcknowledgeForm) -> State[Any]:
    """Close the incident on her word. Failed, with the next step, for an unknown one, or one that ends with its cause alone."""
    current, done = settings.load(), ""
    try:
        closed = held.take_note(current, request.incident, reason=request.reason, by=request.by)
        done = report.but(closed.text)
        alerts.announce(closed)
        report.publish_acknowledgement(closed)
        pipeline.finish(current)
    except FigurekeeperError as error:
        return Failed(message=f"{done}{error}")
    return Completed(message=closed.text)
