"""Who may import whom: flows → expectations, connectors → warehouse; the heavy libraries only in their own rooms."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("warehouse", "connectors", "expectations", "flows")
MODULES = sorted([*(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), ROOT / "figurekeeper.py"])
OURS = {*PACKAGES, "figurekeeper", "tests"}

#: What a folder must not import, by prefix. The sandbox's rule is below: it is a list of what it may.
FORBIDDEN = {
    "warehouse": ("connectors", "expectations", "flows", "figurekeeper", "prefect", "great_expectations"),
    "connectors": ("expectations", "flows", "figurekeeper", "prefect", "great_expectations"),
    "expectations": ("flows", "figurekeeper", "prefect"),
    "flows": ("figurekeeper", "great_expectations"),
    "figurekeeper.py": ("prefect", "great_expectations"),
}
#: All that the sandbox shares with the connectors: it must not agree with their parsers by using them.
SANDBOX_MAY = ("connectors.sandbox",)
#: Required for a bound on a version that Prefect would otherwise pull in, not for an import.
BOUNDS_ONLY = {"fastapi"}


class Import(NamedTuple):
    """One import statement: what, on which line, and whether it runs when the module is loaded."""

    name: str
    line: int
    at_load: bool

    def of(self, prefix: str) -> bool:
        return self.name == prefix or self.name.startswith(f"{prefix}.")


def _imports(path: Path) -> Iterator[Import]:
    """Every import of a file. `from a import b` counts as a.b; relative ones are resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    deferred = {id(inner) for outer in ast.walk(tree) if _defers(outer) for inner in ast.walk(outer)}
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (Import(name, node.lineno, id(node) not in deferred) for name in names)


def _defers(node: ast.AST) -> bool:
    """Whether what stands in this node does not run when the module is loaded."""
    for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return for_types or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    wrong = [(i.line, i.name) for i in _imports(path) for prefix in FORBIDDEN[room] if i.of(prefix)]
    assert not wrong, f"{_id(path)} must not import {wrong}"


@pytest.mark.parametrize("path", [path for path in MODULES if "sandbox" in path.parts], ids=_id)
def test_the_sandbox_shares_nothing_with_the_parsers(path: Path) -> None:
    wrong = [i for i in _imports(path) if i.of("connectors") and not any(i.of(prefix) for prefix in SANDBOX_MAY)]
    assert not wrong, f"{_id(path)} must not import {wrong}"


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_great_expectations_is_imported_inside_functions_only(path: Path) -> None:
    assert not [i for i in _imports(path) if i.of("great_expectations") and i.at_load]


def test_prefect_and_great_expectations_are_really_used_where_they_may_be() -> None:
    users = {
        library: {path.relative_to(ROOT).parts[0] for path in MODULES if any(i.of(library) for i in _imports(path))}
        for library in ("prefect", "great_expectations")
    }
    assert users == {"prefect": {"flows"}, "great_expectations": {"expectations"}}


def test_requirements_are_exactly_what_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {str(canonicalize_name(Requirement(line).name)) for line in project["dependencies"]}
    tops = {i.name.split(".")[0] for path in MODULES for i in _imports(path)} - OURS - sys.stdlib_module_names
    distributions = {**packages_distributions(), "ruamel": ["ruamel-yaml"]}  # a namespace of several distributions
    assert tops - distributions.keys() == set(), "imported, but not installed"
    used = {str(canonicalize_name(name)) for top in tops for name in distributions[top]}
    assert used - required == set(), "imported, but not in pyproject.toml's dependencies"
    assert required - used == BOUNDS_ONLY, "in pyproject.toml's dependencies, but not imported"
