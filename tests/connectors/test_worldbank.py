"""The World Bank connector: what its answers mean, without a server, and all recorded answers where they are kept."""

from __future__ import annotations

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
from connectors.worldbank import connector as worldbank
from connectors.worldbank import errors as worldbank_errors
from connectors.worldbank import rows
from tests.connectors import specimens
from tests.connectors import wire_tables as tables
from warehouse.schema import PartData, Payload, Scope

pytestmark = pytest.mark.worldbank
WDI = datasets.load("worldbank.wdi")
RD = "GB.XPD.RSDV.GD.ZS"
RD_NAME = "Research and development expenditure (% of GDP)"
SCOPE = Scope(entities=("KOR", "EMU", "NAM"))
ECONOMIES = """[{"page":1,"pages":1,"per_page":"400","total":3},[
{"id":"KOR","iso2Code":"KR","name":"Korea, Rep.","region":{"id":"EAS","value":"East Asia "}},
{"id":"EMU","iso2Code":"XC","name":"Euro area","region":{"id":"NA","value":"Aggregates"}},
{"id":"NAM","iso2Code":"NA","name":"Namibia","region":{"id":"SSF","value":"Sub-Saharan Africa "}}]]"""


def _row(iso2: str, iso3: str, name: str, year: str, value: str, **more: str) -> str:
    unit, status = more.get("unit", ""), more.get("status", "")
    return (
        f'{{"indicator":{{"id":"{RD}","value":"{more.get("indicator", RD_NAME)}"}},'
        f'"country":{{"id":"{iso2}","value":"{name}"}},"countryiso3code":"{iso3}","date":"{year}",'
        f'"value":{value},"unit":"{unit}","obs_status":"{status}","decimal":2}}'
    )


def _page(*entries: str, total: int | None = None, updated: str = '"2026-07-13"') -> str:
    head = f'{{"page":1,"pages":1,"per_page":20000,"total":{len(entries) if total is None else total},"sourceid":"2"'
    return f'[{head},"lastupdated":{updated}}},[{",".join(entries)}]]'


GOOD = (
    _row("KR", "KOR", "Korea, Rep.", "2018", "4.07300000000000001"),
    _row("KR", "KOR", "Korea, Rep.", "2017", "null"),
    _row("XC", "", "Euro area", "2018", "2", status="E"),
    _row("NAM", "", "Namibia ", "2017", "-1.5e-3"),
)
DATA_URL = f"http://example.test/country/KOR/indicator/{RD}?page=1"


def _answer(text: str) -> Payload:
    return specimens.payload(text, DATA_URL)


def _parse(text: str) -> PartData:
    economies = specimens.payload(ECONOMIES, "http://example.test/country?format=json")
    return worldbank.CONNECTOR.parse(WDI, specimens.fetched(RD, economies, _answer(text), scope=SCOPE))


def test_numbers_are_kept_as_they_stand_and_codes_are_iso3() -> None:
    data = _parse(_page(*GOOD))
    found = {(row["series_key"], row["period"]): row for row in data.observations.to_pylist()}
    assert {key: row["value_text"] for key, row in found.items()} == {
        (f"KOR.{RD}", "2018"): "4.07300000000000001",
        (f"KOR.{RD}", "2017"): None,
        (f"EMU.{RD}", "2018"): "2",
        (f"NAM.{RD}", "2017"): "-1.5e-3",
    }
    assert found[f"NAM.{RD}", "2017"]["value"] == -0.0015
    assert found[f"KOR.{RD}", "2017"]["value"] is None
    assert found[f"EMU.{RD}", "2018"]["status"] == "E"


def test_series_say_what_they_are() -> None:
    series = {row["entity"]: row for row in _parse(_page(*GOOD)).series.to_pylist()}
    assert series["KOR"]["label"] == f"Korea, Rep.: {RD_NAME}"
    assert (series["KOR"]["unit"], series["KOR"]["notes"]) == ("% of GDP", None)
    assert series["EMU"]["notes"] == "aggregate of economies"
    assert series["NAM"]["notes"] is None
    assert json.loads(series["NAM"]["dimensions"]) == {"COUNTRY": "NAM", "SERIES": RD}


