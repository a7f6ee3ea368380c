"""The archive of answers: exact bytes, stored once under their sha256, gzip-compressed (`zcat` opens them), fsynced.

Belongs here: bytes. Who asked for them, when and with what outcome stands in the ledger and the journal.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

from warehouse.errors import Corrupted, WarehouseError
from warehouse.files import write_durably


class PayloadArchive:
    """A folder `payloads/ab/abcdef….gz`; writing the same bytes twice is a no-op."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the bytes of that hash lie, whether or not they exist."""
        return self.folder / sha256[:2] / f"{sha256}.gz"

    def store(self, content: bytes) -> str:
        """Keep the bytes; returns their sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.path(sha256).exists():
            write_durably(self.path(sha256), gzip.compress(content, compresslevel=4, mtime=0))
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes of that hash, checked against it.

        Raises WarehouseError when none are held, Corrupted when they no longer match.
        """
        path = self.path(sha256)
        try:
            content = gzip.decompress(path.read_bytes())
        except FileNotFoundError:
            raise WarehouseError(
                f"no payload {sha256} is held",
                next_step="check the hash, or restore the payloads folder from a back-up",
            ) from None
        except (OSError, EOFError, ValueError) as problem:
            raise Corrupted(
                f"payload {path} cannot be unpacked ({problem})", next_step="restore this file from a back-up"
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Corrupted(f"payload {path} does not match its sha256", next_step="restore this file from a back-up")
        return content

    def hashes(self) -> Iterator[str]:
        """Every hash held."""
        return (path.stem for path in sorted(self.folder.glob("*/*.gz")))
