"""The OECD connector: what its answers mean, without a server."""

from __future__ import annotations

import json

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
from connectors.oecd import connector as oecd
from connectors.oecd import errors as oecd_errors
from tests.connectors import specimens
from tests.connectors import wire_sdmx as sdmx
from warehouse.errors import UsageError
from warehouse.schema import PartData, Scope

pytestmark = pytest.mark.oecd
SBRD = datasets.load("oecd.sbrd")


def _parse(csv: str, part: str = "G_XGDP") -> PartData:
    return oecd.CONNECTOR.parse(SBRD, specimens.fetched(part, specimens.payload(csv)))


def test_flags_values_and_what_is_left_out() -> None:
    data = _parse(specimens.SBRD_CSV)
    rows = {(row["series_key"], row["period"]): row for row in data.observations.to_pylist()}
    assert {key: row["status"] for key, row in rows.items()} == {
        ("CHN.G_XGDP", "2016"): "C",
        ("CHN.G_XGDP", "2017"): "E;D;P;M2",
        ("CHN.G_XGDP", "2018"): "",
        ("KOR.G_XGDP", "2018"): "",
    }
    assert rows["CHN.G_XGDP", "2016"]["value"] is None
    assert rows["CHN.G_XGDP", "2016"]["value_text"] is None
    assert rows["KOR.G_XGDP", "2018"]["value"] == 4.27154
    assert data.skipped["pseudo period 2999"] == 1


def test_the_same_data_in_another_form_and_order_hash_equal() -> None:
    lines = specimens.SBRD_CSV.splitlines()
    turned = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    hashes = {_parse(text).canonical_hash for text in (specimens.SBRD_CSV, turned, specimens.COMPACT_ML)}
    assert len(hashes) == 1
    assert _parse(specimens.SBRD_CSV.replace("2.10232", "2.102320")).canonical_hash not in hashes
    assert _parse(specimens.SBRD_CSV.replace(",2.08,E", ",2.08,P")).canonical_hash not in hashes


def test_stated_attributes_win_and_contradictions_are_noted() -> None:
    text = "DATAFLOW,LOCATION,VAR,TIME_PERIOD,OBS_VALUE,OBS_STATUS,UNIT_MULT,DECIMALS\n"
    flow = "OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4)"
    text += f"{flow},CHN,G_PPP,2018,480642.3,,3,1\n{flow},CHN,G_PPP,2017,1.0,,3,1\n"
    data = _parse(text, "G_PPP")
    (series,) = data.series.to_pylist()
    assert (series["multiplier"], series["decimals"]) == (3, 1)
    assert data.notes == ("UNIT_MULT is 3 in the answer and 6 in the dataset file",)
    missing = "CAN, DEU, EU27_2020, FRA, GBR, JPN, KOR, MEX, USA"
    assert data.skipped == {f"economies asked for and not in the answer: {missing}": 9}
    assert json.loads(series["dimensions"]) == {"LOCATION": "CHN", "VAR": "G_PPP"}
    (without,) = _parse(text.replace(",3,1", ",,"), "G_PPP").series.to_pylist()
    assert (without["multiplier"], without["decimals"], without["price_base"]) == (6, None, "current")


def test_a_label_names_the_codes_among_which_a_key_leaves_a_choice() -> None:
    part = SBRD.part("G_PPP").model_copy(update={"key": "{entities}.G_PPP+G_NC"})
    dataset = SBRD.model_copy(update={"parts": (part,)})
    rows = [sdmx.Row(("KOR", code), "2017", "1") for code in ("G_NC", "G_PPP")]
    data = oecd.CONNECTOR.parse(dataset, specimens.fetched("G_PPP", specimens.payload(sdmx.csv_codes(rows))))
    assert data.series.column("label").to_pylist() == [f"KOR: {part.label}, VAR {code}" for code in ("G_NC", "G_PPP")]
    (plain,) = _parse(sdmx.csv_codes(rows[1:]).decode(), "G_PPP").series.to_pylist()
    assert plain["label"] == f"KOR: {part.label}"


