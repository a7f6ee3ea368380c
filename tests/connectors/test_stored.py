"""Stored messages of every form: which parts they are of, when they were published, how far they speak, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors import contract, datasets, stored
from connectors.contract import Fetched
from connectors.datasets import Dataset
from connectors.errors import UnexpectedPayload
from connectors.http.request import Request
from connectors.skipped import Skip
from connectors.stored import Loading
from tests.connectors import specimens
from warehouse.clock import stated_stamp
from warehouse.schema import Basis, PartData, Payload, Precision, Scope

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SBRD = datasets.load("oecd.sbrd")
WDI = datasets.load("worldbank.wdi")
TECHNOLOGY = datasets.load("nbs.science_technology")
OLD = stated_stamp("2020-12", "Asia/Shanghai", Basis.CARRIED)


def pieces(
    dataset: Dataset, *contents: str | bytes, loading: Loading | None = None, lists: Mapping[str, Payload] | None = None
) -> list[Fetched]:
    """The files as answers; `lists` are the lists that are held, by the last word of their address."""

    def recall(request: Request) -> Payload | None:
        return next((one for word, one in (lists or {}).items() if word in request.address), None)

    coded = [content.encode() if isinstance(content, str) else content for content in contents]
    files = [stored.payload(f"file-{number}", content, NOW) for number, content in enumerate(coded)]
    return stored.fetch(dataset, files, loading or Loading(), recall)


def read(dataset: Dataset, found: Sequence[Fetched]) -> list[PartData]:
    return [contract.parse(dataset, part) for piece in found for part in piece.parts]


def texts(data: PartData) -> dict[tuple[str, str], str | None]:
    return {(row["series_key"], row["period"]): row["value_text"] for row in data.observations.to_pylist()}


# -- OECD ------------------------------------------------------------------------------------------------------------

KOREA = {("KOR.G_XGDP", "2018"): "4.27154", ("CHN.G_XGDP", "2018"): "2.10232", ("CHN.G_XGDP", "2017"): "2.08"}


@pytest.mark.oecd
def test_a_message_of_the_oecd_says_itself_when_it_was_prepared() -> None:
    data, korea = read(SBRD, pieces(SBRD, specimens.COMPACT_ML))
    assert data.part == "G_XGDP"
    assert texts(data) | texts(korea) == KOREA | {("CHN.G_XGDP", "2016"): None}
    assert data.stamp is not None
    assert (data.stamp.at, data.stamp.precision) == (datetime(2026, 4, 13, 14, 23, 54, tzinfo=UTC), Precision.INSTANT)
    assert data.stamp.basis is Basis.PUBLISHER
    assert data.payloads[0].fetched_at == data.stamp.at  # its server wrote it then, whenever it is loaded
    assert data.payloads[0].content == specimens.COMPACT_ML.encode()
    assert data.scope == Scope("2016", "2018", ("CHN",))
    assert korea.scope == Scope("2018", "2018", ("KOR",))  # the message says nothing of its earlier years


@pytest.mark.oecd
def test_all_that_the_publisher_had_is_a_complete_reading() -> None:
    [data] = read(SBRD, pieces(SBRD, specimens.COMPACT_ML, loading=Loading(complete=True)))
    assert data.scope.complete


@pytest.mark.oecd
def test_a_table_of_the_data_explorer_may_hold_several_parts() -> None:
    other = specimens.SBRD_CSV.splitlines()[1].replace("G_XGDP", "B_XGDP").replace("2018", "2015")
    loading = Loading(stamp=OLD)
    found = pieces(SBRD, specimens.SBRD_CSV + other + "\n", loading=loading)
    business, wide, korea = sorted(read(SBRD, found), key=lambda data: (data.part, data.scope.start))
    assert (wide.part, korea.part, business.part) == ("G_XGDP", "G_XGDP", "B_XGDP")
    assert texts(wide) | texts(korea) == KOREA | {("CHN.G_XGDP", "2016"): None}
    assert texts(business) == {("KOR.B_XGDP", "2015"): "4.27154"}
    assert (wide.skipped[Skip.OTHER_PART], business.skipped[Skip.OTHER_PART]) == (1, 5)
    assert wide.stamp == OLD
    assert wide.payloads[0].fetched_at == NOW
    [only] = read(SBRD, pieces(SBRD, specimens.SBRD_CSV + other + "\n", loading=replace(loading, parts=("B_XGDP",))))
    assert only.part == "B_XGDP"


@pytest.mark.oecd
def test_tables_of_the_old_service_are_read_by_their_dimensions() -> None:
    legacy = '"LOCATION","Country","VAR","TIME","Value","Flag.Codes"\n"KOR","Korea","G_XGDP",2018,4.27,\n'
    [data] = read(SBRD, pieces(SBRD, legacy, loading=Loading(stamp=OLD)))
    assert texts(data) == {("KOR.G_XGDP", "2018"): "4.27"}


@pytest.mark.oecd
def test_messages_come_in_known_order() -> None:
    older = specimens.COMPACT_ML.replace("2026-04-13", "2025-04-13")
    found = pieces(SBRD, specimens.COMPACT_ML, older)
    assert [piece.parts[0].stamp.text for piece in found if piece.parts[0].stamp] == [
        *["2025-04-13T16:23:54"] * 2,  # Korea's year by itself
        *["2026-04-13T16:23:54"] * 2,
    ]


@pytest.mark.oecd
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (specimens.COMPACT_ML.replace("DSD_SBRD(1.2)", "DSD_OTHER(1.2)"), "it is of OECD.STI.STP:DSD_OTHER"),
        (specimens.LABELLED_CSV, "it is of X:DSD_Y@DF_Z"),
        (specimens.COMPACT_ML.replace("G_XGDP", "NOBODYS"), "its 5 observations are of none of the parts"),
        (specimens.LEGACY_JSON, "its dimensions are LOCATION, the dataset's LOCATION, VAR"),
        ("<html>", "no known form of message"),
        (b"\xff\xfe\x00\x01", "no known form of message"),
    ],
)
def test_what_does_not_belong_to_an_oecd_dataset_is_refused(content: str | bytes, why: str) -> None:
    with pytest.raises(UnexpectedPayload) as caught:
        pieces(SBRD, content, loading=Loading(stamp=OLD))
    assert why in str(caught.value)
    assert "Expected: a data message of the dataset's flow" in str(caught.value)
    assert str(caught.value).endswith("nothing was changed")


@pytest.mark.oecd
def test_a_message_without_a_date_of_its_own_must_be_dated() -> None:
    with pytest.raises(UnexpectedPayload, match=r"it does not say so itself.*--published"):
        pieces(SBRD, specimens.SBRD_CSV)
    with pytest.raises(UnexpectedPayload, match="lies in the future"):
        pieces(SBRD, specimens.COMPACT_ML.replace("2026-04-13", "2031-04-13"))
    with pytest.raises(UnexpectedPayload, match="holds nothing of part G_NC"):
        pieces(SBRD, specimens.COMPACT_ML, loading=Loading(parts=("G_NC",)))


# -- World Bank ------------------------------------------------------------------------------------------------------

RD = "GB.XPD.RSDV.GD.ZS"
NAME = "Research and development expenditure (% of GDP)"
DOWNLOAD = f"""\ufeff"Data Source","World Development Indicators",

