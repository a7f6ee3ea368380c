"""The command line against the sandbox, without Prefect: what an operator types, sees, and gets as exit status."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors import datasets as files
from flows import cli
from tests.flows import sinks

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

PATENTS = "oecd.pct_cooperation"
SHARE = f"{PATENTS}:9P50_1.A.AP.PT_PATN.PRIORITY.CHN.WXD._Z.CO._Z._Z"
GDP_SHARE = "worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS"


class Ran(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its output as JSON rows."""
        found: list[dict[str, Any]] = json.loads(self.out)
        return found


Run = Callable[..., Ran]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))
    for name in ("PROFILE", "SANDBOX_URL", "OECD_URL", "WORLDBANK_URL", "NBS_URL", "WEBHOOK_URL"):
        monkeypatch.delenv(f"FIGUREKEEPER_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / "sandbox"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return Ran(int(end.value.code or 0), out, err)

    return command


def share(run: Run) -> float:
    [row] = run("values", SHARE, "--period", "2018", "--format", "json").rows
    return float(row["value"])


def newest_batch(run: Run, dataset: str = PATENTS) -> str:
    return str(run("batches", dataset, "--limit", "1", "--format", "json").rows[0]["batch"])


@pytest.mark.oecd
def test_a_quarantine_keeps_the_values_and_ends_with_the_next_good_refresh(run: Run, home: Path) -> None:
    assert run("refresh", PATENTS).code == 0
    before = share(run)
    held = run("refresh", PATENTS, "--fault", "vanished_country")
    assert held.code == 3
    assert "series-vanished" in held.out
    assert share(run) == before
    assert run("refresh", PATENTS, "--fault", "vanished_country").code == 3
    inbox = home / "inbox"
    assert [path.name for path in inbox.iterdir()] == [f"000001-opened-{PATENTS}.md"]
    letter = (inbox / f"000001-opened-{PATENTS}.md").read_text()
    assert "SANDBOX" in letter
    assert "figurekeeper release" in letter
    assert run("refresh", PATENTS).code == 0
    assert sorted(path.name for path in inbox.iterdir()) == [f"000001-{t}-{PATENTS}.md" for t in ("closed", "opened")]


@pytest.mark.oecd
def test_release_publishes_and_discard_does_not(run: Run, home: Path) -> None:
    run("refresh", PATENTS)
    run("refresh", PATENTS, "--fault", "scaled_by_1000")
    scaled = newest_batch(run)
    count = SHARE.replace("PT_PATN", "PATN")
    [before] = run("values", count, "--period", "2018", "--format", "json").rows
    refused = run("release", scaled)
    assert (refused.code, "reason and a name" in refused.err) == (2, True)
    assert run("release", scaled, "--reason", "a test", "--by", "Ada").code == 0
    [after] = run("values", count, "--period", "2018", "--format", "json").rows
    assert after["value"] == pytest.approx(1000 * before["value"])
    assert run("void", scaled, "--reason", "a test", "--by", "Ada").code == 0
    [voided] = run("values", count, "--period", "2018", "--format", "json").rows
    assert voided["value"] == before["value"]
    run("refresh", PATENTS, "--fault", "vanished_country")
    vanished = newest_batch(run)
    assert run("discard", vanished, "--reason", "a test", "--by", "Ada").code == 0
    assert run("release", vanished, "--reason", "a test", "--by", "Ada").code == 1
    decisions = [row["decision"] for row in run("batches", PATENTS, "--format", "json").rows]
    assert decisions == ["discarded", "voided", "published"]


@pytest.mark.worldbank
def test_lineage_ends_at_the_bytes(run: Run, home: Path) -> None:
    run("refresh", "worldbank.wdi", "--on", "2021-09-15")
    found = json.loads(run("lineage", GDP_SHARE, "2017", "--format", "json").out)
    payload = found["payloads"][-1]
    assert "/indicator/GB.XPD.RSDV.GD.ZS" in payload["url"]
    assert found["checks"]["passed"] > 10
    shown = subprocess.run(
        [sys.executable, "-m", "flows.cli", "payload", payload["sha256"]], cwd=ROOT, capture_output=True, check=True
    )
    header, rows = json.loads(shown.stdout)
    assert header["lastupdated"] == "2021-09-15"
    assert 4.55324 in [row["value"] for row in rows if row["countryiso3code"] == "KOR" and row["date"] == "2017"]
    human = run("lineage", GDP_SHARE, "2017")
    assert found["batch"]["batch_id"] in human.out


@pytest.mark.worldbank
def test_a_backfill_of_the_archive_takes_its_place_before_what_is_held(run: Run, home: Path) -> None:
    from connectors.contract import Ask
    from flows import backfills, settings

    run("refresh", "worldbank.wdi")
    ask = Ask(parts=("GB.XPD.RSDV.GD.ZS",), versions=("202507", "202109", "202112"))
    outcomes = backfills.run(settings.load(), "worldbank.wdi", ask, reason="a test", note=lambda _: None).outcomes
    assert [outcome.vintages for outcome in outcomes] == [1, 0, 1]
    assert "no data for any part" in outcomes[1].message
    assert json.loads(run("status", "--format", "json").out)["incidents"] == []
    rows = run("vintages", GDP_SHARE, "--period", "2017", "--format", "json").rows
    assert [(row["basis"], row["known_from"][:10], round(row["value"], 3)) for row in rows] == [
        ("archive", "2021-10-01", 4.553),
        ("archive", "2025-08-01", 4.292),
        ("publisher", "2026-07-14", 4.073),
    ]
    [then] = run("values", GDP_SHARE, "--period", "2017", "--as-of", "2021-12-31", "--format", "json").rows
    assert (round(then["value"], 3), then["basis"], then["precision"]) == (4.553, "archive", "month")


@pytest.mark.oecd
def test_two_refreshes_at_once_of_different_datasets_both_publish_and_of_one_dataset_one_waits(home: Path) -> None:
    def start(dataset: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "flows.cli", "refresh", dataset]
        return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    runs = [start(name) for name in (PATENTS, PATENTS, "nbs.fdi_by_country")]
    said = [process.communicate(timeout=240) for process in runs]
    assert [process.returncode for process in runs] == [0, 0, 0], said
    told = [out for out, _ in said]
    assert sum("edition" in line for line in told[:2]) == 1
    assert sum("unchanged" in line for line in told[:2]) == 1
    assert "edition" in told[2]
    assert sum("holds the lease" in err for _, err in said[:2]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("refresh", "oecd.nothing"), 2, "oecd.sbrd"),
        (("refresh", PATENTS, "--fault", "earthquake"), 2, "scaled_by_1000"),
        (("refresh", PATENTS, "--fault", "shifted_page"), 2, "the sandbox's oecd knows no fault 'shifted_page'"),
        (("refresh", PATENTS, "--on", "31.12.2021"), 2, "write it as 2021-12-31"),
        (("values", SHARE), 2, "there is no warehouse"),
        (("plan", PATENTS, "--vintages", "2021"), 2, "2024-03-13:2024-03-15"),
        (("plan", "worldbank.wdi", "--vintages", "2021"), 2, "202109:202112"),
        (("plan", PATENTS, "--from", "20"), 2, "is not a period"),
        (("plan", PATENTS, "--from", "2999"), 2, "let it begin in 20"),
        (("plan", PATENTS, "--from", "2010-Q1"), 2, "'2010-Q1' is no period of yearly figures"),
        (("plan", "nbs.fdi_by_country", "--vintages", "202109"), 2, "keeps no old vintages"),
    ],
)
def test_wrong_use_is_a_clear_line_and_status_2(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = run(*arguments)
    assert ended.code == code
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert "Next: " in ended.err


def test_a_home_that_cannot_be_made_is_said_to_be(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "file" / "home"))
    ended = run("refresh", PATENTS)
    assert ended.code == 1
    assert "cannot be made" in ended.err
    assert "Next: name a folder that can be written" in ended.err
    assert ended.err.count("\n") == 1


