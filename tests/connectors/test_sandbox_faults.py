"""Every fault does what its entry in the registry says, and nothing else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from connectors.sandbox import nbs_wire
from connectors.sandbox.faults import FAULTS, SCALED
from connectors.sandbox.server import Sandbox, serve

DAY = date(2026, 11, 21)
RESEARCH = "GB.XPD.RSDV.GD.ZS"
ES_DATA = "/publicrelease/web/external/stream/esData"
DATA = {
    "oecd": "/data/OECD.STI.STP,DSD_SBRD@DF_SBRD,/.G_PPP?format=csvfile",
    "worldbank": f"/country/CHN;JPN;KOR/indicator/{RESEARCH}?format=json&per_page=20000&date=1990:2026",
    "nbs": ES_DATA,
}
PROBE = {
    "oecd": "/contentconstraint/OECD.STI.STP/CR_A_DSD_SBRD@DF_SBRD/",
    "worldbank": "/country?format=json",
    "nbs": "/page.html",
}
BODY = {
    **{"cid": "d198efc7d03c46bd9069e035e7ddd038", "indicatorIds": [], "daCatalogId": "", "showType": "1"},
    **{"das": [{"text": "全国", "value": "000000000000"}], "dts": ["2015YY-2026YY"], "rootId": nbs_wire.ROOT},
}
PROVIDERS = [pytest.param(provider, marks=getattr(pytest.mark, provider)) for provider in DATA]
PAIRS = [(name, provider) for name, fault in FAULTS.items() for provider in fault.providers]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


def ask(sandbox: Sandbox, provider: str, path: str, fault: str | None, **options: Any) -> requests.Response:
    method = "POST" if path == ES_DATA else "GET"
    options = {"timeout": 10, "allow_redirects": False, **options}
    body = BODY if method == "POST" else None
    return requests.request(method, sandbox.url(provider, DAY, fault) + path, json=body, **options)


def cells(provider: str, answer: requests.Response, column: str | None = None) -> list[tuple[str, str, str]]:
    """(series, period, value) of a data answer, in its order."""
    if provider == "oecd":
        rows = csv.DictReader(io.StringIO(answer.text))
        return [(row["LOCATION"], row["TIME_PERIOD"], row[column or "OBS_VALUE"]) for row in rows]
    if provider == "worldbank":
        found = json.loads(answer.text, parse_float=str, parse_int=str)[1]
        return [(row["countryiso3code"], row["date"], row[column or "value"] or "") for row in found]
    periods = answer.json()["data"]
    return [(row["_name"], one["code"][:4], row[column or "value"]) for one in periods for row in one["values"]]


def stamp(sandbox: Sandbox, provider: str, fault: str | None, path: str | None = None) -> str:
    if provider == "worldbank":
        return str(ask(sandbox, provider, path or DATA[provider], fault).json()[0]["lastupdated"])
    root = ElementTree.fromstring(ask(sandbox, provider, PROBE["oecd"], fault).content)
    return next(node.attrib["validFrom"] for node in root.iter() if "validFrom" in node.attrib)


def test_every_fault_of_the_design_is_there_and_explains_itself() -> None:
    assert set(FAULTS) == {
        *("429_retry_after", "429", "throttle_200", "html_200", "307_cookie", "403", "404_no_records"),
        *("404_no_dataflow", "404_path", "400_then_ok", "500", "502", "cut", "slow_drip", "wrong_length", "bom"),
        *("shrinking_total", "shifted_page", "duplicate_row", "renamed_column", "new_dimension", "changed_unit"),
        *("scaled_by_1000", "vanished_country", "empty_future_period", "stamp_backwards"),
        *("renamed_code", "vanished_code", "version_bump", "changed_role", "grants_as_of"),
    }
    assert all(fault.does and fault.providers for fault in FAULTS.values())


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ("429", 429, b""),
        ("429_retry_after", 429, b""),
        ("throttle_200", 200, b"You have exceeded"),
        ("html_200", 200, b"<"),
        ("403", 403, b"<"),
        ("404_no_records", 404, b"NoRecordsFound"),
        ("404_no_dataflow", 404, b"Could not find Dataflow"),
        ("404_path", 404, b"<"),
        ("500", 500, b""),
        ("502", 502, b"<"),
    ],
)
def test_faults_that_replace_the_answer(sandbox: Sandbox, fault: str, status: int, start: bytes) -> None:
    for provider in FAULTS[fault].providers:
        for _ in range(2):
            answer = ask(sandbox, provider, DATA[provider], fault)
            assert (answer.status_code, answer.content.startswith(start)) == (status, True)
            assert answer.headers.get("Retry-After") == ("1" if fault == "429_retry_after" else None)
        probe = ask(sandbox, provider, PROBE[provider], fault)
        untouched = ask(sandbox, provider, PROBE[provider], None)
        assert (probe.content == untouched.content) == (FAULTS[fault].touches == "data answers")


def test_every_provider_fails_in_its_own_words(sandbox: Sandbox) -> None:
    words = {"oecd": ("You have exceeded", "Internal Server Error"), "worldbank": ("<", "<"), "nbs": ("<", "{")}
    for provider, (throttled, failed) in words.items():
        for fault, start in (("429", throttled), ("429_retry_after", throttled), ("500", failed)):
            assert ask(sandbox, provider, DATA[provider], fault).text.startswith("<!DOCTYPE" if start == "<" else start)
        told = {ask(sandbox, provider, DATA[provider], fault).text for fault in ("429", "500")}
        assert any("OECD" in one for one in told) == (provider == "oecd")


@pytest.mark.nbs
def test_the_portals_refusals_look_like_its_firewall(sandbox: Sandbox) -> None:
    assert "reason:UrlACL" in ask(sandbox, "nbs", ES_DATA, "403").text
    assert "waf_zw_verify" in ask(sandbox, "nbs", ES_DATA, "html_200").text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_bad_request_passes_on_retry_and_a_nonce_begins_anew(sandbox: Sandbox, provider: str) -> None:
    right = ask(sandbox, provider, DATA[provider], None).content
    for nonce in ("one", "two"):
        answers = [ask(sandbox, provider, DATA[provider], f"400_then_ok:{nonce}") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [400, 200, 200]
        assert answers[0].content.startswith(b"\xef\xbb\xbf<!DOCTYPE html>")
        assert {answer.content for answer in answers[1:]} == {right}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_redirect_with_a_cookie_can_be_followed(sandbox: Sandbox, provider: str) -> None:
    refused = ask(sandbox, provider, DATA[provider], "307_cookie")
    assert (refused.status_code, refused.cookies["wzws_cid"]) == (307, "sandbox")
    followed = ask(sandbox, provider, DATA[provider], "307_cookie", allow_redirects=True)
    assert followed.content == ask(sandbox, provider, DATA[provider], None).content


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_mark_before_the_body(sandbox: Sandbox, provider: str) -> None:
    marked = ask(sandbox, provider, DATA[provider], "bom").content
    assert marked == b"\xef\xbb\xbf" + ask(sandbox, provider, DATA[provider], None).content


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["cut", "wrong_length", "slow_drip"])
def test_deliveries_that_do_not_arrive(sandbox: Sandbox, provider: str, fault: str) -> None:
    whole = ask(sandbox, provider, DATA[provider], None).content
    broken = ask(sandbox, provider, DATA[provider], fault, stream=True)
    promised = int(broken.headers["Content-Length"])
    assert promised == len(whole) + (64 if fault == "wrong_length" else 0)
    if fault == "slow_drip":
        assert next(broken.iter_content(1)) == whole[:1]
        broken.close()
        return
    with pytest.raises(requests.exceptions.RequestException):
        len(broken.content)


def test_a_cut_is_a_reset(sandbox: Sandbox) -> None:
    with pytest.raises(requests.exceptions.RequestException, match="Connection reset"):
        ask(sandbox, "worldbank", DATA["worldbank"], "cut")
    assert ask(sandbox, "worldbank", DATA["worldbank"], None).status_code == 200


@pytest.mark.worldbank
def test_pages_that_do_not_add_up(sandbox: Sandbox) -> None:
    path = f"/country/all/indicator/{RESEARCH}?format=json&per_page=20000&page="
    shrinking = [ask(sandbox, "worldbank", f"{path}{n}", "shrinking_total").json() for n in (1, 2)]
    assert shrinking[0][0]["pages"] > 2
    assert shrinking[1][0]["total"] == shrinking[0][0]["total"] - 1
    shifted = [ask(sandbox, "worldbank", f"{path}{n}", "shifted_page").json() for n in (1, 2)]
    assert shifted[0][0]["total"] == shifted[1][0]["total"]
    assert shifted[1][1][0] == shifted[0][1][-1]
    assert len(shifted[0][1]) == shifted[0][0]["per_page"] == 1000


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_row_twice(sandbox: Sandbox, provider: str) -> None:
    right = cells(provider, ask(sandbox, provider, DATA[provider], None))
    doubled = cells(provider, ask(sandbox, provider, DATA[provider], "duplicate_row"))
    assert doubled[0] == doubled[1] == right[0]
    assert len(doubled) == len(right) + (12 if provider == "nbs" else 1)  # the portal doubles it in every period
    assert set(doubled) == set(right)


@pytest.mark.parametrize(("provider", "column"), [("oecd", "OBSERVATION"), ("worldbank", "obs_value"), ("nbs", "v")])
def test_the_value_has_another_name(sandbox: Sandbox, provider: str, column: str) -> None:
    answer = ask(sandbox, provider, DATA[provider], "renamed_column")
    assert cells(provider, answer, column) == cells(provider, ask(sandbox, provider, DATA[provider], None))
    with pytest.raises(KeyError):
        cells(provider, answer)


@pytest.mark.parametrize(("provider", "words"), [("oecd", "LOCATION,VAR,ADJUSTMENT,"), ("nbs", '"kj1_name"')])
def test_an_unknown_dimension(sandbox: Sandbox, provider: str, words: str) -> None:
    assert words in ask(sandbox, provider, DATA[provider], "new_dimension").text
    assert words not in ask(sandbox, provider, DATA[provider], None).text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_another_unit_for_the_same_numbers(sandbox: Sandbox, provider: str) -> None:
    changed, right = (ask(sandbox, provider, DATA[provider], fault) for fault in ("changed_unit", None))
    assert cells(provider, changed) == cells(provider, right)
    if provider == "oecd":
        assert {row["UNIT_MULT"] for row in csv.DictReader(io.StringIO(changed.text))} == {"3"}
    elif provider == "worldbank":
        assert {row["unit"] for row in changed.json()[1]} == {"thousands"}
    else:
        rows = [row for period in changed.json()["data"] for row in period["values"]]
        assert not any(f"({row['du_name']})" in row["i_showname"] for row in rows)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_all_values_of_one_part_are_a_thousand_times_larger(sandbox: Sandbox, provider: str) -> None:
    right, scaled = (
        cells(provider, ask(sandbox, provider, DATA[provider], fault)) for fault in (None, "scaled_by_1000")
    )
    held = [(one, other) for one, other in zip(right, scaled, strict=True) if one[2]]
    assert held
    assert all(one[:2] == other[:2] for one, other in held)
    assert all(float(other[2]) == pytest.approx(1000 * float(one[2])) for one, other in held)


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("oecd", "/data/OECD.STI.STP,DSD_SBRD@DF_SBRD,/.G_XGDP?format=csvfile"),
        ("worldbank", "/country/CHN/indicator/SP.POP.TOTL?format=json&per_page=500"),
    ],
)
def test_other_parts_keep_their_scale(sandbox: Sandbox, provider: str, path: str) -> None:
    right, other = (cells(provider, ask(sandbox, provider, path, fault)) for fault in (None, "scaled_by_1000"))
    assert right == other
    assert SCALED["oecd.sbrd"] == "G_PPP"


@pytest.mark.parametrize("provider", PROVIDERS[:2])
def test_korea_is_gone(sandbox: Sandbox, provider: str) -> None:
    right, other = (
        cells(provider, ask(sandbox, provider, DATA[provider], fault)) for fault in (None, "vanished_country")
    )
    assert other == [cell for cell in right if cell[0] != "KOR"]
    assert len(other) < len(right)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_next_year_appears_without_values(sandbox: Sandbox, provider: str) -> None:
    right, other = (
        cells(provider, ask(sandbox, provider, DATA[provider], fault)) for fault in (None, "empty_future_period")
    )
    new = set(other) - set(right)
    assert {cell[1:] for cell in new if cell[1] == str(DAY.year + 1)} == {(str(DAY.year + 1), "")}
    assert set(right) <= set(other)
    assert all(cell[2] == "" for cell in new)


@pytest.mark.parametrize("provider", PROVIDERS[:2])
def test_a_stamp_goes_backwards_while_values_change(sandbox: Sandbox, provider: str) -> None:
    before, after = (stamp(sandbox, provider, fault) for fault in (None, "stamp_backwards"))
    newest = {"oecd": ("2026-04-13", "2026-03-14"), "worldbank": ("2026-07-13", "2026-06-13")}
    assert (before[:10], after[:10]) == newest[provider]
    right, other = (
        cells(provider, ask(sandbox, provider, DATA[provider], fault)) for fault in (None, "stamp_backwards")
    )
    changed = [(one[2], two[2]) for one, two in zip(right, other, strict=True) if one != two]
    assert changed
    assert all(float(new) == pytest.approx(1.005 * float(old)) for old, new in changed)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        (name, provider)
        for name, provider in PAIRS
        if FAULTS[name].touches == "data" and provider != "nbs" and name not in ("stamp_backwards", "grants_as_of")
    ],
)
def test_changed_data_carry_a_newer_stamp(sandbox: Sandbox, name: str, provider: str) -> None:
    if provider == "worldbank":
        listed = ask(sandbox, provider, "/source/2?format=json", name).json()[1]
        assert [one["lastupdated"] for one in listed] == ["2026-11-21"]
        if name == "vanished_code":
            return
    assert stamp(sandbox, provider, name)[:10] == "2026-11-21"
    if provider == "oecd":
        assert stamp(sandbox, provider, name) > stamp(sandbox, provider, None)