def test_economies_besides_are_asked_for_in_their_part_alone() -> None:
    requests = {request.part: request.path for request in worldbank.CONNECTOR.plan(WDI, Ask()) if request.part}
    with_monaco = {part for part, path in requests.items() if "MCO" in path.split("/")[1].split(";")}
    assert with_monaco == {part.id for part in WDI.parts if part.besides} == {"SP.POP.65UP.TO.ZS"}
    assert all("KOR" in path for path in requests.values())


def test_the_hash_does_not_depend_on_order_or_stamp() -> None:
    hashes = {
        _parse(_page(*GOOD)).canonical_hash,
        _parse(_page(*reversed(GOOD), updated='"2026-08-01"')).canonical_hash,
        _parse("\ufeff" + _page(*GOOD)).canonical_hash,
    }
    assert len(hashes) == 1
    assert _parse(_page(*GOOD).replace("-1.5e-3", "-1.6e-3")).canonical_hash not in hashes


def test_years_that_nobody_has_published_are_counted_not_kept() -> None:
    padded = [_row("KR", "KOR", "Korea, Rep.", year, "null") for year in ("2019", "2020", "1995")]
    data = _parse(_page(*GOOD, *padded))
    assert data.canonical_hash == _parse(_page(*GOOD)).canonical_hash
    assert data.skipped == {"placeholder of a period in which nothing is published": 3}
    flagged = _parse(_page(*GOOD, _row("KR", "KOR", "Korea, Rep.", "2019", "null", status="C")))
    kept = {(row["period"], row["status"]) for row in flagged.observations.to_pylist()}
    assert ("2019", "C") in kept


def test_a_vanished_economy_and_another_unit_are_findings() -> None:
    assert _parse(_page(*GOOD[:2])).skipped["economies asked for and not in the answer: EMU, NAM"] == 2
    changed = [_row("KR", "KOR", "Korea, Rep.", "2018", "1", unit="thousands"), *GOOD[2:]]
    data = _parse(_page(*changed))
    assert data.notes == ("unit conflict: 'thousands' in the answer, '% of GDP' in the dataset file",)
    assert {row["unit"] for row in data.series.to_pylist() if row["entity"] == "KOR"} == {"thousands"}
    renamed = _parse(_page(*(row.replace("(% of GDP)", "(% of GNI)") for row in GOOD)))
    assert {row["unit"] for row in renamed.series.to_pylist()} == {"% of GNI"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (_page(*GOOD, total=5), "total"),
        (_page(*GOOD).replace('"pages":1', '"pages":1000000000'), "not a whole number|pages of"),
        (_page(*GOOD).replace('"pages":1', '"pages":2'), "4 rows on 2 pages of 20000 each"),
        (_page(*GOOD).replace('"date":"2017"', '"date":"20l7"', 1), "'20l7' is not a period"),
        (_page(*GOOD).replace('"value":2,', '"value":true,'), "bool where text was expected"),
        (_page(*GOOD).replace('"value":2,', '"value":2,"value":3,'), "stands twice"),
        (_page(*GOOD).replace('"value":2,', '"obs_value":2,'), "value"),
        (_page(*GOOD).replace('"id":"GB.XPD', '"id":"GB.XPE', 1), "GB.XPE"),
        (_page(*GOOD, _row("QQ", "", "Nowhere", "2018", "1")), "Nowhere"),
        (_page(*GOOD, _row("KR", "KOR", "Korea, Rep.", "2018", "9")), "contradicts itself"),
        (_page(*GOOD, _row("KOR", "KOR", "Korea, Rep.", "2016", "9")), "KOR .* comes under two codes"),
        (_page(*GOOD, _row("QQ", "Qqq", "Nowhere", "2018", "1")), "no ISO3 code for 'Qqq'"),
        (_page(*GOOD).replace('"sourceid":"2"', '"sourceid":"11"'), "source 2 was asked for"),
        (_page(*GOOD)[:-9], "not JSON"),
        ('{"page":1}', "source"),
        ("[]", "not a page"),
    ],
)
def test_another_form_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(UnexpectedPayload, match=named):
        _parse(text)


