"""The sandbox's server: dates and faults in the address, the Date header, the access log, and running alone."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from connectors.sandbox import server
from connectors.sandbox.server import Sandbox, serve

ROOT = Path(__file__).resolve().parents[2]
KOREA = "/country/KOR/indicator/GB.XPD.RSDV.GD.ZS?format=json&date=2017"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


def test_urls_carry_date_and_fault(sandbox: Sandbox) -> None:
    base = f"http://127.0.0.1:{sandbox.port}"
    assert sandbox.url("nbs") == f"{base}/nbs"
    assert sandbox.url("oecd", date(2021, 9, 15), "cut") == f"{base}/on/2021-09-15/fault/cut/oecd"


@pytest.mark.worldbank
def test_the_date_header_is_the_end_of_the_asked_day(sandbox: Sandbox) -> None:
    answer = requests.get(sandbox.url("worldbank", date(2021, 12, 31)) + KOREA, timeout=10)
    assert answer.headers["Date"] == "Fri, 31 Dec 2021 23:59:59 GMT"
    assert answer.json()[1][0]["value"] == 4.55324
    now = requests.get(sandbox.url("worldbank") + KOREA, timeout=10)
    assert abs((parsedate_to_datetime(now.headers["Date"]) - datetime.now(UTC)).total_seconds()) < 30
    assert now.json()[1][0]["value"] == 4.07341


@pytest.mark.oecd
def test_an_escaped_address_is_the_same_address(sandbox: Sandbox) -> None:
    plain = "/data/OECD.STI.STP,DSD_SBRD@DF_SBRD,/CHN+JPN.G_XGDP?format=csvfile"
    escaped = "/data/OECD.STI.STP%2CDSD_SBRD%40DF_SBRD%2C/CHN%2BJPN.G_XGDP?format=csvfile"
    answers = [requests.get(sandbox.url("oecd") + path, timeout=10) for path in (plain, escaped)]
    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/fault/nope/oecd/data", "nope"),
        ("/fault/shifted_page/nbs/page.html", "shifted_page"),
        ("/on/2021-13-01/oecd/data", "2021-13-01"),
        ("/imf/data", "no such address"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(sandbox: Sandbox, path: str, word: str) -> None:
    answer = requests.get(f"http://127.0.0.1:{sandbox.port}{path}", timeout=10)
    assert answer.status_code == 400
    said = answer.json()["sandbox"]
    assert word in said["error"]
    if "fault" in path:
        assert "429" in said["faults"]
        assert word not in said["faults"]


def test_every_request_leaves_one_line_in_the_access_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serve(access_log=log) as running, requests.Session() as session:
        first = session.get(running.url("worldbank", date(2021, 12, 31)) + KOREA, timeout=10)
        session.get(running.url("oecd", fault="500") + "/data/x", timeout=10)
        session.post(running.url("nbs") + "/publicrelease/web/external/stream/esData", json={}, timeout=10)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["method"], line["status"], line["on"], line["fault"]) for line in lines] == [
        ("GET", 200, "2021-12-31", None),
        ("GET", 500, None, "500"),
        ("POST", 500, None, None),
    ]
    assert lines[0]["bytes"] == len(first.content)
    assert lines[0]["path"].endswith(KOREA)


@pytest.mark.worldbank
def test_a_large_answer_is_fast_and_the_same_for_many_clients(sandbox: Sandbox) -> None:
    url = sandbox.url("worldbank") + "/country/all/indicator/SP.POP.TOTL?format=json&per_page=20000"
    expected = requests.get(url, timeout=30).content
    assert len(json.loads(expected)[1]) > 9000
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: requests.get(url, timeout=30).content, range(8)))
    assert set(answers) == {expected}
    assert time.perf_counter() - started < 8


def test_the_cache_forgets(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CACHED_ANSWERS", 3)
    codes = ("CHN", "JPN", "KOR", "USA", "FRA", "DEU")
    path = "/country/{}/indicator/SP.POP.TOTL?format=json&date=2010"
    asked = {code: requests.get(sandbox.url("worldbank") + path.format(code), timeout=10).json() for code in codes}
    again = {code: requests.get(sandbox.url("worldbank") + path.format(code), timeout=10).json() for code in codes}
    assert asked == again
    assert {answer[1][0]["countryiso3code"] for answer in again.values()} == set(codes)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_alone_and_stops_cleanly(tmp_path: Path, signum: signal.Signals) -> None:
    command = [sys.executable, "-m", "connectors.sandbox", "--port", "0", "--access-log", str(tmp_path / "log")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        assert requests.get(f"{address}/nbs/page.html", timeout=10).status_code == 200
        process.send_signal(signum)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (0, "")
    assert (tmp_path / "log").read_text().count("\n") == 1


def test_nothing_in_the_sandbox_imports_the_connectors_parsers() -> None:
    names: set[str] = set()
    for path in (ROOT / "connectors/sandbox").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
    ours = {name for name in names if name.split(".")[0] in ("connectors", "warehouse", "expectations", "flows")}
    assert ours
    assert {name for name in ours if not name.startswith("connectors.sandbox")} <= {"warehouse.errors"}
