"""The gate: decisions, results that people and programs can use, broken checks, threads, and parts of any size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from expectations import frames, gate, suites
from expectations.gate import Accepted, BrokenCheck, Judgement
from expectations.rules import Demand, Rule, always
from tests.expectations.samples import dataset, evidence_of, observation
from tests.expectations.situations import changed, more, rows, scaled, situation_with, worldbank
from warehouse.schema import CheckResult, Decision, Severity


def failed(judgement: Judgement) -> dict[str, CheckResult]:
    return {result.rule: result for result in judgement.results if not result.success}


def test_good_data_are_published() -> None:
    judgement = worldbank().judged()

    assert judgement.decision is Decision.PUBLISHED
    assert judgement.summary() == f"all {len(judgement.results)} checks passed"
    assert all(result.examined > 0 for result in judgement.results)


def test_a_warning_publishes_and_says_so() -> None:
    judgement = changed(more(observation("KOR.X.Y", "1999", -5.0)))(worldbank()).judged()

    assert judgement.decision is Decision.PUBLISHED_WITH_WARNINGS
    assert judgement.summary() == "1 warning (not-negative)"


def test_a_critical_failure_quarantines_and_names_rule_part_and_factor() -> None:
    judgement = changed(rows(lambda row: scaled(row, 1000)))(worldbank()).judged()

    assert judgement.decision is Decision.QUARANTINED
    assert "scale-jump in X.Y (×10^3; expected" in judgement.summary()
    assert failed(judgement)["scale-jump"].examples[0] == {"series_key": "CHN.X.Y", "scaled_by": "×10^3"}
    assert judgement.summary().index("scale-jump") < judgement.summary().index("warning")


def test_a_factor_of_ten_thousand_is_named_as_the_chinese_unit() -> None:
    judgement = changed(rows(lambda row: scaled(row, 1e-8)))(worldbank()).judged()

    assert "亿" in failed(judgement)["scale-jump"].observed


def test_information_does_not_alter_the_decision() -> None:
    judgement = changed(lambda data: replace(data, skipped={"pseudo period 2999": 4}))(worldbank()).judged()

    assert judgement.decision is Decision.PUBLISHED
    assert failed(judgement)["nothing-skipped"].observed == "pseudo period 2999: 4"
    assert [result.rule for result in judgement.failed(Severity.INFO)] == ["nothing-skipped"]


def test_a_result_shows_the_worst_rows() -> None:
    result = failed(changed(more(observation("KOR.X.Y", "2999", 30.0)))(worldbank()).judged())["period-beyond-release"]

    assert (result.unexpected, result.examined, result.layer) == (1, 97, "part")
    assert result.examples == ({"series_key": "KOR.X.Y", "period": "2999", "value_text": "30.0", "years_ahead": 975.0},)


def test_a_changed_threshold_in_the_dataset_file_changes_the_decision() -> None:
    revised = changed(rows(lambda row: scaled(row, 1.3) if row["period"] == "2010" else row))(worldbank())

    assert revised.judged().decision is Decision.PUBLISHED
    strict = situation_with(revised, max_relative_revision=0.2)
    assert strict.judged().decision is Decision.PUBLISHED_WITH_WARNINGS
    narrow = situation_with(revised, maximum=50)
    assert narrow.judged().decision is Decision.QUARANTINED


def test_an_accepted_failure_stays_visible_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    vanished = changed(rows(lambda row: None if row["series_key"] == "USA.X.Y" else row))(worldbank())
    entries = tuple(
        Accepted("worldbank.wdi", "X.Y", "2024-06-01", rule, *found, "It is known.")
        for rule, found in {"series-vanished": (1, "23 values gone"), "share-withdrawn": (23, "0.25")}.items()
    )
    monkeypatch.setattr(gate, "acceptance_list", lambda: entries)

    judgement = vanished.judged()

    assert judgement.decision is Decision.PUBLISHED_WITH_WARNINGS
    assert failed(judgement)["series-vanished"].accepted == "It is known."
    assert judgement.failed(Severity.CRITICAL) == ()
    other = changed(rows(lambda row: None if row["series_key"] == "KOR.X.Y" else row))(vanished)
    assert other.judged().decision is Decision.QUARANTINED
    assert "series-vanished" in {result.rule for result in other.judged().failed(Severity.CRITICAL)}
    next_day = replace(vanished, known_from=datetime(2024, 6, 2, 12, tzinfo=UTC))
    assert next_day.judged().decision is Decision.QUARANTINED


def test_a_broken_rule_is_no_statement_about_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Rule(
        "broken",
        "part",
        Severity.CRITICAL,
        "observations",
        "no_such_column",
        "It cannot run.",
        always(Demand("ExpectColumnValuesToBeNull", {}, "nothing")),
    )
    monkeypatch.setattr(suites, "RULES", (*suites.RULES, broken))
    monkeypatch.setitem(suites.RULE, "broken", broken)

    with pytest.raises(BrokenCheck, match=r"1 check.*broken on X.Y.*no_such_column.*Next: correct the rule") as caught:
        worldbank().judged()

    assert len(caught.value.results) > 30
    assert [result.rule for result in caught.value.results if result.config_error] == ["broken"]


def test_a_rule_that_examined_no_row_is_a_broken_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    of_columns = frames.of_columns
    monkeypatch.setattr(frames, "of_columns", lambda table: replace(of_columns(table), examined={"columns": 0}))

    with pytest.raises(BrokenCheck, match=r"columns-as-agreed on X.Y: no row was examined"):
        worldbank().judged()


def test_threads_do_not_share_a_context() -> None:
    good, bad = worldbank(), changed(more(observation("KOR.X.Y", "2999", 30.0)))(worldbank())
    with ThreadPoolExecutor(4) as pool:
        decisions = list(pool.map(lambda one: one.judged().decision, [good, bad] * 4))

    assert decisions == [Decision.PUBLISHED, Decision.QUARANTINED] * 4


CORRUPTIONS = {
    "good": [],
    "duplicate": [observation("KOR.X.Y", "2010", 30.0)],
    "pseudo period": [observation("KOR.X.Y", "2999", 30.0)],
    "syntax": [observation("KOR.X.Y", "2010-Q1", 30.0)],
    "not a number": [observation("KOR.X.Y", "1999", float("nan"))],
    "infinite": [observation("KOR.X.Y", "1999", float("-inf"))],
    "text": [observation("KOR.X.Y", "1999", 30.0, text="300.0")],
    "empty ahead": [observation("KOR.X.Y", "2025", None)],
    "flag": [observation("KOR.X.Y", "1999", 30.0, "?")],
    "extremes": [observation("KOR.X.Y", "1999", 1e7), observation("KOR.X.Y", "1998", -1e7)],
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_part_is_judged_alike_row_by_row_and_through_decisive_rows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    situation = changed(more(*CORRUPTIONS[name]))(worldbank())

    directly = situation.judged()
    monkeypatch.setattr(frames, "ROWS_DIRECTLY", 10)
    condensed = situation.judged()

    assert set(failed(directly)) == set(failed(condensed))
    assert directly.decision is condensed.decision
    assert {r.rule: r.examined for r in directly.results} == {r.rule: r.examined for r in condensed.results}


def test_decisive_rows_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ROWS_DIRECTLY", 1000)
    declared = dataset("worldbank.wdi", [{"id": "X.Y"}])
    many = more(*(observation(f"S{n}.X.Y", str(1990 + n % 30), float(n)) for n in range(20_000)))
    [data] = changed(many)(worldbank()).new.values()

    small = frames.of_part(declared, evidence_of(data))

    assert small.examined["observations"] == 20_096
    assert len(small.frames["observations"]) < 200


def test_what_was_taken_back_is_held_back_and_says_who_took_it() -> None:
    judgement = replace(worldbank(), voided="Ada took vintage 12ab back: wrong unit").judged()
    assert judgement.decision is Decision.QUARANTINED
    assert "Ada took vintage 12ab back: wrong unit" in judgement.summary()