def test_a_malformed_dataset_file_tells_all_its_mistakes(
    tmp_path: Path,
) -> None:
    source = files.FOLDER / "oecd.pct_cooperation.yaml"
    broken = source.read_text().replace("frequency: A", "frequency: W").replace("kind: share", "kind: heap")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / source.name).write_text(broken.replace("owner:", "ownr:"))
    with pytest.raises(files.DatasetFileError) as caught:
        files.load_file(tmp_path / "files" / source.name)
    text = str(caught.value)
    for word in ("frequency", "kind", "ownr", "owner"):
        assert word in text
    assert text.count(".yaml:") == 4


@pytest.mark.worldbank
def test_an_unreachable_provider_is_a_failed_batch_and_one_incident(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_WORLDBANK_URL", "http://127.0.0.1:9/v2")
    for _ in range(2):
        ended = run("refresh", "worldbank.wdi")
        assert ended.code == 1
        assert "Next: check the network" in ended.err
    assert [path.name for path in (home / "inbox").iterdir()] == ["000001-opened-worldbank.wdi.md"]
    [row, _] = run("batches", "worldbank.wdi", "--format", "json").rows
    assert (row["decision"], row["edition"]) == ("failed", None)
    status = json.loads(run("status", "--format", "json").out)
    assert status["verdict"]["all right"] is False
    assert status["incidents"][0]["occurrences"] == 2


def test_another_profile_is_refused(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("refresh", "nbs.fdi_by_country")
    home.rename(home.parent / "live")
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "live")
    ended = run("status")
    assert ended.code == 1
    assert "stamped 'sandbox', not 'live'" in ended.err
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "production")
    assert "FIGUREKEEPER_PROFILE" in run("status").err


def test_a_webhook_gets_each_notice_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with sinks.web() as hook:
        monkeypatch.setenv("FIGUREKEEPER_WEBHOOK_URL", hook.address)
        run("refresh", "nbs.fdi_by_country", "--fault", "403")
        run("refresh", "nbs.fdi_by_country", "--fault", "403")
        run("refresh", "nbs.fdi_by_country")
    assert [(notice["transition"], notice["dataset"]) for notice in hook.taken] == [
        ("opened", "nbs.fdi_by_country"),
        ("closed", "nbs.fdi_by_country"),
    ]
    shown = run("status").out + run("alerts").out
    assert hook.address not in shown
    assert "webhook" in shown


def test_a_sandbox_on_a_taken_port_is_wrong_use(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("sandbox", "--port", str(taken.getsockname()[1]))
    assert ended.code == 2
    assert "choose another port" in ended.err


def test_doctor_finds_a_flipped_byte(run: Run, home: Path) -> None:
    run("refresh", "nbs.fdi_by_country")
    assert run("doctor").code == 0
    payload = next((home / "payloads").glob("*/*.gz"))
    payload.write_bytes(payload.read_bytes()[:-9] + b"123456789")
    ended = run("doctor")
    assert ended.code == 1
    assert payload.stem[:12] in ended.out.replace("\n", "")
