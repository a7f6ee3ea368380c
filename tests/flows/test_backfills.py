"""A backfill that is killed, stopped or refused goes on where it was: no request whose answer is kept is asked a second time.

The process that dies is a real one (`python -m tests.flows.test_backfills`), and kills itself once the record of an answer is
durable. Does not belong here: the deployment in the Prefect UI (test_backfill).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyrate_limiter import Duration, Rate
from sqlalchemy import select

from connectors import contract
from connectors.contract import Ask, PartFetch
from connectors.datasets import Dataset
from connectors.errors import UnexpectedPayload
from connectors.http import quota
from connectors.nbs import connector as nbs_connector
from connectors.sandbox.server import serve
from flows import backfill_plan, backfills, cli
from flows.backfills import Progress
from flows.outcome import unsaid
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from tests.flows.small import serving, small
from tests.warehouse.quick import memory_folder
from warehouse import answered, incidents, line, lineage, rebuild
from warehouse.clock import to_text
from warehouse.ledger import batches, payloads
from warehouse.sameness import differences
from warehouse.schema import PartData, Payload, Scope
from warehouse.store import Warehouse

ROOT = Path(__file__).resolve().parents[2]


class Case(NamedTuple):
    """What is backfilled: a dataset, its parts, the question, after how many answers the process dies, how many chunks are done
    by then, and what is asked again all the same: publishers' stamps and the page that gives the cookies."""

    dataset: str
    parts: tuple[str, ...]
    ask: Ask
    dies_after: int
    chunks: int = 0
    anew: tuple[str, ...] = ()


CASES = {
    "oecd periods": Case("oecd.sbrd", ("G_PPP", "G_XGDP", "B_PPP"), Ask(scope=Scope(start="2010")), 3, anew=("CR_A_",)),
    "worldbank periods": Case(
        "worldbank.wdi", ("GB.XPD.RSDV.GD.ZS", "IP.PAT.RESD"), Ask(scope=Scope(start="2010", end="2015")), 2
    ),
    "worldbank vintages": Case(
        "worldbank.wdi", ("GB.XPD.RSDV.GD.ZS", "IP.PAT.RESD"), Ask(versions=("202109", "202507")), 5, chunks=1
    ),
    "nbs periods": Case("nbs.science_technology", (), Ask(scope=Scope(start="2015")), 5, anew=("page.html",)),
}