def test_answers_that_are_not_of_one_version_are_not_one_part() -> None:
    rows = [sdmx.Row((code, "G_PPP"), "2017", "1") for code in ("KOR", "JPN")]
    one, other = (specimens.payload(sdmx.csv_codes([row])) for row in rows)
    assert oecd.CONNECTOR.parse(SBRD, specimens.fetched("G_PPP", one, other)).observations.num_rows == 2
    newer = specimens.payload(other.content.replace(b"(1.4)", b"(1.5)"))
    with pytest.raises(UnexpectedPayload, match=r"answers of .*\(1\.4\) and of .*\(1\.5\)"):
        oecd.CONNECTOR.parse(SBRD, specimens.fetched("G_PPP", one, newer))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("KOR,G_PPP", "KO.R,G_PPP", "'KO.R' is no LOCATION"),
        (",6,3", ",x,3", "'x' is no UNIT_MULT"),
        (",6,3", ",6,99999999999", "is no DECIMALS"),
        (",2017,", ",1066x,", "not a period"),
    ],
)
def test_codes_and_exponents_that_are_none_are_refused(old: str, new: str, named: str) -> None:
    text = sdmx.csv_codes([sdmx.Row(("KOR", "G_PPP"), "2017", "1"), sdmx.Row(("JPN", "G_PPP"), "2018", "1")]).decode()
    with pytest.raises(UnexpectedPayload, match=named):
        _parse(text.replace(old, new, 1), "G_PPP")


def test_repeated_rows_collapse_and_contradicting_ones_are_refused() -> None:
    row = specimens.SBRD_CSV.splitlines()[1]
    data = _parse(specimens.SBRD_CSV + row + "\n")
    assert data.skipped["row repeated word for word"] == 1
    assert data.observations.num_rows == 4
    with pytest.raises(UnexpectedPayload, match="contradicts itself"):
        _parse(specimens.SBRD_CSV + row.replace("4.27154", "4.5") + "\n")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("OBS_VALUE", "OBSERVATION", "OBS_VALUE"),
        ("LOCATION,VAR", "LOCATION,ADJUSTMENT", "ADJUSTMENT"),
        ("OBS_STATUS,", "STATUS,", "OBS_STATUS"),
        ("OBS_STATUS,", "CURRENCY,", "no column OBS_STATUS"),
        ("KOR,G_XGDP,2018", "KOR,G_PPP,2018", "G_PPP"),
        ("G_XGDP,2018,2.10232", "G_XGDP,2018,n/a", "not a number"),
        ("G_XGDP,2018,2.10232", "G_XGDP,2018-Q1,2.10232", "2018-Q1"),
        ("CHN,G_XGDP,2017", ",G_XGDP,2017", "LOCATION"),
    ],
)
def test_another_form_is_refused_by_name(old: str, new: str, named: str) -> None:
    with pytest.raises(UnexpectedPayload, match=named):
        _parse(specimens.SBRD_CSV.replace(old, new, 1))


@pytest.mark.parametrize("other", ["OECD.SDD:DSD_SBRD@DF_SBRD(1.4)", "OECD.STI.STP:DSD_SBRD@DF_OTHER(1.4)"])
def test_a_message_of_another_flow_is_refused_and_of_another_version_is_not(other: str) -> None:
    flow = "OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4)"
    with pytest.raises(UnexpectedPayload, match="was asked for, the answer is of"):
        _parse(specimens.SBRD_CSV.replace(flow, other))
    newer = _parse(specimens.SBRD_CSV.replace(flow, "OECD.STI.STP:DSD_SBRD@DF_SBRD(2.0)"))
    assert newer.canonical_hash == _parse(specimens.SBRD_CSV).canonical_hash


def test_another_code_of_the_unit_is_a_conflict_where_the_code_is_known() -> None:
    lines = specimens.SBRD_CSV.splitlines()
    text = "\n".join([lines[0] + ",UNIT_MEASURE", *(f"{line},PT_B1GQ" for line in lines[1:])]) + "\n"
    part = SBRD.part("G_XGDP")
    asked = specimens.fetched(part.id, specimens.payload(text))
    conflicts = []
    for code in (None, "PT_B1GQ", "USD_PPP"):
        dataset = SBRD.model_copy(update={"parts": (part.model_copy(update={"unit_code": code}),)})
        notes = oecd.CONNECTOR.parse(dataset, asked).notes
        conflicts.append([note for note in notes if note.startswith("unit conflict:")])
    told = "unit conflict: UNIT_MEASURE PT_B1GQ in the answer, USD_PPP in the dataset file"
    assert conflicts == [[], [], [told]]


