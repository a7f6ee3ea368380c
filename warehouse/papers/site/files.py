"""Charts and downloads of the exhibits: drawn in two processes, and only when what they show is new.

Belongs here: who draws, and where what was drawn is kept. Does not belong here: what a chart or a file shows (charts, downloads).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.papers.site.voice import LANGUAGES, Language

if TYPE_CHECKING:
    from warehouse.papers.figures.exhibits import Told

#: Drawing is what takes time; more processes than this are no help beside the other work of a small machine.
_PROCESSES = 2
_CHARTS, _FILES = "charts", "files"


@dataclass(frozen=True)
class Drawn:
    """An exhibit in one language: its chart inline by width (empty: nothing to draw), and its downloads by name."""

    charts: dict[str, str]
    files: dict[str, bytes]


def drawn(told: Sequence[Told], kept: Path, made_by: str) -> dict[tuple[str, Language], Drawn]:
    """Charts and downloads of some exhibits, in both languages, by exhibit and language.

    What was drawn is kept in a folder under a digest of what it shows and of the code that draws (`made_by`); what this call
    has no use for is removed from there.
    """
    asked = [(one, language) for one in told for language in LANGUAGES]
    places = [kept / _digest(one, language, made_by) for one, language in asked]
    kept.mkdir(parents=True, exist_ok=True)
    _draw([(*job, place) for job, place in zip(asked, places, strict=True) if not place.exists()])
    for old in set(kept.iterdir()) - set(places):
        shutil.rmtree(old, ignore_errors=True)
    return {(one.exhibit.id, language): _read(place) for (one, language), place in zip(asked, places, strict=True)}


def _digest(told: Told, language: Language, made_by: str) -> str:
    shown = repr((replace(told, spoken=frozenset()), sorted(told.spoken), language, made_by))
    return hashlib.sha256(shown.encode()).hexdigest()


def _draw(jobs: Sequence[tuple[Told, Language, Path]]) -> None:
    if len(jobs) <= _PROCESSES:
        for job in jobs:
            _draw_one(*job)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy DuckDB's threads in mid-flight
    with ProcessPoolExecutor(_PROCESSES, mp_context=context) as pool:
        for done in [pool.submit(_draw_one, *job) for job in jobs]:
            done.result()


def _draw_one(told: Told, language: Language, place: Path) -> None:
    """Draw an exhibit and keep it at its place, whole or not at all."""
    from warehouse.papers.figures import charts, downloads

    drawn = charts.drawn(told, language)
    found = {f"{_CHARTS}/{width}": chart.inline.encode() for width, chart in drawn.items()}
    found |= {f"{_FILES}/{name}": content for name, content in downloads.files(told, language, drawn).items()}
    beside = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    for name, content in found.items():
        (beside / name).parent.mkdir(exist_ok=True)
        (beside / name).write_bytes(content)
    beside.replace(place)


def _read(place: Path) -> Drawn:
    charts = {path.name: path.read_text() for path in (place / _CHARTS).glob("*")}
    return Drawn(charts, {path.name: path.read_bytes() for path in sorted((place / _FILES).glob("*"))})
