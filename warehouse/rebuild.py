"""A warehouse folder made anew beside its place, and put there whole: replay into a folder, restoring, moving.

Belongs here: where the new folder is built, and how it comes to its place. What is carried out is in warehouse/replay.py. While a
folder is being built nobody uses it, so nothing in it is fsynced; all of it is, once, before it is renamed into place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, select

from warehouse import ledger, truth
from warehouse.archived import Parsers
from warehouse.errors import UsageError
from warehouse.files import fsync_path, make_folder
from warehouse.journal import Journal
from warehouse.locks import FileLocks
from warehouse.payloads import PayloadArchive
from warehouse.replay import Replayed, replay
from warehouse.settling import settle
from warehouse.storage import LocalStorage, Storage
from warehouse.store import TABLES_AT, Warehouse
from warehouse.tables import Tables
from warehouse.truth import Progress, Truth

#: Beside the warehouse folders of a home: what is being built there.
_YARD = ".replay"
#: The stamp of a warehouse that a replay goes into.
_UNFINISHED = "unfinished"
Finish = Callable[[Warehouse], None]
Owed = tuple[int, str, dict[str, Any]]


def into_home(
    source: Storage, home: Path, profile: str, parsers: Parsers, *, progress: Progress | None = None
) -> Replayed:
    """Replay a truth into HOME/<profile>, where nothing is yet; what a replay that was cut off left is removed first.

    Raises UsageError when a warehouse is there or the source has none, Corrupted, Differs, Busy when another replay is at work.
    """
    place = home.resolve() / profile
    _assert_told(source)
    if place.exists():
        raise UsageError(
            f"{place} exists already",
            next_step="choose another folder, or move that one away: a replay never writes into what is there",
        )
    if isinstance(source, LocalStorage):
        truth.assert_apart(source.root, place)
    with building(home, profile) as yard:
        done = build(source, yard, profile, parsers, progress=progress)
        make_folder(home.resolve())
        (yard / profile).rename(place)
        fsync_path(home.resolve())
    settled(home, profile)
    return done


def settled(home: Path, profile: str) -> None:
    """Build the Iceberg tables of a folder that has just come to its place."""
    warehouse = Warehouse(home, profile, create=False)
    with warehouse.publish_lock():
        settle(warehouse)
    warehouse.engine.dispose()


def into_server(
    source: Storage, warehouse: Warehouse, parsers: Parsers, *, progress: Progress | None = None
) -> Replayed:
    """Replay a truth into an empty warehouse of the server form, which nobody can open until it is whole.

    `warehouse` may be one that a replay into it, cut off, left `unfinished`: what that one brought is removed first.
    Raises UsageError when it is not empty or the source is, Corrupted, Differs, Busy when another replay is at work.
    """
    _assert_told(source)
    with warehouse.locks.held("replay", wait=0.0):
        _make_empty(warehouse)
        truth.copy(source, warehouse.storage)
        tables = warehouse.tables
        done = replay(Truth(warehouse.storage), warehouse, parsers, progress=progress)
        warehouse.tables, warehouse.journal = tables, Journal(warehouse.storage)
        _stamp(warehouse, TABLES_AT, "nowhere yet")
        with warehouse.publish_lock():
            settle(warehouse)
        _stamp(warehouse, _UNFINISHED, None)
    return done


def _assert_told(source: Storage) -> None:
    """Raises UsageError when there is nothing to replay: the name of its folder may be mistyped."""
    if not Truth(source).journal.segments():
        raise UsageError(
            f"there is no journal in {source.address('')}",
            next_step="set FIGUREKEEPER_HOME and FIGUREKEEPER_PROFILE to where a warehouse is",
        )


def _make_empty(warehouse: Warehouse) -> None:
    """Stamp an empty warehouse as unfinished, or empty one that bears the stamp. Raises UsageError for any other."""
    with warehouse.engine.connect() as connection:
        stamps = dict(connection.execute(select(ledger.stamps.c.key, ledger.stamps.c.value)).tuples().all())
        empty = connection.execute(select(ledger.batches.c.batch_id).limit(1)).first() is None
    if _UNFINISHED not in stamps and (not empty or warehouse.journal.segments()):
        raise UsageError(
            f"the warehouse in {warehouse.place} is not empty",
            next_step="name an empty catalogue and bucket, or drop the schema and the objects of what is there",
        )
    stamps[_UNFINISHED] = "a replay into it has not ended"
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        ledger.metadata.drop_all(connection)  # and so all numbering begins again
        ledger.metadata.create_all(connection)
        ledger.add(connection, ledger.stamps, [{"key": key, "value": value} for key, value in stamps.items()])
    for folder in (truth.JOURNAL, truth.PAYLOADS, "tables"):
        for name in warehouse.storage.list(folder):
            warehouse.storage.remove(name)


def _stamp(warehouse: Warehouse, key: str, value: str | None) -> None:
    """Set a stamp, or take it away. One that is `unfinished` cannot be opened."""
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        ledger.stamp(connection, key, value)


@contextmanager
def building(home: Path, profile: str) -> Iterator[Path]:
    """An empty folder beside the warehouses of a home, for this process alone; removed at the end. Raises Busy."""
    top = home.resolve() / _YARD
    with FileLocks(top).held(profile, wait=0.0):
        yard = top / f"{profile}-home"
        shutil.rmtree(yard, ignore_errors=True)
        try:
            make_folder(yard)
            yield yard
        finally:
            shutil.rmtree(yard, ignore_errors=True)


def build(
    source: Storage,
    home: Path,
    profile: str,
    parsers: Parsers,
    *,
    owed: Sequence[Owed] = (),
    finish: Finish | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """A warehouse in HOME/<profile>, whole, durable and closed, but for its Iceberg tables, which want its last address.

    `owed` are entries that had not reached the source's journal; `finish` is called with the warehouse when the journal has
    been carried out, before it is closed.
    """
    warehouse = Warehouse(home, profile)
    _hurry(warehouse)
    truth.copy(source, warehouse.storage, link=True)
    Journal(warehouse.storage).append(owed)
    done = replay(Truth(warehouse.storage), warehouse, parsers, progress=progress)
    warehouse.journal = Journal(warehouse.storage)
    if finish is not None:
        finish(warehouse)
    warehouse.engine.dispose()
    os.sync()
    return done


def _hurry(warehouse: Warehouse) -> None:
    """Leave the fsyncs of a folder that nobody uses yet to its builder."""
    warehouse.engine.dispose()
    event.listen(warehouse.engine, "connect", _unsynced)
    warehouse.storage = _Hurried(warehouse.root)
    warehouse.tables = Tables(warehouse.storage, warehouse.catalog_uri)
    warehouse.payloads = PayloadArchive(warehouse.storage, truth.PAYLOADS)
    warehouse.attachments = PayloadArchive(warehouse.storage, truth.ATTACHED)


def _unsynced(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


class _Hurried(LocalStorage):
    """A folder whose files are fsynced by whoever is glad to have it."""

    def write(self, name: str, content: bytes) -> None:
        """Keep bytes under a name."""
        with self.writing(name) as path:
            path.write_bytes(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """The path itself."""
        path = self.local(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
