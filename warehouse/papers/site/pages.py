"""The pages of the papers one by one: what each shows of one edition, in one language.

Belongs here: gathering what a template needs. Does not belong here: how it looks (warehouse/templates/papers), which files there
are and how they come to readers (site), judging.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from warehouse.pages import fill
from warehouse.papers import economies, rows
from warehouse.papers.figures import citations
from warehouse.papers.model import Paper, Statement, Words
from warehouse.papers.results import Judged, Number, Seen, Tried, Verdict
from warehouse.papers.site import compared
from warehouse.papers.site.compared import STANDS, Compared, Stands
from warehouse.papers.site.ledger import Row, Shelf
from warehouse.papers.site.voice import MARKS, MEANINGS, OVER, UNITS, Voice, decimals, shown

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.figures.charts import Width
    from warehouse.papers.figures.exhibits import Told
    from warehouse.papers.verdicts.checks import Checked

#: From what holds to what cannot be asked.
_ORDER = sorted(Verdict, key=lambda verdict: ("good", "warn", "bad", "soft").index(MARKS[verdict][0]))
#: Series of so many economies are named one by one.
_NAMED = 4
#: States of a reading that the pages show, and what they are called.
_STATES = (("before", "before", "之前"), ("then", "then", "当时"), ("after", "after", "之后"), ("now", "now", "现在"))
_ROLES = {name: Words(en=en, zh=zh) for name, en, zh in _STATES}


@dataclass(frozen=True)
class Gathered:
    """All that the pages are made of: an edition, the public papers, verdicts, checks by paper, and exhibits by id."""

    shelf: Shelf
    catalogue: Catalogue
    papers: tuple[Paper, ...]
    judged: Mapping[str, Judged]
    checked: Mapping[str, Sequence[Checked]]
    across: Sequence[Checked]
    exhibits: Mapping[str, Told]
    operations: bool  # whether the overview and the reports of revisions lie beside these pages

    def of(self, paper: Paper) -> list[Judged]:
        """The verdicts on a paper, in its order."""
        return [self.judged[one.id] for one in paper.statements if one.id in self.judged]

    @cached_property
    def changed(self) -> dict[str, list[Compared]]:
        """By paper the statements with a then and a now."""
        return {paper.id: compared.of(self.of(paper)) for paper in self.papers}


@dataclass(frozen=True)
class Pages:
    """The pages in one language."""

    gathered: Gathered
    voice: Voice

    def index(self) -> str:
        """The state of every paper and of the data."""
        got = self.gathered
        papers = [
            {
                "paper": paper,
                "counts": _counts(got.of(paper)),
                "total": len(got.of(paper)),
                "moved": sum(one.moved for one in got.changed[paper.id]),
                "fallen": sum(one.stands is Stands.FALLEN for one in got.changed[paper.id]),
            }
            for paper in got.papers
        ]
        newest = max(got.shelf.vintages.values(), key=lambda row: row["known_from"], default=None)
        return self._fill(
            "index",
            papers=papers,
            datasets=list(got.shelf.datasets.values()),
            vintages=len(got.shelf.vintages),
            newest=newest,
            lately=got.shelf.changed,
            meanings=MEANINGS,
            checks=got.across,
        )

    def paper(self, paper: Paper) -> str:
        """Every statement of a paper's text, with what stands behind its verdict."""
        judged = self.gathered.of(paper)
        inside = _exhibits(paper)
        return self._fill(
            "paper",
            here=f"{paper.id}.html",
            paper=paper,
            counts=_counts(judged),
            total=len(judged),
            judged=judged,
            exhibits=[self.gathered.exhibits[one.id] for one in paper.exhibits],
            shown_in=lambda statement: statement.exhibit or inside.get(statement.id),
            checks=self.gathered.checked.get(paper.id, ()),
            definitions=self.gathered.catalogue.definitions,
            series=self._series,
            states=self._states,
            numbers=self._numbers,
        )

    def changed(self, paper: Paper) -> str:
        """What changed since a paper."""
        found = self.gathered.changed[paper.id]
        counted = Counter(one.stands for one in found)
        return self._fill(
            "changed",
            here=f"{paper.id}-changed.html",
            paper=paper,
            rows=found,
            counts=[(which, counted[which]) for which in Stands if counted[which]],
            moved=sum(one.moved for one in found),
        )

    def exhibit(self, told: Told, chart: Mapping[Width, str], files: Mapping[str, int]) -> str:
        """A figure or table; `chart`: SVG texts by width, if there is anything to draw; `files`: sizes of the downloads."""
        got, language = self.gathered, self.voice.language
        vintages = got.shelf.vintages
        behind = [
            {**vintages[source.vintage], "partial": _partial(vintages[source.vintage])}
            for source in told.sources
            if source.vintage in vintages
        ]
        about = [got.judged[cell.id] for cell in told.exhibit.cells if cell.id in got.judged]
        claims = [
            got.judged[one.id] for one in told.paper.claims if one.exhibit == told.exhibit.id and one.id in got.judged
        ]
        table = self._rows(told)
        return self._fill(
            "exhibit",
            here=f"{told.exhibit.id}.html",
            told=told,
            heading=citations.heading(told.exhibit, language),
            chart=chart,
            files=[(name, f"{max(1, round(files[name] / 1000))} kB") for name in sorted(files, key=_by_kind)],
            rows=table,
            printed_table=bool(told.exhibit.cells),
            lines=len({row["row"] for row in table}) > 1 and any(row["row"] != row["name"] for row in table),
            units_told=self.voice.t("; ", "；").join(self._units(told)),
            notes=sorted({self.voice.t(row["note"], row["note_zh"]) for row in table if row["note"]})
            if not told.exhibit.cells
            else [],
            words=got.judged,
            revised=[one for one in about if one.cause],
            meanings=MEANINGS,
            claims=claims,
            behind=behind,
            numbers={source.vintage: f"[{place}]" for place, source in enumerate(told.sources, 1)},
            licences=sorted({(one.licence, one.licence_url, one.attribution) for one in told.sources}),
            citations=self._citations(told),
        )

    def data(self, row: Row) -> str:
        """A dataset: freshness, calendar, checks, revisions."""
        newest = self.gathered.shelf.newest.get(row["dataset"], [])
        return self._fill("data", here=f"data-{row['dataset']}.html", row=row, newest=newest)

    def vintages(self, row: Row) -> str:
        """Every vintage of a dataset with the bytes behind it."""
        parts: dict[str, list[Row]] = {}
        for one in self.gathered.shelf.vintages.values():
            if one["dataset"] == row["dataset"]:
                parts.setdefault(one["part"], []).append({**one, "partial": _partial(one)})
        newest_first = [(part, found[::-1]) for part, found in sorted(parts.items())]
        return self._fill("vintages", here=f"vintages-{row['dataset']}.html", row=row, parts=newest_first)

    def formulas(self) -> str:
        """Definitions, measures and groups."""
        catalogue = self.gathered.catalogue
        return self._fill(
            "formulas",
            here="formulas.html",
            definitions=list(catalogue.definitions.values()),
            measures=list(catalogue.measures.values()),
            groups=list(catalogue.groups.values()),
            over=OVER,
        )

    def _fill(self, template: str, here: str = "index.html", **given: Any) -> str:
        got, voice = self.gathered, self.voice
        return fill(
            f"papers/{template}.html",
            v=voice,
            lang=voice.language,
            here=here,
            data={"profile": got.shelf.warehouse.profile},
            site={"id": got.shelf.id, "at": got.shelf.at, "operations": got.operations},
            marks=MARKS,
            shown=shown,
            slug=slug,
            roles=_ROLES,
            stands=STANDS,
            then_of=compared.then,
            status=rows.status,
            counted_in=rows.counted_in,
            unit=self._unit,
            economy=self._economy,
            part_label=self._part_label,
            **given,
        )

    def _unit(self, name: str) -> str:
        units = {one.id: one.name for one in self.gathered.catalogue.units.values()} | UNITS
        return self.voice.w(units[name]) if name in units else name

    def _economy(self, code: str) -> str:
        groups, language = self.gathered.catalogue.groups, self.voice.language
        names = [
            self.voice.w(groups[one].name) if one in groups else economies.name(one, language) for one in code.split()
        ]
        return self.voice.t(", ", "、").join(names)

    def _part_label(self, row: Row, part: str) -> str:
        about = row["parts"].get(part, {})
        label = about.get("label") or ""
        return self.voice.t(label, about.get("label_zh") or label)

    def _series(self, tried: Tried, statement: Statement) -> list[str]:
        """The series behind a reading by their names; of many economies only the pattern."""
        catalogue = self.gathered.catalogue
        economies = catalogue.members(tried.reading.entities or statement.entities)
        found: dict[str, None] = {}
        for name in catalogue.measures_of(tried.reading).values():
            measure = catalogue.measures[name]
            named = [measure.series.replace("{entity}", measure.codes.get(one, one)) for one in economies]
            found |= dict.fromkeys(named if len(named) <= _NAMED else [measure.series])
        return list(found)

    def _states(self, tried: Tried) -> list[tuple[str, Seen]]:
        """The states of a reading that matter, oldest first; one that plays two roles stands once."""
        named: dict[str, tuple[list[str], Seen]] = {}
        for field, en, zh in _STATES:
            seen: Seen | None = getattr(tried, field)
            if seen is not None:
                named.setdefault(seen.known_from, ([], seen))[0].append(self.voice.t(en, zh))
        return [(self.voice.t(", ", "、").join(names), seen) for _, (names, seen) in sorted(named.items())]

    def _numbers(self, states: Sequence[tuple[str, Seen]]) -> list[tuple[str, list[Number | None]]]:
        """One line for each number of some states: whose and when, and the number in each state (None: not there)."""
        held = [{(one.entity, one.partner, one.period): one for one in seen.numbers} for _, seen in states]
        keys = dict.fromkeys(key for one in held for key in one)
        return [(self._label(*key), [one.get(key) for one in held]) for key in keys]

    def _label(self, entity: str | None, partner: str | None, period: str) -> str:
        who = " → ".join(self._economy(one) for one in (entity, partner) if one)
        return " · ".join(word for word in (who, period) if word)

    def _rows(self, told: Told) -> list[Row]:
        """The table of an exhibit, with the digits to show and, of a figure, the change since."""
        statements: dict[str, Statement] = {cell.id: cell for cell in told.exhibit.cells}
        found: list[Row] = []
        told_once: set[str] = set()
        for row in told.rows:
            statement = statements.get(row["statement"] or "")
            moved = None if row["then"] is None or row["now"] is None else row["now"] - row["then"]
            name = economies.name(row["entity"], "en")
            notes = {self.voice.t(row["note"] or "", row["note_zh"] or "")}
            notes |= (fits := {self.voice.w(self._correction(row))})
            more: Row = {
                "digits": decimals(statement) if statement else None,
                "notes": sorted(notes - told_once - {""}),
            }
            told_once |= fits
            found.append({**row, **more, "change": _signed(moved), "name": name})
        if told.exhibit.chart == "ranking":
            found.sort(key=lambda row: next((-row[when] for when in ("now", "then") if row[when] is not None), 0.0))
        return found

    def _correction(self, row: Row) -> Words | None:
        """What would fit in the place of a printed cell."""
        judged = self.gathered.judged.get(row["statement"] or "")
        return judged.correction if judged else None

    def _units(self, told: Told) -> list[str]:
        """The units of a table, each with its power of ten as a word."""
        found = dict.fromkeys((row["unit"], row["scale"]) for row in told.rows)
        return [self.voice.t(f"{self.voice.scale(scale)} {self._unit(name)}".strip(), self.voice.scale(scale) + self._unit(name))
                for name, scale in found]  # fmt: skip

    def _citations(self, told: Told) -> list[str]:
        language = self.voice.language
        own = citations.of_exhibit(told.paper, told.exhibit, told.sources, told.edition, language)
        return [own, *(citations.of_source(source, told.edition, language) for source in told.sources)]


def slug(text: str) -> str:
    """A word as an anchor: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _by_kind(name: str) -> tuple[bool, int]:
    """Data before pictures, the wide ones before the narrow ones."""
    return "8cm" in name, ("csv", "xlsx", "svg", "png").index(name.rpartition(".")[2])


def _exhibits(paper: Paper) -> dict[str, str]:
    """The exhibit of each cell."""
    return {cell.id: exhibit.id for exhibit in paper.exhibits for cell in exhibit.cells}


def _counts(judged: Sequence[Judged]) -> list[tuple[Verdict, int]]:
    """How many of each verdict, in the order of the verdicts; those that do not occur are left out."""
    counted = Counter(one.verdict for one in judged)
    return [(verdict, counted[verdict]) for verdict in _ORDER if counted[verdict]]


def _partial(vintage: Row) -> bool:
    return any(value is not None for value in vintage["scope"].values())


def _signed(moved: float | None) -> str:
    """A change with its sign and four figures, which is all that a column of changes is for."""
    return "–" if moved is None else "0" if moved == 0 else f"{moved:+.4g}".replace("-", "\u2212")
