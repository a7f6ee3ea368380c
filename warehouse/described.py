"""What was read of how a provider describes its data, and which of these readings stands: the newest that was accepted.

A reading stands in the header of its batch (`structure`), its answers among the payloads: nothing else is kept of it, so a
replay has it, too. Belongs here: finding them. What an answer says, and when it is read again, is not this module's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from warehouse import clock, ledger
from warehouse.archived import payload_of
from warehouse.lineage import GOOD
from warehouse.schema import Payload
from warehouse.store import Warehouse


@dataclass(frozen=True)
class Reading:
    """One reading of a dataset's structure. `accepted`: by the gate or by a person; `whole`: no answer was missing.

    `probe` is the publisher's word for the state of the data that were read with it.
    """

    batch_id: str
    read_at: datetime
    accepted: bool
    whole: bool
    probe: str | None
    sha256s: tuple[str, ...]


def told(read_at: datetime, payloads: Sequence[Payload], probe: str | None, *, whole: bool) -> dict[str, Any]:
    """What a batch's header tells of its reading, under the name `structure`."""
    return {
        "read_at": clock.to_text(read_at),
        "whole": whole,
        "probe": probe,
        "payloads": list(dict.fromkeys(payload.sha256 for payload in payloads)),
    }


def last_and_accepted(warehouse: Warehouse, dataset: str, until: datetime) -> tuple[Reading | None, Reading | None]:
    """The last reading up to a moment, and the last of those that were accepted; None where there is none."""
    columns = ledger.batches.c
    at = columns.header[("structure", "read_at")].as_string()
    query = (
        select(columns.batch_id, columns.decision, columns.header)
        .where(columns.dataset == dataset, columns.state == "done", at <= clock.to_text(until))
        .order_by(at.desc(), columns.started_at.desc())
    )
    last = None
    with warehouse.engine.connect() as connection:
        for batch_id, decision, header in connection.execute(query):
            reading = _reading(batch_id, decision in GOOD, header)
            last = last or reading
            if reading.accepted and reading.whole:
                return last, reading
    return last, None


def answers(warehouse: Warehouse, reading: Reading) -> tuple[Payload, ...]:
    """The payloads of a reading, from the archive. Raises Corrupted, WarehouseError."""
    columns = ledger.payloads.c
    query = (
        select(ledger.payloads)
        .where(columns.batch_id == reading.batch_id, columns.sha256.in_(reading.sha256s))
        .order_by(columns.number)
    )
    with warehouse.engine.connect() as connection:
        rows = {row["url"]: dict(row) for row in connection.execute(query).mappings()}
    return tuple(payload_of(row, warehouse.payloads.read(row["sha256"])) for row in rows.values())


def _reading(batch_id: str, accepted: bool, header: Mapping[str, Any]) -> Reading:
    one = header["structure"]
    return Reading(
        batch_id,
        clock.from_text(one["read_at"]),
        accepted,
        one["whole"],
        one["probe"],
        tuple(one["payloads"]),
    )
