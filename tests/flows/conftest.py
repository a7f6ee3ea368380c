"""The only place in the tests that starts a Prefect server: one a session, in a folder of its own, with a worker."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from flows.environment import adopt, environment
from flows.processes import free_port
from flows.service import Service
from flows.settings import Settings
from tests.flows import sinks
from tests.flows.sinks import Post, Web

HOME = Path(tempfile.mkdtemp(prefix="figurekeeper-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
PORT = free_port()
# Prefect reads its settings when it is imported, which test modules do while they are collected.
adopt(environment(Settings(home=HOME), f"http://127.0.0.1:{PORT}/api"))


@pytest.fixture(scope="session")
def service_home() -> Path:
    """The home of the warehouse that runs of the session's worker write."""
    return HOME


@pytest.fixture(scope="session")
def hook() -> Iterator[Web]:
    """The webhook that the session's service tells of incidents."""
    with sinks.web() as sink:
        yield sink


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Post]:
    """The mail server by which the session's service tells of incidents."""
    with sinks.post() as sink:
        yield sink


@pytest.fixture(scope="session")
def service(service_home: Path, hook: Web, mailbox: Post) -> Iterator[Service]:
    """The whole service as `make run` brings it up, its worker on every queue; this process talks to its server."""
    settings = Settings(
        home=service_home,
        webhook_url=SecretStr(hook.address),
        mail_server=SecretStr(mailbox.address),
        mail_from="figurekeeper@example.org",
        mail_to="operator@example.org",
    )
    with Service(settings, port=PORT) as running:
        yield running


@pytest.fixture
def run_deployment(service: Any) -> Callable[..., Any]:
    """Create a run of a deployment as the UI's form does, wait for its end, and return its state."""
    from flows import server

    def run(deployment: str, parameters: dict[str, Any]) -> Any:
        number = server.start_run(deployment, parameters)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            state = server.read_run(number).state
            if state is not None and state.is_final():
                return state
            time.sleep(0.5)
        raise AssertionError(f"{deployment} did not end: {server.read_run(number).state}")

    return run


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until a question has a true answer, and return it."""

    def wait(ask: Callable[[], Any], seconds: float = 40) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := ask()) and time.monotonic() < deadline:
            time.sleep(0.3)
        return answer

    return wait
