"""Sinks on loopback that take notices, and keep what they took: one for what is posted, one for mail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from flows.processes import free_port


@dataclass
class Web:
    """What was posted, in order; it answers with `status` and `says`."""

    address: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    says: str = "ok"


@contextmanager
def web() -> Iterator[Web]:
    """A server to which JSON can be posted."""
    sink = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if 200 <= sink.status < 300:
                sink.taken.append(body)
                sink.headers.append(dict(self.headers))
            self.send_response(sink.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(sink.says.encode())

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    sink.address = f"http://127.0.0.1:{server.server_address[1]}/services/T012345/secretpart"
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Post:
    """The mail that came, in order; mailboxes in `unknown` are refused."""

    address: str = ""
    taken: list[EmailMessage] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    async def handle_RCPT(  # the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a mailbox, or do not know it."""
        if address in self.unknown:
            return f"550 no mailbox {address} here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep a message."""
        self.taken.append(
            message_from_bytes(envelope.original_content or b"", _class=EmailMessage, policy=policy.default)
        )
        return "250 OK"


@contextmanager
def post() -> Iterator[Post]:
    """A server that speaks SMTP, without encryption."""
    sink = Post()
    controller = Controller(sink, hostname="127.0.0.1", port=free_port())
    controller.start()
    sink.address = f"smtp://127.0.0.1:{controller.port}"
    try:
        yield sink
    finally:
        controller.stop()
