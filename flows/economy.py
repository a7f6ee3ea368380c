"""What a refresh need not ask again: everything, while the publisher's stamp has not moved, and lists that are young.

Belongs here: when what is held may stand for an answer. Does not belong here: finding it (warehouse/held_over.py), asking
(the connectors). A stamp saves a reading for some days and never decides a change.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from connectors.contract import KEPT_DAYS, Ask, Known
from connectors.datasets import Dataset
from connectors.http.request import Request
from flows import batch_record
from warehouse import clock, held_over
from warehouse.errors import WarehouseError
from warehouse.schema import Payload
from warehouse.store import DatasetFacts, Warehouse


def sparing(warehouse: Warehouse, facts: DatasetFacts, dataset: Dataset, ask: Ask, address: str) -> Ask:
    """The same question, with what is known and may be recalled; for a reading as of now, while the dataset's lease is held.

    `address` is where will be asked: what another server said does not count.
    """

    server = None if warehouse.profile == "sandbox" else address  # the sandbox comes up on another port every time

    @cache
    def kept(asked: str) -> Payload | None:
        since = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
        try:
            return held_over.answer(warehouse, facts.id, facts.file_sha256, asked, since, server)
        except WarehouseError:  # a broken copy is asked for again; `doctor` tells of it
            return None

    def recall(request: Request) -> Payload | None:
        return kept(request.address)

    known = _known(warehouse, facts, dataset, server) if ask.whole else None
    return replace(ask, known=known, recall=recall)


def told(known: Known | None, dataset: Dataset) -> str:
    """Why nothing was read, in words."""
    if known is None:
        return "there was nothing to ask for"
    return (
        f"the publisher's stamp is still {known.probe}, so nothing else was asked for; everything was read on "
        f"{known.read_at:%Y-%m-%d}, and is due again by {_due(known, dataset):%Y-%m-%d} (--full reads it now)"
    )


def unread_versions(warehouse: Warehouse, dataset: Dataset, ask: Ask) -> list[str]:
    """The old vintages of a question that no batch has read in the last days, oldest first."""
    since = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    read = held_over.asked_for(warehouse, dataset.id, dataset.sha256, since)
    ids = [replace(ask, versions=(version,)) for version in sorted(ask.versions)]
    return [one.versions[0] for one in ids if batch_record.asked(one)["asked"] not in read]


def _due(known: Known, dataset: Dataset) -> datetime:
    """When everything is read again, whatever the publisher's stamp says."""
    return known.read_at + timedelta(days=dataset.calendar.full_read_days)


def _known(warehouse: Warehouse, facts: DatasetFacts, dataset: Dataset, server: str | None) -> Known | None:
    batch = held_over.last_whole(warehouse, facts.id, facts.file_sha256)
    if batch is None or not batch["header"].get("probe") or server not in (None, batch["header"]["address"]):
        return None
    known = Known(batch["header"]["probe"], clock.from_text(batch["fetched_at"]))
    return known if known.read_at <= datetime.now(UTC) < _due(known, dataset) else None
