"""`--help` and `values` answer at once: whatever they need, it is neither Prefect nor Great Expectations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Runs a command in this process, then says on stderr which heavy libraries were loaded and how much CPU it took.
PROBE = """
import json, sys, time
from flows.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {"prefect", "great_expectations"} & sys.modules.keys()
print(json.dumps({"heavy": sorted(heavy), "cpu": time.process_time()}), file=sys.stderr)
"""
#: Generous, for a loaded machine; with Prefect or Great Expectations loaded it could not be kept.
MOST_CPU_SECONDS = 2.0


def _run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FIGUREKEEPER_HOME": str(home)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one small dataset, filled by the command line itself."""
    folder = tmp_path_factory.mktemp("home")
    _run(folder, sys.executable, "-m", "flows.cli", "refresh", "nbs.fdi_by_country")
    return folder


def test_help_and_values_load_nothing_heavy(home: Path) -> None:
    listing = _run(home, sys.executable, "-m", "flows.cli", "series", "--format", "json")
    series = json.loads(listing.stdout)[0]["series"]
    for arguments in (["--help"], ["papers", "--help"], ["values", series, "--format", "json"]):
        answer = _run(home, sys.executable, "-c", PROBE, *arguments)
        said = json.loads(answer.stderr.splitlines()[-1])
        assert series in answer.stdout or "Usage" in answer.stdout
        assert said["heavy"] == []
        assert said["cpu"] < MOST_CPU_SECONDS


def test_importing_figurekeeper_loads_nothing_heavy(home: Path) -> None:
    code = "import sys, figurekeeper; print(sorted({'prefect', 'great_expectations', 'pandas'} & sys.modules.keys()))"
    assert _run(home, sys.executable, "-c", code).stdout.strip() == "[]"
