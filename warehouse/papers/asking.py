"""Questions about papers, as people ask them: verdicts as known on a day or in an edition, one claim, one exhibit.

Belongs here: what the command line, Python and indicators.duckdb ask alike. Does not belong here: judging (verdicts), the names
of fields (rows), and pages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.papers import rows
from warehouse.papers.results import WORDS, Judged, Verdict

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.figures.exhibits import Told
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


def judged(
    warehouse: Warehouse, catalogue: Catalogue, wanted: Collection[str] | None = None, when: When = NOW
) -> dict[str, Judged]:
    """Verdicts by the ids of statements (None: of all). Raises UsageError for a wrong day or edition."""
    from warehouse.papers import inputs, verdicts

    with inputs.hold(warehouse, catalogue, edition=when.edition) as held:
        return verdicts.judge(held, catalogue, wanted, known=when.known)


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
    catalogue.statement(statement)
    found = judged(warehouse, catalogue, [statement], when)[statement]
    return rows.behind(found) | {"lineage": list(_lineage(catalogue, found, when))}


def _lineage(catalogue: Catalogue, found: Judged, when: When) -> Iterator[str]:
    """A command for each series and period behind the reading that decides, of the economies that the statement names."""
    if found.chosen is None or found.chosen.now is None:
        return
    reading, statement = found.chosen.reading, found.statement
    entities = catalogue.members(reading.entities or statement.entities)
    partners = catalogue.members(reading.partners or statement.partners)
    periods = dict.fromkeys(number.period for number in found.chosen.now.numbers)
    options = "".join(
        f" {option} {value}" for option, value in (("--as-of", when.as_of), ("--edition", when.edition)) if value
    )
    for name in dict.fromkeys(catalogue.measures_of(reading).values()):
        measure = catalogue.measures[name]
        others = partners if "{partner}" in measure.series else ("",)
        for entity, partner, period in product(entities, others, periods):
            codes = {"entity": measure.codes.get(entity, entity), "partner": measure.codes.get(partner, partner)}
            yield f"figurekeeper lineage {measure.series.format(**codes)} {period}{options}"


def exhibit(warehouse: Warehouse, catalogue: Catalogue, which: str, when: When = NOW) -> Told:
    """A figure or table with what must be said with it. Raises UsageError for an unknown id, with near ones."""
    from warehouse.papers import inputs
    from warehouse.papers.figures import exhibits

    catalogue.exhibit(which)
    with inputs.hold(warehouse, catalogue, edition=when.edition) as held:
        return exhibits.told(held, catalogue, which, known=when.known)


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
