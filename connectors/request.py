"""One question to a provider, in the terms that planning, quotas and transport share.

Belongs here: that record alone. What a connector asks for, and when, is in its own module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cost = Literal["data", "structure"]


@dataclass(frozen=True)
class Request:
    """One question to a provider; `path` is relative to its base URL, `cost` names the quota it counts against."""

    part: str | None  # None: for the whole dataset (a probe, a structure)
    method: Literal["GET", "POST"]
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    cost: Cost = "data"
