"""What a reader must know besides a verdict: whose source it is, how sure the moment, what is missing, broken or close.

Belongs here: the evidence beside a verdict, in words. Does not belong here: the verdict (judging) and why a number was revised
(causes_told).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from warehouse.papers import economies, formulas
from warehouse.papers.inputs import State
from warehouse.papers.model import Reading, Statement, Words
from warehouse.papers.results import Judged, Seen, Tried, Verdict
from warehouse.papers.verdicts import breaks, judging
from warehouse.papers.verdicts.checks import Checked
from warehouse.papers.verdicts.rounding import Allowed

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue
    from warehouse.papers.inputs import Held

#: How many of several numbers are told.
_TOLD = 3
_REFERENCE = re.compile(r"\[[0-9]+\]")


def of(
    held: Held, catalogue: Catalogue, said: Judged, chosen: Tried, seen: Seen, allowed: Allowed
) -> tuple[Words, ...]:
    """The evidence beside a computed verdict, which rests on a state of a reading; `allowed` is what its numbers may be."""
    told = [_source(said.statement), *_moment(held, said, chosen, seen)]
    if chosen.reading.assume:
        told.append(Words(en=f"assumed: {chosen.reading.assume.en}", zh=f"假设：{chosen.reading.assume.zh}"))
    told += [*_clashing(held, catalogue, chosen), *_missing(seen), *_newer(catalogue, said, chosen)]
    if said.verdict is Verdict.BRACKETED:
        told += _bracketed(said, chosen, allowed)
    told += _broken(held, catalogue, said, chosen, seen)
    told += [*_copied(catalogue, said), *_covered(seen, _listed(catalogue)), *_ranked(held, catalogue, chosen, seen)]
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


def _source(statement: Statement) -> Words:
    """Whose choice the data are."""
    source = statement.source
    if statement.source_basis == "named":
        return Words(en="the paper names the source", zh="来源由文中注明")
    if source is None:
        return Words(en="the paper names no source: the data are assigned by us", zh="文中未注明来源：数据由本库指定")
    if statement.source_basis == "reference number only" or _REFERENCE.fullmatch(source):
        return Words(
            en="the paper gives only the number of a reference: the data are assigned by us",
            zh="文中仅有参考文献编号：数据由本库指定",
        )
    return Words(
        en=f"the paper says of its source “{source}”: the data are assigned by us",
        zh=f"文中注明来源为“{source}”：数据由本库指定",
    )


def _moment(held: Held, said: Judged, chosen: Tried, seen: Seen) -> Iterator[Words]:
    """How the state stands to the paper's days, and to now."""
    cutoff = said.paper.cutoff
    near = judging.nearest(cutoff, chosen.before, chosen.after)
    if chosen.then is None:
        en = f"no vintage from {cutoff.earliest} to {cutoff.latest} is held: the nearest is that of {near[0].day}"
        zh = f"未收录 {cutoff.earliest} 至 {cutoff.latest} 的数据版本，最近者为 {near[0].day} 版"
        yield _and_another(en, zh, near[0], seen)
    elif chosen.then.known_from != seen.known_from:
        en = f"the vintage of {chosen.then.day} lies within the paper's days"
        yield _and_another(en, f"{chosen.then.day} 版在文章取数期内", chosen.then, seen)
    if not seen.holds and chosen.now is not None and chosen.now.holds:
        yield Words(en=f"the newest vintage, of {chosen.now.day}, agrees", zh=f"最新的 {chosen.now.day} 版相符")
    if said.verdict is Verdict.REPRODUCED and chosen.now is not None and chosen.now.known_from == seen.known_from:
        yield Words(en="no later vintage of these series is held", zh="未收录这些序列更晚的数据版本")
    if (unsure := judging.imprecise(seen, cutoff, held.last_year(_state(seen)))) is not None:
        yield unsure


def _and_another(en: str, zh: str, near: Seen, seen: Seen) -> Words:
    """What a state lacks or says, and that another one speaks in its place."""
    if near.known_from == seen.known_from:
        return Words(en=en, zh=zh)
    if near.decided:
        en, zh = f"{en} and says otherwise", f"{zh}而不符"
    else:
        en, zh = f"{en} and lacks {', '.join(near.lacking)}", f"{zh}而缺少 {'、'.join(near.lacking)}"
    agrees = ("agrees", "相符") if seen.holds else ("does not agree", "不符")
    return Words(en=f"{en}; that of {seen.day} {agrees[0]}", zh=f"{zh}；{seen.day} 版{agrees[1]}")


