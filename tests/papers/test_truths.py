"""What is known of the five papers must come out of the real vintages, and every statement must have a computed verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from warehouse.papers import verdicts
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.inputs import Held
from warehouse.papers.model import Cell, Paper, Reading, Statement
from warehouse.papers.results import WORDS, Judged, Seen, Verdict


@pytest.fixture(scope="module")
def judged(held: Held, papers: Catalogue) -> Mapping[str, Judged]:
    return verdicts.judge(held, papers)


def value(seen: Seen | None, digits: int) -> float:
    assert seen is not None
    (number,) = seen.numbers
    assert number.value is not None
    return round(number.value, digits)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("paper001-c016", Verdict.REPRODUCED),
        ("paper001-c017", Verdict.REPRODUCED),
        ("paper001-c018", Verdict.REVISED),
        ("paper001-c021", Verdict.REVISED),
        ("paper001-c003", Verdict.REPRODUCED),
        ("paper001-c022", Verdict.REVISED),
        ("paper001-c036", Verdict.BRACKETED),
        ("paper001-c002", Verdict.ASSUMED),
        ("paper003-c014", Verdict.PARTLY),
        ("paper003-c003", Verdict.REPRODUCED),
        ("paper004-tab1-v17", Verdict.INCONSISTENT),
        ("paper000-c045", Verdict.NOT_COMPUTED),
    ],
)
def test_a_known_truth(judged: Mapping[str, Judged], name: str, verdict: Verdict) -> None:
    assert judged[name].verdict is verdict


@pytest.mark.worldbank
def test_korea_is_told_as_it_was_and_as_it_is_with_the_side_that_moved(judged: Mapping[str, Judged]) -> None:
    intensity = judged["paper001-c021"]
    assert intensity.chosen is not None
    assert (value(intensity.chosen.then, 2), value(intensity.chosen.now, 2)) == (4.55, 4.07)
    assert intensity.rule is not None
    assert intensity.rule.en == "rounds to 4.6"
    assert intensity.margin == 0
    assert (intensity.tried, intensity.agreeing) == (2, 1)
    assert intensity.cause is not None
    assert "KOR −5.7 %" in intensity.cause.en
    assert "by the denominator" in intensity.cause.en
    assert "分母变动" in intensity.cause.zh


@pytest.mark.worldbank
def test_receipts_lie_between_the_vintages_of_2018_and_2021(judged: Mapping[str, Judged]) -> None:
    receipts = judged["paper001-c036"].chosen
    assert receipts is not None
    assert (value(receipts.before, -7) / 1e8, value(receipts.then, -7) / 1e8) == (536.6, 538.1)


@pytest.mark.worldbank
def test_the_average_grew_by_more_than_15_per_cent_and_not_every_year(judged: Mapping[str, Judged]) -> None:
    payments = judged["paper001-c002"]
    assert (payments.tried, payments.agreeing) == (2, 1)
    every, average = payments.readings
    assert every.outcome is Verdict.PARTLY
    assert every.then is not None
    assert [round(number.value or 0, 1) for number in every.then.numbers if not number.holds] == [8.9]
    assert payments.chosen is average
    assert value(average.then, 1) == 17.6


@pytest.mark.worldbank
def test_the_share_of_articles_holds_in_the_vintage_of_2021_alone(judged: Mapping[str, Judged]) -> None:
    articles = judged["paper001-c022"].chosen
    assert articles is not None
    assert value(articles.then, 1) == 27.1
    assert articles.then is not None
    assert articles.then.day.startswith("2021")
    assert value(articles.now, 1) == 26.9


@pytest.mark.oecd
def test_business_research_of_japan_leads_in_four_years_of_six(judged: Mapping[str, Judged]) -> None:
    lead = judged["paper003-c014"]
    assert lead.holds == (4, 6)
    assert lead.which == ("2020", "2021")


@pytest.mark.nbs
@pytest.mark.worldbank
def test_invention_applications_of_one_provider_are_the_sum_of_two_series_of_another(
    judged: Mapping[str, Judged],
) -> None:
    for name, printed in (("paper004-c010", 1101864), ("paper004-c011", 1338503)):
        both = judged[name].chosen
        assert both is not None
        assert {value(seen, 0) for seen in (both.before, both.after, both.now)} == {printed}
        assert judged[name].verdict in (Verdict.REPRODUCED, Verdict.NEIGHBOUR)


def test_a_paper_never_proves_itself(judged: Mapping[str, Judged]) -> None:
    own = judged["paper000-c045"]
    assert own.tried == 0
    assert own.why is not None
    assert "no proof" in own.why.en


def test_a_misprint_is_shown_with_the_digits_that_fit(judged: Mapping[str, Judged]) -> None:
    cell = judged["paper004-tab1-v17"]
    assert cell.correction is not None
    assert "14,249,025 would fit" in cell.correction.en
    assert any("does not agree" in words.en for words in cell.evidence)


def test_the_sentences_on_ageing_contradict_each_other(judged: Mapping[str, Judged]) -> None:
    first, second = judged["paper003-c036"], judged["paper003-c038"]
    assert first.verdict is Verdict.INCONSISTENT
    assert second.verdict in (Verdict.ASSUMED, Verdict.REPRODUCED, Verdict.NEIGHBOUR)
    for one in (first, second):
        assert any("1 / 2" in words.en for words in one.evidence)


def test_every_statement_has_a_computed_verdict_and_says_why(judged: Mapping[str, Judged], papers: Catalogue) -> None:
    assert not papers.wrong
    assert list(judged) == list(papers.statements)
    assert (sum(isinstance(one.statement, Cell) for one in judged.values()), len(judged)) == (192, 554)
    for name, one in judged.items():
        if one.verdict is Verdict.NOT_COMPUTED:
            assert one.why is not None, name
        if one.tried and one.verdict is not Verdict.INCONSISTENT:
            assert one.rule is not None, name
            assert one.evidence, name
            assert one.margin is not None, name
        assert one.agreeing <= one.tried <= len(one.statement.readings), name


def test_what_is_reproduced_lies_within_its_rule(judged: Mapping[str, Judged]) -> None:
    reproduced = [one for one in judged.values() if one.verdict in (Verdict.REPRODUCED, Verdict.REVISED)]
    assert len(reproduced) > 10
    for one in reproduced:
        assert one.margin == 0, one.statement.id
        assert one.chosen is not None
        assert one.chosen.then is not None
        assert one.chosen.then.holds


def test_what_is_revised_says_what_moved_it(judged: Mapping[str, Judged]) -> None:
    revised = [one for one in judged.values() if one.verdict is Verdict.REVISED]
    assert revised
    assert all(one.cause is not None for one in revised)


def test_no_field_of_a_file_sets_a_verdict(papers: Catalogue) -> None:
    paper, statement = papers.statement("paper001-c018")
    for model, entry in ((Statement, statement), (Paper, paper), (Reading, statement.readings[0])):
        fields = entry.model_dump(by_alias=True)
        assert model.model_validate(fields) == entry
        for word in ("verdict", "agrees", "outcome", "holds"):
            with pytest.raises(ValidationError, match="Extra inputs"):
                model.model_validate({**fields, word: WORDS[Verdict.REPRODUCED].en})


def test_what_was_not_known_yet_does_not_exist(held: Held, papers: Catalogue) -> None:
    wanted = ["paper001-c018", "paper001-c022", "paper003-c014"]
    early = verdicts.judge(held, papers, wanted, known=datetime(2021, 12, 31, tzinfo=UTC))
    assert [early[name].verdict for name in wanted] == [
        Verdict.REPRODUCED,
        Verdict.REPRODUCED,
        Verdict.NOT_COMPUTED,
    ]
    assert early["paper003-c014"].why is not None
    before = verdicts.judge(held, papers, ["paper001-c022"], known=datetime(2012, 1, 1, tzinfo=UTC))
    assert before["paper001-c022"].verdict is Verdict.NOT_COMPUTED


def test_one_claim_alone_is_judged_as_among_all(held: Held, papers: Catalogue, judged: Mapping[str, Judged]) -> None:
    for name in ("paper003-c036", "paper003-c038", "paper004-tab1-v17", "paper001-c021", "paper002-c072"):
        assert verdicts.judge(held, papers, [name]) == {name: judged[name]}