def test_the_newest_row_describes_a_series_whatever_the_order() -> None:
    older = _row("KR", "KOR", "Korea, South", "2016", "3.9", unit="% of GNP")
    one, other = _parse(_page(*GOOD, older)), _parse(_page(older, *reversed(GOOD)))
    assert one.canonical_hash == other.canonical_hash
    assert one.notes == other.notes
    assert "KOR is described in two ways: 'Korea, Rep.: " in one.notes[0]
    (korea,) = (row for row in one.series.to_pylist() if row["entity"] == "KOR")
    assert (korea["label"], korea["unit"]) == (f"Korea, Rep.: {RD_NAME}", "% of GDP")


def test_a_row_on_two_pages_means_that_another_is_on_none() -> None:
    cells = [tables.Cell("KOR", str(year), "4.5") for year in range(2010, 2014)]
    pages = [tables.page(cells, number, 2, {}) for number in (1, 2)]
    shifted = tables.page([cells[0], cells[1], cells[1], cells[2]], 2, 2, {})
    economies = specimens.payload(ECONOMIES, "http://example.test/country?format=json")

    def parse(*answers: bytes) -> PartData:
        payloads = (economies, *(specimens.payload(answer, DATA_URL) for answer in answers))
        return worldbank.CONNECTOR.parse(WDI, specimens.fetched(RD, *payloads, scope=SCOPE))

    assert parse(*pages).observations.num_rows == parse(*reversed(pages)).observations.num_rows == 4
    with pytest.raises(UnexpectedPayload, match="rows stand on two pages"):
        parse(pages[0], shifted)
    with pytest.raises(UnexpectedPayload, match="2 rows came, not the stated total"):
        parse(pages[0])


def test_periods_beyond_the_end_are_counted_not_kept() -> None:
    later = [_row("KR", "KOR", "Korea, Rep.", year, "9") for year in ("1980", "2027")]
    data = _parse(_page(*GOOD, *later))
    assert data.skipped["period not asked for"] == 2
    assert data.canonical_hash == _parse(_page(*GOOD)).canonical_hash
    economies = specimens.payload(ECONOMIES, "http://example.test/country?format=json")
    asked = specimens.fetched(RD, economies, _answer(_page(*GOOD)), scope=replace(SCOPE, end="2017"))
    assert worldbank.CONNECTOR.parse(WDI, asked).skipped["period not asked for"] == 2


def _archived(version: str = "202109", source: str = "57") -> str:
    concepts = [("Time", "YR2017"), ("Version", version), ("Country", "KOR"), ("Series", RD)]
    variables = json.dumps([{"concept": name, "id": code, "value": code} for name, code in concepts])
    head = '"page":1,"pages":1,"per_page":1000,"total":1,"lastupdated":"2025-10-29"'
    return f'{{{head},"source":{{"id":"{source}","data":[{{"variable":{variables},"value":4.55324}}]}}}}'


def test_an_archive_answer_is_of_the_version_and_source_asked_for() -> None:
    economies = specimens.payload(ECONOMIES, "http://example.test/country?format=json")
    url = f"http://example.test/sources/57/country/KOR/series/{RD}/time/all/version/202109/data?format=json"

    def parse(text: str) -> PartData:
        asked = specimens.fetched(RD, economies, specimens.payload(text, url), scope=Scope(entities=("KOR",)))
        return worldbank.CONNECTOR.parse(WDI, asked)

    assert parse(_archived()).observations.column("value_text").to_pylist() == ["4.55324"]
    with pytest.raises(UnexpectedPayload, match=r"version 202109 was asked for, the answer has .*202512"):
        parse(_archived("202512"))
    with pytest.raises(UnexpectedPayload, match="source 57 was asked for"):
        parse(_archived(source="11"))


