"""Questions about papers, as people ask them: verdicts as known on a day or in an edition, one claim, one exhibit.

Belongs here: what the command line, Python and indicators.duckdb ask alike. Does not belong here: judging (verdicts), the names
of fields (rows), and pages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.papers import rows
from warehouse.papers.results import WORDS, Judged, Verdict

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.figures.exhibits import Told
    from warehouse.papers.inputs import Held
    from warehouse.papers.model import Exhibit, Paper
    from warehouse.store import Warehouse


class When(NamedTuple):
    """From what is answered: what was known at the end (UTC) of 2021, 2021-12 or 2021-12-31, and what an edition holds."""

    as_of: str | None = None
    edition: int | str | None = None

    @property
    def known(self) -> datetime | None:
        """The end of the day. Raises UsageError for what is none."""
        return clock.parse_as_of(self.as_of) if self.as_of is not None else None


NOW = When()


@dataclass(frozen=True)
class Answers:
    """All verdicts and exhibits of a catalogue in an edition, by id."""

    edition: int
    judged: Mapping[str, Judged]
    exhibits: Mapping[str, Told]


def shared(catalogue: Catalogue) -> Catalogue:
    """The same without private papers: all that is kept, shown to others or sent rests on this."""
    return replace(catalogue, papers={name: paper for name, paper in catalogue.papers.items() if paper.public})


def judged(
    warehouse: Warehouse, catalogue: Catalogue, wanted: Collection[str] | None = None, when: When = NOW
) -> dict[str, Judged]:
    """Verdicts by the ids of statements (None: of all). Raises UsageError for a wrong day or edition."""
    from warehouse.papers import inputs, verdicts

    with inputs.hold(warehouse, catalogue, edition=when.edition) as held:
        return verdicts.judge(held, catalogue, wanted, known=when.known)


def everything(warehouse: Warehouse, catalogue: Catalogue, edition: int | str | None = None) -> Answers:
    """Each statement judged once, and each exhibit. Raises UsageError for a wrong edition."""
    from warehouse.papers import inputs, verdicts
    from warehouse.papers.figures import exhibits

    with inputs.hold(warehouse, catalogue, edition=edition) as held:
        judged = verdicts.judge(held, catalogue)
        names = [one.id for paper in catalogue.papers.values() for one in paper.exhibits]
        return Answers(
            held.edition, judged, {name: exhibits.told(held, catalogue, name, judged=judged) for name in names}
        )


def of_paper(
    warehouse: Warehouse,
    catalogue: Catalogue,
    paper: str | None = None,
    when: When = NOW,
    *,
    verdict: str | None = None,
    changed: bool = False,
) -> list[Judged]:
    """The verdicts on one paper (None: on all) in its order; `verdict` and `changed` choose among them.

    Raises UsageError for an unknown paper or verdict, with near ones.
    """
    wanted = None if paper is None else [one.id for one in catalogue.paper(paper).statements]
    chosen = _verdict(verdict) if verdict is not None else None
    found = judged(warehouse, catalogue, wanted, when).values()
    return [
        one for one in found if (chosen is None or one.verdict is chosen) and (not changed or rows.has_changed(one))
    ]


def claim(warehouse: Warehouse, catalogue: Catalogue, statement: str, when: When = NOW) -> rows.Row:
    """Everything behind the verdict on one statement: the keys of warehouse.papers.rows.behind, and `lineage`, the commands that
    lead from its numbers to the bytes. Raises UsageError for an unknown id, with near ones."""
    from warehouse.papers import inputs, verdicts

    catalogue.statement(statement)
    with inputs.hold(warehouse, catalogue, edition=when.edition) as held:
        found = verdicts.judge(held, catalogue, [statement], known=when.known)[statement]
        return rows.behind(found) | {"lineage": list(dict.fromkeys(_lineage(held, catalogue, found, when)))}


def _lineage(held: Held, catalogue: Catalogue, found: Judged, when: When) -> Iterator[str]:
    """A command for each observation behind the newest answer of the reading that decides; where all economies are compared,
    only of those that the statement names."""
    from warehouse.papers import formulas
    from warehouse.papers.inputs import WORLD, State

    if found.chosen is None or found.chosen.now is None:
        return
    reading, statement, now = found.chosen.reading, found.statement, found.chosen.now
    spoken = {WORLD, *catalogue.members(reading.entities or statement.entities)}
    spoken.update(catalogue.members(reading.partners or statement.partners))
    options = "".join(
        f" {option} {value}" for option, value in (("--as-of", when.as_of), ("--edition", when.edition)) if value
    )
    state = State(now.known_from, now.day, now.precision, now.basis, now.vintages)
    for cell in formulas.cells(held, catalogue, reading, statement, state):
        if cell.entity in spoken and cell.value is not None:
            dataset = catalogue.measures[cell.measure].series.partition(":")[0]
            yield f"figurekeeper lineage {dataset}:{cell.series_key} {cell.period}{options}"


def exhibit(warehouse: Warehouse, catalogue: Catalogue, which: str, when: When = NOW) -> Told:
    """A figure or table with what must be said with it. Raises UsageError for an unknown id, with near ones."""
    from warehouse.papers import inputs
    from warehouse.papers.figures import exhibits

    catalogue.exhibit(which)
    with inputs.hold(warehouse, catalogue, edition=when.edition) as held:
        return exhibits.told(held, catalogue, which, known=when.known)


def exhibits(warehouse: Warehouse, catalogue: Catalogue, paper: str | None = None, when: When = NOW) -> list[rows.Row]:
    """The figures and tables of one paper (None: of all) in their order, each with the verdict on it as a whole: exhibit, paper,
    kind, number, title, verdict (the last two with _zh), borne_out (how many of its cells and of the claims about it are), of
    (how many there are; both null where none was computed). Raises UsageError for an unknown paper."""
    from warehouse.papers import inputs, verdicts
    from warehouse.papers.verdicts import whole

    papers = list(catalogue.papers.values()) if paper is None else [catalogue.paper(paper)]
    wanted = [one.id for each in papers for one in each.statements]
    with inputs.hold(warehouse, catalogue, edition=when.edition) as held:
        judged = verdicts.judge(held, catalogue, wanted, known=when.known)
    return [
        _whole(each, shown, *whole.of(shown, [judged[name] for name in each.about(shown)]))
        for each in papers
        for shown in each.exhibits
    ]


def _whole(paper: Paper, shown: Exhibit, verdict: Verdict, holds: tuple[int, int] | None) -> rows.Row:
    borne_out, of = holds or (None, None)
    return {
        "exhibit": shown.id,
        "paper": paper.id,
        "kind": shown.kind,
        "number": shown.number,
        "title": shown.title.en,
        "title_zh": shown.title.zh,
        "verdict": verdict.value,
        "verdict_zh": WORDS[verdict].zh,
        "borne_out": borne_out,
        "of": of,
    }


def attributes(told: Told) -> dict[str, Any]:
    """What must be said with an exhibit, in English: title, edition, profile, unit, source, note, citation."""
    from warehouse.papers.figures import citations

    return {
        "title": told.exhibit.title.en,
        "edition": told.edition,
        "profile": told.profile,
        "unit": "; ".join(words.en for words in told.units.values()),
        "source": "; ".join(
            dict.fromkeys(f"{one.attribution or one.publisher.en} ({one.licence})" for one in told.sources)
        ),
        "note": told.exhibit.note.en if told.exhibit.note else None,
        "citation": citations.of(told, "en"),
    }


def _verdict(text: str) -> Verdict:
    """A verdict by its words in English or Chinese, or by the beginning of them."""
    wanted = text.casefold()
    found = [one for one, words in WORDS.items() if wanted in (one.value, words.zh)] or [
        one for one, words in WORDS.items() if one.value.startswith(wanted) or words.zh.startswith(wanted)
    ]
    if len(found) != 1:
        which = f"may be {' or '.join(repr(one.value) for one in found)}" if found else "is no verdict"
        raise UsageError(f"{text!r} {which}", next_step=f"choose among {', '.join(repr(one.value) for one in Verdict)}")
    return found[0]
