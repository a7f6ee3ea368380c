"""Processes that share nothing but a network with this one: each in a network and a mount namespace of its own (Linux, root).

Belongs here: making such a namespace, running commands in it, and handing its connections on to servers on our loopback
interface. What runs in it is the test's.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_numbers = itertools.count(1)


def refusal() -> str | None:
    """Why no namespaces can be had here; None when they can."""
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return "needs Linux with unshare, nsenter and ip (apt-get install util-linux iproute2)"
    tried = subprocess.run(["unshare", "-m", "-n", "ip", "link"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"namespaces are refused here: {tried.stderr.strip()}"


@dataclass
class Namespace:
    """A machine of its own, as far as network and mounts go: `gateway` is how it reaches us."""

    name: str
    gateway: str
    pid: int
    #: Connections that it made, by port.
    connections: Counter[int] = field(default_factory=Counter)

    def command(self, *arguments: str) -> list[str]:
        """The command that runs these words in it."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--", *arguments]


@contextmanager
def namespace(name: str, own: Path, ports: list[int]) -> Iterator[Namespace]:
    """A namespace in which `own` is an empty folder that nobody else sees, and in which `ports` of our loopback interface are
    reached at the gateway's address."""
    number = next(_numbers)
    host, inside = f"10.213.{number}.1", f"10.213.{number}.2"
    own.mkdir(parents=True, exist_ok=True)
    holder = subprocess.Popen(
        [
            "unshare",
            "-m",
            "-n",
            "sh",
            "-c",
            'mount -t tmpfs own "$1" && ip link set lo up && echo up && cat',
            "sh",
            str(own),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        _ip(f"link add fk{number} type veth peer name inner netns {holder.pid}")
        _ip(f"addr add {host}/30 dev fk{number}")
        _ip(f"link set fk{number} up")
        made = Namespace(name, host, holder.pid)
        for words in (f"addr add {inside}/30 dev inner", "link set inner up"):
            subprocess.run(made.command("ip", *words.split()), check=True)
        with _handing_on(made, ports):
            yield made
    finally:
        holder.kill()  # with it the namespace ends, and with that the link
        holder.wait()


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


@contextmanager
def _handing_on(made: Namespace, ports: list[int]) -> Iterator[None]:
    listeners = [socket.create_server((made.gateway, port)) for port in ports]
    for listener in listeners:
        threading.Thread(target=_accept, args=(listener, made), daemon=True).start()
    try:
        yield
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _accept(listener: socket.socket, made: Namespace) -> None:
    port = listener.getsockname()[1]
    with suppress(OSError):
        while True:
            theirs, _ = listener.accept()
            made.connections[port] += 1
            ours = socket.create_connection(("127.0.0.1", port))
            for one, other in ((theirs, ours), (ours, theirs)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
