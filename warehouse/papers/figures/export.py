"""One paper to take away: data of every exhibit, every verdict, formulas, sources, licences, citations, checksums.

Belongs here: which files the bundle has, and their words. Does not belong here: judging, drawing, and where the bundle is put.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warehouse.papers import inputs, rows, verdicts
from warehouse.papers.figures import citations, downloads, exhibits
from warehouse.papers.figures.citations import Language, Source
from warehouse.papers.figures.downloads import ORIGIN, SOURCES
from warehouse.papers.figures.exhibits import Told
from warehouse.papers.model import Definition, Paper
from warehouse.papers.results import Judged
from warehouse.spreadsheets import csv_bytes, workbook

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held
    from warehouse.store import Warehouse

LANGUAGES: tuple[Language, ...] = ("en", "zh")
CHECKSUMS = "SHA256SUMS"


def paper(
    warehouse: Warehouse,
    catalogue: Catalogue,
    which: str,
    *,
    edition: int | str | None = None,
    known: datetime | None = None,
) -> dict[str, bytes]:
    """The files of a paper's bundle by name; the same edition and day give the same bytes.

    `known` leaves out what became known later. Raises UsageError for a paper or an edition that does not exist.
    """
    chosen = catalogue.paper(which)
    with inputs.hold(warehouse, catalogue, edition=edition) as held:
        judged = verdicts.judge(held, catalogue, [one.id for one in chosen.statements], known=known)
        shown = [
            exhibits.told(held, catalogue, exhibit.id, known=known)
            for exhibit in chosen.exhibits
            if exhibit.quantitative
        ]
        behind = _sources(held, judged.values(), shown)
        cited = citations.edition_id(warehouse, held.edition)
    found = _verdicts(judged)
    for told in shown:
        for language in LANGUAGES:
            found |= {f"exhibits/{name}": content for name, content in downloads.files(told, language).items()}
    found |= _formulas(catalogue, chosen)
    found["sources.csv"] = csv_bytes(list(SOURCES), [{name: getattr(one, name) for name in SOURCES} for one in behind])
    found["LICENCES.txt"] = _lines(downloads.licences(behind))
    found["CITATION.txt"] = _citation(shown, behind, cited)
    found["README.txt"] = _readme(chosen, cited, known, sorted({*found, "README.txt", CHECKSUMS}))
    found[CHECKSUMS] = checksums(found)
    return dict(sorted(found.items()))


def checksums(files: Mapping[str, bytes]) -> bytes:
    """The SHA-256 of every file, in the form that `sha256sum --check` reads."""
    return _lines(f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(files))


def _verdicts(judged: Mapping[str, Judged]) -> dict[str, bytes]:
    """Every statement: flat as CSV and XLSX, and with all that stands behind it as JSON."""
    flat = [rows.of(one) for one in judged.values()]
    names = list(flat[0]) if flat else []
    everything = [rows.behind(one) for one in judged.values()]
    return {
        "verdicts.csv": csv_bytes(names, flat),
        "verdicts.xlsx": workbook({"verdicts": [names, *([row[name] for name in names] for row in flat)]}),
        "verdicts.json": (json.dumps(everything, ensure_ascii=False, indent=2, default=str) + "\n").encode(),
    }


def _sources(held: Held, judged: Iterable[Judged], shown: Sequence[Told]) -> tuple[Source, ...]:
    """The vintages behind all verdicts and exhibits."""
    seen = [
        state
        for one in judged
        for tried in one.readings
        for state in (tried.then, tried.before, tried.after, tried.now)
        if state is not None
    ]
    wanted = {vintage for state in seen for vintage in state.vintages.values()}
    wanted |= {source.vintage for told in shown for source in told.sources}
    return citations.sources(held.warehouse, wanted, held.edition)


def _formulas(catalogue: Catalogue, chosen: Paper) -> dict[str, bytes]:
    """The definitions that the paper's readings and figures use, one file of SQL each."""
    used = [reading for one in chosen.statements for reading in one.readings]
    names = {formula.use for formula in (*used, *(drawn for exhibit in chosen.exhibits for drawn in exhibit.drawn))}
    return {f"formulas/{name}.sql": _formula(catalogue.definitions[name]) for name in sorted(names)}


def _formula(definition: Definition) -> bytes:
    needs = [f"-- {name}: {need.unit}, {need.over}" for name, need in definition.inputs.items()]
    head = [
        f"-- {definition.name.en} / {definition.name.zh}",
        f"-- {definition.formula.en} / {definition.formula.zh}",
        "-- inputs, each a relation:",
    ]
    return _lines([*head, *needs, f"-- answer in: {definition.unit}", definition.sql.strip()])


def _citation(shown: Sequence[Told], behind: Sequence[Source], edition: str) -> bytes:
    """The exhibits and the vintages, first in English, then in Chinese."""
    texts = [
        [
            *(
                citations.of_exhibit(told.paper, told.exhibit, told.sources, edition, language)
                for told in shown
                if not told.nothing
            ),
            *(citations.of_source(source, edition, language) for source in behind),
        ]
        for language in LANGUAGES
    ]
    return _lines([*texts[0], "", *texts[1]])


def _readme(chosen: Paper, edition: str, known: datetime | None, names: Sequence[str]) -> bytes:
    """What the bundle is, in English and Chinese."""
    at = f" As known on {known:%Y-%m-%d}." if known else ""
    at_zh = f"截至{known:%Y-%m-%d}所知。" if known else ""
    profile = edition.partition("-")[0]
    return _lines([
        f"{chosen.id}: {chosen.title.en}", chosen.title.zh, "",
        f"Recomputed by Figurekeeper from edition {edition}.{at} Data: {ORIGIN[profile][0]}.",
        f"由 Figurekeeper 据冻结版次 {edition} 重算。{at_zh}数据性质：{ORIGIN[profile][1]}。", "",
        "verdicts.*        every claim and printed cell, with its verdict; the JSON has all that stands behind it",
        "                  各论断与表中数值及其判定；JSON 含全部依据",
        "exhibits/         figures and tables: rows, workbooks, charts 17 cm and 8 cm wide / 图表数据与图片",
        "formulas/         the SQL of each definition used / 所用公式",
        "sources.csv       the vintages behind it / 所用数据版本",
        "LICENCES.txt      of the data; CITATION.txt: how to cite them / 数据许可与引用格式（GB/T 7714）",
        f"{CHECKSUMS}        check with: sha256sum --check {CHECKSUMS} / 校验和", "",
        *names,
    ])  # fmt: skip


def _lines(texts: Iterable[Any]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()
