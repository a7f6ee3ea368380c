"""The forms of the sandbox's OECD answers: against recorded ones, and against what every clone knows."""

from __future__ import annotations

import csv
import gzip
import io
from xml.etree import ElementTree

import pytest

from connectors.sandbox import oecd_flows, oecd_wire
from connectors.sandbox.wire import Answer
from tests.connectors.sandbox_forms import UPSTREAM, ask, recorded

pytestmark = pytest.mark.oecd
SBRD = "data/OECD.STI.STP,DSD_SBRD@DF_SBRD,"
COINVENTOR = "data/OECD.STI.PIE,DSD_PATENTS@DF_PATENTS_COINVENTOR,1.0"
CONSTRAINT = "contentconstraint/OECD.STI.STP/CR_A_DSD_SBRD@DF_SBRD/"
SPACES = {"s": "{http://www.sdmx.org/resources/sdmxml/schemas/v2_1/structure}"}


def rows_of(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.body.decode())))


def test_data_are_sdmx_csv_with_codes_only() -> None:
    answer = ask("oecd", f"{SBRD}/CHN+JPN.G_XGDP", format="csvfile")
    flags = "OBS_STATUS,OBS_STATUS_2,OBS_STATUS_3,AUX_OBS_STATUS,AUX_OBS_STATUS_2,CONF_STATUS"
    assert answer.body.decode().splitlines()[0] == f"DATAFLOW,LOCATION,VAR,TIME_PERIOD,OBS_VALUE,{flags}"
    rows = rows_of(answer)
    assert {row["LOCATION"] for row in rows} == {"CHN", "JPN"}
    assert {row["DATAFLOW"] for row in rows} == {"OECD.STI.STP:DSD_SBRD@DF_SBRD(1.2)"}
    assert {row["VAR"] for row in rows} == {"G_XGDP"}
    first = {row["LOCATION"]: row for row in reversed(rows)}["CHN"]
    assert (first["TIME_PERIOD"], first["OBS_VALUE"], first["AUX_OBS_STATUS"]) == ("1991", "0.722489794", "M2")
    patents = rows_of(ask("oecd", f"{COINVENTOR}/9P50_1.A.AP.PT_PATN.PRIORITY.CHN.WXD._Z.CO._Z._Z"))
    assert list(patents[0])[-3:] == ["OBS_STATUS", "UNIT_MULT", "DECIMALS"]
    assert round(float(next(row["OBS_VALUE"] for row in patents if row["TIME_PERIOD"] == "2018")), 2) == 5.45


@pytest.mark.parametrize(
    ("key", "params", "count"),
    [
        ("KOR.G_XGDP", {"startPeriod": "2017", "endPeriod": "2018"}, 2),
        (".G_XGDP", {"startPeriod": "2017", "endPeriod": "2017"}, 9),
        ("KOR.", {"startPeriod": "2017", "endPeriod": "2017"}, 9),
        ("KOR.G_XGDP+B_XGDP", {"startPeriod": "2999"}, 2),
    ],
)
def test_keys_and_periods_select(key: str, params: dict[str, str], count: int) -> None:
    rows = rows_of(ask("oecd", f"{SBRD}/{key}", **params))
    everything = rows_of(ask("oecd", f"{SBRD}/all", **params))
    low, high = params.get("startPeriod", ""), params.get("endPeriod", "9999")
    assert all(low <= row["TIME_PERIOD"] <= high for row in everything)
    areas, variables = ([code for code in part.split("+") if code] for part in key.split("."))
    wanted = [
        row
        for row in everything
        if (not areas or row["LOCATION"] in areas) and (not variables or row["VAR"] in variables)
    ]
    assert rows == wanted
    assert len(rows) >= count


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (f"{SBRD}/CHN", 422, "Not enough key values in query, expecting 2 got 1"),
        (f"{SBRD}/XXX.G_XGDP", 404, "NoRecordsFound"),
        (f"{SBRD}/CHN.G_XGDP.A", 404, "NoRecordsFound"),
        (f"{SBRD}1.0/all", 404, "Could not find Dataflow and/or DSD related with this data request"),
        ("data/OECD.STI.STP,DSD_MSTI@DF_MSTI,/all", 404, oecd_wire.NO_DATAFLOW),
        (f"{COINVENTOR}/9P50_1.A", 422, "Not enough key values in query, expecting 11 got 2"),
    ],
)
def test_the_oecds_refusals(path: str, status: int, body: str) -> None:
    answer = ask("oecd", path, format="csvfile")
    assert (answer.status, answer.body.decode()) == (status, body)


