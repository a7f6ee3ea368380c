"""How many observations a second a replay carries out again: `python -m tests.benchmarks.replay [HOME]`.

HOME is one in which `make run` has walked the sandbox; without it, .figurekeeper. Counted are the observations of every part of
every batch that was read, from the first byte of the journal to a warehouse that lies whole in its place.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from flows.rebuild import ArchiveParsers
from warehouse import rebuild
from warehouse.storage import LocalStorage


def main() -> None:
    """Replay a home's warehouse into a temporary one, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("home", nargs="?", type=Path, default=Path(".figurekeeper"))
    options.add_argument("--profile", default="sandbox")
    options.add_argument("--cores", type=int, help="on how many to parse; all of the machine when left out")
    asked = options.parse_args()
    parsers = ArchiveParsers(asked.cores)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        source = LocalStorage((asked.home / asked.profile).resolve())
        done = rebuild.into_home(source, Path(folder), asked.profile, parsers)
        seconds = time.perf_counter() - started
    print(
        f"{done.observations:,} observations of {done.readings} readings in {done.batches} batches, {done.editions} "
        f"editions: {seconds:.1f} s, {done.observations / seconds:,.0f} a second, parsing on {parsers.cores} cores"
    )


if __name__ == "__main__":
    main()
