"""Which notices are owed, delivering them, and remembering in the ledger what reached which channel.

Works without Prefect; with a server, an automation starts the same delivery. Does not belong here: what a notice says
(templates), and how a channel takes it (channels).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from flows.notices import templates
from flows.notices.channels import Channel, Facts, NotDelivered, Wrong, hand
from flows.notices.configured import configured
from flows.notices.message import Message
from flows.settings import Settings
from warehouse import clock, deliveries, publish
from warehouse.deliveries import Owed
from warehouse.errors import NoWarehouse, UsageError
from warehouse.locks import Busy
from warehouse.schema import Transition
from warehouse.store import Warehouse

#: Seconds to wait for another delivery to the same channel, which goes on until nothing is left.
_WAIT = 60.0


@dataclass(frozen=True)
class Notice:
    """One message for one channel; its fields are what a webhook gets, beside the message."""

    incident: int
    transition: Transition | Literal["test"]
    channel: str
    dataset: str
    kind: str
    severity: str
    title: str
    text: str
    at: str
    profile: str
    opened_at: str
    closed_at: str | None
    occurrences: int
    remark: str = ""  # of the channel, where not all is well

    def facts(self) -> Facts:
        """What programs are told, as it is sent."""
        told = {name: value for name, value in asdict(self).items() if name != "remark"}
        return told | {"sent_at": clock.to_text(clock.now())}


def deliver_pending(settings: Settings) -> tuple[list[Notice], list[NotDelivered]]:
    """Deliver all that is owed: what went out, and one refusal for each channel that refused.

    Channels do not wait for one another. One that refuses is left alone until the next delivery, and its notices stay owed. Safe
    to call at any time and from several processes; quick when nothing is owed.
    """
    warehouse = Warehouse(**settings.place, create=False)
    wanted = [channel for channel in configured(settings) if _wants(warehouse, channel)]
    if not wanted:
        return [], []
    with ThreadPoolExecutor(len(wanted)) as pool:
        done = list(pool.map(lambda channel: _deliver(settings, warehouse, channel), wanted))
    publish.flush(warehouse)  # else a restored warehouse would tell it again
    return [notice for told, _ in done for notice in told], [error for _, error in done if error is not None]


def standing(settings: Settings) -> list[dict[str, Any]]:
    """Every configured channel and what it is owed. Rows: channel, to (without secrets), owed, since (of the oldest), state."""
    try:
        warehouse = Warehouse(**settings.place, create=False)
    except NoWarehouse:  # nothing can have happened yet
        return [_standing(channel, []) for channel in configured(settings)]
    return [_standing(channel, deliveries.owed(warehouse, channel.name)) for channel in configured(settings)]


def trial(settings: Settings, only: str | None = None) -> list[dict[str, str]]:
    """Send a marked test notice to each channel, or to one; nothing is recorded. Rows: channel, to, result (delivered or
    refused), said (by the channel), next (what to do).

    Raises UsageError for a channel that is not configured.
    """
    found = configured(settings)
    wanted = [channel for channel in found if only in (None, channel.name)]
    if not wanted:
        raise UsageError(
            f"no channel '{only}' is configured; there are {', '.join(channel.name for channel in found)}",
            next_step="name one of them, or set its FIGUREKEEPER_ variables: see docs/alerts.md",
        )
    message, now = templates.trial(settings), clock.to_text(clock.now())
    notice = Notice(
        incident=0,
        transition="test",
        channel="",
        dataset="test",
        kind="test",
        severity="info",
        title=message.title,
        text="",
        at=now,
        profile=settings.profile,
        opened_at=now,
        closed_at=None,
        occurrences=1,
    )
    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(lambda channel: _tried(channel, message, replace(notice, channel=channel.name)), wanted))


def _standing(channel: Channel, owed: list[Owed]) -> dict[str, Any]:
    state = "owed notices" if owed else "all delivered"
    return {
        "channel": channel.name,
        "to": channel.to,
        "owed": len(owed),
        "since": min((one.since for one in owed), default=None),
        "state": channel.error.what if isinstance(channel, Wrong) else state,
    }


def _tried(channel: Channel, message: Message, notice: Notice) -> dict[str, str]:
    row = {"channel": channel.name, "to": channel.to}
    try:
        remark = hand(channel, message, notice.facts())
    except NotDelivered as error:
        return {**row, "result": "refused", "said": error.why, "next": error.next_step}
    return {**row, "result": "delivered", "said": remark, "next": ""}


def _wants(warehouse: Warehouse, channel: Channel) -> bool:
    """Whether there is anything to do for a channel: it is owed notices, or is new."""
    return bool(deliveries.owed(warehouse, channel.name)) or not deliveries.has_begun(warehouse, channel.name)


def _deliver(settings: Settings, warehouse: Warehouse, channel: Channel) -> tuple[list[Notice], NotDelivered | None]:
    """Deliver what one channel is owed, oldest first, until nothing is left or it refuses."""
    told: list[Notice] = []
    try:
        with warehouse.lease(f"notices {channel.name}", wait=_WAIT):
            deliveries.begin(warehouse, channel.name)
            while owed := deliveries.owed(warehouse, channel.name):
                for one in owed:
                    told.append(_send(settings, warehouse, channel, one))
    except NotDelivered as error:
        return told, error
    except Busy:
        return told, None
    return told, None


def _send(settings: Settings, warehouse: Warehouse, channel: Channel, owed: Owed) -> Notice:
    message, notice = templates.of(settings, warehouse, owed), _notice(settings, owed)
    remark = hand(channel, message, notice.facts())
    deliveries.delivered(warehouse, owed)
    return replace(notice, remark=remark)


def _notice(settings: Settings, owed: Owed) -> Notice:
    row, opened = owed.incident, owed.transition == "opened"
    return Notice(
        incident=row["incident"],
        transition=owed.transition,
        channel=owed.channel,
        dataset=row["dataset"],
        kind=row["kind"],
        severity=row["severity"],
        title=row["title"] if opened else f"closed: {row['title']}",
        text=row["text"] if opened else row["closing"],
        at=owed.since,
        profile=settings.profile,
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        occurrences=row["occurrences"],
    )
