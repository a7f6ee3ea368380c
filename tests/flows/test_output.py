"""What a terminal shows: every value whole at any width, numbers with all their digits."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import output
from flows.cli import app
from flows.settings import Settings
from tests.warehouse.makers import Cells, load, part, store

FLOWS = Path(output.__file__).parent
SERIES = "test.one:A_RATHER.LONG_KEY.OF_A.SERIES"
PROSE = {"detail", "message", "unit"}
COMMANDS = {
    "values": ("values", SERIES),
    "vintages": ("vintages", SERIES, "--period", "2017"),
    "revisions": ("revisions",),
    "batches": ("batches",),
    "editions": ("editions",),
}


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "synthetic")
    opened, key = store(tmp_path), SERIES.partition(":")[2]
    for month, factor in enumerate((1.0, 1.1, 1.25), start=1):
        cells: Cells = {
            (key, str(year)): (round(year * 61728394.1 * factor + 0.125, 3), "E;P") for year in (2016, 2017, 2018)
        }
        load(opened, part(cells, f"2024-0{month}-10", unit="US dollars at purchasing power parities"))


def shown(monkeypatch: pytest.MonkeyPatch, columns: int, *arguments: str) -> str:
    """What a command prints on a terminal of so many columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    ended = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)


def texts(row: dict[str, Any]) -> set[str]:
    """The texts and numbers of a row that must be readable, as published."""
    left_out = PROSE | {"known_from", "at", "next_known_from", "relative"}
    return {str(value) for name, value in row.items() if name not in left_out and value and value is not True}


@pytest.mark.parametrize("columns", [60, 80, 100, 130])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_cell_is_cropped_at_any_width(
    command: str, columns: int, held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = COMMANDS[command]
    rows = json.loads(CliRunner().invoke(app, [*asked, "--format", "json"]).stdout)
    printed = shown(monkeypatch, columns, *asked)
    whole = set(re.split(r"\s+", printed))
    headings = {name for row in rows for name in row if re.search(rf"\b{name}\b", printed)}
    must = {word for row in rows for word in texts({name: row[name] for name in headings}) if " " not in word}
    assert must - whole == set()
    for row in rows:
        day = row.get("known_from", row.get("at", ""))
        assert f"{day[:10]} {day[11:16]}Z" in printed
    own = [str(row[name]) for row in rows for name in ("value", "old", "new") if name in row]
    assert sorted(word for word in re.split(r"\s+", printed) if word in own) == sorted(own)


def test_what_all_rows_share_is_said_once_before_they_become_blocks(
    held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {columns: shown(monkeypatch, columns, "values", SERIES) for columns in (200, 60, 20)}
    assert [printed.count(SERIES) for printed in ways.values()] == [3, 1, 3]
    assert [len(re.findall(r"^period  ", printed, re.M)) for printed in ways.values()] == [0, 0, 3]


def test_a_number_keeps_its_digits(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = [1234567890123.0, 130012345678.25, 0.1, 4.07]
    output.rows([{"value": number} for number in numbers], output.Format.TABLE)
    assert capsys.readouterr().out.split()[2:] == ["1234567890123", "130012345678.25", "0.1", "4.07"]


def test_the_main_jobs_summary_is_whole_on_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    counts = {"series": 1234567, "observations": 98765432, "vintages": 118, "revisions": 70481}
    settings = Settings(home=tmp_path, profile="sandbox")
    output.main_job(settings, {"a.b": 1}, [{"dataset": "a.b", "decision": "published with warnings", **counts}])
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    for text in ("SANDBOX", "1,234,567", "98,765,432", "70,481", "cells revised", "published with warnings"):
        assert text in printed, text
    assert str(tmp_path / "sandbox" / "pages" / "index.html") in printed


@pytest.mark.parametrize(
    "arguments",
    [*COMMANDS.values(), ("lineage", SERIES, "2017"), ("series",), ("status",)],
    ids=lambda words: words[0],
)
def test_what_no_provider_said_is_told_in_every_format(
    arguments: tuple[str, ...], held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(*form: str) -> tuple[str, str]:
        ended = CliRunner().invoke(app, [*arguments, *form], catch_exceptions=False)
        return ended.stdout, ended.stderr

    told = "SYNTHETIC: invented figures\n"
    assert ran()[1] == told
    text, said = ran("--format", "csv")
    assert said == told
    found = json.loads(ran("--format", "json")[0])
    rows = found if isinstance(found, list) else [found]
    assert {row["profile"] for row in rows} == {"synthetic"}
    if isinstance(found, list):
        assert {row["profile"] for row in csv.DictReader(io.StringIO(text))} == {"synthetic"}


def test_no_command_imports_the_command_line() -> None:
    importing = {
        path.name
        for path in FLOWS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "flows" and "cli" in {name.name for name in node.names}
    }
    assert importing == set()
