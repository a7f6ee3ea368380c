"""The only place that speaks HTTP: one request at a time, politely, and every answer kept.

Belongs here: the session, timeouts and deadline, lengths and redirects, the one retry layer, the fetch time, the
archive call and the log of what was asked. Does not belong here: what an answer means (answers). Each connector hands in its own
`classify`, which turns an answer that is no answer into a typed error.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import humanize
import requests
from requests.adapters import HTTPAdapter
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)
from urllib3.exceptions import HTTPError

from connectors.errors import Blocked, NoData, OutOfTime, ProviderError, Throttled, UnexpectedPayload, Unreachable
from connectors.http.answers import Classify, classify_status, http_date, sandbox_refusal, short
from connectors.http.breaker import Breaker
from connectors.http.kept import Kept
from connectors.http.quota import Quota
from connectors.http.request import Request
from warehouse.schema import Payload

USER_AGENT = "Figurekeeper/0.1 (official statistics, scheduled refresh; python-requests)"
CHUNK = 1 << 16
#: Bytes of an answer when unpacked; the OECD's largest known table has 197 MB.
LARGEST = 512 << 20
#: A provider whose clock is further off is not believed: fetch times decide what was known when.
CLOCK_TOLERANCE = timedelta(minutes=10)
#: Within this, a Date in whole seconds says no more than our clock.
A_MOMENT = timedelta(seconds=2)


@dataclass(frozen=True)
class Sent:
    """One request as it went: for the record of the batch. `outcome` is "ok" or the name of the error."""

    url: str
    part: str | None
    attempt: int
    status: int | None
    outcome: str
    seconds: float
    quota_wait: float


class Transport:
    """A polite client for one provider. Use as a context manager; not shared between threads."""

    def __init__(
        self,
        provider: str,
        base_url: str,
        quota: Quota | None = None,
        *,
        breaker: Breaker | None = None,
        archive: Callable[[Payload, str | None], None] | None = None,
        kept: Kept | None = None,
        timeouts: tuple[float, float] = (10.0, 60.0),
        deadline: float = 300.0,
        run_limit: float = 3600.0,
        attempts: int = 4,
        backoff: float = 2.0,
        max_retry_after: float = 180.0,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        trust_date: bool = False,
        adapter: HTTPAdapter | None = None,
    ) -> None:
        """`timeouts` are for connecting and for each read; `deadline` bounds one whole answer, `run_limit` all answers
        together, pauses and waiting for the quota included; all in seconds. Without `breaker` it has one of its own.

        `backoff` is the first pause, doubled and jittered from then on. A Throttled answer is asked again only when its
        Retry-After is at most `max_retry_after`. `archive` is given every final answer with the part it is for, errors
        included, and those that `kept` holds of cut off runs, which are not asked for again. The answer's
        Date is the fetch time when it agrees with our clock, or always with `trust_date` (the sandbox's other days); our
        own clock is where that Date is now, for it is finer: two answers in one second have an order.
        `adapter` stands where HTTP would be: a recording that answers instead.
        """
        self.provider = provider
        self.base_url = base_url.rstrip("/")
        self.log: list[Sent] = []
        self.kept = kept or Kept()
        self.recalled = 0
        self._quota, self._archive, self._clock, self._sleep = quota, archive, clock, sleep
        self._breaker = breaker or Breaker(None, provider, self.base_url, clock=clock)
        self._timeouts, self._deadline, self._attempts = timeouts, deadline, attempts
        self._run_limit, self._ends = run_limit, time.monotonic() + run_limit
        self._max_retry_after, self._trust_date = max_retry_after, trust_date
        self._pause = wait_exponential_jitter(multiplier=backoff, max=60 * max(backoff, 0.001), jitter=backoff)
        self._session = _SameHostSession()
        if adapter is not None:
            self._session.mount("http://", adapter)
            self._session.mount("https://", adapter)
        self._session.headers.update({"User-Agent": user_agent, "Accept-Language": "en", "Accept-Encoding": "gzip"})

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def for_structures(self) -> Transport:
        """The same client for structures alone: where the provider counts these apart, their refusals pause no data."""
        other = copy(self)
        other._breaker = self._breaker.for_structures()
        return other

    @property
    def sent(self) -> int:
        """How many requests were sent, retries included."""
        return len(self.log)

    @property
    def retries(self) -> int:
        """How many of them were further attempts."""
        return sum(1 for record in self.log if record.attempt > 1)

    def url(self, request: Request) -> str:
        """The full address of a request."""
        return f"{self.base_url}/{request.address}"

    def get(self, request: Request, classify: Classify = classify_status) -> Payload:
        """The answer that is kept, or else one after as many attempts as its errors allow.

        Raises ProviderError; NotAsked in a pause or out of time.
        """
        kept = self.kept.take(request)
        error = classify(kept) if kept is not None else None
        if kept is not None and (error is None or isinstance(error, NoData)):
            self._hand_on(request, kept)
            if error is not None:
                raise error
            return kept
        left = self._time_left()
        self._breaker.admit()
        try:
            payload = self._attempted(request, classify, left)
        except ProviderError as error:
            self._breaker.settle(error)
            raise
        self._breaker.settle(None)
        return payload

    def _hand_on(self, request: Request, kept: Payload) -> None:
        self.recalled += 1
        if self._archive:
            self._archive(kept, request.part)

    def _time_left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise OutOfTime(
                f"not asked: this run has had its {humanize.precisedelta(self._run_limit)}",
                next_step="run the refresh again; when it happens every time, see in `figurekeeper batch BATCH` which "
                "requests take so long; what was read is kept, and the last good data keep serving",
            )
        return left

    def _attempted(self, request: Request, classify: Classify, left: float) -> Payload:
        last: list[Payload] = []

        def attempt(number: int) -> Payload:
            last.clear()
            payload = self._once(request, number)
            last.append(payload)
            error = sandbox_refusal(payload) or classify(payload)
            self.log[-1] = replace(self.log[-1], outcome=type(error).__name__ if error else "ok")
            if error:
                raise error
            return payload

        retrying = Retrying(
            retry=retry_if_exception(self._worth_a_retry),
            stop=stop_after_attempt(self._attempts) | stop_before_delay(left),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            for state in retrying:
                with state:
                    return attempt(state.retry_state.attempt_number)
        finally:
            if last and self._archive:
                self._archive(last[0], request.part)
        raise AssertionError("unreachable")

    def _worth_a_retry(self, error: BaseException) -> bool:
        if isinstance(error, Throttled):
            return error.retry_after is not None and error.retry_after <= self._max_retry_after
        return isinstance(error, ProviderError) and error.retriable

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_for = error.retry_after if isinstance(error, Throttled) else None
        return float(self._pause(state)) if asked_for is None else asked_for

    def _once(self, request: Request, attempt: int) -> Payload:
        url = self.url(request)
        quota_wait = self._quota.take(request.cost) if self._quota else 0.0
        started = time.monotonic()
        ends = min(started + self._deadline, self._ends)
        status: int | None = None
        outcome = "Unreachable"
        try:
            with self._session.request(
                request.method,
                url,
                data=request.body.encode() if request.body is not None else None,
                headers=dict(request.headers),
                timeout=self._timeouts,
                stream=True,
            ) as response:
                status = response.status_code
                content = self._read(response, started, ends)
            outcome = "ok"
        except _TooLarge as error:
            outcome = "UnexpectedPayload"
            raise UnexpectedPayload(
                f"the answer does not end within {LARGEST >> 20} MB",
                request=short(request.method, url),
                next_step="ask for less at once: fewer economies, fewer codes in the part's key, a later start",
            ) from error
        except requests.TooManyRedirects as error:
            outcome = "Blocked"
            raise Blocked(
                "the provider sends us in circles (too many redirects): a firewall's challenge that is not evaded",
                request=short(request.method, url),
                next_step="wait some hours and run the refresh again; the last good data keep serving",
            ) from error
        except _AnotherHost as error:
            outcome = "Blocked"
            raise Blocked(
                f"the provider sends us to another host, {error}, which is not followed",
                request=short(request.method, url),
                next_step="see whether the service has moved; if so, correct the provider's base URL",
            ) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unreachable(
                f"no usable answer: {_reason(error)}",
                request=short(request.method, url),
                next_step="check the network and the provider's status page, then run the refresh again",
            ) from error
        finally:
            seconds = time.monotonic() - started
            self.log.append(Sent(url, request.part, attempt, status, outcome, round(seconds, 3), round(quota_wait, 3)))
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Payload(
            sha256=hashlib.sha256(content).hexdigest(),
            content=content,
            method=request.method,
            url=url,
            body=request.body,
            status=response.status_code,
            headers=headers,
            fetched_at=self._fetched_at(headers.get("date", "")),
            attempts=attempt,
        )

    def _fetched_at(self, date: str) -> datetime:
        stated, now = http_date(date), self._clock()
        if stated is None or (not stated.microsecond and timedelta(0) <= now - stated < A_MOMENT):
            return now
        return stated if self._trust_date or abs(stated - now) <= CLOCK_TOLERANCE else now

    def _read(self, response: requests.Response, started: float, ends: float) -> bytes:
        """The body, with its content-encoding undone. urllib3 raises when it is shorter than its Content-Length."""
        chunks, size = [], 0
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                raise _TooLarge
            if time.monotonic() > ends:
                raise requests.Timeout(f"the answer was not complete after {ends - started:.1f} s")
        return b"".join(chunks)


class _TooLarge(requests.RequestException):
    """More bytes than any answer has."""


class _AnotherHost(requests.RequestException):
    """A redirect that leaves the provider's host; says to where."""


class _SameHostSession(requests.Session):
    """Cookies are kept; redirects are followed, a few times, and never to another host."""

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = 5

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        host = urlsplit(target or "").netloc
        if host and host != urlsplit(resp.url).netloc:
            raise _AnotherHost(host)
        return target


def _reason(error: BaseException) -> str:
    """The innermost words of a chain of network errors."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"
