"""What the journal tells of one part that was read once, and its payloads: all that a parser needs to read it again.

Belongs here: that record alone. Who parses is in flows/rebuild.py, who asks for it in warehouse/replay.py.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from warehouse import clock
from warehouse.arrange import stamp_of
from warehouse.contents import scope_of
from warehouse.payloads import PayloadArchive
from warehouse.schema import PartData, Payload, Scope, Stamp

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Archived:
    """One part of one batch.

    `description` is what its dataset file said then, as JSON; `rows` are those of its payloads, in order; `canonical_hash` is
    that of what was read then (None: schema version 1 did not tell).
    """

    dataset: str
    description: str
    part: str
    stamp: Stamp | None
    scope: Scope
    rows: Sequence[Row]
    archive: PayloadArchive
    canonical_hash: str | None

    def payloads(self) -> tuple[Payload, ...]:
        """The answers, read from the archive and checked. Raises Corrupted, WarehouseError."""
        return tuple(payload_of(row, self.archive.read(row["sha256"])) for row in self.rows)

    def of(self, data: PartData) -> PartData:
        """What was read, as read this time; the payloads' bytes are left out."""
        told = tuple(payload_of(row, b"") for row in self.rows)
        return replace(data, payloads=told, stamp=self.stamp, scope=self.scope)


class Parsers(Protocol):
    """What replay needs of the connectors."""

    def parse(self, parts: Iterable[Archived]) -> Generator[PartData, None, None]:
        """Read parts again, in the order given; lazily, and perhaps several ahead. The caller closes it."""
        ...

    def readings(self, body: Row, archive: PayloadArchive) -> list[dict[str, Any]]:
        """The readings (part, stamp, scope) that a version-1 batch entry does not tell, found out from its payloads."""
        ...


def payload_of(row: Row, content: bytes) -> Payload:
    """A payload from its row."""
    return Payload(
        sha256=row["sha256"],
        content=content,
        method=row["method"],
        url=row["url"],
        body=row["body"],
        status=row["status"],
        headers=row["headers"],
        fetched_at=clock.from_text(row["fetched_at"]),
        attempts=row["attempts"],
    )


def archived_parts(body: Row, archive: PayloadArchive) -> list[Archived]:
    """The parts of a batch entry that were read."""
    description = {name: value for name, value in body["dataset_description"].items() if name != "equality"}
    return [
        Archived(
            dataset=body["dataset"],
            description=json.dumps(description, ensure_ascii=False, sort_keys=True),
            part=reading["part"],
            stamp=stamp_of(reading),
            scope=scope_of(reading["scope"]),
            rows=[row for row in body["payloads"] if row["part"] == reading["part"]],
            archive=archive,
            canonical_hash=reading.get("canonical_hash"),
        )
        for reading in body["readings"]
    ]
