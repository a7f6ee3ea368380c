"""Maintenance: what keeps a warehouse small and quick over the years, beside running refreshes and readers.

Each step may be cut off at any point and is made good by the next run; the failure of one does not stop the others. A file is
removed only when two runs, a grace period apart, found that nobody names it, because a notebook may still read it. Payloads,
journal, readings, and the line and vintages of any edition stay for ever: whatever is removed here, no answer changes.

Belongs here: the steps, their order, and what they report. How files are brought together is in warehouse/compaction.py,
whether all is sound in warehouse/soundness.py.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Connection, select

from warehouse import clock, compaction, ledger, line, publish, snapshot
from warehouse.errors import FigurekeeperError, WarehouseError
from warehouse.locks import Busy
from warehouse.schema import Decision
from warehouse.storage import LocalStorage, ObjectStorage
from warehouse.store import Warehouse
from warehouse.tables import TABLES

#: How long a file stays that nobody names any more: open notebooks hold an indicators.duckdb whose views name it.
GRACE = timedelta(days=7)
#: Name → since when nobody names it. Only this module reads it; losing it costs one more grace period.
_UNNAMED = "maintenance/unnamed.json"
_TEMPORARY = re.compile(r"^\..+\.\d+\.[0-9a-f]{8}$")  # as warehouse/files.py names them

Note = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """One thing that was done (in a dry run: would be): how many files it concerned, and their bytes."""

    step: str
    action: str
    files: int
    bytes: int


@dataclass
class Report:
    """What a run did. `problems` are steps that failed, with what the operator can do."""

    dry_run: bool
    done: list[Done] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def headline(self) -> str:
        """One line for people."""
        gone = [item for item in self.done if item.action.startswith("removed")]
        count, size = sum(item.files for item in gone), sum(item.bytes for item in gone)
        brought = sum(item.files for item in self.done if item.step == "compaction")
        text = f"{brought} files brought together, {count} removed ({size:,} bytes), {len(self.problems)} steps failed"
        return f"dry run: {text}" if self.dry_run else text

    def rows(self) -> list[dict[str, Any]]:
        """For people and programs: step, action, files, bytes."""
        return [vars(item) for item in self.done]


def maintain(warehouse: Warehouse, *, dry_run: bool = False, grace: timedelta = GRACE) -> Report:
    """Do all that is due, or only say what would be done.

    Raises Busy when another maintenance runs.
    """
    report = Report(dry_run)
    work = _Work(warehouse, dry_run, grace)
    steps: dict[str, Callable[[], Iterator[Done]]] = {
        "retention": work.forget_candidates,
        "compaction": work.compact,
        "tables": work.follow,
        "analysts' file": work.write_snapshot,
        "journal": work.join_journal,
        "removal": work.sweep,
        "temporary files": work.remove_temporary,
        "local copies": work.remove_copies,
    }
    with warehouse.lease("maintenance", wait=0.0):
        for name, step in steps.items():
            try:
                for done in step():
                    report.done.append(done)
            except FigurekeeperError as error:
                report.problems.append(f"{name}: {error}")
            except Exception as error:  # a mistake of ours in one step must not keep the others from running
                report.problems.append(f"{name}: {type(error).__name__}: {error}. Next: report this to the maintainers")
    return report


@dataclass
class _Work:
    warehouse: Warehouse
    dry_run: bool
    grace: timedelta

    # -- the ledger and the tables -----------------------------------------------------------------------------------

    def forget_candidates(self) -> Iterator[Done]:
        """Take candidates out of the ledger whose batch was discarded and that never stood in any edition."""
        until = clock.to_text(clock.now() - self.grace)
        with self.warehouse.engine.connect() as connection:
            datasets = sorted({row["dataset"] for row in _candidates(connection, until)})
        for dataset in datasets:
            try:
                with self.warehouse.lease(dataset, wait=0.0), self._transaction() as connection:
                    ids = [row["vintage_id"] for row in _candidates(connection, until) if row["dataset"] == dataset]
                    if not self.dry_run:
                        _forget(connection, ids)
            except Busy:
                yield Done("retention", f"{dataset}: put off, a refresh is running", 0, 0)
            else:
                yield Done("retention", f"{dataset}: candidates of discarded batches", len(TABLES) * len(ids), 0)

    def compact(self) -> Iterator[Done]:
        """Bring the small files of each part together."""
        for bundle in compaction.bundles(self.warehouse):
            first, files = bundle.vintages[0], sorted(bundle.files)
            size = sum(self._size(name) for name in files)
            if not self.dry_run:
                compaction.carry_out(self.warehouse, bundle)
                size -= sum(self._size(name) for name in bundle.targets.values())
            action = (
                f"{first['dataset']} {first['part']}: {len(bundle.vintages)} vintages, from many files to {len(TABLES)}"
            )
            yield Done("compaction", action, len(files), size)

    def follow(self) -> Iterator[Done]:
        """Let the Iceberg tables hold exactly the newest edition, from the files that the ledger names, and little history."""
        tables = self.warehouse.tables
        with self.warehouse.publish_lock():
            if not self.dry_run:
                publish.recover(self.warehouse, "")
            for name, wanted in _standing(self.warehouse).items():
                useless, missing = tables.lag(name, wanted)
                if useless or missing:
                    yield Done("tables", f"{name}: files exchanged", len(useless | set(missing.values())), 0)
                    if not self.dry_run:
                        tables.rebuild(name, wanted)
                old = tables.expire(name, clock.now() - self.grace, dry_run=self.dry_run)
                if old:
                    yield Done("tables", f"{name}: snapshots expired", old, 0)

    def write_snapshot(self) -> Iterator[Done]:
        """Write the analysts' file anew: its views must not name files that will go."""
        if not self.dry_run:
            with self.warehouse.lease("overview"):
                path = snapshot.write(self.warehouse)
            yield Done("analysts' file", f"{path.name} written anew", 1, path.stat().st_size)

    def join_journal(self) -> Iterator[Done]:
        """Join the small segments of the journal."""
        journal = self.warehouse.journal
        small = [segment for segment in journal.segments() if segment.small]
        if len(small) > compaction.MANY:
            if not self.dry_run:
                with self.warehouse.publish_lock():
                    journal.merge(journal.tail()[0] + 1)
            yield Done("journal", "segments joined", len(small), 0)

    # -- removal -----------------------------------------------------------------------------------------------------

    def sweep(self) -> Iterator[Done]:
        """Remove what nobody has named for the grace period, and note what nobody names now."""
        storage = self.warehouse.storage
        listed = list(storage.list("tables"))  # before the names are gathered: what is written now is not among them
        named = _named(self.warehouse)
        unnamed = [name for name in listed if name not in named]
        noted = self._noted()
        now = clock.now()
        due = [name for name in unnamed if name in noted and now - noted[name] >= self.grace]
        why = _reasons(self.warehouse, unnamed)
        yield from self._told("removed", due, why)
        yield from self._told("kept for now", sorted(set(unnamed) - set(due)), why)
        if not self.dry_run:
            for name in due:
                storage.remove(name)
            left = {name: clock.to_text(noted.get(name, now)) for name in unnamed if name not in due}
            storage.write(_UNNAMED, json.dumps(left, indent=0, sort_keys=True).encode())

    def remove_temporary(self) -> Iterator[Done]:
        """Remove the temporary files of writers that died."""
        local = LocalStorage(self.warehouse.root)
        old = []
        for name in local.leftovers(""):
            try:
                if _TEMPORARY.match(PurePosixPath(name).name) and local.age(name) >= self.grace.total_seconds():
                    old.append((name, local.size(name)))
            except FileNotFoundError:
                continue  # its writer has finished
        if old:
            yield Done("temporary files", "removed: their writers died", len(old), sum(size for _, size in old))
        if not self.dry_run:
            for name, _ in old:
                local.remove(name)

    def remove_copies(self) -> Iterator[Done]:
        """Remove local copies of objects that are in the storage no more (server form)."""
        storage = self.warehouse.storage
        if not isinstance(storage, ObjectStorage):
            return
        copies = LocalStorage(storage.cache)
        kept = set(storage.list("tables"))
        gone = [name for name in copies.list("tables") if name not in kept]
        if gone:
            size = sum(copies.size(name) for name in gone)
            yield Done("local copies", "removed: the object is gone", len(gone), size)
        if not self.dry_run:
            for name in gone:
                copies.remove(name)

    # -- within ------------------------------------------------------------------------------------------------------

    def _transaction(self) -> AbstractContextManager[Connection]:
        return ledger.transaction(self.warehouse.engine, self.warehouse.root)

    def _told(self, action: str, names: list[str], why: dict[str, str]) -> Iterator[Done]:
        counts, sizes = Counter[str](), Counter[str]()
        for name in names:
            counts[why[name]] += 1
            sizes[why[name]] += self._size(name)
        for reason in sorted(counts):
            yield Done("removal", f"{action}: {reason}", counts[reason], sizes[reason])

    def _noted(self) -> dict[str, datetime]:
        try:
            found: dict[str, str] = json.loads(self.warehouse.storage.read(_UNNAMED))
        except FileNotFoundError:
            return {}
        return {name: clock.from_text(since) for name, since in found.items()}

    def _size(self, name: str) -> int:
        try:
            return self.warehouse.storage.size(name)
        except FileNotFoundError:
            return 0


