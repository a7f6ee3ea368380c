"""The journal: one JSON line a decision, appended and fsynced beside the payloads; with them it is the whole truth.

Belongs here: appending, reading and checking lines. Each line carries its number and a sha256 over itself and its
predecessor's, so a changed or missing line is found and named.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from warehouse.errors import Corrupted
from warehouse.files import fsync_path, storage_errors


def _digest(previous: str, number: int, kind: str, body: dict[str, Any]) -> str:
    text = json.dumps([previous, number, kind, body], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    """An append-only file; the caller holds the publish lock while appending."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entries: list[tuple[int, str, dict[str, Any]]]) -> None:
        """Append (number, kind, body) entries whose numbers are not in the file yet; the rest is skipped.

        A half-written last line, left by a crash, is cut off first: its entry is still owed and comes again.
        """
        last_number, last_digest, good_bytes = self._tail()
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fsync_path(self.path.parent.parent)
            with self.path.open("ab") as file:
                file.truncate(good_bytes)
                for number, kind, body in entries:
                    if number <= last_number:
                        continue
                    last_digest = _digest(last_digest, number, kind, body)
                    line = {"n": number, "kind": kind, "body": body, "sha256": last_digest}
                    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                    last_number = number
                file.flush()
                os.fsync(file.fileno())
            fsync_path(self.path.parent)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every entry in order, checked. Raises Corrupted naming the first line that does not fit."""
        if not self.path.exists():
            return
        previous, number = "", 0
        with self.path.open("rb") as file:
            for position, line in enumerate(file, start=1):
                try:
                    entry: dict[str, Any] = json.loads(line)
                    digest = _digest(previous, entry["n"], entry["kind"], entry["body"])
                except (ValueError, KeyError):
                    digest, entry = "", {"sha256": None}
                if digest != entry["sha256"] or entry["n"] != number + 1:
                    raise Corrupted(
                        f"journal {self.path}, line {position}: the entry was changed, or others are missing before it",
                        next_step="restore the journal from a back-up",
                    )
                previous, number = digest, entry["n"]
                yield entry

    def _tail(self) -> tuple[int, str, int]:
        """Number and digest of the last whole line, and the bytes up to its end."""
        if not self.path.exists():
            return 0, "", 0
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            window = 1 << 16
            while True:
                start = max(0, size - window)
                file.seek(start)
                block = file.read(size - start)
                lines = block.split(b"\n")
                whole = lines[:-1] if start == 0 else lines[1:-1]
                if whole or start == 0:
                    break
                window *= 4
        good = size - len(lines[-1])
        if not whole:
            return 0, "", 0
        try:
            entry = json.loads(whole[-1])
            return int(entry["n"]), str(entry["sha256"]), good
        except (ValueError, KeyError):
            raise Corrupted(
                f"journal {self.path}: its last whole line is damaged", next_step="restore the journal from a back-up"
            ) from None
