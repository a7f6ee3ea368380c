"""`figurekeeper alerts`: which channels notices go to, what they are owed, and whether they work; part of the command line (cli).

Belongs here: arguments, and what is said in the end. Channels and deliveries are in notices.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from flows import output
from flows.output import Format


class Action(StrEnum):
    """What to do with the channels."""

    LIST = "list"
    TEST = "test"


def alerts(
    action: Annotated[
        Action, typer.Argument(help="list the channels and what they are owed, or test them")
    ] = Action.LIST,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="with test: this channel alone")] = None,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.TABLE,
) -> None:
    """The channels of notices and what they are owed; `alerts test` sends each a marked test notice.

    Exit status 0: every channel took it; 1: one refused, and what it said is told. Nothing of a test is recorded.
    """
    from flows import notices, settings
    from warehouse.errors import UsageError

    current = settings.load()
    if action is Action.LIST:
        if channel is not None:
            raise UsageError("--channel goes with test", next_step="leave it out, or write `figurekeeper alerts test`")
        output.rows(notices.standing(current), form)
        return
    rows = notices.trial(current, channel)
    output.rows(rows, form)
    if any(row["result"] == "refused" for row in rows):
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (alerts,)
