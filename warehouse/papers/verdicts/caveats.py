"""What a reader must know besides a verdict: whose source it is, how sure the moment, what is missing, broken or close.

Belongs here: the evidence beside a verdict, in words. Does not belong here: the verdict (judging) and why a number was revised
(causes_told).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warehouse.papers import formulas
from warehouse.papers.inputs import State
from warehouse.papers.model import Basis, Words
from warehouse.papers.results import Judged, Seen, Tried
from warehouse.papers.verdicts import breaks, judging
from warehouse.papers.verdicts.checks import Checked

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held

_SOURCES: dict[Basis, Words] = {
    "named": Words(en="the paper names the source", zh="来源由文中注明"),
    "assigned": Words(en="the paper names no source: the data are assigned by us", zh="文中未注明来源：数据由本库指定"),
    "reference number only": Words(
        en="the paper gives only the number of a reference: the data are assigned by us",
        zh="文中仅有参考文献编号：数据由本库指定",
    ),
}


def of(held: Held, catalogue: Catalogue, said: Judged, chosen: Tried, seen: Seen) -> tuple[Words, ...]:
    """The evidence beside a computed verdict, which rests on a state of a reading."""
    told = [_SOURCES[said.statement.source_basis], *_moment(said, chosen, seen), *_missing(seen)]
    told += _broken(held, catalogue, said, chosen, seen)
    told += [*_copied(catalogue, said), *_covered(seen), *_ranked(held, catalogue, chosen, seen)]
    return tuple({words.en: words for words in told}.values())


def of_check(found: Checked) -> Words | None:
    """A check as evidence; None where it says nothing either way."""
    check = found.check
    if found.agrees is None:
        note = check.note if check.kind == "remark" else None
        return note and Words(en=f"{check.what.en}: {note.en}", zh=f"{check.what.zh}：{note.zh}")
    en, zh = ("agrees", "相符") if found.agrees else ("does not agree", "不符")
    if found.computed:
        en, zh = f"{en} ({found.computed})", f"{zh}（{found.computed}）"
    if check.note and not found.agrees:
        en, zh = f"{en}. {check.note.en}", f"{zh}。{check.note.zh}"
    return Words(en=f"{check.what.en}: {en}", zh=f"{check.what.zh}：{zh}")


def _moment(said: Judged, chosen: Tried, seen: Seen) -> Iterator[Words]:
    """How the state stands to the paper's days."""
    cutoff = said.paper.cutoff
    if chosen.then is None:
        yield Words(
            en=f"no vintage from {cutoff.earliest} to {cutoff.latest} is held: the nearest is that of {seen.day}",
            zh=f"未持有 {cutoff.earliest} 至 {cutoff.latest} 的版本，最近者为 {seen.day} 版",
        )
    elif not chosen.then.holds and seen.holds and seen.known_from != chosen.then.known_from:
        yield Words(
            en=f"the vintage of {chosen.then.day} lies within the paper's days and says otherwise; that of {seen.day} agrees",
            zh=f"{chosen.then.day} 版在文章取数期内而不符；{seen.day} 版相符",
        )
    if not seen.holds and chosen.now is not None and chosen.now.holds:
        yield Words(en=f"the newest vintage, of {chosen.now.day}, agrees", zh=f"最新的 {chosen.now.day} 版相符")
    if (unsure := judging.imprecise(seen, cutoff)) is not None:
        yield unsure


def _missing(seen: Seen) -> Iterator[Words]:
    missing = sorted({name for number in seen.numbers for name in number.missing})
    if missing:
        yield Words(en=f"no value is held of {', '.join(missing)}", zh=f"缺少数值：{'、'.join(missing)}")


