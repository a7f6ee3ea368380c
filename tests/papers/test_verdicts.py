"""What stands beside a verdict: checks, breaks, caveats and causes, by made-up judgements and on the real vintages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tests.papers import judgements
from warehouse.papers import verdicts
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.formulas import Cell
from warehouse.papers.inputs import Held
from warehouse.papers.model import Check, Words
from warehouse.papers.results import Judged, Verdict
from warehouse.papers.verdicts import breaks, caveats
from warehouse.papers.verdicts.checks import Checked

CORRECTION = Words(en="2.3 would fit", zh="应为 2.3")


def check(kind: str = "same", **fields: object) -> Check:
    return Check.model_validate({"id": "paper999-k01", "what": "Printed twice", "kind": kind, **fields})


def two(first: Verdict, second: Verdict) -> dict[str, Judged]:
    given = {"c001": first, "c002": second}
    made = [judgements.judged(verdict, 2.2, 2.1, says=judgements.statement(name)) for name, verdict in given.items()]
    return {one.statement.id: one for one in made}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED, (Verdict.REPRODUCED, Verdict.INCONSISTENT)),
        (Verdict.REVISED, Verdict.NO_SOURCE, (Verdict.REVISED, Verdict.INCONSISTENT)),
        (Verdict.NEIGHBOUR, Verdict.BRACKETED, (Verdict.NEIGHBOUR, Verdict.INCONSISTENT)),
        (Verdict.PROXY_AGREES, Verdict.ASSUMED, (Verdict.INCONSISTENT, Verdict.ASSUMED)),
        (Verdict.NOT_COMPUTED, Verdict.NO_SOURCE, (Verdict.INCONSISTENT, Verdict.INCONSISTENT)),
    ],
)
def test_of_two_that_contradict_each_other_the_one_that_data_reproduce_stands(
    first: Verdict, second: Verdict, expected: tuple[Verdict, Verdict]
) -> None:
    among = ("paper999-c001", "paper999-c002")
    failed = Checked(check(among=among), False, "2.2 / 2.3", CORRECTION, among)
    told = verdicts.with_checks(two(first, second), [failed])
    assert tuple(one.verdict for one in told.values()) == expected
    for one in told.values():
        assert one.evidence[-1].en == "Printed twice: does not agree (2.2 / 2.3)"
        assert one.correction == (CORRECTION if one.verdict is Verdict.INCONSISTENT else None)


def test_a_check_that_agrees_is_evidence_and_changes_nothing() -> None:
    before = two(Verdict.NO_SOURCE, Verdict.REPRODUCED)
    agreeing = Checked(check("arithmetic", against="paper999-c001"), True, "2.2", None, ("paper999-c001",))
    told = verdicts.with_checks(before, [agreeing])
    assert [one.verdict for one in told.values()] == [Verdict.NO_SOURCE, Verdict.REPRODUCED]
    assert [len(one.evidence) for one in told.values()] == [1, 0]
    assert told["paper999-c001"].evidence[0].zh == "Printed twice：相符（2.2）"


def test_a_failing_check_that_is_about_nothing_is_only_told() -> None:
    failed = Checked(check("arithmetic", against="paper999-c001", note="Read it loosely."), False, "0.3")
    told = verdicts.with_checks(two(Verdict.NO_SOURCE, Verdict.NO_SOURCE), [failed])["paper999-c001"]
    assert told.verdict is Verdict.NO_SOURCE
    assert told.evidence[0].en == "Printed twice: does not agree (0.3). Read it loosely."


def test_a_remark_is_told_in_its_own_words_and_an_open_check_is_silent() -> None:
    remark = caveats.of_check(Checked(check("remark", note="A letter is missing."), None))
    assert remark is not None
    assert remark.en == "Printed twice: A letter is missing."
    assert caveats.of_check(Checked(check("arithmetic"), None, "5.2")) is None


def test_breaks_are_told_when_a_number_reaches_across_them(papers: Catalogue) -> None:
    growth, value, rise = (papers.definitions[name] for name in ("growth", "value", "rise"))
    assert breaks.reach(value, "2017") is None
    assert breaks.reach(value, "2000:2017") == ("2000", "2017")
    assert breaks.reach(growth, "2017") == ("2016", "2017")
    assert breaks.reach(rise, "2000:2017") == ("2000", "2017")
    assert breaks.reach(rise, "c. 2000") is None
    assert list(breaks.between_periods(["cn-patent-applications"], ["CHN"], "2016", "2017"))
    assert not list(breaks.between_periods(["cn-patent-applications"], ["CHN"], "2017", "2018"))
    assert list(breaks.between_periods(["rd-intensity"], ["JPN", "KOR"], "2000", "2017"))
    assert not list(breaks.between_periods(["rd-intensity"], ["JPN"], "2000", "2017"))
    assert list(breaks.between_vintages(["nsf-articles"], ["CHN"], "2013-12-31T23:59:59Z", "2018-09-30T23:59:59Z"))
    assert not list(breaks.between_vintages(["nsf-articles"], ["CHN"], "2018-09-30T23:59:59Z", "2021-09-15T00:00:00Z"))


def test_a_break_that_the_provider_flags_is_told_with_its_economy_and_year() -> None:
    cells = [
        Cell("m", "v", "k", "JPN", None, period, 1.0, flags) for period, flags in (("2008", "B;E"), ("2013", "EB"))
    ]
    told = [words.en for words in breaks.flagged(cells, "2007", "2013")]
    assert told == ["the provider flags a break in the series of JPN in 2008"]
    assert not list(breaks.flagged(cells, "2008", "2013"))


def test_every_curated_break_names_concepts_that_measures_have(papers: Catalogue) -> None:
    known = {measure.concept for measure in papers.measures.values()}
    assert all(set(one.concepts) <= known and (one.period or one.known) for one in breaks.curated())

    assert all(set(one.concepts) <= known for one in breaks.late())


def test_patents_of_the_last_years_are_told_to_be_incomplete() -> None:
    assert list(breaks.incomplete(["pct-coinvented"], 2018, date(2021, 12, 31)))
    assert list(breaks.incomplete(["triadic"], 2017, date(2021, 12, 31)))
    assert not list(breaks.incomplete(["pct-coinvented"], 2017, date(2021, 12, 31)))
    assert not list(breaks.incomplete(["rd-intensity"], 2021, date(2021, 12, 31)))


def evidence(held: Held, papers: Catalogue, name: str) -> str:
    return "\n".join(words.en for words in verdicts.judge(held, papers, [name])[name].evidence)


def test_a_rank_tells_its_universe_and_whether_it_is_fragile(held: Held, papers: Catalogue) -> None:
    articles, ageing = (evidence(held, papers, name) for name in ("paper000-c024", "paper003-c038"))
    assert "fragile: the next is 1." in articles
    assert "computed over the 217 economies with a value, of 217 fetched and 218 in our list of names" in ageing
    assert "with a value, of 91 fetched and 218 in our list" in articles
    assert "fragile" not in ageing
    assert "the next is 18.6% away" in ageing


def test_a_number_without_a_vintage_of_the_day_says_which_is_nearest(held: Held, papers: Catalogue) -> None:
    told = evidence(held, papers, "paper001-c041")
    assert "no vintage from 2020-12-01 to 2021-12-31 is held: the nearest is that of 2024-03-13" in told


def test_the_nearest_vintage_may_lie_before_the_paper(held: Held, papers: Catalogue) -> None:
    told = evidence(held, papers, "paper004-c011")
    assert "from 2018-12-01 to 2019-12-31 is held: the nearest is that of 2018-09-30" in told
    assert "it may have appeared" not in evidence(held, papers, "paper000-c034")


def test_a_vintage_that_lacks_a_year_is_not_said_to_contradict(held: Held, papers: Catalogue) -> None:
    told = evidence(held, papers, "paper004-c002")
    assert (
        "the vintage of 2019-03-21 lies within the paper's days and lacks CHN 2018; that of 2024-10-21 agrees" in told
    )


def test_years_that_were_not_out_yet_do_not_fail(held: Held, papers: Catalogue) -> None:
    name = "paper001-c002"
    early = verdicts.judge(held, papers, [name], known=datetime(2019, 12, 31, tzinfo=UTC))[name]
    every = early.readings[0]
    assert every.now is not None
    assert [number.period for number in every.now.numbers if number.holds is None] == ["2018"]
    assert (early.verdict, early.holds, early.which) == (Verdict.PARTLY, (1, 2), ("2016",))


def test_numbers_that_are_no_answer_of_the_provider_are_an_assumption(held: Held, papers: Catalogue) -> None:
    for number in range(4, 10):
        name = f"paper004-c00{number}"
        judged = verdicts.judge(held, papers, [name])[name]
        assert judged.verdict is Verdict.ASSUMED
        assert any(words.en.startswith("assumed: the numbers held are") for words in judged.evidence)
        assert judged.chosen is not None
        assert judged.chosen.reading.assume is not None
        assert "SANDBOX:" in judged.chosen.reading.assume.zh


def test_a_bracket_tells_how_wide_it_is(held: Held, papers: Catalogue) -> None:
    told = evidence(held, papers, "paper001-c037")
    assert "between 12.31 (vintage of 2018-09-30) and 158.6 (vintage of 2021-09-15)" in told
    assert "that of the paper's days, 2021-09-15, is off by 91.8" in told


def test_reproduced_tells_whether_anything_later_is_held(held: Held, papers: Catalogue) -> None:
    assert "no later vintage of these series is held" in evidence(held, papers, "paper001-c003")
    assert "no later vintage of these series is held" not in evidence(held, papers, "paper001-c016")


def test_a_newer_vintage_of_the_same_figure_elsewhere_is_told(held: Held, papers: Catalogue) -> None:
    name = "paper001-c021"
    then = verdicts.judge(held, papers, [name], known=datetime(2024, 6, 30, tzinfo=UTC))[name]
    assert then.verdict is Verdict.REPRODUCED
    told = "a newer vintage of the same figure, oecd.sbrd of 2024-04-04, does not agree (4.292)"
    assert told in [words.en for words in then.evidence]


def test_vintages_in_another_unit_are_told_and_without_any_other_nothing_is_computed(
    held: Held, papers: Catalogue
) -> None:
    name, measure = "paper001-c022", "wdi-articles"
    last = held.states([measure])[-1]
    newest = set(last.vintages.values())
    renamed = [{**row, "unit": "per mille"} if row["vintage_id"] in newest else row for row in held.series]
    told = evidence(replace(held, series=renamed, kept={}), papers, name)
    assert f"the vintage of {last.day} does not count: the provider's unit is per mille, not" in told
    every = replace(held, series=[{**row, "unit": "per mille"} for row in held.series], kept={})
    judged = verdicts.judge(every, papers, [name])[name]
    assert judged.verdict is Verdict.NOT_COMPUTED
    assert judged.why is not None
    assert judged.why.en.startswith("the provider's unit is per mille, not")


def test_what_is_usual_of_revisions_does_not_look_ahead(held: Held, papers: Catalogue) -> None:
    name = "paper000-c024"
    usual = re.compile(r"a usual revision [\d.]+%")
    early = verdicts.judge(held, papers, [name], known=datetime(2022, 12, 31, tzinfo=UTC))[name]
    told = [usual.findall(text) for text in ("\n".join(one.en for one in early.evidence), evidence(held, papers, name))]
    assert all(told)
    assert told[0] != told[1]


def test_an_economy_without_a_value_is_named(held: Held, papers: Catalogue) -> None:
    name = "paper003-c028"
    early = verdicts.judge(held, papers, [name], known=datetime(2019, 12, 31, tzinfo=UTC))[name]
    assert early.why is not None
    assert early.why.en == "no vintage held has the value: JPN 2023"


def test_breaks_between_years_that_are_compared_are_told(held: Held, papers: Catalogue) -> None:
    told = evidence(held, papers, "paper003-c014")
    assert "the provider flags a break in the series of USA in 2021" in told
    assert "in 2016" not in told


def test_a_contribution_over_years_tells_the_break_it_reaches_across(held: Held, papers: Catalogue) -> None:
    assert "from 2007 on, Korea's R&D includes the social sciences" in evidence(held, papers, "paper001-c015")


def test_figures_that_one_provider_copies_from_another_are_no_second_witness(held: Held, papers: Catalogue) -> None:
    assert "oecd.sbrd and worldbank.wdi publish the same figures" in evidence(held, papers, "paper001-c016")
    assert "publish the same figures" not in evidence(held, papers, "paper001-c018")


def test_a_share_of_patents_tells_that_its_year_was_incomplete(held: Held, papers: Catalogue) -> None:
    assert "the numbers of 2018 were incomplete" in evidence(held, papers, "paper001-tab2-v24")
    assert "were incomplete" not in evidence(held, papers, "paper001-c016")


def test_whether_the_paper_names_its_source_is_always_told(held: Held, papers: Catalogue) -> None:
    assert "the paper names the source" in evidence(held, papers, "paper001-c018")
    assert "the paper names no source: the data are assigned by us" in evidence(held, papers, "paper003-c014")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (None, "the paper names no source: the data are assigned by us"),
        ("[19]", "the paper gives only the number of a reference: the data are assigned by us"),
        ("图4 [10]", "the paper says of its source “图4 [10]”: the data are assigned by us"),
    ],
)
def test_a_source_that_the_paper_only_hints_at_is_told_as_it_stands(
    held: Held, papers: Catalogue, source: str | None, told: str
) -> None:
    assert told in evidence(held, printed(papers, "paper003-c014", source=source), "paper003-c014")


def test_a_sum_tells_which_economies_moved_it(held: Held, papers: Catalogue) -> None:
    cause = verdicts.judge(held, papers, ["paper001-c022"])["paper001-c022"].cause
    assert cause is not None
    assert cause.en.startswith("vintage of 2026-03-09: revision (JPN +5.2 %, WLD +2.3 %")
    assert cause.zh.startswith("2026-03-09 版：修订（JPN +5.2 %")


def printed(papers: Catalogue, name: str, **fields: object) -> Catalogue:
    """The papers, with a claim that says something else."""
    paper, statement = papers.statement(name)
    other = statement.model_copy(update=fields)
    return papers.with_paper(
        paper.model_copy(update={"claims": tuple(other if one is statement else one for one in paper.claims)})
    )


@pytest.mark.parametrize(
    ("number", "verdict", "told"),
    [
        ("4.6", Verdict.REVISED, "the paper names the source"),
        ("4.3", Verdict.NEIGHBOUR, "lies within the paper's days and says otherwise; that of 2025-07-01 agrees"),
        ("2.0", Verdict.NOT_REPRODUCED, "the paper names the source"),
        ("4.5", Verdict.BRACKETED, "the paper names the source"),
        ("4.1", Verdict.NOT_REPRODUCED, "the newest vintage, of 2026-07-13, agrees"),
    ],
)
def test_the_same_sentence_with_another_number(
    held: Held, papers: Catalogue, number: str, verdict: Verdict, told: str
) -> None:
    name = "paper001-c021"
    _, statement = papers.statement(name)
    changed = printed(papers, name, printed=number, readings=statement.readings[1:])
    judged = verdicts.judge(held, changed, [name])[name]
    assert judged.verdict is verdict
    assert any(told in words.en for words in judged.evidence)


def test_data_of_another_provider_than_the_named_one_never_contradict(held: Held, papers: Catalogue) -> None:
    name = "paper001-c018"
    _, statement = papers.statement(name)
    refuted = verdicts.judge(held, printed(papers, name, printed="9.9"), [name])[name]
    assert refuted.verdict is Verdict.NOT_REPRODUCED
    assert refuted.margin == pytest.approx(9.85 - 2.18, abs=0.01)
    cited = printed(papers, name, printed="9.9", provider="worldbank", readings=statement.readings[1:])
    assert verdicts.judge(held, cited, [name])[name].verdict is Verdict.CONTRADICTED
