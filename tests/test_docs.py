"""The README is true: its commands, options, settings, targets, names and files exist, and every command is in it.

So are the other pages, as far as commands and links go, and the Chinese README, which says the same as the English one.
"""

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
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}


def _blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block of code."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def _shell(page: str) -> list[str]:
    return [line for kind, block in _blocks(page) if kind == "sh" for line in block.splitlines() if line]


def _examples(page: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in _shell(page) if line.startswith("figurekeeper ")]


BLOCKS = _blocks(README)
SHELL = _shell(README)
EXAMPLES = _examples(README)
COMMANDS: dict[str, Any] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]  # a click group


def test_the_readme_opens_with_the_two_commands() -> None:
    assert [line.split("#")[0].strip() for line in SHELL[:2]] == ["make run", "make test"]
    assert README.index("```sh\nmake run") < 40


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example(name: str) -> None:
    assert COMMANDS[name].help
    assert name in {example[1] for example in EXAMPLES}, f"README.md has no example of figurekeeper {name}"


@pytest.mark.parametrize(
    "example", [*EXAMPLES, *(one for page in PAGES.values() for one in _examples(page))], ids=" ".join
)
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


def test_every_link_between_pages_leads_somewhere() -> None:
    links = [
        (name, link)
        for name, page in PAGES.items()
        for link in re.findall(r"\]\(([^)#\s]+)\)", page)
        if not re.match(r"https?:", link)
    ]
    assert links
    assert [(name, link) for name, link in links if not (ROOT / "docs" / link).exists()] == []


def _without_comments(page: str) -> list[tuple[str, list[str]]]:
    mark = {"sh": " #", "python": "  #"}
    return [
        (kind, [line.partition(mark[kind])[0].rstrip() for line in block.splitlines()]) for kind, block in _blocks(page)
    ]


def test_the_chinese_readme_has_the_same_commands_settings_and_links() -> None:
    assert _without_comments(CHINESE) == _without_comments(README)
    assert len(re.findall("^## ", CHINESE, flags=re.MULTILINE)) == len(re.findall("^## ", README, flags=re.MULTILINE))
    assert set(re.findall(r"FIGUREKEEPER_[A-Z_]+", CHINESE)) == set(re.findall(r"FIGUREKEEPER_[A-Z_]+", README))
    links, theirs = (set(re.findall(r"\]\(([^)#]+)\)", page)) for page in (CHINESE, README))
    assert links - {"README.md"} == theirs - {"README.zh.md"}
    comments = [line.partition(" #")[2] for line in _shell(CHINESE) if " #" in line]
    assert comments
    assert [comment for comment in comments if not re.search(r"[\u4e00-\u9fff]", comment)] == []
