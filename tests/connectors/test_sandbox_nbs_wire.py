"""The forms of the sandbox's NBS answers: against recorded ones, and against what every clone knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.sandbox import nbs_wire
from connectors.sandbox.wire import Answer
from tests.connectors.sandbox_forms import ask, assert_same_shape, recorded, upstream

pytestmark = pytest.mark.nbs
OVERVIEW = "d198efc7d03c46bd9069e035e7ddd038"


def es_data(on: str | None = None, **changes: Any) -> Answer:
    body = {
        **{"cid": OVERVIEW, "indicatorIds": [], "daCatalogId": "", "showType": "1", "dts": ["2013YY-2023YY"]},
        **{"das": [{"text": "全国", "value": "000000000000"}], "rootId": nbs_wire.ROOT},
    }
    return ask("nbs", "publicrelease/web/external/stream/esData", on, "POST", body | changes)


@recorded
def test_portal_answers_have_the_shape_of_recorded_ones() -> None:
    listed = json.loads(ask("nbs", "publicrelease/web/external/new/queryIndicatorsByCid", cid=OVERVIEW).body)
    assert_same_shape(listed["data"]["list"], upstream("nbs/portal/indicators_by_cid_list_only.json"))
    values = json.loads(es_data().body)
    assert_same_shape(values, upstream("nbs/portal/esdata_annual_nationwide_2020_2024.json"))


def test_values_come_newest_first_and_empty_where_unpublished() -> None:
    data = json.loads(es_data(dts=["2014YY-2016YY"]).body)["data"]
    assert [period["code"] for period in data] == ["2016YY", "2015YY", "2014YY"]
    patents = [next(row for row in period["values"] if row["_name"] == "专利申请数") for period in data]
    assert [row["value"] for row in patents] == ["3464824", "2798500", ""]
    assert {row["da"] for row in patents} == {"000000000000"}
    before = json.loads(es_data("2020-01-01", dts=["2014YY-2016YY"]).body)["data"]
    assert {row["value"] for period in before for row in period["values"]} == {""}


def test_units_agree_and_ids_are_the_same_everywhere() -> None:
    for cid in nbs_wire.LEAVES:
        answer = ask("nbs", "publicrelease/web/external/new/queryIndicatorsByCid", cid=cid, dt="", name="")
        listed = json.loads(answer.body)["data"]["list"]
        assert listed
        assert all(f"({row['du_name']})" in row["i_showname"] for row in listed)
        assert all("SANDBOX" in row["i_mark"] for row in listed)
        values = json.loads(es_data(cid=cid, indicatorIds=[listed[0]["_id"]]).body)["data"][0]["values"]
        assert [row["ek"] for row in values] == [listed[0]["ek"]]


def test_the_tree_leads_to_every_leaf() -> None:
    def below(parent: str) -> list[dict[str, Any]]:
        answer = ask("nbs", "publicrelease/web/external/new/queryIndexTreeAsync", pid=parent, code="3")
        nodes: list[dict[str, Any]] = json.loads(answer.body)["data"]
        return nodes

    def leaves(parent: str) -> set[str]:
        nodes = below(parent)
        own = {node["_id"] for node in nodes if node["isLeaf"]}
        return own.union(*(leaves(node["_id"]) for node in nodes if not node["isLeaf"]))

    assert [node["_id"] for node in below("")] == [nbs_wire.ROOT]
    assert leaves("") == set(nbs_wire.LEAVES)


@pytest.mark.parametrize(
    ("changes", "status", "start"),
    [
        ({"showType": ""}, 500, b"{"),
        ({"dts": "2013-"}, 200, b"<"),
        ({"dts": ["2013-2014"]}, 200, b"<"),
        ({"rootId": "other"}, 200, b'{"data": []'),
        ({"das": [{"text": "北京", "value": "110000"}]}, 200, b'{"data": [{'),
    ],
)
def test_bodies_the_portal_does_not_understand(changes: dict[str, Any], status: int, start: bytes) -> None:
    answer = es_data(**changes)
    assert answer.status == status
    assert answer.body.startswith(start)
    if "das" in changes:
        rows = [row for period in json.loads(answer.body)["data"] for row in period["values"]]
        assert {row["value"] for row in rows} == {""}
