"""`figurekeeper backfill`: old periods or old vintages from a shell, in the words of the form; part of the command line (cli).

Belongs here: the command's arguments, its progress and its end. What a backfill is stands in backfills.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows import output

if TYPE_CHECKING:
    from flows.backfills import Progress


def backfill(
    datasets: Annotated[list[str], typer.Argument(metavar="DATASET...", help="dataset ids")],
    first: Annotated[str | None, typer.Option("--from", metavar="PERIOD", help="first period")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="PERIOD", help="last period")] = None,
    vintages: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="World Bank: months YYYYMM:YYYYMM; OECD: days YYYY-MM-DD:YYYY-MM-DD"),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="why; kept in the record of every batch")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="only say what would be asked, and what it costs")] = False,
) -> None:
    """Ask for old periods or old vintages; run again after a stop, it goes on where it was."""
    from flows import backfill_plan, backfills, estimate, pipeline, settings

    current = settings.load()
    if not plan:
        backfills.check(current, datasets, reason=reason)
    made = backfill_plan.plan(current, datasets, first, last, vintages)
    print("\n".join(filter(None, [made.headline, *made.held, made.duration])), file=sys.stdout if plan else sys.stderr)
    if plan:
        return
    found = []
    for dataset in datasets:
        ask = estimate.ask_of(dataset.split(".")[0], first, last, vintages)
        with _stopping(), _bar() as report:
            found.append(backfills.run(current, dataset, ask, reason=reason, note=_say, report=report))
    pipeline.finish(current)
    output.deliver(current)
    stopped = [done for done in found if done.error is not None]
    for done in stopped:
        print(f"figurekeeper: {done.message}", file=sys.stderr)
    quarantined = any(outcome.decision.value == "quarantined" for done in found for outcome in done.outcomes)
    if stopped or quarantined:
        raise typer.Exit(1 if stopped else 3)


COMMANDS: tuple[Callable[..., None], ...] = (backfill,)


def _say(text: str) -> None:
    print(text)


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM ends the batch as Ctrl-C does: with its record written and its lease given back."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        print(
            "figurekeeper: stopped; nothing half done is visible. Next: run the same command again, it goes on where it was",
            file=sys.stderr,
        )
        raise typer.Exit(1) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda progress: bars.update(task, completed=progress.share, description=progress.text)
