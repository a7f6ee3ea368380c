"""How the command line prints verdicts: tables for people, in English or Chinese, and all fields for programs.

Belongs here: which fields people see, and in which words. The fields are those of warehouse/papers/rows.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flows import output, verdict_words
from flows.output import Format

if TYPE_CHECKING:
    from warehouse.papers.results import Judged, Seen

#: Fields of `claim` that a table shows in another place.
_ELSEWHERE = {"readings", "lineage", "evidence", "cutoff", "paper_title", "scale", "then_vintages", "now_vintages"}
_AROUND = {"en": {"before": "before", "after": "after"}, "zh": {"before": "此前", "after": "此后"}}


class Language(StrEnum):
    """In which language statements and verdicts are told."""

    EN = "en"
    ZH = "zh"


def states(judged: Iterable[Judged], form: Format, lang: Language, profile: str) -> None:
    """The state of every paper: a row a paper for programs; for people a row a verdict, and a column a paper."""
    from warehouse.papers import rows
    from warehouse.papers.results import WORDS, Verdict

    found = rows.counts(judged)
    if form is not Format.TABLE:
        return output.rows(found, form, profile=profile)
    table = [
        {"verdict": getattr(WORDS[verdict], lang.value)}
        | {state["paper"]: state[verdict.value] or None for state in found}
        | {"all": sum(state[verdict.value] for state in found)}
        for verdict in Verdict
    ]
    shown = [verdict_words.headed(row, lang) for row in table if row["all"]]
    output.rows(shown, form, profile=profile, empty="no paper")
    for state in found:
        print(f"{state['paper']}  {state['statements']}  {state['title' if lang is Language.EN else 'title_zh']}")


def statements(judged: Sequence[Judged], form: Format, lang: Language, profile: str, *, changed: bool = False) -> None:
    """A row a statement; a table has a few of the columns, and `changed` ones tell what changed and why."""
    from warehouse.papers import rows

    found = [rows.of(one) for one in judged]
    if form is Format.TABLE:
        pairs = zip(judged, found, strict=True)
        told = (_for_people(one, row, lang, changed=changed) for one, row in pairs)
        found = [verdict_words.headed(row, lang) for row in told]
    output.rows(found, form, profile=profile, empty="no such statement")


def claim(found: Mapping[str, Any], form: Format, lang: Language, profile: str) -> None:
    """Everything behind a verdict; for people its facts, a table a reading, and how to get to the bytes."""
    if form is not Format.TABLE:
        return output.tree(found, form, profile=profile)
    output.warn(profile)
    told = _in(found, lang)
    cutoff = told["cutoff"]
    facts = {name: value for name, value in told.items() if name not in _ELSEWHERE and value is not None}
    facts |= {"unit": verdict_words.unit(told["unit"], told["scale"], lang)}
    facts |= {"paper": f"{told['paper']}  {told['paper_title']}"}
    facts |= {"days": f"{cutoff['earliest']} – {cutoff['latest']}: {cutoff['evidence']}"}
    facts |= {name: verdict_words.value(facts[name], lang) for name in ("source_basis", "holds") if name in facts}
    for name, value in (*facts.items(), *(("evidence", line) for line in told["evidence"])):
        print(f"{_padded(verdict_words.field(name, lang))} {_word(value, lang)}")
    for reading in told["readings"]:
        _reading(reading, lang)
    for command in told["lineage"]:
        print(command)


def exhibit(table: Sequence[Mapping[str, Any]], form: Format, lang: Language, profile: str) -> None:
    """The rows of a figure or table; a table has them in one language, and without the ids of vintages."""
    if form is Format.TABLE:
        hidden = ("exhibit", "scale", "then_vintage", "vintage")
        told = [{name: value for name, value in _in(row, lang).items() if name not in hidden} for row in table]
        for seen, row in zip(told, table, strict=True):
            seen["unit"] = verdict_words.unit(row["unit"], row["scale"], lang)
            seen["then_is"] = row["then_is"] and verdict_words.value(row["then_is"], lang)
        table = [verdict_words.headed(row, lang) for row in told]
    output.rows(table, form, profile=profile, empty="nothing of it is held, and no cell printed")


def exhibits(found: Sequence[Mapping[str, Any]], form: Format, lang: Language, profile: str) -> None:
    """A row a figure or table, with the verdict on it as a whole."""
    if form is Format.TABLE:
        shown = ("exhibit", "verdict", "borne_out", "of", "title")
        table = [{name: value for name, value in _in(row, lang).items() if name in shown} for row in found]
        found = [verdict_words.headed(row, lang) for row in table]
    output.rows(found, form, profile=profile, empty="no figure and no table")


def _for_people(judged: Judged, row: Mapping[str, Any], lang: Language, *, changed: bool) -> dict[str, Any]:
    from warehouse.papers import wording

    chosen = judged.chosen
    told = {
        "id": row["id"],
        "printed": wording.printed(judged.statement, lang.value),
        "then": _then(judged, lang),
        "now": _numbers(chosen.now, judged) if chosen else None,
        "unit": verdict_words.unit(row["unit"], row["scale"], lang),
    }
    text = _in(row, lang)
    if changed:
        return told | {"stands": _word(row["stands"], lang), "cause": text["cause"], "says": text["says"]}
    return told | {
        "verdict": text["verdict"],
        "holds": row["holds"] and verdict_words.value(row["holds"], lang),
        "says": text["says"],
        "why": text["why"],
    }


def _then(judged: Judged, lang: Language) -> str | None:
    """The numbers of the paper's days; without a vintage of them the nearest on either side, which is said."""
    chosen = judged.chosen
    if chosen is None or chosen.then is not None:
        return _numbers(chosen.then, judged) if chosen else None
    near = {name: _numbers(getattr(chosen, name), judged) for name in ("before", "after")}
    return ", ".join(f"{text} ({_AROUND[lang.value][name]})" for name, text in near.items() if text) or None


