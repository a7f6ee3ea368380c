"""The gate: every rule over every part of a refresh, and the decision that follows.

Belongs here: running Great Expectations over the frames, reading its results into the warehouse's CheckResult, the
acceptance list, and the decision. Rules, thresholds and frames are made elsewhere. One ephemeral context a call: a
shared one gives wrong results under threads without saying so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from connectors.datasets import Dataset
from expectations import comparison_rules, frames, golden_rules, structure_rules, suites
from expectations.frames import Frames
from expectations.rules import SINGLE, Rule
from expectations.structure_rules import StructureEvidence
from warehouse.errors import FigurekeeperError
from warehouse.papers.changes import Foreseen
from warehouse.schema import CheckResult, Decision, PartEvidence, Severity

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation

ACCEPTANCE = Path(__file__).parent / "acceptance.yaml"
MAX_EXAMPLES = 5

#: Columns that tell a reader which row an example is.
_NAMING = ("entity", "series_key", "period", "value_text", "within", "code", "old", "new")


class BrokenCheck(FigurekeeperError):
    """A rule itself failed to run. It says nothing about the data; `results` holds what the other rules found."""

    def __init__(self, dataset: str, results: tuple[CheckResult, ...]) -> None:
        self.results = results
        broken = [f"{result.rule} on {result.part}: {result.config_error}" for result in results if result.config_error]
        super().__init__(
            f"{len(broken)} check(s) could not be run: {'; '.join(broken)}",
            next_step="correct the rule or the dataset's checks, and refresh again; nothing was published",
            dataset=dataset,
        )


@dataclass(frozen=True)
class Accepted:
    """A failure that is a known real transition: part, day it became public (publisher's time zone), rule, and why.

    `unexpected` and `observed` are what the rule found: another failure of the same rule on that day is not accepted.
    """

    dataset: str
    part: str
    known_from: str
    rule: str
    unexpected: int
    observed: str
    reason: str


@dataclass(frozen=True)
class Judgement:
    """All results of one refresh and the decision they lead to."""

    results: tuple[CheckResult, ...]
    decision: Decision

    def failed(self, severity: Severity) -> tuple[CheckResult, ...]:
        """The failures of that severity that are not accepted."""
        return tuple(
            result
            for result in self.results
            if result.severity is severity and not result.success and result.accepted is None
        )

    def summary(self) -> str:
        """One line for people: each critical rule that failed, where and by how much; warnings by name and count."""
        critical, warnings = self.failed(Severity.CRITICAL), self.failed(Severity.WARNING)
        if not critical and not warnings:
            return f"all {len(self.results)} checks passed"
        return "; ".join([*_by_rule(critical), *([_counted(warnings)] if warnings else [])])


def _by_rule(failed: Sequence[CheckResult]) -> list[str]:
    """One text a rule: the first part it failed in, with its finding, and how many more."""
    told = []
    for rule in dict.fromkeys(result.rule for result in failed):
        first, *others = [result for result in failed if result.rule == rule]
        more = f" and {len(others)} more part{'s' if len(others) > 1 else ''}" if others else ""
        where = f" in {first.part}" if first.part else ""
        told.append(f"{rule}{where}{more} ({first.observed}; expected {first.expected})")
    return told


def _counted(warnings: Sequence[CheckResult]) -> str:
    names = ", ".join(dict.fromkeys(result.rule for result in warnings))
    return f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''} ({names})"


def judge(
    dataset: Dataset,
    parts: Sequence[PartEvidence],
    structure: StructureEvidence | None = None,
    foreseen: Foreseen | None = None,
) -> Judgement:
    """Apply every rule to every part, to the structure where it was read, and to what becomes of the papers where it was asked.

    Raises BrokenCheck, once all results are in, when a rule itself could not run.
    """
    batches = _batches()
    results: list[CheckResult] = _judge_structure(batches, structure) if structure else []
    results += _judge_printed(batches, foreseen) if foreseen else []
    for part in parts:
        results += _judge_part(batches, dataset, part, _pair_of(dataset, part, parts))
    if any(result.config_error for result in results):
        raise BrokenCheck(dataset.id, tuple(results))
    judgement = Judgement(tuple(results), Decision.PUBLISHED)
    if judgement.failed(Severity.CRITICAL):
        return replace(judgement, decision=Decision.QUARANTINED)
    if judgement.failed(Severity.WARNING):
        return replace(judgement, decision=Decision.PUBLISHED_WITH_WARNINGS)
    return judgement


@lru_cache(maxsize=1)
def acceptance_list() -> tuple[Accepted, ...]:
    """The real transitions of the facts that fail a critical rule, each with its reason."""
    entries = YAML(typ="safe").load(ACCEPTANCE.read_text(encoding="utf-8")) or []
    return tuple(Accepted(**entry) for entry in entries)


def _judge_part(
    batches: BatchDefinition[Any], dataset: Dataset, part: PartEvidence, pair: Frames | None
) -> list[CheckResult]:
    suite = suites.build(dataset, part.data.part)
    shape = frames.of_columns(part.data.observations)
    results = _examine(batches, part, suite, shape)
    if all(result.success for result in results):  # a table of another shape cannot be judged further
        results += _examine(batches, part, suite, frames.of_part(dataset, part))
        results += _examine(batches, part, suite, pair) if pair else []
    return _accept(results, dataset.id, frames.release_day(dataset, part))


def _judge_structure(batches: BatchDefinition[Any], evidence: StructureEvidence) -> list[CheckResult]:
    """Every rule on its own kinds of elements."""
    examined = {rule.id: structure_rules.examined(rule, evidence) for rule in structure_rules.RULES}
    return _judge_whole(batches, structure_rules.frame_of(evidence), suites.build_structure(evidence), examined)


def _judge_printed(batches: BatchDefinition[Any], foreseen: Foreseen) -> list[CheckResult]:
    """What the papers print and the data bore out until now."""
    examined = {rule.id: golden_rules.examined(rule, foreseen) for rule in golden_rules.RULES}
    return _judge_whole(batches, golden_rules.frame_of(foreseen), suites.build_printed(foreseen), examined)


def _judge_whole(
    batches: BatchDefinition[Any], frame: pd.DataFrame, suite: list[Expectation], examined: Mapping[str, int]
) -> list[CheckResult]:
    """One frame that concerns the dataset as a whole, so that the results name no part; `examined` counts rows by rule."""
    words = {suites.rule_id(expectation): str(expectation.description) for expectation in suite}
    results = []
    for outcome in _validate(batches, frame, suite) if suite else []:
        rule = suites.RULE[suites.rule_id(outcome.expectation_config)]
        given = Frames({rule.frame: frame}, {rule.frame: examined[rule.id]})
        results.append(_result(rule, outcome, None, given, frame, words[rule.id]))
    return results


def _pair_of(dataset: Dataset, ratio: PartEvidence, parts: Iterable[PartEvidence]) -> Frames | None:
    """A ratio beside its amount, when both can be compared; an amount that is not handed in has not changed."""
    wanted = comparison_rules.AMOUNT_OF.get(dataset.id, {}).get(ratio.data.part)
    amount = next((part for part in parts if part.data.part == wanted), None)
    if wanted is None or ratio.comparison is None or (amount is not None and amount.comparison is None):
        return None
    return frames.of_pair(ratio, amount)


def _accept(results: list[CheckResult], dataset: str, day: str) -> list[CheckResult]:
    reasons = {
        (entry.part, entry.rule, entry.unexpected, entry.observed): entry.reason
        for entry in acceptance_list()
        if entry.dataset == dataset and entry.known_from == day
    }

    def reason(result: CheckResult) -> str | None:
        return reasons.get((result.part, result.rule, result.unexpected, result.observed))

    return [result if result.success else replace(result, accepted=reason(result)) for result in results]


def _batches() -> BatchDefinition[Any]:
    """A context of its own, and in it the one batch definition through which all frames of this judgement go."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _examine(
    batches: BatchDefinition[Any], part: PartEvidence, suite: dict[str, list[Expectation]], given: Frames
) -> list[CheckResult]:
    results = []
    for name, frame in given.frames.items():
        words = {suites.rule_id(expectation): str(expectation.description) for expectation in suite.get(name, [])}
        for outcome in _validate(batches, frame, suite[name]) if words else []:
            rule = suites.RULE[suites.rule_id(outcome.expectation_config)]
            results.append(_result(rule, outcome, part, given, frame, words[rule.id]))
    return results