"Last Updated Date","2024-05-30",

"Country Name","Country Code","Indicator Name","Indicator Code","2018","2019","2020","2021","2022",
"Korea, Rep.","KOR","{NAME}","{RD}","4.52","","4.80","4.93","",
"World","WLD","{NAME}","{RD}","2.2","2.3","2.6","","",
"Korea, Rep.","KOR","Something else","AA.BBB","1","2","3","4","5",
"""
ECONOMIES = [
    {"id": code, "iso2Code": iso2, "name": name, "region": {"id": region}}
    for code, iso2, name, region in (("KOR", "KR", "Korea, Rep.", "EAS"), ("WLD", "1W", "World", "NA"))
]
LISTED = {"country?": specimens.payload(json.dumps([{"page": 1}, ECONOMIES]), "http://x.test/country?format=json")}


def page(number: int, pages: int, rows: Sequence[tuple[str, str, str]], total: int) -> str:
    entries = ",".join(
        f'{{"indicator":{{"id":"{RD}","value":"{NAME}"}},"country":{{"id":"{iso[:2]}","value":"{iso}"}},'
        f'"countryiso3code":"{iso}","date":"{year}","value":{value},"unit":"","obs_status":"","decimal":1}}'
        for iso, year, value in rows
    )
    head = f'"page":{number},"pages":{pages},"per_page":{-(-total // pages)},"total":{total},"sourceid":"2"'
    return f'[{{{head},"lastupdated":"2024-06-28"}},[{entries}]]'


@pytest.mark.worldbank
def test_a_download_is_of_the_day_that_it_states() -> None:
    [data] = read(WDI, pieces(WDI, DOWNLOAD, lists=LISTED))
    assert texts(data) == {
        (f"KOR.{RD}", "2018"): "4.52",
        (f"KOR.{RD}", "2019"): None,
        (f"KOR.{RD}", "2020"): "4.80",
        (f"KOR.{RD}", "2021"): "4.93",
        (f"WLD.{RD}", "2018"): "2.2",
        (f"WLD.{RD}", "2019"): "2.3",
        (f"WLD.{RD}", "2020"): "2.6",
        (f"WLD.{RD}", "2021"): None,
    }
    assert data.skipped[Skip.OTHER_PART] == 5
    assert data.scope == Scope("2018", "2021", ("KOR", "WLD"))
    assert data.stamp is not None
    assert (data.stamp.text, data.stamp.precision, data.stamp.basis) == ("2024-05-30", Precision.DAY, Basis.ARCHIVE)
    notes = {row["entity"]: row["notes"] for row in data.series.to_pylist()}
    assert notes["WLD"] == "aggregate of economies"


@pytest.mark.worldbank
def test_pages_of_one_answer_belong_together() -> None:
    one = page(1, 2, [("KOR", "2018", "4.52"), ("KOR", "2019", "null")], 3)
    two = page(2, 2, [("KOR", "2020", "4.8")], 3)
    [data] = read(WDI, pieces(WDI, one, two))
    assert texts(data) == {(f"KOR.{RD}", "2018"): "4.52", (f"KOR.{RD}", "2019"): None, (f"KOR.{RD}", "2020"): "4.8"}
    assert [payload.content.decode() for payload in data.payloads] == [one, two]
    for wrong in ([one], [two], [one, one], [two, two.replace('"page":2', '"page":3')]):
        with pytest.raises(UnexpectedPayload, match="not all of an answer"):
            pieces(WDI, *wrong)


@pytest.mark.worldbank
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (DOWNLOAD.replace(RD, "XX.YYY"), "it is of AA.BBB, XX.YYY"),
        (page(1, 1, [("KOR", "2018", "1")], 1).replace('"sourceid":"2"', '"sourceid":"11"'), "it is of source 11"),
        ("a,b\n1,2\n", "no line with the column Country Code"),
        ("[1]", "not a page of data"),
        ("{", "not JSON"),
    ],
)
def test_what_does_not_belong_to_a_world_bank_dataset_is_refused(content: str, why: str) -> None:
    with pytest.raises(UnexpectedPayload, match=why):
        pieces(WDI, content)


@pytest.mark.worldbank
def test_recorded_downloads_and_archives() -> None:
    folder = specimens.upstream("worldbank", "raw")
    [path] = (folder / "download_csv").glob(f"2026-07-13__API_{RD}_*")
    [data] = read(WDI, pieces(WDI, specimens.read(path), loading=Loading(complete=True)))
    assert texts(data)[f"KOR.{RD}", "2017"] == "4.07341"
    [version] = (folder / "source57").glob("*version202403.json")
    prices = WDI.parts[0].model_copy(update={"id": "FP.CPI.TOTL.ZG", "key": "FP.CPI.TOTL.ZG"})
    wide = WDI.model_copy(update={"parts": (prices,)})
    [old] = read(wide, pieces(wide, version.read_bytes()))
    assert old.stamp is not None
    assert (old.stamp.text, old.stamp.precision, old.stamp.basis) == ("202403", Precision.MONTH, Basis.ARCHIVE)


# -- NBS -------------------------------------------------------------------------------------------------------------

EXPORT = """\
数据库：年度数据
时间：最近10年
指标,2019年,2017年
专利申请数（项）,4380468,3697845
成交额(上年=100) (%),122.39,
别的(项),1,2
"""


def listing() -> dict[str, Payload]:
    """The list of a leaf, as the portal gives it."""
    told = [
        {"_id": f"id{ek}", "_name": name, "ek": ek, "i_showname": f"{name} ({unit})", "du_name": unit, "dp": "1"}
        for ek, name, unit in (("e1", "专利申请数", "项"), ("e2", "成交额(上年=100)", "%"))
    ]
    answer = {"data": {"list": told}, "state": 20000, "success": True}
    url = "http://x.test/queryIndicatorsByCid"
    return {TECHNOLOGY.part("overview").key: specimens.payload(json.dumps(answer), url)}


def classic(values: Mapping[str, str]) -> str:
    units = {"专利申请数": "项", "成交额(上年=100)": "%"}
    nodes = [
        {
            "data": {"data": 0, "dotcount": 2, "hasdata": text != "", "strdata": text},
            "wds": [{"valuecode": name, "wdcode": "zb"}, {"valuecode": "2019", "wdcode": "sj"}],
        }
        for name, text in values.items()
    ]
    named = [{"code": name, "cname": name, "unit": units.get(name, "?"), "dotcount": 2} for name in values]
    return json.dumps(
        {"returncode": 200, "returndata": {"datanodes": nodes, "wdnodes": [{"wdcode": "zb", "nodes": named}]}}
    )


@pytest.mark.nbs
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_an_export_becomes_values_of_the_portals_series(encoding: str) -> None:
    found = pieces(TECHNOLOGY, EXPORT.encode(encoding), loading=Loading(stamp=OLD), lists=listing())
    old, new = read(TECHNOLOGY, found)
    assert (old.scope, new.scope) == (Scope("2017", "2017"), Scope("2019", "2019"))
    nation = TECHNOLOGY.entities[0]
    assert texts(new) == {(f"e1.{nation}", "2019"): "4380468", (f"e2.{nation}", "2019"): "122.39"}
    assert texts(old) == {(f"e1.{nation}", "2017"): "3697845", (f"e2.{nation}", "2017"): ""}
    assert new.skipped == {Skip.OTHER_SERIES: 2, Skip.OTHER_PERIOD: 2}
    assert [payload.method for payload in new.payloads] == ["GET", "FILE"]  # the list lies beside it, for replay


@pytest.mark.nbs
def test_an_answer_of_the_old_api_becomes_values_of_the_portals_series() -> None:
    content = classic({"专利申请数": "4380468", "成交额(上年=100)": ""})
    [data] = read(TECHNOLOGY, pieces(TECHNOLOGY, content, loading=Loading(stamp=OLD), lists=listing()))
    nation = TECHNOLOGY.entities[0]
    assert texts(data) == {(f"e1.{nation}", "2019"): "4380468", (f"e2.{nation}", "2019"): ""}


@pytest.mark.nbs
def test_what_does_not_belong_to_an_nbs_dataset_is_refused() -> None:
    dated = Loading(stamp=OLD)
    with pytest.raises(UnexpectedPayload, match="no list of indicators is held"):
        pieces(TECHNOLOGY, EXPORT, loading=dated)
    with pytest.raises(UnexpectedPayload, match=r"part overview would also need 成交额\(上年=100\)"):
        pieces(TECHNOLOGY, EXPORT.replace("成交额", "别的别的"), loading=dated, lists=listing())
    with pytest.raises(UnexpectedPayload, match=r"in other units than the portal's: 专利申请数 \(万项\)"):
        pieces(TECHNOLOGY, EXPORT.replace("（项）", "（万项）"), loading=dated, lists=listing())
    with pytest.raises(UnexpectedPayload, match="no line that begins with 指标"):
        pieces(TECHNOLOGY, "a,b\n", loading=dated, lists=listing())
    with pytest.raises(UnexpectedPayload, match="the classic API had nothing"):
        pieces(TECHNOLOGY, '{"returncode":501,"returndata":"x"}', loading=dated, lists=listing())
    with pytest.raises(UnexpectedPayload, match="--published"):
        pieces(TECHNOLOGY, EXPORT, lists=listing())


@pytest.mark.nbs
def test_series_of_one_region_that_differ_in_length_must_be_all_there_were() -> None:
    answer = json.loads(classic({"专利申请数": "4380468", "成交额(上年=100)": "1"}))
    older = json.loads(json.dumps(answer["returndata"]["datanodes"][0]).replace("2019", "2018"))
    answer["returndata"]["datanodes"].append(older)
    content, dated = json.dumps(answer), Loading(stamp=OLD)
    with pytest.raises(UnexpectedPayload, match=r"begin or end in different years.*Next: say --complete"):
        pieces(TECHNOLOGY, content, loading=dated, lists=listing())
    [data] = read(TECHNOLOGY, pieces(TECHNOLOGY, content, loading=replace(dated, complete=True), lists=listing()))
    assert len(texts(data)) == 3
