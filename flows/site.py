"""`figurekeeper pages`: the static site of the papers, and its renewal after each run; part of the command line (cli).

Belongs here: arguments, the lease under which the pages beside a warehouse are renewed. What the pages are is in
warehouse/papers/site.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows import targets

if TYPE_CHECKING:
    from flows.settings import Settings
    from warehouse.papers.asking import Answers
    from warehouse.papers.catalogue import Catalogue
    from warehouse.store import Warehouse


def pages(
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", callback=targets.folder, help="where en/ and zh/ are to lie")
    ],
    edition: Annotated[
        str | None, typer.Option("--edition", help="number or id of an edition; else the newest")
    ] = None,
) -> None:
    """Write the site of the papers, in English and Chinese: no server, no script and no outside request is needed."""
    from flows import settings
    from warehouse.papers import asking, catalogue, site
    from warehouse.store import Warehouse

    current = settings.load()
    known = asking.shared(catalogue.load(current.papers))
    warehouse = Warehouse(**current.place, create=False)
    with warehouse.lease(_lease(warehouse)):  # what was drawn is kept for all
        written = site.write(warehouse, to, edition=edition, catalogue=known)
    print(f"{len(written)} files written; begin with {to / 'en' / 'index.html'} or {to / 'zh' / 'index.html'}")


def renew(settings: Settings, warehouse: Warehouse, papers: Catalogue, answers: Answers) -> None:
    """Bring the pages beside a warehouse to its newest edition; of several runs that end together one does it for all.

    `answers`: what was found for these papers just now.
    """
    if not settings.pages:
        return
    from warehouse.papers import site

    with warehouse.lease(_lease(warehouse)):
        site.write(warehouse, warehouse.root / "pages", catalogue=papers, answers=answers)


def _lease(warehouse: Warehouse) -> str:
    """Each host has pages and drawings of its own, and waits for nobody else's."""
    return f"pages of {warehouse.host}"


COMMANDS: tuple[Callable[..., None], ...] = (pages,)
