"""The README's main path: `make run` on an empty folder, the questions it invites, and a second run that finds nothing new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[2]
KOREA = "worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS"

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(900)]


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FIGUREKEEPER_", "PREFECT_"))}
    return kept | {"FIGUREKEEPER_HOME": str(home), "PYTHONPATH": str(ROOT)}


def main_job(home: Path) -> str:
    command = [sys.executable, "-m", "flows.service", "run"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the main job leaves behind: in RUN_HOME, where `make run` has just kept its words in run.log, or made here."""
    ran = os.environ.get("RUN_HOME")
    folder = Path(ran) if ran else tmp_path_factory.mktemp("home")
    said = (folder / "run.log").read_text(encoding="utf-8") if ran else main_job(folder)
    for dataset in (
        "oecd.sbrd",
        "oecd.pct_cooperation",
        "worldbank.wdi",
        "nbs.science_technology",
        "nbs.fdi_by_country",
    ):
        assert f"{dataset}: Completed" in said
    assert str(folder) not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    return folder


def ask(home: Path, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments, "--format", "json"],
        cwd=ROOT, env=environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.worldbank
@pytest.mark.parametrize(
    ("as_of", "value", "known"),
    [(("--as-of", "2021-12-31"), 4.553, "2021"), (("--as-of", "2025-12-31"), 4.292, "2025"), ((), 4.073, "2026")],
)
def test_koreas_research_intensity_as_known(home: Path, as_of: tuple[str, ...], value: float, known: str) -> None:
    [row] = ask(home, "values", KOREA, "--period", "2017", *as_of)
    assert round(row["value"], 3) == value
    assert row["known_from"].startswith(known)
    assert (row["basis"], row["precision"]) == ("publisher", "day")
    assert row["vintage"]


@pytest.mark.worldbank
def test_receipts_for_intellectual_property(home: Path) -> None:
    names = [f"worldbank.wdi:{economy}.BX.GSR.ROYL.CD" for economy in ("CHN", "JPN", "KOR")]
    rows = ask(home, "values", *names, "--period", "2017", "--as-of", "2021-12-31")
    assert len(rows) == 3
    assert round(sum(row["value"] for row in rows) / 1e9, 2) == 53.81


@pytest.mark.oecd
def test_chinas_research_expenditure_in_every_vintage(home: Path) -> None:
    rows = ask(home, "vintages", "oecd.sbrd:CHN.G_PPP", "--period", "2018")
    first = {round(row["value"], 1): row["known_from"][:10] for row in reversed(rows)}
    assert first == {465287.5: "2024-03-13", 465355.9: "2024-04-05", 480642.3: "2024-07-23"}


@pytest.mark.nbs
def test_nbs_figures_are_held_with_their_unit(home: Path) -> None:
    listed = ask(home, "series", "nbs.science_technology")
    [patents] = [row["series"] for row in listed if row["label"] == "专利申请数"]
    [row] = ask(home, "values", patents, "--period", "2015")
    assert (row["value"], row["unit"], row["basis"]) == (2798500, "项", "captured")


def test_everything_that_comes_out_says_sandbox(home: Path) -> None:
    for page in ("index.html", "en/index.html", "zh/index.html", "zh/paper003-fig3.html"):
        assert "SANDBOX" in (home / "sandbox" / "pages" / page).read_text(), page
    with duckdb.connect(str(home / "sandbox" / "indicators.duckdb"), read_only=True) as database:
        assert database.execute("select profile from edition").fetchall() == [("sandbox",)]


def test_a_second_run_asks_again_and_publishes_nothing(home: Path) -> None:
    log = home / "sandbox" / "sandbox-access.log"
    before = log.read_text().count("\n")
    held = ask(home, "vintages", KOREA)
    said = main_job(home)
    assert "nothing new, nothing published" in said
    asked = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    assert {line["path"].split("/")[1] for line in asked} == {"oecd", "worldbank", "nbs"}
    assert ask(home, "vintages", KOREA) == held
