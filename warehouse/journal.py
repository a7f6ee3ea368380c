"""The journal: one JSON line a decision, in immutable segments beside the payloads; with them it is the whole truth.

Belongs here: appending, reading, checking and joining segments. Each entry carries its number and a sha256 over itself and
its predecessor's, so that a changed, missing or reordered line is found and named. Numbers increase, but may have gaps.

A segment `<first>-<last>.jsonl` is what one flush brought; it is never changed. Segments may overlap (one written again after
a crash, or a joined one beside its parts): an entry met twice with the same sha256 is read once. `journal.jsonl` is the single
file of schema version 1: the first segment, where there is one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from warehouse.errors import Corrupted
from warehouse.storage import Storage

#: An entry that is to be appended: number, kind, body.
Owed = tuple[int, str, dict[str, Any]]
#: Number and sha256 of an entry: where a journal ends.
End = tuple[int, str]
#: Segments with more numbers than these are left as they are when others are joined.
_SMALL = 1000


def _digest(previous: str, number: int, kind: str, body: dict[str, Any]) -> str:
    text = json.dumps([previous, number, kind, body], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, order=True)
class Segment:
    """A file of the journal, with the numbers of its first and last entry."""

    first: int
    last: int
    name: str

    @property
    def small(self) -> bool:
        """True when joining it with others saves a file worth saving."""
        return self.last - self.first < _SMALL


class Journal:
    """The segments in one folder of a storage; who appends or joins holds the publish lock."""

    def __init__(self, storage: Storage, folder: str = "journal") -> None:
        self.storage = storage
        self.folder = folder

    def append(self, entries: Sequence[Owed], after: End | None = None) -> End | None:
        """Append owed entries, in rising order, as one segment; returns the new end, None when nothing was ever written.

        `after`: where the journal ended when its catalogue brought the last ones. What stands there since, or under one of
        these numbers, must be these entries, brought by an append that was cut off; they are skipped. Raises Corrupted.
        """
        end = self.tail()
        if after not in (None, end) or (entries and entries[0][0] <= end[0]):
            self._assert_brought(entries, after, end)
        new = [entry for entry in entries if entry[0] > end[0]]
        lines: list[bytes] = []
        for number, kind, body in new:
            end = number, _digest(end[1], number, kind, body)
            line = {"n": number, "kind": kind, "body": body, "sha256": end[1]}
            lines.append(json.dumps(line, ensure_ascii=False).encode())
        if new:
            self._write(new[0][0], end[0], lines)
        return end if end[0] else None

    def tail(self) -> End:
        """Number and sha256 of the newest entry; (0, "") when there is none. Only the newest segment is read.

        Raises Corrupted when that one is damaged.
        """
        segments = self.segments()
        if not segments:
            return 0, ""
        newest = max(segments, key=lambda segment: segment.last)
        lines = self._lines(newest)
        if not lines and newest.name == self._version_1:
            return 0, ""
        entry = self._parsed(newest, len(lines), lines[-1] if lines else b"")
        if newest.name != self._version_1 and entry["n"] != newest.last:
            raise self._misfit(newest, len(lines))
        return entry["n"], entry["sha256"]

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every entry in order, checked: n, kind, body, sha256. Raises Corrupted naming the first line that does not fit."""
        return (entry for entry, _ in self._checked())

    def segments(self) -> list[Segment]:
        """The files of the journal, in the order of their entries."""
        found = []
        for name in self.storage.list(self.folder, deep=False):
            numbers = name.rsplit("/", 1)[-1].removesuffix(".jsonl").split("-")
            if name == self._version_1:
                found.append(Segment(0, 0, name))
            elif len(numbers) == 2 and all(number.isdecimal() for number in numbers):
                found.append(Segment(int(numbers[0]), int(numbers[1]), name))
        return sorted(found)

    def merge(self, before: int) -> list[str]:
        """Join small neighbouring segments whose entries are all numbered below `before`; the names of the files removed.

        The joined segment is durable before its parts go, so a merge that is cut off leaves a journal that reads as before.
        """
        runs = [
            list(run)
            for small, run in groupby(self.segments(), lambda one: one.first > 0 and one.last < before and one.small)
            if small
        ]
        spans = [(run[0].first, max(one.last for one in run)) for run in runs if len(run) > 1]
        joined: dict[tuple[int, int], list[bytes]] = {span: [] for span in spans}
        for entry, line in self._checked():
            for first, last in joined:
                if first <= entry["n"] <= last:
                    joined[first, last].append(line)
        for (first, last), lines in joined.items():
            self._write(first, last, lines)
        covered = list(_covered(self.segments()))
        for name in covered:
            self.storage.remove(name)
        return covered

    def _assert_brought(self, entries: Sequence[Owed], after: End | None, end: End) -> None:
        """`after` is held, and what stands beyond it is the beginning of the owed entries."""
        held: list[End] = [(0, ""), *((entry["n"], entry["sha256"]) for entry in self.entries())]
        where = self.storage.address(self.folder)
        if after is not None and after not in held:
            raise Corrupted(
                f"journal {where}: entry {after[0]}, which the catalogue brought there last, is missing or another one",
                next_step="restore the newest files of the journal from a back-up; what is owed to it is kept meanwhile",
            )
        since = after[0] if after is not None else entries[0][0] - 1
        digest = max(one for one in held if one[0] <= since)[1]
        brought: list[End] = []
        for number, kind, body in entries:
            if number <= end[0]:
                digest = _digest(digest, number, kind, body)
                brought.append((number, digest))
        if brought != [one for one in held if one[0] > since]:
            raise Corrupted(
                f"journal {where}: what stands there after entry {since} was not brought by this catalogue",
                next_step="see that no other catalogue writes there; when this one is an older copy, make the warehouse anew "
                "from the journal with `figurekeeper replay --into DIR`",
            )

    @property
    def _version_1(self) -> str:
        return f"{self.folder}/journal.jsonl"

    def _write(self, first: int, last: int, lines: Sequence[bytes]) -> None:
        self.storage.write(f"{self.folder}/{first:012}-{last:012}.jsonl", b"".join(line + b"\n" for line in lines))

    def _checked(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Each entry once, with its line. What overlaps is checked too: it must be the same."""
        number, digest = 0, ""
        chain: dict[int, tuple[str, str]] = {}  # of each entry: its predecessor's sha256 and its own
        remaining = self.segments()
        while remaining:
            segment = remaining.pop(0)
            try:
                lines = self._lines(segment)
            except FileNotFoundError:  # joined by another process just now; what was read already is skipped
                remaining = self.segments()
                continue
            entry = None
            for position, line in enumerate(lines, start=1):
                entry = self._parsed(segment, position, line)
                previous, known = chain.get(entry["n"], (digest, None))
                fits = entry["sha256"] == _digest(previous, entry["n"], entry["kind"], entry["body"])
                if not fits or (known is None and entry["n"] <= number) or known not in (None, entry["sha256"]):
                    raise self._misfit(segment, position)
                if known is None:
                    chain[entry["n"]] = (digest, entry["sha256"])
                    number, digest = entry["n"], entry["sha256"]
                    yield entry, line
            if segment.name != self._version_1 and (entry is None or entry["n"] != segment.last):
                raise self._misfit(segment, len(lines) + 1)

    def _lines(self, segment: Segment) -> list[bytes]:
        """The lines of a segment. A half-written last one of version 1 is none: its entry came again."""
        lines = self.storage.read(segment.name).split(b"\n")
        return lines[:-1] if segment.name == self._version_1 or not lines[-1] else lines

    def _parsed(self, segment: Segment, position: int, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
            return {"n": int(entry["n"]), "kind": entry["kind"], "body": entry["body"], "sha256": str(entry["sha256"])}
        except (ValueError, KeyError, TypeError):
            raise self._misfit(segment, position) from None

    def _misfit(self, segment: Segment, position: int) -> Corrupted:
        return Corrupted(
            f"journal {self.storage.address(segment.name)}, line {position}: the entry was changed, or others are missing "
            "before it",
            next_step="restore the journal from a back-up",
        )


def _covered(segments: Sequence[Segment]) -> Iterator[str]:
    """The names of segments all of whose entries are in another one, too."""
    reach = -1
    for segment in sorted(segments, key=lambda one: (one.first, -one.last)):
        if segment.last <= reach:
            yield segment.name
        reach = max(reach, segment.last)
