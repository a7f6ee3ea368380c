"""The sandbox's HTTP server: addresses, dates and faults in the base URL, delivery over the socket, the access log.

    with serve() as sandbox:
        requests.get(sandbox.url("worldbank", on=date(2021, 12, 31)) + "/country/KOR/indicator/...")

A base URL is `http://127.0.0.1:PORT[/on/YYYY-MM-DD][/fault/NAME[:NONCE]]/{oecd|worldbank|nbs}`. Belongs here: all that
lies between a socket and a Question. Does not belong here: what a provider says (the wire modules). The server keeps
nothing that changes an answer, save which URLs a fault that passes on retry has already failed; answers are cached by
their whole question.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as clock
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.sandbox import own_facts
from connectors.sandbox.faults import FAULTS, Fault, spoil
from connectors.sandbox.oecd_flows import Flow
from connectors.sandbox.wire import Answer, Question
from warehouse.errors import UsageError

PROVIDERS = ("oecd", "worldbank", "nbs")
_ADDRESS = re.compile(
    r"(?:/on/(?P<on>[^/]+))?(?:/fault/(?P<fault>[^/]+))?/(?P<provider>oecd|worldbank|nbs)(?P<path>/.*|$)"
)
_CACHED_ANSWERS = 64
_DRIP_SECONDS = 120
_DRIP_PAUSE = 0.05
_SHORT_BY = 64


class BadAddress(ValueError):
    """The sandbox's own part of the address cannot be meant; `detail` goes into the answer."""

    def __init__(self, message: str, **detail: object) -> None:
        super().__init__(message)
        self.detail: dict[str, object] = {"error": message, **detail}


@dataclass(frozen=True)
class Address:
    """A request's address, taken apart."""

    provider: str
    path: str
    on: date | None
    fault: Fault | None
    fault_text: str  # the name with its nonce


def parse_address(path: str) -> Address:
    """Take a request path apart. Raises BadAddress when provider, day or fault are not known."""
    match = _ADDRESS.fullmatch(path)
    if match is None:
        raise BadAddress("no such address; use [/on/YYYY-MM-DD][/fault/NAME]/PROVIDER/...", providers=list(PROVIDERS))
    try:
        on = date.fromisoformat(match["on"]) if match["on"] else None
    except ValueError as error:
        raise BadAddress(f"not a day: {match['on']}") from error
    fault_text = unquote(match["fault"] or "")
    name = fault_text.partition(":")[0]
    known = sorted(one.name for one in FAULTS.values() if match["provider"] in one.providers)
    if name and name not in known:
        raise BadAddress(f"no fault {name!r} for {match['provider']}", unknown_fault=name, faults=known)
    return Address(match["provider"], unquote(match["path"]), on, FAULTS.get(name), fault_text)


@dataclass
class Sandbox:
    """A running sandbox."""

    port: int
    server: Server = field(repr=False)

    def url(self, provider: str, on: date | None = None, fault: str | None = None) -> str:
        """The base URL that stands in for a provider's, on a day (None: the newest state) and with a fault."""
        day = f"/on/{on.isoformat()}" if on else ""
        return f"http://127.0.0.1:{self.port}{day}{f'/fault/{fault}' if fault else ''}/{provider}"


class Server(ThreadingHTTPServer):
    """One thread a connection; holds the cache, the log and the memory of faults that pass on retry."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, access_log: Path | None, own: tuple[Flow, ...] = ()) -> None:
        self.own = own
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[Any, ...], Answer] = OrderedDict()
        self._failed: set[tuple[str, ...]] = set()
        self._log = access_log.open("a", encoding="utf-8") if access_log else None
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UsageError(
                f"the sandbox cannot listen on port {port}: {error.strerror}", next_step="choose another port, or 0"
            ) from error

    def answer(self, provider: str, question: Question) -> Answer:
        """The provider's answer, from the cache when the same question was asked before."""
        key = _cache_key(provider, question)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        found: Answer = import_module(f"connectors.sandbox.{provider}_wire").answer(question)
        with self._lock:
            self._answers[key] = found
            if len(self._answers) > _CACHED_ANSWERS:
                self._answers.popitem(last=False)
        return found

    def asked_before(self, *key: str) -> bool:
        """True from the second time on that a fault is asked for the same URL."""
        with self._lock:
            known = key in self._failed
            self._failed.add(key)
        return known

    def log(self, entry: dict[str, object]) -> None:
        """One line a request; an answer still dripping when the server closes is not logged."""
        with self._lock:
            if self._log and not self._log.closed:
                self._log.write(json.dumps(entry, ensure_ascii=False) + "\n")
                self._log.flush()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; everything else is reported as usual."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Stop dripping, close the socket and the log."""
        self.stopping.set()
        super().server_close()
        with self._lock:
            if self._log:
                self._log.close()


