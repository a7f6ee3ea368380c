"""What an answer says by itself, whoever the provider is: its status, its wish to be left alone, that it is cut off.

Belongs here: answers that no provider's own rule explains, turned into typed errors, and how a request is named in a message.
Does not belong here: sending anything (transport), and what one provider alone says (the providers' errors modules).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.errors import (
    Blocked,
    NotFound,
    ProviderError,
    ServerFault,
    Throttled,
    UnexpectedPayload,
    UnknownFault,
    Unreachable,
)
from connectors.reading import NotReadable, load_json
from warehouse.schema import Payload

Classify = Callable[[Payload], ProviderError | None]


def classify_status(payload: Payload) -> ProviderError | None:
    """What the status alone says; for answers that no provider's own rule explains."""
    request, status = asked(payload), payload.status
    if status < 300:
        return None
    if status == 429:
        return throttled(payload)
    if status == 403:
        return Blocked(
            "the provider refuses us (403)",
            request=request,
            next_step="do not try to evade it: wait some hours, ask from another permitted network, or write to the "
            "provider; the last good data keep serving",
        )
    if status in (404, 410):
        return NotFound(
            f"the address is unknown ({status})",
            request=request,
            next_step="check base URL and dataset file, then ask again",
        )
    if status >= 500:
        return ServerFault(
            f"the provider's server failed ({status})", request=request, next_step="run the refresh again later"
        )
    return UnexpectedPayload(
        f"the answer has status {status}", request=request, next_step="open the archived payload and see why"
    )


def asked(payload: Payload) -> str:
    """The request behind an answer, short enough for a message."""
    return short(payload.method, payload.url)


def short(method: str, url: str) -> str:
    """A request in a message: long addresses without their middle."""
    return f"{method} {url}" if len(url) <= 200 else f"{method} {url[:120]}…{url[-70:]}"


def sandbox_refusal(payload: Payload) -> ProviderError | None:
    """The sandbox's own word that an address of its own cannot be meant: no such fault, no such day."""
    if payload.status != 400 or not payload.content.startswith(b'{"sandbox"'):
        return None
    try:
        said = load_json(payload.content)["sandbox"]
        known = f" It knows {', '.join(said['faults'])}." if "faults" in said else ""
        words = f"the sandbox says: {said['error']}.{known}"
    except (NotReadable, LookupError, TypeError):
        return None
    return UnknownFault(words, request=asked(payload), next_step="choose one of those and try again")


def throttled(payload: Payload) -> Throttled:
    """The provider's own limit was met; with its Retry-After, when it gives one in seconds or as a date."""
    text = payload.headers.get("retry-after", "")
    seconds = float(text) if text.isascii() and text.isdigit() else None
    if seconds is None and text and (when := http_date(text)):
        seconds = max((when - payload.fetched_at).total_seconds(), 0.0)
    again = f", and refused again after {waits} such wait{'s' * (waits > 1)}" if (waits := payload.attempts - 1) else ""
    asks = f"; it asks to wait {seconds:.0f} s{again}" if seconds is not None else ""
    return Throttled(
        f"the provider's request quota is used up{asks}",
        request=asked(payload),
        retry_after=seconds,
        next_step="run the refresh again in a quarter of an hour at the earliest; asking sooner prolongs the block",
    )


def http_date(text: str) -> datetime | None:
    """An HTTP date, or that of a recording (ISO 8601, finer than a second), as UTC; None when it is neither."""
    try:
        when = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except ValueError:
        return None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def json_error(payload: Payload) -> ProviderError | None:
    """A JSON answer that was cut off: its last byte closes nothing. Cheap, for use before parsing."""
    if payload.content.rstrip()[-1:] in (b"]", b"}"):
        return None
    return Unreachable(
        "the JSON answer is cut off",
        request=asked(payload),
        next_step="run the refresh again; when it persists, open the archived payload",
    )
