"""The forms of the sandbox's World Bank answers: against recorded ones, and against what every clone knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.sandbox_forms import ask, assert_same_shape, recorded, shape, upstream

pytestmark = pytest.mark.worldbank
GDP_OF_USA = "country/US/indicator/NY.GDP.MKTP.CD"
RESEARCH = "GB.XPD.RSDV.GD.ZS"


def bank(path: str, on: str | None = None, **params: str) -> Any:
    return json.loads(ask("worldbank", path, on, **{"format": "json", **params}).body)


@recorded
@pytest.mark.parametrize(
    ("path", "params", "name"),
    [
        ("country/EUU", {}, "country_EUU_aggregate.json"),
        ("country/CO", {}, "country_CO.json"),
        ("country/ZZ", {}, "error_120_country_ZZ_http200.json"),
        ("country/CHN/indicator/IC.REG.DURS", {}, "error_175_indicator_http200.json"),
    ],
)
def test_small_answers_equal_the_recorded_ones(path: str, params: dict[str, str], name: str) -> None:
    assert bank(path, **params) == upstream(f"worldbank/raw/v2_json/{name}")


@recorded
def test_lists_have_the_shape_of_recorded_ones() -> None:
    head, rows = bank(GDP_OF_USA, "2021-12-31")
    theirs = upstream("worldbank/raw/v2_json/page_header_all_NY.GDP.MKTP.CD_per_page_1000.json")
    assert list(head) == list(theirs)
    assert_same_shape(head, theirs)
    assert_same_shape(rows, upstream("worldbank/raw/v2_lists/country-indicator.json"))
    assert list(rows[0]) == list(upstream("worldbank/raw/v2_lists/country-indicator.json")[0])
    assert bank("country", per_page="400")[1] == upstream("worldbank/raw/v2_lists/country.json")
    ours = shape(bank(f"indicator/{RESEARCH}")[1])
    theirs = shape(upstream("worldbank/raw/v2_lists/indicator.json"))
    assert ours.keys() == theirs.keys()
    assert_same_shape(bank("source")[1], upstream("worldbank/raw/v2_lists/source.json"))


@recorded
def test_the_archive_has_the_shape_of_recorded_answers() -> None:
    versions = bank("sources/57/version/data", per_page="1000")
    theirs = upstream("worldbank/raw/source57/versions.json")
    assert_same_shape(versions, theirs)
    ours, known = (
        {one["id"] for one in answer["source"][0]["concept"][0]["variable"]} for answer in (versions, theirs)
    )
    assert ours <= known
    data = bank(f"sources/57/country/GRC;IRL/series/{RESEARCH}/time/YR2016;YR2017/version/202109/data")
    name = "data_FP.CPI.TOTL.ZG_GRC-ROU-POL-ITA-IRL-BGR_version202403.json"
    assert_same_shape(data, upstream(f"worldbank/raw/source57/{name}"))


def test_rows_come_for_every_economy_and_year() -> None:
    head, rows = bank(f"country/KOR;WLD;NAM;ALB/indicator/{RESEARCH}", "2021-12-31", per_page="500", date="2015:2026")
    names = ["World", "Albania", "Korea, Rep.", "Namibia"]
    years = ["2020", "2019", "2018", "2017", "2016", "2015"]
    assert [(row["country"]["value"], row["date"]) for row in rows] == [
        (name, year) for name in names for year in years
    ]
    assert head == {
        **{"page": 1, "pages": 1, "per_page": 500, "total": 24, "sourceid": "2", "lastupdated": "2021-09-15"},
    }
    korea = {row["date"]: row["value"] for row in rows if row["countryiso3code"] == "KOR"}
    assert korea["2017"] == 4.55324
    assert korea["2020"] is None
    assert {row["country"]["id"] for row in rows} == {"KR", "1W", "NA", "AL"}


@pytest.mark.parametrize(
    ("on", "stamp"),
    [("2021-09-14", "2019-03-21"), ("2021-09-15", "2021-09-15"), ("2018-12-31", None), ("2026-03-10", None)],
)
def test_only_a_publishers_stamp_is_shown(on: str, stamp: str | None) -> None:
    assert bank(f"country/KOR/indicator/{RESEARCH}", on)[0]["lastupdated"] == stamp


def test_pages_add_up_and_end() -> None:
    path = f"country/CHN;JPN;KOR/indicator/{RESEARCH}"
    whole = bank(path, per_page="1000")[1]
    pages = [bank(path, per_page="50", page=str(n)) for n in (1, 2, 3)]
    assert [page[0]["pages"] for page in pages] == [3, 3, 3]
    assert [row for page in pages for row in page[1]] == whole
    assert bank(path, per_page="50", page="4") == [{"page": 4, "pages": 3, "per_page": 50, "total": len(whole)}, []]
    assert bank(path)[0]["per_page"] == 50


def test_what_is_not_held_is_answered_as_the_provider_does() -> None:
    invalid = [
        {"message": [{"id": "120", "key": "Invalid value", "value": "The provided parameter value is not valid"}]}
    ]
    nothing = [{"page": 1, "pages": 0, "per_page": 50, "total": 0}, None]
    assert bank("country/CHN/indicator/SP.POP.TOTL", "2010-01-01") == nothing
    assert bank("country/CHN/indicator/SP.POP.TOTL", date="1960:1980") == nothing
    for path in ("country/ZZ/indicator/SP.POP.TOTL", "country/CHN/indicator/SP.POP.TOTL;NY.GDP.MKTP.CD"):
        assert bank(path) == invalid
    assert bank("country/CHN/indicator/SP.POP.TOTL", page="x") == invalid
    both = bank("country/CHN/indicator/SP.POP.TOTL;NY.GDP.MKTP.CD", source="2", per_page="500", date="2010")
    assert [row["indicator"]["id"] for row in both[1]] == ["SP.POP.TOTL", "NY.GDP.MKTP.CD"]
    assert ask("worldbank", "nowhere", format="json").status == 404
    assert b"<wb:error" in ask("worldbank", "country/CHN").body


def test_the_archive_serves_native_months_only() -> None:
    def archived(version: str, series: str = RESEARCH, on: str | None = None) -> Any:
        return bank(f"sources/57/country/KOR/series/{series}/time/YR2017/version/{version}/data", on)["source"]["data"]

    assert [archived(version)[0]["value"] for version in ("202109", "202507", "202607")] == [
        *(4.55324, 4.29205989837646, 4.07341),
    ]
    assert archived("202607", "SP.POP.TOTL") == []
    for version in ("201903", "202607"):  # the archive's own day is not the vintage
        path = f"sources/57/country/KOR/series/{RESEARCH}/time/YR2017/version/{version}/data"
        assert bank(path)["lastupdated"] == "2025-10-29"
    listed = bank("sources/57/version", "2021-12-31")["source"][0]["concept"][0]["variable"]
    assert [one["id"] for one in listed] == ["201903", "202004", "202109"]
    assert listed[-1]["value"] == "2021 Sep"
    unknown = f"sources/57/country/KOR/series/{RESEARCH}/time/all/version"
    for version in ("199901", "201809", "202603"):  # never listed; known to us only from a carrier
        assert b"<wb:error" in ask("worldbank", f"{unknown}/{version}/data", format="json").body
    assert b"<wb:error" in ask("worldbank", f"{unknown}/202607/data", "2026-07-12", format="json").body


@pytest.mark.parametrize(
    ("on", "stamp"), [("2019-03-20", None), ("2021-09-15", "2021-09-15"), ("2026-03-10", None), (None, "2026-07-13")]
)
def test_the_source_says_when_it_was_last_updated_as_far_as_the_publisher_said_so(
    on: str | None, stamp: str | None
) -> None:
    head, rows = bank("source/2", on)
    assert [(row["id"], row["code"], row["lastupdated"]) for row in rows] == [("2", "WDI", stamp)]
    assert head == {"page": "1", "pages": "1", "per_page": "50", "total": "1"}
    assert [row["id"] for row in bank("sources", on)[1]] == ["2", "57"]
    assert bank("source/99")[0]["message"][0]["id"] == "120"


def test_the_list_of_indicators_describes_all_that_are_held() -> None:
    head, rows = bank("source/2/indicator", per_page="1000")
    assert head == {"page": 1, "pages": 1, "per_page": "1000", "total": 13}
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    pages = [bank("source/2/indicator", per_page="5", page=str(n))[1] for n in (1, 2, 3)]
    assert [row for page in pages for row in page] == rows
    [research] = [row for row in rows if row["id"] == RESEARCH]
    assert bank(f"indicator/{RESEARCH}")[1] == [research]
    assert research["name"] == bank(f"country/KOR/indicator/{RESEARCH}")[1][0]["indicator"]["value"]
    assert research["topics"] == [{"id": "14", "value": "Science & Technology"}]
    assert bank("indicator/NO.SUCH")[0]["message"][0]["id"] == "120"
