"""What a publish changes in what we say of the papers: the statements whose verdict differs, foreseen and afterwards.

Belongs here: which statements a part concerns, comparing their verdicts before and after, and telling the difference to an
editor. Does not belong here: judging (verdicts), and whom a change is told (flows/verdict_step.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from sqlalchemy import or_, select

from warehouse import ledger
from warehouse.papers import rows, wording
from warehouse.papers.model import Statement
from warehouse.papers.results import WORDS, Judged, Seen, Verdict
from warehouse.papers.vocabulary import vocabulary

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held
    from warehouse.staging import Staged
    from warehouse.store import Warehouse

Language = Literal["en", "zh"]
#: From best to worst, the verdicts by which observations bear a printed number out.
REPRODUCING = (Verdict.REPRODUCED, Verdict.REVISED, Verdict.NEIGHBOUR, Verdict.BRACKETED, Verdict.ASSUMED)
_SHOWN = 6  # numbers of a statement that has many
#: What a batch records, before it is published, of the changes that a publish makes: {"en": lines, "zh": lines}.
TOLD = "verdicts_told"


@dataclass(frozen=True)
class Change:
    """A statement whose verdict is another than before."""

    before: Judged
    after: Judged

    @property
    def id(self) -> str:
        """The statement's."""
        return self.after.statement.id

    def told(self, language: Language = "en") -> str:
        """The sentence in our words, what is printed, then and now, both verdicts, and the cause, in one line."""
        says, before, after = self._word(language, "says"), WORDS[self.before.verdict], WORDS[self.after.verdict]
        statement = self.after.statement
        chosen = self.after.chosen or self.before.chosen
        states: tuple[Seen | None, ...] = (None, None, None)
        if chosen:
            states = (chosen.then, rows.beside(self.after.paper, chosen.before, chosen.after), chosen.now)
        then, near, now = (_numbers(seen, self.after) for seen in states)
        printed = wording.printed(statement, language) or "–"
        cause = self._word(language, "cause")
        name, _ = rows.counted_in(statement, chosen)
        unit = vocabulary().units[name].name.zh if name in vocabulary().units else name
        if language == "zh":
            held = then or (f"数据版本缺失（最近 {near}）" if near else "–")
            told = (
                f"{self.id}　{says}：文中 {printed}；当时 {held}；现在 {now or '–'}（{unit}）。{before.zh} → {after.zh}"
            )
            return told + (f"。原因：{cause}" if cause else "")
        held = then or (f"not held (nearest {near})" if near else "–")
        told = f"{self.id}: {says}; printed {printed}, then {held}, now {now or '–'} ({name}): {before.en} → {after.en}"
        return told + (f". Cause: {cause}" if cause else "")

    def _word(self, language: Language, name: str) -> str:
        words = self.after.statement.says if name == "says" else self.after.cause
        return str(getattr(words, language)) if words else ""


@dataclass(frozen=True)
class Golden:
    """A printed statement that the published data bear out, and what becomes of it."""

    id: str
    says: str
    printed: str
    before: Verdict
    after: Verdict

    @property
    def lost(self) -> bool:
        """Whether it is borne out less than before, or no more."""
        return self.after not in REPRODUCING[: REPRODUCING.index(self.before) + 1]


@dataclass(frozen=True)
class Foreseen:
    """What staged vintages will do to the papers once they are published. `error`: why that could not be found out, for some of
    them, or, where it `failed`, for any."""

    changes: tuple[Change, ...] = ()
    goldens: tuple[Golden, ...] = field(default=(), repr=False)
    error: str | None = None
    failed: bool = False


def between(before: Mapping[str, Judged], after: Mapping[str, Judged]) -> list[Change]:
    """The statements that both judge, with another verdict, in the order of `after`."""
    pairs = ((before[name], judged) for name, judged in after.items() if name in before)
    return [Change(*pair) for pair in pairs if pair[0].verdict is not pair[1].verdict]


def told(changes: Iterable[Change]) -> str:
    """All changes as a list, in English and then in Chinese."""
    changed = list(changes)
    lines = [*(one.told("en") for one in changed), *(one.told("zh") for one in changed)]
    return "\n".join(f"- {line}" for line in lines)


def forecast(warehouse: Warehouse, catalogue: Catalogue, staged: Sequence[Staged]) -> Foreseen:
    """What publishing staged vintages will change, of the statements that rest on parts of which something was held before."""
    from warehouse.papers import inputs, verdicts

    parts = {_part(item.row) for item in staged}
    first = {_part(item.row) for item in staged if item.counts.get("predecessor_id") is None}
    if parts == first:
        return Foreseen()
    needed = _needed(catalogue, {item.row["dataset"] for item in staged})
    with inputs.hold(warehouse, needed, staged=staged) as held:
        wanted = concerned([held], needed, parts, without=first)
        after = verdicts.judge(held, catalogue, wanted)
    if not wanted:
        return Foreseen()
    with inputs.hold(warehouse, needed) as held:
        before = verdicts.judge(held, catalogue, wanted)
    goldens = tuple(
        Golden(name, one.statement.says.en, rows.printed(one.statement), one.verdict, after[name].verdict)
        for name, one in before.items()
        if one.verdict in REPRODUCING
    )
    return Foreseen(tuple(between(before, after)), goldens)


