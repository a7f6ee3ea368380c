"""Deliveries: which channel was told of which incident's opening and closing.

Belongs here: the table of delivered notices, and what a channel is still owed. Does not belong here: when incidents open and
close (incidents), what a notice says and how a channel takes it (flows).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from warehouse import clock, incidents, ledger
from warehouse.schema import Transition
from warehouse.store import Warehouse

#: The channel that always was, and is told of everything.
INBOX = "inbox"
#: Under this number, which no incident has, stands since when a channel is told.
_NO_INCIDENT = 0
_BEGUN = "begun"
#: So long after its end, what nobody was told of is told.
_WORTH_TELLING = timedelta(days=1)


@dataclass(frozen=True)
class Owed:
    """A notice that a channel was not told yet."""

    incident: Mapping[str, Any]  # a row of the table incidents
    transition: Transition
    channel: str
    untold: bool = False  # a closing of which the channel never heard the opening: one notice says both

    @property
    def since(self) -> str:
        """When it happened."""
        return str(self.incident["opened_at" if self.transition == "opened" else "closed_at"])


def owed(warehouse: Warehouse, channel: str) -> list[Owed]:
    """What a channel is owed, oldest incident first.

    One that is new is told of what is open and of what comes, but not of all that was over before. An incident that ended before
    its opening could be told makes one notice, for a day: who could not be told for longer, is not flooded with what is over.
    """
    told = ledger.notices.c
    with warehouse.engine.connect() as connection:
        mine = connection.execute(
            select(told.incident, told.transition, told.delivered_at).where(told.channel == channel)
        )
        heard = {(incident, transition): at for incident, transition, at in mine.tuples()}
        begun = "" if channel == INBOX else min(heard.values(), default=clock.to_text(clock.now()))
        columns = ledger.incidents.c
        query = select(ledger.incidents).where(or_(columns.closed_at.is_(None), columns.closed_at >= begun))
        rows = connection.execute(query.order_by(columns.incident)).mappings().all()
    found = [_owed(dict(row), heard.keys(), channel) for row in rows]
    return [one for one in found if (one.incident["incident"], one.transition) not in heard and not _over(one)]


def _owed(row: dict[str, Any], heard: Set[tuple[int, str]], channel: str) -> Owed:
    transition: Transition = "opened" if row["closed_at"] is None else "closed"
    untold = transition == "closed" and (row["incident"], "opened") not in heard
    return Owed(row, transition, channel, untold)


def _over(notice: Owed) -> bool:
    """Whether an incident ended so long ago that a channel which never heard of it need not."""
    return notice.untold and notice.channel != INBOX and clock.now() - clock.from_text(notice.since) > _WORTH_TELLING


def has_begun(warehouse: Warehouse, channel: str) -> bool:
    """Whether a channel is told of what happens: it was told of something before, or it `begin`s to be."""
    told = ledger.notices.c
    with warehouse.engine.connect() as connection:
        known = connection.execute(select(told.incident).where(told.channel == channel).limit(1)).first()
    return channel == INBOX or known is not None


def begin(warehouse: Warehouse, channel: str) -> None:
    """From now on a channel is told of what happens; nothing changes for one of which that is so already."""
    if not has_begun(warehouse, channel):
        _remember(warehouse, _NO_INCIDENT, (_BEGUN,), channel)


def delivered(warehouse: Warehouse, notice: Owed) -> None:
    """Remember that a notice reached its channel."""
    transitions = ("opened", "closed") if notice.untold else (notice.transition,)
    _remember(warehouse, notice.incident["incident"], transitions, notice.channel)


def _remember(warehouse: Warehouse, incident: int, transitions: tuple[str, ...], channel: str) -> None:
    at = clock.to_text(clock.now())
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        for transition in transitions:
            body = {"incident": incident, "transition": transition, "channel": channel, "delivered_at": at}
            incidents.apply(connection, "notice", body)
            ledger.owe(connection, "notice", body)
