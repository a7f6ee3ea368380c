"""What a person reads of a run, from hand-made outcomes; no server needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from flows import markdown, report
from flows.links import Links
from flows.pipeline import Outcome, PartOutcome
from flows.settings import Settings
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

LINKS = Links("http://prefect.example", "http://pages.example")


def test_keys_are_lower_case_with_dashes() -> None:
    assert markdown.slug("oecd.pct_cooperation") == "oecd-pct-cooperation"


def test_headline_of_one_batch_is_its_message_and_of_a_walk_counts_decisions() -> None:
    assert report.headline([PUBLISHED]) == "published: 3 revised"
    assert report.headline([PUBLISHED, PUBLISHED, HELD]).startswith("3 batches: 2 published, 1 quarantined")


def test_summary_of_a_quarantine_leads_to_the_page_of_the_held_batch() -> None:
    held = UUID(int=7)
    text = report.summary(Settings(), "worldbank.wdi", [PUBLISHED, HELD], LINKS, {"why": held, "revised": None})
    assert text.startswith("> SANDBOX")
    assert "| b2 | quarantined |" in text
    assert f"[why](http://prefect.example/v2/artifacts/artifact/{held})" in text
    assert "revised]" not in text
    assert f"]({LINKS.dataset('worldbank.wdi')})" in text


def test_summary_of_a_publish_asks_nothing_of_a_person_and_tells_warnings_and_what_was_not_read() -> None:
    mild = replace(CHECK, severity=Severity.WARNING, rule="share-revised", observed="0.95")
    unread = PartOutcome("SP.POP.TOTL", "failed: a 500")
    warned = replace(PUBLISHED, failed_checks=(mild,), parts=(PART, unread))
    text = report.summary(Settings(profile="live"), "worldbank.wdi", [warned], Links(), {"why": UUID(int=7)})
    assert "SANDBOX" not in text
    assert "held" not in text
    assert "- warning: share-revised in `GB.XPD.RSDV.GD.ZS`, 0.95" in text
    assert "- `SP.POP.TOTL` failed: a 500" in text


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


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert markdown.table([{"a": "x|y"}]).splitlines()[-1] == "| x\\|y |"
