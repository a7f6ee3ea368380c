"""A child of the service is stopped with its whole group, and dies with us; no server needed."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr

from flows import down, service, worker
from flows.environment import PROJECT, environment, here, open_to_all
from flows.pages_server import Handler
from flows.processes import Child, free_port, port_taken
from flows.settings import Settings
from flows.supervisor import ServiceError, Supervisor
from warehouse.errors import UsageError

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
    assert child.wait(60) == 3
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
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
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
    env = environment(settings, "http://127.0.0.1:1/api")
    assert "PREFECT_API_KEY" not in env
    assert env["PREFECT_HOME"] == str(settings.root / "prefect")
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert Path(env["FIGUREKEEPER_HOME"]).is_absolute()


def test_environment_hands_on_every_setting_wherever_it_was_set(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, webhook_url=SecretStr("http://127.0.0.1:9/hook"), profile="synthetic")
    env = environment(settings, "http://127.0.0.1:1/api")
    assert env["FIGUREKEEPER_WEBHOOK_URL"] == "http://127.0.0.1:9/hook"
    assert env["FIGUREKEEPER_PROFILE"] == "synthetic"
    assert "FIGUREKEEPER_OECD_URL" not in env


def test_a_second_service_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    one, two = service.Service(settings), service.Service(settings)
    one._claim()
    with pytest.raises(ServiceError, match="already running"):
        two._claim()
    one._lock.release()


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = service.Service(Settings(home=tmp_path), port=listener.getsockname()[1])
        with pytest.raises(ServiceError, match="FIGUREKEEPER_PORT"), mine:
            pass
    assert mine.children == []


def supervised(tmp_path: Path, told: list[str | None] | None = None) -> tuple[Supervisor, list[str]]:
    """A supervisor without children, and what it notes; what it tells a person is added to `told`."""
    notes: list[str] = []

    def tell(_: str, said: str | None) -> bool:
        if told is not None:
            told.append(said)
        return True

    return Supervisor(tmp_path / "logs", os.environ, note=notes.append, tell=tell), notes


def with_program(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, program: str, **given: str) -> Child:
    """A child that runs some lines of Python."""
    monkeypatch.setenv("PYTHONPATH", "")
    folder = supervisor.logs.parent / "modules"
    folder.mkdir(exist_ok=True)
    (folder / "victim.py").write_text(program)
    supervisor.env["PYTHONPATH"] = str(folder)
    return supervisor.start("victim", "victim", **given)


def test_a_server_that_dies_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, _ = supervised(tmp_path)
    child = with_program(
        supervisor, monkeypatch, "print('disk full'); raise SystemExit(1)", probe="http://127.0.0.1:9/"
    )
    with pytest.raises(ServiceError, match="disk full"):
        supervisor.wait_until_ready(child)
    supervisor.stop()


def test_a_child_that_dies_at_once_again_and_again_is_left_alone_for_longer_and_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str | None] = []
    supervisor, notes = supervised(tmp_path, told)
    clock = 1000.0
    monkeypatch.setattr("flows.supervisor.time.monotonic", lambda: clock)
    child = with_program(supervisor, monkeypatch, "print('no room'); raise SystemExit(7)")
    pauses = []
    for _ in range(6):
        child.wait(60)
        supervisor.restart_dead()
        began = clock
        while child.returncode is not None and clock - began < 400:
            clock += 1
            supervisor.restart_dead()
        pauses.append(clock - began)
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[1] > 0
    assert len(notes) == 6
    assert "status 7" in notes[0]
    assert "no room" not in notes[3]
    assert all(words in notes[4] for words in ("5 times in a row", "no room", "Next: ", "still serves"))
    assert told == [notes[4]]
    supervisor.forget(with_program(supervisor, monkeypatch, "import time; time.sleep(60)"))
    child.start()
    for _ in range(2):
        clock += 100
        supervisor.restart_dead()
    assert told[1:] == [None]
    assert notes[-1] == "the victim stays up again"
    supervisor.stop()


def test_what_could_not_be_told_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, _ = supervised(tmp_path)
    answers, clock = [False, True], 1000.0
    monkeypatch.setattr("flows.supervisor.time.monotonic", lambda: clock)
    supervisor.tell = lambda *_: answers.pop(0)
    with_program(supervisor, monkeypatch, "import time; time.sleep(60)")
    for left in (1, 1, 0, 0):
        clock += 200
        supervisor.restart_dead()
        assert len(answers) == left
    supervisor.stop()


def test_a_person_is_told_once_of_a_part_that_does_not_stay_up_and_once_of_its_recovery(tmp_path: Path) -> None:
    settings, notes = Settings(home=tmp_path), list[str]()
    tell = down.teller(settings, notes.append)
    assert tell("worker", "the worker ended. Next: read its log")
    assert tell("worker", "the worker ended again. Next: read its log")
    started_anew = down.teller(settings, notes.append)
    assert started_anew("worker", None)
    assert started_anew("worker", None)
    inbox = settings.root / "inbox"
    assert [len(list(inbox.glob(f"*-{word}-*.md"))) for word in ("opened", "closed")] == [1, 1]
    assert "does not stay up" in next(inbox.glob("*opened*")).read_text(encoding="utf-8")
    assert notes == []


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), sqlite3.DatabaseError("malformed")])
def test_a_store_in_trouble_does_not_end_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr("flows.pipeline.open_warehouse", refuse)
    notes: list[str] = []
    assert not down.teller(Settings(home=tmp_path), notes.append)("worker", "it ended. Next: look")
    assert len(notes) == 1
    assert str(trouble) in notes[0]


def test_a_child_that_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.supervisor.HANGS_AFTER", 0.2)
    supervisor, notes = supervised(tmp_path)
    child = with_program(supervisor, monkeypatch, "import time; time.sleep(60)", probe="http://127.0.0.1:9/")
    before = child.pid
    deadline = time.monotonic() + 30
    while child.pid == before and time.monotonic() < deadline:
        supervisor.restart_hanging()
        supervisor.restart_dead()
        time.sleep(0.1)
    assert child.pid != before
    assert child.returncode is None
    assert "has not answered" in notes[0]
    supervisor.stop()
    assert supervisor.children == []


def test_what_listens_on_every_address_is_reached_on_this_machine_and_told_of_when_open() -> None:
    assert (here("0.0.0.0"), here("10.0.0.5")) == ("127.0.0.1", "10.0.0.5")
    assert not open_to_all("127.0.0.1")
    assert open_to_all("0.0.0.0")


def test_a_password_of_the_server_is_known_to_our_own_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "keeper:secret")
    assert environment(Settings(home=tmp_path), "http://h:1/api")["PREFECT_API_AUTH_STRING"] == "keeper:secret"
    assert not open_to_all("0.0.0.0")


def test_the_database_of_the_server_and_the_address_of_people_are_handed_on(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        server_database=SecretStr("postgresql+asyncpg://k:p@db/prefect"),
        ui_url="https://figures.example/",
    )
    env = environment(settings, "http://127.0.0.1:4200/api")
    assert env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == "postgresql+asyncpg://k:p@db/prefect"
    assert env["PREFECT_UI_URL"] == "https://figures.example"
    assert env["PREFECT_SERVER_UI_API_URL"] == "/api"


def test_pages_and_database_are_served_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("figures")
    (tmp_path / "indicators.duckdb").write_bytes(b"the database")
    (tmp_path / "catalog.sqlite").write_bytes(b"not for all")
    handler = functools.partial(Handler, directory=str(tmp_path / "pages"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert requests.get(f"{address}/", timeout=10).text == "figures"
        assert requests.get(f"{address}/indicators.duckdb?now", timeout=10).content == b"the database"
        for path in ("catalog.sqlite", "../catalog.sqlite", "%2e%2e/catalog.sqlite"):
            assert requests.get(f"{address}/{path}", timeout=10).status_code == 404
        server.shutdown()


def test_a_worker_that_knows_no_server_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FIGUREKEEPER_SERVER_URL"):
        worker.join(Settings(home=tmp_path), queues=[])
