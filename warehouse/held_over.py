"""What the last good reading of a dataset left behind, by which the next one may spare itself requests.

Belongs here: finding it in the ledger, and when it counts no more. What a provider is spared for it is the connectors' matter.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from warehouse import clock, ledger
from warehouse.archived import payload_of
from warehouse.lineage import GOOD
from warehouse.schema import Decision, Payload
from warehouse.store import Warehouse

#: So many of the newest answers tell how large the next ones will be.
_LOOKED_AT = 2000
#: So many of the newest batches tell how long the next one will take.
_BATCHES_LOOKED_AT = 20
_BY_A_PERSON = (Decision.RELEASED.value, Decision.DISCARDED.value, Decision.VOIDED.value)


def last_whole(warehouse: Warehouse, dataset: str, file_sha256: str) -> RowMapping | None:
    """The batch in which everything of a dataset was last read as of now, with the same dataset file.

    None when anything since then was not good: a batch that failed, left parts unread or was held back, or a person's
    decision on another one; nor after a batch that published something else than the state of now, which may stand where the
    provider's last word should. Batches that found the publisher's stamp unmoved stand in between and are passed over.
    """
    columns = ledger.batches.c
    query = select(ledger.batches).where(columns.dataset == dataset).order_by(columns.started_at.desc())
    with warehouse.engine.connect() as connection:
        for batch in connection.execute(query).mappings():
            late = batch["edition"] is not None and not batch["current"]
            if late or batch["decision"] not in GOOD or batch["header"].get("failed"):
                return None
            if batch["current"] and not batch["header"].get("unmoved"):
                same_file = batch["dataset_file_sha256"] == file_sha256
                return batch if same_file and not _decided_since(connection, batch) else None
    return None


def _decided_since(connection: Connection, batch: RowMapping) -> bool:
    """True when a person decided on another batch of the dataset after this one began."""
    columns = ledger.decisions.c
    query = select(columns.number).where(
        columns.dataset == batch["dataset"],
        columns.batch_id != batch["batch_id"],
        columns.decision.in_(_BY_A_PERSON),
        columns.at > batch["started_at"],
    )
    return connection.execute(query.limit(1)).first() is not None


def answer(
    warehouse: Warehouse,
    dataset: str,
    file_sha256: str,
    address: str,
    since: datetime | None,
    server: str | None = None,
) -> Payload | None:
    """The newest answer to a GET, `address` below the provider's base URL, that good batches have kept since an instant.

    Answers with faults do not count, nor those of parts that could not be read, nor those of past days, unless `since` is None:
    then any is as good as another. Nor those of another base URL than `server`, unless that is None. Raises Corrupted.
    """
    batches, payloads = ledger.batches.c, ledger.payloads.c
    query = (
        select(ledger.payloads, batches.header.label("header"))
        .join(ledger.batches, batches.batch_id == payloads.batch_id)
        .where(batches.dataset == dataset, batches.decision.in_(GOOD), batches.dataset_file_sha256 == file_sha256)
        .where(payloads.method == "GET", payloads.url.endswith(f"/{address}", autoescape=True))
        .where(payloads.fetched_at > (clock.to_text(since) if since is not None else ""))
        .order_by(payloads.fetched_at.desc())
    )
    with warehouse.engine.connect() as connection:
        for row in connection.execute(query).mappings():
            header = row["header"]
            told = (since and header.get("on")) or header.get("fault") or row["part"] in header.get("failed", ())
            if told or server not in (None, header["address"]):
                continue
            if row["url"] == f"{header['address']}/{address}":
                return payload_of(dict(row), warehouse.payloads.read(row["sha256"]))
    return None


def taken_up(warehouse: Warehouse, dataset: str, file_sha256: str, method: str) -> set[str]:
    """The hashes of the payloads that batches of a dataset were given by a method, whatever a person says of them.

    Not those of a look (its batches share the fetch time) of which a batch failed or a part could not be read, nor of one that
    a person discarded under another dataset file: the mistake may have been that file's.
    """
    batches, payloads = ledger.batches.c, ledger.payloads.c
    query = (
        select(payloads.sha256, payloads.fetched_at, payloads.part, ledger.batches)
        .join(ledger.batches, batches.batch_id == payloads.batch_id)
        .where(batches.dataset == dataset, payloads.method == method)
    )
    looks: dict[tuple[str, str], bool] = {}
    with warehouse.engine.connect() as connection:
        for row in connection.execute(query).mappings():
            look = (row[payloads.sha256], row[payloads.fetched_at])
            looks[look] = looks.get(look, True) and _counts(row, row[payloads.part], file_sha256)
    return {sha256 for (sha256, _), counts in looks.items() if counts}


def _counts(batch: RowMapping, part: str | None, file_sha256: str) -> bool:
    """Whether a batch took up what it was given of a part."""
    if batch["decision"] in (None, Decision.FAILED, Decision.ABANDONED) or part in batch["header"].get("failed", ()):
        return False
    return bool(batch["decision"] != Decision.DISCARDED or batch["dataset_file_sha256"] == file_sha256)


def asked_for(warehouse: Warehouse, dataset: str, file_sha256: str, since: datetime) -> list[dict[str, Any]]:
    """What batches of a dataset were asked for that did not ask for everything, and brought all of it, since an instant; what
    their records say (parts, scope, versions). One that is held back has brought it, too."""
    columns = ledger.batches.c
    query = select(columns.header).where(
        columns.dataset == dataset,
        columns.dataset_file_sha256 == file_sha256,
        columns.decision.in_((*GOOD, Decision.QUARANTINED.value)),
        columns.started_at > clock.to_text(since),
    )
    with warehouse.engine.connect() as connection:
        headers = connection.execute(query).scalars().all()
    return [header["asked"] for header in headers if header.get("asked") and not header.get("failed")]


def seconds_a_request(warehouse: Warehouse, dataset: str) -> float | None:
    """How long the newest good batches of a dataset took for each request that they sent, all their work included; None when
    there is none."""
    columns = ledger.batches.c
    query = (
        select(columns.header, columns.started_at, columns.finished_at)
        .where(columns.dataset == dataset, columns.decision.in_(GOOD))
        .order_by(columns.started_at.desc())
        .limit(_BATCHES_LOOKED_AT)
    )
    with warehouse.engine.connect() as connection:
        found = [(row.header.get("requests", 0), row.started_at, row.finished_at) for row in connection.execute(query)]
    requests = sum(sent for sent, _, _ in found)
    taken = sum((clock.from_text(end) - clock.from_text(begun)).total_seconds() for sent, begun, end in found if sent)
    return taken / requests if requests else None


def like(part: str | None, method: str, address: str) -> str:
    """What answers of about the same size share: of a part the kind of address, of a list or probe all of it."""
    return f"part {part} {method} {address.split('/')[0]}" if part is not None else f"{method} {address}"


def sizes(warehouse: Warehouse, dataset: str, kinds: Collection[str]) -> dict[str, int]:
    """How many bytes the last good answers of some kinds (`like`) had: of a part together, of lists and probes one."""
    batches, payloads = ledger.batches.c, ledger.payloads.c
    query = (
        select(ledger.payloads, batches.header)
        .join(ledger.batches, batches.batch_id == payloads.batch_id)
        .where(batches.dataset == dataset, batches.decision.in_(GOOD))
        .order_by(batches.started_at.desc(), payloads.number)
        .limit(_LOOKED_AT)
    )
    newest: dict[str, str] = {}
    found: dict[str, int] = {}
    with warehouse.engine.connect() as connection:
        for row in connection.execute(query).mappings():
            address = row["url"].removeprefix(f"{row['header'].get('address')}/")
            alone, kind = like(None, row["method"], address), like(row["part"], row["method"], address)
            if alone in kinds and alone not in found:
                found[alone] = len(warehouse.payloads.read(row["sha256"]))
            elif kind in kinds and kind != alone and newest.setdefault(kind, row["batch_id"]) == row["batch_id"]:
                found[kind] = found.get(kind, 0) + len(warehouse.payloads.read(row["sha256"]))
    return found