def test_the_version_of_the_flow_moves_with_the_vintages() -> None:
    versions = {
        on: rows_of(ask("oecd", f"{SBRD}/KOR.G_XGDP", on))[0]["DATAFLOW"][-5:]
        for on in ("2024-03-13", "2024-05-01", "2025-05-02")
    }
    assert versions == {"2024-03-13": "(1.0)", "2024-05-01": "(1.1)", "2025-05-02": "(1.2)"}
    assert ask("oecd", f"{SBRD}/all", "2024-03-12").status == 404


@recorded
def test_labelled_csv_has_the_columns_of_a_recorded_one() -> None:
    path = UPSTREAM / "oecd/api-csv/DSD_RDS_GERD@DF_GERD_TOE__2024-11-21.csv.gz"
    theirs = list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode("utf-8-sig"))))
    ours = list(csv.reader(io.StringIO(ask("oecd", f"{SBRD}/all", format="csvfilewithlabels").body.decode())))
    assert ours[0][:4] == theirs[0][:4]
    labels = [dict(zip(header[4::2], header[5::2], strict=True)) for header in (ours[0], theirs[0])]
    shared = labels[0].keys() & labels[1].keys()
    assert shared >= {"TIME_PERIOD", "OBS_VALUE", "OBS_STATUS", "CONF_STATUS"}
    assert {name: labels[0][name] for name in shared} == {name: labels[1][name] for name in shared}
    for rows in (ours, theirs):
        assert {len(row) for row in rows} == {len(rows[0])}
        assert {row[0] for row in rows[1:]} == {"DATAFLOW"}
        assert {row[3] for row in rows[1:]} == {"I"}
        assert {row[rows[0].index("OBS_VALUE") + 1] for row in rows[1:]} == {""}
    at = [rows[0].index("OBS_STATUS") for rows in (ours, theirs)]
    status = [{row[n]: row[n + 1] for row in rows[1:]} for n, rows in zip(at, (ours, theirs), strict=True)]
    assert {code: status[0][code] for code in ("B", "P")} == {code: status[1][code] for code in ("B", "P")}


def elements(content: bytes) -> set[tuple[str, tuple[str, ...]]]:
    """Every element of a document as its path, with the names of its attributes."""
    found: set[tuple[str, tuple[str, ...]]] = set()

    def walk(node: ElementTree.Element, above: str) -> None:
        path = f"{above}/{node.tag}"
        found.add((path, tuple(sorted(node.attrib))))
        for child in node:
            walk(child, path)

    walk(ElementTree.fromstring(content), "")
    return found


@recorded
def test_the_content_constraint_has_the_elements_of_a_recorded_one() -> None:
    name = "actualconstraint__CR_A_DSD_DEBT_TRANS_COLL@DF_MICRO__2023-12-27.xml"
    assert elements(ask("oecd", CONSTRAINT).body) == elements((UPSTREAM / "oecd/structures" / name).read_bytes())


@pytest.mark.parametrize(
    ("on", "valid_from"),
    [(None, "2026-04-13T14:28:17Z"), ("2024-03-13", "2024-03-13T10:05:35Z"), ("2024-04-04", "2024-04-04T13:10:13Z")],
)
def test_the_content_constraint_is_valid_from_the_newest_stamp(on: str | None, valid_from: str) -> None:
    root = ElementTree.fromstring(ask("oecd", CONSTRAINT, on).body)
    constraint = next(root.iter(f"{SPACES['s']}ContentConstraint"))
    count = next(node for node in root.iter() if node.get("id") == "obs_count")
    assert constraint.attrib["validFrom"] == valid_from
    assert count[0].text == str(len(rows_of(ask("oecd", f"{SBRD}/all", on))))


