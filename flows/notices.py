"""Notices: an incident's opening and closing, delivered once to each channel: a file in the inbox, and a webhook.

Works without Prefect; with a server, an automation starts the same delivery. The ledger remembers what reached which channel.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from flows.settings import Settings
from warehouse import clock, incidents, ledger, publish
from warehouse.errors import FigurekeeperError
from warehouse.files import write_durably
from warehouse.schema import Transition
from warehouse.store import Warehouse


class NotDelivered(FigurekeeperError):
    """A channel refused a notice; it stays owed."""

    retriable = True


@dataclass(frozen=True)
class Notice:
    """One message for one channel (inbox or webhook)."""

    incident: int
    transition: Transition
    channel: str
    dataset: str
    kind: str
    severity: str
    title: str
    text: str
    at: str
    profile: str


def pending_notices(settings: Settings) -> list[Notice]:
    """Every notice still owed to a configured channel, oldest first."""
    warehouse = Warehouse(**settings.place, create=False)
    channels = ("inbox", "webhook") if settings.webhook_url else ("inbox",)
    owed = incidents.undelivered(warehouse, channels)
    with warehouse.engine.connect() as connection:
        rows = {
            row["incident"]: row
            for row in connection.execute(select(ledger.incidents)).mappings()
            if any(row["incident"] == number for number, _, _ in owed)
        }
    return [_notice(settings, rows[number], transition, channel) for number, transition, channel in owed]


def deliver(settings: Settings, notice: Notice) -> bool:
    """Deliver one notice unless it was delivered before; True when it went out now.

    Raises NotDelivered when the webhook refuses; the notice stays owed.
    """
    warehouse = Warehouse(**settings.place, create=False)
    with warehouse.lease("notices"):
        owed = incidents.undelivered(warehouse, (notice.channel,))
        if (notice.incident, notice.transition, notice.channel) not in owed:
            return False
        if notice.channel == "inbox":
            name = f"{notice.incident:06d}-{notice.transition}-{notice.dataset}.md"
            write_durably(settings.root / "inbox" / name, _letter(notice).encode())
        else:
            _post(settings, notice)
        incidents.mark_delivered(warehouse, notice.incident, notice.transition, notice.channel)
        publish.flush(warehouse)  # else a restored warehouse would tell it again
    return True


def deliver_pending(settings: Settings) -> tuple[list[Notice], list[NotDelivered]]:
    """Deliver all that is owed: what went out, and what was refused. One channel's refusal does not hold up another's."""
    told: list[Notice] = []
    refused: list[NotDelivered] = []
    for notice in pending_notices(settings):
        try:
            if deliver(settings, notice):
                told.append(notice)
        except NotDelivered as error:
            refused.append(error)
    return told, refused


def _notice(settings: Settings, row: Any, transition: Transition, channel: str) -> Notice:
    opened = transition == "opened"
    over = "the changed verdicts are dealt with" if row["kind"] == incidents.VERDICT else f"{row['kind']} is over"
    return Notice(
        incident=row["incident"],
        transition=transition,
        channel=channel,
        dataset=row["dataset"],
        kind=row["kind"],
        severity=row["severity"],
        title=row["title"] if opened else f"{row['dataset']}: closed, {over}",
        text=row["text"] if opened else f"How it ended: {row['closing']}. It was: {row['title']}.",
        at=row["opened_at"] if opened else row["closed_at"],
        profile=settings.profile,
    )


def _letter(notice: Notice) -> str:
    mark = "SANDBOX · " if notice.profile == "sandbox" else ""
    return (
        f"# {mark}{notice.title}\n\n{notice.text}\n\n"
        f"- incident {notice.incident}, {notice.transition} {notice.at}\n"
        f"- dataset {notice.dataset}, {notice.kind}, {notice.severity}\n"
    )


def _post(settings: Settings, notice: Notice) -> None:
    import requests

    assert settings.webhook_url is not None
    body = json.dumps({**asdict(notice), "sent_at": clock.to_text(clock.now())}, ensure_ascii=False)
    try:
        answer = requests.post(
            settings.webhook_url.get_secret_value(),
            data=body.encode(),
            headers={"Content-Type": "application/json; charset=utf-8"},
            timeout=(5, 15),
        )
        answer.raise_for_status()
    except requests.RequestException as error:
        raise NotDelivered(
            f"the webhook did not take the notice of incident {notice.incident}: {type(error).__name__}",
            next_step="check FIGUREKEEPER_WEBHOOK_URL; the notice stays owed and goes out with the next one",
        ) from error
