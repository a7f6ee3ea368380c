"""What need not be asked again: everything, while the publisher's stamp has not moved; lists that are young; and what a
backfill that was cut off has been answered already.

Belongs here: when what is held may stand for an answer. Does not belong here: finding it (warehouse/held_over.py), asking
(the connectors). A stamp saves a reading for some days and never decides a change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

from sqlalchemy.engine import RowMapping

from connectors.contract import KEPT_DAYS, Ask, Known
from connectors.datasets import Dataset
from connectors.errors import SPOILS_ANSWERS
from connectors.http.kept import Earlier, Kept, Key
from connectors.http.request import Request
from flows import batch_record
from warehouse import answered, clock, held_over
from warehouse.answered import Unfinished
from warehouse.archived import payload_of
from warehouse.errors import WarehouseError
from warehouse.schema import Payload
from warehouse.store import DatasetFacts, Warehouse

#: The actor of a backfill's batches.
BACKFILL = "backfill"
_SPOILT = {kind.__name__ for kind in SPOILS_ANSWERS}


def sparing(
    warehouse: Warehouse, facts: DatasetFacts, dataset: Dataset, ask: Ask, address: str, cut_off: Kept | None = None
) -> Ask:
    """The same question, with what is known and may be recalled; for a reading as of now, while the dataset's lease is held.

    `address` is where will be asked: what another server said does not count. Lists that runs which were `cut_off` have been
    given may be recalled, too.
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
        return kept(request.address) or (cut_off.look(request) if cut_off is not None else None)

    known = _known(warehouse, facts, dataset, server) if ask.whole else None
    return replace(ask, known=known, recall=recall)


def cut_off(warehouse: Warehouse, dataset: Dataset, ask: Ask, address: str | None = None) -> Kept:
    """What backfills with the same question were answered in the last days that were stopped, killed, or got only some of it.

    `address` as in `sparing`; None: wherever. Answers of which a run could make nothing do not count, nor does what was kept
    before it: that may be the same. The dataset's lease is held, or only a plan is made.
    """
    asked = batch_record.asked(ask).get("asked", {})
    since = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    runs = answered.unfinished(warehouse, dataset.id, dataset.sha256, BACKFILL, asked, since)
    server = None if warehouse.profile == "sandbox" else address
    found: list[Earlier] = []
    unfit: frozenset[str] = frozenset()
    for run in runs:
        if server not in (None, run.address):
            continue
        if run.errors[""] in _SPOILT:
            break
        unfit |= {part for part, error in run.errors.items() if error in _SPOILT}
        found.append(_earlier(warehouse, run, unfit))
    return Kept(found)


def _earlier(warehouse: Warehouse, run: Unfinished, unfit: frozenset[str]) -> Earlier:
    def read(row: RowMapping) -> Payload | None:
        try:
            return payload_of(dict(row), warehouse.payloads.read(row["sha256"]))
        except WarehouseError:
            return None

    answers: dict[Key, list[Callable[[], Payload | None]]] = {}
    for row in run.rows:
        key = row["method"], row["url"].removeprefix(f"{run.address}/"), row["body"]
        answers.setdefault(key, []).append(partial(read, row))
    return Earlier(answers, unfit)


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
