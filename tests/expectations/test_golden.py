"""The gate over what the papers print: what fires, how grave it is, and what is recorded."""

from __future__ import annotations

from expectations import gate, golden_rules
from expectations.gate import Judgement
from tests.expectations.samples import dataset
from warehouse.papers.changes import Foreseen, Golden
from warehouse.papers.results import Verdict
from warehouse.schema import CheckResult, Decision

DECLARED = dataset("worldbank.wdi", [{"id": "A"}])
KEPT = Golden("paper001-c016", "China, 2000", "0.9", Verdict.REPRODUCED, Verdict.REPRODUCED)
LOST = Golden("paper001-c018", "Korea, 2000", "2.2", Verdict.REPRODUCED, Verdict.REVISED)


def judged(foreseen: Foreseen | None) -> tuple[Judgement, dict[str, CheckResult]]:
    judgement = gate.judge(DECLARED, [], None, foreseen)
    return judgement, {result.rule: result for result in judgement.results}


def test_printed_numbers_that_stay_borne_out_pass() -> None:
    judgement, results = judged(Foreseen(goldens=(KEPT, KEPT)))
    assert judgement.decision is Decision.PUBLISHED
    assert set(results) == set(golden_rules.RULE)
    assert {(one.success, one.examined, one.layer) for one in results.values()} == {(True, 2, "papers")}


def test_one_that_is_lost_publishes_with_a_warning_that_names_it() -> None:
    judgement, results = judged(Foreseen(goldens=(KEPT, LOST)))
    assert judgement.decision is Decision.PUBLISHED_WITH_WARNINGS
    told = results["printed-cells"]
    assert (told.success, told.examined, told.unexpected) == (False, 2, 1)
    assert told.observed == "paper001-c018: Korea, 2000, printed 2.2"
    assert told.examples[0]["new"] == "reproduced, revised since"
    assert results["papers-judged"].success


def test_papers_that_cannot_be_judged_are_a_finding_and_stop_nothing() -> None:
    judgement, results = judged(Foreseen(error="mine.yaml:3: unit: unknown"))
    assert judgement.decision is Decision.PUBLISHED_WITH_WARNINGS
    assert set(results) == {"papers-judged"}
    assert (results["papers-judged"].unexpected, results["papers-judged"].observed) == (1, "mine.yaml:3: unit: unknown")


def test_data_that_no_paper_rests_on_have_no_such_results() -> None:
    assert judged(Foreseen())[1] == {} == judged(None)[1]
