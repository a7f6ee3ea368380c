"""The SDMX readers: hand-written specimens of every shape, and all recorded messages where they are kept."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from connectors.sdmx import readers
from connectors.sdmx.json import read_json
from connectors.sdmx.message import NotSdmx
from connectors.sdmx.ml import read_ml
from tests.connectors import specimens

pytestmark = pytest.mark.oecd


def test_csv_with_codes_only() -> None:
    message = readers.read_csv(specimens.SBRD_CSV.encode())
    assert message.structure == "OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4)"
    assert message.dimensions == ("LOCATION", "VAR")
    assert message.rows.num_rows == 5
    assert message.rows.slice(3, 1).to_pylist()[0]["OBS_VALUE"] is None
    assert message.rows.column("OBS_VALUE").to_pylist()[0] == "4.27154"
    assert message.labels is None


def test_a_byte_order_mark_is_passed_over() -> None:
    with_mark = readers.read_csv(b"\xef\xbb\xbf" + specimens.SBRD_CSV.encode())
    assert with_mark.rows.equals(readers.read_csv(specimens.SBRD_CSV.encode()).rows)


def test_csv_with_labels() -> None:
    message = readers.read_csv(specimens.LABELLED_CSV.encode())
    assert message.structure == "X:DSD_Y@DF_Z(1.0)"
    assert message.dimensions == ("REF_AREA", "MEASURE")
    assert message.attributes == ("OBS_STATUS", "UNIT_MULT")
    assert message.labels is not None
    assert message.labels["REF_AREA"] == {"KOR": "Korea", "JPN": "Japan"}
    assert message.labels["MEASURE"] == {"G": "Expenditure, total"}
    assert message.rows.column("OBS_VALUE").to_pylist() == ["85.7", None]


def test_a_label_may_have_any_name() -> None:
    message = readers.read_csv(b"DATAFLOW,A,..,TIME_PERIOD,OBS_VALUE\nx,y,why,2017,1\n")
    assert message.labels == {"A": {"y": "why"}}


def test_structure_specific_ml_without_structure_in_its_header() -> None:
    message = read_ml(specimens.COMPACT_ML.encode())
    assert message.structure == "OECD.STI.STP:DSD_SBRD(1.2)"
    assert message.prepared is not None
    assert message.prepared.isoformat() == "2026-04-13T16:23:54"
    assert message.dimensions == ("LOCATION", "VAR")
    assert [row["LOCATION"] for row in message.rows.to_pylist()] == ["KOR", "CHN", "CHN", "CHN", "KOR"]
    assert message.rows.column("CONF_STATUS").to_pylist() == [None, None, None, "C", None]


def test_legacy_table() -> None:
    message = readers.read_legacy_csv(specimens.LEGACY_CSV.encode())
    assert message.dimensions == ("LOCATION", "IPC", "UNIT_MEASURE")
    assert message.rows.column("TIME_PERIOD").to_pylist() == ["1976", "1977"]
    assert message.rows.column("OBS_STATUS").to_pylist() == [None, "P"]


def test_legacy_json_without_a_place_for_unused_attributes() -> None:
    message = read_json(specimens.LEGACY_JSON.encode())
    assert message.dimensions == ("LOCATION",)
    assert message.rows.column("OBS_VALUE").to_pylist() == ["11.96", "-2.10", None]
    assert message.rows.column("OBS_STATUS").to_pylist() == [None, "x", None]
    assert message.rows.column("TIME_PERIOD").to_pylist() == ["2011", "2011", "2012"]


def test_content_constraint() -> None:
    assert readers.read_valid_from(specimens.constraint().encode()) == "2026-04-13T14:23:54Z"
    with pytest.raises(NotSdmx):
        readers.read_valid_from(b"<html/>")


def _ml(inside: str, attributes: str = "") -> bytes:
    urn = "urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=A:B(1.0)"
    data_set = f'<n:DataSet xmlns:n="{urn}" {attributes}>{inside}</n:DataSet>'
    return f"<StructureSpecificData>{data_set}</StructureSpecificData>".encode()


def test_the_order_of_columns_does_not_make_the_value_a_dimension() -> None:
    message = readers.read_csv(b"DATAFLOW,A,OBS_VALUE,TIME_PERIOD\nx,y,1,2017\n")
    assert message.dimensions == ("A",)
    assert message.rows.to_pylist() == [{"A": "y", "TIME_PERIOD": "2017", "OBS_VALUE": "1"}]


def test_what_a_library_prints_when_it_stumbles_is_kept_back(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotSdmx):
        readers.read_valid_from(specimens.constraint().replace("structure:Dataflow", "structure:Other").encode())
    with pytest.raises(NotSdmx):
        readers.read_valid_from(specimens.constraint().replace("isFinal=", "x=").replace("2026-08-01T", "x").encode())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"You have exceeded the number of requests",
        b"<html><body>no</body></html>",
        b"DATAFLOW,A\nx,y\n",
        b"DATAFLOW,A,TIME_PERIOD,OBS_VALUE\nx,y,2017\n",
        b'{"data": 1}',
        b"<StructureSpecificData><unclosed>",
        b"DATAFLOW,A,A,TIME_PERIOD,OBS_VALUE\nx,y,y,2017,1\n",
        b"STRUCTURE,STRUCTURE_ID,ACTION,A,TIME_PERIOD,OBS_VALUE\nDATAFLOW,x,D,y,2017,1\n",  # deletes
        b"DATAFLOW,A,TIME_PERIOD,OBS_VALUE\nx,y,2017,1\nz,y,2018,1\n",  # two flows
        b'{"dataSets": [{"observations": {"-1": [1]}}], "structure": {"dimensions": {"observation":'
        b' [{"id": "A", "values": [{"id": "x"}]}]}}}',  # an index from the end
        _ml("<n:Group><Value/></n:Group>"),
        _ml('<n:Series A="x"><n:Other/></n:Series>'),
        _ml('<n:Series A="x"><n:Obs TIME_PERIOD="2017"><n:Obs/></n:Obs></n:Series>'),
        _ml("<n:Other/>"),
        _ml('<n:Series A="x"><n:Obs TIME_PERIOD="2017"/></n:Series>').replace(b"</n:DataSet>", b"</n:DataSet><Obs/>"),
        _ml("<n:Series>4.5</n:Series>"),
        _ml("", 'action="Delete"'),
        specimens.COMPACT_ML.replace("2026-04-13T16:23:54", "yesterday").encode(),
    ],
)
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(NotSdmx):
        readers.reader_for(content)(content)


def test_all_recorded_messages_of_the_scoreboard() -> None:
    folder = specimens.upstream("oecd")
    index = json.loads((folder / "sti-scoreboard" / "INDEX.json").read_text())
    for entry in index:
        message = read_ml(specimens.read(folder / entry["file"]))
        assert message.rows.num_rows == entry["nobs"], entry["file"]
        assert message.structure == entry["ns"]
        assert message.prepared is not None
        assert message.prepared.isoformat() == entry["prepared"]
        assert message.rows.column("TIME_PERIOD").null_count == 0
    assert len(index) == 191


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("GERD_TOE", 2826),
        ("SEO__2025-10__allunits", 6506),
        ("SEO__2025-10__XDC", 3253),
        ("HCPC", 1867),
        ("VPVOB", 380),
        ("POP_HIST", 560),
    ],
)
def test_recorded_tables_with_labels(name: str, rows: int) -> None:
    (path,) = (path for path in specimens.upstream("oecd", "api-csv").iterdir() if name in path.name)
    message = readers.read_csv(specimens.read(path))
    assert message.rows.num_rows == rows
    assert message.labels is not None
    assert set(message.dimensions) <= set(message.labels)
    assert "OBS_STATUS" in message.attributes


@pytest.mark.parametrize(("name", "rows"), [("PART2", 7), ("PATS_IPC", 258), ("PERS_FUNC", 210)])
def test_recorded_messages_of_the_old_api(name: str, rows: int) -> None:
    (path,) = (path for path in specimens.upstream("oecd", "legacy").iterdir() if path.name.startswith(name))
    content = specimens.read(path)
    message = readers.reader_for(content)(content)
    assert message.rows.num_rows == rows
    assert message.rows.column("OBS_VALUE").null_count == 0


def test_recorded_structures() -> None:
    import sdmx

    folder = specimens.upstream("oecd", "structures")
    (path,) = folder.glob("actualconstraint*")
    assert readers.read_valid_from(path.read_bytes()) == "2023-10-16T14:33:16.13Z"
    (path,) = folder.glob("metadatastructure*")
    message: Any = sdmx.read_sdmx(io.BytesIO(path.read_bytes()))
    assert list(message.metadatastructure) == ["MSD_REF_METADATA"]
    for path in folder.glob("*sdmx-json1.json"):
        with pytest.raises(NotSdmx):
            readers.read_valid_from(path.read_bytes())
