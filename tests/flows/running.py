"""A service of a test's own, as an operator starts it: another process, asked over HTTP; never the one of the session's fixture.

Does not belong here: the fixture `service` (conftest).
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from flows.environment import PROJECT, SERVER_AUTH


def clean(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what it knows of another service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FIGUREKEEPER_", "PREFECT_"))}
    return {**kept, "PYTHONPATH": str(PROJECT), "FIGUREKEEPER_PAGES": "false", **extra}


def wait_for(ask: Callable[[], Any], seconds: float = 120) -> Any:
    """The first true answer, or the last one."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return answer


def two_ports() -> int:
    """A port that is free with the one after it, both below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20000, 32000, 2)
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 1)),
        ):
            return port


@dataclass(frozen=True)
class Api:
    """The Prefect API of a running service."""

    url: str
    auth: tuple[str, str] | None = None

    def ask(self, path: str, **body: Any) -> Any:
        """The answer to a question; raises when the server refuses it."""
        again = (
            5 if path.endswith("/filter") else 0
        )  # SQLite sometimes lets a request hang; a question may be asked again
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=Retry(again, allowed_methods=None, backoff_factor=0.5)))
            answer = session.post(f"{self.url}{path}", json=body, auth=self.auth, timeout=20 if again else 120)
        answer.raise_for_status()
        return answer.json()

    def runs(self, *states: str, **body: Any) -> list[dict[str, Any]]:
        """All flow runs, or those whose state has one of these names."""
        wanted = {"state": {"name": {"any_": list(states)}}} if states else {}
        found: list[dict[str, Any]] = self.ask("/flow_runs/filter", flow_runs=wanted, limit=200, **body)
        return found

    def run(self, number: str) -> dict[str, Any]:
        """One flow run."""
        [found] = self.ask("/flow_runs/filter", flow_runs={"id": {"any_": [number]}})
        return dict(found)

    def deployments(self) -> dict[str, str]:
        """The id of each deployment, by name."""
        return {found["name"]: found["id"] for found in self.ask("/deployments/filter", limit=200)}

    def start(self, deployment: str, **parameters: Any) -> str:
        """Create a run as the UI's form does; returns its id."""
        number = self.deployments()[deployment]
        return str(self.ask(f"/deployments/{number}/create_flow_run", parameters=parameters)["id"])


@contextmanager
def process(command: list[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A long-running command that is asked to end with the block, and must do so cleanly."""
    with log.open("ab") as told, subprocess.Popen(command, env=clean(env), cwd=PROJECT, stdout=told, stderr=told) as it:
        try:
            yield it
        finally:
            it.send_signal(signal.SIGTERM)
            try:
                status = it.wait(90)
            finally:
                it.kill()
    assert status == 0, log.read_text()


@contextmanager
def up(port: int, env: Mapping[str, str], log: Path, *arguments: str, program: str | None = None) -> Iterator[Api]:
    """`figurekeeper up`, or a program in its place, once it has said that it is ready."""
    command = [sys.executable, *(["-c", program] if program else ["-m", "flows.cli", "up"]), *arguments]
    before = log.read_text().count("ready;") if log.exists() else 0
    with process(command, {**env, "FIGUREKEEPER_PORT": str(port)}, log) as it:
        ready = wait_for(lambda: log.read_text().count("ready;") > before or it.poll() is not None, 300)
        assert ready, log.read_text()
        assert it.poll() is None, log.read_text()
        yield Api(f"http://127.0.0.1:{port}/api", auth=user_and_password(env))


def user_and_password(env: Mapping[str, str]) -> tuple[str, str] | None:
    """What the server of this environment asks of everybody."""
    user, colon, password = env.get(SERVER_AUTH, "").partition(":")
    return (user, password) if colon else None
