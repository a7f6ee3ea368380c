"""Verdicts as rows: the same stable fields for the command line, Python, indicators.duckdb and exports.

Belongs here: what a row of a verdict, and everything behind one, is called. Does not belong here: judging (verdicts), and how a
page or a terminal shows a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from warehouse.papers.model import Paper, Statement, Words
from warehouse.papers.results import WORDS, Judged, Seen, Tried, Verdict

Row = dict[str, Any]
#: The words of senses in front of a printed number.
_SIGNS = {
    "about": "about ", "near": "near ", "above": "> ", "at least": "≥ ", "more than": "> ", "below": "< ", "at most": "≤ ",
    "short of": "just under ", "rank": "rank ",
}  # fmt: skip

#: The fields of a row, in their order; `of` says what each is.
FIELDS = (
    "id", "paper", "exhibit", "verdict", "verdict_zh", "says", "says_zh", "period", "printed", "unit", "scale", "then",
    "then_known_from", "before", "before_known_from", "after", "after_known_from", "now", "now_known_from", "then_vintages",
    "now_vintages", "stands", "holds", "which", "tried", "agreeing", "margin", "rule", "rule_zh", "cause", "cause_zh",
    "correction", "correction_zh", "why", "why_zh", "source", "source_basis",
)  # fmt: skip


def of(judged: Judged) -> Row:
    """One verdict as a flat row.

    id, paper, exhibit; says, says_zh: the statement in our words; period; printed: the number as printed, with the sense of its
    hedge; then, before, after, now: the value in the vintage of the paper's days, in the nearest held on either side, and in
    the newest, in `unit` times ten to the power of `scale` (null where there are several numbers, or none); *_known_from (UTC);
    then_vintages, now_vintages: the vintages that answer, joined by ;; verdict, verdict_zh; stands: whether it is as printed in
    the newest vintage; holds ("4 of 6") and which fail; tried and agreeing: readings; margin: how far the value is outside the
    rule, counted alike; rule, cause, correction and why, in English and (_zh) Chinese; source as the paper names it, and
    source_basis.
    """
    statement, chosen = judged.statement, judged.chosen
    seen = {name: getattr(chosen, name) if chosen else None for name in ("then", "before", "after", "now")}
    row: Row = {
        "id": statement.id,
        "paper": judged.paper.id,
        "exhibit": statement.exhibit or _exhibit(judged.paper, statement),
        "verdict": judged.verdict.value,
        "verdict_zh": WORDS[judged.verdict].zh,
        "says": statement.says.en,
        "says_zh": statement.says.zh,
        "period": statement.period,
        "printed": printed(statement),
        "unit": statement.unit,
        "scale": statement.scale,
    }
    for name, state in seen.items():
        row[name] = one(state, judged)
        row[f"{name}_known_from"] = state.known_from if state else None
    for name in ("then", "now"):
        state = seen[name]
        row[f"{name}_vintages"] = ";".join(sorted(state.vintages.values())) if state else None
    row |= {
        "stands": chosen.now.holds if chosen and chosen.now else None,
        "holds": "{} of {}".format(*judged.holds) if judged.holds else None,
        "which": ";".join(judged.which) or None,
        "tried": judged.tried,
        "agreeing": judged.agreeing,
        "margin": _counted(judged.margin, statement, chosen),
    }
    for name in ("rule", "cause", "correction", "why"):
        row |= _both(name, getattr(judged, name))
    return row | {"source": statement.source, "source_basis": statement.source_basis}


def behind(judged: Judged) -> Row:
    """Everything behind a verdict: the row's fields, the paper with its cutoff, evidence, and every reading in every state."""
    row = of(judged)
    cutoff = judged.paper.cutoff
    return row | {
        "paper_title": judged.paper.title.en,
        "paper_title_zh": judged.paper.title.zh,
        "cutoff": {
            "earliest": cutoff.earliest.isoformat(),
            "latest": cutoff.latest.isoformat(),
            **_both("evidence", cutoff.evidence),
        },
        "note": judged.statement.note.en if judged.statement.note else None,
        "evidence": [words.en for words in judged.evidence],
        "evidence_zh": [words.zh for words in judged.evidence],
        "readings": [_reading(tried, judged) for tried in judged.readings],
    }


def has_changed(judged: Judged) -> bool:
    """Whether a reader of the paper sees another number, or another answer, in the newest data than in those of its days.

    Where none of its days are held, against the nearest before, or else the nearest after.
    """
    chosen = judged.chosen
    if chosen is None or chosen.now is None:
        return False
    then = chosen.then or chosen.before or chosen.after
    return then is not None and (
        then.held != chosen.now.held or _as_printed(then, judged) != _as_printed(chosen.now, judged)
    )