def _candidates(connection: Connection, until: str) -> list[line.Row]:
    """Vintages that no edition has ever shown and that only batches discarded before `until` have read."""
    readings, batches = ledger.readings.c, ledger.batches.c
    discarded = select(batches.batch_id).where(
        batches.decision == Decision.DISCARDED.value, batches.finished_at < until
    )
    wanted = select(readings.vintage_id).where(readings.batch_id.not_in(discarded))
    stood = select(ledger.line.c.vintage_id)
    read = select(readings.vintage_id).where(readings.batch_id.in_(discarded))
    columns = ledger.vintages.c
    query = select(ledger.vintages).where(
        columns.vintage_id.in_(read), columns.vintage_id.not_in(wanted), columns.vintage_id.not_in(stood)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _forget(connection: Connection, vintage_ids: list[str]) -> None:
    for vintage_id in vintage_ids:
        connection.execute(ledger.vintages.delete().where(ledger.vintages.c.vintage_id == vintage_id))


def _standing(warehouse: Warehouse) -> dict[str, dict[str, str]]:
    """Table → vintage id → file, of the newest edition. Raises WarehouseError while a publish is unfinished."""
    with warehouse.engine.connect() as connection:
        columns = ledger.batches.c
        left = connection.execute(select(columns.batch_id).where(columns.state == "publishing")).scalars().first()
        visible = line.visible(connection)
    if left is not None:
        raise WarehouseError(
            f"the publish of batch {left} is unfinished and cannot be completed now",
            next_step="refresh its dataset once, which completes it or says why it cannot be, then run maintain again",
        )
    return {name: {row["vintage_id"]: row[f"{name}_file"] for row in visible} for name in TABLES}


def _named(warehouse: Warehouse) -> set[str]:
    """Every file under tables/ that the ledger or Iceberg names."""
    named = set().union(*(warehouse.tables.files(name) for name in TABLES))
    with warehouse.engine.connect() as connection:
        for table in (ledger.vintages, ledger.readings):
            for column in (table.c.observations_file, table.c.series_file):
                named.update(connection.execute(select(column).where(column.is_not(None))).scalars())
    return named


def _reasons(warehouse: Warehouse, names: list[str]) -> dict[str, str]:
    """Why nobody names these files."""
    with warehouse.engine.connect() as connection:
        columns = ledger.batches.c
        endings = dict(connection.execute(select(columns.batch_id, columns.decision)).tuples().all())
        vintages = set(connection.execute(select(ledger.vintages.c.vintage_id)).scalars())
    return {name: _reason(PurePosixPath(name), endings, vintages) for name in names}


def _reason(name: PurePosixPath, endings: dict[str, str | None], vintages: set[str]) -> str:
    if "metadata" in name.parts[2:3]:
        return "metadata of Iceberg that is superseded"
    vintage, _, suffix = name.stem.partition("-")
    if vintage in vintages or vintage == "compacted":
        return "rows that lie in a newer file"
    dataset = name.parts[3] if len(name.parts) > 3 else ""
    ending = endings.get(f"{dataset}@{suffix}")
    return f"candidate of a batch that was {ending}" if ending else "left by a process that died"
