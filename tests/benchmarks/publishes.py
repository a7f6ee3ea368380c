"""What the thousandth publish of one dataset costs: `python -m tests.benchmarks.publishes [NUMBER]` prints the curve.

Each publish is a whole one: a reading is staged, compared, written, committed to the tables, and makes an edition. Time is
the median of a hundred (wall clock and processor), files are those that a publish leaves behind.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median

from tests.warehouse.makers import load, part, store
from warehouse.store import Warehouse

_KEYS = [(f"E{entity:02}", str(year)) for entity in range(20) for year in range(2000, 2010)]


@dataclass(frozen=True)
class Cost:
    """Of one publish: seconds by the clock, seconds of the processor, and files more than before."""

    wall: float
    processor: float
    files: int


def publishes(warehouse: Warehouse, number: int) -> Iterator[Cost]:
    """Publish one part again and again, each time with some cells revised, and say what each publish cost."""
    numbers = random.Random(0)
    cells = {key: numbers.random() for key in _KEYS}
    before = _files(warehouse.root)
    for day in range(number):
        cells |= {key: numbers.random() for key in numbers.sample(_KEYS, 5)}
        taken = (datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")
        data = part(cells, taken)
        wall, processor = time.perf_counter(), time.process_time()
        load(warehouse, data)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        after = _files(warehouse.root)
        yield Cost(wall, processor, after - before)
        before = after


def _files(root: Path) -> int:
    return sum(1 for path in root.rglob("*") if path.is_file())


def main(number: int) -> None:
    """Print one line a hundred publishes, and the last hundred against the second."""
    with tempfile.TemporaryDirectory() as folder:
        costs: list[Cost] = []
        print("publishes  seconds  processor seconds  files")
        for cost in publishes(store(Path(folder)), number):
            costs.append(cost)
            if len(costs) % 100 == 0:
                print(f"{len(costs):9}  {_line(costs[-100:])}", flush=True)
    if number >= 300:
        early, late = costs[100:200], costs[-100:]
        time_ratio = median(cost.wall for cost in late) / median(cost.wall for cost in early)
        files_ratio = mean(cost.files for cost in late) / mean(cost.files for cost in early)
        print(f"last hundred against the second: time {time_ratio:.2f}, files {files_ratio:.2f}")


def _line(costs: list[Cost]) -> str:
    wall, processor = median(cost.wall for cost in costs), median(cost.processor for cost in costs)
    return f"{wall:7.3f}  {processor:17.3f}  {mean(cost.files for cost in costs):5.2f}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
