"""A plan says what would be asked, how much would come and how long our own limits make it take; nothing is sent."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors import datasets
from connectors.http.quota import Quota
from flows import backfill_plan, cli, estimate, pipeline
from flows.settings import Settings
from tests.flows.small import serving, small
from tests.warehouse.quick import memory_folder
from warehouse.errors import UsageError
from warehouse.store import Warehouse

NAMES = ("oecd.sbrd", "worldbank.wdi", "nbs.fdi_by_country")
PARTS = ("G_PPP", "G_XGDP", "GB.XPD.RSDV.GD.ZS", "asia")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    serving(monkeypatch, *(small(name, PARTS) for name in NAMES))
    with memory_folder() as folder:
        yield folder


def test_sizes_are_unknown_at_first_and_then_those_of_the_last_answers(home: Path) -> None:
    settings = Settings(home=home)
    before = estimate.rows(settings, NAMES)
    assert {row["bytes"] for row in before} == {None}
    assert {row["bytes"] for row in estimate.told(before)} == {"unknown"}
    for name in NAMES:
        pipeline.refresh(settings, name, note=lambda _: None)
    after = estimate.rows(settings, NAMES)
    assert [{**row, "bytes": None} for row in after] == before
    sizes = {(row["part"], row["request"].split("/")[-1]): row["bytes"] for row in after}
    assert all(sizes.values())
    archived = Warehouse(**settings.place, create=False).payloads
    assert sizes["G_PPP", "CHN+JPN+KOR+USA.G_PPP"] in {len(archived.read(sha256)) for sha256 in archived.hashes()}
    old = backfill_plan.plan(settings, ["worldbank.wdi"], span="202109:202110")
    assert [row["bytes"] for row in old.requests if row["part"]] == [None, None]  # the archive answers in another form


def test_totals_count_by_what_the_limits_count(home: Path) -> None:
    rows = estimate.rows(Settings(home=home, profile="live"), NAMES)
    totals = {(row["provider"], row["cost"]): row for row in estimate.totals(Settings(home=home, profile="live"), rows)}
    assert {key: row["requests"] for key, row in totals.items()} == {
        ("nbs", "data"): 4,
        ("oecd", "data"): 2,
        ("oecd", "structure"): 3,
        ("worldbank", "data"): 4,  # it counts all requests alike
    }
    assert {key: (row["left"], row["limit"], row["window"]) for key, row in totals.items()} == {
        ("nbs", "data"): (20, 20, 3600),
        ("oecd", "data"): (50, 50, 3600),
        ("oecd", "structure"): (15, 15, 60),
        ("worldbank", "data"): (150, 150, 60),
    }
    assert totals["oecd", "data"]["seconds"] == 60  # one a minute, and one is free
    assert sum(row["unknown"] for row in totals.values()) == len(rows)
    line = estimate.headline(rows, list(totals.values()))
    assert line.startswith("13 first requests (4 nbs data, 2 oecd data, 3 oecd structure, 4 worldbank data)")
    assert re.search(r", at most 1 minute and \d+ seconds of waiting for our own limits$", line)
    assert backfill_plan.cost_rows(list(totals.values()))[1]["left of the quota"] == "50 of 50 in 1 hour"


@pytest.mark.parametrize(("provider", "requests", "seconds", "runs"), [("oecd", 61, 3600, 2), ("nbs", 41, 7200, 3)])
def test_what_exceeds_a_run_is_counted_in_runs(
    tmp_path: Path, provider: str, requests: int, seconds: int, runs: int
) -> None:
    quota = Quota(tmp_path / "quota.sqlite", provider)
    need = quota.need("data", requests)
    quota.close()
    assert (need.seconds, need.runs, need.widest.seconds) == (seconds, runs, 3600)


def test_the_command_ends_with_a_total_and_refuses_a_span_of_another_kind(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["figurekeeper", "plan", "oecd.sbrd", "--vintages", "2024-03-13:2024-03-14"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out = capsys.readouterr().out
    assert not end.value.code
    assert "asOf=2024-03-14" in out
    assert out.splitlines()[-1].startswith("6 first requests (6 oecd data), 6 answers of unknown size")
    with pytest.raises(UsageError, match="no span of days"):
        backfill_plan.plan(Settings(home=home), ["oecd.sbrd"], span="202109")


def test_only_a_missing_warehouse_counts_as_none_held_yet(tmp_path: Path) -> None:
    assert {row["bytes"] for row in estimate.rows(Settings(home=tmp_path), ["oecd.sbrd"])} == {None}
    with pytest.raises(UsageError, match="which mean something else in file patterns"):
        estimate.rows(Settings(home=tmp_path / "a*b"), ["oecd.sbrd"])


def test_projections_may_be_asked_for_ahead() -> None:
    dataset = datasets.load("worldbank.population_projections")
    assert estimate.checked(dataset, "2049", None, None).scope.start == "2049"
    with pytest.raises(UsageError, match="let it begin in 2050 or before"):
        estimate.checked(dataset, "2051", None, None)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "1 second"), (90, "1 minute and 30 seconds"), (3601, "1 hour and 1 minute"), (604800, "7 days")],
)
def test_times_are_told_in_words(seconds: float, told: str) -> None:
    assert estimate.lasting(seconds) == told


def test_a_plan_that_need_not_wait_says_so(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    requests = estimate.rows(settings, ["oecd.sbrd"])
    assert estimate.headline(requests, estimate.totals(settings, requests)).endswith(" of unknown size, no waiting")
