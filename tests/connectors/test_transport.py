"""The transport against a small server: retries, lengths, deadlines, redirects, the fetch time, the archive."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connectors.errors import (
    Blocked,
    ProviderError,
    ServerFault,
    Throttled,
    UnexpectedPayload,
    UnknownFault,
    Unreachable,
)
from connectors.http.request import Request
from connectors.http.transport import Transport
from warehouse.schema import Payload

Reply = Callable[[BaseHTTPRequestHandler, int], None]
ASKED = Request("part", "GET", "data/a,b,/X+Y.Z", (("format", "csvfile"), ("date", "1990:2026")))


@contextmanager
def _server(reply: Reply) -> Iterator[str]:
    """A server whose every request is answered by `reply(handler, number)`, counted from 1."""
    count = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal count
            count += 1
            reply(self, count)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/base"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _send(
    handler: BaseHTTPRequestHandler, body: bytes = b"ok", status: int = 200, length: int | None = None, **headers: str
) -> None:
    handler.send_response_only(status)
    for name, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def _transport(base: str, **options: object) -> Transport:
    return Transport("oecd", base, None, **{"sleep": lambda _: None, **options})  # type: ignore[arg-type]


def test_an_answer_and_what_is_kept_of_it() -> None:
    asked: list[str] = []
    archived: list[Payload] = []

    def reply(handler: BaseHTTPRequestHandler, _: int) -> None:
        asked.append(handler.path)
        asked.append(str(handler.headers["Accept-Language"]))
        body = gzip.compress(b"the body")
        _send(handler, body, Content_Encoding="gzip", Date="Wed, 15 Sep 2021 23:59:59 GMT", X_Odd="1")

    with (
        _server(reply) as base,
        _transport(base, archive=lambda payload, _: archived.append(payload), trust_date=True) as transport,
    ):
        payload = transport.get(ASKED)
    assert asked == ["/base/data/a,b,/X+Y.Z?format=csvfile&date=1990:2026", "en"]
    assert payload.content == b"the body"
    assert payload.sha256 == hashlib.sha256(b"the body").hexdigest()
    assert payload.fetched_at == datetime(2021, 9, 15, 23, 59, 59, tzinfo=UTC)
    assert payload.headers["x-odd"] == "1"
    assert (payload.status, payload.attempts, archived) == (200, 1, [payload])


def test_without_a_date_header_the_clock_counts() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    with _server(lambda handler, _: _send(handler)) as base, _transport(base, clock=lambda: now) as transport:
        assert transport.get(ASKED).fetched_at == now


@pytest.mark.parametrize(("minutes", "believed"), [(-11, False), (-9, True), (9, True), (11, False)])
def test_a_date_header_counts_only_near_our_clock(minutes: int, believed: bool) -> None:
    stated = datetime(2030, 1, 1, 12, tzinfo=UTC)
    now = stated - timedelta(minutes=minutes)
    reply: Reply = lambda handler, _: _send(handler, Date="Tue, 01 Jan 2030 12:00:00 GMT")  # noqa: E731
    with _server(reply) as base, _transport(base, clock=lambda: now) as transport:
        assert transport.get(ASKED).fetched_at == (stated if believed else now)


def test_two_answers_in_one_second_have_an_order() -> None:
    """A Date in whole seconds would leave two states of a dataset in the order of their hashes."""
    second = datetime(2030, 1, 1, 12, tzinfo=UTC)
    ticks = iter(range(1, 1000))
    reply: Reply = lambda handler, _: _send(handler, Date="Tue, 01 Jan 2030 12:00:00 GMT")  # noqa: E731
    with (
        _server(reply) as base,
        _transport(base, clock=lambda: second + timedelta(microseconds=next(ticks))) as transport,
    ):
        first, then = transport.get(ASKED).fetched_at, transport.get(ASKED).fetched_at
    assert second < first < then


def test_a_server_fault_is_asked_again_with_growing_pauses() -> None:
    pauses: list[float] = []
    archived: list[Payload] = []

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        _send(handler, b"no", 502) if number < 3 else _send(handler)

    with (
        _server(reply) as base,
        _transport(
            base, sleep=pauses.append, backoff=1.0, archive=lambda payload, _: archived.append(payload)
        ) as transport,
    ):
        payload = transport.get(ASKED)
    assert payload.attempts == 3
    assert [(sent.status, sent.outcome) for sent in transport.log] == [
        (502, "ServerFault"),
        (502, "ServerFault"),
        (200, "ok"),
    ]
    assert (transport.sent, transport.retries) == (3, 2)
    assert len(pauses) == 2
    assert 1 <= pauses[0] <= 2 <= pauses[1] <= 3
    assert archived == [payload]


def test_attempts_end_and_the_last_answer_is_archived() -> None:
    archived: list[Payload] = []
    with (
        _server(lambda handler, _: _send(handler, b"no", 503)) as base,
        _transport(base, attempts=2, archive=lambda payload, _: archived.append(payload)) as transport,
        pytest.raises(ServerFault),
    ):
        transport.get(ASKED)
    assert [payload.status for payload in archived] == [503]
    assert transport.sent == 2


def test_no_pause_is_begun_that_would_outlast_the_run() -> None:
    with (
        _server(lambda handler, _: _send(handler, b"no", 502)) as base,
        _transport(base, backoff=100.0, run_limit=50.0) as transport,
        pytest.raises(ServerFault),
    ):
        transport.get(ASKED)
    assert transport.sent == 1


@pytest.mark.parametrize(
    ("headers", "sent", "pauses"),
    [({"Retry_After": "7"}, 2, [7.0]), ({"Retry_After": "9999"}, 1, []), ({}, 1, [])],
)
def test_throttled_is_asked_again_only_when_told_when(headers: dict[str, str], sent: int, pauses: list[float]) -> None:
    slept: list[float] = []
    with (
        _server(lambda handler, _: _send(handler, b"slow", 429, None, **headers)) as base,
        _transport(base, attempts=2, sleep=slept.append) as transport,
        pytest.raises(Throttled),
    ):
        transport.get(ASKED)
    assert (transport.sent, slept) == (sent, pauses)


@pytest.mark.parametrize("length", [10, 0])
def test_a_short_or_refused_answer_is_unreachable(length: int) -> None:
    def reply(handler: BaseHTTPRequestHandler, _: int) -> None:
        if length:
            _send(handler, b"cut", length=length)
        handler.close_connection = True

    with _server(reply) as base, _transport(base, attempts=2) as transport, pytest.raises(Unreachable, match="Next: "):
        transport.get(ASKED)
    assert transport.sent == 2
    with _transport("http://127.0.0.1:1", attempts=1) as transport, pytest.raises(Unreachable):
        transport.get(ASKED)


def test_an_answer_that_grows_when_it_is_unpacked_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http.transport.LARGEST", 2 << 20)
    bomb = gzip.compress(b"0" * (50 << 20))
    with _server(lambda handler, _: _send(handler, bomb, Content_Encoding="gzip")) as base:
        transport = _transport(base)
        with pytest.raises(UnexpectedPayload, match="does not end within 2 MB"):
            transport.get(ASKED)
    assert len(bomb) < 100_000
    assert [record.outcome for record in transport.log] == ["UnexpectedPayload"]


@pytest.mark.parametrize(
    "body", [b'{"sandbox"', b'{"sandbox": []}', b'{"sandbox": {"faults": [1]}}', b'{"sandbox": 1}']
)
def test_only_the_sandboxs_own_form_is_taken_for_its_word(body: bytes) -> None:
    with _server(lambda handler, _: _send(handler, body, 400)) as base, pytest.raises(UnexpectedPayload, match="400"):
        _transport(base).get(ASKED)


def test_a_pause_that_is_no_number_is_none() -> None:
    with (
        _server(lambda handler, _: _send(handler, b"", 429, Retry_After="²")) as base,
        pytest.raises(Throttled) as caught,
    ):
        _transport(base).get(ASKED)
    assert caught.value.retry_after is None


def test_a_slow_drip_meets_the_deadline() -> None:
    def reply(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _n in range(100):
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
            time.sleep(0.05)
        handler.close_connection = True

    started = time.monotonic()
    with (
        _server(reply) as base,
        _transport(base, attempts=1, deadline=0.3) as transport,
        pytest.raises(Unreachable, match="not complete after"),
    ):
        transport.get(ASKED)
    assert time.monotonic() - started < 3


def test_redirects_keep_cookies_stay_on_the_host_and_end() -> None:
    def with_cookie(handler: BaseHTTPRequestHandler, _: int) -> None:
        if "pass=1" in str(handler.headers["Cookie"]):
            _send(handler, b"in")
        else:
            _send(handler, b"", 307, Location=handler.path, Set_Cookie="pass=1; Path=/")

    with _server(with_cookie) as base, _transport(base) as transport:
        assert transport.get(ASKED).content == b"in"
    away: Reply = lambda handler, _: _send(handler, b"", 302, Location="http://other.test/")  # noqa: E731
    with (
        _server(away) as base,
        _transport(base) as transport,
        pytest.raises(Blocked, match=r"another host, other\.test"),
    ):
        transport.get(ASKED)
    assert [record.outcome for record in transport.log] == ["Blocked"]
    around: Reply = lambda handler, _: _send(handler, b"", 307, Location=handler.path)  # noqa: E731
    with _server(around) as base, _transport(base) as transport, pytest.raises(Blocked, match="circles"):
        transport.get(ASKED)
    assert transport.log[-1].outcome == "Blocked"


def test_the_classifier_decides_and_the_sandbox_refuses_unknown_faults() -> None:
    def classify(payload: Payload) -> ProviderError | None:
        return Blocked("no", next_step="stop") if payload.content == b"no" else None

    with (
        _server(lambda handler, _: _send(handler, b"no")) as base,
        _transport(base) as transport,
        pytest.raises(Blocked),
    ):
        transport.get(ASKED, classify)
    assert transport.sent == 1
    refusal = b'{"sandbox": {"error": "no fault \'x\'", "faults": ["cut", "403"]}}'
    with (
        _server(lambda handler, _: _send(handler, refusal, 400)) as base,
        _transport(base) as transport,
        pytest.raises(UnknownFault, match="cut, 403"),
    ):
        transport.get(ASKED)
