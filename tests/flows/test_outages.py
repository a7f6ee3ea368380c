"""One provider that is down: the others' datasets go on, it is not asked in vain, and what it gave before is kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors import datasets
from connectors.datasets import Dataset
from connectors.errors import Blocked, ServerFault, Unreachable
from connectors.http.breaker import IN_A_ROW, Breaker
from connectors.http.request import Request
from connectors.http.transport import Transport
from connectors.sandbox.server import Sandbox, serve
from flows import asking, catalogue, cli, main_job, pipeline, standing
from flows.settings import Settings
from warehouse import ledger, lineage
from warehouse.schema import Payload
from warehouse.store import Warehouse

ASKED = ("oecd.sbrd", "oecd.pct_cooperation", "worldbank.wdi", "nbs.science_technology", "nbs.fdi_by_country")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, sandbox: Sandbox) -> Settings:
    return Settings(home=tmp_path / "home", sandbox_url=f"http://127.0.0.1:{sandbox.port}")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How patient the transport is, to be changed by a test."""
    patience: dict[str, Any] = {"sleep": lambda _: None}
    monkeypatch.setattr(asking, "patience", lambda provider, profile: patience)
    return patience


def _quiet(_: str) -> None:
    return None


def _two_parts(name: str) -> Dataset:
    whole = datasets.load(name)
    kept = tuple(part.model_copy(update={"ratio": None}) for part in whole.parts[:2])
    return whole.model_copy(update={"parts": kept})


def _batches(settings: Settings) -> dict[str, tuple[str, dict[str, Any]]]:
    """Decision and header of the newest batch of each dataset."""
    columns = ledger.batches.c
    query = select(columns.dataset, columns.decision, columns.header).order_by(columns.started_at)
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        return {dataset: (decision, header) for dataset, decision, header in connection.execute(query)}


def test_an_outage_of_one_provider_leaves_the_others_alone(
    settings: Settings,
    sandbox: Sandbox,
    hasty: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(settings.home))
    monkeypatch.setenv("FIGUREKEEPER_SANDBOX_URL", str(settings.sandbox_url))
    monkeypatch.setenv("FIGUREKEEPER_OECD_URL", sandbox.url("oecd", fault="500"))
    monkeypatch.setattr(catalogue, "load_enabled", lambda _, name: _two_parts(name))
    Warehouse(**settings.place)
    order = [name for name in main_job.held_vintages(settings) if name in ASKED]  # the main job's
    monkeypatch.setattr(sys, "argv", ["figurekeeper", "refresh", *order])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if line.startswith("figurekeeper: ")]
    batches = _batches(settings)
    down = [name for name in order if name.startswith("oecd.")]
    assert end.value.code == 1
    assert list(batches) == order
    assert {name: batches[name][0] for name in down} == dict.fromkeys(down, "failed")
    assert all(batches[name][0].startswith("published") for name in order if name not in down)
    assert [line.split(":")[0] for line in out.splitlines()] == [name for name in order if name not in down]
    assert len(told) == len(down) > 1
    assert all("Next: " in line for line in told)
    assert "the provider's server failed (500)" in told[0]
    assert all("oecd is left alone since" in line for line in told[1:])  # ProviderPaused: nothing more was sent
    assert [batches[name][1]["requests"] for name in down[1:]] == [0] * (len(down) - 1)
    monkeypatch.delenv("FIGUREKEEPER_OECD_URL")
    assert pipeline.refresh(settings, down[-1], note=_quiet).edition


def test_what_was_read_before_an_outage_is_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    name, begins = "nbs.science_technology", "patent_applications"
    whole = Transport._once

    def refused(self: Transport, request: Request, attempt: int) -> Payload:
        if request.part == begins:
            raise Blocked("the wall", next_step="wait")
        return whole(self, request, attempt)

    monkeypatch.setattr(Transport, "_once", refused)
    outcome = pipeline.refresh(settings, name, note=_quiet)
    monkeypatch.undo()
    decision, header = _batches(settings)[name]
    assert (outcome.edition, decision) == (1, outcome.decision.value)
    assert {part.part for part in outcome.parts if part.vintage_id} == {"overview"}
    assert header["failed"] == {
        begins: "Blocked",
        "patent_grants": "ProviderPaused",
        "papers_indexed": "ProviderPaused",
    }
    assert header["not_asked"] == 2
    [told] = lineage.open_incidents(Warehouse(**settings.place, create=False))
    assert "3 of 4 parts could not be read" in told["title"]
    assert "patent_grants, papers_indexed: not asked: nbs is left alone since" in told["text"]


def test_after_three_failures_in_a_row_the_rest_is_not_asked(settings: Settings, hasty: dict[str, Any]) -> None:
    with pytest.raises(ServerFault, match="a page instead of data"):
        pipeline.refresh(settings, "oecd.sbrd", fault="html_200", note=_quiet)
    warehouse = Warehouse(**settings.place, create=False)
    [batch] = lineage.batches(warehouse, "oecd.sbrd")
    kinds = list(lineage.batch(warehouse, batch["batch"])["parts"].values())
    _, header = _batches(settings)["oecd.sbrd"]
    assert kinds == ["ServerFault"] * IN_A_ROW + ["ProviderPaused"] * header["not_asked"]
    assert header["not_asked"] == len(datasets.load("oecd.sbrd").parts) - IN_A_ROW > 1
    assert [sent["part"] is None for sent in header["sent"]].count(False) == header["retries"] + IN_A_ROW


def test_who_is_left_alone_stands_in_the_status(settings: Settings) -> None:
    Warehouse(**settings.place)
    with closing(Breaker(settings.quota_place, "nbs", "https://portal.test")) as breaker:
        breaker.admit()
        breaker.settle(Blocked("the wall", next_step="wait"))
    [row] = standing.status(settings)["left alone"]
    assert (row["provider"], row["address"], row["why"]) == ("nbs", "https://portal.test", "the wall")
    assert row["since"] < row["until"]


def test_a_run_has_its_time_and_says_what_it_did_not_ask(settings: Settings, hasty: dict[str, Any]) -> None:
    pipeline.refresh(settings, "oecd.sbrd", note=_quiet)
    hasty["run_limit"] = 1.5
    started = time.monotonic()
    with pytest.raises(Unreachable, match="not complete after"):
        pipeline.refresh(settings, "oecd.sbrd", fault="slow_drip", note=_quiet)
    assert time.monotonic() - started < 20 * hasty["run_limit"]
    _, header = _batches(settings)["oecd.sbrd"]
    first, *others = header["failed"].values()
    assert (first, set(others), header["not_asked"]) == ("Unreachable", {"OutOfTime"}, len(others))
    assert len(others) > 2
