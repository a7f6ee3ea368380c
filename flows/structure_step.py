"""The step of a batch that looks at the structure of the data before their values are judged.

Belongs here: when it is due, what it is compared with, and what the batch records of it. Does not belong here: how a structure
is read and compared (connectors/structures.py), or what a difference means (expectations/structure_rules.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors import structures
from connectors.contract import Ask, Fetched
from connectors.datasets import Dataset
from connectors.errors import BadRequest, NoData, NotFound, ProviderError, UnexpectedPayload
from expectations.structure_rules import StructureEvidence
from warehouse import described
from warehouse.described import Reading
from warehouse.schema import Payload
from warehouse.store import Warehouse

if TYPE_CHECKING:
    from connectors.http.transport import Transport

#: A structure that was accepted is read again after so long, even when no probe has moved.
MAX_AGE = timedelta(days=7)
#: Answers of a provider that is there and understands us.
_ANSWERS = (NoData, NotFound, BadRequest, UnexpectedPayload)


@dataclass(frozen=True)
class Looked:
    """What was seen: the answers to record, the header's entry about them, and what the gate is to judge."""

    payloads: tuple[Payload, ...]
    told: Mapping[str, Any]
    evidence: StructureEvidence


def look(warehouse: Warehouse, dataset: Dataset, ask: Ask, fetched: Fetched, transport: Transport) -> Looked | None:
    """Read the structure when it is due, a part was refused or a person wants everything read, and compare it with the
    accepted one, or at first with the dataset file.

    None when it is not due, and for archives, of whose vintages today's structure says nothing. Raises no ProviderError: a
    structure that cannot be read costs no data, and is a finding.
    """
    at_hand = (*fetched.probes, *(payload for part in fetched.parts for payload in part.payloads))
    if fetched.unmoved or ask.versions or not at_hand or not _answered(fetched):
        return None
    now = max(payload.fetched_at for payload in at_hand)
    last, accepted = described.last_and_accepted(warehouse, dataset.id, now)
    refused = any(part.error is not None for part in fetched.parts)
    if not (ask.full or refused or due(last, accepted, now, fetched.probe)):
        return None
    begun = last is not None and not last.whole and now - last.read_at < MAX_AGE
    before = described.answers(warehouse, last) if last and begun else ()
    answers = structures.fetch(dataset, (*before, *at_hand), transport.for_structures())
    evidence = _evidence(warehouse, dataset, answers, accepted)
    told = described.told(now, answers.payloads, fetched.probe, whole=evidence.error is None)
    known = {payload.sha256 for payload in at_hand}
    return Looked(tuple(p for p in answers.payloads if p.sha256 not in known), {"structure": told}, evidence)


def due(last: Reading | None, accepted: Reading | None, now: datetime, probe: str | None) -> bool:
    """True when no structure was accepted yet, when the accepted one is old or another has been read since, and when the
    publisher's probe has moved."""
    if accepted is None or last != accepted or now - accepted.read_at >= MAX_AGE:
        return True
    return probe is not None and probe != accepted.probe


def _answered(fetched: Fetched) -> bool:
    """True when the provider answered for one part at least, be it to refuse."""
    return any(part.error is None or isinstance(part.error, _ANSWERS) for part in fetched.parts)


def _evidence(
    warehouse: Warehouse, dataset: Dataset, answers: structures.Answers, accepted: Reading | None
) -> StructureEvidence:
    if answers.error is not None:
        return StructureEvidence(error=answers.error)
    reader = structures.reader(dataset.provider)
    try:
        found = reader.read(dataset, answers.payloads)
    except ProviderError as error:
        return StructureEvidence(error=error)
    return StructureEvidence(tuple(structures.compare(reference(warehouse, dataset, accepted), found)))


def reference(warehouse: Warehouse, dataset: Dataset, accepted: Reading | None) -> structures.Structure:
    """The accepted structure as the dataset file of today sees it; what the file expects, when that is of another flow."""
    if accepted is not None:
        try:
            return structures.reader(dataset.provider).read(dataset, described.answers(warehouse, accepted))
        except ProviderError:
            pass
    return structures.expected(dataset)
