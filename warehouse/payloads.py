"""Bytes kept once under their sha256, gzip-compressed (`zcat` opens them): the answers, and what the journal attaches.

Belongs here: bytes. Who asked for them, when and with what outcome stands in the ledger and the journal.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from warehouse.errors import Corrupted, WarehouseError
from warehouse.storage import Storage

#: gzip, deflate, no flags, no time; then the system that packed it. The hash of the content does not cover them.
_HEAD = b"\x1f\x8b\x08" + bytes(6)
_SYSTEMS = (b"\x03", b"\xff")


class PayloadArchive:
    """Objects `<folder>/ab/abcdef….gz` of a storage; keeping the same bytes twice is a no-op."""

    def __init__(self, storage: Storage, folder: str = "payloads") -> None:
        self.storage = storage
        self.folder = folder

    def name(self, sha256: str) -> str:
        """The storage name for the bytes of that hash, whether or not they are held."""
        return f"{self.folder}/{sha256[:2]}/{sha256}.gz"

    def path(self, sha256: str) -> Path:
        """A local file with the compressed bytes of that hash."""
        return self.storage.local(self.name(sha256))

    def store(self, content: bytes) -> str:
        """Keep the bytes; returns their sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.storage.exists(self.name(sha256)):
            self.storage.write(self.name(sha256), gzip.compress(content, compresslevel=4, mtime=0))
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes of that hash, checked against it.

        Raises WarehouseError when none are held, Corrupted when they no longer match.
        """
        name = self.name(sha256)
        try:
            packed = self.storage.read(name)
            if packed[:9] != _HEAD or packed[9:10] not in _SYSTEMS:
                raise ValueError("its head was changed")
            content = gzip.decompress(packed)
        except FileNotFoundError:
            raise WarehouseError(
                f"no payload {sha256} is held",
                next_step=f"check the hash, or restore {name} from a back-up",
            ) from None
        except (OSError, EOFError, ValueError, zlib.error) as problem:
            raise Corrupted(
                f"payload {self.storage.address(name)} cannot be unpacked ({problem})",
                next_step="restore this file from a back-up",
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Corrupted(
                f"payload {self.storage.address(name)} does not match its sha256",
                next_step="restore this file from a back-up",
            )
        return content

    def hashes(self) -> Iterator[str]:
        """Every hash held."""
        return (Path(name).stem for name in self.storage.list(self.folder) if name.endswith(".gz"))
