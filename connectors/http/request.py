"""One question to a provider, in the terms that planning, quotas and transport share.

Belongs here: that record, and how a list is cut so that no address grows too long. What a connector asks for, and when,
is in its own module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

Cost = Literal["data", "structure"]


@dataclass(frozen=True)
class Request:
    """One question to a provider; `path` is relative to its base URL, `cost` names the quota it counts against.

    `anew`: its answer tells how things are now (a stamp, a session), so none that was kept may stand for it.
    """

    part: str | None  # None: for the whole dataset (a probe, a structure)
    method: Literal["GET", "POST"]
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    cost: Cost = "data"
    anew: bool = False

    @property
    def address(self) -> str:
        """Path and parameters as they follow the base URL and its "/"."""
        query = urlencode(self.params, safe=":;,+@()*")
        return self.path.lstrip("/") + (f"?{query}" if query else "")


def json_body(*pairs: tuple[str, object]) -> str:
    """A request body as compact JSON, in the order given."""
    return json.dumps(dict(pairs), ensure_ascii=False, separators=(",", ":"))


def bundled(codes: Iterable[str], separator: str, most: int) -> list[str]:
    """Codes joined by a separator, in order, each bundle of at most `most` characters (or of one code)."""
    bundles: list[str] = []
    for code in codes:
        if bundles and len(bundles[-1]) + len(separator) + len(code) <= most:
            bundles[-1] += f"{separator}{code}"
        else:
            bundles.append(code)
    return bundles
