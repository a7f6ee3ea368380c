"""A small supervisor: children that run while a `with` block lasts, are started again when they die or hang, and stop with us.

Belongs here: the life of several processes, and the signals that end it. Does not belong here: which processes there are and in
what order (service, worker), how one is started and stopped (processes).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import requests

from flows.environment import PROJECT
from flows.processes import Child
from warehouse.errors import FigurekeeperError

READY_WITHIN = 180.0  # seconds; a first boot migrates its database, and a busy machine is slow at it
HANGS_AFTER = 120.0  # seconds without an answer
_SOUND_AFTER = 60.0  # seconds; a child that lived that long did not die of its start
_LONGEST_WAIT = 300.0
_HOPELESS = 5  # deaths in a row after which a person is told
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


class ServiceError(FigurekeeperError):
    """The service could not be brought up, or a run of it did not end."""


@dataclass
class _Health:
    """What is remembered of a child between two looks."""

    probe: str | None = None
    deaths: int = 0
    told: Literal["up", "down", "nothing"] = "nothing"
    tell_at: float = 0.0
    start_at: float | None = None
    answered_at: float = 0.0


class Supervisor:
    """Children that are stopped together, the last started first; every step is one line to `note`."""

    def __init__(
        self,
        logs: Path,
        env: Mapping[str, str],
        *,
        note: Callable[[str], None],
        tell: Callable[[str, str | None], bool] | None = None,
    ) -> None:
        """`tell` is called with a child's name and what a person must know when it does not stay up, and with None once it
        stays up, which may end what an earlier supervisor told; until it answers True it is called again."""
        self.logs, self.env, self.note, self.tell = logs, dict(env), note, tell
        self.children: list[Child] = []
        self._health: dict[Child, _Health] = {}

    def start(self, name: str, module: str, *arguments: str, probe: str | None = None) -> Child:
        """Start `python -m module …` as a child; with `probe`, an address, it is started again when that stops answering."""
        command = [sys.executable, "-m", module, *arguments]
        child = Child(name, command, log=self.logs / f"{name}.log", env=self.env, folder=PROJECT)
        child.start()
        self.children.append(child)
        self._health[child] = _Health(probe, answered_at=time.monotonic())
        return child

    def forget(self, child: Child) -> None:
        """A child that has done its work is not started again."""
        self.children.remove(child)

    def wait_until_ready(self, child: Child) -> None:
        """Wait for its probe to answer; raises ServiceError when it dies or takes too long."""
        probe = self._health[child].probe
        assert probe is not None, "only what is probed can be waited for"
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise failed(child, f"ended with status {child.returncode} before it was ready")
            if answers(probe):
                return
            time.sleep(0.2)
        raise failed(child, f"was not ready within {READY_WITHIN:.0f} seconds")

    def restart_dead(self) -> None:
        """Start again every child that died: at once, and after growing pauses while it keeps dying."""
        for child in self.children:
            health = self._health[child]
            if child.returncode is None:
                if child.lived > _SOUND_AFTER:
                    if health.deaths:
                        self.note(f"the {child.name} stays up again")
                    health.deaths = 0
                    self._tell(child, health, "up", None)
                continue
            if health.start_at is None:
                health.deaths += 1
                pause = 0.0 if health.deaths == 1 else min(2.0**health.deaths, _LONGEST_WAIT)
                health.start_at = time.monotonic() + pause
                said = _obituary(child, health.deaths, pause)
                self.note(said)
                if health.deaths >= _HOPELESS:
                    self._tell(child, health, "down", said)
            if time.monotonic() >= health.start_at:
                child.start()
                health.start_at, health.answered_at = None, time.monotonic()

    def _tell(self, child: Child, health: _Health, state: Literal["up", "down"], said: str | None) -> None:
        """Tell a person how a child is, once."""
        if self.tell is None or health.told == state or time.monotonic() < health.tell_at:
            return
        health.told = state if self.tell(child.name, said) else "nothing"
        health.tell_at = time.monotonic() + _LONGEST_WAIT if health.told != state else 0.0

    def restart_hanging(self) -> None:
        """Start again every child that runs but has not answered its probe for two minutes."""
        for child, health in self._health.items():
            if health.probe is None or child.returncode is not None or answers(health.probe):
                health.answered_at = time.monotonic()
            elif time.monotonic() - health.answered_at > HANGS_AFTER:
                self.note(f"the {child.name} runs, but has not answered for {HANGS_AFTER:.0f} s; starting it again")
                child.stop()

    def watch(self) -> None:
        """Keep the children alive until a signal ends the wait."""
        while True:
            self.restart_dead()
            self.restart_hanging()
            time.sleep(2)

    def stop(self) -> None:
        """Stop all children, the last started first; a second signal does not interrupt it."""
        with _undisturbed():
            for child in reversed(self.children):
                child.stop()
            self.children.clear()
            self._health.clear()


def answers(url: str) -> bool:
    """True when `url` is answered with a 200 within five seconds."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def wait_for(url: str, note: Callable[[str], None]) -> None:
    """Wait as long as it takes until `url` answers; every five minutes a line says so."""
    told_at = -_LONGEST_WAIT
    while not answers(url):
        if time.monotonic() - told_at >= _LONGEST_WAIT:
            note(
                f"waiting for {url}, which does not answer. Next: see that the service runs there and is reached from here"
            )
            told_at = time.monotonic()
        time.sleep(2)


def failed(child: Child, what: str) -> ServiceError:
    """The error that says what became of a child, with its last words."""
    return ServiceError(f"the {child.name} {what}. Its last words:\n{child.tail()}\n", next_step=f"read {child.log}")


def stop_on_signals() -> None:
    """SIGTERM and SIGINT, even when a shell handed it on ignored, end the job as Ctrl-C does: with everything stopped.

    Python swallows an exception that a signal raises inside a callback (a fork's lock handlers, a finaliser), so the
    interrupt comes again every second until `stop` has begun.
    """

    def interrupt(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        raise KeyboardInterrupt

    for number in _ENDING:
        signal.signal(number, interrupt)


def stamped(text: str) -> None:
    """One line of the service's log: the time, unless systemd's journal adds its own, and what happened."""
    journal = "JOURNAL_STREAM" in os.environ
    print(text if journal else f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


def _obituary(child: Child, deaths: int, pause: float) -> str:
    what = f"the {child.name} ended with status {child.returncode}"
    if deaths < _HOPELESS:
        when = "starting it again" if not pause else f"starting it again in {pause:.0f} s"
        return f"{what}; {when} ({child.log})"
    return (
        f"{what}, {deaths} times in a row, and will be tried again in {pause:.0f} s. What is published still serves; "
        f"nothing new comes until this is mended. Its last words:\n{child.tail()}\nNext: read {child.log}; once the cause "
        "is gone, the next try succeeds by itself"
    )


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal interrupts the block."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
