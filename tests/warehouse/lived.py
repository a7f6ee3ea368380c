"""A warehouse that has seen everything, and all that can be asked of it: for what must change no answer.

Belongs here: making one and asking. What is done to it is in test_maintenance.py and test_soundness.py.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.makers import load, part, store
from warehouse import line, publish, questions, snapshot, soundness
from warehouse.lineage import lineage
from warehouse.publish import Closing
from warehouse.schema import Decision, Scope
from warehouse.store import Warehouse

SERIES = ("test.one:A", "test.one:B")


def decide(warehouse: Warehouse, batch: str, decision: Decision) -> None:
    publish.decide(warehouse, batch, Closing(decision, "Ada", "by a test", reason="because"))


def cells(value: float) -> dict[tuple[str, str], float]:
    return {("A", "2017"): value, ("A", "2018"): value + 1, ("B", "2017"): 7.0}


@pytest.fixture(scope="session")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home whose warehouse has seen everything, and what it held then."""
    folder = tmp_path_factory.mktemp("lived")
    fill(store(folder / "home")).engine.dispose()
    return folder / "home", shutil.copytree(folder / "home", folder / "pristine")


@pytest.fixture
def lived(lived_once: tuple[Path, Path]) -> Warehouse:
    """That warehouse as it was then; at the same place for each test, since Iceberg keeps absolute addresses."""
    home, pristine = lived_once
    shutil.rmtree(home)
    shutil.copytree(pristine, home)
    return store(home)


def fill(warehouse: Warehouse) -> Warehouse:
    """Let a warehouse see everything: revisions, an archive loaded late, a partial reading, a void, a discard."""
    for month in range(1, 5):
        load(warehouse, part(cells(float(month)), f"2024-{month:02}-10"))
    load(warehouse, part(cells(0.5), "2024-06-01", archive="202306"))
    taken_back, _ = load(warehouse, part(cells(99.0), "2024-06-10"))
    decide(warehouse, taken_back, Decision.VOIDED)
    load(warehouse, part({("A", "2018"): 20.0}, "2024-06-20", scope=Scope("2018", "2018")))
    held_back, _ = load(warehouse, part(cells(1e6), "2024-06-25"), decision=Decision.QUARANTINED)
    decide(warehouse, held_back, Decision.DISCARDED)
    load(warehouse, part(cells(1e7), "2024-06-26"), decision=Decision.QUARANTINED)
    for month in range(7, 10):
        load(warehouse, part(cells(float(month)), f"2024-{month:02}-10"))
    snapshot.write(warehouse)
    return warehouse


def answers(warehouse: Warehouse) -> list[str]:
    """What old and new editions say of the series, as of old and new days, and from which bytes."""
    with warehouse.engine.connect() as connection:
        newest = line.newest_edition(connection)
    found: list[Any] = []
    for edition in sorted({1, newest // 2, newest - 1, newest} - {0}):
        found.append(questions.vintages(warehouse, SERIES[0], edition=edition))
        for day in (None, "2023-12-31", "2024-06-15"):
            found.append(questions.values(warehouse, SERIES, as_of=day, edition=edition))
        told = lineage(warehouse, "test.one:A", "2018", edition=edition)
        found.append(told)
        assert all(warehouse.payloads.read(payload["sha256"]) for payload in told["payloads"])
    return [json.dumps(answer, default=str).replace(str(warehouse.root), "") for answer in found]


def sound(warehouse: Warehouse) -> list[str]:
    return [finding for row in soundness.check(warehouse) for finding in row["findings"]]
