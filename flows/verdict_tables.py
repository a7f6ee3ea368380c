"""How the command line prints verdicts: tables for people, in English or Chinese, and all fields for programs.

Belongs here: which fields people see, and in which words. The fields are those of warehouse/papers/rows.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flows import output
from flows.output import Format

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
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
    output.rows([row for row in table if row["all"]], form, profile=profile, empty="no paper")
    for state in found:
        print(f"{state['paper']}  {state['statements']}  {state['title' if lang is Language.EN else 'title_zh']}")


def statements(
    judged: Sequence[Judged], catalogue: Catalogue, form: Format, lang: Language, profile: str, *, changed: bool = False
) -> None:
    """A row a statement; a table has a few of the columns, and `changed` ones tell what changed and why."""
    from warehouse.papers import rows

    found = [rows.of(one) for one in judged]
    if form is Format.TABLE:
        pairs = zip(judged, found, strict=True)
        found = [_for_people(one, row, catalogue, lang, changed=changed) for one, row in pairs]
    output.rows(found, form, profile=profile, empty="no such statement")


def claim(found: Mapping[str, Any], form: Format, lang: Language, profile: str) -> None:
    """Everything behind a verdict; for people its facts, a table a reading, and how to get to the bytes."""
    if form is not Format.TABLE:
        return output.tree(found, form, profile=profile)
    output.warn(profile)
    told = _in(found, lang)
    cutoff = told["cutoff"]
    facts = {name: value for name, value in told.items() if name not in _ELSEWHERE and value is not None}
    facts |= {"unit": _unit(told["unit"], told["scale"])}
    facts |= {"paper": f"{told['paper']}  {told['paper_title']}"}
    facts |= {"days": f"{cutoff['earliest']} – {cutoff['latest']}: {cutoff['evidence']}"}
    for name, value in facts.items():
        print(f"{name:<18} {_word(value)}")
    for line in told["evidence"]:
        print(f"{'evidence':<18} {line}")
    for reading in told["readings"]:
        _reading(reading)
    for command in told["lineage"]:
        print(command)


def exhibit(table: Sequence[Mapping[str, Any]], form: Format, lang: Language, profile: str) -> None:
    """The rows of a figure or table; a table has them in one language, and without the ids of vintages."""
    if form is Format.TABLE:
        table = [_in(row, lang) | {"unit": _unit(row["unit"], row["scale"])} for row in table]
    left_out = ("exhibit", "scale", "then_vintage", "vintage")
    output.rows(table, form, profile=profile, leave_out=left_out, empty="nothing of it is held, and no cell printed")


def _for_people(
    judged: Judged, row: Mapping[str, Any], catalogue: Catalogue, lang: Language, *, changed: bool
) -> dict[str, Any]:
    chosen = judged.chosen
    told = {
        "id": row["id"],
        "printed": row["printed"],
        "then": _then(judged, lang),
        "now": _numbers(chosen.now, judged) if chosen else None,
        "unit": _unit(getattr(catalogue.units[row["unit"]].name, lang.value), row["scale"]),
    }
    text = _in(row, lang)
    if changed:
        return told | {"stands": _word(row["stands"]), "cause": text["cause"], "says": text["says"]}
    return told | {"verdict": text["verdict"], "holds": row["holds"], "says": text["says"], "why": text["why"]}


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


def _reading(reading: Mapping[str, Any]) -> None:
    """A reading as a heading and a table of what each state of the data says."""
    decides = ", decides" if reading["decides"] else ""
    print(
        f"\nreading {reading['number']}: {reading['formula']} of {', '.join(reading['series'])}: {reading['alone']}{decides}"
    )
    for name in ("proxy", "assume", "changed", "why"):
        if reading.get(name):
            print(f"  {name}: {reading[name]}")
    table = [
        {
            "when": state["when"],
            "known_from": state["known_from"],
            "basis": state["basis"],
            **{name: number[name] for name in ("period", "entity", "partner", "value")},
            "holds": _word(number["holds"]),
            "missing": ", ".join(number["missing"]),
            "ties": number["ties"] or None,
            "next": number["margin"],
            "coverage": number["coverage"],
            "vintages": ", ".join(f"{part} {vintage}" for part, vintage in state["vintages"].items()),
        }
        for state in reading["states"]
        for number in state["numbers"]
    ]
    if table:
        output.rows(table, Format.TABLE)


def _unit(unit: str, scale: int) -> str:
    return f"{unit} × 10^{scale}" if scale else unit


def _word(value: Any) -> str:
    """A value for people; no is an answer, too."""
    return "no" if value is False else output.short(value)


def _in(found: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    """The fields in one language, under the names without an ending."""
    told: dict[str, Any] = {}
    for name, value in found.items():
        doubled, base = f"{name}_zh" in found, name.removesuffix("_zh")
        if (doubled and lang is Language.ZH) or (base != name and base in found and lang is Language.EN):
            continue
        if isinstance(value, Mapping):
            value = _in(value, lang)
        elif isinstance(value, list):
            value = [_in(one, lang) if isinstance(one, Mapping) else one for one in value]
        told[base] = value
    return told
