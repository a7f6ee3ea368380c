"""A process killed at every durable step, while another one publishes: nothing lost, doubled or half visible.

Which steps there are is in tests/warehouse/victim.py; each deed is done again and again, and dies one step later each time, until
it is done. Does not belong here: a full disk and other failures that a process survives.
"""

from __future__ import annotations

import copy
import multiprocessing
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.warehouse import victim
from tests.warehouse.makers import FACTS, part, reading, store
from tests.warehouse.quick import memory_folder
from tests.warehouse.twin import Twin, instants
from warehouse import ledger, line, questions
from warehouse.errors import WrongState
from warehouse.schema import Decision, PartData, Scope
from warehouse.store import Warehouse
from warehouse.tables import TABLES

A, B = ("CHN.X", "2017"), ("CHN.X", "2018")
OTHER = replace(FACTS, id="test.two")
NEWS = part({A: 7.0}, "2024-05-01")


@dataclass(frozen=True)
class Scene:
    """What was done before, and what is being done when the process dies: on a new part, or on the batch made last."""

    before: Callable[[Twin], None]
    deed: PartData | Decision


def _two_vintages(twin: Twin) -> None:
    twin.load(part({A: 1.0, B: 2.0}, "2024-01-10"))
    twin.load(part({A: 1.5, B: 2.0}, "2024-03-10"))


def _one_held_back(twin: Twin) -> None:
    _two_vintages(twin)
    twin.load(part({A: 900.0}, "2024-02-10"), hold=True)


SCENES = {
    "publish": Scene(_two_vintages, part({A: 1.5, B: 3.0}, "2024-04-10")),
    "late archive": Scene(_two_vintages, part({A: 1.5, B: 2.0}, "2024-06-01", archive="202402")),
    "partial": Scene(_two_vintages, part({B: 3.0}, "2024-04-10", archive="202401", scope=Scope(start="2018"))),
    "release": Scene(_one_held_back, Decision.RELEASED),
    "void": Scene(_two_vintages, Decision.VOIDED),
}


class Stage:
    """A warehouse folder that is put back as it was before each attempt, and what its answers may be."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.home, self.pristine = folder / "home", folder / "pristine"
        warehouse = store(self.home)
        self.before = Twin(warehouse, FACTS)
        scene.before(self.before)
        with warehouse.engine.connect() as connection:
            newest = select(ledger.batches.c.batch_id).order_by(ledger.batches.c.started_at.desc())
            batch = connection.execute(newest.limit(1)).scalar_one()
        warehouse.engine.dispose()
        self.deed: victim.Deed = scene.deed if isinstance(scene.deed, PartData) else (batch, scene.deed)
        self.after = copy.copy(self.before)
        self.after.parts = copy.deepcopy(self.before.parts)
        for memory in self.after.parts.values():
            if isinstance(scene.deed, PartData):
                memory.counting.append(reading("the deed", scene.deed))
            else:
                {Decision.RELEASED: memory.release, Decision.VOIDED: memory.void}[scene.deed](batch)
        shutil.copytree(self.home, self.pristine)

    def reset(self) -> None:
        """As it was before the deed; at the same place, since Iceberg keeps absolute addresses."""
        shutil.rmtree(self.home)
        shutil.copytree(self.pristine, self.home)

    def state(self) -> str:
        """Which of the two states all answers tell of: before the deed or after it. Fails when it is between."""
        told = {name: _complaint(twin, self.home) for name, twin in (("before", self.before), ("after", self.after))}
        [fitting] = [name for name, complaint in told.items() if complaint is None] or [str(told)]
        assert fitting in told, f"neither before nor after: {fitting}"
        return fitting

    def do_again(self) -> None:
        """The next run of the same deed; what was decided in spite of the death cannot be decided twice."""
        with suppress(WrongState):
            victim.act(store(self.home), FACTS, self.deed)

    def check_whole(self) -> None:
        """Nothing is left open, lost or doubled: batches, files, Iceberg's tables, journal; two editions are new."""
        warehouse = store(self.home)
        with warehouse.engine.connect() as connection:
            assert set(connection.execute(select(ledger.batches.c.state)).scalars()) == {"done"}
            assert line.newest_edition(connection) == self.before.editions[-1] + 2
            standing = sorted(row["vintage_id"] for row in line.visible(connection))
            named = {
                name
                for table in (ledger.vintages, ledger.readings)
                for row in connection.execute(select(table.c.observations_file, table.c.series_file))
                for name in row
                if name is not None
            }
        for table in TABLES:
            assert warehouse.tables.vintages(table) == standing
        assert {name for name in warehouse.storage.list("tables") if "/data/" in name} == named
        entries = list(warehouse.journal.entries())
        told = Counter(
            (entry["kind"], entry["body"]["batch_id"], entry["body"]["decision"])
            for entry in entries
            if entry["kind"] in ("batch", "decision")
        )
        assert set(told.values()) == {1}
        editions = [entry["body"]["edition"] for entry in entries if entry["body"].get("edition") is not None]
        assert editions == list(range(1, self.before.editions[-1] + 3))
        [row] = questions.values(warehouse, [f"{OTHER.id}:CHN.X"])
        assert row["value"] == 7.0
        warehouse.engine.dispose()


def _complaint(twin: Twin, home: Path) -> str | None:
    """What does not fit, if anything."""
    twin.warehouse = Warehouse(home, "synthetic", create=False)
    try:
        twin.check_lines()
        twin.check_values()
        for moment in instants(twin.parts["p"].line()):
            twin.check_values(moment)
        twin.check_revisions()
        for edition in twin.editions:
            twin.check_lines(edition)
            twin.check_values(edition=edition)
    except AssertionError as complaint:
        return str(complaint)
    finally:
        twin.warehouse.engine.dispose()
    return None


_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.warehouse.victim", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow"])


def _start(function: Callable[..., None], *arguments: Any) -> tuple[Any, Connection]:
    """A process, and the end of a pipe on which it tells."""
    mine, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=function, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return process, mine


def _killed_at(stage: Stage, fatal: int) -> tuple[str, str, str] | None:
    """Die before one durable step: its name, and the state of the answers before and after another process went by."""
    stage.reset()
    dying, told = _start(victim.die, fatal, stage.home, FACTS, stage.deed)
    point = told.recv()
    if point is None:
        dying.join()
        return None
    neighbour, done = _start(victim.live, stage.home, OTHER, NEWS)
    seen = stage.state()
    dying.kill()
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    assert done.recv() == "done"
    neighbour.join()
    return point, seen, stage.state()


@pytest.mark.parametrize("name", SCENES)
def test_all_or_nothing_at_every_step(name: str) -> None:
    seen = []
    with memory_folder() as folder:
        stage = Stage(folder, SCENES[name])
        for fatal in count(1):
            found = _killed_at(stage, fatal)
            if found is None:
                break
            seen.append(found)
            stage.do_again()
            assert stage.state() == "after", found
            stage.check_whole()
        assert stage.state() == "after"
    steps = Counter(point.split()[0] for point, _, _ in seen)
    assert steps["do_commit"] >= 5, "the ledger's and Iceberg's"
    assert steps["close"] >= 6, "Iceberg's metadata, manifest and manifest list, twice"
    assert steps["replace"] >= 1, "the journal's, and what was staged"
    assert {(before, after) for _, before, after in seen} == {
        ("before", "before"),
        ("before", "after"),
        ("after", "after"),
    }
