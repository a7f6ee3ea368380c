"""What an answer of the World Bank means before it is read: data, or which error.

Belongs here: its statuses, its own errors, which come with HTTP 200, and pages of HTML that pass on a retry. Does not
belong here: asking (worldbank/connector.py), reading (worldbank/parse.py).
"""

from __future__ import annotations

import re

from connectors.errors import BadRequest, NotFound, ProviderError, ServerFault, UnexpectedPayload
from connectors.http.answers import asked, classify_status, json_error, throttled
from connectors.worldbank.rows import NotWorldBank, load_json
from warehouse.schema import Payload


def classify(payload: Payload) -> ProviderError | None:
    """What the World Bank means by an answer; None when it is one."""
    request = asked(payload)
    head = payload.content[:2048].removeprefix(b"\xef\xbb\xbf").lstrip().decode("utf-8", "replace")
    if payload.status == 429:
        return throttled(payload)
    if payload.status in (403, 404) and not head.startswith(("[", "{")):
        return classify_status(payload)
    if message := _message(payload, head):
        return _classify_message(*message, request)
    if head.startswith("<") or payload.status >= 500:
        return ServerFault(
            f"a page instead of JSON (HTTP {payload.status})", request=request, next_step="run the refresh again later"
        )
    if not head.startswith(("[", "{")):
        return UnexpectedPayload(
            f"not JSON; it begins with {head[:60]!r}",
            request=request,
            next_step="open the archived payload and see why",
        )
    return classify_status(payload) or json_error(payload)


def _message(payload: Payload, head: str) -> tuple[str, str] | None:
    """Id and words of the World Bank's own error, in JSON or XML, whatever the status."""
    if found := re.search(r'<wb:message id="(\d+)"[^>]*>([^<]*)', head):
        return found.group(1), found.group(2)
    if not re.match(r'\[\s*\{\s*"message"', head):
        return None
    try:
        message = load_json(payload.content)[0]["message"][0]
        return str(message["id"])[:20], str(message["value"])[:200]
    except (NotWorldBank, LookupError, TypeError):
        return None


def _classify_message(number: str, words: str, request: str) -> ProviderError:
    if number == "175":
        return NotFound(
            f"the indicator was deleted or archived ({number}: {words})",
            request=request,
            next_step="find its successor in the catalogue, or ask the archive (source 57); change the dataset file",
        )
    if number == "105":
        return ServerFault(f"service unavailable ({words})", request=request, next_step="run the refresh again later")
    return BadRequest(
        f"the World Bank refuses the question ({number}: {words})",
        request=request,
        next_step="check the codes of economies and indicator in the dataset file",
    )
