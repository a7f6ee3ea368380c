"""Structures of the three providers: asked once, read into elements, and compared with the dataset file, by the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import datasets, structures
from connectors.contract import Ask, connector
from connectors.datasets import Dataset
from connectors.errors import NoData, QuotaExhausted, UnexpectedPayload
from connectors.http.transport import Transport
from connectors.sandbox.server import Sandbox, serve
from connectors.structures import Answers, Element, Structure
from warehouse.schema import Payload

UPSTREAM = Path(__file__).resolve().parents[2].parent / "shared" / "upstream"
FOLDER = "506ef89a377e4beb96533b3659955ab5"
NAMES = [
    pytest.param("oecd.sbrd", marks=pytest.mark.oecd),
    pytest.param("oecd.pct_cooperation", marks=pytest.mark.oecd),
    pytest.param("worldbank.wdi", marks=pytest.mark.worldbank),
    pytest.param("nbs.science_technology", marks=pytest.mark.nbs),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


def asked(sandbox: Sandbox, dataset: Dataset, fault: str | None = None, at_hand: Sequence[Payload] = ()) -> Answers:
    base = sandbox.url(dataset.provider, fault=fault)
    with Transport(dataset.provider, base, attempts=1, trust_date=True) as transport:
        return structures.fetch(dataset, at_hand, transport)


def read(sandbox: Sandbox, dataset: Dataset, fault: str | None = None) -> Structure:
    answers = asked(sandbox, dataset, fault)
    assert answers.error is None
    return structures.reader(dataset.provider).read(dataset, answers.payloads)


def payload(url: str, content: bytes) -> Payload:
    return Payload("", content, "GET", url, None, 200, {}, datetime(2026, 1, 1, tzinfo=UTC))


def changed(dataset: Dataset, **fields: Any) -> Dataset:
    return dataset.model_copy(update=fields)


def with_part(dataset: Dataset, **fields: Any) -> Dataset:
    first, *others = dataset.parts
    return changed(dataset, parts=(first.model_copy(update=fields), *others))


def told(structure: Structure) -> dict[tuple[str, str, str], str | None]:
    return {element.key: element.says for element in structure.elements}


@pytest.mark.parametrize("name", NAMES)
def test_the_sandbox_says_what_the_dataset_file_expects(sandbox: Sandbox, name: str) -> None:
    dataset = datasets.load(name)
    expected = structures.expected(dataset)

    compared = structures.compare(expected, read(sandbox, dataset))

    assert structures.findings(compared) == []
    assert len(compared) == len(expected.elements) > len(dataset.dimensions)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_at_hand_is_not_asked_again(sandbox: Sandbox, name: str) -> None:
    dataset = datasets.load(name)
    reader = structures.reader(dataset.provider)
    first = asked(sandbox, dataset).payloads
    served = [one for one in first if reader.serves(one)]

    with Transport(dataset.provider, sandbox.url(dataset.provider), trust_date=True) as transport:
        again = structures.fetch(dataset, first, transport)

    assert transport.sent == len(first) - len(served) < 2
    assert reader.read(dataset, again.payloads) == reader.read(dataset, first)


@pytest.mark.parametrize("name", NAMES)
def test_a_structure_costs_one_request_or_one_a_folder_beyond_the_data(name: str) -> None:
    dataset = datasets.load(name)
    beyond = structures.beyond(dataset, connector(dataset.provider).plan(dataset, Ask()))
    assert {request.cost for request in beyond} == {"structure"}
    assert len(beyond) == (len({part.folder for part in dataset.parts}) if dataset.provider == "nbs" else 1)


@pytest.mark.oecd
def test_an_oecd_structure_is_one_request_and_has_everything(sandbox: Sandbox) -> None:
    dataset = datasets.load("oecd.pct_cooperation")
    [answer] = asked(sandbox, dataset).payloads

    found = told(structures.reader("oecd").read(dataset, [answer]))

    assert answer.url.endswith("/dataflow/OECD.STI.PIE/DSD_PATENTS@DF_PATENTS_COINVENTOR/1.0?references=all")
    assert [code for kind, _, code in found if kind == "dimension"] == list(dataset.dimensions)
    assert found["version", "", "DSD_PATENTS@DF_PATENTS_COINVENTOR"] == "1.0"
    assert ("attribute", "", "UNIT_MULT") in found
    assert found["role", "DATE_TYPE", "PRIORITY"] == "Priority date"
    assert ("held role", "AGENT_ROLE", "_Z") in found
    assert ("unit", "UNIT_MEASURE", "PT_PATN") in found


@pytest.mark.oecd
def test_the_unit_in_the_label_of_a_code_is_a_unit(sandbox: Sandbox) -> None:
    found = told(read(sandbox, datasets.load("oecd.sbrd")))
    assert found["unit", "VAR", "G_NC"] == "national currency, million"
    assert found["unit", "VAR", "B_XGDP"] == "percentage"


@pytest.mark.oecd
@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("GERD as a percentage of GNI", {"code-renamed"}),
        ("GERD as a ratio to GDP", {"code-renamed", "unit-changed"}),
        ("GERD as a percentage of GDP, per researcher", {"code-renamed"}),
        ("GERD — as a percentage of GDP.", set()),
    ],
)
def test_another_label_of_a_code_in_use_is_another_content(sandbox: Sandbox, label: str, changes: set[str]) -> None:
    dataset = datasets.load("oecd.sbrd")
    [answer] = asked(sandbox, dataset).payloads
    relabelled = answer.content.replace(b"GERD as a percentage of GDP", label.encode())
    before, after = (
        structures.reader("oecd").read(dataset, [replace(answer, content=content)])
        for content in (answer.content, relabelled)
    )

    found = structures.findings(structures.compare(before, after))

    assert {finding.change for finding in found} == changes
    assert all("percentage" in finding.text for finding in found)


@pytest.mark.oecd
def test_when_the_version_of_the_file_is_gone_the_newest_is_looked_at(sandbox: Sandbox) -> None:
    dataset = changed(datasets.load("oecd.sbrd"), flow="OECD.STI.STP,DSD_SBRD@DF_SBRD,0.9")

    [finding] = structures.against_file(dataset, read(sandbox, dataset))

    assert (finding.change, finding.old, finding.element.where) == ("version-changed", "0.9", ("flow",))


WRONG: dict[str, tuple[str, Callable[[Dataset], Dataset], dict[tuple[str | int, ...], str]]] = {
    "dimensions in another order": (
        "oecd.sbrd",
        lambda right: changed(right, dimensions=("VAR", "LOCATION"), entity_dimension="LOCATION"),
        {("dimensions",): "dimension-order", ("parts", 0, "key"): "code-vanished"},
    ),
    "a dimension too few": (
        "oecd.pct_cooperation",
        lambda right: changed(right, dimensions=right.dimensions[:-1]),
        {(): "dimension-new"},
    ),
    "a dimension that does not exist": (
        "oecd.sbrd",
        lambda right: changed(right, dimensions=(*right.dimensions, "SEX")),
        {("dimensions",): "dimension-vanished"},
    ),
    "an unknown code": (
        "oecd.sbrd",
        lambda right: with_part(right, key="{entities}.G_XYZ"),
        {("parts", 0, "key"): "code-vanished"},
    ),
    "an unknown unit": (
        "oecd.pct_cooperation",
        lambda right: with_part(right, key=right.parts[0].key.replace(".PATN.", ".PATENTS.")),
        {("parts", 0, "key"): "unit-changed"},
    ),
    "an unknown area": (
        "oecd.sbrd",
        lambda right: changed(right, entities=(*right.entities, "TWN")),
        {("entities", 10): "code-vanished"},
    ),
    "an unknown indicator": (
        "worldbank.wdi",
        lambda right: with_part(right, key="GB.XPD.RSDV.GD"),
        {("parts", 0, "key"): "code-vanished"},
    ),
    "an unknown economy": (
        "worldbank.wdi",
        lambda right: changed(right, entities=("ROM", *right.entities)),
        {("entities", 0): "code-vanished"},
    ),
    "an unknown economy besides": (
        "worldbank.wdi",
        lambda right: with_part(right, besides=("ROM",)),
        {("parts", 0, "besides", 0): "code-vanished"},
    ),
    "another unit than the name says": (
        "worldbank.wdi",
        lambda right: with_part(right, unit="% of GNI"),
        {("parts", 0, "unit"): "unit-changed"},
    ),
    "a leaf of another folder": (
        "nbs.science_technology",
        lambda right: changed(right, parts=(*right.parts[:3], right.parts[3].model_copy(update={"folder": FOLDER}))),
        {("parts", 3, "key"): "code-vanished"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_dataset_file_is_told_field_by_field(sandbox: Sandbox, name: str) -> None:
    right, alter, expected = WRONG[name]
    dataset = alter(datasets.load(right))

    found = structures.against_file(dataset, read(sandbox, dataset))

    assert {finding.element.where: finding.change for finding in found} == expected
    assert all(finding.text for finding in found)


@pytest.mark.worldbank
def test_groups_in_use_depend_on_all_their_members() -> None:
    dataset = datasets.load("worldbank.wdi")

    def economies(income: str) -> Structure:
        entry = {"region": {"id": "LCN", "value": "Latin America "}, "incomeLevel": {"id": "X", "value": income}}
        group = {"id": "HIC", "name": "High income", "region": {"id": "NA", "value": "Aggregates"}}
        listed = [{"id": "ABW", "name": "Aruba", **entry}, group | {"incomeLevel": {"value": "Aggregates"}}]
        answer = [{"page": 1, "pages": "1", "total": len(listed)}, listed]
        return structures.reader("worldbank").read(dataset, [payload("/v2/country?x", json.dumps(answer).encode())])

    def moved(file: Dataset) -> list[str]:
        compared = structures.compare(economies("High income"), economies("Upper middle income"))
        return [f"{one.change}: {one.text}" for one in structures.findings(compared)]

    assert moved(dataset) == [
        "membership-changed: economy: groups of ABW was 'Latin America, High income' "
        "and is 'Latin America, Upper middle income'"
    ]


@pytest.mark.worldbank
def test_a_unit_that_was_not_stated_and_is_now_has_changed() -> None:
    dataset = datasets.load("worldbank.wdi")

    def indicators(name: str) -> Structure:
        entry = {"id": "SP.POP.TOTL", "name": name, "unit": "", "sourceNote": "n", "sourceOrganization": "o"}
        answer = [{"page": "1", "pages": "1", "total": 1}, [entry]]
        url = "/v2/source/2/indicator?x"
        return structures.reader("worldbank").read(dataset, [payload(url, json.dumps(answer).encode())])

    before, after = indicators("Population, total"), indicators("Population, total (thousands)")
    assert [one.change for one in structures.findings(structures.compare(before, after))] == ["unit-changed"]


@pytest.mark.worldbank
def test_the_bracket_counts_beside_a_stated_unit() -> None:
    dataset = datasets.load("worldbank.wdi")

    def unit(name: str, stated: str) -> str | None:
        entry = {"id": "SP.POP.TOTL", "name": name, "unit": stated, "sourceNote": "n", "sourceOrganization": "o"}
        answer = json.dumps([{"page": "1", "pages": "1", "total": 1}, [entry]]).encode()
        found = structures.reader("worldbank").read(dataset, [payload("/v2/source/2/indicator?x", answer)])
        return told(found)["unit", "indicator", "SP.POP.TOTL"]

    assert [unit("Spending (% of GDP)", one) for one in ("", "%", "% of GDP")] == [
        "% of GDP",
        "%, % of GDP",
        "% of GDP",
    ]
    assert unit("Spending (% of GNI)", "%") == "%, % of GNI"


@pytest.mark.worldbank
def test_a_list_that_is_cut_is_not_a_structure(sandbox: Sandbox) -> None:
    dataset = datasets.load("worldbank.wdi")
    answer = json.dumps([{"page": "1", "pages": "2", "total": 2}, [{"id": "A", "name": "a", "unit": ""}]]).encode()
    with pytest.raises(UnexpectedPayload, match=r"1 entries on page 1 of 2, 2 in all.*Next:"):
        structures.reader("worldbank").read(dataset, [payload("/v2/source/2/indicator?x", answer)])


@pytest.mark.nbs
def test_slices_of_time_of_one_indicator_are_one(sandbox: Sandbox) -> None:
    dataset = datasets.load("nbs.science_technology")
    entry = {"ek": "e1", "dp": "1", "du_name": "万元", "i_mark": "口径", "i_annotation": None}
    slices = [
        entry | {"_id": "1", "_name": "R&D经费(-2022)", "i_showname": "R&D经费(-2022)(万元)"},
        entry | {"_id": "2", "_name": "R&D经费(2023-)", "i_showname": "R&D经费(2023-)(亿元)", "du_name": "亿元"},
    ]
    answer = json.dumps({"data": {"list": slices}}).encode()
    url = f"/new/queryIndicatorsByCid?cid={dataset.parts[0].key}&dt=&name="

    found = told(structures.reader("nbs").read(dataset, [payload(url, answer)]))

    assert found["code", "overview", "e1_1"] == "R&D经费(-2022); R&D经费(2023-)"
    assert found["unit", "overview", "e1_1"] == "万元 (万元); 亿元 (亿元)"


@pytest.mark.nbs
def test_an_indicator_with_another_name_is_told_with_both() -> None:
    dataset = datasets.load("nbs.science_technology")

    def indicator(name: str) -> Structure:
        entry = {"_id": "1", "_name": name, "i_showname": f"{name}(亿元)", "ek": "e1", "du_name": "亿元"}
        url = f"/new/queryIndicatorsByCid?cid={dataset.parts[0].key}&dt=&name="
        answer = json.dumps({"data": {"list": [entry]}}).encode()
        return structures.reader("nbs").read(dataset, [payload(url, answer)])

    [finding] = structures.findings(structures.compare(indicator("R&D经费支出"), indicator("企业R&D经费支出")))

    assert finding.change == "code-renamed"
    assert finding.text == "overview: code e1 was 'R&D经费支出' and is '企业R&D经费支出'"


@pytest.mark.nbs
def test_a_reading_that_the_quota_cut_short_goes_on_where_it_stopped(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = datasets.load("nbs.science_technology")
    get, left = Transport.get, iter(range(5))

    def limited(transport: Transport, *arguments: Any) -> Payload:
        if next(left, None) is None:
            raise QuotaExhausted("20 requests a run are used up", next_step="run it again")
        return get(transport, *arguments)

    monkeypatch.setattr(Transport, "get", limited)
    first = asked(sandbox, dataset)
    left = iter(range(5))
    second = asked(sandbox, dataset, at_hand=first.payloads)

    assert isinstance(first.error, QuotaExhausted)
    assert (len(first.payloads), len(second.payloads), second.error) == (5, 6, None)
    assert list(left) == [1, 2, 3, 4], "one request was left to send"


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_told_and_not_raised(sandbox: Sandbox, name: str) -> None:
    answers = asked(sandbox, datasets.load(name), fault="403")
    assert (type(answers.error).__name__, answers.payloads) == ("Blocked", ())


@pytest.mark.parametrize("content", [b"", b"<a/>", b"{}", b"[]", b'[{"page":1},null]', b"\xff\xfe", b"[" * 5000])
@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_another_form_are_a_typed_error(sandbox: Sandbox, name: str, content: bytes) -> None:
    dataset = datasets.load(name)
    reader = structures.reader(dataset.provider)
    for answer in asked(sandbox, dataset).payloads:
        with pytest.raises(UnexpectedPayload, match="Next:"):
            reader.read(dataset, [replace(answer, content=content)])


@pytest.mark.oecd
def test_a_flow_that_is_not_in_the_answer_is_an_error(sandbox: Sandbox) -> None:
    answers = asked(sandbox, datasets.load("oecd.sbrd"))
    other = datasets.load("oecd.pct_cooperation")
    with pytest.raises(UnexpectedPayload, match=r"no dataflow OECD\.STI\.PIE:DSD_PATENTS@"):
        structures.reader("oecd").read(other, answers.payloads)


@pytest.mark.oecd
def test_code_lists_that_are_left_out_are_not_vanished_codes(sandbox: Sandbox) -> None:
    dataset = datasets.load("oecd.sbrd")
    [answer] = asked(sandbox, dataset).payloads
    flow_alone = re.sub(rb"<structure:(Codelists|Constraints)>.*</structure:\1>", b"", answer.content)
    with pytest.raises(UnexpectedPayload, match="no code list of LOCATION, VAR in it"):
        structures.reader("oecd").read(dataset, [replace(answer, content=flow_alone)])


@pytest.mark.oecd
def test_a_flow_that_no_version_has_is_told(sandbox: Sandbox) -> None:
    dataset = changed(datasets.load("oecd.sbrd"), flow="OECD.STI.STP,DSD_NONE@DF_NONE,1.0")
    assert isinstance(asked(sandbox, dataset).error, NoData)


@pytest.mark.oecd
@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="../shared/upstream is not here: no recorded content constraint")
def test_a_recorded_content_constraint_is_read() -> None:
    from connectors.oecd.structure import read_message

    name = "actualconstraint__CR_A_DSD_DEBT_TRANS_COLL@DF_MICRO__2023-12-27.xml"
    content = (UPSTREAM / "oecd" / "structures" / name).read_bytes()
    _, cube = read_message(content, "OECD.DAF", "DSD_DEBT_TRANS_COLL@DF_MICRO")
    assert cube["CURRENCY"] == {"EUR", "THB", "USD", "UZS"}
    assert len(cube) == 8


def test_what_a_new_code_brings_with_it_is_told_once() -> None:
    old = Structure((Element("code", "VAR", "G", "GERD"),))
    new = Structure((*old.elements, Element("code", "VAR", "B", "BERD", used=False), Element("held", "VAR", "B", "")))
    assert [one.change for one in structures.findings(structures.compare(old, new))] == ["code-list-changed"]
    assert [one.change for one in structures.findings(structures.compare(new, old))] == ["code-list-changed"]
