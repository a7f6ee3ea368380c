"""What an answer of the OECD means before it is read: data, or which error.

Belongs here: its statuses and words, throttling prose with HTTP 200 among them. Does not belong here: asking (oecd/connector.py),
reading (oecd/parse.py).
"""

from __future__ import annotations

import re

from connectors.errors import BadRequest, NoData, NotFound, ProviderError, ServerFault, UnexpectedPayload, Unreachable
from connectors.http.answers import asked, classify_status, throttled
from warehouse.schema import Payload

#: A version in an address: behind agency and id of a dataflow.
_VERSION = re.compile(r"/[\w.]+,[\w@.-]+,(\d[\w.]*)/")


def classify(payload: Payload) -> ProviderError | None:
    """What the OECD means by an answer; None when it is one."""
    request = asked(payload)
    head = payload.content[:4096].lstrip(b"\xef\xbb\xbf \r\n").decode("utf-8", "replace")
    prose = head.lower()
    if payload.status == 429 or "exceeded the number of requests" in prose:
        return throttled(payload)
    if prose.startswith(("<!doctype html", "<html")) and payload.status not in (403, 404):
        return ServerFault(
            f"a page instead of data (HTTP {payload.status})", request=request, next_step="run the refresh again later"
        )
    if payload.status < 300:
        return _classify_success(payload, head, request)
    return _classify_failure(payload, head, prose, request) or classify_status(payload)


def _classify_success(payload: Payload, head: str, request: str) -> ProviderError | None:
    if head.startswith(("<", "{")):
        return None
    if not head.startswith(("DATAFLOW,", "STRUCTURE,")):
        return UnexpectedPayload(
            f"neither SDMX-CSV nor XML nor JSON; it begins with {head[:60]!r}",
            request=request,
            next_step="open the archived payload; the service may have changed its form",
        )
    if not payload.content.endswith(b"\n"):
        return Unreachable("the table ends in the middle of a line", request=request, next_step="run the refresh again")
    return None


def _classify_failure(payload: Payload, head: str, prose: str, request: str) -> ProviderError | None:
    status = payload.status
    said = " ".join(head[:200].split())
    if status == 404 and ("norecordsfound" in prose or "noresultsfound" in prose):
        return NoData(
            "no data for this key (the OECD also says so of an invalid code or too many key segments)",
            request=request,
            next_step="check the key in the dataset file against the Data Explorer",
        )
    if status == 404 and "could not find dataflow" in prose:
        return _no_dataflow(payload, request)
    if status == 500 and "object reference not set" in prose:
        return ServerFault(
            "the OECD's server failed (500: object reference), as it always does for a dataflow of another space",
            request=request,
            next_step="run the refresh again later; if it persists, ask another root (sti-public, dcd-public)",
        )
    if status in (400, 413, 422) or (status == 500 and "languagetag" in prose):
        return BadRequest(
            f"the OECD refuses the question: {said}", request=request, next_step="correct the dataset file"
        )
    return None


def _no_dataflow(payload: Payload, request: str) -> NotFound:
    pinned = _VERSION.search(payload.url)
    if pinned is None:
        return NotFound(
            "the OECD knows no such dataflow",
            request=request,
            next_step="check agency, id and version in the dataset file",
        )
    return NotFound(
        f"the OECD knows no such dataflow, or no longer in version {pinned[1]}, which the dataset file names",
        request=request,
        next_step="check agency, id and version in the dataset file: leave the version empty (always the newest), or read the "
        "structure of the new version and write that one",
    )
