"""The README is true: its commands, options, settings, targets, names and files exist, and every command is in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import figurekeeper
from flows import cli
from flows.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
SHELL = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line]
EXAMPLES = [shlex.split(line, comments=True) for line in SHELL if line.startswith("figurekeeper ")]
COMMANDS: dict[str, Any] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]  # a click group


def test_the_readme_opens_with_the_two_commands() -> None:
    assert [line.split("#")[0].strip() for line in SHELL[:2]] == ["make run", "make test"]
    assert README.index("```sh\nmake run") < 40


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example(name: str) -> None:
    assert COMMANDS[name].help
    assert name in {example[1] for example in EXAMPLES}, f"README.md has no example of figurekeeper {name}"


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
def test_every_example_can_be_meant(example: list[str]) -> None:
    assert example[1] in COMMANDS
    COMMANDS[example[1]].make_context(example[1], example[2:])  # raises when an option or argument does not exist


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    quoted = re.findall(r"`make ([a-z ]+)`", README) + [" ".join(line.split("#")[0].split()[1:]) for line in SHELL[:2]]
    named = {word for words in quoted for word in words.split()}
    assert named >= {"run", "test", "up", "lint"}
    assert named <= targets


def test_every_setting_is_listed_and_no_other() -> None:
    listed = set(re.findall(r"FIGUREKEEPER_([A-Z_]+)", README))
    assert listed == {name.upper() for name in Settings.model_fields}


def test_python_names_exist() -> None:
    code = "".join(block for kind, block in BLOCKS if kind == "python")
    names = re.findall(r"\bfk\.(\w+)\(", code)
    assert names
    assert [name for name in names if not callable(getattr(figurekeeper, name, None))] == []
    compile(code, "README.md", "exec")


def test_every_file_named_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    quoted = re.findall(
        r"`((?:connectors|warehouse|expectations|flows|tests)/[\w./*]*|\.ci/run|prefect\.yaml)`", README
    )
    assert links
    assert quoted
    assert [name for name in links + quoted if not list(ROOT.glob(name.rstrip("/")))] == []
