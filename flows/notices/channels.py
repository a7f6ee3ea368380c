"""What every channel is, and how inbox, webhook, Slack and apprise take a message; a refusal names no secret.

Belongs here: handing one message to one channel. E-mail is in mail, which channels there are in configured, what a message says
in templates, and that each is told once in delivery.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from flows.notices.message import Message
from warehouse.deliveries import INBOX
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.files import write_durably

if TYPE_CHECKING:
    from requests import Response

#: Of what a service says when it refuses, so much is told.
_TOLD = 200
#: Seconds to connect, and for the answer.
_PATIENCE = (5, 10)
#: What apprise says of a refusal it says to the one logger that it has.
_LISTENING = threading.Lock()

Facts = dict[str, Any]


class NotDelivered(FigurekeeperError):
    """A channel refused a notice; it stays owed. `why` is what the channel said."""

    retriable = True

    def __init__(self, channel: Channel, why: str, next_step: str | None = None) -> None:
        self.why = why.rstrip(".")
        super().__init__(
            f"{channel.name} ({channel.to}) did not take a notice, which stays owed: {self.why}",
            next_step=next_step
            or f"mend the settings of this channel, or wait until it answers; `figurekeeper alerts test "
            f"--channel {channel.name}` tries it, and what is owed goes out by itself",
        )


class Channel(Protocol):
    """Where a notice can go."""

    @property
    def name(self) -> str:
        """What the channel is called in settings, in the record of deliveries and in `figurekeeper alerts`."""

    @property
    def to(self) -> str:
        """Where it leads, for people; without secrets."""

    def send(self, message: Message, facts: Facts) -> str:
        """Let it take a message; `facts` are those of the notice, for programs. Returns a remark, "" where all is well.

        Raises NotDelivered.
        """


@dataclass(frozen=True)
class Inbox:
    """A folder beside the warehouse, one Markdown file a notice."""

    folder: Path
    name: str = INBOX

    @property
    def to(self) -> str:
        return str(self.folder)

    def send(self, message: Message, facts: Facts) -> str:
        subject = re.sub(r"[^\w.-]+", "-", facts["dataset"])
        file = self.folder / f"{facts['incident']:06d}-{facts['transition']}-{subject}.md"
        write_durably(file, message.markdown().encode())
        return ""


@dataclass(frozen=True)
class Webhook:
    """A POST of JSON: the facts, and the message as plain text."""

    address: str
    name: str = "webhook"

    @property
    def to(self) -> str:
        return masked(self.address)

    def send(self, message: Message, facts: Facts) -> str:
        told = {
            "key": message.key,
            "language": message.language,
            "subject": message.subject,
            "message": message.plain(),
        }
        _post(self, self.address, {**facts, **told, "links": dict(message.links)}, message.key)
        return ""


@dataclass(frozen=True)
class Slack:
    """An incoming webhook of Slack, or of what speaks as it does."""

    address: str
    name: str = "slack"

    @property
    def to(self) -> str:
        return masked(self.address)

    def send(self, message: Message, facts: Facts) -> str:
        _post(self, self.address, {"text": message.slack(), "unfurl_links": False}, message.key)
        return ""


@dataclass(frozen=True)
class Apprise:
    """One address of one of the hundred services that apprise knows."""

    address: str
    name: str

    @property
    def to(self) -> str:
        """Nothing but the scheme: which part of such an address is secret differs between services."""
        return f"{self.address.partition('://')[0]}://…"

    def send(self, message: Message, facts: Facts) -> str:
        from apprise import Apprise as Sender

        with heard("apprise") as said:
            sender = Sender()
            taken = sender.add(self.address) and sender.notify(
                title=message.subject, body=message.bounded().plain(), body_format="text"
            )
        if not taken:
            raise NotDelivered(self, scrubbed("; ".join(said), self.address) or "no reason was given")
        return ""


@dataclass(frozen=True)
class Wrong:
    """A channel whose settings cannot be used: it is owed notices like any other, and refuses them all."""

    name: str
    error: UsageError

    @property
    def to(self) -> str:
        return "wrong settings"

    def send(self, message: Message, facts: Facts) -> str:
        raise NotDelivered(self, self.error.what, self.error.next_step)


def hand(channel: Channel, message: Message, facts: Facts) -> str:
    """Let a channel take a message; returns its remark. Raises NotDelivered, and nothing else, whatever goes wrong in it."""
    try:
        return channel.send(message, facts)
    except NotDelivered:
        raise
    except FigurekeeperError as error:
        raise NotDelivered(channel, error.what, error.next_step) from error
    except Exception as error:  # a mistake of ours or of a library; its words may hold a secret, its place does not
        last = extract_tb(error.__traceback__)[-1]
        why = f"it failed with {type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
        raise NotDelivered(channel, why, "report this to the maintainers: no setting is known to be wrong") from None


def masked(address: str) -> str:
    """An address for people: scheme and host, since the rest may be a secret."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/…"


def scrubbed(text: str, address: str, host: str | None = None) -> str:
    """What a service said, without anything of the address that may be a secret, in one line and not too long.

    `host` is what is none; of addresses of apprise not even the host is known to be none.
    """
    parts = set(re.split(r"[/?&=:@]", address.partition("://")[2])) - {host}
    for secret in sorted(parts | {unquote(part) for part in parts}, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) > 3 else text
    return " ".join(text.split())[:_TOLD]


def _post(channel: Channel, address: str, body: Facts, key: str) -> None:
    import requests

    headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": key}
    content = json.dumps(body, ensure_ascii=False).encode()
    try:
        answer = requests.post(address, data=content, headers=headers, timeout=_PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        raise NotDelivered(channel, f"no answer ({type(error).__name__})") from None  # its words hold the address
    if not 200 <= answer.status_code < 300:
        raise NotDelivered(channel, _answered(answer, address))


def _answered(answer: Response, address: str) -> str:
    """What a web address said instead of taking a notice. A redirection would lose what is posted and is not followed."""
    text = "" if "html" in answer.headers.get("Content-Type", "") else answer.text
    said = scrubbed(text, address, urlsplit(address).hostname)
    return f"answered {answer.status_code}" + (f": {said}" if said else "")


@contextmanager
def heard(name: str) -> Iterator[list[str]]:
    """What a library says to its logger, which otherwise would stand, with secrets in it, in logs of ours."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, ear = logging.getLogger(name), Ear(logging.WARNING)
    with _LISTENING:
        before, logger.propagate = logger.propagate, False
        logger.addHandler(ear)
        try:
            yield said
        finally:
            logger.removeHandler(ear)
            logger.propagate = before