def _numbers(state: Seen | None, judged: Judged) -> str | None:
    """One number, or the least and the greatest of several, with six figures."""
    from warehouse.papers import rows

    values = sorted(value for value in rows.values(state, judged) if value is not None)
    ends: Collection[str] = dict.fromkeys(f"{value:.6g}" for value in (*values[:1], *values[-1:]))
    return " … ".join(ends) or None


def _reading(reading: Mapping[str, Any], lang: Language) -> None:
    """A reading as a heading and a table of what each state of the data says."""
    from warehouse.papers.results import WORDS, Verdict

    english = lang is Language.EN
    decides = (", decides" if english else "，判定以此为据") if reading["decides"] else ""
    of = f"{reading['formula']}{' of ' if english else '：'}{', '.join(reading['series'])}"
    alone = getattr(WORDS[Verdict(reading["alone"])], lang.value)
    print(f"\n{verdict_words.field('reading', lang)} {reading['number']}: {of}: {alone}{decides}")
    for name in ("proxy", "assume", "changed", "why"):
        if reading.get(name):
            print(f"  {verdict_words.field(name, lang)}: {reading[name]}")
    table = [
        {
            "when": verdict_words.value(state["when"], lang),
            "known_from": state["known_from"],
            "basis": verdict_words.value(state["basis"], lang),
            "period": number["period"],
            **{name: verdict_words.area(number[name], lang) for name in ("entity", "partner")},
            "value": number["value"],
            "status": number["status"] or None,
            "holds": _word(number["holds"], lang),
            "missing": ", ".join(number["missing"]),
            "ties": number["ties"] or None,
            "next": number["margin"],
            "coverage": number["coverage"] and verdict_words.value(number["coverage"], lang),
            "vintages": ", ".join(f"{part} {vintage}" for part, vintage in state["vintages"].items()),
        }
        for state in reading["states"]
        for number in state["numbers"]
    ]
    if table:
        output.rows([verdict_words.headed(row, lang) for row in table], Format.TABLE)


def _word(value: Any, lang: Language) -> str:
    """A value for people; no is an answer, too."""
    told = "no" if value is False else output.short(value)
    return verdict_words.value(told, lang) if isinstance(value, bool) else told


def _padded(name: str) -> str:
    """A name as wide as the others; a Chinese sign takes two places."""
    from rich.cells import set_cell_size

    return set_cell_size(name, 18)


def _in(found: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    """The fields in one language, under the names without an ending."""
    told: dict[str, Any] = {}
    for name, value in found.items():
        base = name.removesuffix("_zh")
        if base != name and base in found:
            continue
        if lang is Language.ZH:
            value = found.get(f"{name}_zh", value)
        if isinstance(value, Mapping):
            value = _in(value, lang)
        elif isinstance(value, list):
            value = [_in(one, lang) if isinstance(one, Mapping) else one for one in value]
        told[base] = value
    return told
