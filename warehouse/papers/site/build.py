"""The static site of the papers, in English and Chinese: which pages and files there are, and how they come to readers.

Belongs here: building every page of one edition beside the old ones and swapping them in whole, and knowing when there is nothing
to do. Does not belong here: what a page shows (site_pages), charts (site_files), what an edition holds (site_ledger).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from warehouse import ledger
from warehouse.files import fsync_path, make_folder
from warehouse.papers.site import files as site_files
from warehouse.papers.site import ledger as site_ledger
from warehouse.papers.site.pages import Gathered, Pages
from warehouse.papers.site.voice import LANGUAGES, Language, Voice
from warehouse.store import Warehouse

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue

#: What a folder of pages was made of, in a file beside them.
_MADE_OF = "made-of.json"


def write(
    warehouse: Warehouse, folder: Path, *, edition: int | str | None = None, catalogue: Catalogue | None = None
) -> list[Path]:
    """Build the pages of an edition (the newest for None) in `folder`/en and `folder`/zh; returns the paths written.

    The same edition, papers and version of this software give the same bytes; when the pages there were made of these, nothing
    is written. Private papers are left out. Raises UsageError for an unknown edition, CatalogueError for a mistake in a file of
    papers.
    """
    from warehouse.papers import catalogue as papers

    shelf = site_ledger.shelf(warehouse, edition)
    if shelf is None:
        return []
    known = catalogue or papers.load()
    operations = folder.resolve() == (warehouse.root / "pages").resolve()
    made_by = _made_by()
    made_of = json.dumps(
        {
            "edition": shelf.id,
            "papers": _digest_of(known),
            "datasets": _described(warehouse),
            "software": made_by,
            "operations": operations,
        },
        indent=1,
    )
    if all(_read(folder / language / _MADE_OF) == made_of for language in LANGUAGES):
        return []
    gathered = _gather(shelf, known, operations)
    drawn = site_files.drawn([*gathered.exhibits.values()], warehouse.root / "charts", made_by)
    written = []
    for language in LANGUAGES:
        beside = folder / f".{language}.new"
        shutil.rmtree(beside, ignore_errors=True)
        for name, content in _contents(Pages(gathered, Voice(language)), drawn):
            _put(beside / name, content)
            written.append(folder / language / name)
        _put(beside / _MADE_OF, made_of.encode())
        _swap(beside, folder / language)
    return written


def _gather(shelf: site_ledger.Shelf, catalogue: Catalogue, operations: bool) -> Gathered:
    from warehouse.papers import inputs, verdicts
    from warehouse.papers.figures import exhibits
    from warehouse.papers.verdicts import checks

    papers = tuple(paper for paper in catalogue.papers.values() if paper.public)
    wanted = {statement.id for paper in papers for statement in paper.statements}
    with inputs.hold(shelf.warehouse, catalogue, edition=shelf.edition) as held:
        return Gathered(
            shelf=shelf,
            catalogue=catalogue,
            papers=papers,
            judged=verdicts.judge(held, catalogue, wanted),
            checked={paper.id: checks.run(catalogue, paper) for paper in papers},
            across=checks.run_across(catalogue),
            exhibits={
                exhibit.id: exhibits.told(held, catalogue, exhibit.id) for paper in papers for exhibit in paper.exhibits
            },
            operations=operations,
        )


def _contents(pages: Pages, drawn: dict[tuple[str, Language], site_files.Drawn]) -> Iterator[tuple[str, bytes]]:
    """Every file of one language: its name in the folder, and what is in it."""
    gathered = pages.gathered
    yield "index.html", pages.index().encode()
    yield "formulas.html", pages.formulas().encode()
    for paper in gathered.papers:
        yield f"{paper.id}.html", pages.paper(paper).encode()
        yield f"{paper.id}-changed.html", pages.changed(paper).encode()
    for name, told in gathered.exhibits.items():
        one = drawn[name, pages.voice.language]
        sizes = {file: len(content) for file, content in one.files.items()}
        yield f"{name}.html", pages.exhibit(told, one.charts, sizes).encode()
        for file, content in one.files.items():
            yield f"files/{file}", content
    for row in gathered.shelf.datasets.values():
        yield f"data-{row['dataset']}.html", pages.data(row).encode()
        yield f"vintages-{row['dataset']}.html", pages.vintages(row).encode()


def _put(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    path.write_bytes(content)
    fsync_path(path)


def _swap(beside: Path, place: Path) -> None:
    """Put a finished folder in the place of the old one."""
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    beside.rename(place)
    fsync_path(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _digest_of(catalogue: Catalogue) -> str:
    """What the papers, definitions, measures, groups and units say, in short."""
    kinds = (catalogue.papers, catalogue.definitions, catalogue.measures, catalogue.groups, catalogue.units)
    said = hashlib.sha256()
    for kind in kinds:
        for name in sorted(kind):
            said.update(kind[name].model_dump_json().encode())
    for check in catalogue.cross:
        said.update(check.model_dump_json().encode())
    return said.hexdigest()


def _described(warehouse: Warehouse) -> str:
    """The dataset files by which titles, licences and calendars are told."""
    columns = ledger.datasets.c
    with warehouse.engine.connect() as connection:
        rows = connection.execute(select(columns.dataset, columns.file_sha256).order_by(columns.dataset)).all()
    return hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()


def _made_by() -> str:
    """The code, templates and tables of words that make the pages."""
    here = Path(__file__).parents[1]
    words = [path for path in here.glob("*.yaml") if not path.name.startswith("paper")]
    code = [*here.glob("**/*.py"), *here.parent.glob("*.py"), *here.parent.glob("templates/**/*.html")]
    files = sorted([*words, *code])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
