"""An exhibit as a table: what was printed, what the data said in the paper's days, and what they say now.

A printed table has one row a cell; a figure has one row a line, economy and period. Belongs here: those rows, and everything
that must be said with them. Does not belong here: judging (verdicts), formulas, and how a table or chart looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warehouse import clock
from warehouse.papers import formulas, rows, verdicts
from warehouse.papers.figures import citations
from warehouse.papers.figures.citations import Source
from warehouse.papers.model import Definition, Drawn, Exhibit, Paper, Statement, Words
from warehouse.papers.results import WORDS, Judged, Number, Seen
from warehouse.papers.verdicts import judging

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held, State

Row = dict[str, Any]
Key = tuple[str | None, str | None, str]
#: The fields of a row, in their order; `table` says what each is.
COLUMNS = (
    "exhibit", "row", "row_zh", "column", "column_zh", "entity", "partner", "period", "unit", "scale", "printed", "then",
    "then_is", "then_known_from", "then_vintage", "now", "now_known_from", "vintage", "status", "verdict", "verdict_zh",
    "statement", "note", "note_zh",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """An exhibit with its table and what must be said with it: plain data, so that it may travel to another process.

    `edition` is the id that is cited; it begins with the profile. `formulas` are the definitions applied; `spoken` the economies
    of which its lines or the paper's sentences on it speak.
    """

    paper: Paper
    exhibit: Exhibit
    rows: tuple[Row, ...]
    edition: str
    sources: tuple[Source, ...]
    formulas: tuple[Definition, ...]
    units: Mapping[str, Words]
    spoken: frozenset[str]

    @property
    def profile(self) -> str:
        """Of the warehouse: sandbox, live or synthetic."""
        return self.edition.partition("-")[0]


def told(held: Held, catalogue: Catalogue, exhibit_id: str, *, known: datetime | None = None) -> Told:
    """The exhibit with its table (as `table`), sources, formulas and the economies its sentences speak of.

    Raises UsageError for an exhibit that does not exist.
    """
    paper, exhibit = catalogue.exhibit(exhibit_id)
    found = table(held, catalogue, exhibit_id, known=known)
    used = [*exhibit.drawn, *(reading for cell in exhibit.cells for reading in cell.readings)]
    spoken = [(one.entities or (), one.partners or ()) for one in exhibit.drawn]
    spoken += [(claim.entities, claim.partners) for claim in paper.claims if claim.exhibit == exhibit.id]
    return Told(
        paper,
        exhibit,
        tuple(found),
        citations.edition_id(held.warehouse, held.edition),
        citations.sources(held.warehouse, _vintages(found), held.edition),
        tuple(catalogue.definitions[name] for name in dict.fromkeys(formula.use for formula in used)),
        {name: catalogue.units[name].name for name in dict.fromkeys(row["unit"] for row in found)},
        frozenset(economy for both in spoken for economies in both for economy in economies),
    )


def table(held: Held, catalogue: Catalogue, exhibit_id: str, *, known: datetime | None = None) -> list[Row]:
    """The rows of an exhibit in the order of the paper, of a figure by line, economy and period.

    exhibit; row, column (with _zh): of the printed table, or the line's label; entity, partner, period; unit, scale: `printed`,
    `then` and `now` count ten to the power of `scale` of the unit; printed: the text; then: from a vintage inside the paper's
    cutoff interval, where `then_is` is "inside", else from the nearest held "before" or "after" it; *_known_from: UTC;
    then_vintage, vintage (of now): those that answer, "dataset/part id" joined by "; "; status: the provider's flags of the
    newest value; verdict, statement: of a printed cell; note: what would fit, what is assumed, why it is a
    proxy, or why nothing was computed. `known` leaves out what became known later. Raises UsageError for an exhibit that does
    not exist.
    """
    paper, exhibit = catalogue.exhibit(exhibit_id)
    judged = verdicts.judge(held, catalogue, [cell.id for cell in exhibit.cells], known=known) if exhibit.cells else {}
    found = [_cell(exhibit, judged[cell.id], cell.row, cell.column) for cell in exhibit.cells]
    for drawn in exhibit.drawn:
        found += _line(held, catalogue, paper, exhibit, drawn, known)
    return found


def _cell(exhibit: Exhibit, judged: Judged, row: Words, column: Words) -> Row:
    statement, chosen = judged.statement, judged.chosen
    then, which = _then(chosen.then, chosen.before, chosen.after) if chosen else (None, None)
    now = chosen.now if chosen else None
    reading = chosen.reading if chosen else None
    caveat = (reading.proxy or reading.changed or reading.assume) if reading else None
    return _row(
        exhibit,
        row=row,
        column=column,
        note=judged.correction or caveat or judged.why,
        entity=" ".join(statement.entities),
        partner=" ".join(statement.partners) or None,
        period=statement.period,
        unit=statement.unit,
        scale=statement.scale,
        printed=rows.printed(statement),
        then=rows.one(then, judged),
        then_is=which,
        now=rows.one(now, judged),
        verdict=judged.verdict.value,
        verdict_zh=WORDS[judged.verdict].zh,
        statement=statement.id,
        **_states(then, now),
    )


def _line(
    held: Held, catalogue: Catalogue, paper: Paper, exhibit: Exhibit, drawn: Drawn, known: datetime | None
) -> list[Row]:
    """The rows of one line of a figure: every economy and period that is known then or now."""
    definition = catalogue.definitions[drawn.use]
    measures = [drawn.given.get(name) or need.measure or "" for name, need in definition.inputs.items()]
    limit = clock.to_text(known) if known else None
    states = [state for state in held.states(measures) if limit is None or state.known_from <= limit]
    if not states:
        why = next((words for words in map(held.why_not, measures) if words), None)
        nothing = {"entity": "", "period": drawn.period, "unit": drawn.unit, "scale": 0}
        return [_row(exhibit, row=drawn.label, column=None, note=why, **nothing)]
    asked = _as_statement(exhibit, drawn)
    seen = [_seen(state, formulas.answer(held, catalogue, drawn, asked, state)) for state in states]
    placed = judging.place(seen, paper.cutoff)
    then, which = _then(placed.then, placed.before, placed.after)
    values = [_by_key(then), _by_key(placed.now)]
    flags = held.status(measures[0], states[-1])
    return [
        _row(
            exhibit,
            row=drawn.label,
            column=None,
            note=drawn.proxy,
            entity=key[0],
            partner=key[1],
            period=key[2],
            unit=drawn.unit,
            scale=0,
            then=values[0].get(key),
            then_is=which,
            now=values[1].get(key),
            status=flags.get((key[0] or "", *key[1:])),
            **_states(then, placed.now),
        )
        for key in sorted(values[0].keys() | values[1].keys(), key=lambda key: (key[0] or "", key[1] or "", key[2]))
    ]


def _then(inside: Seen | None, before: Seen | None, after: Seen | None) -> tuple[Seen | None, str | None]:
    """The state of the paper's days; without one the neighbour that is as printed, else the later one; and which it is."""
    if inside:
        return inside, "inside"
    if before and (after is None or (before.holds and not after.holds)):
        return before, "before"
    return (after, "after") if after else (None, None)


