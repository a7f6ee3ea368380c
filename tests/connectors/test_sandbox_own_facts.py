"""A user's own SDMX-CSV downloads as flows of the sandbox: what is served, and how a bad file is refused."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from connectors.sandbox import oecd_wire, own_facts
from connectors.sandbox.own_facts import OwnFactsError
from connectors.sandbox.server import serve
from connectors.sandbox.wire import Answer, Question
from tests.connectors.sandbox_forms import TODAY, UPSTREAM, recorded
from warehouse.errors import UsageError

pytestmark = pytest.mark.oecd
ROOT = Path(__file__).resolve().parents[2]
FLOW = "OECD.STI.STP:DSD_BIBLIO@DF_BIBLIO_COLLAB(1.1)"
PLAIN = (
    "DATAFLOW,REF_AREA,MEASURE,COUNTERPART_AREA,TIME_PERIOD,OBS_VALUE,OBS_STATUS,UNIT_MULT\n"
    f"{FLOW},KOR,P,JPN,2017,12.5,,0\n"
    f"{FLOW},KOR,P,CHN,2017,20.25,E,0\n"
    f"{FLOW},KOR,P,CHN,2018,,M,0\n"
)
LABELLED = (
    "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,REF_AREA,Reference area,MEASURE,Measure,COUNTERPART_AREA,Partner,"
    "TIME_PERIOD,Time period,OBS_VALUE,Observation value,OBS_STATUS,Observation status,UNIT_MULT,Unit multiplier\n"
    f"DATAFLOW,{FLOW},Collaboration,I,KOR,Korea,P,Papers,JPN,Japan,2017,,13.5,,,,0,Units\n"
    f'DATAFLOW,{FLOW},Collaboration,I,KOR,Korea,P,Papers,CHN,"China, People\'s Republic",2017,,21,,E,Estimated value,0,Units\n'
)
DATA = "data/OECD.STI.STP,DSD_BIBLIO@DF_BIBLIO_COLLAB,"
CONSTRAINT = "contentconstraint/OECD.STI.STP/CR_A_DSD_BIBLIO@DF_BIBLIO_COLLAB/"


def folder(path: Path, **files: str) -> Path:
    for name, content in files.items():
        (path / f"{name}.csv").write_text(content, encoding="utf-8")
    return path


def ask(own: tuple[own_facts.OwnFlow, ...], path: str, on: str | None = None, **params: str) -> Answer:
    day = date.fromisoformat(on) if on else None
    return oecd_wire.answer(Question("GET", path, params, on=day, today=day or TODAY, own=own))


def rows_of(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.body.decode())))


def test_a_download_comes_back_as_it_is(tmp_path: Path) -> None:
    own = own_facts.read(folder(tmp_path, biblio=PLAIN))
    answer = ask(own, f"{DATA}/all", format="csvfile")
    theirs = sorted(PLAIN.splitlines())
    assert sorted(answer.body.decode().splitlines()) == theirs
    chosen = rows_of(ask(own, f"{DATA}/KOR..CHN+JPN", startPeriod="2017", endPeriod="2017"))
    assert {(row["COUNTERPART_AREA"], row["OBS_VALUE"]) for row in chosen} == {("CHN", "20.25"), ("JPN", "12.5")}
    assert ask(own, f"{DATA}/KOR.P.USA").body == b"NoRecordsFound"
    assert ask(own, f"{DATA}/KOR.P").status == 422
    assert ask((), f"{DATA}/all").status == 404


def test_two_files_of_a_flow_are_two_vintages(tmp_path: Path) -> None:
    own = own_facts.read(folder(tmp_path, **{"biblio": PLAIN, "biblio@2026-10-01": LABELLED}))
    values = {
        on: {
            row["COUNTERPART_AREA"]: row["OBS_VALUE"]
            for row in rows_of(ask(own, f"{DATA}/KOR.P.", on, endPeriod="2017"))
        }
        for on in ("2026-09-30", "2026-10-01")
    }
    assert values == {"2026-09-30": {"CHN": "20.25", "JPN": "12.5"}, "2026-10-01": {"CHN": "21", "JPN": "13.5"}}
    stamps = [
        next(node for node in ElementTree.fromstring(ask(own, CONSTRAINT, on).body).iter() if "type" in node.attrib)
        for on in ("2026-09-30", "2026-10-01")
    ]
    assert own_facts.walk_dates(tmp_path, "OECD.STI.STP,DSD_BIBLIO@DF_BIBLIO_COLLAB,") == [date(2026, 10, 1)]
    assert own_facts.walk_dates(tmp_path, "OECD.STI.STP,DSD_MSTI@DF_MSTI,1.3") == []
    assert [one.get("validFrom") for one in stamps] == [None, "2026-10-01T00:00:00Z"]


def test_structures_are_derived(tmp_path: Path) -> None:
    sdmx = pytest.importorskip("sdmx")
    own = own_facts.read(folder(tmp_path, biblio=LABELLED))
    path = "dataflow/OECD.STI.STP/DSD_BIBLIO@DF_BIBLIO_COLLAB/"
    message = sdmx.read_sdmx(io.BytesIO(ask(own, path, references="all").body))
    structure = message.structure["DSD_BIBLIO"]
    names = ["REF_AREA", "MEASURE", "COUNTERPART_AREA", "TIME_PERIOD"]
    assert [one.id for one in structure.dimensions] == names
    assert [one.id for one in structure.attributes] == ["OBS_STATUS", "UNIT_MULT"]
    assert str(message.codelist["CL_COUNTERPART_AREA"]["CHN"].name) == "China, People's Republic"
    assert message.constraint["CR_A_DSD_BIBLIO@DF_BIBLIO_COLLAB"].data_content_region
    labelled = list(csv.reader(io.StringIO(ask(own, f"{DATA}/all", format="csvfilewithlabels").body.decode())))
    assert labelled[1][2] == "Collaboration"
    assert {row[labelled[0].index("COUNTERPART_AREA") + 1] for row in labelled[1:]} == {
        "China, People's Republic",
        "Japan",
    }


def test_faults_change_a_users_flow_as_any_other(tmp_path: Path) -> None:
    with serve(facts=folder(tmp_path, biblio=PLAIN)) as sandbox:

        def told(fault: str | None) -> list[dict[str, str]]:
            answer = requests.get(f"{sandbox.url('oecd', fault=fault)}/{DATA}/all", timeout=10)
            return list(csv.DictReader(io.StringIO(answer.text)))

        right = told(None)
        assert [float(row["OBS_VALUE"] or 0) for row in told("scaled_by_1000")] == [
            1000 * float(row["OBS_VALUE"] or 0) for row in right
        ]
        assert [row["COUNTERPART_AREA"] for row in told("vanished_code")] == ["JPN"]
        assert {row["DATAFLOW"][-5:] for row in told("version_bump")} == {"(1.2)"}


@recorded
def test_a_recorded_download_of_the_data_explorer_is_served_whole(tmp_path: Path) -> None:
    name = "DSD_RDS_GERD@DF_GERD_SEO__2025-10__XDC"
    theirs = gzip.decompress((UPSTREAM / f"oecd/api-csv/{name}.csv.gz").read_bytes())
    (tmp_path / f"{name}.csv").write_bytes(theirs)
    [flow] = own_facts.read(tmp_path)
    ours = ask((flow,), "data/OECD.STI.STP,DSD_RDS_GERD@DF_GERD_SEO,/all", format="csvfilewithlabels").body.decode()
    held, given = (
        sorted(tuple(sorted(row.items())) for row in csv.DictReader(io.StringIO(text)))
        for text in (ours, theirs.decode("utf-8-sig"))
    )
    columns = {column for column, _ in given[0]} & {column for column, _ in held[0]}
    assert {"TIME_PERIOD", "OBS_VALUE", *flow.dimensions, *flow.attributes} <= columns
    assert [[(c, v) for c, v in row if c in columns] for row in held] == [
        [(c, v) for c, v in row if c in columns] for row in given
    ]


HEADER = PLAIN.splitlines()[0]
BAD: dict[str, tuple[str, int, str]] = {
    "empty": ("", 1, "empty"),
    "no observation": (HEADER, 1, "no observation"),
    "no SDMX-CSV": ("country,year,value\nKOR,2017,1\n", 1, "not an SDMX-CSV"),
    "short row": (f"{PLAIN}{FLOW},KOR,P\n", 5, "3 fields, but the header has 8"),
    "another flow": (f"{PLAIN}{FLOW.replace('1.1', '1.2')},KOR,P,USA,2017,1,,0\n", 5, "but the first is of"),
    "no flow": (PLAIN.replace(FLOW, "BIBLIO"), 2, "'BIBLIO' is not a dataflow"),
    "bad value": (PLAIN.replace("20.25", "n/a"), 3, "'n/a' in column OBS_VALUE"),
    "NaN": (PLAIN.replace("20.25", "NaN"), 3, "'NaN' in column OBS_VALUE"),
    "bad period": (PLAIN.replace("2018", "2018/19"), 4, "'2018/19' in column TIME_PERIOD"),
    "no code": (PLAIN.replace("KOR,P,JPN", "KOR,,JPN"), 2, "'' in column MEASURE"),
    "twice": (f"{PLAIN}{FLOW},KOR,P,JPN,2017,12.6,,0\n", 5, "KOR.P.JPN has 2017 twice"),
    "a deletion": (LABELLED.replace(",I,KOR", ",D,KOR", 1), 2, "ACTION D"),
    "labels inside": (PLAIN.replace("REF_AREA,", "REF_AREA: Reference area,"), 1, "is not the id of a column"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_line_when_the_sandbox_starts(tmp_path: Path, name: str) -> None:
    content, line, words = BAD[name]
    with pytest.raises(OwnFactsError) as refused, serve(facts=folder(tmp_path, mine=content)):
        pass
    assert f"mine.csv:{line}: " in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": PLAIN, "b": PLAIN}, "is known always from a.csv already"),
        ({"a@2026-10-01": PLAIN, "b@2026-10-01": PLAIN}, "is known from 2026-10-01 from a@2026-10-01.csv already"),
        ({"a": PLAIN, "b@2026-10-01": PLAIN.replace("MEASURE", "MEASURES")}, "has other dimensions here than in a.csv"),
        ({"a@2026-13-01": PLAIN}, "2026-13-01, which is no day"),
        ({"a": PLAIN.replace("DSD_BIBLIO@DF_BIBLIO_COLLAB", "DSD_SBRD@DF_SBRD")}, "has facts of its own"),
    ],
)
def test_files_that_contradict_each_other_are_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(OwnFactsError, match=words):
        own_facts.read(folder(tmp_path, **files))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    arguments: Any = tmp_path / "nowhere"
    with pytest.raises(UsageError, match="there is no folder"):
        own_facts.read(arguments)


def test_running_alone_it_refuses_a_bad_file_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.sandbox", "--facts", str(folder(tmp_path, mine=HEADER))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0].startswith(f"{tmp_path / 'mine.csv'}:1: there is a header, but no observation")
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "x@2025-10-01.csv").mkdir()
    with pytest.raises(OwnFactsError, match=r"x@2025-10-01\.csv:1: cannot be read \(Is a directory\)"):
        own_facts.read(tmp_path)


def test_a_file_of_a_day_still_to_come_is_not_served_before(tmp_path: Path) -> None:
    own = own_facts.read(folder(tmp_path, **{"biblio@2935-01-01": PLAIN}))
    assert ask(own, f"{DATA}/all").status == 404
    assert ask(own, f"{DATA}/all", "2935-01-01").status == 200
