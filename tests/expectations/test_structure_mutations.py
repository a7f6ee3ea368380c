"""Each rule of the layer structure has a change that fires it, and each change fires exactly the rules beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from connectors.errors import Blocked
from connectors.structures import Element, Structure, compare, dimensions
from expectations import gate, structure_rules
from expectations.structure_rules import READ, StructureEvidence
from tests.expectations.samples import dataset
from warehouse.schema import Decision, Severity

Elements = Sequence[Element]
DECLARED = dataset("oecd.sbrd", [{"id": "A"}])
STATED = (
    *dimensions(("FREQ", "AREA", "ROLE")),
    Element("attribute", "", "UNIT_MULT", ""),
    Element("version", "", "DF", "1.4"),
    Element("code", "AREA", "CHN", "China (People’s Republic of)"),
    Element("code", "AREA", "ABW", "Aruba", used=False),
    Element("held", "AREA", "CHN", ""),
    Element("code", "VAR", "G_XGDP", "GERD as a percentage of GDP"),
    Element("unit", "VAR", "G_XGDP", "percentage"),
    Element("code", "VAR", "T_RS", "Researchers & technicians (full-time), R&D centres"),
    Element("unit", "VAR", "T_RS", None),
    Element("unit", "MEASURE", "USD", "US dollar"),
    Element("role", "ROLE", "APPLICANT", "Applicant"),
    Element("held role", "ROLE", "APPLICANT", ""),
    Element("source", "indicator", "GERD", "UNESCO Institute for Statistics"),
    Element("note", "indicator", "GERD", "Gross expenditure"),
    Element("membership", "economy", "KOR", "East Asia, high income"),
    Element("place", "leaf", "d198", "root.科技.d198"),
)


class Case(NamedTuple):
    """What becomes of the elements, and the rules that must fail."""

    mutate: Callable[[Elements], Elements]
    rules: set[str]


def without(kind: str, code: str) -> Callable[[Elements], Elements]:
    return lambda stated: [one for one in stated if (one.kind, one.code) != (kind, code)]


def saying(kind: str, code: str, says: str | None) -> Callable[[Elements], Elements]:
    return lambda stated: [replace(one, says=says) if (one.kind, one.code) == (kind, code) else one for one in stated]


def with_more(*added: Element) -> Callable[[Elements], Elements]:
    return lambda stated: [*stated, *added]


def swapped(stated: Elements) -> Elements:
    first, second, *rest = stated
    return [replace(second, says="1"), replace(first, says="2"), *rest]


CASES = {
    "nothing": Case(lambda stated: stated, set()),
    "only case, width and punctuation": Case(saying("code", "CHN", "CHINA （People's  Republic of）"), set()),
    "new dimension": Case(lambda stated: [*dimensions(("SECTOR",)), *stated], {"dimension-new"}),
    "dimension gone": Case(without("dimension", "FREQ"), {"dimension-vanished"}),
    "dimensions swapped": Case(swapped, {"dimension-order"}),
    "code gone": Case(without("code", "CHN"), {"code-vanished"}),
    "code renamed": Case(saying("code", "CHN", "China"), {"code-renamed"}),
    "spelling that changes no meaning": Case(
        saying("code", "T_RS", "Researchers and technicians – full time – R&D centers"), set()
    ),
    "label without its unit": Case(saying("code", "G_XGDP", "GERD"), {"code-renamed"}),
    "label of another denominator": Case(saying("code", "G_XGDP", "GERD as a percentage of GNI"), {"code-renamed"}),
    "label with a denominator more": Case(
        saying("code", "T_RS", "Researchers & technicians (full-time), R&D centres, per 1000"), {"code-renamed"}
    ),
    "label gone": Case(saying("code", "G_XGDP", None), {"code-renamed"}),
    "code without data": Case(without("held", "CHN"), {"code-without-data"}),
    "unused code gone": Case(without("code", "ABW"), {"code-list-changed"}),
    "unused code renamed": Case(saying("code", "ABW", "Aruba (island)"), {"code-list-changed"}),
    "new code": Case(with_more(Element("code", "AREA", "XKX", "Kosovo", used=False)), {"code-list-changed"}),
    "unit gone": Case(without("unit", "USD"), {"unit-changed"}),
    "unit of another size": Case(saying("unit", "USD", "US dollar, thousands"), {"unit-changed"}),
    "unit no longer stated": Case(saying("unit", "G_XGDP", None), {"unit-changed"}),
    "unit stated for the first time": Case(saying("unit", "T_RS", "thousands"), {"unit-changed"}),
    "percent of something else": Case(saying("unit", "USD", "% of GDP"), {"unit-changed"}),
    "role gone": Case(without("role", "APPLICANT"), {"role-changed"}),
    "role without data": Case(without("held role", "APPLICANT"), {"role-changed"}),
    "version bump": Case(saying("version", "DF", "1.5"), {"version-changed"}),
    "attribute gone": Case(without("attribute", "UNIT_MULT"), {"attribute-changed"}),
    "other source": Case(saying("source", "GERD", "OECD"), {"source-changed"}),
    "other note": Case(saying("note", "GERD", "Gross expenditure, new definition"), {"note-changed"}),
    "other income class": Case(saying("membership", "KOR", "East Asia, low income"), {"membership-changed"}),
    "leaf moved": Case(saying("place", "d198", "root.教育.d198"), {"code-moved"}),
}


def failed(old: Elements, new: Elements) -> gate.Judgement:
    compared = compare(Structure(tuple(old)), Structure(tuple(new)))
    return gate.judge(DECLARED, (), StructureEvidence(tuple(compared)))


@pytest.mark.parametrize("name", CASES)
def test_a_change_fires_exactly_its_rules(name: str) -> None:
    case = CASES[name]

    judgement = failed(STATED, case.mutate(STATED))

    assert {result.rule for result in judgement.results if not result.success} == case.rules
    assert all(result.examined > 0 and result.layer == "structure" for result in judgement.results)


def test_every_rule_has_a_change() -> None:
    fired: set[str] = set().union(*(case.rules for case in CASES.values()))
    assert fired | {READ} == set(structure_rules.RULE)


def test_a_rule_without_an_element_to_examine_is_left_out() -> None:
    judgement = failed(STATED[:3], STATED[:3])
    names = {result.rule: result.examined for result in judgement.results}
    assert names == {READ: 3, "dimension-new": 3, "dimension-vanished": 3, "dimension-order": 3}


def test_a_critical_change_quarantines_and_says_what_was_and_what_is() -> None:
    judgement = failed(STATED, CASES["unit of another size"].mutate(STATED))

    assert judgement.decision is Decision.QUARANTINED
    assert judgement.summary().startswith(
        "unit-changed (MEASURE: unit of USD was 'US dollar' and is 'US dollar, thousands'; expected units are the same)"
    )
    [result] = judgement.failed(Severity.CRITICAL)
    assert result.examples == (
        {
            **{"within": "MEASURE", "code": "USD", "old": "US dollar", "new": "US dollar, thousands"},
            "unit_changed": "MEASURE: unit of USD was 'US dollar' and is 'US dollar, thousands'",
        },
    )


def test_a_new_name_of_a_code_in_use_waits_for_a_person_who_reads_both() -> None:
    judgement = failed(STATED, CASES["label of another denominator"].mutate(STATED))

    assert judgement.decision is Decision.QUARANTINED
    assert "was 'GERD as a percentage of GDP' and is 'GERD as a percentage of GNI'" in judgement.summary()
    assert failed(STATED, CASES["unused code renamed"].mutate(STATED)).decision is Decision.PUBLISHED


def test_what_a_dataset_file_does_not_say_contradicts_no_provider() -> None:
    silent = Structure(tuple(replace(one, says=None) for one in STATED if one.kind == "unit"), whole=False)
    assert [one.change for one in compare(silent, Structure(STATED)) if one.element.kind == "unit"] == [""] * 3


def test_a_structure_that_cannot_be_read_is_one_warning() -> None:
    refused = StructureEvidence(error=Blocked("refused (403)", next_step="wait"))

    judgement = gate.judge(DECLARED, (), refused)

    assert judgement.decision is Decision.PUBLISHED_WITH_WARNINGS
    assert [(r.rule, r.examined, r.observed) for r in judgement.results] == [(READ, 1, "refused (403)")]
