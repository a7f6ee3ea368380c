"""Which channels the settings name, and what is wrong with these settings. Nothing is sent here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from flows.notices.channels import Apprise, Channel, Inbox, Slack, Webhook, Wrong, heard
from flows.notices.mail import Mail
from flows.settings import Settings
from warehouse.errors import UsageError


def configured(settings: Settings) -> list[Channel]:
    """Every channel that the settings name, the inbox first; one that is wrong is there, too, and refuses."""
    found: list[Channel] = [Inbox(settings.root / "inbox")]
    if webhook := settings.webhook_url:
        found.append(_checked("webhook", lambda: Webhook(_web(webhook.get_secret_value(), "WEBHOOK_URL"))))
    if slack := settings.slack_url:
        found.append(_checked("slack", lambda: Slack(_web(slack.get_secret_value(), "SLACK_URL"))))
    if settings.mail_server or settings.mail_from or settings.mail_to:
        found.append(_checked("mail", lambda: Mail.of(settings)))
    addresses = settings.apprise_urls.get_secret_value().split() if settings.apprise_urls else []
    for address in dict.fromkeys(addresses):
        name = _name(address)
        found.append(_checked(name, partial(_apprise, address, name)))
    return found


def check(settings: Settings) -> list[Channel]:
    """The configured channels. Raises UsageError naming everything that is wrong with their settings; nothing is sent."""
    found = configured(settings)
    wrong = [channel.error for channel in found if isinstance(channel, Wrong)]
    if wrong:
        raise UsageError(
            "; ".join(error.what for error in wrong),
            next_step="; ".join(dict.fromkeys(error.next_step for error in wrong)),
        )
    return found


def _checked(name: str, make: Callable[[], Channel]) -> Channel:
    try:
        return make()
    except UsageError as error:
        return Wrong(name, error)


def _web(address: str, setting: str) -> str:
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            f"FIGUREKEEPER_{setting} is no address of the web",
            next_step=f"write FIGUREKEEPER_{setting} as https://host/path, or leave it out",
        )
    return address


def _name(address: str) -> str:
    """What stays the same for an address wherever it stands among the others, since deliveries are remembered by it."""
    return f"apprise-{_scheme(address)}-{hashlib.sha256(address.encode()).hexdigest()[:6]}"


def _apprise(address: str, name: str) -> Apprise:
    from apprise import Apprise as Sender

    with heard("apprise"):
        known = Sender.instantiate(address) is not None
    if not known:
        raise UsageError(
            f"FIGUREKEEPER_APPRISE_URLS holds an address that apprise cannot use (scheme {_scheme(address)})",
            next_step="write each as the pages of apprise show it for that service, blanks between them",
        )
    return Apprise(address, name)


def _scheme(address: str) -> str:
    before, mark, _ = address.partition("://")
    return before.lower() if mark else "none"
