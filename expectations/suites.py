"""Great Expectations suites as code, generated from a dataset file and the rules, and their checked-in snapshots.

Belongs here: which rules exist, turning their demands into expectations, and writing expectations/snapshots/*.json (of the
enabled datasets; sorted, without ids), which a test holds against the code. `python -m expectations.suites --write` regenerates
them. No number is written here: thresholds come from the dataset files and the rules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.datasets import Dataset, survey
from expectations import comparison_rules, golden_rules, part_rules, structure_rules
from expectations.rules import FINDINGS, Demand, Rule, Subject
from expectations.structure_rules import StructureEvidence
from warehouse.papers.changes import Foreseen

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

SNAPSHOTS = Path(__file__).parent / "snapshots"

RULES: tuple[Rule, ...] = (*part_rules.RULES, *comparison_rules.RULES)
RULE = {rule.id: rule for rule in (*RULES, *structure_rules.RULES, *golden_rules.RULES)}

#: These expectations name their columns themselves.
_OWN_COLUMNS = ("ExpectCompoundColumnsToBeUnique",)


def demands(dataset: Dataset, part_id: str) -> list[tuple[Rule, Demand]]:
    """The rules that apply to one part, each with what it demands. Raises KeyError for an unknown part."""
    subject = Subject(dataset, dataset.part(part_id), dataset.checks_of(part_id))
    applied = [(rule, rule.demand(subject)) for rule in RULES]
    return [(rule, demand) for rule, demand in applied if demand is not None]


def build(dataset: Dataset, part_id: str) -> dict[str, list[Expectation]]:
    """The expectations of one part by the frame they examine; each carries its rule's id, severity and words."""
    suite: dict[str, list[Expectation]] = {}
    for rule, demand in demands(dataset, part_id):
        suite.setdefault(rule.frame, []).append(_expectation(rule, demand))
    return suite


def build_structure(evidence: StructureEvidence) -> list[Expectation]:
    """The expectations of a dataset's structure: those that have something to examine, whatever the dataset file says."""
    return [_expectation(rule, demand) for rule, demand in structure_rules.demands(evidence)]


def build_printed(foreseen: Foreseen) -> list[Expectation]:
    """The expectations of what the papers print: those that have something to examine."""
    return [_expectation(rule, demand) for rule, demand in golden_rules.demands(foreseen)]


def _expectation(rule: Rule, demand: Demand) -> Expectation:
    from great_expectations import expectations

    kind = getattr(expectations, demand.expectation)
    column = {} if demand.expectation in _OWN_COLUMNS else {"column": rule.column}
    made: Expectation = kind(
        **column,
        **demand.arguments,
        severity=rule.severity.value,
        description=_words(rule, demand),
        meta={"rule": rule.id},
    )
    return made


def _words(rule: Rule, demand: Demand) -> str:
    """What is expected, for people; a finding speaks for itself, a measure is named."""
    finding = demand.expectation in (FINDINGS, *_OWN_COLUMNS) or rule.frame == "columns"
    return demand.text if finding else f"{rule.column.replace('_', ' ')} {demand.text}"


def rule_id(expectation: Expectation | ExpectationConfiguration | None) -> str:
    """The rule behind an expectation. Raises KeyError for one that was not made here."""
    meta = (expectation.meta if expectation is not None else None) or {}
    return str(meta["rule"])


def snapshot(dataset: Dataset) -> str:
    """The suites of a dataset as JSON: sorted, without ids, one entry a part and frame."""
    parts = {
        part.id: {
            frame: [_plain(expectation) for expectation in expectations]
            for frame, expectations in build(dataset, part.id).items()
        }
        for part in dataset.parts
    }
    return json.dumps({"dataset": dataset.id, "parts": parts}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(expectation: Expectation) -> dict[str, Any]:
    configuration: dict[str, Any] = expectation.configuration.to_json_dict()
    return {
        "rule": configuration["meta"]["rule"],
        "severity": configuration["severity"],
        "expectation": configuration["type"],
        "arguments": configuration["kwargs"],
        "description": configuration["description"],
    }


def main(arguments: list[str]) -> int:
    """Print the names of stale snapshots, or write them with --write. Returns 1 when one is stale and not written."""
    stale = 0
    for dataset in survey().enabled.values():
        path, text = SNAPSHOTS / f"{dataset.id}.json", snapshot(dataset)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--write" in arguments:
            path.write_text(text, encoding="utf-8")
        else:
            stale = 1
        print(f"{path.name} {'written' if '--write' in arguments else 'is stale'}")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
