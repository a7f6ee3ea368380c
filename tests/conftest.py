"""What all tests share: a clean environment, a place to write, their order, and how many passed and were skipped of each kind.

Does not belong here: fixtures of one area (that area's own conftest).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest

#: A folder in memory, and the room that it must have: what tests write is flushed often, and need not outlast them.
MEMORY, ROOM = Path("/dev/shm"), 2 << 30
#: Markers that are counted in the summary (pyproject.toml says what they mean).
COUNTED = ("oecd", "worldbank", "nbs", "prefect")
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed")

# A developer's own settings must not reach the tests; those that need some set them.
for name in [name for name in os.environ if name.startswith("FIGUREKEEPER_")]:
    del os.environ[name]
# Hundreds of runs need no site of the papers each; the tests of the site build it, and the main job does, as users do.
os.environ["FIGUREKEEPER_PAGES"] = "false"
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need a Prefect server last, and note each test's counted markers for the summary."""
    items.sort(key=lambda item: item.get_closest_marker("prefect") is not None)
    for item in items:
        item.user_properties += [("counted", marker) for marker in COUNTED if item.get_closest_marker(marker)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print, for each provider and for Prefect, how many tests passed and were skipped."""
    counts = {marker: Counter[str]() for marker in COUNTED}
    for outcome in OUTCOMES:
        for report in terminalreporter.getreports(outcome):
            for key, marker in getattr(report, "user_properties", ()):
                if key == "counted":
                    counts[str(marker)][outcome] += 1
    if not any(counts.values()):
        return
    terminalreporter.section("tests by provider")
    for marker, count in counts.items():
        others = "".join(
            f", {count[outcome]} {outcome}" for outcome in OUTCOMES[1:] if count[outcome] or outcome == "skipped"
        )
        terminalreporter.line(f"{marker:<10} {count['passed']} passed{others}")
