"""An unchanged refresh costs at most one request a part and leaves nothing but its record; when what is known counts no more."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from connectors.contract import Ask
from connectors.datasets import Dataset
from connectors.errors import ServerFault
from connectors.http.request import Request
from connectors.http.transport import Transport
from connectors.sandbox.server import Sandbox, serve
from connectors.stored import Loading
from expectations import gate
from flows import catalogue, cli, economy, pipeline, standing
from flows.outcome import Outcome
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from tests.flows.small import serving, small
from tests.warehouse.quick import memory_folder
from warehouse import clock, ledger, lineage, rebuild
from warehouse.clock import stated_stamp
from warehouse.schema import Basis, Decision
from warehouse.store import Warehouse

NBS = "nbs.science_technology"
#: What the record of a batch consists of; a reading that found nothing new belongs to it.
RECORD = {"batches", "decisions", "payloads", "readings", "stamps"}


@dataclass(frozen=True)
class Place:
    """A warehouse and the sandbox it asks, with the log of all that was asked."""

    settings: Settings
    sandbox: Sandbox
    log: Path

    def refresh(self, name: str, **how: Any) -> Outcome:
        """One refresh, without words."""
        return pipeline.refresh(self.settings, name, note=lambda _: None, **how)

    def asked(self) -> list[dict[str, Any]]:
        """Every request so far, as the sandbox logged it."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def warehouse(self) -> Warehouse:
        """The warehouse, opened."""
        return Warehouse(**self.settings.place, create=False)

    def change(self, name: str, **values: Any) -> None:
        """Change the newest batch of a dataset in the ledger."""
        columns, warehouse = ledger.batches.c, self.warehouse()
        newest = select(columns.batch_id).where(columns.dataset == name).order_by(columns.started_at.desc()).limit(1)
        with warehouse.engine.begin() as connection:
            chosen = connection.execute(newest).scalar_one()
            connection.execute(update(ledger.batches).where(columns.batch_id == chosen).values(values))


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Path]]:
    with memory_folder() as folder, serve(access_log=folder / "log") as sandbox:
        yield sandbox, folder / "log"


