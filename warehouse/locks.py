"""Leases of the embedded form: kernel file locks, freed by the kernel when their holder dies.

One lease a dataset (a refresh, from fetch to decision), one publish lock for the warehouse (from the table commit to the
edition row). Locks of several hosts live in PostgreSQL and are not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from warehouse.errors import WarehouseError
from warehouse.files import storage_errors


class Busy(WarehouseError):
    """Somebody else holds the lease."""

    retriable = True


@contextmanager
def held(folder: Path, name: str, *, wait: float, note: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock `name`, waiting up to `wait` seconds for it; `note` is told once when it has to wait.

    Raises Busy when the wait is over.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if note is not None:
                note(f"{name}: another run holds the lease, waiting up to {wait:.0f} s")
            lock.acquire(timeout=wait, poll_interval=0.1)
    except Timeout:
        raise Busy(
            f"another process has held '{name}' for over {wait:.0f} s",
            next_step="wait for the running refresh to end (see `figurekeeper batches`), then try again",
        ) from None
    try:
        yield
    finally:
        lock.release()
