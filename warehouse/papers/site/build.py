"""The static site of the papers, in English and Chinese: which pages and files there are, and how they come to readers.

Belongs here: building every page of one edition beside the old ones and swapping them in whole, and knowing when there is nothing
to do. Does not belong here: what a page shows (pages), charts (files), what an edition holds (ledger).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from warehouse import ledger
from warehouse.errors import UsageError
from warehouse.files import exchange, fsync_path, make_folder, storage_errors
from warehouse.papers.figures import charts, downloads
from warehouse.papers.site import files as site_files
from warehouse.papers.site import ledger as site_ledger
from warehouse.papers.site.pages import Gathered, Pages
from warehouse.papers.site.voice import LANGUAGES, Voice
from warehouse.store import Warehouse

if TYPE_CHECKING:
    from warehouse.papers.asking import Answers
    from warehouse.papers.catalogue import Catalogue

#: What a folder of pages was made of, in a file beside them; a folder without it is not ours.
_MADE_OF = "made-of.json"
#: Where new pages are made, until they change places with the old ones.
_BESIDE = ".figurekeeper-pages"


def write(
    warehouse: Warehouse,
    folder: Path,
    *,
    edition: int | str | None = None,
    catalogue: Catalogue | None = None,
    answers: Answers | None = None,
) -> list[Path]:
    """Build the pages of an edition (the newest for None) in `folder`/en and `folder`/zh; returns the paths written.

    The same edition, papers and version of this software give the same bytes; when the pages there were made of these, nothing
    is written. Private papers are left out. `answers` of the same edition and papers spare judging again. Raises UsageError for
    an unknown edition, and for a folder en or zh that holds something else; CatalogueError for a mistake in a file of papers;
    StoreUnwritable where the disk takes nothing more.
    """
    from warehouse.papers import asking
    from warehouse.papers import catalogue as papers

    shelf = site_ledger.shelf(warehouse, edition)
    if shelf is None:
        return []
    _ours(folder)
    known = catalogue or papers.load()
    operations = folder.resolve() == (warehouse.root / "pages").resolve()
    made_of = _made_of(shelf, known, operations)
    if all(_read(folder / language / _MADE_OF) == made_of for language in LANGUAGES):
        return []
    if answers is None or answers.edition != shelf.edition:
        answers = asking.everything(warehouse, known, shelf.edition)
    gathered = _gather(shelf, known, answers, operations)
    with storage_errors(folder):
        drawn = site_files.drawn([*gathered.exhibits.values()], warehouse.root / "charts", _made_by())
        return _replace(folder, gathered, drawn, made_of)


def _ours(folder: Path) -> None:
    """Raise UsageError where something else lies in the place of the pages: they are replaced whole."""
    for place in (folder / language for language in LANGUAGES):
        taken = place.exists() and not (place / _MADE_OF).exists()
        if taken and (not place.is_dir() or any(place.iterdir())):
            raise UsageError(
                f"{place} holds something else than pages of Figurekeeper; nothing was written",
                next_step="name another folder with --to, or move it away",
            )


def _replace(folder: Path, gathered: Gathered, drawn: site_files.Charts, made_of: str) -> list[Path]:
    """Make the pages of both languages, then let each change places with the old ones."""
    beside = folder / _BESIDE
    shutil.rmtree(beside, ignore_errors=True)
    written = []
    try:
        for language in LANGUAGES:
            for name, content in _contents(Pages(gathered, Voice(language)), drawn):
                _put(beside / language / name, content)
                written.append(folder / language / name)
            _put(beside / language / _MADE_OF, made_of.encode())
        for language in LANGUAGES:
            _swap(beside / language, folder / language)
        fsync_path(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return written


def _swap(beside: Path, place: Path) -> None:
    """Put a finished folder in the place of the old one, at one moment where the file system can."""
    make_folder(place)
    try:
        exchange(beside, place)
    except OSError:
        shutil.rmtree(place)
        beside.rename(place)


def _gather(shelf: site_ledger.Shelf, catalogue: Catalogue, answers: Answers, operations: bool) -> Gathered:
    from warehouse.papers.verdicts import checks

    papers = tuple(paper for paper in catalogue.papers.values() if paper.public)
    return Gathered(
        shelf=shelf,
        catalogue=catalogue,
        papers=papers,
        judged={statement.id: answers.judged[statement.id] for paper in papers for statement in paper.statements},
        checked={paper.id: checks.run(catalogue, paper) for paper in papers},
        across=checks.run_across(catalogue),
        exhibits={exhibit.id: answers.exhibits[exhibit.id] for paper in papers for exhibit in paper.exhibits},
        operations=operations,
    )


def _contents(pages: Pages, drawn: site_files.Charts) -> Iterator[tuple[str, bytes]]:
    """Every file of one language: its name in the folder, and what is in it."""
    gathered = pages.gathered
    yield "index.html", pages.index().encode()
    yield "formulas.html", pages.formulas().encode()
    for paper in gathered.papers:
        yield f"{paper.id}.html", pages.paper(paper).encode()
        yield f"{paper.id}-changed.html", pages.changed(paper).encode()
    for name, told in gathered.exhibits.items():
        language = pages.voice.language
        found = drawn[name, language]
        taken = downloads.files(told, language, found)
        inline = {width: chart.inline for width, chart in found.items()}
        yield f"{name}.html", pages.exhibit(told, inline, {file: len(taken[file]) for file in taken}).encode()
        for file, content in taken.items():
            yield f"files/{file}", content
    for row in gathered.shelf.datasets.values():
        yield f"data-{row['dataset']}.html", pages.data(row).encode()
        yield f"vintages-{row['dataset']}.html", pages.vintages(row).encode()


def _put(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    path.write_bytes(content)
    fsync_path(path)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _made_of(shelf: site_ledger.Shelf, catalogue: Catalogue, operations: bool) -> str:
    """All that the pages follow from; the same text means the same pages."""
    said = {
        "edition": shelf.id,
        "papers": _digest_of(catalogue),
        "datasets": _described(shelf.warehouse),
        "software": _made_by(),
        "operations": operations,
    }
    return json.dumps(said, indent=1)


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
    """The code, templates and tables of words that make the pages, and with what the charts are drawn."""
    here = Path(__file__).parents[1]
    words = [path for path in here.glob("*.yaml") if not path.name.startswith("paper")]
    code = [*here.glob("**/*.py"), *here.parent.glob("*.py"), *here.parent.glob("templates/**/*.html")]
    said = [f"{version('matplotlib')} {charts.chinese_font()}".encode()]
    said += [file.read_bytes() for file in sorted([*words, *code])]
    return hashlib.sha256(b"\0".join(said)).hexdigest()
