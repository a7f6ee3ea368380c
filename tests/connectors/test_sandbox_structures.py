"""Faults that change a structure show it in structure messages and data alike, and nowhere else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from connectors.sandbox import facts
from connectors.sandbox.faults import SCALED
from connectors.sandbox.server import Sandbox, serve
from tests.connectors.test_sandbox_faults import BODY, DATA, ES_DATA, RESEARCH, ask, cells, stamp

INDICATORS = "/source/2/indicator?format=json&per_page=100"
COPAT = "/data/OECD.STI.PIE,DSD_PATENTS@DF_PATENTS_COINVENTOR,"
ROLES = f"{COPAT}/9P50_1.A.AP.PATN.PRIORITY.KOR.WXD._Z.CO._Z._Z?format=csvfilewithlabels"
EVERYTHING = "?references=all"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


def of_structure(sandbox: Sandbox, fault: str | None, path: str) -> dict[str, Any]:
    """Version of the flow, dimensions, codes of each list with labels, and codes in use, of a whole structure message."""
    root = ElementTree.fromstring(ask(sandbox, "oecd", f"/dataflow/{path}{EVERYTHING}", fault).content)
    nodes = [node for node in root.iter() if isinstance(node.tag, str)]
    kind = {name: [node for node in nodes if node.tag.endswith(f"}}{name}")] for name in ("Dataflow", "Dimension")}
    lists = [node for node in nodes if node.tag.endswith("}Codelist")]
    cube = [node for node in nodes if node.tag.endswith("}KeyValue")]
    return {
        "version": next(node.attrib["version"] for node in kind["Dataflow"] if "version" in node.attrib),
        "dimensions": [node.attrib["id"] for node in kind["Dimension"]],
        "codes": {one.attrib["id"]: {c.attrib["id"]: c[0].text for c in one if "id" in c.attrib} for one in lists},
        "used": {node.attrib["id"]: [value.text for value in node] for node in cube},
    }


SBRD_FLOW = "OECD.STI.STP/DSD_SBRD@DF_SBRD/"
COPAT_FLOW = "OECD.STI.PIE/DSD_PATENTS@DF_PATENTS_COINVENTOR/"


@pytest.mark.oecd
def test_a_new_dimension_is_in_the_structure_too(sandbox: Sandbox) -> None:
    before, after = (of_structure(sandbox, fault, SBRD_FLOW) for fault in (None, "new_dimension"))
    assert after["dimensions"] == [*before["dimensions"], "ADJUSTMENT"]
    assert after["used"]["ADJUSTMENT"] == ["_T"]
    assert after["codes"]["CL_ADJUSTMENT"] == {"_T": "Total"}


@pytest.mark.oecd
def test_a_renamed_code_has_another_label_everywhere(sandbox: Sandbox) -> None:
    before, after = (of_structure(sandbox, fault, SBRD_FLOW) for fault in (None, "renamed_code"))
    codes = [told["codes"]["CL_SBRD_VAR"] for told in (before, after)]
    assert {code for code in codes[0] if codes[0][code] != codes[1][code]} == {SCALED["oecd.sbrd"]}
    assert before["used"] == after["used"]
    path = "/data/OECD.STI.STP,DSD_SBRD@DF_SBRD,/KOR.G_PPP?format=csvfilewithlabels"
    rows = list(csv.reader(io.StringIO(ask(sandbox, "oecd", path, "renamed_code").text)))
    assert {row[rows[0].index("VAR") + 1] for row in rows[1:]} == {codes[1]["G_PPP"]}


@pytest.mark.oecd
def test_a_vanished_code_is_gone_everywhere(sandbox: Sandbox) -> None:
    before, after = (of_structure(sandbox, fault, SBRD_FLOW) for fault in (None, "vanished_code"))
    assert before["codes"]["CL_SBRD_VAR"].keys() - after["codes"]["CL_SBRD_VAR"].keys() == {"G_PPP"}
    assert set(before["used"]["VAR"]) - set(after["used"]["VAR"]) == {"G_PPP"}
    assert ask(sandbox, "oecd", DATA["oecd"], "vanished_code").text == "NoRecordsFound"
    others = DATA["oecd"].replace("G_PPP", "G_NC")
    right, other = (ask(sandbox, "oecd", others, fault).text for fault in (None, "vanished_code"))
    assert right == other


@pytest.mark.oecd
def test_a_new_version_replaces_the_old_one(sandbox: Sandbox) -> None:
    before, after = (of_structure(sandbox, fault, COPAT_FLOW)["version"] for fault in (None, "version_bump"))
    assert (before, after) == ("1.0", "1.1")
    rows = csv.DictReader(io.StringIO(ask(sandbox, "oecd", f"{COPAT}/all", "version_bump").text))
    assert {row["DATAFLOW"][-5:] for row in rows} == {"(1.1)"}
    assert ask(sandbox, "oecd", f"{COPAT}1.0/all", "version_bump").status_code == 404


@pytest.mark.oecd
def test_another_role_answers_under_the_same_address(sandbox: Sandbox) -> None:
    before, after = (of_structure(sandbox, fault, COPAT_FLOW)["used"] for fault in (None, "changed_role"))
    assert (before.pop("AGENT_ROLE"), after.pop("AGENT_ROLE")) == (["_Z"], ["INVENTOR"])
    assert before == after
    rows = list(csv.DictReader(io.StringIO(ask(sandbox, "oecd", ROLES, "changed_role").text)))
    assert {(row["AGENT_ROLE"], row["REF_AREA"]) for row in rows} == {("INVENTOR", "KOR")}
    sbrd = [of_structure(sandbox, fault, SBRD_FLOW) for fault in (None, "changed_role")]
    assert sbrd[0] == sbrd[1]


@pytest.mark.oecd
def test_old_vintages_are_granted_only_where_the_address_says_so(sandbox: Sandbox) -> None:
    path = "/data/OECD.STI.STP,DSD_SBRD@DF_SBRD,/CHN.G_PPP?format=csvfile&startPeriod=2018&endPeriod=2018"
    values = {
        (fault, day): cells("oecd", ask(sandbox, "oecd", f"{path}&asOf={day}", fault))
        for fault in (None, "grants_as_of")
        for day in ("2024-03-13", "2024-04-05T21:59:59Z", "2024-04-05T12:00:00", "2026-11-21")
    }
    right = cells("oecd", ask(sandbox, "oecd", path, None))
    assert {tuple(found) for (fault, _), found in values.items() if fault is None} == {tuple(right)}
    granted = [round(float(found[0][2]), 1) for (fault, _), found in values.items() if fault]
    assert granted == [465287.5, 465355.9, 465287.5, round(float(right[0][2]), 1)]
    assert ask(sandbox, "oecd", f"{path}&asOf=1900-01-01", "grants_as_of").text == "NoRecordsFound"
    assert ask(sandbox, "oecd", f"{path}&asOf=yesterday", "grants_as_of").status_code == 400
    assert cells("oecd", ask(sandbox, "oecd", path, "grants_as_of")) == right
    assert stamp(sandbox, "oecd", "grants_as_of") == stamp(sandbox, "oecd", None)


@pytest.mark.worldbank
def test_an_indicator_is_renamed_or_gone_everywhere(sandbox: Sandbox) -> None:
    listed = {
        fault: {one["id"]: one["name"] for one in ask(sandbox, "worldbank", INDICATORS, fault).json()[1]}
        for fault in (None, "renamed_code", "vanished_code")
    }
    changed = {code for code, name in listed[None].items() if listed["renamed_code"].get(code) != name}
    assert changed == {RESEARCH} == listed[None].keys() - listed["vanished_code"].keys()
    rows = ask(sandbox, "worldbank", DATA["worldbank"], "renamed_code").json()[1]
    assert {row["indicator"]["value"] for row in rows} == {listed["renamed_code"][RESEARCH]}
    [gone] = ask(sandbox, "worldbank", DATA["worldbank"], "vanished_code").json()
    assert gone["message"][0]["id"] == "175"


@pytest.mark.nbs
def test_a_leaf_is_renamed_or_gone_everywhere(sandbox: Sandbox) -> None:
    parent = "/publicrelease/web/external/new/queryIndexTreeAsync?code=3&pid=" + next(
        row["parent"] for row in facts.table("nbs_tree.csv") if row["id"] == BODY["cid"]
    )
    leaves = {
        fault: {one["_id"]: one["name"] for one in ask(sandbox, "nbs", parent, fault).json()["data"]}
        for fault in (None, "renamed_code", "vanished_code")
    }
    changed = {leaf for leaf, name in leaves[None].items() if leaves["renamed_code"].get(leaf) != name}
    assert changed == {BODY["cid"]} == leaves[None].keys() - leaves["vanished_code"].keys()
    listed = f"/publicrelease/web/external/new/queryIndicatorsByCid?cid={BODY['cid']}"
    assert ask(sandbox, "nbs", listed, "vanished_code").json()["data"] == {"list": [], "total": 0}
    assert ask(sandbox, "nbs", ES_DATA, "vanished_code").json()["data"] == []
