"""The truth of a warehouse, and how it is copied: the journal, what it attaches, and the payloads.

Everything else can be rebuilt from these (warehouse/replay.py). Belongs here: checking them byte by byte, and copying them, for
a back-up or into the folder of a replay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse.errors import Corrupted, UsageError
from warehouse.journal import Journal
from warehouse.payloads import PayloadArchive
from warehouse.storage import LocalStorage, Storage

JOURNAL, ATTACHED, PAYLOADS = "journal", "journal/attached", "payloads"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Truth:
    """Journal, attachments and payloads of a storage."""

    storage: Storage

    @property
    def journal(self) -> Journal:
        """Its journal."""
        return Journal(self.storage, JOURNAL)

    @property
    def attachments(self) -> PayloadArchive:
        """What entries of the journal attach."""
        return PayloadArchive(self.storage, ATTACHED)

    @property
    def payloads(self) -> PayloadArchive:
        """The answers of the providers."""
        return PayloadArchive(self.storage, PAYLOADS)

    def entries(self) -> Iterator[dict[str, Any]]:
        """The journal's entries, checked. Raises Corrupted."""
        return self.journal.entries()


@dataclass(frozen=True)
class Copied:
    """What a copy brought: entries in the journal, and files that were new in the copy, of how many in all."""

    entries: int
    new: int
    held: int


def copy(source: Storage, target: Storage, *, link: bool = False, progress: Progress | None = None) -> Copied:
    """Bring a truth up to date in another place, and check every file that is new there.

    The journal is taken first, and then what it names and more: a payload is durable before an entry tells of it, so the copy
    is whole although the source is in use. `link`: hard links, where both are folders of one disk, and no fsync. Raises Corrupted
    naming the file, WarehouseError for a payload that is missing.
    """

    def bring(name: str) -> None:
        _copy(source, target, name, link)
        check_file(target, name)

    segments = _copy_journal(source, target, link)
    names = [*source.list(PAYLOADS), *source.list(ATTACHED)]
    held = {*target.list(PAYLOADS), *target.list(ATTACHED)}
    missing = [name for name in names if name not in held]
    with ThreadPoolExecutor() as threads:
        for number, _ in enumerate(threads.map(bring, missing), start=1):
            if progress is not None:
                progress(number, len(missing))
    entries = check_names(Truth(target))
    return Copied(entries, segments + len(missing), segments + len(names))


def assert_apart(root: Path, place: Path) -> None:
    """Raises UsageError when a place for a copy is the warehouse folder `root`, lies in it or around it, or in another one."""
    place = place.resolve()
    other = next((folder for folder in (place, *place.parents) if (folder / "catalog.sqlite").exists()), None)
    if other is None and (place.is_relative_to(root) or root.is_relative_to(place)):
        other = root
    if other is not None:
        raise UsageError(
            f"{place} cannot be used: a warehouse lies in {other}",
            next_step="name a folder outside of every warehouse; for a back-up, best on another disk",
        )


def check(truth: Truth) -> int:
    """Check every entry and every file that one names; the number of entries. Raises Corrupted, WarehouseError."""
    for name in (*truth.storage.list(PAYLOADS), *truth.storage.list(ATTACHED)):
        check_file(truth.storage, name)
    return check_names(truth)


def check_names(truth: Truth) -> int:
    """Check that all that the journal names is there; the number of entries. Raises Corrupted, WarehouseError."""
    held = {*truth.storage.list(PAYLOADS), *truth.storage.list(ATTACHED)}
    count = 0
    for entry in truth.entries():
        count += 1
        for archive, sha256 in named(truth, entry):
            if archive.name(sha256) not in held:
                raise Corrupted(
                    f"{truth.storage.address(archive.name(sha256))} is missing; journal entry {entry['n']} names it",
                    next_step="restore this file from a back-up",
                )
    return count


def named(truth: Truth, entry: dict[str, Any]) -> list[tuple[PayloadArchive, str]]:
    """The archives and hashes of all that an entry names."""
    body = entry["body"]
    payloads = [(truth.payloads, row["sha256"]) for row in body.get("payloads", ())]
    return payloads + [(truth.attachments, sha256) for sha256 in body.get("attachments", {}).values()]


def check_file(storage: Storage, name: str) -> None:
    """Check one archived file. Raises Corrupted, WarehouseError."""
    folder, _, rest = name.rpartition("/")
    PayloadArchive(storage, folder.rpartition("/")[0]).read(rest.removesuffix(".gz"))


def _copy_journal(source: Storage, target: Storage, link: bool) -> int:
    """Copy the journal's segments that are new; one that was joined with others meanwhile is found in the joined one."""
    count = 0
    held = {segment.name for segment in Journal(target, JOURNAL).segments()}
    for segment in Journal(source, JOURNAL).segments():
        try:
            if segment.name in held and (segment.last or target.read(segment.name) == source.read(segment.name)):
                continue  # immutable; but version 1 wrote its only one on and on
            _copy(source, target, segment.name, link)
            count += 1
        except FileNotFoundError:
            return count + _copy_journal(source, target, link)
    return count


def _copy(source: Storage, target: Storage, name: str, link: bool) -> None:
    if link and isinstance(source, LocalStorage) and isinstance(target, LocalStorage):
        path = target.local(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.local(name), path)
            return
        except FileExistsError:
            return
        except OSError:  # another disk, or one without links
            pass
    target.write(name, source.read(name))
