"""docs/faults.md is true: every way in which the sandbox misbehaves, through a whole refresh, ends as its row says.

A refresh here is that of a dataset of two parts and four economies, after a good one; backing off costs no time.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from connectors import datasets
from connectors.datasets import Dataset
from connectors.sandbox.faults import FAULTS
from connectors.sandbox.server import Sandbox, serve
from flows import asking, catalogue, pipeline, structure_step
from flows.settings import Settings
from tests.warehouse.quick import memory_folder
from warehouse import ledger, line, questions
from warehouse.errors import FigurekeeperError
from warehouse.store import Warehouse

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
COLUMNS = (
    "fault",
    "provider",
    "what the provider does",
    "ends in",
    "and says",
    "requests",
    "left out",
    "batch",
    "stays",
)
SMALL = {
    "oecd": ("oecd.sbrd", ("G_PPP", "G_XGDP")),
    "worldbank": ("worldbank.wdi", ("GB.XPD.RSDV.GD.ZS", "SP.POP.TOTL")),
    "nbs": ("nbs.science_technology", ("overview", "patent_grants")),
}
#: A dataset whose key has an AGENT_ROLE, and whose file names a version.
WITH_ROLE = ("oecd.patents", ("PCT_APPLICANT", "PCT_INVENTOR"))
#: What the column `provider` says of a row about a dataset whose file names a version.
PINNED = " (version named)"
ECONOMIES = ("CHN", "JPN", "KOR", "USA")
#: Faults that need an answer of several pages.
PAGED = ("shrinking_total", "shifted_page")
#: What else the column `stays` may say: the kind of incident that is open afterwards.
INCIDENTS = {"an incident": "failure", "a person decides": "quarantine"}
SERVING = re.compile("[Tt]he last good data (of these parts )?keep serving")
Visible = tuple[int, list[str], list[dict[str, Any]]]
Counted = dict[str, dict[str, int]]
#: Seconds for one answer, where that is what is tried.
DEADLINE = 0.3


class Case(NamedTuple):
    """One row of the table."""

    fault: str
    provider: str
    does: str
    error: str
    says: str
    requests: str
    left_out: str
    batch: str
    stays: str


def _cases() -> list[Case]:
    """The table's rows, one for each provider that a row is of."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [Case(*(cell.strip().strip("`") for cell in line.strip("|").split(" | "))) for line in lines]
    assert rows[0] == COLUMNS
    every = {"all": ", ".join(SMALL)}
    return [
        row._replace(provider=provider)
        for row in rows[2:]
        for provider in every.get(row.provider, row.provider).split(", ")
    ]


CASES = _cases()


@dataclass(frozen=True)
class Place:
    """A warehouse with a good edition of the small datasets, and a copy of its folder to begin every case from."""

    settings: Settings
    pristine: Path
    usual: dict[str, Counted]  # what a good refresh leaves out, by dataset
    visible: Visible

    def reset(self) -> Warehouse:
        """Put the folder back as it was after the good refreshes."""
        shutil.rmtree(self.settings.root)
        shutil.copytree(self.pristine, self.settings.root)
        return Warehouse(**self.settings.place, create=False)


def _small(name: str, parts: tuple[str, ...], economies: tuple[str, ...] | None = ECONOMIES) -> Dataset:
    """The dataset file with some of its parts and economies (None: all), and what it expects of them."""
    whole = datasets.load(name)
    few = {"min_observations": None}
    kept = [whole.part(part) for part in parts]
    kept = [part.model_copy(update={"ratio": None, "checks": part.checks.model_copy(update=few)}) for part in kept]
    if whole.provider == "nbs" or economies is None:
        return whole.model_copy(update={"parts": tuple(kept)})
    checks = whole.checks.model_copy(update={**few, "entities_required": economies})
    return whole.model_copy(update={"parts": tuple(kept), "entities": economies, "checks": checks})


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Iterator[Place]:
    small = {name: _small(name, parts) for name, parts in (*SMALL.values(), WITH_ROLE)}
    with memory_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "load_enabled", lambda _, name: small[name])
        settings = Settings(home=folder / "home", sandbox_url=f"http://127.0.0.1:{sandbox.port}")
        usual = {}
        for name in small:
            pipeline.refresh(settings, name, note=_quiet)
            _, header = _newest(settings)
            usual[name] = header["skipped"]
        shutil.copytree(settings.root, folder / "pristine")
        visible = _visible(Warehouse(**settings.place, create=False))
        yield Place(settings, folder / "pristine", usual, visible)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How patient the transport is, to be changed by a test."""
    patience: dict[str, Any] = {"sleep": lambda _: None, "deadline": 10.0, "run_limit": 60.0}
    monkeypatch.setattr(asking, "patience", lambda provider, profile: patience)
    return patience


def _quiet(_: str) -> None:
    return None


def _refreshed(settings: Settings, name: str, fault: str) -> tuple[str, str]:
    """The class of the error a refresh ends in (— for none), and its words or the outcome's."""
    try:
        return "—", pipeline.refresh(settings, name, fault=fault, note=_quiet).message
    except FigurekeeperError as error:
        failure = error
    assert failure.dataset == name
    assert re.search(r"\. Next: \S.{10}", str(failure))
    return type(failure).__name__, str(failure)


