"""What an answer of the NBS portal means before it is read: data, or which error.

Belongs here: its statuses and states, and its firewall: when it blocks we stop, say so, and keep the last good data. Does
not belong here: asking (nbs/connector.py), reading (nbs/parse.py).
"""

from __future__ import annotations

from connectors.errors import BadRequest, Blocked, NoData, NotFound, ProviderError, ServerFault, UnexpectedPayload
from connectors.http.answers import asked, classify_status, json_error, throttled
from connectors.reading import NotReadable, load_json
from warehouse.schema import Payload

_WALL = (b"wzws", b"waf_zw_verify", b"WZWS_CONFIRM_PREFIX_LABEL")


def classify_page(payload: Payload) -> ProviderError | None:
    """The home page is HTML by right; only its status and the marks of the firewall count."""
    if payload.status < 300 and any(mark in payload.content for mark in _WALL):
        return _blocked(payload, "its firewall answers with a challenge")
    return _refusal(payload)


def classify(payload: Payload) -> ProviderError | None:
    """What the portal means by an answer; None when it is one."""
    head = payload.content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if payload.status == 429:
        return throttled(payload)
    if payload.status >= 300:
        return _refusal(payload)
    if head.startswith(b"<") or "text/html" in payload.headers.get("content-type", ""):
        return _blocked(payload, "its firewall answers with a page instead of data")
    if error := json_error(payload):
        return error
    return _classify_state(payload)


def _refusal(payload: Payload) -> ProviderError | None:
    request = asked(payload)
    if payload.status == 403:
        return _blocked(payload, "the path is closed to all (UrlACL)" if b"UrlACL" in payload.content else "403")
    if payload.status == 404:
        return NotFound(
            "the portal knows no such path; it renamed paths twice in 2026",
            request=request,
            next_step="compare the path with what the portal's own pages call, and correct connectors/nbs.py",
        )
    if payload.status == 400 and payload.content.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        return ServerFault("a page instead of JSON (400)", request=request, next_step="run the refresh again later")
    if payload.status == 500 and payload.body is not None:
        return BadRequest(
            "the portal cannot read the question (500, as it answers a body of another form)",
            request=request,
            next_step="compare the request's body with what the portal's own pages send, and correct connectors/nbs.py",
        )
    return classify_status(payload)


def _blocked(payload: Payload, why: str) -> Blocked:
    return Blocked(
        f"the NBS portal refuses us: {why}",
        request=asked(payload),
        next_step="do not evade it: wait half an hour, then run the refresh once; the last good data keep serving",
    )


def _classify_state(payload: Payload) -> ProviderError | None:
    request = asked(payload)
    try:
        answer = load_json(payload.content)
        state, success, data = answer["state"], answer["success"], answer["data"]
    except (NotReadable, LookupError, TypeError) as error:
        return UnexpectedPayload(
            f"not the portal's envelope: {type(error).__name__}: {error}",
            request=request,
            next_step="open the archived payload; the portal may have changed its form",
        )
    if state != "20000" or success is not True:
        return UnexpectedPayload(
            f"the portal refuses the question (state {state}: {answer.get('message')})"[:300],
            request=request,
            next_step="check cid, rootId and periods in the dataset file",
        )
    if not data:
        return NoData(
            "the portal has nothing for this leaf",
            request=request,
            next_step="check that cid and root id belong to the same tree in the dataset file",
        )
    return None
