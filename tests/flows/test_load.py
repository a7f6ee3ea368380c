"""Loading stored messages: old vintages through the gate, in known order whatever the order of loading, and rebuilt by replay."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer

from connectors import datasets
from connectors.contract import Ask
from connectors.errors import UnexpectedPayload
from connectors.files.manifest import GUIDE
from connectors.stored import Loading
from flows import cli, pipeline
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from tests.connectors import specimens
from warehouse import lineage, questions, rebuild
from warehouse.errors import UsageError
from warehouse.sameness import differences
from warehouse.schema import Decision
from warehouse.store import Warehouse

NAME = "oecd.sbrd"
SERIES = f"{NAME}:KOR.G_XGDP"
HEAD = """\
<?xml version="1.0" encoding="utf-8"?>
<message:StructureSpecificData xmlns:message="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/message"
 xmlns:ns1="urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=OECD.STI.STP:DSD_SBRD(1.2):compact">
<message:Header><message:Prepared>{prepared}</message:Prepared></message:Header><ns1:DataSet action="Information">
"""

pytestmark = pytest.mark.oecd


def message(prepared: str, newest: str, years: range = range(1981, 2024)) -> bytes:
    """All economies and years of one part; the newest year of each has the value given."""
    series = []
    for economy in datasets.load(NAME).entities:
        cells = [f'<ns1:Obs TIME_PERIOD="{year}" OBS_VALUE="{1 + year % 7}.5" />' for year in years[:-1]]
        cells.append(f'<ns1:Obs TIME_PERIOD="{years[-1]}" OBS_VALUE="{newest}" />')
        series.append(f'<ns1:Series LOCATION="{economy}" VAR="G_XGDP">{"".join(cells)}</ns1:Series>')
    body = "\n".join(series)
    return f"{HEAD.format(prepared=prepared)}{body}</ns1:DataSet></message:StructureSpecificData>".encode()


def written(folder: Path, **messages: bytes) -> list[Path]:
    for name, content in messages.items():
        (folder / f"{name}.xml").write_bytes(content)
    return [folder / f"{name}.xml" for name in messages]


def load(settings: Settings, *paths: Path, complete: bool = True) -> list[Decision]:
    outcomes = pipeline.load(settings, NAME, paths, Loading(complete=complete), reason="a test", note=lambda _: None)
    return [outcome.decision for outcome in outcomes]


def vintages(settings: Settings, series: str = SERIES) -> list[dict[str, Any]]:
    return questions.vintages(Warehouse(settings.home, settings.profile, create=False), series, period="2022")


def told(settings: Settings, series: str = SERIES) -> list[tuple[Any, ...]]:
    columns = ("vintage", "known_from", "precision", "basis", "value")
    return [tuple(row[name] for name in columns) for row in vintages(settings, series)]


def test_the_order_of_loading_does_not_matter(tmp_path: Path) -> None:
    old, new, newest = written(
        tmp_path,
        old=message("2024-03-13T11:02:24", "3.1", range(1981, 2023)),
        new=message("2024-09-13T11:02:24", "3.2", range(1981, 2023)),
        newest=message("2025-03-13T11:02:24", "3.3"),
    )
    forwards, backwards = (Settings(home=tmp_path / name, profile="sandbox") for name in ("one", "two"))
    assert Decision.QUARANTINED not in load(forwards, old, newest, new)
    for path in (newest, new, old):
        assert Decision.QUARANTINED not in load(backwards, path)
    assert [row[1:] for row in told(forwards)] == [
        ("2024-03-13T10:02:24.000000Z", "instant", "publisher", 3.1),
        ("2024-09-13T09:02:24.000000Z", "instant", "publisher", 3.2),
        ("2025-03-13T10:02:24.000000Z", "instant", "publisher", 7.5),
    ]
    assert told(backwards) == told(forwards)
    assert load(forwards, new) == [Decision.UNCHANGED]
    [row] = lineage.datasets(pipeline.open_warehouse(forwards))
    assert row["stale"]  # an old message says nothing of how things are now


def test_a_message_of_some_years_concludes_nothing_of_others(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", profile="sandbox")
    whole, some = written(
        tmp_path,
        whole=message("2024-03-13T11:02:24", "3.1"),
        some=message("2024-09-13T11:02:24", "3.4", range(2015, 2023)),
    )
    load(settings, whole)
    assert Decision.QUARANTINED not in load(settings, some, complete=False)
    warehouse = pipeline.open_warehouse(settings)
    now = {row["period"]: row["value"] for row in questions.values(warehouse, [SERIES])}
    assert list(now) == [str(year) for year in range(1981, 2024)]
    assert (now["2022"], now["2023"]) == (3.4, 3.1)


def test_a_replay_makes_the_same_of_loaded_messages(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", profile="sandbox")
    paths = written(tmp_path, old=message("2024-03-13T11:02:24", "3.1"), new=message("2024-09-13T11:02:24", "3.2"))
    load(settings, *reversed(paths))
    for path in paths:
        path.unlink()
    here = pipeline.open_warehouse(settings)
    rebuild.into_home(here.storage, tmp_path / "there", "sandbox", ArchiveParsers())
    assert list(differences(here, Warehouse(tmp_path / "there", "sandbox", create=False))) == []


def test_real_messages_give_the_vintages_of_the_sandboxs_walk(tmp_path: Path) -> None:
    """Days on which this part was the last to be published: the sandbox states one instant for all parts of a flow."""
    folder = specimens.upstream("oecd", "sti-scoreboard")
    days = (date(2024, 5, 22), date(2024, 7, 23), date(2025, 4, 4))
    paths = [next(folder.glob(f"G_BRXG__{day}T*.xml.gz")) for day in days]
    loaded, walked = (Settings(home=tmp_path / name, profile="sandbox") for name in ("loaded", "walked"))
    load(loaded, *paths)
    for day in days:
        pipeline.refresh(walked, NAME, on=day, ask=Ask(parts=("G_BRXG",)), note=lambda _: None)
    series = [f"{NAME}:{area}.G_BRXG" for area in ("KOR", "CHN", "FRA")]
    assert len(told(loaded, series[0])) == 2  # that of July is as it was in May
    assert [told(loaded, one) for one in series] == [told(walked, one) for one in series]
    columns = ("series", "period", "value_text", "status", "unit", "multiplier", "vintage")
    first, second = (
        [[row[name] for name in columns] for row in questions.values(pipeline.open_warehouse(one), series)]
        for one in (loaded, walked)
    )
    assert first == second


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """The command line as a shell sees it: exit status, and all that it said."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), "".join(capsys.readouterr())

    return run


