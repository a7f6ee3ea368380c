"""Files that survive a power cut: written beside their place, fsynced, renamed over it, folder fsynced.

Also the one place where a full or forbidden disk becomes a typed error.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.errors import StoreUnwritable

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}

_WORDS = ("No space left", "disk is full", "readonly database", "Read-only file system", "unable to open database")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into StoreUnwritable."""
    try:
        yield
    except Exception as problem:
        if not _unwritable(problem):
            raise
        raise StoreUnwritable(
            f"cannot write {path}: {getattr(problem, 'strerror', None) or str(problem).splitlines()[0]}",
            next_step="free space or mend the permissions of that folder, then run the same command again; "
            "what was published stays, and what was about to be is completed by the next run",
        ) from problem


def _unwritable(problem: Exception) -> bool:
    """True for a disk that takes nothing more; DuckDB and SQLite say so in words of their own."""
    if isinstance(problem, OSError) and problem.errno in _UNWRITABLE:
        return True
    return type(problem).__module__.split(".")[0] in ("duckdb", "_duckdb", "sqlalchemy", "sqlite3") and any(
        word in str(problem) for word in _WORDS
    )


def fsync_path(path: Path) -> None:
    """Force a file's (or folder's) content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; on success it is fsynced and renamed over `path`, on failure removed."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
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