def counts(judged: Iterable[Judged]) -> list[Row]:
    """The state of every paper: paper, title, title_zh, statements, and one column a verdict (0 where there is none)."""
    papers: dict[str, tuple[Paper, Counter[Verdict]]] = {}
    for one_of_them in judged:
        paper = one_of_them.paper
        papers.setdefault(paper.id, (paper, Counter()))[1][one_of_them.verdict] += 1
    return [
        {"paper": paper.id, "title": paper.title.en, "title_zh": paper.title.zh, "statements": counted.total()}
        | {verdict.value: counted[verdict] for verdict in Verdict}
        for paper, counted in papers.values()
    ]


def printed(statement: Statement) -> str:
    """The number as printed, with the sense in which it is: "4.6", "> 40", "10 … 15", "2/3"; "" where none is."""
    number = statement.printed
    if isinstance(number, tuple):
        return " … ".join(number)
    if number is None:
        return statement.also_printed or ""
    return f"{_SIGNS.get(statement.sense, '')}{number}"


def one(state: Seen | None, judged: Judged) -> float | None:
    """The one number of a state of the reading that decides, counted as the printed one is; null where there is not one."""
    numbers = values(state, judged)
    return numbers[0] if len(numbers) == 1 else None


def values(state: Seen | None, judged: Judged) -> list[float | None]:
    """The numbers of a state of the reading that decides, in the statement's unit times ten to the power of its scale."""
    if state is None or judged.chosen is None:
        return []
    return [_counted(number.value, judged.statement, judged.chosen) for number in state.numbers]


def _as_printed(state: Seen, judged: Judged) -> list[float | None]:
    """The numbers of a state with as many digits behind the point as the paper prints."""
    texts = judged.statement.printed or ()
    digits = max((len(text.partition(".")[2]) for text in ([texts] if isinstance(texts, str) else texts)), default=None)
    numbers = values(state, judged)
    return numbers if digits is None else [None if one is None else round(one, digits) for one in numbers]


def _counted(value: float | None, statement: Statement, tried: Tried | None) -> float | None:
    """A value of a reading in the statement's unit times ten to the power of its scale."""
    if value is None or tried is None:
        return None
    return float(Decimal(repr(value)).scaleb(-statement.scale) / Decimal(repr(tried.factor)))


def _exhibit(paper: Paper, statement: Statement) -> str | None:
    return next((one.id for one in paper.exhibits if any(cell.id == statement.id for cell in one.cells)), None)


def _both(name: str, words: Words | None) -> Row:
    return {name: words.en if words else None, f"{name}_zh": words.zh if words else None}


def _reading(tried: Tried, judged: Judged) -> Row:
    reading = tried.reading
    told: Mapping[str, Words | None] = {"proxy": reading.proxy, "assume": reading.assume, "changed": reading.changed}
    notes: Row = {}
    for name, words in told.items():
        notes |= _both(name, words) if words else {}
    return {
        "number": tried.number,
        "decides": tried is judged.chosen,
        "alone": tried.outcome.value,
        "formula": reading.use,
        "series": list(tried.series),
        "unit": tried.unit,
        **notes,
        **(_both("why", tried.why) if tried.why else {}),
        "states": [_state(name, state, judged.statement, tried) for name, state in _named(tried)],
    }


def _named(tried: Tried) -> list[tuple[str, Seen]]:
    """The states of a reading with what they are to the paper (then, now, ...), oldest first."""
    names: dict[str, list[str]] = {}
    held = {state.known_from: state for state in tried.states}
    for name in ("before", "then", "after", "now"):
        state: Seen | None = getattr(tried, name)
        if state is not None:
            held[state.known_from] = state
            names.setdefault(state.known_from, []).append(name)
    return [(", ".join(names.get(known, [])), held[known]) for known in sorted(held)]


def _state(name: str, state: Seen, statement: Statement, tried: Tried) -> Row:
    return {
        "when": name,
        "known_from": state.known_from,
        "precision": state.precision,
        "basis": state.basis,
        "vintages": state.vintages,
        "holds": f"{state.held} of {state.asked}",
        "numbers": [
            {
                "period": number.period,
                "entity": number.entity,
                "partner": number.partner,
                "value": _counted(number.value, statement, tried),
                "holds": number.holds,
                "missing": list(number.missing),
                "ties": number.ties,
                "margin": number.margin,
                "coverage": "{} of {}".format(*number.coverage) if number.coverage else None,
            }
            for number in state.numbers
        ],
    }
