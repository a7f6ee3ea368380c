"""`figurekeeper plan`: what a refresh or backfill would ask of the provider; part of the command line (cli).

Belongs here: the command's arguments and how the plan is printed. What stands in it is in estimate, for a backfill in
backfill_plan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from flows import output
from flows.output import Format


def plan(
    datasets: Annotated[list[str], typer.Argument(metavar="DATASET...", help="dataset ids")],
    first: Annotated[str | None, typer.Option("--from", metavar="PERIOD", help="first period")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="PERIOD", help="last period")] = None,
    vintages: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="World Bank: months YYYYMM:YYYYMM; OECD: days YYYY-MM-DD:YYYY-MM-DD"),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.TABLE,
) -> None:
    """What a refresh would ask at most, or with periods or vintages a backfill, and what it costs; nothing is sent."""
    from flows import backfill_plan, estimate, settings

    current, held = settings.load(), tuple[str, ...]()
    if first or last or vintages:
        made = backfill_plan.plan(current, datasets, first, last, vintages)
        requests, totals, held = made.requests, made.totals, made.held
    else:
        requests = estimate.rows(current, datasets)
        totals = estimate.totals(current, requests)
    if form is Format.JSON:
        output.tree({"requests": requests, "totals": totals}, form)
    elif form is Format.CSV:
        output.rows(requests, form)
    else:
        output.rows(list(estimate.told(requests)), form)
        output.rows(backfill_plan.cost_rows(totals), form)
        print("\n".join([*held, estimate.headline(requests, totals)]))


COMMANDS: tuple[Callable[..., None], ...] = (plan,)
