"""What stands beside a verdict: checks, breaks, caveats and causes, by made-up judgements and on the real vintages."""

from __future__ import annotations

from datetime import date

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
    assert breaks.reach(value, "2000:2017") is None
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
    assert "computed over the 217 economies with a value" in ageing
    assert "fragile" not in ageing
    assert "the next is 18.6% away" in ageing


def test_a_number_without_a_vintage_of_the_day_says_which_is_nearest(held: Held, papers: Catalogue) -> None:
    told = evidence(held, papers, "paper001-c041")
    assert "no vintage from 2020-12-01 to 2021-12-31 is held: the nearest is that of 2024-03-13" in told


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
    assert "the data are assigned by us" in evidence(held, papers, "paper003-c014")


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
