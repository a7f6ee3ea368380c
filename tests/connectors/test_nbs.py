"""The NBS connector: the portal of today, the forms of the past, and all recorded answers where they are kept."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import pytest

from connectors import datasets
from connectors.contract import Ask
from connectors.errors import (
    BadRequest,
    Blocked,
    NoData,
    NotFound,
    ServerFault,
    Throttled,
    UnexpectedPayload,
    Unreachable,
)
from connectors.nbs import classic as nbs_classic
from connectors.nbs import connector as nbs
from connectors.nbs import errors as nbs_errors
from connectors.nbs import parse as nbs_parse
from connectors.skipped import Skip
from tests.connectors import specimens
from warehouse.schema import PartData, Scope

pytestmark = pytest.mark.nbs
TECH = datasets.load("nbs.science_technology")
NATION = "000000000000"


def _indicator(number: int, name: str, unit: str, **more: Any) -> dict[str, Any]:
    entry = {"_id": f"id{number}", "_name": name, "i_showname": f"{name} ({unit}) ", "ek": f"ek{number}", "dp": "1"}
    return entry | {"du_name": unit, "num_accuracy_value": "2", "kj1": None, "i_mark": None} | more


INDICATORS = [_indicator(1, "技术市场 成交额", "亿元", i_mark="口径说明"), _indicator(2, "专利申请数", "项")]
VALUES = {
    "2024": {"id1": "", "id2": ""},
    "2023": {"id1": "61475.60", "id2": "无"},
    "2022": {"id1": "47791.02", "id2": "0"},
    "2021": {"id1": "", "id2": "5243592"},
    "2020": {"id1": "", "id2": ""},
}


def _envelope(data: object) -> str:
    return json.dumps({"data": data, "success": True, "state": 20000, "message": "成功"}, ensure_ascii=False)


def _periods(values: dict[str, dict[str, str]], **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "code": f"{year}YY",
            "values": [
                {"_id": key, "value": value, "da": NATION, "da_name": "全国"} | more for key, value in row.items()
            ],
        }
        for year, row in values.items()
    ]


def _parse(periods: object, indicators: list[dict[str, Any]] = INDICATORS) -> PartData:
    listed, values = (specimens.payload(_envelope(data)) for data in ({"list": indicators, "total": 2}, periods))
    return nbs.CONNECTOR.parse(TECH, specimens.fetched("overview", listed, values))


def test_missing_values_stay_apart_and_are_never_zero() -> None:
    data = _parse([*_periods(VALUES), {"code": "2019YY", "values": []}])
    found = {(r["series_key"][:3], r["period"]): (r["value"], r["value_text"]) for r in data.observations.to_pylist()}
    assert found == {
        ("ek1", "2021"): (None, ""),
        ("ek1", "2022"): (47791.02, "47791.02"),
        ("ek1", "2023"): (61475.6, "61475.60"),
        ("ek2", "2021"): (5243592.0, "5243592"),
        ("ek2", "2022"): (0.0, "0"),
        ("ek2", "2023"): (None, "无"),
    }
    assert data.skipped == {
        "placeholder of a period in which nothing is published": 4,
        "period without values": 1,
    }
    assert data.notes == ()


def test_series_say_what_they_are() -> None:
    first, second = _parse(_periods(VALUES)).series.to_pylist()
    assert first["series_key"] == f"ek1.{NATION}"
    assert (first["label"], first["unit"], first["decimals"], first["notes"]) == (
        "技术市场成交额",
        "亿元",
        2,
        "口径说明; patent totals are domestic and foreign together",
    )
    assert json.loads(second["dimensions"]) == {"INDICATOR": "ek2", "REGION": NATION}


def test_findings_unit_conflict_gap_and_silent_indicator() -> None:
    conflict = [INDICATORS[0] | {"du_name": "万元"}, INDICATORS[1]]
    data = _parse(_periods({year: {"id1": row["id1"]} for year, row in VALUES.items() if year != "2022"}), conflict)
    assert data.notes == (
        "unit conflict: 技术市场成交额 says '亿元' in its name and '万元' beside it",
        "indicators asked for and not in the answer: 专利申请数",
    )
    gap = _parse(_periods({"2023": {"id1": "1"}, "2021": {"id1": "2"}}), INDICATORS[:1])
    assert gap.notes == ("years not in the answer: 2022",)


def test_the_expected_unit_of_the_dataset_file_is_compared() -> None:
    part = TECH.parts[0].model_copy(update={"indicators": {"技术市场成交额": "万元"}})
    dataset = TECH.model_copy(update={"parts": (part, *TECH.parts[1:])})
    listed = specimens.payload(_envelope(INDICATORS))
    values = specimens.payload(_envelope(_periods({"2023": {"id1": "1"}})))
    data = nbs.CONNECTOR.parse(dataset, specimens.fetched("overview", listed, values))
    assert data.notes == ("unit conflict: 技术市场成交额 is in '亿元', the dataset file expects '万元'",)


def test_a_split_or_another_measure_is_part_of_the_key() -> None:
    indicators = [_indicator(1, "a", "项", kj1="k"), _indicator(2, "b", "项", dp="2")]
    data = _parse(_periods({"2023": {"id1": "1", "id2": "2"}}), indicators)
    assert [row["series_key"] for row in data.series.to_pylist()] == [f"ek1_k.{NATION}", f"ek2_dp2.{NATION}"]


@pytest.mark.parametrize(
    ("periods", "named"),
    [
        (_periods({"2023": {"id1": "1"}}, da="110000000000", da_name="北京市"), "110000000000"),
        (_periods({"2023": {"id9": "1"}}), "id9"),
        (_periods({"2023": {"id1": "1"}}, kj1="x", kj1_name="规模以上"), "规模以上"),
        ([{"code": "2023YY", "values": [{"_id": "id1", "v": "1", "da": NATION}]}], "value"),
        ([{"code": "202313XX", "values": [{"_id": "id1", "value": "1", "da": NATION}]}], "202313XX"),
        (_periods({"2023": {"id1": "1,5"}}), "not a number"),
    ],
)
def test_another_form_is_refused_by_name(periods: object, named: str) -> None:
    with pytest.raises(UnexpectedPayload, match=named):
        _parse(periods)


def test_a_list_with_one_id_for_two_indicators_is_refused() -> None:
    with pytest.raises(UnexpectedPayload, match="one _id stands twice"):
        _parse(_periods(VALUES), [INDICATORS[0], INDICATORS[1] | {"_id": "id1"}])


def test_what_was_not_asked_for_and_what_did_not_come_are_counted() -> None:
    listed, values = (specimens.payload(_envelope(data)) for data in ({"list": INDICATORS}, _periods(VALUES)))
    scope = Scope("2022", "2023", (NATION, "110000000000"))
    data = nbs.CONNECTOR.parse(TECH, specimens.fetched("overview", listed, values, scope=scope))
    assert set(data.observations.column("period").to_pylist()) == {"2022", "2023"}
    assert data.skipped == {Skip.OTHER_PERIOD: 6, Skip.ABSENT.naming(["110000000000"]): 1}


def test_nothing_published_is_no_data() -> None:
    for blank in ("", "无"):
        with pytest.raises(NoData):
            _parse(_periods({"2023": {"id1": blank, "id2": blank}}))


SLICES = [_indicator(1, "就业人员(-2022)", "万人", ek="ek"), _indicator(2, "就业人员(2023-)", "万人", ek="ek")]


def test_slices_of_time_make_one_series_described_by_the_newest() -> None:
    values: dict[str, dict[str, Any]] = {
        "2024": {"id1": "", "id2": ""},
        "2023": {"id1": None, "id2": "5"},
        "2022": {"id1": "无", "id2": ""},
        "2021": {"id1": "4", "id2": "无"},
    }
    data = _parse(_periods(values), SLICES)
    assert [(row["period"], row["value_text"]) for row in data.observations.to_pylist()] == [
        ("2021", "4"),
        ("2022", "无"),
        ("2023", "5"),
    ]
    assert data.skipped == {
        "blank cell of a slice of time where another slice has the value": 3,
        "placeholder of a period in which nothing is published": 2,
    }
    assert [row["label"] for row in data.series.to_pylist()] == ["就业人员(2023-)"]
    assert data.notes == ()
    turned = _parse(list(reversed(_periods(values))), SLICES[::-1])
    assert turned.canonical_hash == data.canonical_hash


def test_slices_that_disagree_are_refused_and_other_units_are_a_conflict() -> None:
    with pytest.raises(UnexpectedPayload, match=r"就业人员\(-2022\)\(万人\) says 4, 就业人员\(2023-\)\(万人\) says 5"):
        _parse(_periods({"2022": {"id1": "4", "id2": "5"}}), SLICES)
    other = [SLICES[0] | {"i_showname": "就业人员(-2022) (人)", "du_name": "人"}, SLICES[1]]
    data = _parse(_periods({"2023": {"id1": "", "id2": "5"}, "2022": {"id1": "4", "id2": ""}}), other)
    assert data.notes == ("unit conflict: 就业人员(-2022) has slices in '人' and '万人'",)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, "reason:UrlACL Client IP: x", Blocked),
        (404, "<html>404</html>", NotFound),
        (429, "", Throttled),
        (400, "<html>once</html>", ServerFault),
        (500, '{"success":false,"state":50000,"message":"系统异常"}', ServerFault),
        (502, "<html>bad gateway</html>", ServerFault),
        (200, "<!doctype html><script>wzws</script>", Blocked),
        (200, '{"success": true, "state": 50000, "message": "x", "data": []}', UnexpectedPayload),
        (200, '{"success": true, "state": 20000, "data": []}', NoData),
        (200, '{"returncode": 200}', UnexpectedPayload),
        (200, '{"success": true, "state": 200', Unreachable),
    ],
)
def test_what_an_answer_means(status: int, body: str, error: type[Exception]) -> None:
    found = nbs_errors.classify(specimens.payload(body, status=status))
    assert type(found) is error
    assert "Next: " in str(found)


def test_a_500_to_a_body_says_that_the_body_is_wrong_and_is_not_asked_again() -> None:
    answer = specimens.payload('{"success":false,"state":50000,"message":"系统异常"}', status=500)
    found = nbs_errors.classify(replace(answer, method="POST", body="{}"))
    assert type(found) is BadRequest
    assert not found.retriable


def test_the_home_page_is_html_by_right_unless_it_is_a_challenge() -> None:
    assert nbs_errors.classify_page(specimens.payload("<html>国家数据</html>")) is None
    assert isinstance(nbs_errors.classify_page(specimens.payload("<script>waf_zw_verify</script>")), Blocked)
    assert isinstance(nbs_errors.classify_page(specimens.payload("no", status=403)), Blocked)


def test_periods_are_asked_as_closed_ranges_and_regions_with_twelve_digits() -> None:
    page, _, values = nbs.CONNECTOR.plan(TECH, Ask(("overview",), Scope("2013", "2023")))
    assert page.path == "page.html"
    assert values.body is not None
    body = json.loads(values.body)
    assert body["dts"] == ["2013YY-2023YY"]
    assert body["das"] == [{"text": "全国", "value": NATION}]
    assert (body["showType"], body["daCatalogId"], body["rootId"]) == ("1", "", TECH.flow)
    assert nbs._code("2023-Q1", "Q") == "202301SS"
    assert nbs._code("2024-12", "M") == "202412MM"
    assert [nbs_parse.period_of(code) for code in ("2023YY", "202301SS", "202412MM")] == ["2023", "2023-Q1", "2024-12"]


@pytest.mark.parametrize(
    ("text", "name", "unit"),
    [
        ("域名数 (万个) ", "域名数", "万个"),
        ("居民消费价格指数（上年=100）（%）", "居民消费价格指数(上年=100)", "%"),
        ("就业人员(2023-)", "就业人员(2023-)", ""),
        ("人次 (万人(次))", "人次", "万人(次)"),
        ("总人口", "总人口", ""),
    ],
)
def test_the_unit_is_the_last_bracket(text: str, name: str, unit: str) -> None:
    assert nbs_parse.split_unit(text) == (name, unit)


CLASSIC = {
    "returncode": 200,
    "returndata": {
        "datanodes": [
            {
                "data": {"data": 100.715, "dotcount": 1, "hasdata": True, "strdata": "100.7"},
                "wds": [{"valuecode": "A01", "wdcode": "zb"}, {"valuecode": "2019B", "wdcode": "sj"}],
            },
            {
                "data": {"data": 0.0, "dotcount": 1, "hasdata": False, "strdata": ""},
                "wds": [
                    {"valuecode": "A02", "wdcode": "zb"},
                    {"valuecode": "110000", "wdcode": "reg"},
                    {"valuecode": "2023", "wdcode": "sj"},
                ],
            },
        ],
        "wdnodes": [{"wdcode": "zb", "nodes": [None, {"code": "A01", "cname": "指数", "unit": "%", "dotcount": 1}]}],
    },
}


def test_classic_answers_give_the_published_string_and_no_false_zero() -> None:
    parsed = nbs_classic.read_query(json.dumps(CLASSIC).encode())
    assert parsed.observations.to_pylist() == [
        {"series_key": "A01.000000", "period": "2019-Q2", "value_text": "100.7", "status": ""},
        {"series_key": "A02.110000", "period": "2023", "value_text": "", "status": ""},
    ]
    assert [(row["label"], row["unit"], row["frequency"]) for row in parsed.series] == [
        ("指数", "%", "Q"),
        ("A02", "", "A"),
    ]


def test_classic_refusals() -> None:
    with pytest.raises(NoData, match="501"):
        nbs_classic.read_query('{"returncode":501,"returndata":"对不起"}'.encode())
    for wrong in (b"<html>", b'{"returncode":502,"returndata":"x"}', b'{"returncode":200,"returndata":{}}', b"[]",
                  b'{"returncode":200,"returndata":{"wdnodes":[],"datanodes":""}}'):  # fmt: skip
        with pytest.raises(UnexpectedPayload):
            nbs_classic.read_query(wrong)
    with pytest.raises(UnexpectedPayload):
        nbs_classic.read_tree(b'{"a": 1}')


def test_exports_of_both_web_pages() -> None:
    classic = "数据库：年度数据\n时间：最近10年\n指标,2019年,2017年\n单位数(个),12,9\n注：修订\n数据来源：国家统计局\n"
    found = nbs_classic.read_export(classic.encode())
    assert found.values == {("单位数", "个", "2019"): "12", ("单位数", "个", "2017"): "9"}
    assert (found.database, found.gaps, found.notes) == ("年度数据", ("2018",), ("注：修订", "数据来源：国家统计局"))
    portal = "数据库：分省年度数据 \n时间： \n指标\t,2019年\t,2018年\t,\n支出 (亿元) \t,\t,1.10\t,\n"
    assert nbs_classic.read_export(portal.encode()).values == {
        ("支出", "亿元", "2019"): "",
        ("支出", "亿元", "2018"): "1.10",
    }
    with pytest.raises(UnexpectedPayload):
        nbs_classic.read_export(b"a,b\n")


def test_recorded_portal_answers() -> None:
    folder = specimens.upstream("nbs", "portal")
    listed = specimens.payload((folder / "indicators_by_cid_list_only.json").read_bytes())
    answer = json.loads((folder / "esdata_annual_nationwide_2020_2024.json").read_text())
    listing = specimens.payload(_envelope(json.loads(listed.content)))
    values = specimens.payload(json.dumps(answer))
    assert nbs_errors.classify(values) is None
    data = nbs.CONNECTOR.parse(TECH, specimens.fetched("overview", listing, values))
    found = {(row["series_key"], row["period"]): row for row in data.observations.to_pylist()}
    users = found[f"37b7048ec1884abc957b7a0724371ff4.{NATION}", "2024"]
    assert (users["value_text"], users["value"]) == ("110833", 110833.0)
    sites = [row["value_text"] for (key, _), row in found.items() if key.startswith("254fbe94")]
    assert sites == [""] * 5
    search = json.loads((folder / "query_search_hulianwang_pulu.json").read_text())
    assert search["data"]["data"]


def test_recorded_classic_answers() -> None:
    folder = specimens.upstream("nbs", "easyquery")
    counted = 0
    for path in folder.glob("querydata_*.json"):
        parsed = nbs_classic.read_query(path.read_bytes())
        texts = parsed.observations.column("value_text").to_pylist()
        assert all(text == "" or float(text) is not None for text in texts)
        assert (parsed.observations.num_rows == 0) == ("empty_datanodes" in path.name)
        counted += 1
    assert counted == 8
    falsely_zero = nbs_classic.read_query(
        (folder / "querydata_fsnd_A010101_reg110000_2023_hasdata_false.json").read_bytes()
    )
    assert falsely_zero.observations.column("value_text").to_pylist() == [""]
    with pytest.raises(NoData):
        nbs_classic.read_query((folder / "error_501_no_such_indicator.json").read_bytes())
    assert len(nbs_classic.read_tree((folder / "gettree_hgyd_A0101.json").read_bytes())) > 5
    walk = json.loads((folder / "gettree_hgyd_full_walk_39_calls.json").read_text())
    nodes = [node for call in walk for node in nbs_classic.read_tree(json.dumps(call["answer"]).encode())]
    assert len(nodes) == 643


def test_recorded_exports_and_catalogues() -> None:
    exports = specimens.upstream("nbs", "exports")
    classic = nbs_classic.read_export((exports / "classic_export_hgnd_enterprises_2014_2022.csv").read_bytes())
    assert classic.values["企业法人单位数", "个", "2022"] == "32828734"
    assert classic.gaps == ("2018",)
    portal = nbs_classic.read_export((exports / "portal_export_fsnd_beijing_fiscal_2016_2024.csv").read_bytes())
    assert portal.values["地方财政一般公共服务支出", "亿元", "2024"] == ""
    assert portal.gaps == ()
    catalog = specimens.upstream("nbs", "catalog")
    with (catalog / "portal_tree_yearly.csv").open(encoding="utf-8-sig") as file:
        leaves = {row["id"]: row["name"] for row in csv.DictReader(file)}
    for name in ("nbs.science_technology", "nbs.fdi_by_country"):
        for part in datasets.load(name).parts:
            assert nbs_parse.plain_name(leaves[part.key]) == nbs_parse.plain_name(part.label_zh)
    listed = json.loads((catalog / "portal_indicators_quarterly.json").read_text())
    named = [(one["name"], one["unit_name"]) for leaf in listed.values() for one in leaf["indicators"]]
    conflicts = [
        name for name, unit in named if nbs_parse.split_unit(name)[1] not in ("", nbs_parse.plain_name(unit or ""))
    ]
    assert len(named) > 700
    assert 300 <= len(conflicts) <= 340
