"""The command line: the same words as Python and the Prefect UI, over the same core.

Belongs here: arguments, exit codes and nothing else (0 done, 1 failed, 2 wrong use, 3 something was quarantined). Heavy imports
stand inside the commands, so that `values` and `--help` answer at once.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows import (
    alerts_command,
    backfill_command,
    batch_command,
    doctor,
    editors,
    export,
    keep,
    load,
    operate,
    output,
    papers,
    plan,
    site,
    targets,
    worker,
)
from flows.output import Format
from warehouse.errors import FigurekeeperError, UnknownBatch, UsageError

if TYPE_CHECKING:
    from flows.settings import Settings
    from warehouse.store import Warehouse

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keeps the numbers behind published figures fresh, checked and traceable.",
)

Series = Annotated[str, typer.Argument(help="dataset:key, such as worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS")]
SeriesList = Annotated[list[str], typer.Argument(metavar="SERIES...", help="dataset:key, one or several")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="as known on 2021, 2021-12 or 2021-12-31")]
Period = Annotated[str | None, typer.Option("--period", metavar="P|A:B", help="one period or a range")]
Edition = Annotated[
    str | None,
    typer.Option("--edition", help="number or id, for an answer that never changes: readings since then do not count"),
]
Form = Annotated[Format, typer.Option("--format", help="how to print")]
Reason = Annotated[str, typer.Option("--reason", help="why; kept in the audit trail")]
By = Annotated[str, typer.Option("--by", help="your name; kept in the audit trail")]
Batch = Annotated[str, typer.Argument(help="a batch id from `figurekeeper batches`")]


def main() -> None:
    """Entry point: typed errors become one clear line and an exit code."""
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.exit(1)
    except (UsageError, UnknownBatch) as error:
        print(f"figurekeeper: {error}", file=sys.stderr)
        sys.exit(2)
    except FigurekeeperError as error:
        print(f"figurekeeper: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("click", "typer"):
            raise
        show = getattr(error, "show", None)
        show() if show is not None else print(f"figurekeeper: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2))


def _settings() -> Settings:
    from flows import settings

    return settings.load()


def _warehouse() -> Warehouse:
    from warehouse.store import Warehouse

    settings = _settings()
    return Warehouse(**settings.place, create=False)


@app.command()
def refresh(
    datasets: Annotated[list[str], typer.Argument(metavar="DATASET...", help="dataset ids")],
    fault: Annotated[str | None, typer.Option(help="sandbox only: let the provider misbehave in this way")] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="sandbox only: ask as of the end of that day")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="read everything, even when the publisher's stamp is unmoved")
    ] = False,
) -> None:
    """One refresh without Prefect, for a shell or cron."""
    from flows import catalogue, pipeline

    settings, day = _settings(), _day(on)
    for dataset in datasets:
        catalogue.load_enabled(settings, dataset)
    pipeline.open_warehouse(settings)
    quarantined = failed = changed = False
    try:
        for dataset in datasets:
            try:
                outcomes = pipeline.refresh_all(
                    settings, dataset, fault=fault, on=day, full=full, actor="shell", note=_progress
                )
            except UsageError:
                raise
            except FigurekeeperError as error:
                failed = True
                print(f"figurekeeper: {error}", file=sys.stderr)
                outcomes = []
            for outcome in outcomes:
                quarantined = quarantined or outcome.decision.value == "quarantined"
                failed = failed or bool(outcome.unread)
                changed = changed or outcome.edition is not None or bool(outcome.incidents)
                output.tell(outcome)
        if changed or failed:
            pipeline.finish(settings)
    finally:
        output.deliver(settings)
    if failed or quarantined:
        raise typer.Exit(3 if quarantined else 1)


@app.command()
def values(
    series: SeriesList,
    as_of: AsOf = None,
    first: Annotated[bool, typer.Option("--first", help="the value first held of each period")] = False,
    edition: Edition = None,
    period: Period = None,
    form: Form = Format.TABLE,
) -> None:
    """Values of series: the latest, as known on a date, or as first held.

    With --edition every column, gap included, stays as it was when that edition was made; without it, readings since then
    that found nothing new count, too, and may close a gap.
    """
    from warehouse import questions

    warehouse = _warehouse()
    found = questions.values(warehouse, series, as_of=as_of, first=first, edition=edition, period=period)
    empty = "" if found else _why_empty(warehouse, series, edition)
    left_out = ("value_text", "next_known_from", "edition")
    output.rows(found, form, profile=warehouse.profile, leave_out=left_out, empty=empty)


@app.command()
def vintages(series: Series, period: Period = None, edition: Edition = None, form: Form = Format.TABLE) -> None:
    """Every vintage held of a series, with the value of a period in each."""
    from warehouse import questions

    warehouse = _warehouse()
    found = questions.vintages(warehouse, series, period=period, edition=edition)
    empty = "" if found else _why_empty(warehouse, [series], edition)
    left_out = ("series", "value_text", "edition", "stamp")
    output.rows(found, form, profile=warehouse.profile, leave_out=left_out, empty=empty)


@app.command()
def revisions(
    of: Annotated[str | None, typer.Argument(metavar="[DATASET|SERIES|BATCH]", help="all when left out")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="changes known from that day on")] = None,
    edition: Edition = None,
    limit: Annotated[int, typer.Option(min=1, help="how many are printed, newest first")] = 50,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE.csv", callback=targets.file, help="write all of them to a table"),
    ] = None,
    form: Form = Format.TABLE,
) -> None:
    """What changed between neighbouring vintages, newest first, with kind and cause; noise is left out."""
    from itertools import islice

    from flows import overview
    from warehouse import revisions as ask

    warehouse = _warehouse()
    found = ask.iter_revisions(warehouse, of, since=since, edition=edition, printed=overview.printed(_settings()))
    if to is not None:
        from warehouse.revision_pages import write_csv

        output.warn(warehouse.profile)
        print(f"{write_csv(to, found)} changes in {to}")
        return
    rows = list(islice(found, limit + 1))
    explained = ("explained_vintage", "explained_before", "numerator_share")
    left_out = ("part", "vintage", "before", *explained, "old_status", "new_status")
    output.rows(rows[:limit], form, profile=warehouse.profile, leave_out=left_out, empty="no revisions")
    if len(rows) > limit:
        print(f"and more: raise --limit above {limit}, or write them all with --to", file=sys.stderr)


@app.command()
def lineage(
    series: Series,
    period: Annotated[str, typer.Argument(help="one period, such as 2017")],
    as_of: AsOf = None,
    edition: Edition = None,
    form: Form = Format.TABLE,
) -> None:
    """From a number to the bytes and the request it came from."""
    from warehouse import lineage as ask

    warehouse = _warehouse()
    found = ask.lineage(warehouse, series, period, as_of=as_of, edition=edition)
    output.tree(found, form, profile=warehouse.profile)


@app.command(name="series")
def list_series(
    dataset: Annotated[str | None, typer.Argument(help="a dataset id; all when left out")] = None,
    form: Form = Format.TABLE,
) -> None:
    """Every series held: name, part, label, unit, first and last period."""
    from warehouse import questions

    warehouse = _warehouse()
    output.rows(questions.series(warehouse, dataset), form, profile=warehouse.profile)


@app.command()
def payload(sha256: Annotated[str, typer.Argument(help="a payload's sha256, as lineage prints it")]) -> None:
    """Print the exact bytes of one stored answer, checked against their hash."""
    sys.stdout.buffer.write(_warehouse().payloads.read(sha256))


@app.command()
def batches(
    dataset: Annotated[str | None, typer.Argument(help="a dataset id; all when left out")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 20,
    form: Form = Format.TABLE,
) -> None:
    """Refreshes and what became of them, newest first."""
    from warehouse import lineage as ask

    warehouse = _warehouse()
    found = ask.batches(warehouse, dataset, limit=limit)
    output.rows(found, form, profile=warehouse.profile, leave_out=("actor", "failed", "edition"))


@app.command()
def editions(
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 20, form: Form = Format.TABLE
) -> None:
    """Editions, newest first, with the id that a paper cites."""
    from warehouse import lineage as ask

    warehouse = _warehouse()
    found = ask.editions(warehouse, limit=limit)
    left_out = ("batch", "message", "status_changed")
    output.rows(found, form, profile=warehouse.profile, leave_out=left_out, empty="nothing is published yet")


@app.command()
def release(batch: Batch, reason: Reason = "", by: By = "") -> None:
    """Publish a quarantined batch after all."""
    _decide(batch, "release", reason, by)


@app.command()
def discard(batch: Batch, reason: Reason = "", by: By = "") -> None:
    """Drop a quarantined batch; the last good data stay."""
    _decide(batch, "discard", reason, by)


@app.command()
def void(batch: Batch, reason: Reason = "", by: By = "") -> None:
    """Take a published batch back; what was visible before it shows again."""
    _decide(batch, "void", reason, by)


@app.command()
def sandbox(port: Annotated[int, typer.Option(help="0: a free one")] = 0) -> None:
    """Run the stand-in of the three providers until interrupted."""
    from connectors.sandbox.__main__ import main as run

    run(["--port", str(port), *(["--facts", str(own)] if (own := _settings().datasets) else [])])


@app.command()
def triangle(
    series: Series,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE.svg", callback=targets.file, help="where to write the picture")
    ],
    period: Period = None,
    edition: Edition = None,
) -> None:
    """Draw period × vintage: which value of a series moved when."""
    from warehouse import revision_pages
    from warehouse.files import write_durably
    from warehouse.triangle import svg

    write_durably(to, svg(revision_pages.triangle(_warehouse(), series, period=period, edition=edition)).encode())
    print(to)


@app.command()
def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="let this host write from now on; only when the other is gone for good")
    ] = False,
    form: Form = Format.TABLE,
) -> None:
    """Keep the warehouse small and quick: compaction, old snapshots, files nobody names; no answer changes."""
    from warehouse import maintenance

    warehouse = _warehouse()
    if take_over:
        before = warehouse.take_over()
        print(f"written until now by {f'host {before}' if before else 'nobody'}", file=sys.stderr)
    report = maintenance.maintain(warehouse, dry_run=dry_run)
    output.rows(report.rows(), form, empty="nothing was due")
    print(report.headline, file=sys.stderr)
    for problem in report.problems:
        print(f"figurekeeper: {problem}", file=sys.stderr)
    if report.problems:
        raise typer.Exit(1)


for module in (
    plan,
    backfill_command,
    batch_command,
    load,
    papers,
    export,
    site,
    editors,
    alerts_command,
    doctor,
    keep,
    operate,
    worker,
):
    for command in module.COMMANDS:
        app.command()(command)


def _why_empty(warehouse: Warehouse, series: list[str], edition: str | None) -> str:
    from warehouse import questions

    later = questions.not_yet(warehouse, series, edition)
    since = ", ".join(f"{name} since edition {begun}" for name, begun in later.items())
    return "nothing is held for that question" + (f"; held is {since}" if since else "")


def _decide(batch: str, action: Any, reason: str, by: str) -> None:
    from flows import held, pipeline

    settings = _settings()
    output.tell(held.decide(settings, batch, action, reason=reason, by=by))
    pipeline.finish(settings)
    output.deliver(settings)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a day", next_step="write it as 2021-12-31") from None


def _progress(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
