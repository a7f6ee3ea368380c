"""Child processes of the service: started in a group of their own, logged to a file, gone when we are gone.

Belongs here: starting, watching and stopping one process. Does not belong here: several of them, and
starting again (supervisor).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_taken(port: int, host: str = "127.0.0.1") -> bool:
    """True when something listens on that port of this machine's address `host`."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def _before_exec() -> Callable[[], None]:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def run() -> None:
        # A background job of a shell hands on an ignored SIGINT, and a Prefect worker that cannot be interrupted hangs.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return run


class Child:
    """One long-running process; `start` again after it died appends to the same log."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str], folder: Path | None = None
    ) -> None:
        self.name, self.command, self.log, self.env, self.folder = name, list(command), log, dict(env), folder
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> None:
        """Start it in its own process group; on Linux it gets SIGTERM when we die, however we die."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_before_exec(),
            )

    @property
    def pid(self) -> int | None:
        """Its process id, and its group's; None before the start."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    @property
    def lived(self) -> float:
        """Seconds since it was last started."""
        return time.monotonic() - self._started

    def wait(self, patience: float) -> int:
        """Its exit status, once it ends by itself; it is stopped, and counts as killed, when that takes too long."""
        assert self._process is not None, "wait comes after start"
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.stop()
            return self._process.returncode

    def stop(self, patience: float = 15) -> None:
        """Ask it to end, then kill what is left of its group after `patience` seconds; harmless when it is gone."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._sweep(self._process.pid)
        self._process.wait()

    @staticmethod
    def _sweep(group: int) -> None:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
