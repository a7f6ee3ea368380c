"""What a person reads of a run, from hand-made outcomes; no server needed."""

from __future__ import annotations

from datetime import UTC, datetime

from flows import report
from flows.pipeline import Outcome, PartOutcome
from warehouse.schema import CheckResult, Decision, Severity

CHECK = CheckResult(
    rule="scale-jump",
    layer="comparison",
    part="GB.XPD.RSDV.GD.ZS",
    severity=Severity.CRITICAL,
    success=False,
    examined=111,
    unexpected=108,
    observed="a constant ratio of 1000",
    expected="no power of ten",
    examples=({"series_key": "KOR.GB.XPD.RSDV.GD.ZS", "period": "2017", "value": 4073.0},),
)
PART = PartOutcome(
    "GB.XPD.RSDV.GD.ZS", "3 revised", "v7", datetime(2021, 9, 16, 3, 59, 59, tzinfo=UTC), 3, 1, 0, ("ab" * 32,)
)
PUBLISHED = Outcome("worldbank.wdi", "b1", Decision.PUBLISHED, "published: 3 revised", edition=4, parts=(PART,))
HELD = Outcome(
    "worldbank.wdi", "b2", Decision.QUARANTINED, "quarantined: scale-jump", failed_checks=(CHECK,), results=(CHECK,)
)


def test_keys_are_lower_case_with_dashes() -> None:
    assert report.slug("oecd.pct_cooperation") == "oecd-pct-cooperation"


def test_headline_of_one_batch_is_its_message_and_of_a_walk_counts_decisions() -> None:
    assert report.headline([PUBLISHED]) == "published: 3 revised"
    assert report.headline([PUBLISHED, PUBLISHED, HELD]).startswith("3 batches: 2 published, 1 quarantined")


def test_summary_of_a_quarantine_names_rule_observation_and_next_step() -> None:
    text = report.summary("worldbank.wdi", "sandbox", [PUBLISHED, HELD])
    assert text.startswith("> SANDBOX")
    assert "| critical | scale-jump | GB.XPD.RSDV.GD.ZS | 108 of 111 |" in text
    assert "period 2017, value 4073.0" in text
    assert "figurekeeper release b2" in text


def test_summary_of_a_publish_asks_nothing_of_a_person() -> None:
    text = report.summary("worldbank.wdi", "live", [PUBLISHED])
    assert "SANDBOX" not in text
    assert "What next" not in text
    assert "Checks that failed" not in text


def test_revisions_list_only_parts_in_which_known_values_changed() -> None:
    added_only = PartOutcome("SP.POP.TOTL", "2 added", "v8", PART.known_from, 0, 2, 0)
    both = Outcome("worldbank.wdi", "b3", Decision.PUBLISHED, "", parts=(PART, added_only))
    assert [row["part"] for row in report.revision_rows([both])] == ["GB.XPD.RSDV.GD.ZS"]


def test_what_a_batch_changed_is_counted_by_kind_with_causes() -> None:
    counted = {"dataset": "oecd.sbrd", "part": "G_XGDP", "kind": "revision", "cells": 8, "series": 2}
    rows = report.change_rows(
        [
            {**counted, "largest": 0.0509, "causes": "denominator 8"},
            {**counted, "kind": "first value", "largest": None, "causes": ""},
        ]
    )
    assert [(row["kind"], row["largest"], row["causes"]) for row in rows] == [
        ("revision", "5.09%", "denominator 8"),
        ("first value", "", ""),
    ]


def test_failed_checks_come_gravest_first() -> None:
    mild = CheckResult("no-gaps", "dataset", "p", Severity.WARNING, False, 3, 1, "1 missing", "none")
    assert [row["severity"] for row in report.check_rows([mild, CHECK])] == ["critical", "warning"]


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert report.table([{"a": "x|y"}]).splitlines()[-1] == "| x\\|y |"
