"""`figurekeeper acknowledge`: a person's word on an incident that does not end by itself; part of the command line (cli).

Belongs here: arguments, and what is said in the end. What the word does is in held; when such incidents open is in verdict_step
(changed verdicts), run_incidents and down (runs, and parts of the service).
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
    """Close an incident with a word: verdicts that new data changed, or a run that failed and that nobody will repeat."""
    from flows import held, output, pipeline, settings

    current = settings.load()
    closed = held.take_note(current, incident, reason=reason, by=by)
    print(f"incident {closed.id} of {closed.dataset}: {closed.text}")
    try:
        pipeline.finish(current)
    finally:
        output.deliver(current)


COMMANDS: tuple[Callable[..., None], ...] = (acknowledge,)
