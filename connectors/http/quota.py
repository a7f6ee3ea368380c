"""How often a provider may be asked, kept across processes in one small SQLite file, across hosts in PostgreSQL.

Belongs here: the limits of each provider and cost class, waiting for them, and what is left of them. pyrate-limiter
counts; a file lock, or the server, keeps processes apart. Does not belong here: retries and HTTP (http/transport.py), or bounds
on how many runs go at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, cast

from pyrate_limiter import Decision, Duration, PostgresBucket, Rate, RateItem, SQLiteBucket

from connectors.errors import QuotaExhausted
from connectors.http.request import Cost
from warehouse import server
from warehouse.files import storage_errors

Rates = list[Rate]
Bucket = SQLiteBucket | PostgresBucket

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
#: How many requests one run may send in all, whatever the clock says. Of NBS it is known that a hundred are too many.
A_RUN: Final[dict[str, int]] = {"nbs": 20}
#: For servers on this machine: the same code path, limits that only stop a runaway loop.
GENEROUS: Final[dict[Cost, Rates]] = {"data": [Rate(500, Duration.SECOND)], "structure": [Rate(500, Duration.SECOND)]}
_CONTENDED: Final = 0.02


@dataclass(frozen=True)
class Left:
    """What remains of one limit: `left` of `limit` requests in the last `seconds`; `frees_at` when none is left."""

    cost: Cost
    limit: int
    seconds: int
    left: int
    frees_at: datetime | None


@dataclass(frozen=True)
class Need:
    """What some requests would need: `widest` is the limit with the longest window as it stands; `seconds` of waiting at the
    most; `runs`, since one ends when it would wait too long."""

    widest: Left
    seconds: int
    runs: int


class Quota:
    """The limits of one provider, shared by all processes that name the same file, or all hosts that name the same database."""

    def __init__(
        self,
        place: Path | str,
        provider: str,
        *,
        profile: str = "live",
        limits: dict[Cost, Rates] | None = None,
        run_limit: int | None = None,
        max_wait: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`place`: an SQLite file, or the address of a PostgreSQL as warehouse.server.catalogue completes it.

        `limits` and `run_limit` override those of the profile; `run_limit` counts the requests of this object, which serves
        one batch; `max_wait` is the longest wait in seconds for one request.
        """
        self.provider = provider
        self.max_wait = max_wait
        self._sleep = sleep
        self._most = run_limit or (A_RUN.get(provider) if profile == "live" else None)
        self._taken = 0
        self._stack = ExitStack()
        chosen = limits or (LIVE[provider] if profile == "live" else GENEROUS)
        made = self._on_server(place, chosen) if isinstance(place, str) else self._in_file(place, chosen)
        self._buckets: dict[Cost, Bucket] = made

    def take(self, cost: Cost) -> float:
        """Count one request, waiting for its turn; the seconds waited.

        Raises QuotaExhausted, and counts nothing, when the wait would exceed `max_wait`, or this run has had its share.
        """
        self._check_run()
        bucket = self._bucket(cost)
        waited = 0.0
        while True:
            decision = self._put(bucket)
            if decision.allowed:
                self._taken += 1
                return waited
            if decision.retry_after_ms is None:  # another host is counting right now
                self._sleep(_CONTENDED)
                continue
            wait = decision.retry_after_ms / 1000 + 0.01
            if waited + wait > self.max_wait:
                frees = datetime.fromtimestamp(time.time() + wait, UTC)
                raise QuotaExhausted(
                    f"our own limit for {self.provider} ({cost}) is used up; it frees at {frees:%Y-%m-%d %H:%M:%S} UTC",
                    next_step=f"run the refresh again after {frees:%H:%M:%S} UTC; nothing was sent",
                )
            self._sleep(wait)
            waited += wait

    def _check_run(self) -> None:
        if self._most is None or self._taken < self._most:
            return
        frees = max((left.frees_at for left in self.left() if left.frees_at is not None), default=datetime.now(UTC))
        raise QuotaExhausted(
            f"one run may send {self.provider} {self._most} requests, and this one has; "
            f"the limit frees at {frees:%Y-%m-%d %H:%M:%S} UTC",
            next_step=f"run the refresh again after {frees:%H:%M:%S} UTC; what was read is kept, and the rest is asked then",
        )

    def left(self) -> list[Left]:
        """What remains of every limit now; nothing is counted."""
        return [left for cost, bucket in self._buckets.items() for left in _left(cost, bucket)]

    def need(self, cost: Cost, requests: int) -> Need:
        """What so many requests would need from now on, if nobody else asks; nothing is counted."""
        limits = _left(cost, self._bucket(cost))
        windows = {one: math.ceil(max(requests - one.left, 0) / one.limit) for one in limits}
        runs = [1 + count for one, count in windows.items() if one.seconds > self.max_wait]
        runs += [math.ceil(requests / self._most)] if self._most is not None else []
        seconds = max(one.seconds * count for one, count in windows.items())
        return Need(max(limits, key=lambda one: one.seconds), seconds, max(runs, default=1))

    def close(self) -> None:
        """Close the file or the connections; the counts stay."""
        self._stack.close()

    def _in_file(self, path: Path, chosen: dict[Cost, Rates]) -> dict[Cost, Bucket]:
        path.parent.mkdir(parents=True, exist_ok=True)
        buckets: dict[Cost, Bucket] = {}
        for cost, rates in chosen.items():
            table = f"{self.provider}_{cost}"
            buckets[cost] = SQLiteBucket.init_from_file(rates, table=table, db_path=str(path), use_file_lock=True)
            self._stack.callback(buckets[cost].close)
        return buckets

    def _on_server(self, uri: str, chosen: dict[Cost, Rates]) -> dict[Cost, Bucket]:
        from psycopg_pool import ConnectionPool

        server.make_space(uri)
        pool = ConnectionPool(kwargs=server.parameters(uri), min_size=0, max_size=2, open=False)
        pool.open()
        self._stack.callback(pool.close)
        return {cost: PostgresBucket(pool, f"{self.provider}_{cost}", rates) for cost, rates in chosen.items()}

    def _put(self, bucket: Bucket) -> Decision:
        with _alone(bucket):
            now = _now(bucket)
            bucket.leak(now)
            return cast(Decision, bucket.put_decision(RateItem(self.provider, now)))

    def counts_as(self, cost: Cost) -> Cost:
        """The class by which requests of a cost are counted: data, where the provider has none of its own for them."""
        return cost if cost in self._buckets else "data"

    def _bucket(self, cost: Cost) -> Bucket:
        return self._buckets[self.counts_as(cost)]