@pytest.mark.parametrize("path", ["dataflow/OECD.STI.STP/DSD_SBRD@DF_SBRD/", "datastructure/OECD.STI.STP/DSD_SBRD/1.2"])
def test_structures_can_be_read_by_an_sdmx_library(path: str) -> None:
    sdmx = pytest.importorskip("sdmx")
    message = sdmx.read_sdmx(io.BytesIO(ask("oecd", path, references="all").body))
    structure = message.structure["DSD_SBRD"]
    assert [one.id for one in structure.dimensions] == ["LOCATION", "VAR", "TIME_PERIOD"]
    assert "OBS_STATUS_2" in [one.id for one in structure.attributes]
    assert str(message.codelist["CL_SBRD_VAR"]["G_XGDP"].name) == "GERD as a percentage of GDP"
    alone = sdmx.read_sdmx(io.BytesIO(ask("oecd", path).body))
    assert not any(len(codes) for codes in alone.codelist.values())
    constraint = sdmx.read_sdmx(io.BytesIO(ask("oecd", CONSTRAINT).body)).constraint["CR_A_DSD_SBRD@DF_SBRD"]
    assert constraint.data_content_region


def test_all_content_constraints_come_in_one_answer_without_their_content() -> None:
    def stubs(on: str) -> dict[str, str | None]:
        root = ElementTree.fromstring(ask("oecd", "contentconstraint/all", on, detail="allstubs").body)
        found = list(root.iter(f"{SPACES['s']}ContentConstraint"))
        assert not [node for node in root.iter() if node.tag.endswith("CubeRegion")]
        return {one.attrib["id"]: one.get("validFrom") for one in found}

    assert stubs("2024-03-13") == {"CR_A_DSD_SBRD@DF_SBRD": "2024-03-13T10:05:35Z"}
    assert stubs("2026-11-21") == {
        "CR_A_DSD_SBRD@DF_SBRD": "2026-04-13T14:28:17Z",
        "CR_A_DSD_PATENTS@DF_PATENTS_COINVENTOR": "2025-04-09T09:02:55Z",
        "CR_A_DSD_PATENTS@DF_PATENTS": "2025-04-09T09:02:41Z",
        "CR_A_DSD_RDS_GERD@DF_GERD_TOE": None,  # its carrier's commit is no stamp of the publisher
    }


@pytest.mark.parametrize("flow", [flow.id for flow in oecd_flows.known()])
def test_one_message_holds_all_of_a_flows_structure(flow: str) -> None:
    sdmx = pytest.importorskip("sdmx")
    [known] = [one for one in oecd_flows.known() if one.id == flow]
    message = sdmx.read_sdmx(io.BytesIO(ask("oecd", f"dataflow/{known.agency}/{flow}/latest", references="all").body))
    structure = message.structure[known.structure]
    assert [one.id for one in structure.dimensions] == [*known.dimensions, "TIME_PERIOD"]
    assert [one.id for one in structure.attributes] == list(known.attributes)
    [region] = message.constraint[f"CR_A_{flow}"].data_content_region
    members = {dimension.id: selection.values for dimension, selection in region.member.items()}
    used = {name: {value.value for value in members[name]} for name in known.dimensions}
    rows = rows_of(ask("oecd", f"data/{known.agency},{flow},/all"))
    for name, listed in known.lists.items():
        codes = message.codelist[listed.partition(":")[2].partition("(")[0]]
        assert used[name] == {row[name] for row in rows} <= {code.id for code in codes}


@recorded
def test_a_flow_of_eleven_dimensions_equals_the_recorded_download() -> None:
    path = UPSTREAM / "oecd/api-csv/DSD_RDS_GERD@DF_GERD_TOE__2024-11-21.csv.gz"
    theirs = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode("utf-8-sig"))))
    ours = rows_of(ask("oecd", "data/OECD.STI.STP,DSD_RDS_GERD@DF_GERD_TOE,/all", format="csvfile"))
    columns = [name for name in ours[0] if name != "DATAFLOW"]
    held = {row["REF_AREA"] for row in ours}
    assert held == {"CHN", "JPN", "KOR", "USA", "GBR", "FRA", "DEU", "CAN", "MEX"}
    assert {tuple(row[name] for name in columns) for row in ours} == {
        tuple(row[name] for name in columns) for row in theirs if row["REF_AREA"] in held
    }
    assert ours[0]["DATAFLOW"] == theirs[0]["STRUCTURE_ID"]
