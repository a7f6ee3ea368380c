"""Places that an operator names to be written to (`--to`, `--into`): whether they can be, before any work is done.

Belongs here: that question, as callbacks of the command line's options. Whether a place is a wise one (a back-up within what it
backs up) is asked where it is used.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from warehouse.errors import UsageError


def file(path: Path | None) -> Path | None:
    """A file that can be written, or written anew. Raises UsageError."""
    return path if path is None else _checked(path, folder=False)


def folder(path: Path | None) -> Path | None:
    """A folder that can be written, or be made. Raises UsageError."""
    return path if path is None else _checked(path, folder=True)


def _checked(path: Path, *, folder: bool) -> Path:
    try:
        if not folder and path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        whole = path.absolute()
        above = next(place for place in (whole, *whole.parents) if place.exists() and (folder or place != whole))
        with tempfile.TemporaryFile(dir=above):  # without a name: nothing is left
            pass
    except OSError as problem:
        wanted = "a folder that can be written, or made" if folder else "a file in a folder that can be written"
        raise UsageError(f"cannot write to {path}: {problem.strerror}", next_step=f"name {wanted}") from problem
    return path