def test_economies_and_periods_not_asked_for_are_counted() -> None:
    asked = specimens.fetched("G_XGDP", specimens.payload(specimens.SBRD_CSV), scope=Scope("2017", "2017", ("CHN",)))
    data = oecd.CONNECTOR.parse(SBRD, asked)
    assert data.observations.column("period").to_pylist() == ["2017"]
    assert data.skipped == {"pseudo period 2999": 1, "economy not asked for": 1, "period not asked for": 2}


def test_an_empty_table_is_no_data() -> None:
    with pytest.raises(NoData):
        _parse(specimens.SBRD_CSV.splitlines()[0] + "\n")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, "slow down", Throttled),
        (200, "You have exceeded the number of requests for data downloads", Throttled),
        (403, "You have exceeded the number of requests currently permitted", Throttled),
        (403, "Forbidden", Blocked),
        (404, "NoRecordsFound", NoData),
        (404, "NoResultsFound", NoData),
        (404, "Could not find Dataflow and/or DSD related with this data request", NotFound),
        (404, "<html>nothing</html>", NotFound),
        (422, "Not enough key values in query, expecting 13 got 12", BadRequest),
        (413, "Request Entity Too Large", BadRequest),
        (400, "Invalid structure: data", BadRequest),
        (500, "languageTag1", BadRequest),
        (500, "Object reference not set to an instance of an object.", ServerFault),
        (524, "<html>cloud</html>", ServerFault),
        (200, "<!DOCTYPE html><html></html>", ServerFault),
        (200, "hello", UnexpectedPayload),
        (200, specimens.SBRD_CSV[:-3], Unreachable),
    ],
)
def test_what_an_answer_means(status: int, body: str, error: type[Exception]) -> None:
    found = oecd_errors.classify(specimens.payload(body, status=status))
    assert type(found) is error
    assert "Next: " in str(found)


def test_what_is_an_answer() -> None:
    for body in (specimens.SBRD_CSV, "\ufeff" + specimens.SBRD_CSV, specimens.constraint()):
        assert oecd_errors.classify(specimens.payload(body)) is None


def test_the_key_is_asked_with_a_precise_accept_header() -> None:
    probe, data, again = oecd.CONNECTOR.plan(
        SBRD, Ask(("G_PPP",), Scope(start="2010", end="2020", entities=("CHN", "JPN")))
    )
    assert probe.path == "contentconstraint/OECD.STI.STP/CR_A_DSD_SBRD@DF_SBRD/"
    assert (probe.cost, again) == ("structure", probe)
    assert data.path == "data/OECD.STI.STP,DSD_SBRD@DF_SBRD,/CHN+JPN.G_PPP"
    assert dict(data.params) == {"format": "csvfile", "startPeriod": "2010", "endPeriod": "2020"}
    assert dict(data.headers)["Accept"] == oecd.CSV
    with pytest.raises(UsageError, match="G_XYZ"):
        oecd.CONNECTOR.plan(SBRD, Ask(("G_XYZ",)))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-04-13T14:23:54Z", "2026-04-13T14:23:54+00:00"),
        ("2023-10-16T14:33:16.13Z", "2023-10-16T14:33:16.130000+00:00"),
        ("2026-04-13T16:23:54", "2026-04-13T14:23:54+00:00"),
        ("9999-12-31T00:00:00", None),
        (None, None),
        ("soon", None),
    ],
)
def test_stamps(text: str | None, utc: str | None) -> None:
    at = oecd._instant(text, "Europe/Paris")
    assert (at.isoformat() if at else None) == utc


def test_recorded_messages_of_our_parts_parse_to_clean_vintages() -> None:
    folder = specimens.upstream("oecd", "sti-scoreboard")
    for dataset in (SBRD, datasets.load("oecd.pct_cooperation")):
        for part in dataset.parts:
            found = [specimens.read(path) for path in sorted(folder.glob(f"{part.id}__*.xml.gz"))]
            assert len(found) >= 2
            for content in found:
                data = oecd.CONNECTOR.parse(dataset, specimens.fetched(part.id, specimens.payload(content)))
                assert {row["entity"] for row in data.series.to_pylist()} <= set(dataset.entities)
                assert data.observations.num_rows > 150
                assert data.skipped["economy not asked for"] > 0
