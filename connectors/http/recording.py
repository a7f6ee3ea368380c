"""Answers of a provider kept in a folder, and a transport that gives them again: fixtures made from the real thing.

A recording is a folder with `index.json` and one file an answer, its bytes as they were, named by its sha256. The index lists the
answers in the order in which they came: dataset, base address, method, url, body, status, headers, time, sha256. Cookies,
credentials and all headers that are not known to be harmless are left out. Belongs here: writing and replaying such a
folder. What the answers mean does not.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from connectors.http.transport import Transport
from warehouse.errors import Corrupted, UsageError
from warehouse.files import write_durably
from warehouse.schema import Payload

INDEX = "index.json"
#: Headers that say something of the answer and nothing of the asker.
HARMLESS = (
    *("age", "cache-control", "content-encoding", "content-language", "content-type", "date", "etag", "expires"),
    *("last-modified", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "server", "vary"),
)
_FIELDS = {"dataset", "base_url", "method", "url", "body", "status", "headers", "fetched_at", "sha256"}


class Recorder:
    """Keeps answers in a folder; every answer is on the disk, with its line in the index, when `keep` returns."""

    def __init__(self, folder: Path) -> None:
        """Goes on with a recording that is there. Raises UsageError for a folder that holds something else."""
        if folder.exists() and not (folder / INDEX).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} holds something other than a recording", next_step="name an empty folder")
        self._folder = folder
        self._entries = read_index(folder) if (folder / INDEX).is_file() else []

    def keep(self, dataset_id: str, base_url: str, payload: Payload) -> None:
        """Keep one answer that was got for a dataset. Raises StoreUnwritable."""
        entry = {
            "dataset": dataset_id,
            "base_url": _without_credentials(base_url),
            "method": payload.method,
            "url": _without_credentials(payload.url),
            "body": payload.body,
            "status": payload.status,
            "headers": harmless(payload.headers),
            "fetched_at": payload.fetched_at.isoformat(),
            "sha256": payload.sha256,
        }
        self._entries.append(entry)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_durably(self._folder / payload.sha256, payload.content)
        text = json.dumps(self._entries, ensure_ascii=False, indent=1) + "\n"
        write_durably(self._folder / INDEX, text.encode())


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may be shown to anybody."""
    return {name: headers[name] for name in HARMLESS if name in headers}


def read_index(folder: Path) -> list[dict[str, Any]]:
    """The entries of a recording, in the order in which they were made. Raises UsageError for a folder without one."""
    try:
        entries = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if not all(entry.keys() == _FIELDS for entry in entries):
            raise ValueError(f"an entry has other fields than {', '.join(sorted(_FIELDS))}")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{folder} holds no recording: {error}", next_step="name a folder that `doctor --live --record` has written"
        ) from error
    return list(entries)


def replay(folder: Path, dataset_id: str) -> Transport:
    """A transport that answers from what was recorded of a dataset, and sends nothing.

    A question that was asked several times gets its answers in their order, and from then on the last one. One that is
    not in the recording is Unreachable. Raises UsageError for a folder without answers for that dataset; asking raises
    Corrupted for bytes that are not those that were recorded.
    """
    entries = [entry for entry in read_index(folder) if entry["dataset"] == dataset_id]
    if not entries:
        held = sorted({entry["dataset"] for entry in read_index(folder)})
        raise UsageError(
            f"{folder} holds no answer for {dataset_id}", next_step=f"choose among {', '.join(held)}, or record it"
        )
    adapter, provider = _Recording(folder, entries), dataset_id.split(".")[0]
    # The times are the recording's: that they are not now is no reason to doubt them.
    return Transport(provider, entries[0]["base_url"], attempts=1, trust_date=True, adapter=adapter)


class _Recording(HTTPAdapter):
    """Stands where HTTP would be: from a prepared request to a response."""

    def __init__(self, folder: Path, entries: list[dict[str, Any]]) -> None:
        super().__init__()
        self._folder = folder
        self._waiting: dict[tuple[str, str, str | None], deque[dict[str, Any]]] = defaultdict(deque)
        for entry in entries:
            self._waiting[entry["method"], entry["url"], entry["body"]].append(entry)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        waiting = self._waiting.get((str(request.method), str(request.url), body))
        if not waiting:
            raise requests.ConnectionError("the recording has no answer to this question", request=request)
        entry = waiting.popleft() if len(waiting) > 1 else waiting[0]
        # The time of fetching is that of the recording; the content was decoded before it was kept.
        headers = entry["headers"] | {
            "date": datetime.fromisoformat(entry["fetched_at"]).isoformat(timespec="microseconds")
        }
        headers.pop("content-encoding", None)
        content = BytesIO(_content(self._folder, entry["sha256"]))
        answer = HTTPResponse(content, headers, entry["status"], preload_content=False)
        return self.build_response(request, answer)


def _content(folder: Path, sha256: str) -> bytes:
    content = (folder / sha256).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Corrupted(
            f"the bytes of {folder / sha256} are not those that were recorded",
            next_step="make the recording again with `doctor --live --record`",
        )
    return content


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
