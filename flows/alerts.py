"""Telling people: an incident of the core becomes one Prefect event, and an event one delivered notice.

Belongs here: the events' names and shape, and the flow that automations.yaml starts on them. Does not belong here: when
an incident opens or closes (warehouse.incidents) and how a notice is delivered (notices); those work without a server, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

from flows import notices, quiet, settings

if TYPE_CHECKING:
    from prefect.events import Event

    from flows.pipeline import IncidentChange

quiet.install()


def announce(incident: IncidentChange | None) -> Event | None:
    """Emit `figurekeeper.incident.opened` or `.closed` for what it is about (a dataset, a provider, a deployment, a part
    of the service); nothing when nothing changed."""
    if incident is None:
        return None
    return emit_event(
        f"figurekeeper.incident.{incident.transition}",
        resource={
            "prefect.resource.id": f"figurekeeper.subject.{incident.dataset}",
            "prefect.resource.name": incident.dataset,
        },
        payload={"incident": str(incident.id), "kind": incident.kind, "title": incident.title, "text": incident.text},
    )


@flow(
    name="deliver-notice",
    flow_run_name="incident {incident}",
    description="Tells people of incidents, by every channel that the settings name.",
)
def deliver_notice(incident: str = "all pending") -> State[Any]:
    """Deliver every notice still owed, each once; `incident` says which event asked for it.

    All that is owed goes out, not this incident's alone: so a notice whose event was lost leaves with the next one. A
    channel that refuses ends the run Failed; its notice stays owed and the others go out. A process that dies after a channel
    took a notice, and before that was recorded, tells it again, with the same key.
    """
    told, refused = notices.deliver_pending(settings.load())
    remarks = (
        f"{notice.title} ({notice.channel}{', but ' if notice.remark else ''}{notice.remark})" for notice in told
    )
    delivered = f"delivered: {'; '.join(remarks) or 'nothing was owed'}"
    if refused:
        return Failed(message="; ".join((*map(str, refused), delivered)))
    return Completed(message=delivered)
