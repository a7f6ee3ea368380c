"""The generated suites: thresholds come from the dataset files, and the snapshots are what the code makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connectors.datasets import enabled_ids, load, survey
from expectations import golden_rules, structure_rules, suites
from expectations.rules import SINGLE
from tests.expectations.samples import dataset
from warehouse.schema import Severity


@pytest.mark.parametrize("dataset_id", enabled_ids())
def test_the_snapshot_is_what_the_code_makes(dataset_id: str) -> None:
    kept = (suites.SNAPSHOTS / f"{dataset_id}.json").read_text(encoding="utf-8")

    assert kept == suites.snapshot(load(dataset_id)), "python -m expectations.suites --write"


def test_no_snapshot_is_left_of_a_dataset_that_is_gone() -> None:
    assert sorted(path.stem for path in suites.SNAPSHOTS.glob("*.json")) == enabled_ids()


@pytest.mark.parametrize("dataset_id", survey().waiting)
def test_a_dataset_that_is_not_enabled_yet_has_suites_ready(dataset_id: str) -> None:
    dataset = load(dataset_id)
    for part in dataset.parts:
        kept = {rule.id for rule, _ in suites.demands(dataset, part.id)}
        assert {"share-withdrawn", "entities-required"} <= kept


def test_snapshots_hold_no_ids() -> None:
    for path in suites.SNAPSHOTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", text)
        assert json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n" == text


def test_a_threshold_of_the_file_becomes_the_argument_of_an_expectation() -> None:
    declared = dataset(
        "oecd.sbrd",
        [{"id": "A", "checks": {"max_share_withdrawn": 0.3}}, {"id": "B"}],
        checks={"max_share_withdrawn": 0.2, "maximum": 7},
    )

    def limit(part: str, rule: str) -> object:
        [found] = [demand for applied, demand in suites.demands(declared, part) if applied.id == rule]
        return found.arguments.get("max_value")

    assert (limit("A", "share-withdrawn"), limit("B", "share-withdrawn")) == (0.3, 0.2)
    assert limit("A", "value-in-range") == 7


def test_a_rule_that_the_file_gives_no_number_for_is_left_out() -> None:
    ids = {rule.id for rule, _ in suites.demands(dataset("oecd.sbrd", [{"id": "A"}]), "A")}

    assert not ids & {"value-in-range", "entities-required", "enough-observations", "no-gaps"}


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(KeyError):
        suites.build(dataset("oecd.sbrd", [{"id": "A"}]), "Z")


def test_rules_are_named_and_explained() -> None:
    rules = (*suites.RULES, *structure_rules.RULES, *golden_rules.RULES)
    assert len(suites.RULE) == len(rules)
    for rule in rules:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
        assert rule.why.endswith(".")
        assert rule.severity in Severity
        assert rule.worst is None or rule.frame in SINGLE


def test_writing_snapshots_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "SNAPSHOTS", tmp_path)

    assert suites.main([]) == 1
    assert suites.main(["--write"]) == 0
    assert suites.main([]) == 0
