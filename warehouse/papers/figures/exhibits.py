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
from warehouse.papers.model import Definition, Drawn, Exhibit, Formula, Paper, Reading, Statement, Words
from warehouse.papers.results import WORDS, Judged, Number, Seen, Tried, Verdict
from warehouse.papers.verdicts import causes_told, judging, whole

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held, State

Row = dict[str, Any]
Key = tuple[str | None, str | None, str]
#: The fields of a row, in their order; `table` says what each is.
COLUMNS = (
    "exhibit", "row", "row_zh", "column", "column_zh", "entity", "partner", "period", "unit", "scale", "printed", "then",
    "then_is", "then_known_from", "then_vintage", "then_status", "now", "now_known_from", "vintage", "status", "verdict",
    "verdict_zh", "statement", "note", "note_zh",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """An exhibit with its table and what must be said with it: plain data, so that it may travel to another process.

    `edition` is the id that is cited; it begins with the profile. `formulas` are the definitions applied; `spoken` the economies
    of which its lines or the paper's sentences on it speak; `revised` what moved the lines of a figure since the paper's days:
    their labels, each with the cause; `verdict` is on the exhibit as a whole, and `holds` says how many of its cells and of the
    claims about it are borne out, of how many.
    """

    paper: Paper
    exhibit: Exhibit
    rows: tuple[Row, ...]
    edition: str
    sources: tuple[Source, ...]
    formulas: tuple[Definition, ...]
    units: Mapping[str, Words]
    spoken: frozenset[str]
    revised: tuple[tuple[Words, Words], ...] = ()
    verdict: Verdict = Verdict.NOT_COMPUTED
    holds: tuple[int, int] | None = None

    @property
    def profile(self) -> str:
        """Of the warehouse: sandbox, live or synthetic."""
        return self.edition.partition("-")[0]

    @property
    def nothing(self) -> bool:
        """Whether no number of it can be shown."""
        return not any(row[name] not in (None, "") for row in self.rows for name in ("printed", "then", "now"))


def told(
    held: Held,
    catalogue: Catalogue,
    exhibit_id: str,
    *,
    known: datetime | None = None,
    judged: Mapping[str, Judged] | None = None,
) -> Told:
    """The exhibit with its table (as `table`), sources, formulas and the economies its sentences speak of.

    `judged` are verdicts on its cells and the claims about it, of the same data and day, where they are at hand. Raises
    UsageError for an exhibit that does not exist.
    """
    paper, exhibit = catalogue.exhibit(exhibit_id)
    claims = [claim for claim in paper.claims if claim.exhibit == exhibit.id]
    statements = paper.about(exhibit)
    if judged is None:
        judged = verdicts.judge(held, catalogue, statements, known=known)
    found, revised = _table(held, catalogue, exhibit_id, known, judged)
    verdict, holds = whole.of(exhibit, [judged[name] for name in statements])
    used = [*exhibit.drawn, *(reading for cell in exhibit.cells for reading in cell.readings)]
    spoken = [(one.entities or (), one.partners or ()) for one in exhibit.drawn]
    spoken += [(claim.entities, claim.partners) for claim in claims]
    return Told(
        paper,
        exhibit,
        tuple(found),
        citations.edition_id(held.warehouse, held.edition),
        citations.sources(held.warehouse, _vintages(found), held.edition),
        tuple(catalogue.definitions[name] for name in dict.fromkeys(formula.use for formula in used)),
        {name: catalogue.units[name].name for name in dict.fromkeys(row["unit"] for row in found)},
        frozenset(economy for both in spoken for economies in both for economy in economies),
        tuple(revised),
        verdict,
        holds,
    )


def table(
    held: Held,
    catalogue: Catalogue,
    exhibit_id: str,
    *,
    known: datetime | None = None,
    judged: Mapping[str, Judged] | None = None,
) -> list[Row]:
    """The rows of an exhibit in the order of the paper, of a figure by line, economy and period.

    exhibit; row, column (with _zh): of the printed table, or the line's label; entity, partner, period; unit, scale: `printed`,
    `then` and `now` count ten to the power of `scale` of the unit; printed: the text; then: from a vintage inside the paper's
    cutoff interval, where `then_is` is "inside", else from the nearest held "before" or "after" it; *_known_from: UTC;
    then_vintage, vintage (of now): those that answer, "dataset/part id" joined by "; "; then_status, status (of now): the
    provider's flags of the observations behind them, joined by ;; verdict, statement: of a printed cell; note: what would fit,
    what is assumed, why it is a proxy, or why nothing was computed. `known` leaves out what became known later; `judged` as of
    `told`. Raises UsageError for an exhibit that does not exist.
    """
    return _table(held, catalogue, exhibit_id, known, judged)[0]


def _table(
    held: Held, catalogue: Catalogue, exhibit_id: str, known: datetime | None, judged: Mapping[str, Judged] | None
) -> tuple[list[Row], list[tuple[Words, Words]]]:
    """The rows of an exhibit, and of its lines the causes for which they moved."""
    paper, exhibit = catalogue.exhibit(exhibit_id)
    if judged is None and exhibit.cells:
        judged = verdicts.judge(held, catalogue, [cell.id for cell in exhibit.cells], known=known)
    found = [_cell(exhibit, (judged or {})[cell.id], cell.row, cell.column) for cell in exhibit.cells]
    revised = []
    for drawn in exhibit.drawn:
        told, cause = _line(held, catalogue, paper, exhibit, drawn, known)
        found += told
        revised += [(drawn.label, cause)] if cause else []
    return found, revised


def _cell(exhibit: Exhibit, judged: Judged, row: Words, column: Words) -> Row:
    statement, chosen = judged.statement, judged.chosen
    then, which = _then(judged.paper, chosen.then, chosen.before, chosen.after) if chosen else (None, None)
    now = chosen.now if chosen else None
    unit, scale = rows.counted_in(statement, chosen)
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
        unit=unit,
        scale=scale,
        printed=rows.printed(statement),
        then=rows.one(then, judged),
        then_is=which,
        then_status=rows.status(then),
        now=rows.one(now, judged),
        status=rows.status(now),
        verdict=judged.verdict.value,
        verdict_zh=WORDS[judged.verdict].zh,
        statement=statement.id,
        **_states(then, now),
    )


