"""Verdicts as rows: the same stable fields for the command line, Python, indicators.duckdb and exports.

Belongs here: what a row of a verdict, and everything behind one, is called. Does not belong here: judging (verdicts), and how a
page or a terminal shows a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from warehouse.papers import wording
from warehouse.papers.model import Paper, Statement, Words
from warehouse.papers.results import WORDS, Judged, Seen, Tried, Verdict
from warehouse.papers.verdicts import judging

Row = dict[str, Any]
_KNOWN = "from when the public could know that value, UTC"
_FLAGS = "the provider's flags of the observations behind it, joined by ;"
#: The fields of a row, in their order: type and meaning.
MEANING: dict[str, tuple[type, str]] = {
    "id": (str, "the statement: a claim, or a cell of a table"),
    "paper": (str, "the paper"),
    "exhibit": (str, "the figure or table it belongs to"),
    "verdict": (str, "what the warehouse says of it; docs/papers.md has the list"),
    "verdict_zh": (str, "the verdict in Chinese"),
    "says": (str, "the statement in our words"),
    "says_zh": (str, "the statement in Chinese"),
    "period": (str, "of the statement, as printed"),
    "printed": (str, "the number as printed, every digit, with the sense of its hedge"),
    "unit": (str, "of printed, then, before, after, now and margin"),
    "scale": (int, "power of ten by which printed, then, before, after and now count: 8 for 亿"),
    "then": (float, "value in the vintage of the paper's days; null: none is held, or there are several numbers"),
    "then_known_from": (str, _KNOWN),
    "then_status": (str, _FLAGS),
    "before": (float, "value in the nearest vintage before the paper's days"),
    "before_known_from": (str, _KNOWN),
    "before_status": (str, _FLAGS),
    "after": (float, "value in the nearest vintage after the paper's days"),
    "after_known_from": (str, _KNOWN),
    "after_status": (str, _FLAGS),
    "now": (float, "value in the newest vintage"),
    "now_known_from": (str, _KNOWN),
    "now_status": (str, _FLAGS),
    "then_vintages": (str, "the vintages behind then, joined by ;"),
    "now_vintages": (str, "the vintages behind now, joined by ;"),
    "stands": (bool, "whether the statement is as printed in the newest vintage"),
    "holds": (str, "how many of its numbers are as printed, such as 4 of 6"),
    "which": (str, "the numbers that are not, joined by ;"),
    "tried": (int, "how many readings could be computed"),
    "agreeing": (int, "how many of them agree"),
    "margin": (float, "how far the value is outside of what the printed number allows; 0: within"),
    "rule": (str, "how the printed number was compared"),
    "rule_zh": (str, "the rule in Chinese"),
    "cause": (str, "what revised the number since"),
    "cause_zh": (str, "the cause in Chinese"),
    "correction": (str, "what would fit, where the paper contradicts itself"),
    "correction_zh": (str, "the correction in Chinese"),
    "why": (str, "why nothing was computed"),
    "why_zh": (str, "the same in Chinese"),
    "source": (str, "the source as the paper names it"),
    "source_basis": (str, "whether the paper names the source, or it was assigned by us"),
}
FIELDS = tuple(MEANING)


def of(judged: Judged) -> Row:
    """One verdict as a flat row, with the fields of MEANING; what there is none of is null."""
    statement, chosen = judged.statement, judged.chosen
    unit, scale = counted_in(statement, chosen)
    row = _both("says", statement.says) | {
        "id": statement.id,
        "paper": judged.paper.id,
        "exhibit": statement.exhibit or _exhibit(judged.paper, statement),
        "period": statement.period,
        "printed": printed(statement),
        "unit": unit,
        "scale": scale,
        "source": statement.source,
        "source_basis": statement.source_basis,
    }
    row |= _numbers(judged) | _outcome(judged)
    return {name: row[name] for name in FIELDS}


def _numbers(judged: Judged) -> Row:
    """What each state says that matters."""
    row: Row = {}
    for name in ("then", "before", "after", "now"):
        state: Seen | None = getattr(judged.chosen, name, None)
        row[name] = one(state, judged)
        row[f"{name}_known_from"] = state.known_from if state else None
        row[f"{name}_status"] = status(state)
        row[f"{name}_vintages"] = ";".join(sorted(state.vintages.values())) if state else None
    return row


def _outcome(judged: Judged) -> Row:
    """The verdict, and what speaks for it."""
    chosen = judged.chosen
    row = _both("verdict", WORDS[judged.verdict]) | {
        "stands": chosen.now.holds if chosen and chosen.now else None,
        "holds": "{} of {}".format(*judged.holds) if judged.holds else None,
        "which": ";".join(judged.which) or None,
        "tried": judged.tried,
        "agreeing": judged.agreeing,
        "margin": _counted(judged.margin, judged.statement, chosen),
    }
    for name in ("rule", "cause", "correction", "why"):
        row |= _both(name, getattr(judged, name))
    return row


def behind(judged: Judged) -> Row:
    """Everything behind a verdict: the row's fields, the paper with its cutoff, evidence, and every reading in every state."""
    row = of(judged)
    cutoff = judged.paper.cutoff
    return row | {
        "printed_zh": wording.printed(judged.statement, "zh"),
        "period_zh": wording.period(judged.statement.period, "zh"),
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

    Where none of its days are held, against what `beside` gives.
    """
    chosen = judged.chosen
    if chosen is None or chosen.now is None:
        return False
    then = chosen.then or beside(judged.paper, chosen.before, chosen.after)
    return then is not None and (
        then.held != chosen.now.held or _as_printed(then, judged) != _as_printed(chosen.now, judged)
    )


def beside(paper: Paper, before: Seen | None, after: Seen | None) -> Seen | None:
    """Of the states on either side of a paper's days the one that stands for them: that is as printed, else the nearer."""
    near = judging.nearest(paper.cutoff, before, after)
    return next((seen for seen in near if seen.holds), near[0] if near else None)


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
    """The number as printed, with the sense in which it is, in English: "4.6", "> 40", "10 … 15", "2/3"; "" where none is."""
    return wording.printed(statement, "en")


def one(state: Seen | None, judged: Judged) -> float | None:
    """The one number of a state of the reading that decides, counted as the printed one is; null where there is not one."""
    numbers = values(state, judged)
    return numbers[0] if len(numbers) == 1 else None


def values(state: Seen | None, judged: Judged) -> list[float | None]:
    """The numbers of a state of the reading that decides, in the statement's unit times ten to the power of its scale."""
    if state is None or judged.chosen is None:
        return []
    return [_counted(number.value, judged.statement, judged.chosen) for number in state.numbers]


def counted_in(statement: Statement, tried: Tried | None) -> tuple[str, int]:
    """The unit, and the power of ten, in which numbers are told: the statement's, or that of a reading that has its own."""
    return (tried.unit, 0) if tried and tried.own_unit else (statement.unit, statement.scale)


def status(state: Seen | None) -> str | None:
    """The provider's flags of all observations behind a state's numbers, joined by ;; null without any."""
    flags = {flag for number in state.numbers for flag in number.status.split(";")} if state else set()
    return ";".join(sorted(flags - {""})) or None


def _as_printed(state: Seen, judged: Judged) -> list[float | None]:
    """The numbers of a state with as many digits behind the point as the paper prints."""
    texts = judged.statement.printed or ()
    digits = max((len(text.partition(".")[2]) for text in ([texts] if isinstance(texts, str) else texts)), default=None)
    numbers = values(state, judged)
    return numbers if digits is None else [None if one is None else round(one, digits) for one in numbers]


def _counted(value: float | None, statement: Statement, tried: Tried | None) -> float | None:
    """A value of a reading in the statement's unit times ten to the power of its scale; in its own where they do not compare."""
    if value is None or tried is None or tried.own_unit:
        return value if tried else None
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
                "status": number.status,
                "missing": list(number.missing),
                "ties": number.ties,
                "margin": number.margin,
                "coverage": "{} of {}".format(*number.coverage) if number.coverage else None,
            }
            for number in state.numbers
        ],
    }