def _clashing(held: Held, catalogue: Catalogue, chosen: Tried) -> Iterator[Words]:
    """Vintages that give the numbers in another unit, and so do not count."""
    for seen in chosen.states:
        for measure in dict.fromkeys(catalogue.measures_of(chosen.reading).values()):
            if (clash := held.clash(measure, _state(seen))) is not None:
                yield Words(
                    en=f"the vintage of {seen.day} does not count: {clash.en}", zh=f"{seen.day} 版不计入：{clash.zh}"
                )


def _newer(catalogue: Catalogue, said: Judged, chosen: Tried) -> Iterator[Words]:
    """What a newer vintage says that publishes the same figure elsewhere than the one the verdict rests on."""
    figure = _figure(catalogue, chosen)
    for other in said.readings:
        if other.now is None or chosen.now is None or other.now.known_from <= chosen.now.known_from:
            continue
        if None not in figure[0] and _figure(catalogue, other) == figure and other.now.decided:
            dataset, day = other.series[0].partition(":")[0], other.now.day
            en, zh = ("agrees", "相符") if other.now.holds else ("does not agree", "不符")
            told = ", ".join(_plain(said, other, number.value) for number in other.now.numbers[:_TOLD])
            yield Words(
                en=f"a newer vintage of the same figure, {dataset} of {day}, {en} ({told})",
                zh=f"同一数据更新的数据版本（{dataset}，{day}）{zh}（{told}）",
            )


def _bracketed(said: Judged, chosen: Tried, allowed: Allowed) -> Iterator[Words]:
    """How wide the bracket is, and by how much the vintage of the paper's days is off."""
    placed = judging.place(chosen.states, said.paper.cutoff)
    if (pair := judging.bracket(placed, allowed)) is None:
        return
    values = [_plain(said, chosen, seen.numbers[0].value) for seen in pair]
    en = f"what is printed lies between {values[0]} (vintage of {pair[0].day}) and {values[1]} (vintage of {pair[1].day})"
    zh = f"印刷数字介于 {values[0]}（{pair[0].day} 版）与 {values[1]}（{pair[1].day} 版）之间"
    if placed.then is not None and (off := judging.margin(placed.then, allowed)) is not None:
        en += f"; that of the paper's days, {placed.then.day}, is off by {_plain(said, chosen, off)}"
        zh += f"；文章取数期内的 {placed.then.day} 版相差 {_plain(said, chosen, off)}"
    yield Words(en=en, zh=zh)


def _plain(said: Judged, tried: Tried, value: float | None) -> str:
    """A number for people, counted as the printed one is where their units compare."""
    size = 1.0 if tried.own_unit else tried.factor * 10**said.statement.scale
    return "–" if value is None else f"{value / size:.4g}"


def _missing(seen: Seen) -> Iterator[Words]:
    if missing := sorted(seen.lacking):
        yield Words(en=f"no value is held of {', '.join(missing)}", zh=f"缺少数值：{'、'.join(missing)}")


def _broken(held: Held, catalogue: Catalogue, said: Judged, chosen: Tried, seen: Seen) -> Iterator[Words]:
    """Breaks between the periods that a number compares, and between the vintages that are compared."""
    reading, statement = chosen.reading, said.statement
    measures = catalogue.measures_of(reading).values()
    concepts = {concept for name in measures if (concept := catalogue.measures[name].concept)}
    used = formulas.cells(held, catalogue, reading, statement, _state(seen))
    met = {cell.entity for cell in used}
    if (reach := breaks.reach(catalogue.definitions[reading.use], reading.period or statement.period)) is not None:
        yield from breaks.between_periods(concepts, met, *reach)
        named = [*(reading.entities or statement.entities), *(reading.partners or statement.partners)]
        spoken = catalogue.members(named)
        yield from breaks.flagged([cell for cell in used if cell.entity in spoken], *reach)
    last = max((cell.period[:4] for cell in used), default="")
    if last.isdigit():
        yield from breaks.incomplete(concepts, int(last), said.paper.cutoff.latest)
    known = sorted(one.known_from for one in (chosen.before, seen, chosen.after, chosen.now) if one is not None)
    yield from breaks.between_vintages(concepts, met, known[0], known[-1])