def _cache_key(provider: str, question: Question) -> tuple[Any, ...]:
    parameters = tuple(sorted(question.params.items()))
    rest = (question.accept, question.body, question.on, question.today, question.fault)
    return provider, question.method, question.path, parameters, *rest


class Handler(BaseHTTPRequestHandler):
    """One connection. Keeps it alive between requests unless a fault breaks it."""

    server: Server
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body leave in one packet
    timeout = 60
    _on: date | None = None

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def version_string(self) -> str:
        """The Server header."""
        return "FigurekeeperSandbox"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header: the end of the day in the address, else the real clock."""
        moment = datetime.combine(self._on, clock(23, 59, 59), UTC) if self._on else datetime.now(UTC)
        return format_datetime(moment, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal: the access log has it."""

    def _serve(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address: Address | None = None
        self._on = None
        try:
            address = parse_address(split.path)
            self._on = address.on
            answer = self._answer(address, split.query, body)
        except BadAddress as error:
            answer = Answer(json.dumps({"sandbox": error.detail}).encode(), status=400)
        sent = self._send(answer)
        self.server.log(
            {
                **{
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "method": self.command,
                    "path": self.path,
                },
                **({"body": body.decode(errors="replace")} if body else {}),
                **{"status": answer.status, "bytes": sent},
                **{"on": str(self._on) if self._on else None, "fault": address.fault_text or None if address else None},
            }
        )

    def _answer(self, address: Address, query: str, body: bytes) -> Answer:
        fault = address.fault
        question = Question(
            method=self.command,
            path=address.path,
            params=dict(parse_qsl(query, keep_blank_values=True)),
            accept=self.headers.get("Accept", ""),
            body=body,
            on=address.on,
            today=address.on or datetime.now(UTC).date(),
            own=self.server.own,
            fault=fault.name if fault and fault.touches == "data" else None,
        )
        answer = self.server.answer(address.provider, question)
        if fault is None or fault.touches == "data":
            return answer
        asked_before = fault.name == "400_then_ok" and self.server.asked_before(
            address.fault_text, self.command, self.path, body.decode(errors="replace")
        )
        cookie = self.headers.get("Cookie", "")
        return spoil(fault, address.provider, answer, asked_before=asked_before, cookie=cookie, path=self.path)

    def _send(self, answer: Answer) -> int:
        """Send an answer in the way it wants to be delivered; returns the bytes of the body that were sent."""
        body = answer.body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body) + (_SHORT_BY if answer.delivery == "short" else 0)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if answer.delivery == "whole":
            self.wfile.write(body)
            return len(body)
        self.close_connection = True
        if answer.delivery == "drip":
            return self._drip(body)
        sent = body if answer.delivery == "short" else body[: len(body) // 2]
        self.wfile.write(sent)
        self.wfile.flush()
        if answer.delivery == "cut":  # closed at once and with a linger time of zero: a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        return len(sent)

    def _drip(self, body: bytes) -> int:
        """Send a byte at a time until the client or the server has had enough."""
        end = time.monotonic() + _DRIP_SECONDS
        sent = 0
        while sent < len(body) and time.monotonic() < end and not self.server.stopping.wait(_DRIP_PAUSE):
            try:
                self.wfile.write(body[sent : sent + 1])
                self.wfile.flush()
            except OSError:
                break
            sent += 1
        return sent


@contextmanager
def serve(port: int = 0, access_log: Path | None = None, facts: Path | None = None) -> Iterator[Sandbox]:
    """Run a sandbox on a port of 127.0.0.1 (0: any free one) in a thread, until the block ends.

    `facts` is a folder of a user's own facts, served beside the built-in ones. Raises OwnFactsError for a bad file in it.
    """
    server = Server(port, access_log, own_facts.read(facts) if facts else ())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True)
    thread.start()
    try:
        yield Sandbox(server.server_address[1], server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