@contextmanager
def _alone(bucket: Bucket) -> Iterator[None]:
    """While it counts in a file, no other process does; a server keeps them apart by itself."""
    with storage_errors("the quota"), bucket.lock if isinstance(bucket, SQLiteBucket) else nullcontext():
        yield


def _now(bucket: Bucket) -> int:
    """Milliseconds by the clock that all who share the bucket share: this host's, or the server's."""
    return int(bucket.now())  # type: ignore[no-untyped-call]


def _left(cost: Cost, bucket: Bucket) -> list[Left]:
    with _alone(bucket):
        now = _now(bucket)
        stamps = list(_stamps(bucket, now - max(rate.interval for rate in bucket.rates)))
    found = []
    for rate in bucket.rates:
        inside = [stamp for stamp in stamps if stamp > now - rate.interval]
        left = max(rate.limit - len(inside), 0)
        frees = None if left else datetime.fromtimestamp((inside[rate.limit - 1] + rate.interval) / 1000, UTC)
        found.append(Left(cost, rate.limit, rate.interval // 1000, left, frees))
    return found


def _stamps(bucket: Bucket, since: int) -> Iterator[int]:
    """When the requests after a moment were counted, newest first, in milliseconds."""
    for index in count():
        item = cast("RateItem | None", bucket.peek(index))
        if item is None or item.timestamp <= since:
            return
        yield int(item.timestamp)