def _copied(catalogue: Catalogue, said: Judged) -> Iterator[Words]:
    """That readings agree which rest on the same figures, one provider's copied from another's."""
    agreeing = [one for one in said.readings if one.outcome in judging.AGREEING]
    datasets: dict[frozenset[str | None], set[frozenset[str]]] = {}
    for one in agreeing:
        mine = frozenset(name.partition(":")[0] for name in one.series)
        datasets.setdefault(_concepts(catalogue, one), set()).add(mine)
    for concepts, apart in datasets.items():
        copied = frozenset[str]().union(*apart)
        if len(apart) > 1 and None not in concepts:
            names = " and ".join(sorted(copied)), "与".join(sorted(copied))
            yield Words(
                en=f"{names[0]} publish the same figures: that both agree is no independent evidence",
                zh=f"{names[1]} 发布同一数据：二者相符并非相互独立的证据",
            )


def _concepts(catalogue: Catalogue, tried: Tried) -> frozenset[str | None]:
    """What the measures of a reading are measures of."""
    return frozenset(catalogue.measures[name].concept for name in catalogue.measures_of(tried.reading).values())


def _figure(catalogue: Catalogue, tried: Tried) -> tuple[frozenset[str | None], Reading]:
    """What is the same of two readings that compute one figure from two providers."""
    return _concepts(catalogue, tried), tried.reading.model_copy(update={"given": {}})


def _covered(seen: Seen, listed: int) -> Iterator[Words]:
    """Over how many economies a rank or a sum over all of them goes; those not fetched, of all `listed`, are not compared."""
    for valued, of in sorted({number.coverage for number in seen.numbers if number.coverage is not None}):
        yield Words(
            en=f"computed over the {valued} economies with a value, of {of} fetched and {listed} in our list of names;"
            " aggregates are left out",
            zh=f"按有数值的 {valued} 个经济体计算（共取得 {of} 个，名录所列 {listed} 个；不含汇总区域）",
        )


def _listed(catalogue: Catalogue) -> int:
    """How many economies there are by our list of names."""
    return len(economies.names().keys() - catalogue.aggregates)


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
    until = chosen.states[-1].known_from
    usual = max(
        (_usual_revision(held, name, until) for name in catalogue.measures_of(chosen.reading).values()), default=0.0
    )
    if margin < usual:
        yield Words(
            en=f"fragile: the next is {margin:.1%} away{when[0]}, a usual revision {usual:.1%}",
            zh=f"名次不稳：与相邻者相差 {margin:.1%}{when[1]}，小于通常修订幅度 {usual:.1%}",
        )
    else:
        yield Words(en=f"the next is {margin:.1%} away{when[0]}", zh=f"与相邻者相差 {margin:.1%}{when[1]}")


def _usual_revision(held: Held, measure: str, until: str) -> float:
    """The median relative size of the revisions that a measure saw between neighbouring vintages known up to a moment; 0
    without any."""
    if ("usual revision", measure, until) not in held.kept:
        known = [vintage["vintage_id"] for vintage in held.vintages if vintage["known_from"] <= until]
        order = {vintage: place for place, vintage in enumerate(known)}
        rows = held.database.execute(
            "with placed as (select series_key, period, value, place from cells join (select unnest($ids) as vintage_id,"
            " unnest($places) as place) using (vintage_id) where measure = $measure and value is not null),"
            " moved as (select abs(value / nullif(lag(value) over (partition by series_key, period order by place), 0) - 1)"
            " as share from placed) select median(share) from moved where share > 1e-6",
            {"measure": measure, "ids": list(order), "places": list(order.values())},
        ).fetchall()
        held.kept["usual revision", measure, until] = rows[0][0] or 0.0
    usual: float = held.kept["usual revision", measure, until]
    return usual


def _state(seen: Seen) -> State:
    return State(seen.known_from, seen.day, seen.precision, seen.basis, seen.vintages)
