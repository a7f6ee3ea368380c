"""How figures and the vintages behind them are cited: GB/T 7714-2015, the form of electronic resources.

`OECD. R&D expenditure indicators: …[DS/OL]. (2026-04-13)[2026-04-14]. https://… . Vintage …; frozen edition …`: the day in
round brackets is the publisher's, left out where nobody stated one; the day in square brackets is the one on which the bytes were
fetched, so that a citation never changes; the edition id lets a referee ask the same question again. What is recomputed here has
no address: it is cited as [DS], with the command that gives it.

Belongs here: those texts and the facts they need. Does not belong here: which vintages stand behind a figure (exhibits).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select

from warehouse import clock, ledger, line
from warehouse.papers.model import Exhibit, Paper, Words
from warehouse.schema import Basis, Precision
from warehouse.store import Warehouse

if TYPE_CHECKING:
    from warehouse.papers.figures.exhibits import Told

Language = Literal["en", "zh"]
#: Whose word the stamp rests on where the publisher states a day of release.
_STATED = (Basis.PUBLISHER, Basis.ARCHIVE)
#: 2021, 2021-12, 202112 and 2021-12-31.
_STAMP = re.compile(r"(\d{4})(?:-?(\d\d))?(?:-?(\d\d))?$")
_URL = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Source:
    """One vintage as a source: what it is, when it was published and fetched, under which licence.

    `published` is the publisher's day, month or year (None: nobody stated one), `fetched` the day (UTC) of its payload;
    `url` is "" where the publisher names none.
    """

    dataset: str
    part: str
    vintage: str
    known_from: str
    basis: str
    published: str | None
    fetched: str
    publisher: Words
    title: Words
    url: str
    licence: str
    licence_url: str
    attribution: str

    @property
    def name(self) -> str:
        """dataset/part."""
        return f"{self.dataset}/{self.part}"


def of(told: Told, language: Language) -> list[str]:
    """How to cite an exhibit as recomputed here, and each vintage behind it."""
    own = of_exhibit(told.paper, told.exhibit, told.sources, told.edition, language)
    return [own, *(of_source(source, told.edition, language) for source in told.sources)]


def edition_id(warehouse: Warehouse, edition: int) -> str:
    """The id under which an edition is cited, such as sandbox-42-9f3a1c7b20de."""
    columns = ledger.editions.c
    with warehouse.engine.connect() as connection:
        digest = connection.execute(select(columns.digest).where(columns.edition == edition)).scalar_one_or_none()
    return line.edition_id(warehouse.profile, edition, digest or "0" * 12)


def sources(warehouse: Warehouse, vintages: Collection[str], edition: int) -> tuple[Source, ...]:
    """The vintages of an edition with these ids as sources, by dataset, part and time."""
    wanted = set(vintages)
    with warehouse.engine.connect() as connection:
        described = {row.dataset: row.description for row in connection.execute(select(ledger.datasets))}
        rows = [row for row in line.visible(connection, edition=edition) if row["vintage_id"] in wanted]
    found = [_source(row, described[row["dataset"]]) for row in rows]
    return tuple(sorted(found, key=lambda one: (one.dataset, one.part, one.known_from)))


def of_source(source: Source, edition: str, language: Language) -> str:
    """One vintage cited: publisher, title, day of release, day of fetching, address, vintage and edition."""
    published = f"({source.published})" if source.published else ""
    access = f" {source.url}." if source.url else ""
    held = (
        f" Vintage {source.name} {source.vintage}; frozen edition {edition}."
        if language == "en"
        else f" 数据版本 {source.name} {source.vintage}；冻结版次 {edition}."
    )
    cited = f"{getattr(source.publisher, language)}. {getattr(source.title, language)}[DS/OL]."
    return f"{cited} {published}[{source.fetched}].{access}{held}"


def of_exhibit(paper: Paper, exhibit: Exhibit, behind: Sequence[Source], edition: str, language: Language) -> str:
    """A figure or table as recomputed here, with the vintages it was recomputed from."""
    vintages = ", ".join(f"{one.name} {one.vintage}" for one in behind)
    fetched = max((one.fetched for one in behind), default="")
    number = heading(exhibit, language)
    command = f"figurekeeper export {paper.id} --edition {edition}"
    if language == "en":
        basis = f"recomputed from {vintages}" if vintages else "as printed"
        day = f" Data as of {fetched}." if fetched else ""
        return (
            f"Figurekeeper. {paper.id}, {number}: {basis}[DS].{day} Frozen edition {edition}; obtained by: {command}."
        )
    basis = f"据{vintages}重算" if vintages else "按原文数值"
    day = f" 数据截至 {fetched}." if fetched else ""
    return f"Figurekeeper. {paper.id} {number}：{basis}[DS].{day} 冻结版次 {edition}；获取命令：{command}."


def heading(exhibit: Exhibit, language: Language) -> str:
    """Number and title of an exhibit: "Figure 3. …", "图3 …"."""
    english = f"{exhibit.kind.capitalize()} {exhibit.number}. {exhibit.title.en}"
    return (
        english
        if language == "en"
        else f"{'图' if exhibit.kind == 'figure' else '表'}{exhibit.number} {exhibit.title.zh}"
    )


def _source(row: Mapping[str, Any], about: Mapping[str, Any]) -> Source:
    part: Mapping[str, Any] = next((one for one in about["parts"] if one["id"] == row["part"]), {})
    label, label_zh = part.get("label") or row["part"], part.get("label_zh") or part.get("label") or row["part"]
    title, title_zh = about["title"], about["title_zh"] or about["title"]
    found = _URL.search(about["citation"])
    licence = about["licence"]
    return Source(
        dataset=row["dataset"],
        part=row["part"],
        vintage=row["vintage_id"],
        known_from=row["known_from"],
        basis=row["basis"],
        published=_published(row, about["publisher_timezone"]),
        fetched=row["fetched_at"][:10],
        publisher=_publisher(about),
        title=Words(en=f"{title.partition(', ')[2] or title}: {label}", zh=f"{title_zh}：{label_zh}"),
        url=found[0].rstrip(".,;") if found else "",
        licence=licence["id"],
        licence_url=licence.get("url") or "",
        attribution=licence.get("attribution") or "",
    )


def _publisher(about: Mapping[str, Any]) -> Words:
    """In English from the dataset's title, which it opens; in Chinese where the citation is Chinese."""
    cited = str(about["citation"]).partition(". ")[0]
    return Words(en=str(about["title"]).partition(", ")[0], zh=cited)


def _published(row: Mapping[str, Any], timezone: str) -> str | None:
    """The day of release in the publisher's own time zone; where a day, month or year is stated, as it is stated."""
    if row["basis"] not in _STATED:
        return None
    stated = _STAMP.match(row["stamp"] or "")
    if row["precision"] != Precision.INSTANT and stated:
        return "-".join(part for part in stated.groups() if part)
    return clock.from_text(row["known_from"]).astimezone(ZoneInfo(timezone)).date().isoformat()
