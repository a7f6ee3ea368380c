"""Old vintages: of the World Bank's archive by month, of the OECD by day where the server grants them; and in several runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrate_limiter import Duration, Rate
from sqlalchemy import select

from connectors.contract import Ask
from connectors.datasets import Dataset
from connectors.errors import NotGranted, QuotaExhausted
from connectors.http import quota
from connectors.sandbox.server import Sandbox, serve
from flows import backfills, pipeline
from flows.settings import Settings
from tests.flows.small import serving, small
from tests.warehouse.quick import memory_folder
from warehouse import ledger, questions
from warehouse.store import Warehouse

DAYS = ("2024-03-13", "2024-04-05", "2024-07-23")
MONTHS = ("202109", "202110", "202507", "202602")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture
def home() -> Iterator[Path]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    chosen = small("oecd.sbrd", ("G_PPP", "G_XGDP"))
    serving(monkeypatch, chosen)
    return chosen


@pytest.fixture
def development(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    chosen = small("worldbank.wdi", ("GB.XPD.RSDV.GD.ZS", "IP.PAT.RESD"))
    serving(monkeypatch, chosen)
    return chosen


def _granting(sandbox: Sandbox, home: Path) -> Settings:
    """Settings by which the OECD is a server that goes back in time."""
    return Settings(home=home, oecd_url=sandbox.url("oecd", fault="grants_as_of"))


def _said(_: str) -> None:
    return None


def _sent(settings: Settings) -> list[list[str]]:
    """Of each batch the last words of the addresses that were asked."""
    columns = ledger.batches.c
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        headers = connection.execute(select(columns.header).order_by(columns.started_at)).scalars().all()
    return [[sent["url"].split("/")[-1] for sent in header["sent"]] for header in headers]


@pytest.mark.oecd
def test_a_server_that_goes_back_in_time_gives_the_vintages_of_days(
    sandbox: Sandbox, home: Path, pair: Dataset
) -> None:
    settings = _granting(sandbox, home)
    ask = Ask(versions=("2024-01-01", *DAYS))
    outcomes = backfills.run(settings, pair.id, ask, reason="history", note=_said).outcomes
    assert [outcome.vintages for outcome in outcomes] == [0, 2, 2, 2]
    assert "no data for any part" in outcomes[0].message
    warehouse = Warehouse(**settings.place, create=False)
    held = questions.vintages(warehouse, "oecd.sbrd:CHN.G_PPP", period="2018")
    assert sorted((row["known_from"][:10], row["precision"], row["basis"], row["value"]) for row in held) == [
        ("2024-03-13", "day", "archive", 465287.4914),
        ("2024-04-05", "day", "archive", 465355.8728),
        ("2024-07-23", "day", "archive", 480642.3269),
    ]
    first, *others = _sent(settings)
    assert [address.count("asOf=1990-01-01") for address in first] == [0, 1, 0, 0]
    assert [len(addresses) for addresses in others] == [2, 2, 2]  # what was found out once is remembered


@pytest.mark.oecd
def test_a_server_that_ignores_as_of_is_found_out(sandbox: Sandbox, home: Path, pair: Dataset) -> None:
    settings = Settings(home=home, oecd_url=sandbox.url("oecd"))
    done = backfills.run(settings, pair.id, Ask(versions=DAYS[:1]), reason="history", note=_said)
    assert isinstance(done.error, NotGranted)
    assert re.search(
        r"does not grant old vintages.*answers with the present.*1 left: 2024-03-13.*Next: load", done.message
    )
    assert not done.waits
    [addresses] = _sent(settings)
    assert len(addresses) == 2
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        assert connection.execute(select(ledger.vintages)).all() == []


@pytest.mark.worldbank
def test_a_backfill_names_versions_that_are_not_listed_and_asks_for_lists_once(
    sandbox: Sandbox, home: Path, development: Dataset
) -> None:
    settings = Settings(home=home, worldbank_url=sandbox.url("worldbank"))
    outcomes = backfills.run(settings, development.id, Ask(versions=MONTHS), reason="history", note=_said).outcomes
    assert [outcome.requests for outcome in outcomes] == [4, 0, 2, 2]
    assert "no data for any part: the archive has no version 202110; its newest is 202607" in outcomes[1].message
    assert [outcome.vintages > 0 for outcome in outcomes] == [True, False, True, True]


@pytest.mark.worldbank
def test_a_backfill_that_uses_the_quota_up_says_what_is_left_and_goes_on_there(
    sandbox: Sandbox, home: Path, development: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=home, worldbank_url=sandbox.url("worldbank"))
    ask = Ask(versions=MONTHS)
    monkeypatch.setattr(quota, "GENEROUS", {"data": [Rate(3, Duration.HOUR)]})
    stopped = backfills.run(settings, development.id, ask, reason="history", note=_said)
    assert isinstance(stopped.error, QuotaExhausted)
    assert stopped.waits
    assert re.search(r"4 left: 202109, 202110, 202507, 202602\. Next: run the same backfill", stopped.message)
    monkeypatch.setattr(quota, "GENEROUS", {"data": [Rate(3 + 3, Duration.HOUR)]})
    assert backfills.run(settings, development.id, ask, reason="history", note=_said).left == ("202602",)
    before = len(_sent(settings))
    monkeypatch.setattr(quota, "GENEROUS", {"data": [Rate(100, Duration.HOUR)]})
    told: list[str] = []
    [last] = backfills.run(settings, development.id, ask, reason="history", note=told.append).outcomes
    assert told[0] == "worldbank.wdi: 3 vintages were read in the last days and are left out"
    assert len(_sent(settings)) == before + 1
    assert last.requests == 2
    assert last.vintages > 0
    again = backfills.run(settings, development.id, ask, reason="history", note=_said)
    assert (again.outcomes, again.message) == ((), "")


@pytest.mark.nbs
def test_a_refresh_that_uses_the_quota_up_keeps_what_it_read_and_the_next_ones_get_further(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = small("nbs.science_technology")
    serving(monkeypatch, chosen)
    settings = Settings(home=home, nbs_url=sandbox.url("nbs"))
    monkeypatch.setattr(quota, "GENEROUS", {"data": [Rate(6, Duration.HOUR)]})
    unread = []
    for _ in range(3):
        outcome = pipeline.refresh(settings, chosen.id, note=_said)
        unread.append(len(outcome.unread))
        (settings.root / "quota.sqlite").unlink()  # an hour passes
    assert len(chosen.parts) == 4
    assert unread == [2, 1, 0]
    assert outcome.exhausted is None
    everything = {row["part"] for row in questions.series(Warehouse(**settings.place, create=False))}
    assert everything == {part.id for part in chosen.parts}
