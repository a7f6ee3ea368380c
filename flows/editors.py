"""`figurekeeper acknowledge`: an editor's word on an incident over changed verdicts; part of the command line (cli).

Belongs here: arguments, and what is said in the end. When such an incident opens, and when it closes by itself, is in
flows/verdict_step.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer


def acknowledge(
    incident: Annotated[int, typer.Argument(help="its number, from `figurekeeper status` or the notice")],
    reason: Annotated[str, typer.Option("--reason", help="what comes of it; kept in the audit trail")],
    by: Annotated[str, typer.Option("--by", help="your name; kept in the audit trail")],
) -> None:
    """An editor has taken note of verdicts that new data changed: close that incident."""
    from flows import output, pipeline, settings
    from warehouse import incidents, publish

    current = settings.load()
    warehouse = pipeline.open_warehouse(current, create=False)
    closed = incidents.acknowledge(warehouse, incident, reason=reason, by=by)
    publish.flush(warehouse)
    print(f"incident {closed.id} of {closed.dataset}: {closed.text}")
    try:
        pipeline.finish(current)
    finally:
        output.deliver(current)


COMMANDS: tuple[Callable[..., None], ...] = (acknowledge,)