def test_no_data_is_said_in_two_ways() -> None:
    for second in ("null", "[]"):
        with pytest.raises(NoData):
            _parse(f'[{{"page":1,"pages":0,"per_page":20000,"total":0}},{second}]')


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, '[{"message":[{"id":"120","key":"Invalid value","value":"not valid"}]}]', BadRequest),
        (400, '\ufeff[ {"message":[{"id":"120","key":"Invalid value","value":"not valid"}]}]', BadRequest),
        (200, '[{"message":[{"id":"175","key":"Invalid format","value":"deleted or archived"}]}]', NotFound),
        (200, '[{"message":[{"id":"105","key":"x","value":"unavailable"}]}]', ServerFault),
        (200, '<wb:error xmlns:wb="w"><wb:message id="120" key="k">no</wb:message></wb:error>', BadRequest),
        (400, "\ufeff<!DOCTYPE html><title>Request Error</title>", ServerFault),
        (200, "<html>maintenance</html>", ServerFault),
        (502, "<html>bad gateway</html>", ServerFault),
        (404, "<html>no such path</html>", NotFound),
        (403, "<html>forbidden</html>", Blocked),
        (429, "", Throttled),
        (200, "", UnexpectedPayload),
        (200, _page(*GOOD)[:-5], Unreachable),
    ],
)
def test_what_an_answer_means(status: int, body: str, error: type[Exception]) -> None:
    found = worldbank_errors.classify(specimens.payload(body, status=status))
    assert type(found) is error
    assert "Next: " in str(found)


def test_the_publishers_day_ends_in_washington() -> None:
    stamp = worldbank._stamp("2026-07-13", "", WDI)
    assert stamp is not None
    assert stamp.at.isoformat(timespec="seconds") == "2026-07-14T03:59:59+00:00"
    assert (stamp.precision, stamp.basis) == ("day", "publisher")
    assert worldbank._stamp(None, "", WDI) is None
    archived = worldbank._stamp("2025-10-29", "202112", WDI)
    assert archived is not None
    assert archived.at.isoformat(timespec="seconds") == "2022-01-01T04:59:59+00:00"
    assert (archived.precision, archived.basis, archived.text) == ("month", "archive", "202112")


def test_plan_bundles_codes_below_the_limit() -> None:
    codes = tuple(f"X{number:03}" for number in range(500))
    requests = worldbank.CONNECTOR.plan(WDI, Ask((RD,), Scope(entities=codes)))
    assert requests[0].path == "country"
    segments = [request.path.split("/")[1] for request in requests[1:]]
    assert [len(segment) <= 1400 for segment in segments] == [True, True]
    assert ";".join(segments).split(";") == list(codes)
    listed, archived = worldbank.CONNECTOR.plan(WDI, Ask((RD,), Scope("2016", "2017", ("KOR",)), ("202109",)))[::2]
    assert (listed.path, listed.cost) == ("sources/57/version/data", "structure")
    assert archived.path == f"sources/57/country/KOR/series/{RD}/time/YR2016;YR2017/version/202109/data"


def test_archive_answers_are_indexed_by_concept() -> None:
    variables: list[dict[str, Any]] = [
        {"concept": "Time", "id": "YR2017", "value": "2017"},
        {"concept": "Version", "id": "202109", "value": "2021 July"},
        {"concept": "Country", "id": "KOR", "value": "Korea, Rep."},
        {"concept": "Series", "id": RD, "value": RD_NAME},
    ]
    head = '"page":1,"pages":1,"per_page":1000,"total":1,"lastupdated":"2025-10-29"'
    data = f'[{{"variable":{json.dumps(variables)},"value":4.55324}}]'
    page = rows.read_page(f'{{{head},"source":{{"id":"57","name":"WDI Database Archives","data":{data}}}}}'.encode())
    (row,) = page.rows
    assert (row.code, row.period, row.value, row.version, page.source) == ("KOR", "2017", "4.55324", "202109", "57")