def _broken(held: Held, catalogue: Catalogue, said: Judged, chosen: Tried, seen: Seen) -> Iterator[Words]:
    """Breaks between the periods that a number compares, and between the vintages that are compared."""
    reading, statement = chosen.reading, said.statement
    measures = catalogue.measures_of(reading).values()
    concepts = {concept for name in measures if (concept := catalogue.measures[name].concept)}
    state = State(seen.known_from, seen.day, seen.precision, seen.basis, seen.vintages)
    used = formulas.cells(held, catalogue, reading, statement, state)
    economies = {cell.entity for cell in used}
    if (reach := breaks.reach(catalogue.definitions[reading.use], reading.period or statement.period)) is not None:
        yield from breaks.between_periods(concepts, economies, *reach)
        yield from breaks.flagged(used, *reach)
    last = max((cell.period[:4] for cell in used), default="")
    if last.isdigit():
        yield from breaks.incomplete(concepts, int(last), said.paper.cutoff.latest)
    known = sorted(one.known_from for one in (chosen.before, seen, chosen.after, chosen.now) if one is not None)
    yield from breaks.between_vintages(concepts, economies, known[0], known[-1])


def _copied(catalogue: Catalogue, said: Judged) -> Iterator[Words]:
    """That readings agree which rest on the same figures, one provider's copied from another's."""
    agreeing = [one for one in said.readings if one.outcome in judging.AGREEING]
    datasets: dict[frozenset[str | None], set[str]] = {}
    for one in agreeing:
        measures = catalogue.measures_of(one.reading).values()
        concepts = frozenset(catalogue.measures[name].concept for name in measures)
        datasets.setdefault(concepts, set()).update(name.partition(":")[0] for name in one.series)
    for concepts, copied in datasets.items():
        if len(copied) > 1 and None not in concepts:
            names = " and ".join(sorted(copied)), "与".join(sorted(copied))
            yield Words(
                en=f"{names[0]} publish the same figures: that both agree is no independent evidence",
                zh=f"{names[1]} 发布同一数据：二者相符并非相互独立的证据",
            )


def _covered(seen: Seen) -> Iterator[Words]:
    """Over how many economies a rank or a sum over all of them goes."""
    for valued, of in sorted({number.coverage for number in seen.numbers if number.coverage is not None}):
        yield Words(
            en=f"computed over the {valued} economies with a value, of {of} held; aggregates are left out",
            zh=f"按有数值的 {valued} 个经济体计算（共持有 {of} 个，不含汇总区域）",
        )


def _ranked(held: Held, catalogue: Catalogue, chosen: Tried, seen: Seen) -> Iterator[Words]:
    """Of ranks: ties, and how close the next one is where it is closest."""
    several = len({number.period for number in seen.numbers}) > 1
    close = [(number.margin, number.period) for number in seen.numbers if number.margin is not None]
    for number in seen.numbers:
        if number.ties:
            when = (f" in {number.period}", f"{number.period} 年") if several else ("", "")
            yield Words(en=f"{number.ties} others share the place{when[0]}", zh=f"{when[1]}另有 {number.ties} 个并列")
    if not close:
        return
    margin, period = min(close)
    when = (f" in {period}, where it is closest", f"（{period} 年最近）") if several else ("", "")
    usual = max((_usual_revision(held, name) for name in catalogue.measures_of(chosen.reading).values()), default=0.0)
    if margin < usual:
        yield Words(
            en=f"fragile: the next is {margin:.1%} away{when[0]}, a usual revision {usual:.1%}",
            zh=f"名次不稳：与相邻者相差 {margin:.1%}{when[1]}，小于通常修订幅度 {usual:.1%}",
        )
    else:
        yield Words(en=f"the next is {margin:.1%} away{when[0]}", zh=f"与相邻者相差 {margin:.1%}{when[1]}")


def _usual_revision(held: Held, measure: str) -> float:
    """The median relative size of the revisions that a measure saw between neighbouring vintages; 0 without any."""
    if ("usual revision", measure) not in held.kept:
        order = {vintage["vintage_id"]: place for place, vintage in enumerate(held.vintages)}
        rows = held.database.execute(
            "with placed as (select series_key, period, value, place from cells join (select unnest($ids) as vintage_id,"
            " unnest($places) as place) using (vintage_id) where measure = $measure and value is not null),"
            " moved as (select abs(value / nullif(lag(value) over (partition by series_key, period order by place), 0) - 1)"
            " as share from placed) select median(share) from moved where share > 1e-6",
            {"measure": measure, "ids": list(order), "places": list(order.values())},
        ).fetchall()
        held.kept["usual revision", measure] = rows[0][0] or 0.0
    usual: float = held.kept["usual revision", measure]
    return usual
