"""Notices by e-mail: one message, as text and as HTML, through a server that speaks SMTP.

Belongs here: the settings of mail, the message and its sending. An opening and its closing name each other, so that mail programs
show them as one thread.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from flows.notices.channels import Facts, NotDelivered, scrubbed
from flows.notices.message import Message
from warehouse import clock
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from flows.settings import Settings

#: Seconds for each step of the conversation.
_PATIENCE = 10
#: Port of each way to speak to a server, when its address names none.
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class Mail:
    """The mailboxes that are told, by one server."""

    server: SplitResult = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    name: str = "mail"

    @classmethod
    def of(cls, settings: Settings) -> Mail:
        """As the settings say. Raises UsageError when one is missing or cannot be meant."""
        given = {
            "MAIL_SERVER": settings.mail_server.get_secret_value() if settings.mail_server else "",
            "MAIL_FROM": settings.mail_from or "",
            "MAIL_TO": settings.mail_to or "",
        }
        missing = [f"FIGUREKEEPER_{name}" for name, value in given.items() if not value.strip()]
        if missing:
            raise UsageError(
                f"e-mail needs {' and '.join(missing)}, too",
                next_step="set FIGUREKEEPER_MAIL_SERVER, FIGUREKEEPER_MAIL_FROM and FIGUREKEEPER_MAIL_TO, or none of them",
            )
        [sender, *more] = _addresses(given["MAIL_FROM"], "MAIL_FROM")
        if more:
            raise UsageError("FIGUREKEEPER_MAIL_FROM names several senders", next_step="name one of them")
        return cls(_server(given["MAIL_SERVER"]), sender, tuple(_addresses(given["MAIL_TO"], "MAIL_TO")))

    @property
    def to(self) -> str:
        """The mailboxes, and the server without user and password."""
        return f"{', '.join(self.recipients)} by {self.server.scheme}://{self._place}"

    def send(self, message: Message, facts: Facts) -> str:
        """Mail a message; returns which mailboxes the server would not serve. Raises NotDelivered when it serves none."""
        try:
            with self._connected() as connection:
                turned_away = connection.send_message(self.mail(message))
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(self, scrubbed(_told(error), self.server.geturl(), self.server.hostname)) from None
        return f"not to {', '.join(turned_away)}: {_said(turned_away)}" if turned_away else ""

    def mail(self, message: Message) -> EmailMessage:
        """The message as it is mailed."""
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = format_datetime(clock.now())
        mail["Message-ID"] = self._id(message.key)
        if message.answers:
            mail["In-Reply-To"] = mail["References"] = self._id(message.answers)
        mail["Auto-Submitted"] = "auto-generated"  # so that nobody's absence note answers
        mail["Content-Language"] = message.language
        mail.set_content(message.plain())
        mail.add_alternative(message.html(), subtype="html")
        return mail

    @property
    def _place(self) -> str:
        return f"{self.server.hostname}:{self.server.port or _PORTS[self.server.scheme]}"

    def _id(self, key: str) -> str:
        return f"<figurekeeper.{key}@{self.sender.rpartition('@')[2]}>"

    def _connected(self) -> smtplib.SMTP:
        host, port = str(self.server.hostname), self.server.port or _PORTS[self.server.scheme]
        if self.server.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, timeout=_PATIENCE, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(host, port, timeout=_PATIENCE)
        try:
            if self.server.scheme == "smtp+starttls":
                connection.starttls(context=ssl.create_default_context())
            if self.server.username:
                connection.login(unquote(self.server.username), unquote(self.server.password or ""))
        except BaseException:
            connection.close()
            raise
        return connection


def _server(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        good = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            "FIGUREKEEPER_MAIL_SERVER is no address of a mail server",
            next_step="write it as smtp+starttls://user:password@host:587 (or smtps://, or smtp:// without encryption); "
            "signs such as @ and / in user or password as %40 and %2F",
        )
    return parts


def _addresses(text: str, setting: str) -> list[str]:
    found = [address for _, address in getaddresses([text])]
    for address in found or [""]:
        local, _, domain = address.rpartition("@")
        if not local or not domain or any(sign.isspace() for sign in address):
            raise UsageError(
                f"FIGUREKEEPER_{setting} is no mail address, or no list of them with commas: {text}",
                next_step=f"write FIGUREKEEPER_{setting} as name@example.org",
            )
    return found


def _told(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _said(error.recipients)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _said(refusals: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(dict.fromkeys(f"{code} {_text(said)}" for code, said in refusals.values()))


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