class Place(NamedTuple):
    """A home, and a sandbox that writes down what it is asked."""

    settings: Settings
    log: Path

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Path and body of every request so far."""
        entries = map(json.loads, self.log.read_text(encoding="utf-8").splitlines())
        return [(entry["path"], entry.get("body", "")) for entry in entries]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    log = tmp_path / "access.log"
    with memory_folder() as home, serve(access_log=log) as sandbox:
        yield Place(Settings(home=home, sandbox_url=f"http://127.0.0.1:{sandbox.port}"), log)


def _header(settings: Settings) -> dict[str, Any]:
    """Of the newest batch."""
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        newest = select(batches.c.header).order_by(batches.c.started_at.desc()).limit(1)
        found: dict[str, Any] = connection.execute(newest).scalar_one()
    return found


def _decisions(settings: Settings) -> list[Any]:
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        return list(connection.execute(select(batches.c.decision).order_by(batches.c.started_at)).scalars())


def die(home: Path, name: str, sandbox: str) -> None:
    """Backfill the case of that name and be killed in the middle."""
    case = CASES[name]
    kept, numbers = answered.record, count(1)

    def record(warehouse: Warehouse, batch: str, number: int, part: str | None, payload: Payload) -> None:
        kept(warehouse, batch, number, part, payload)
        if next(numbers) == case.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answered, "record", record)
        _serve(patch, case)
        backfills.run(Settings(home=home, sandbox_url=sandbox), case.dataset, case.ask, reason="history", note=unsaid)


def _serve(patch: pytest.MonkeyPatch, case: Case) -> None:
    serving(patch, small(case.dataset, case.parts or None))


def _killed(place: Place, name: str) -> None:
    command = [sys.executable, "-m", __name__, str(place.settings.home), name, str(place.settings.sandbox_url)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("name", CASES)
def test_a_killed_backfill_goes_on_and_repeats_no_request_whose_answer_is_kept(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case, settings = CASES[name], place.settings
    _serve(monkeypatch, case)
    _killed(place, name)
    assert len(place.asked) == case.dies_after
    assert _decisions(settings) == [*["published"] * case.chunks, None]
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        assert len(line.newest(connection)) == case.chunks * len(small(case.dataset, case.parts or None).parts)
    done = backfills.run(settings, case.dataset, case.ask, reason="history", note=unsaid)
    assert (done.error, done.left) == (None, ())
    assert all(outcome.edition is not None for outcome in done.outcomes[-1:])
    twice = [path for (path, _), times in Counter(place.asked).items() if times > 1]
    assert [path for path in twice if not any(again in path for again in case.anew)] == []
    assert _decisions(settings)[case.chunks] == "abandoned"
    assert len(_decisions(settings)) == case.chunks + 1 + len(done.outcomes)
    # The record of the dead batch and the answers taken over from it are part of the truth, too.
    rebuild.into_home(settings.storage, tmp_path / "again", settings.profile, ArchiveParsers())
    again = Warehouse(tmp_path / "again", settings.profile, create=False)
    assert list(differences(Warehouse(**settings.place, create=False), again)) == []


def _stopped(settings: Settings, case: Case) -> None:
    """A backfill to which Ctrl-C comes after some answers."""
    kept, numbers = answered.record, count(1)

    def record(*told: Any) -> None:
        kept(*told)
        if next(numbers) == case.dies_after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answered, "record", record)
        with pytest.raises(KeyboardInterrupt):
            backfills.run(settings, case.dataset, case.ask, reason="history", note=unsaid)


def test_a_stopped_backfill_says_so_alarms_nobody_and_frees_the_dataset(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, settings = CASES["oecd periods"], place.settings
    _serve(monkeypatch, case)
    _stopped(settings, case)
    warehouse = Warehouse(**settings.place, create=False)
    [batch] = lineage.batches(warehouse, case.dataset)
    assert batch["decision"] == "abandoned"
    assert "stopped (KeyboardInterrupt)" in batch["message"]
    assert [incidents.open_now(warehouse, case.dataset, kind) for kind in ("failure", "quarantine")] == [[], []]
    with warehouse.lease(case.dataset, wait=0.0):
        pass
    told: list[str] = []
    backfills.run(settings, case.dataset, case.ask, reason="history", note=told.append)
    assert _header(settings)["recalled"] == 2  # the third was the constraint, which is read anew


@pytest.mark.oecd
def test_when_the_publisher_s_stamp_has_moved_everything_is_asked_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES["oecd periods"]
    _serve(monkeypatch, case)
    then = place.settings.model_copy(update={"oecd_url": f"{place.settings.sandbox_url}/on/2024-03-20/oecd"})
    _stopped(then, case)
    done = backfills.run(place.settings, case.dataset, case.ask, reason="history", note=unsaid)
    assert done.error is None
    assert "recalled" not in _header(place.settings)
    assert _header(place.settings)["requests"] == done.outcomes[-1].requests > len(case.parts)


@pytest.mark.oecd
def test_an_answer_that_nobody_could_read_is_not_kept_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    case, settings = CASES["oecd periods"], place.settings
    _serve(monkeypatch, case)
    _stopped(settings, case)
    with Warehouse(**settings.place, create=False).engine.connect() as connection:
        query = select(payloads.c.part, payloads.c.fetched_at).where(payloads.c.part.is_not(None))
        part, fetched_at = connection.execute(query.order_by(payloads.c.number)).tuples().first() or ("", "")
    parse = contract.parse

    def parsed(dataset: Dataset, answer: PartFetch) -> PartData:
        """Nothing can be made of one answer that the stopped run was given."""
        if answer.part == part and fetched_at in [to_text(payload.fetched_at) for payload in answer.payloads]:
            raise UnexpectedPayload("it is cut off", next_step="run it again")
        return parse(dataset, answer)

    monkeypatch.setattr(contract, "parse", parsed)
    unread = [
        backfills.run(settings, case.dataset, case.ask, reason="history", note=unsaid).outcomes[-1].unread
        for _ in range(2)
    ]
    assert unread == [(part,), ()]


@pytest.mark.nbs
def test_a_kept_list_that_turns_out_to_be_outdated_is_asked_for_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, settings = CASES["nbs periods"], place.settings
    serving(monkeypatch, small(case.dataset, ("overview", "patent_grants")))
    _stopped(settings, case)
    monkeypatch.setattr(nbs_connector, "describes", lambda *_: False)
    done = backfills.run(settings, case.dataset, case.ask, reason="history", note=unsaid)
    assert (done.error, done.outcomes[-1].unread) == (None, ())
    lists = Counter(path for path, _ in place.asked if "queryIndicatorsByCid" in path)
    assert list(lists.values()) == [2, 2]


@pytest.mark.oecd
def test_a_quota_leaves_parts_and_the_same_backfill_goes_on_with_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, settings = CASES["oecd periods"], place.settings
    _serve(monkeypatch, case)
    structures = {"structure": [Rate(100, Duration.HOUR)]}
    monkeypatch.setattr(quota, "GENEROUS", {"data": [Rate(2, Duration.HOUR)], **structures})
    shown: list[Progress] = []
    stopped = backfills.run(settings, case.dataset, case.ask, reason="history", note=unsaid, report=shown.append)
    assert (stopped.waits, stopped.left) == (True, ("B_PPP",))
    assert incidents.open_now(Warehouse(**settings.place, create=False), case.dataset, "failure") == []
    assert re.search(
        r"oecd \(data\) is used up; it frees at .*1 left: B_PPP\. Next: run the same backfill", stopped.message
    )
    made = backfill_plan.plan(settings, [case.dataset], "2010")
    assert [row["part"] for row in made.requests if row["cost"] == "data"] == ["B_PPP"]
    assert re.search(r"answered already and would not be asked again", "".join(made.held))
    assert "about 2 runs, with 1 hour between two." in made.duration
    assert "of work, by the last batches" in made.duration
    monkeypatch.setattr(quota, "GENEROUS", {"data": [Rate(3, Duration.HOUR)], **structures})
    done = backfills.run(settings, case.dataset, case.ask, reason="history", note=unsaid)
    assert (done.error, done.left) == (None, ())
    assert [(one.chunk, one.chunks) for one in shown] == [(1, 1)] * len(shown)
    assert [one.answers for one in shown] == list(range(len(shown)))
    assert 0.5 < shown[-1].share < 1
    assert re.fullmatch(
        r"oecd\.sbrd: periods from 2010 to the newest \(1 of 1\), \d of about \d answers", shown[-1].text
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["oecd.sbrd", "--vintages", "202109"], "no span of days"),
        (["worldbank.wdi", "--vintages", "202109:202001"], "no span of months"),
        (["nbs.science_technology", "--vintages", "202109"], "nbs keeps no old vintages"),
        (["oecd.sbrd", "--from", "2012", "--to", "2010"], "2012"),
        (["nbs.yearbook_technology_imports"], "read from files"),
        (["oecd.nothing"], "unknown dataset 'oecd.nothing'"),
        (["oecd.sbrd", "--reason", " "], "needs a reason"),
    ],
)
def test_the_command_refuses_what_cannot_be_meant_before_anything_is_asked(
    place: Place, wrong: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(place.settings.home))
    monkeypatch.setenv("FIGUREKEEPER_SANDBOX_URL", str(place.settings.sandbox_url))
    monkeypatch.setattr(sys, "argv", ["figurekeeper", "backfill", "--reason", "history", *wrong])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 2, said
    assert told in said
    assert "Next: " in said
    assert place.asked == []


if __name__ == "__main__":
    die(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