def _visible(warehouse: Warehouse) -> Visible:
    """What readers see: the edition, its vintages, and all values."""
    with warehouse.engine.connect() as connection:
        edition = line.newest_edition(connection)
        vintages = sorted(row["vintage_id"] for row in line.visible(connection))
        series = [
            f"{row['dataset']}:{row['series_key']}"
            for row in connection.execute(select(ledger.series_index)).mappings()
        ]
    return edition, vintages, questions.values(warehouse, series)


def _newest(settings: Settings) -> tuple[str, dict[str, Any]]:
    """Decision and header of the newest batch."""
    columns = ledger.batches.c
    newest = select(columns.decision, columns.header).order_by(columns.started_at.desc()).limit(1)
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        decision, header = connection.execute(newest).one()
    return decision, header


def _incidents(warehouse: Warehouse) -> dict[str, str]:
    """The texts of the open incidents, by kind."""
    query = select(ledger.incidents).where(ledger.incidents.c.closed_at.is_(None))
    with warehouse.engine.connect() as connection:
        return {row["kind"]: row["text"] for row in connection.execute(query).mappings()}


def _requests(header: dict[str, Any]) -> str:
    return f"{header['requests']}, {header['retries']} of them again" if header["retries"] else str(header["requests"])


def _left_out(header: dict[str, Any], usual: Counted) -> str:
    """What the record counts: parts that failed, those not asked, and reasons that count more than in a good refresh."""
    failed = len(header.get("failed", ()))
    told = [f"{failed} part{'s' * (failed > 1)}"] if failed else []
    told += [f"{header['not_asked']} of them not asked"] if header.get("not_asked") else []
    more = {
        reason
        for part, counted in header.get("skipped", {}).items()
        for reason, count in counted.items()
        if count > usual.get(part, {}).get(reason, 0)
    }
    return "; ".join([*told, *sorted(more)]) or "—"


def test_every_fault_stands_in_the_table_once_for_each_of_its_providers() -> None:
    named = sorted((case.fault, case.provider) for case in CASES if not case.provider.endswith(PINNED))
    assert named == sorted((fault.name, provider) for fault in FAULTS.values() for provider in fault.providers)
    assert {case.does for case in CASES if case.does != FAULTS[case.fault].does} == set()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(one, marks=getattr(pytest.mark, one.provider.split()[0]), id=f"{one.fault}-{one.provider}")
        for one in CASES
    ],
)
def test_a_refresh_ends_as_the_table_says(
    place: Place, hasty: dict[str, Any], monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    with_role = case.fault == "changed_role" or case.provider.endswith(PINNED)
    name, parts = WITH_ROLE if with_role else SMALL[case.provider]
    warehouse = place.reset()
    if case.fault == "slow_drip":
        hasty["deadline"] = DEADLINE
    if case.fault in PAGED:
        monkeypatch.setattr(catalogue, "load_enabled", lambda *_: _small(name, parts, None))
    if case.fault == "renamed_code":  # a structure whose publisher has no stamp is read again when it is old
        monkeypatch.setattr(structure_step, "MAX_AGE", timedelta(0))
    started = time.monotonic()
    ended, said = _refreshed(place.settings, name, case.fault)
    seconds = time.monotonic() - started
    decision, header = _newest(place.settings)
    left_out = _left_out(header, place.usual[name])
    assert case._replace(error=ended, requests=_requests(header), left_out=left_out, batch=decision) == case
    assert [words for words in case.says.split(" … ") if words not in said] == []
    assert seconds < (10 * DEADLINE * header["requests"] if case.fault == "slow_drip" else hasty["run_limit"])
    stays, *told = case.stays.split("; ")
    published = {"everything": False, "a new edition": True}[stays]
    edition, *held = _visible(warehouse)
    before, *held_before = place.visible
    assert edition == before + published
    assert (held == held_before) is not published
    incidents = _incidents(warehouse)
    assert sorted(incidents) == sorted(INCIDENTS[word] for word in told)
    assert [text for text in incidents.values() if "Next: " not in text or not SERVING.search(text)] == []