def of_edition(
    warehouse: Warehouse, catalogue: Catalogue, edition: int, wanted: Collection[str] | None = None
) -> list[Change]:
    """What an edition changed against the one before it, of some statements (None: of all that rest on what it changed, but for
    parts that it published for the first time)."""
    from warehouse.papers import inputs, verdicts

    if edition == 1:
        return []
    moved, first = _moved(warehouse, edition)
    needed = _needed(catalogue, {part.partition("/")[0] for part in moved})
    with (
        inputs.hold(warehouse, needed, edition=edition - 1) as older,
        inputs.hold(warehouse, needed, edition=edition) as newer,
    ):
        if wanted is None:
            wanted = concerned([older, newer], needed, moved, without=first)
        return between(*(verdicts.judge(held, catalogue, wanted) for held in (older, newer)))


def _moved(warehouse: Warehouse, edition: int) -> tuple[set[str], set[str]]:
    """The parts of which an edition changed something, and those of them of which nothing was held before."""
    columns = ledger.line.c
    moved = select(columns.dataset, columns.part).where(
        or_(columns.published_in == edition, columns.voided_in == edition)
    )
    held_before = select(columns.dataset, columns.part).where(columns.published_in < edition)
    with warehouse.engine.connect() as connection:
        parts = {"/".join(pair) for pair in connection.execute(moved.distinct()).tuples()}
        known = {"/".join(pair) for pair in connection.execute(held_before.distinct()).tuples()}
    return parts, parts - known


def concerned(
    held: Iterable[Held], catalogue: Catalogue, parts: Collection[str], *, without: Collection[str] = ()
) -> list[str]:
    """The statements that rest on one of these parts ("dataset/part") and on none of `without`, as far as they are held, and
    those whose verdict a check ties to one of them; in the order of the papers."""
    stores = list(held)
    answering = {name: _parts_of(stores, name) for name in catalogue.measures}
    found: set[str] = set()
    for name, (_, statement) in catalogue.statements.items():
        resting = set().union(*(answering.get(one, set()) for one in _measures(catalogue, statement)))
        if resting & set(parts) and not resting & set(without):
            found.add(name)
    found |= _tied(catalogue, found)
    return [name for name in catalogue.statements if name in found]


def _needed(catalogue: Catalogue, datasets: Collection[str]) -> Catalogue:
    """The catalogue with the measures alone that a verdict resting on one of these datasets may need, so that less is read."""
    near = {name for name, one in catalogue.measures.items() if one.series.partition(":")[0] in datasets}
    used = {name: _measures(catalogue, one) for name, (_, one) in catalogue.statements.items()}
    found = {name for name, measures in used.items() if measures & near}
    while more := _tied(catalogue, found) - found:
        found |= more
    wanted = set().union(*(used[name] for name in found))
    return replace(catalogue, measures={name: one for name, one in catalogue.measures.items() if name in wanted})


def _measures(catalogue: Catalogue, statement: Statement) -> set[str]:
    """The measures of all readings of a statement."""
    return {name for reading in statement.readings for name in catalogue.measures_of(reading).values()}


def _parts_of(held: Iterable[Held], measure: str) -> set[str]:
    """The parts whose vintages answer for a measure."""
    return {part for one in held for state in one.states([measure]) for part in state.vintages}


def _tied(catalogue: Catalogue, found: Collection[str]) -> set[str]:
    """The statements that a check makes doubtful when it fails, and in which one of those found takes part."""
    tied: set[str] = set()
    for check in (*(check for paper in catalogue.papers.values() for check in paper.checks), *catalogue.cross):
        involved = {*check.let.values(), *check.among, *check.about, *filter(None, [check.against])}
        if involved & set(found):
            tied |= {*check.about, *check.among}
    return tied


def _numbers(seen: Seen | None, judged: Judged) -> str:
    """The numbers of a state, counted as the printed one is, and since when they were known; "" without one."""
    if seen is None:
        return ""
    values = ["–" if one is None else f"{one:.6g}" for one in rows.values(seen, judged)]
    more = f", … ({len(values)})" if len(values) > _SHOWN else ""
    return f"{', '.join(values[:_SHOWN])}{more} [{seen.day}]"


def _part(row: Mapping[str, str]) -> str:
    return f"{row['dataset']}/{row['part']}"
