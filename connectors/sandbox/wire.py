"""What passes between the server and the wire modules: a question to a provider, and its answer.

No provider's format and no socket belongs here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from connectors.sandbox.oecd_flows import Flow

Delivery = Literal["whole", "cut", "drip", "short"]


@dataclass(frozen=True)
class Question:
    """One request, stripped of the server's own part of the address. `path` is decoded and relative to the provider."""

    method: str
    path: str
    params: dict[str, str]
    accept: str = ""
    body: bytes = b""
    on: date | None = None  # the state at the end of this day; None: the newest state, on the real clock
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    own: tuple[Flow, ...] = ()  # a user's own OECD flows, beside those of the facts
    fault: str | None = None  # only faults that change the data; the others are the server's affair

    @property
    def released(self) -> datetime:
        """When a made-up release (a fault that changes the data) is said to be of: later than any fact of the day."""
        return datetime.combine(self.on, time(23, 30), UTC) if self.on else datetime.combine(self.today, time(0), UTC)


@dataclass(frozen=True)
class Answer:
    """What goes over the wire, and how: whole, cut off half way, dripping, or shorter than announced."""

    body: bytes
    content_type: str = "application/json;charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = "whole"
    data: bool = False  # an answer that carries observations, as opposed to structures and lists


def text(body: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Answer:
    """A short answer in words."""
    return Answer(body.encode(), content_type, status)
