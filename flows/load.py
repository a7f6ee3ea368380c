"""`figurekeeper load`: stored messages as old vintages of a dataset; part of the command line (cli).

Belongs here: the command's arguments and what is said in the end. What happens is in pipeline and connectors/stored.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows import output
from warehouse.errors import FigurekeeperError


class Word(StrEnum):
    """On whose word a date is given."""

    PUBLISHER = "publisher"
    CARRIED = "carried"


def load(
    dataset: Annotated[str, typer.Argument(help="a dataset id")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="messages or downloads; .gz is unpacked")],
    reason: Annotated[str, typer.Option("--reason", help="where they come from; kept in the audit trail")] = "",
    published: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="when they were published, 2021, 2021-12 or 2021-12-31; else what they say"),
    ] = None,
    basis: Annotated[Word, typer.Option(help="who says so: the publisher, or somebody else")] = Word.CARRIED,
    part: Annotated[list[str] | None, typer.Option(metavar="PART", help="only this part; several may be named")] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="they hold all that the publisher had: what is absent was withdrawn")
    ] = False,
) -> None:
    """Take stored messages or downloads of a provider in as old vintages of a dataset."""
    from connectors.stored import Loading
    from flows import catalogue, pipeline, settings
    from warehouse.clock import stated_stamp
    from warehouse.schema import Basis

    current = settings.load()
    timezone = catalogue.load(current, dataset).publisher_timezone
    # A publisher's date of data that are loaded late is that of an archive.
    word = Basis.ARCHIVE if basis is Word.PUBLISHER else Basis.CARRIED
    stamp = stated_stamp(published, timezone, word) if published is not None else None
    loading = Loading(stamp, tuple(part) if part else None, complete)
    try:
        outcomes = pipeline.load(
            current, dataset, files, loading, reason=reason, note=lambda text: print(text, file=sys.stderr)
        )
    except FigurekeeperError as error:
        if error.incident is not None:
            output.deliver(current)
        raise
    for outcome in outcomes:
        output.tell(outcome)
    try:
        pipeline.finish(current)
    finally:
        output.deliver(current)
    if any(outcome.decision.value == "quarantined" for outcome in outcomes):
        raise typer.Exit(3)


COMMANDS: tuple[Callable[..., None], ...] = (load,)