def _seen(state: State, numbers: Sequence[Number]) -> Seen:
    return Seen(state.known_from, state.day, state.precision, state.basis, state.vintages, tuple(numbers))


def _as_statement(exhibit: Exhibit, drawn: Drawn) -> Statement:
    """A line as a formula wants it: what it says itself is all there is."""
    return Statement(
        id=exhibit.id, says=drawn.label, kind="line", period=drawn.period or "", unit=drawn.unit, sense="direction",
        entities=drawn.entities or (), partners=drawn.partners or (),
    )  # fmt: skip


def _by_key(seen: Seen | None) -> dict[Key, float]:
    numbers = seen.numbers if seen else ()
    return {(one.entity, one.partner, one.period): one.value for one in numbers if one.value is not None}


def _row(exhibit: Exhibit, *, row: Words, column: Words | None, note: Words | None, **fields: Any) -> Row:
    texts = {"row": row, "column": column, "note": note}
    both = {name: words.en if words else None for name, words in texts.items()}
    both |= {f"{name}_zh": words.zh if words else None for name, words in texts.items()}
    return dict.fromkeys(COLUMNS) | {"exhibit": exhibit.id} | both | fields


def _states(then: Seen | None, now: Seen | None) -> Row:
    return {
        "then_known_from": then.known_from if then else None,
        "then_vintage": _named(then),
        "now_known_from": now.known_from if now else None,
        "vintage": _named(now),
    }


def _named(state: Seen | None) -> str | None:
    return "; ".join(f"{part} {vintage}" for part, vintage in sorted(state.vintages.items())) if state else None


def _vintages(found: Iterable[Row]) -> set[str]:
    names = [row[name] for row in found for name in ("then_vintage", "vintage") if row[name]]
    return {one.rpartition(" ")[2] for joined in names for one in joined.split("; ")}
