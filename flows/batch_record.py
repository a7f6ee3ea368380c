"""What a batch record says of the requests behind it.

Belongs here: shapes of the record. When it is written is the sequence's matter (pipeline).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectors.contract import Fetched, PartFetch
from connectors.datasets import Dataset
from connectors.errors import UnexpectedPayload
from warehouse.schema import Payload

if TYPE_CHECKING:
    from connectors.transport import Transport


def unreadable(dataset: Dataset, answer: PartFetch, error: Exception) -> UnexpectedPayload:
    """A parser's own failure on an answer: never lost, never taken for data."""
    shas = ", ".join(payload.sha256[:12] for payload in answer.payloads)
    return UnexpectedPayload(
        f"part {answer.part} cannot be read: {type(error).__name__}: {error} (payload {shas})",
        dataset=dataset.id,
        next_step="open the payload with `figurekeeper payload SHA256`; the provider may have changed its format",
    )


def sent(transport: Transport, address: str, circumstances: Mapping[str, Any]) -> dict[str, Any]:
    """Where was asked and under which circumstances, and every request with its outcome, retries included."""
    return {
        "address": address,
        **circumstances,
        "requests": transport.sent,
        "retries": transport.retries,
        "sent": [
            {"url": record.url, "part": record.part, "attempt": record.attempt, "outcome": record.outcome}
            for record in transport.log
        ],
    }


def payloads(fetched: Fetched) -> list[tuple[str | None, Payload]]:
    """Every answer with the part it is for, in the order of fetching; probes are for none."""
    probes: list[tuple[str | None, Payload]] = [(None, payload) for payload in fetched.probes]
    return probes + [(answer.part, payload) for answer in fetched.parts for payload in answer.payloads]