def _line(
    held: Held, catalogue: Catalogue, paper: Paper, exhibit: Exhibit, drawn: Drawn, known: datetime | None
) -> tuple[list[Row], Words | None]:
    """The rows of one line of a figure, every economy and period that is known then or now; and what moved them since then."""
    definition = catalogue.definitions[drawn.use]
    measures = [drawn.given.get(name) or need.measure or "" for name, need in definition.inputs.items()]
    limit = clock.to_text(known) if known else None
    states = [state for state in held.states(measures) if limit is None or state.known_from <= limit]
    if not states:
        why = next((words for words in map(held.why_not, measures) if words), None)
        nothing = {"entity": "", "period": drawn.period, "unit": drawn.unit, "scale": 0}
        return [_row(exhibit, row=drawn.label, column=None, note=why, **nothing)], None
    asked = _as_statement(exhibit, drawn)
    seen = [_seen(state, formulas.answer(held, catalogue, drawn, asked, state)) for state in states]
    placed = judging.place(seen, paper.cutoff)
    then, which = _then(paper, placed.then, placed.before, placed.after)
    numbers = [_by_key(then), _by_key(placed.now)]
    found = [
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
            then_is=which,
            **_of_number(numbers[0].get(key), "then", "then_status"),
            **_of_number(numbers[1].get(key), "now", "status"),
            **_states(then, placed.now),
        )
        for key in sorted(numbers[0].keys() | numbers[1].keys(), key=lambda key: (key[0] or "", key[1] or "", key[2]))
    ]
    reading = Reading.model_validate(drawn.model_dump(by_alias=True, include=set(Formula.model_fields)))
    tried = Tried(1, reading, (), drawn.unit, Verdict.NOT_COMPUTED, states=tuple(seen))
    return found, causes_told.of_line(held, catalogue, asked, tried, then) if then else None


def _then(paper: Paper, inside: Seen | None, before: Seen | None, after: Seen | None) -> tuple[Seen | None, str | None]:
    """The state that speaks for the paper's days, and which it is."""
    then = inside or rows.beside(paper, before, after)
    if then is None:
        return None, None
    return then, "inside" if then is inside else "before" if then is before else "after"


def _seen(state: State, numbers: Sequence[Number]) -> Seen:
    return Seen(state.known_from, state.day, state.precision, state.basis, state.vintages, tuple(numbers))


def _as_statement(exhibit: Exhibit, drawn: Drawn) -> Statement:
    """A line as a formula wants it: what it says itself is all there is."""
    return Statement(
        id=exhibit.id, says=drawn.label, kind="line", period=drawn.period or "", unit=drawn.unit, sense="direction",
        entities=drawn.entities or (), partners=drawn.partners or (),
    )  # fmt: skip


def _by_key(seen: Seen | None) -> dict[Key, Number]:
    numbers = seen.numbers if seen else ()
    return {(one.entity, one.partner, one.period): one for one in numbers if one.value is not None}


def _of_number(number: Number | None, value: str, status: str) -> Row:
    return {value: number.value, status: number.status or None} if number else {}


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
