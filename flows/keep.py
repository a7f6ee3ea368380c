"""Commands that keep a warehouse for long: replay, backup, restore, upgrade; part of the command line (cli).

Belongs here: arguments, progress and what is said in the end. What happens is in warehouse/ (replay, backup, upgrade) and, for
the parsing, in flows/rebuild.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows import targets
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from flows.settings import Settings
    from warehouse.replay import Replayed

_SHOWN = 20


def replay(
    into: Annotated[
        Path,
        typer.Option(
            "--into", metavar="DIR", callback=targets.folder, help="the home in which a new warehouse is made"
        ),
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="compare the new warehouse with this one, row by row")
    ] = False,
) -> None:
    """Make the warehouse anew in another home, from its journal and payloads alone; offline, with the same ids."""
    from flows.rebuild import ArchiveParsers
    from warehouse import rebuild

    settings = _settings()
    with _bar("replaying") as progress:
        done = rebuild.into_home(settings.storage, into, settings.profile, ArchiveParsers(), progress=progress)
    _say(done, into / settings.profile)
    if verify:
        _verify(settings, into)


def backup(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", callback=targets.folder, help="where the back-up lies")],
) -> None:
    """Bring a back-up of journal and payloads up to date; all else is made anew from them. Refreshes may be running."""
    from warehouse import backup as store
    from warehouse import publish
    from warehouse.store import Warehouse

    settings = _settings()
    warehouse = Warehouse(**settings.place, create=False)
    publish.flush(warehouse)
    with _bar("copying") as progress:
        copied = store.backup(warehouse, to, progress=progress)
    print(
        f"{copied.entries} journal entries; {copied.new} new files of {copied.held}, each checked, in {to / settings.profile}"
    )


def restore(
    source: Annotated[Path, typer.Option("--from", metavar="DIR", help="what was given to `backup --to`")],
) -> None:
    """Make the warehouse of this home anew from a back-up. Nothing may be there yet but what a restore, cut off, left."""
    from flows.rebuild import ArchiveParsers
    from warehouse import backup as store
    from warehouse import rebuild
    from warehouse.store import Warehouse

    settings = _settings()
    held, parsers = store.opened(source, settings.profile), ArchiveParsers()
    with _bar("restoring") as progress:
        if settings.catalog_uri is None:
            done = rebuild.into_home(held, settings.home, settings.profile, parsers, progress=progress)
        else:
            done = rebuild.into_server(held, Warehouse(**settings.place, unfinished=True), parsers, progress=progress)
    _say(done, settings.root)


def upgrade(
    accept: Annotated[
        bool, typer.Option("--accept", help="also when some answers change; they are listed first")
    ] = False,
) -> None:
    """Bring a warehouse of an older version to this one; the old folder stays beside it as a back-up."""
    from flows.rebuild import ArchiveParsers
    from warehouse import upgrade as store

    settings = _settings()
    if settings.catalog_uri is not None:
        raise UsageError(
            "`upgrade` is for folders; this warehouse has its catalogue on a server",
            next_step="with the Figurekeeper version that wrote it: `figurekeeper backup`; with this one: `figurekeeper "
            "restore` into an empty catalogue and bucket",
        )
    if store.up_to_date(settings.home, settings.profile):
        print(f"{settings.root} is up to date; nothing was done")
        return
    with _bar("upgrading") as progress:
        done = store.upgrade(settings.home, settings.profile, ArchiveParsers(), accept=accept, progress=progress)
    _say(done.replayed, settings.root)
    for row in done.changed:
        print(f"changed: {row['dataset']} {row['part']} as of {row['as_of']}: {row['before']} → {row['after']}")
    for batch, part in done.replayed.kept_back:
        print(
            f"kept back: part {part} of batch {batch} proves an earlier date; run that backfill again to let it count"
        )
    for batch in done.unfinished:
        print(f"left out, since it had not ended: batch {batch}; run that refresh again")
    print(f"The old folder stays in {done.old_folder}; remove it when you no longer want it.")


COMMANDS: tuple[Callable[..., None], ...] = (replay, backup, restore, upgrade)


def _settings() -> Settings:
    from flows import settings

    return settings.load()


def _verify(settings: Settings, into: Path) -> None:
    from warehouse.sameness import differences
    from warehouse.store import Warehouse

    here, there = Warehouse(**settings.place, create=False), Warehouse(into, settings.profile, create=False)
    found = list(differences(here, there))
    for difference in found[:_SHOWN]:
        print(difference, file=sys.stderr)
    if found:
        print(f"figurekeeper: {len(found)} differences; keep both and report this", file=sys.stderr)
        raise typer.Exit(1)
    print("verified: the new warehouse is the same, table by table")


def _say(done: Replayed, place: Path) -> None:
    print(
        f"{done.batches} batches with {done.readings} readings of {done.observations:,} observations were carried out "
        f"again: {done.editions} editions in {place}"
    )


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
