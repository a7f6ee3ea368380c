"""Charts of the exhibits: drawn in two processes, and only when what they show is new.

Belongs here: who draws, and where what was drawn is kept. Does not belong here: what a chart shows (figures).
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.papers.figures import charts, pictures
from warehouse.papers.figures.charts import WIDTHS, Chart, Width
from warehouse.papers.site.voice import LANGUAGES, Language

if TYPE_CHECKING:
    from warehouse.papers.figures.exhibits import Told
    from warehouse.papers.figures.pictures import Picture

#: So many drawings are worth a second process; more than two are no help beside the other work of a small machine.
_WORTHWHILE = 4

#: A picture, its language, and where its charts are kept.
Job = tuple["Picture", Language, Path]
#: By exhibit and language, in every width.
Charts = dict[tuple[str, Language], dict[Width, Chart]]


def drawn(told: Sequence[Told], kept: Path, made_by: str) -> Charts:
    """Charts of some exhibits in both languages, by exhibit and language; none where there is nothing to draw.

    What was drawn is kept in a folder under a digest of what it shows and of what draws it (`made_by`); what this call has no
    use for is removed from there.
    """
    asked = {(one.exhibit.id, language): pictures.of(one, language) for one in told for language in LANGUAGES}
    jobs: dict[tuple[str, Language], Job] = {
        key: (picture, key[1], kept / _digest(picture, key[1], made_by)) for key, picture in asked.items() if picture
    }
    kept.mkdir(parents=True, exist_ok=True)
    _draw([job for job in jobs.values() if not job[-1].exists()])
    for old in set(kept.iterdir()) - {place for *_, place in jobs.values()}:
        shutil.rmtree(old, ignore_errors=True)
    return {key: _read(jobs[key][-1]) if key in jobs else {} for key in asked}


def _digest(picture: Picture, language: Language, made_by: str) -> str:
    return hashlib.sha256(repr((picture, language, made_by)).encode()).hexdigest()


def _draw(jobs: Sequence[Job]) -> None:
    """Draw, half of it in a second process that does not care what the first one's main program is; what is left of that half
    is drawn here, and tells what went wrong."""
    if len(jobs) < _WORTHWHILE:
        theirs, mine = jobs[:0], jobs
    else:
        theirs, mine = jobs[::2], jobs[1::2]
    with _second(theirs):
        for job in mine:
            _draw_one(*job)
    for job in theirs:
        if not job[-1].exists():
            _draw_one(*job)


@contextmanager
def _second(jobs: Sequence[Job]) -> Iterator[None]:
    """A process of our own that draws meanwhile; it has ended afterwards."""
    if not jobs or not sys.executable:
        yield
        return
    with tempfile.TemporaryFile() as given:
        pickle.dump(jobs, given)
        given.seek(0)
        command = [sys.executable, "-c", f"import {__name__} as files; files.draw_given()"]
        with subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            yield


def draw_given() -> None:
    """Draw what another process has put into the standard input."""
    for job in pickle.load(sys.stdin.buffer):
        _draw_one(*job)


def _draw_one(picture: Picture, language: Language, place: Path) -> None:
    """Draw a picture and keep its charts at their place, all or none."""
    beside = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    for width, chart in charts.of(picture, language).items():
        (beside / f"{width}.inline").write_text(chart.inline)
        (beside / f"{width}.svg").write_bytes(chart.file)
        if chart.png is not None:
            (beside / f"{width}.png").write_bytes(chart.png)
    beside.replace(place)


def _read(place: Path) -> dict[Width, Chart]:
    return {
        width: Chart(
            (place / f"{width}.inline").read_text(),
            (place / f"{width}.svg").read_bytes(),
            png.read_bytes() if (png := place / f"{width}.png").exists() else None,
        )
        for width in WIDTHS
    }