@pytest.fixture
def place(running: tuple[Sandbox, Path]) -> Iterator[Place]:
    with memory_folder() as folder:
        sandbox, log = running
        yield Place(Settings(home=folder, sandbox_url=f"http://127.0.0.1:{sandbox.port}"), sandbox, log)


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset of two parts whose publisher states when it changed, asked at times that differ by less than a second."""
    monkeypatch.setattr(Transport, "_fetched_at", lambda *_: clock.now())
    chosen = small("oecd.sbrd", ("G_PPP", "G_XGDP"))
    serving(monkeypatch, chosen)
    return chosen


def _files(settings: Settings) -> dict[str, int]:
    kept = (path for path in settings.root.rglob("*") if path.is_file())
    return {str(path.relative_to(settings.root)): path.stat().st_mtime_ns for path in kept}


def _rows(warehouse: Warehouse) -> dict[str, int]:
    with warehouse.engine.connect() as connection:
        tables = ledger.metadata.sorted_tables
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }


def test_an_unchanged_refresh_of_everything_costs_a_request_a_part_and_leaves_its_record_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = [small(name) for name, one in catalogue.enabled(place.settings).items() if one.reads == "api"]
    serving(monkeypatch, *everything)
    # Whether the first data pass is not the question here, and takes most of the time.
    monkeypatch.setattr(gate, "judge", lambda *_: gate.Judgement((), Decision.PUBLISHED))
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(place.settings.home))
    monkeypatch.setenv("FIGUREKEEPER_SANDBOX_URL", str(place.settings.sandbox_url))
    monkeypatch.setattr(sys, "argv", ["figurekeeper", "refresh", *(dataset.id for dataset in everything)])

    def refreshed() -> None:
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code, capsys.readouterr().err

    refreshed()
    files, rows, before = _files(place.settings), _rows(place.warehouse()), len(place.asked())
    capsys.readouterr()
    refreshed()
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[1].strip() for line in told] == ["unchanged"] * len(everything)
    spent = Counter(entry["path"].split("/")[1] for entry in place.asked()[before:])
    for dataset in everything:
        header = place.warehouse().engine.connect().execute(
            select(ledger.batches.c.header)
            .where(ledger.batches.c.dataset == dataset.id)
            .order_by(ledger.batches.c.started_at.desc())
        ).scalars().first()  # fmt: skip
        assert header is not None
        assert 1 <= header["requests"] <= len(dataset.parts), dataset.id
    assert spent.total() <= sum(len(dataset.parts) for dataset in everything)
    changed = {name for name, count in _rows(place.warehouse()).items() if count != rows[name]}
    assert changed <= RECORD
    after = _files(place.settings)
    written = {name for name in after if after[name] != files.get(name)}
    assert "indicators.duckdb" in files
    assert not {name for name in written if name.startswith(("tables/", "pages/", "payloads/", "indicators"))}


def test_an_unmoved_stamp_is_a_good_refresh_and_confirms_nothing(place: Place, pair: Dataset) -> None:
    first, again = place.refresh(pair.id), place.refresh(pair.id)
    assert (first.edition, again.edition, again.decision, again.parts) == (1, None, Decision.UNCHANGED, ())
    assert again.requests == 1
    assert again.message.startswith("unchanged: the publisher's stamp is still 2026-04-13T14:28:17Z")
    today = clock.now().date()
    assert f"everything was read on {today}, and is due again by {today + timedelta(days=7)}" in again.message
    [held] = lineage.datasets(place.warehouse())
    record = lineage.batch(place.warehouse(), again.batch_id)
    assert held["last_refresh"] == record["batch"]["finished_at"]
    with place.warehouse().engine.connect() as connection:
        readings = connection.execute(select(ledger.readings.c.batch_id)).scalars().all()
    assert set(readings) == {first.batch_id}
    with memory_folder() as folder:
        done = rebuild.into_home(place.warehouse().storage, folder, "sandbox", ArchiveParsers(cores=1))
    assert (done.batches, done.readings, done.editions) == (2, 2, 1)


def _older(place: Place, name: str) -> None:
    place.change(name, fetched_at=clock.to_text(clock.now() - timedelta(days=7, minutes=1)))


def _moved(place: Place, name: str) -> None:
    place.change(name, header={**_header(place, name), "probe": "2020-01-01T00:00:00Z"})


def _incomplete(place: Place, name: str) -> None:
    place.change(name, header={**_header(place, name), "failed": {"G_PPP": "ServerFault"}})


def _another_file(place: Place, name: str) -> None:
    place.change(name, dataset_file_sha256="another")


def _held_back(place: Place, name: str) -> None:
    assert place.refresh(name, fault="scaled_by_1000").decision is Decision.QUARANTINED


def _discarded(place: Place, name: str) -> None:
    held = place.refresh(name, fault="scaled_by_1000")
    assert held.decision is Decision.QUARANTINED
    place.refresh(name)
    pipeline.decide(place.settings, held.batch_id, "discard", reason="a fault", by="A. Person")


def _voided(place: Place, name: str) -> None:
    newest = next(row["batch"] for row in lineage.batches(place.warehouse(), name) if row["can"] == "void")
    pipeline.decide(place.settings, newest, "void", reason="a doubt", by="A. Person")


def _failed(place: Place, name: str) -> None:
    with pytest.raises(ServerFault):
        place.refresh(name, fault="502")


def _header(place: Place, name: str) -> dict[str, Any]:
    columns = ledger.batches.c
    query = select(columns.header).where(columns.dataset == name).order_by(columns.started_at.desc()).limit(1)
    with place.warehouse().engine.connect() as connection:
        return dict(connection.execute(query).scalar_one())


def _load(place: Place, name: str, factor: float) -> Outcome:
    """A file that somebody kept, in which a year of one part of the last answer is another, taken to be of today."""
    warehouse = place.warehouse()
    query = select(ledger.payloads.c.sha256).where(ledger.payloads.c.part == "G_XGDP").limit(1)
    with warehouse.engine.connect() as connection:
        content = warehouse.payloads.read(connection.execute(query).scalar_one())
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    for row in rows:
        if row["TIME_PERIOD"] == "2017":
            row["OBS_VALUE"] = str(float(row["OBS_VALUE"]) * factor)
    kept = place.settings.home / "kept.csv"
    with kept.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    stamp = stated_stamp(f"{clock.now():%Y-%m-%d}", "Europe/Paris", Basis.CARRIED)
    [outcome] = pipeline.load(
        place.settings, name, [kept], Loading(stamp, complete=True), reason="kept", note=lambda _: None
    )
    return outcome


def _loaded(place: Place, name: str) -> None:
    assert _load(place, name, 1.01).edition == 2


@pytest.mark.parametrize(
    "meanwhile", [_older, _moved, _incomplete, _another_file, _held_back, _discarded, _voided, _failed, _loaded]
)
def test_everything_is_read_again_after(
    place: Place, pair: Dataset, meanwhile: Callable[[Place, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.asking.patience", lambda *_: {"sleep": lambda _: None})
    first = place.refresh(pair.id)
    assert (first.unread, first.decision) == ((), Decision.PUBLISHED)
    meanwhile(place, pair.id)
    again = place.refresh(pair.id)
    assert len(again.parts) == len(pair.parts)
    assert bool(place.refresh(pair.id).parts) is (again.decision is Decision.QUARANTINED)


def test_a_load_that_is_held_back_waits_for_a_person_whatever_is_refreshed(place: Place, pair: Dataset) -> None:
    place.refresh(pair.id)
    held = _load(place, pair.id, 1000)
    assert held.decision is Decision.QUARANTINED
    assert len(place.refresh(pair.id).parts) == 2  # all of it is read, and is good
    said = standing.status(place.settings)
    assert [row["batch"] for row in said["held back"]] == [held.batch_id]
    assert f"batch {held.batch_id} is held back" in said["verdict"]["needs a person"]
    assert [row["kind"] for row in lineage.open_incidents(place.warehouse())] == ["quarantine"]
    pipeline.decide(place.settings, held.batch_id, "discard", reason="a slip", by="A. Person")
    assert standing.status(place.settings)["held back"] == lineage.open_incidents(place.warehouse()) == []


def test_everything_is_read_for_a_past_day_a_fault_or_a_person_who_wants_it(place: Place, pair: Dataset) -> None:
    place.refresh(pair.id)
    for how in ({"on": date(2026, 11, 1)}, {"fault": "bom"}, {"full": True}):
        assert len(place.refresh(pair.id, **how).parts) == len(pair.parts)


def test_the_lists_of_indicators_are_used_again_and_a_replay_finds_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = small(NBS, ("overview", "patent_grants"))
    serving(monkeypatch, chosen)
    first = place.refresh(NBS)
    before = len(place.asked())
    again = place.refresh(NBS)
    assert [entry["method"] for entry in place.asked()[before:]] == ["POST", "POST"]
    assert (first.requests, again.requests, again.decision) == (1 + 2 * 2 + _structures(place), 2, Decision.UNCHANGED)
    columns = ledger.payloads.c
    query = select(columns.batch_id, columns.part, columns.url, columns.fetched_at).where(
        columns.url.contains("queryIndicatorsByCid"), columns.part.is_not(None)
    )
    with place.warehouse().engine.connect() as connection:
        rows = connection.execute(query).all()
    lists = {batch: {row[1:] for row in rows if row[0] == batch} for batch in (first.batch_id, again.batch_id)}
    assert lists[first.batch_id] == lists[again.batch_id]
    assert len(lists[again.batch_id]) == 2
    with memory_folder() as folder:
        done = rebuild.into_home(place.warehouse().storage, folder, "sandbox", ArchiveParsers(cores=1))
    assert (done.batches, done.readings) == (2, 4)
    assert len(place.refresh(NBS, full=True).parts) == 2
    assert any("page.html" in entry["path"] for entry in place.asked()[before + 2 :])


def _structures(place: Place) -> int:
    """How many requests about the structure a first refresh of the NBS dataset sends."""
    return sum("queryIndexTreeAsync" in entry["url"] for entry in _header_of_first(place)["sent"])


def _header_of_first(place: Place) -> dict[str, Any]:
    columns = ledger.batches.c
    with place.warehouse().engine.connect() as connection:
        return dict(connection.execute(select(columns.header).order_by(columns.started_at).limit(1)).scalar_one())


@pytest.mark.parametrize(("profile", "knows"), [("sandbox", True), ("live", False)])
def test_what_another_server_said_counts_in_the_sandbox_alone(
    place: Place, pair: Dataset, monkeypatch: pytest.MonkeyPatch, profile: str, knows: bool
) -> None:
    place.refresh(pair.id)
    warehouse = place.warehouse()
    monkeypatch.setattr(warehouse, "profile", profile)
    facts = pipeline.facts_of(pair)
    assert (economy.sparing(warehouse, facts, pair, Ask(), "http://other.test/oecd").known is not None) is knows
    assert economy.sparing(warehouse, facts, pair, Ask(), place.sandbox.url("oecd")).known is not None
    path = _header(place, pair.id)["sent"][0]["url"].removeprefix(place.sandbox.url("oecd"))
    for address, found in (("http://other.test/oecd", knows), (place.sandbox.url("oecd"), True)):
        kept = economy.sparing(warehouse, facts, pair, Ask(), address).recall(Request(None, "GET", path))
        assert (kept is not None) is found
