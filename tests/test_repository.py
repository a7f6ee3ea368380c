"""What must hold of the files of the repository as such: their form, and what must never be committed."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
UPSTREAM = ROOT.parent / "shared" / "upstream"
LONGEST = 400

# Written in pieces, so that this file does not contain what it looks for.
INDEX_HOST = re.compile(
    r"pypi" r"\.|python" r"hosted|registry\.npm" r"js|--(extra-)?index" r"-url[ =]|--find" r"-links[ =]"
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(wor" r"k|far" r"m|ro" r"ot|tmp/[\w.]+|home/\w+)/")
LOCK_FILES = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json", "yarn.lock"}


@cache
def _files() -> tuple[Path, ...]:
    """All files that are, or would be, committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: what is committed cannot be listed")
    return tuple(path for name in sorted(set(listing.split("\0"))) if name and (path := ROOT / name).is_file())


def _texts() -> dict[str, str]:
    found = {}
    for path in _files():
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(ROOT).as_posix()] = content.decode(errors="replace")
    return found


def _modules() -> dict[str, str]:
    return {name: text for name, text in _texts().items() if name.endswith(".py")}


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [name for name, text in _modules().items() if text.strip() and not ast.get_docstring(ast.parse(text))]
    assert not silent


def test_no_file_of_code_is_longer_than_one_thought() -> None:
    lengths = {name: text.count("\n") for name, text in _texts().items() if name.endswith((".py", ".html", ".sql"))}
    assert lengths
    assert not {name: length for name, length in lengths.items() if length > LONGEST}


@pytest.mark.parametrize("pattern", [INDEX_HOST, MACHINE_PATH], ids=["index host", "path of a machine"])
def test_nothing_committed_names_a(pattern: re.Pattern[str]) -> None:
    found = {
        f"{name}:{number}: {match[0]}"
        for name, text in _texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    }
    assert not found


def test_no_lock_file_with_download_addresses() -> None:
    assert not [path for path in _files() if path.name in LOCK_FILES]


def test_no_copy_of_a_raw_upstream_file() -> None:
    if not UPSTREAM.is_dir():
        pytest.skip("../shared/upstream is not here: there is nothing to compare with")
    raw = {hashlib.sha256(path.read_bytes()).hexdigest() for path in UPSTREAM.rglob("*") if path.is_file()}
    copies = [path for path in _files() if path.stat().st_size and hashlib.sha256(path.read_bytes()).hexdigest() in raw]
    assert raw
    assert not copies


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.+]*", line)] == []
    return {canonicalize_name(name): number for name, number in (line.split("==") for line in pins)}


def test_constraints_pin_every_requirement_to_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    pins = _pins()
    for requirement in map(Requirement, [*project["dependencies"], *extras]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_what_is_installed_is_what_is_pinned() -> None:
    different = {}
    for name, pinned in _pins().items():
        try:
            installed = version(name)
        except PackageNotFoundError:  # an extra that is not installed here
            continue
        if installed != pinned:
            different[name] = f"{installed}, pinned {pinned}"
    assert not different, "run make test, which installs the pinned versions"