def test_the_command_says_what_became_of_each_message(command: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    [path] = written(tmp_path, old=message("2024-03-13T11:02:24", "3.1"))
    code, said = command("load", NAME, str(path), "--complete", "--reason", "a test")
    assert (code, "oecd.sbrd: published: 1 of 1 parts changed (430 added)" in said) == (0, True)
    dated = ("--published", "2023-12", "--basis", "publisher")
    code, said = command("load", NAME, str(path), "--complete", "--reason", "a test", *dated)
    assert code == 0
    assert "unchanged" not in said  # known earlier than was thought
    [found] = vintages(Settings(home=tmp_path / "home", profile="sandbox"))
    assert (found["known_from"][:10], found["precision"], found["basis"]) == ("2023-12-31", "month", "archive")
    scaled = written(tmp_path, scaled=message("2024-09-13T11:02:24", "3100"))
    code, said = command("load", NAME, str(scaled[0]), "--complete", "--reason", "a test")
    assert (code, "quarantined" in said) == (3, True)


def test_the_guides_examples_can_be_meant() -> None:
    commands: Any = typer.main.get_command(cli.app)
    lines = re.findall(
        r"^figurekeeper (load .*)$", (Path(__file__).parents[2] / GUIDE).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert len(lines) == 3
    for line in lines:
        name, *arguments = shlex.split(line)
        commands.commands[name].make_context(name, arguments)  # raises when an option or argument does not exist


def test_what_cannot_be_loaded_changes_nothing(command: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    [path] = written(tmp_path, old=message("2024-03-13T11:02:24", "3.1"))
    code, said = command("load", "oecd.pct_cooperation", str(path), "--reason", "a test")
    assert (code, "the file does not belong to the dataset" in said, "nothing was changed" in said) == (1, True, True)
    for wrong in (
        ("load", NAME, str(path)),
        ("load", NAME, str(path), "--reason", "a test", "--published", "once"),
        ("load", NAME, str(tmp_path / "none.xml"), "--reason", "a test"),
        ("load", "nbs.beijing_expenditure", str(path), "--reason", "a test"),
        ("load", "no.such", str(path), "--reason", "a test"),
    ):
        code, said = command(*wrong)
        assert (code, "Next: " in said) == (2, True), wrong
    damaged = tmp_path / "old.xml.gz"
    damaged.write_bytes(b"\x1f\x8b\x08nothing")
    code, said = command("load", NAME, str(damaged), "--reason", "a test")
    assert (code, "cannot be read" in said) == (2, True)


def test_a_reason_and_the_right_dataset_are_asked_for(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", profile="sandbox")
    [path] = written(tmp_path, old=message("2024-03-13T11:02:24", "3.1"))
    with pytest.raises(UsageError, match="needs a reason"):
        pipeline.load(settings, NAME, [path], Loading(), reason=" ")
    with pytest.raises(UnexpectedPayload, match=r"a download \(CSV"):
        pipeline.load(settings, "worldbank.wdi", [path], Loading(), reason="a test")
    assert not settings.root.exists()
