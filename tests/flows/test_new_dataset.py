"""A new user's first dataset: docs/new-dataset.md followed to the letter, with the files and commands it shows."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from flows import catalogue, cli, deployments, settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "new-dataset.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
DATASET = "oecd.population"
pytestmark = pytest.mark.oecd


class Ran(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    code: int
    out: str
    err: str


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCKS if found == kind]


COMMANDS = [shlex.split(line)[1:] for text in blocks("sh") for line in text.splitlines() if line.startswith("figurek")]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the page fills it, the settings as it says, and nothing else there yet."""
    for name in ("PROFILE", "SANDBOX_URL", "OECD_URL", "WEBHOOK_URL"):
        monkeypatch.delenv(f"FIGUREKEEPER_{name}", raising=False)
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(*re.findall(r"^export (\w+)=(\w+)$", PAGE, flags=re.MULTILINE)[0])
    monkeypatch.chdir(tmp_path)
    for kind, name in (("yaml", r"`(mine/[\w.]+\.yaml)`"), ("csv", r"`(mine/\S+\.csv)`")):
        [text], [path] = blocks(kind), set(re.findall(name, PAGE))
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    return tmp_path / "mine"


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Ran:
    monkeypatch.setattr(sys, "argv", ["figurekeeper", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    return Ran(int(end.value.code or 0), out, err)


def test_the_page_can_be_followed(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, str] = {}
    for arguments in COMMANDS:
        ran = run(capsys, monkeypatch, *arguments)
        assert ran.code == 0, ran.err
        told[arguments[0]] = ran.out
    assert list(told) == ["doctor", "refresh", "values", "lineage"]
    assert "as the file says" in told["doctor"]
    assert "published: 1 of 1 parts changed (8 added)" in told["refresh"]
    published = re.findall(r",(JPN),.*,H,(\d{4}),(\d+),", blocks("csv")[0])
    assert len(published) == 4
    for _, period, value in published:
        assert re.search(rf"{period} +{value} +persons", told["values"])
    for word in (
        "123801750",
        "2025-10-01",
        "data/OECD.ELS.SAE,DSD_POPULATION@DF_POP_HIST,1.0/JPN+KOR.POP",
        "CC-BY-4.0",
    ):
        assert word in told["lineage"]
    assert catalogue.load(settings.load(), DATASET).sha256 in told["lineage"]
    assert DATASET in deployments.names(deployments.prefect_file(settings.load()))


def test_nobody_is_asked_before_a_first_contact(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run(capsys, monkeypatch, "refresh", DATASET)
    assert refused.code == 1
    assert f"Next: run `figurekeeper doctor --live {DATASET}`" in refused.err
    assert not (mine.parent / "home").exists()
    assert DATASET in catalogue.survey(settings.load()).waiting
    assert DATASET not in deployments.names(deployments.prefect_file(settings.load()))


def test_a_release_that_breaks_the_dataset_s_own_rules_is_held_back(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks of the user's file are in force: a later table without Korea is quarantined."""
    for arguments in COMMANDS[:2]:
        assert run(capsys, monkeypatch, *arguments).code == 0
    table = (mine / "population@2025-10-01.csv").read_text(encoding="utf-8").splitlines()
    later = [line for line in table if ",KOR," not in line]
    (mine / "population@2026-10-01.csv").write_text("\n".join(later) + "\n", encoding="utf-8")
    held = run(capsys, monkeypatch, "refresh", DATASET)
    assert held.code == 3
    assert "entities-required" in held.out


def test_a_wrong_file_is_told_all_its_mistakes_as_the_page_shows_them(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mine / f"{DATASET}.yaml"
    text = path.read_text(encoding="utf-8")
    changes = re.findall(r"^-(.*)\n\+(.*)$", blocks("diff")[0], flags=re.MULTILINE)
    assert len(changes) == 4
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    refused = run(capsys, monkeypatch, "refresh", DATASET)
    assert refused.code == 1
    told = [line.strip() for line in refused.err.splitlines() if ".yaml:" in line]
    assert told == blocks("text")[0].splitlines()
    assert f"Next: correct {path}" in refused.err
    assert not (mine.parent / "home").exists()
    found = catalogue.survey(settings.load())
    assert list(found.wrong) == [DATASET]
    assert "oecd.sbrd" in found.enabled
