"""Files that survive a power cut: written beside their place, fsynced, renamed over it, folder fsynced.

Also the one place where a full or forbidden disk becomes a typed error.
"""

from __future__ import annotations

import ctypes
import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.errors import StoreUnwritable, WarehouseError

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}

#: PostgreSQL's: not permitted, disk full, a read-only server.
_STATES = {"42501", "53100", "25006"}
_WORDS = ("No space left", "disk is full", "readonly database", "Read-only file system", "unable to open database")
#: Of Linux's renameat2.
_EXCHANGE = 2


class StoreUnreachable(WarehouseError):
    """The catalogue's server or the object storage cannot be reached, or refuses."""

    retriable = True


@contextmanager
def storage_errors(place: Path | str) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into StoreUnwritable, a lost database server into StoreUnreachable."""
    try:
        yield
    except Exception as problem:
        if lost := unreachable(problem):
            raise lost from problem
        if not _unwritable(problem):
            raise
        raise StoreUnwritable(
            f"cannot write {place}: {getattr(problem, 'strerror', None) or _first_line(problem)}",
            next_step="free space or mend the permissions of that folder, then run the same command again; "
            "what was published stays, and what was about to be is completed by the next run",
        ) from problem


def unreachable(problem: BaseException, *, lost: bool = False) -> StoreUnreachable | None:
    """What a database error is when the server was lost, or never found; None for others. `lost`: it is known to be."""
    if not lost and not _server_lost(problem):
        return None
    return StoreUnreachable(
        f"the catalogue's server cannot be reached: {_first_line(problem)}",
        next_step="see that it runs and that FIGUREKEEPER_CATALOG_URI is right, then run the same command again; "
        "what was published stays, and what was about to be is completed by the next run",
    )


def _unwritable(problem: Exception) -> bool:
    """True for a disk that takes nothing more, or a database that permits nothing; databases say so in words of their own."""
    if isinstance(problem, OSError) and problem.errno in _UNWRITABLE:
        return True
    if getattr(_cause(problem), "sqlstate", None) in _STATES:
        return True
    return type(problem).__module__.split(".")[0] in ("duckdb", "_duckdb", "sqlalchemy", "sqlite3") and any(
        word in str(problem) for word in _WORDS
    )


def _server_lost(problem: BaseException) -> bool:
    """True when the connection to PostgreSQL was lost, or never came about; SQLAlchemy wraps its driver's errors."""
    if getattr(problem, "connection_invalidated", False):
        return True
    cause = _cause(problem)
    driver_says = any(
        kind.__module__.startswith("psycopg") and kind.__name__ == "OperationalError" for kind in type(cause).mro()
    )
    state = getattr(cause, "sqlstate", None)
    return driver_says and (state is None or state.startswith(("08", "57P")))  # not a deadlock or a timeout


def _cause(problem: BaseException) -> object:
    """The driver's own error, where SQLAlchemy wraps it."""
    return getattr(problem, "orig", None) or problem


def _first_line(problem: BaseException) -> str:
    return next(iter(str(problem).splitlines()), type(problem).__name__)


def fsync_path(path: Path) -> None:
    """Force a file's (or folder's) content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each fsynced into the one above."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        fsync_path(path.parent)


def exchange(one: Path, other: Path) -> None:
    """Let two paths change places, so that nobody finds either of them missing; raises OSError where that cannot be done.

    Linux's renameat2 with RENAME_EXCHANGE, which Python does not offer.
    """
    library = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD
    if library.renameat2(here, os.fsencode(one), here, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; on success it is fsynced and renamed over `path`, on failure removed."""
    with storage_errors(path):
        make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        try:
            yield temporary
            fsync_path(temporary)
            temporary.replace(path)
            fsync_path(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a whole file atomically and durably."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
