"""What a batch record says of the requests behind it.

Belongs here: shapes of the record. When it is written is the sequence's matter (pipeline).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.contract import Ask, Fetched, PartFetch
from connectors.datasets import Dataset
from connectors.errors import NotAsked, UnexpectedPayload
from warehouse.contents import told_scope
from warehouse.errors import FigurekeeperError
from warehouse.schema import PartData, Payload

if TYPE_CHECKING:
    from connectors.http.transport import Transport


def unreadable(dataset: Dataset, answer: PartFetch, error: Exception) -> UnexpectedPayload:
    """A parser's own failure on an answer: never lost, never taken for data."""
    shas = ", ".join(payload.sha256[:12] for payload in answer.payloads)
    return UnexpectedPayload(
        f"part {answer.part} cannot be read: {type(error).__name__}: {error} (payload {shas})",
        dataset=dataset.id,
        next_step="open the payload with `figurekeeper payload SHA256`; the provider may have changed its format",
    )


def asked(ask: Ask) -> dict[str, Any]:
    """What was asked for, unless everything was."""
    if ask.whole:
        return {}
    parts = list(ask.parts) if ask.parts is not None else None
    return {"asked": {"parts": parts, "scope": told_scope(ask.scope), "versions": list(ask.versions)}}


def sent(transport: Transport, address: str, circumstances: Mapping[str, Any]) -> dict[str, Any]:
    """Where was asked and under which circumstances, and every request with its outcome, retries included; and how many
    answers were kept of runs that were cut off."""
    return {
        "address": address,
        **circumstances,
        "requests": transport.sent,
        "retries": transport.retries,
        **({"recalled": transport.recalled} if transport.recalled else {}),
        "sent": [
            {"url": record.url, "part": record.part, "attempt": record.attempt, "outcome": record.outcome}
            for record in transport.log
        ],
    }


def handed_in(circumstances: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a batch whose answers are files: nobody was asked."""
    return {"address": "", **circumstances, "requests": 0, "retries": 0, "sent": []}


def probed(fetched: Fetched) -> dict[str, Any]:
    """The publisher's own word for the state that was found, where it has one, and whether that alone was asked for."""
    told = {"probe": fetched.probe} if fetched.probe is not None else {}
    return told | ({"unmoved": True, "parts": {}} if fetched.unmoved else {})


def shortfalls(read: Iterable[PartData], errors: Mapping[str, FigurekeeperError]) -> dict[str, Any]:
    """What was left out and why: values and rows by part and reason, parts by the class of their error, and how many of
    these were not even asked for."""
    return {
        "skipped": {data.part: data.skipped for data in read if data.skipped},
        "failed": {part: type(error).__name__ for part, error in errors.items()},
        "not_asked": sum(isinstance(error, NotAsked) for error in errors.values()),
    }


def payloads(
    fetched: Fetched, structure: Sequence[Payload] = (), archived: Sequence[tuple[str | None, Payload]] = ()
) -> list[tuple[str | None, Payload]]:
    """Every answer with the part it is for; probes, those about the structure, and others beside those from which a part was
    read are for none."""
    read = [(answer.part, payload) for answer in fetched.parts for payload in answer.payloads]
    told = [*((None, payload) for payload in fetched.probes), *read, *((None, payload) for payload in structure)]
    known, parts = {id(payload) for _, payload in told}, {part for part, _ in read}
    beside = [(None if part in parts else part, payload) for part, payload in archived if id(payload) not in known]
    return [*told, *beside]
