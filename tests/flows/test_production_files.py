"""What docs/production.md hands out can be used: units that systemd reads, commands and settings that exist; no server needed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from typer.main import get_command

from flows.cli import app
from flows.environment import PROJECT, SERVER_AUTH
from flows.settings import Settings

FOLDER = PROJECT / "docs" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))


def section(unit: Path, name: str) -> dict[str, str]:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.read_string(unit.read_text(encoding="utf-8"))
    return dict(parser[name])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_that_exists_and_is_kept_alive(unit: Path) -> None:
    service = section(unit, "Service")
    program, command, *options = shlex.split(service["execstart"])
    assert program.endswith("/.venv/bin/figurekeeper")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert {option for option in options if option.startswith("--")} <= {
        name for parameter in commands[command].params for name in parameter.opts
    }
    assert service["restart"] == "on-failure"
    assert service["environmentfile"] == "/etc/figurekeeper/environment"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (tmp_path / unit.name.replace("@", "@1")).write_text(text)
    command = ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())]
    said = subprocess.run(command, capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_example_of_an_environment_names_settings_that_exist() -> None:
    text = (FOLDER / "environment.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?([A-Z_]+)=", text, flags=re.MULTILINE))
    ours = {f"FIGUREKEEPER_{name.upper()}" for name in Settings.model_fields}
    assert {"FIGUREKEEPER_SERVER_DATABASE", "FIGUREKEEPER_SERVER_URL", SERVER_AUTH} <= named
    assert named <= {*ours, SERVER_AUTH, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
