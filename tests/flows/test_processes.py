"""A child of the service is stopped with its whole group, and dies with us; no server needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows import service
from flows.processes import Child, free_port, port_taken
from flows.settings import Settings

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(grandchild.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    """True when no such process runs; one that has ended and waits to be reaped by its new parent counts as gone."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if sys.platform == "linux" and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False


def first_line(log: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if log.exists() and "\n" in log.read_text():
            return log.read_text().splitlines()[0]
        time.sleep(0.05)
    raise AssertionError("the child said nothing")


def test_stop_ends_a_stubborn_child_and_its_children(tmp_path: Path) -> None:
    child = Child("stubborn", [sys.executable, "-c", STUBBORN], log=tmp_path / "c.log", env=os.environ)
    child.start()
    grandchild = int(first_line(child.log))
    assert child.returncode is None
    child.stop(patience=0.5)
    assert child.returncode == -signal.SIGKILL
    assert gone(grandchild)


def test_stop_of_a_child_that_has_ended_is_harmless_and_keeps_its_words(tmp_path: Path) -> None:
    child = Child("brief", [sys.executable, "-c", "print('gone'); raise SystemExit(3)"], log=tmp_path / "c.log", env={})
    child.start()
    assert first_line(child.log) == "gone"
    child.stop()
    child.stop()
    assert child.returncode == 3
    assert child.tail() == "gone"


@pytest.mark.skipif(sys.platform != "linux", reason="dying with the parent is a signal of Linux")
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "c.log"
    program = (
        "import os, sys, time; from pathlib import Path; from flows.processes import Child\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"c = Child('c', sleep, log=Path({str(log)!r}), env=os.environ)\n"
        "c.start(); print(c.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(service.PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone(pid)


def test_a_free_port_is_free_and_a_taken_one_is_not() -> None:
    assert not port_taken(free_port())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert port_taken(listener.getsockname()[1])


def test_environment_is_our_own_prefect_and_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "of somebody else")
    settings = Settings(home=tmp_path)
    env = service.environment(settings, "http://127.0.0.1:1/api")
    assert "PREFECT_API_KEY" not in env
    assert env["PREFECT_HOME"] == str(settings.root / "prefect")
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert Path(env["FIGUREKEEPER_HOME"]).is_absolute()


def test_environment_hands_on_every_setting_wherever_it_was_set(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, webhook_url=SecretStr("http://127.0.0.1:9/hook"), profile="synthetic")
    env = service.environment(settings, "http://127.0.0.1:1/api")
    assert env["FIGUREKEEPER_WEBHOOK_URL"] == "http://127.0.0.1:9/hook"
    assert env["FIGUREKEEPER_PROFILE"] == "synthetic"
    assert "FIGUREKEEPER_OECD_URL" not in env


def test_a_second_service_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    one, two = service.Service(settings), service.Service(settings)
    one._claim()
    with pytest.raises(service.ServiceError, match="already running"):
        two._claim()
    one._lock.release()


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = service.Service(Settings(home=tmp_path), port=listener.getsockname()[1])
        with pytest.raises(service.ServiceError, match="FIGUREKEEPER_PORT"), mine:
            pass
    assert mine.children == []


def test_a_server_that_dies_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = service.Service(Settings(home=tmp_path))
    child = Child(
        "server", [sys.executable, "-c", "print('disk full'); raise SystemExit(1)"], log=tmp_path / "s", env={}
    )
    child.start()
    mine.children.append(child)
    with pytest.raises(service.ServiceError, match="disk full"):
        mine.wait_until("http://127.0.0.1:9/", "server")
