"""The Prefect flow that watches: every quarter of an hour, and at once when the automations say that a run ended badly.

Does not belong here: what needs a person (conditions, run_incidents), or what the server knows of runs (runs).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

from flows import alerts, conditions, late, markdown, notices, quiet, run_incidents, runs, settings
from flows.settings import Settings
from warehouse import clock, lineage
from warehouse.errors import FigurekeeperError, NoWarehouse
from warehouse.schema import IncidentChange
from warehouse.store import Warehouse

quiet.install()

#: What the automation `silence` waits for.
WATCHED = "figurekeeper.watched"
#: Whose runs are many, and soon forgotten.
_MANY = ("watch", "deliver-notice")
_COLUMNS = ("id", "kind", "dataset", "severity", "title", "opened_at", "occurrences")


def page(changes: list[IncidentChange], standing: list[dict[str, Any]]) -> str:
    """What is open and what this look changed, as markdown."""
    opened = [{name: row[name] for name in _COLUMNS} for row in standing]
    changed = [{"transition": change.transition, "title": change.title} for change in changes]
    return "\n\n".join(
        [
            f"## {len(standing)} open incidents" if standing else "## Nothing needs a person",
            markdown.table(opened) or "No incident is open.",
            "### Changed by this look",
            markdown.table(changed) or "Nothing.",
        ]
    )


def _look(current: Settings, now: datetime) -> list[IncidentChange]:
    """What data, providers and runs show."""
    changes = conditions.look(current, now=now)
    bad = runs.bad(now)
    good = runs.newest_good(run_incidents.troubled(current) | {run.subject for run in bad})
    return changes + run_incidents.look(current, bad, good)


@flow(
    name="watch",
    description="Looks for what needs a person though no refresh says so: data that grow old, used-up quotas, runs that died "
    "or are not started. Asks no provider.",
    on_running=[late.stand_in_for_missed],
)
def watch() -> State[Any]:
    """Open and close incidents, deliver the notices that are owed, publish what was seen. Ends Failed when a channel refuses."""
    current, now = settings.load(), clock.now()
    try:
        _, refused = notices.deliver_pending(current)  # what is owed does not wait for a look that may fail
        changes = _look(current, now)
    except NoWarehouse:
        return Completed(message="nothing was ever refreshed here; there is nothing to watch yet")
    except FigurekeeperError as error:
        return Failed(message=str(error))
    for change in changes:
        alerts.announce(change)
    if changes:
        _, refused = notices.deliver_pending(current)
    standing = lineage.open_incidents(Warehouse(**current.place, create=False))
    create_markdown_artifact(page(changes, standing), key="watch", description=f"{len(standing)} open incidents")
    emit_event(
        WATCHED, resource={"prefect.resource.id": "figurekeeper.service", "prefect.resource.name": "figurekeeper"}
    )
    runs.forget_old(_MANY, now)
    if refused:
        return Failed(message="; ".join(str(error) for error in refused))
    told = "; ".join(f"{change.transition}: {change.title}" for change in changes)
    return Completed(message=f"{len(standing)} open incidents. {told or 'Nothing has changed.'}")
