"""How often a provider may be asked, kept across processes in one small SQLite file.

Belongs here: the limits of each provider and cost class, waiting for them, and what is left of them. pyrate-limiter
counts; a file lock keeps processes apart. Does not belong here: retries and HTTP (transport.py), or bounds on how many
runs go at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from pyrate_limiter import Duration, Rate, RateItem, SQLiteBucket

from connectors.errors import QuotaExhausted
from connectors.request import Cost

Rates = list[Rate]

#: Limits by provider and cost. The OECD states 60 data downloads an hour and once stated 20 structure queries a minute;
#: the World Bank states none, nor does NBS, whose firewall blocks after about a hundred quick calls. Ours are stricter.
#: Providers that count every request alike name no class of their own for structures.
LIVE: Final[dict[str, dict[Cost, Rates]]] = {
    "oecd": {
        "data": [Rate(1, Duration.MINUTE), Rate(50, Duration.HOUR)],
        "structure": [Rate(15, Duration.MINUTE)],
    },
    "worldbank": {"data": [Rate(5, Duration.SECOND), Rate(150, Duration.MINUTE)]},
    "nbs": {"data": [Rate(1, Duration.SECOND), Rate(20, Duration.HOUR)]},
}
#: For servers on this machine: the same code path, limits that only stop a runaway loop.
GENEROUS: Final[dict[Cost, Rates]] = {"data": [Rate(500, Duration.SECOND)], "structure": [Rate(500, Duration.SECOND)]}


@dataclass(frozen=True)
class Left:
    """What remains of one limit: `left` of `limit` requests in the last `seconds`; `frees_at` when none is left."""

    cost: Cost
    limit: int
    seconds: int
    left: int
    frees_at: datetime | None


class Quota:
    """The limits of one provider, shared by all processes that name the same file."""

    def __init__(
        self,
        path: Path,
        provider: str,
        *,
        profile: str = "live",
        limits: dict[Cost, Rates] | None = None,
        max_wait: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`limits` overrides the limits of the profile; `max_wait` is the longest wait in seconds for one request."""
        self.provider = provider
        self.max_wait = max_wait
        self._sleep = sleep
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen = limits or (LIVE[provider] if profile == "live" else GENEROUS)
        self._buckets: dict[Cost, SQLiteBucket] = {
            cost: SQLiteBucket.init_from_file(rates, table=f"{provider}_{cost}", db_path=str(path), use_file_lock=True)
            for cost, rates in chosen.items()
        }

    def take(self, cost: Cost) -> float:
        """Count one request, waiting for its turn; the seconds waited.

        Raises QuotaExhausted, and counts nothing, when the wait would exceed `max_wait`.
        """
        bucket = self._bucket(cost)
        waited = 0.0
        while True:
            with bucket.lock:
                now = _milliseconds()
                bucket.leak(now)
                item = RateItem(self.provider, now)
                if bucket.put(item):
                    return waited
                wait = cast(int, bucket.waiting(item)) / 1000 + 0.01
            if waited + wait > self.max_wait:
                frees = datetime.fromtimestamp(time.time() + wait, UTC)
                raise QuotaExhausted(
                    f"our own limit for {self.provider} ({cost}) is used up; it frees at {frees:%Y-%m-%d %H:%M:%S} UTC",
                    next_step=f"run the refresh again after {frees:%H:%M:%S} UTC; nothing was sent",
                )
            self._sleep(wait)
            waited += wait

    def left(self) -> list[Left]:
        """What remains of every limit now; nothing is counted."""
        return [left for cost, bucket in self._buckets.items() for left in _left(cost, bucket)]

    def close(self) -> None:
        """Close the file; the counts stay."""
        for bucket in self._buckets.values():
            bucket.conn.close()

    def _bucket(self, cost: Cost) -> SQLiteBucket:
        return self._buckets.get(cost) or self._buckets["data"]


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000  # the clock by which the bucket stamps: shared by all processes of this host


def _left(cost: Cost, bucket: SQLiteBucket) -> list[Left]:
    with bucket.lock:
        now = _milliseconds()
        stamps = [int(row[0]) for row in bucket.conn.execute(f'SELECT item_timestamp FROM "{bucket.table}"')]
    found = []
    for rate in bucket.rates:
        inside = sorted(stamp for stamp in stamps if stamp > now - rate.interval)
        left = max(rate.limit - len(inside), 0)
        frees = None if left else datetime.fromtimestamp((inside[-rate.limit] + rate.interval) / 1000, UTC)
        found.append(Left(cost, rate.limit, rate.interval // 1000, left, frees))
    return found