def test_download_files_with_and_without_a_head() -> None:
    head = '"Data Source","World Development Indicators",\n\n"Last Updated Date","2019-03-21",\n\n'
    table = f'"Country Name","Country Code","Indicator Name","Indicator Code","2016","2017",\n"Aruba","ABW","{RD_NAME}"'
    table += f',"{RD}","","1.25",\n'
    with_head = rows.read_download(("\ufeff" + head + table).encode())
    assert with_head.last_updated == "2019-03-21"
    assert [(row.code, row.period, row.value) for row in with_head.rows] == [
        ("ABW", "2016", None),
        ("ABW", "2017", "1.25"),
    ]
    without = rows.read_download(table.encode())
    assert (without.last_updated, without.rows) == (None, with_head.rows)
    for wrong in (b"", b"a,b\n1,2\n", table.encode() + b"Aruba,ABW\n"):
        with pytest.raises(rows.NotWorldBank):
            rows.read_download(wrong)


def test_all_recorded_archive_answers() -> None:
    folder = specimens.upstream("worldbank", "raw", "source57")
    versions = rows.read_versions((folder / "versions.json").read_bytes())
    assert len(versions) == 142
    assert (versions["199309"], versions["201703"]) == ("1994 Sep", "2017 Apr")  # labels lie
    cells: dict[tuple[str, str, str], str | None] = {}
    for path in folder.glob("data_*.json"):
        page = rows.read_page(path.read_bytes())
        assert len(page.rows) == page.total
        assert {row.version for row in page.rows} == {path.stem[-6:]}
        cells |= {(row.version, row.code, row.period): row.value for row in page.rows}
    assert cells["202403", "IRL", "2022"] == "7.80737540996716"
    assert str(cells["202512", "IRL", "2022"]).startswith("7.829457")


def test_all_recorded_lists_and_bodies() -> None:
    lists = specimens.upstream("worldbank", "raw", "v2_lists")
    for path in lists.glob("*.json"):
        assert rows.read_list(path.read_bytes()), path.name
    economies = rows.read_economies((lists / "country.json").read_bytes())
    assert (len(economies), sum(one.aggregate for one in economies.values())) == (296, 79)
    assert (economies["NAM"].iso2, economies["NAM"].aggregate) == ("NA", False)
    asked = set(WDI.entities_of("SP.POP.65UP.TO.ZS"))
    assert {code for code, one in economies.items() if not one.aggregate} <= asked <= set(economies)
    bodies = specimens.upstream("worldbank", "raw", "v2_json")
    assert rows.read_economies((bodies / "country_CO.json").read_bytes())["COL"].name == "Colombia"
    assert rows.read_economies((bodies / "country_EUU_aggregate.json").read_bytes())["EUU"].aggregate
    for name, error in (("error_120_country_ZZ_http200", BadRequest), ("error_175_indicator_http200", NotFound)):
        assert type(worldbank_errors.classify(specimens.payload((bodies / f"{name}.json").read_bytes()))) is error
    head = (bodies / "page_header_all_NY.GDP.MKTP.CD_per_page_1000.json").read_bytes()
    page = rows.read_page(b"[" + head + b",[]]")
    assert (page.pages, page.total, page.last_updated) == (18, 17490, "2026-07-13")
    entries = (lists / "country-indicator.json").read_bytes()
    assert len(rows.read_page(b'[{"page":1,"pages":1,"per_page":100,"total":64},' + entries + b"]").rows) == 64


def test_all_recorded_downloads() -> None:
    raw = specimens.upstream("worldbank", "raw")
    values: dict[tuple[str | None, str, str, str], str | None] = {}
    for path in [*(raw / "download_csv").glob("*.gz"), *(raw / "wdi_bundle_2013-12").glob("*.gz")]:
        content = specimens.read(path)
        if "Metadata" in path.name:
            assert rows.read_metadata(content), path.name
            continue
        download = rows.read_download(content)
        assert download.rows, path.name
        assert (download.last_updated or "2013-12") in f"{path.name} {path.parent.name}"
        values |= {(download.last_updated, row.indicator, row.code, row.period): row.value for row in download.rows}
    assert str(values["2021-09-15", RD, "KOR", "2017"]).startswith("4.553")
    assert str(values["2026-07-13", RD, "KOR", "2017"]).startswith("4.073")
