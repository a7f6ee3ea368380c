"""What the declared readings and checks of the shipped papers ask: no more than the sentence says, and no less."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from warehouse.papers import verdicts
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.inputs import Held
from warehouse.papers.results import Judged, Verdict
from warehouse.papers.verdicts import checks, judging, rounding

WANTED = (
    "paper000-c030", "paper001-c040", "paper002-c070", "paper003-c037", "paper003-c039", "paper004-c003",
    "paper004-c037",
)  # fmt: skip


@pytest.fixture(scope="module")
def judged(held: Held, papers: Catalogue) -> Mapping[str, Judged]:
    return verdicts.judge(held, papers, WANTED)


def test_what_came_after_the_paper_of_2024_does_not_speak_for_its_day(judged: Mapping[str, Judged]) -> None:
    ageing = judged["paper003-c037"]
    assert ageing.verdict is Verdict.DIFFERS_NOW
    assert ageing.chosen is not None
    assert ageing.chosen.then is None
    assert ageing.chosen.after is not None
    assert ageing.chosen.after.day == "2024-12-16"


def test_one_of_several_ranks_is_not_all_of_them(judged: Mapping[str, Judged]) -> None:
    ranks = judged["paper004-c003"]
    assert (ranks.verdict, ranks.tried, ranks.holds) == (Verdict.ASSUMED, 1, (3, 3))
    assert ranks.chosen is not None
    assert ranks.chosen.after is not None
    parts = {number.partner for number in ranks.chosen.after.numbers}
    assert parts == {"expenditure", "patents", "papers"}


def test_a_reading_over_two_datasets_is_no_copy_of_itself(judged: Mapping[str, Judged]) -> None:
    assert not any("the same figures" in words.en for words in judged["paper004-c003"].evidence)


def test_three_ratios_do_not_speak_for_nine(judged: Mapping[str, Judged]) -> None:
    openness = judged["paper001-c040"]
    assert openness.verdict not in judging.AGREEING
    assert all(one.reading.use == "d-pct-openness" for one in openness.readings)


def test_ends_that_stand_for_a_course_are_an_assumption(judged: Mapping[str, Judged]) -> None:
    courses = judged["paper000-c030"]
    assert (courses.verdict, courses.tried, courses.agreeing) == (Verdict.ASSUMED, 2, 2)


@pytest.mark.parametrize("name", ["paper003-c039", "paper004-c037"])
def test_what_has_a_source_and_no_reading_is_not_computed_and_its_note_says_why(
    judged: Mapping[str, Judged], name: str
) -> None:
    one = judged[name]
    assert one.statement.machine_readable != "no"
    assert one.verdict is Verdict.NOT_COMPUTED
    assert one.why == one.statement.note


def test_a_check_that_rests_on_an_assumption_of_ours_is_evidence_alone(judged: Mapping[str, Judged]) -> None:
    cut = judged["paper002-c070"]
    assert cut.verdict is Verdict.NO_SOURCE
    assert cut.correction is None
    assert any("does not agree (32.496)" in words.en for words in cut.evidence)


def test_a_ratio_of_two_groups_is_checked_in_each_row(papers: Catalogue) -> None:
    found = [one for one in checks.run(papers, papers.paper("paper001")) if one.check.against == "paper001-c034"]
    assert [(one.computed, one.agrees) for one in found] == [("0.47059", True), ("0.44444", True), ("0.30435", False)]


def test_a_hedge_of_two_words_is_as_vague_as_its_vaguest(papers: Catalogue) -> None:
    _, share = papers.statement("paper000-c063")
    assert share.hedge == "基本上、左右"
    allowed = rounding.expected(share.model_copy(update={"printed": ("50", "80")}))
    assert allowed is not None
    assert (float(allowed.low or 0), float(allowed.high or 0)) == (47.5, 84)
