"""Leases: kernel file locks in the embedded form, PostgreSQL's advisory locks in the server form; both die with their holder.

One lease a dataset (a refresh, from fetch to decision), one publish lock for the warehouse (from the table commit to the
edition row). Belongs here: holding and losing them. What is done under them does not.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from warehouse.errors import WarehouseError
from warehouse.files import make_folder, storage_errors

_POLL_SECONDS = 0.1
#: The server gives up a holder whose machine vanished without a word after about half a minute, but never one that is idle.
_SESSION = """
select set_config(known.name, wanted.setting, false) from pg_settings known join (values
    ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4')
) wanted (name, setting) on wanted.name = known.name
"""


class Busy(WarehouseError):
    """Somebody else holds the lease."""

    retriable = True


class LeaseLost(WarehouseError):
    """The lease was held and is no more: somebody else may be at work."""

    retriable = True


class WrongHost(WarehouseError):
    """A folder that another host writes."""


class Held(Protocol):
    """A lease that is held, until the end of the `with` block that got it."""

    def assert_held(self) -> None:
        """To be called before what only the holder may do. Raises LeaseLost."""


class Locks(Protocol):
    """The leases of one warehouse."""

    @contextmanager
    def held(self, name: str, *, wait: float, note: Callable[[str], None] | None = None) -> Iterator[Held]:
        """Hold the lock `name`, waiting up to `wait` seconds for it; `note` is told once when it has to wait.

        Raises Busy when the wait is over.
        """


class FileLocks:
    """Locks of one host: a file each, freed by the kernel when the holder dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self, name: str, *, wait: float, note: Callable[[str], None] | None = None) -> Iterator[Held]:
        """Hold the lock `name`, waiting up to `wait` seconds for it; `note` is told once when it has to wait.

        Raises Busy when the wait is over.
        """
        with storage_errors(self.folder):
            make_folder(self.folder)
        path = self.folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.lock"
        lock = FileLock(path)
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                _tell(note, name, wait)
                lock.acquire(timeout=wait, poll_interval=_POLL_SECONDS)
        except Timeout:
            raise _busy(name, wait) from None
        try:
            yield _HeldFile(name, path)
        finally:
            lock.release()


class _HeldFile:
    """A file lock protects as long as its file is the one that others would open."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._inode = path.stat().st_ino

    def assert_held(self) -> None:
        """Raises LeaseLost when the lock file was removed or replaced under the holder."""
        try:
            same = self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise _lost(self._name, f"its file {self._path} was removed")


class AdvisoryLocks:
    """Locks of all hosts on one PostgreSQL: a connection each, freed by the server when it ends."""

    def __init__(self, engine: Engine, space: str) -> None:
        """`space` tells the locks of one warehouse from those of others in the same database."""
        self.space = space
        self._engine = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    @contextmanager
    def held(self, name: str, *, wait: float, note: Callable[[str], None] | None = None) -> Iterator[Held]:
        """Hold the lock `name`, waiting up to `wait` seconds for it; `note` is told once when it has to wait.

        Raises Busy when the wait is over.
        """
        key = int.from_bytes(hashlib.sha256(f"{self.space}\n{name}".encode()).digest()[:8], "big", signed=True)
        with storage_errors(self.space):
            connection = self._engine.connect()
        try:
            with storage_errors(self.space):
                _acquire(connection, key, name, wait, note)
            yield _HeldAdvisory(name, key, connection)
        finally:
            with suppress(DBAPIError):  # a connection that is dead already holds nothing
                connection.close()


class _HeldAdvisory:
    """A session's lock, alive with its connection."""

    def __init__(self, name: str, key: int, connection: Connection) -> None:
        self._name = name
        self._key = key
        self._connection = connection

    def assert_held(self) -> None:
        """Raises LeaseLost when the connection ended, or the server says that it holds the lock no more."""
        query = text(
            "select count(*) from pg_locks where locktype = 'advisory' and granted and pid = pg_backend_pid()"
            " and ((classid::bigint << 32) | objid::bigint) = :key"
        )
        try:
            held = bool(self._connection.execute(query, {"key": self._key}).scalar_one())
        except DBAPIError as problem:
            raise _lost(self._name, "the connection that held it ended") from problem
        if not held:
            raise _lost(self._name, "the server has given it up")


def _acquire(connection: Connection, key: int, name: str, wait: float, note: Callable[[str], None] | None) -> None:
    connection.execute(text(_SESSION))
    deadline = time.monotonic() + wait
    told = False
    while not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
        if not told:
            _tell(note, name, wait)
            told = True
        if time.monotonic() >= deadline:
            raise _busy(name, wait)
        time.sleep(_POLL_SECONDS)


def _tell(note: Callable[[str], None] | None, name: str, wait: float) -> None:
    if note is not None:
        note(f"{name}: another run holds the lease, waiting up to {wait:.0f} s")


def _busy(name: str, wait: float) -> Busy:
    return Busy(
        f"another process has held '{name}' for over {wait:.0f} s",
        next_step="wait for the running refresh to end (see `figurekeeper batches`), then try again",
    )


def _lost(name: str, why: str) -> LeaseLost:
    return LeaseLost(
        f"the lease '{name}' was lost while it was needed: {why}; nothing was made visible",
        next_step="run the same command again; the next holder completes or removes what was begun",
    )
