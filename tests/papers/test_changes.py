"""Which verdicts differ between two judgements, how that is told, and which printed statements count as lost."""

from __future__ import annotations

import pytest

from tests.papers.judgements import judged
from warehouse.papers import changes
from warehouse.papers.changes import Golden
from warehouse.papers.results import Verdict


def test_only_another_verdict_is_a_change() -> None:
    before = {"a": judged(Verdict.REPRODUCED, 2.18, 2.18), "b": judged(Verdict.PARTLY), "gone": judged(Verdict.PARTLY)}
    after = {"a": judged(Verdict.REVISED, 2.18, 2.12), "b": judged(Verdict.PARTLY, 1, 2), "new": judged(Verdict.PARTLY)}
    assert [(one.before.verdict, one.after.verdict) for one in changes.between(before, after)] == [
        (Verdict.REPRODUCED, Verdict.REVISED)
    ]


def test_a_change_is_told_with_all_that_an_editor_needs_in_both_languages() -> None:
    [change] = changes.between(
        {"a": judged(Verdict.REPRODUCED, 2.1777, 2.1777)},
        {"a": judged(Verdict.REVISED, 2.1777, 2.0, cause="the denominator was revised")},
    )
    english, chinese = (line.removeprefix("- ") for line in changes.told([change]).splitlines())
    assert english == (
        "paper999-c001: Korea's R&D intensity; printed 2.2, then 2.1777 [2021-09-15], now 2 [2026-02-24] (percent of GDP): "
        "reproduced → reproduced, revised since. Cause: the denominator was revised"
    )
    for expected in (
        "paper999-c001",
        "中文Korea",
        "2.2",
        "2.1777",
        "（占国内生产总值的%）",
        "复现 → 当时复现，此后修订",
        "原因：中文the denominator",
    ):
        assert expected in chinese


def test_what_is_not_known_is_a_dash() -> None:
    [change] = changes.between({"a": judged(Verdict.DIFFERS_NOW, now=2.0)}, {"a": judged(Verdict.NOT_COMPUTED)})
    assert "printed 2.2, then –, now – (percent of GDP): differs now" in change.told()
    assert "Cause" not in change.told()


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (Verdict.REPRODUCED, Verdict.REPRODUCED, False),
        (Verdict.REPRODUCED, Verdict.REVISED, True),
        (Verdict.REVISED, Verdict.REPRODUCED, False),
        (Verdict.NEIGHBOUR, Verdict.REVISED, False),
        (Verdict.ASSUMED, Verdict.ASSUMED, False),
        (Verdict.ASSUMED, Verdict.NOT_REPRODUCED, True),
        (Verdict.REPRODUCED, Verdict.NOT_COMPUTED, True),
    ],
)
def test_a_printed_number_is_lost_when_the_data_bear_it_out_less(before: Verdict, after: Verdict, lost: bool) -> None:
    assert Golden("paper999-c001", "says", "2.2", before, after).lost is lost