def _validate(
    batches: BatchDefinition[Any], frame: pd.DataFrame, expectations: list[Expectation]
) -> list[ExpectationValidationResult]:
    import great_expectations

    suite = great_expectations.ExpectationSuite(name="frame", expectations=expectations)
    batch = batches.get_batch({"dataframe": frame})
    result_format = {"result_format": "SUMMARY", "partial_unexpected_count": MAX_EXAMPLES}
    return list(batch.validate(suite, result_format=result_format).results)


def _result(
    rule: Rule,
    outcome: ExpectationValidationResult,
    part: PartEvidence | None,
    given: Frames,
    frame: pd.DataFrame,
    expected: str,
) -> CheckResult:
    return CheckResult(
        rule=rule.id,
        layer=rule.layer,
        part=part.data.part if part else "",
        severity=rule.severity,
        success=bool(outcome.success),
        examined=given.examined[rule.frame],
        unexpected=_unexpected(rule, outcome, frame),
        observed=_observed(rule, outcome, part, frame),
        expected=expected,
        examples=() if outcome.success else _examples(rule, outcome, given, frame),
        config_error=_config_error(outcome, given.examined[rule.frame]),
    )


def _config_error(outcome: ExpectationValidationResult, examined: int) -> str | None:
    """Why the rule itself broke, or None. Great Expectations reports an exception as a plain failure."""
    info = outcome.exception_info
    raised = [info] if "raised_exception" in info else list(info.values())
    messages = [str(one["exception_message"]) for one in raised if one["raised_exception"]]
    if messages:
        return messages[0].splitlines()[0]
    return None if examined else "no row was examined"


