"""Every reader of bytes against spoilt answers: they end in data or in a typed error, quickly, and no record is lost.

Belongs here: what must hold, and the run of `make fuzz` (FUZZ_SECONDS=n, a seed as FUZZ_SEED). Does not belong here: the
readers (fuzz_targets.py), how answers are spoilt (mutations.py).
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from connectors.reading import NotReadable
from connectors.skipped import records
from tests.connectors.fuzz_targets import Target, recorded, targets
from tests.connectors.mutations import mutate
from warehouse.errors import FigurekeeperError
from warehouse.schema import PARSED, SERIES, PartData

SLOW = 5.0  # seconds of computing for one answer of at most some hundred kilobytes
MEMORY = 4 << 30
BUILD = Path("build/fuzz")


class TooSlow(BaseException):
    """A reader took longer than SLOW; no reader's own `except` may catch it."""


class Lost(AssertionError):
    """Data came of it, but not all records are accounted for, or what came is not fit for the warehouse."""


@dataclass(frozen=True)
class Finding:
    """What went wrong: with which reader, in which turn, how, and the answer that did it."""

    target: str
    turn: int
    what: str
    content: bytes


def check(target: Target, content: bytes) -> str:
    """Read one answer: "data", or the name of the typed error. Raises whatever else happens, and Lost."""
    try:
        with _in_time():
            found = target.read(content)
    except (FigurekeeperError, NotReadable) as error:
        str(error).encode()  # what is said of it can be written
        return type(error).__name__
    if isinstance(found, list):
        for one in found:
            if isinstance(one, PartData):
                _check_part(one, None)
    elif isinstance(found, PartData):
        _check_part(found, target.holds(content) if target.holds else None)
    elif target.holds and hasattr(found, "records") and found.records != target.holds(content):
        raise Lost(f"{target.holds(content)} records in the answer, {found.records} read")
    return "data"


def _check_part(data: PartData, held: int | None) -> None:
    if not (data.observations.schema.equals(PARSED) and data.series.schema.equals(SERIES)):
        raise Lost("other columns than the warehouse's")
    rows = data.observations.to_pylist()
    keys = {(row["series_key"], row["period"]) for row in rows}
    if len(keys) < len(rows) or {key for key, _ in keys} > set(data.series.column("series_key").to_pylist()):
        raise Lost("a place twice, or observations without their series")
    if any(row["value"] is not None and abs(row["value"]) == float("inf") for row in rows):
        raise Lost("a number without end")
    told = len(rows) + records(data.skipped)
    if held is not None and told != held:
        raise Lost(f"{held} records in the answer, {told} accounted for ({data.skipped})")


@contextmanager
def _in_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlow(f"longer than {SLOW} s")

    began, before = time.process_time(), signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if time.process_time() - began > SLOW:  # an exception in a finaliser is lost
        stop()


def turn(target: Target, seed: int, number: int) -> bytes:
    """The answer of one turn: the same for the same seed and number."""
    random = Random(f"{seed}:{target.name}:{number}")
    return mutate(random.choice(target.seeds), random)


def fuzz(chosen: Sequence[Target], seed: int, go_on: Callable[[int], bool]) -> tuple[Counter[str], list[Finding]]:
    """Turns of all readers, as long as `go_on` says of the turn's number; how they ended, and what was found."""
    ended: Counter[str] = Counter()
    found: list[Finding] = []
    number = 0
    while go_on(number):
        for target in chosen:
            content = turn(target, seed, number)
            try:
                ended[check(target, content)] += 1
            except (Exception, TooSlow) as error:
                ended["FOUND"] += 1
                found.append(Finding(target.name, number, f"{type(error).__name__}: {error}"[:300], content))
        number += 1
    return ended, found


def main() -> int:
    """Fuzz for FUZZ_SECONDS (600) and say what came of it; answers that did harm are kept in build/fuzz."""
    logging.getLogger("sdmx").setLevel(logging.CRITICAL)  # it warns of everything that it cannot resolve
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seconds, seed = (
        float(os.environ.get("FUZZ_SECONDS", "600")),
        int(os.environ.get("FUZZ_SEED", "0")) or time.time_ns(),
    )
    until = time.monotonic() + seconds
    print(f"fuzzing for {seconds:.0f} s (FUZZ_SECONDS), seed {seed} (FUZZ_SEED)")
    ended, found = fuzz([*targets(), *recorded()], seed, lambda _: time.monotonic() < until)
    print(f"{sum(ended.values())} answers: " + ", ".join(f"{count} {how}" for how, count in ended.most_common()))
    for number, one in enumerate(found):
        BUILD.mkdir(parents=True, exist_ok=True)
        kept = BUILD / f"{number}-{one.target.replace(' ', '-')}"
        kept.write_bytes(one.content)
        print(f"{kept}: turn {one.turn}: {one.what}")
    print(f"{len(found)} found; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