def _unexpected(rule: Rule, outcome: ExpectationValidationResult, frame: pd.DataFrame) -> int:
    if outcome.success:
        return 0
    if rule.counts is not None:
        return int(frame[rule.counts].iloc[0])
    offending = _offending(rule, outcome, frame)
    if offending is not None:
        return len(offending)
    result = outcome.result
    absent = 0 if "element_count" in result else int(result.get("missing_count") or 0)
    return int(result.get("unexpected_count") or 0) + absent or 1


def _offending(rule: Rule, outcome: ExpectationValidationResult, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The rows behind a failed aggregate, worst first; None for an expectation that names its rows itself."""
    configuration = outcome.expectation_config
    if configuration is None or outcome.success or rule.frame in SINGLE:
        return None
    if configuration.type == "expect_column_unique_value_count_to_be_between":
        return frame[frame[rule.column].notna()]
    if configuration.type == "expect_column_max_to_be_between":
        above: pd.DataFrame = frame[frame[rule.column] > configuration.kwargs["max_value"]]
        return above.sort_values(rule.column, ascending=False, kind="stable")
    return None


def _told(rule: Rule, part: PartEvidence) -> tuple[str, ...]:
    """What a part's own notes say to a rule that counts them."""
    return {
        "stamp_findings": frames.stamp_findings(part),
        "reader_findings": part.data.notes,
        "taken_back": (part.voided,) if part.voided is not None else (),
        "skipped": tuple(f"{reason}: {count}" for reason, count in part.data.skipped.items()),
    }.get(rule.column, ())


def _observed(rule: Rule, outcome: ExpectationValidationResult, part: PartEvidence | None, frame: pd.DataFrame) -> str:
    """What was found, in words: the notes themselves, a number, or the offending values."""
    if part is not None and (told := _told(rule, part)):
        return "; ".join(told)
    result = outcome.result
    if outcome.success and rule.frame not in SINGLE:
        return "nothing unexpected"
    offending = _offending(rule, outcome, frame)
    if offending is not None:
        return ", ".join(dict.fromkeys(_text(value) for value in offending[rule.column].head(MAX_EXAMPLES)))
    if result.get("partial_missing_list"):
        return f"without {', '.join(map(str, result['partial_missing_list']))}"
    if "observed_value" in result and result["observed_value"] is not None:
        return f"{result['observed_value']:.6g}" if rule.frame in SINGLE else str(result["observed_value"])
    values = dict.fromkeys(_text(value) for value in result.get("partial_unexpected_list", []))
    return ", ".join(values)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(str(one) for one in value.values())
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _examples(
    rule: Rule, outcome: ExpectationValidationResult, given: Frames, frame: pd.DataFrame
) -> tuple[dict[str, Any], ...]:
    """Up to five rows that show the failure; for a number about the whole part, the series that contribute most."""
    if rule.worst is not None and "evidence" in given.frames:
        evidence = given.frames["evidence"].dropna(subset=[rule.worst])
        chosen = evidence.sort_values([rule.worst, "series_key"], ascending=[False, True]).head(MAX_EXAMPLES)
        return _rows(chosen, rule.worst)
    offending = _offending(rule, outcome, frame)
    if offending is not None:
        return _rows(offending.head(MAX_EXAMPLES), rule.column)
    return _rows(frame.loc[outcome.result.get("partial_unexpected_index_list") or []].head(MAX_EXAMPLES), rule.column)


def _rows(frame: pd.DataFrame, column: str) -> tuple[dict[str, Any], ...]:
    shown = [name for name in (*_NAMING, column) if name in frame.columns]
    records = frame[list(dict.fromkeys(shown))].to_dict("records")
    return tuple({str(name): value for name, value in record.items()} for record in records)
