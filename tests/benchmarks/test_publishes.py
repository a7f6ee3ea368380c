"""A publish costs the same however many came before it."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, median

import pytest

from tests.benchmarks.publishes import publishes
from tests.warehouse.makers import store


@pytest.mark.alone
def test_time_and_files_of_a_publish_stay_flat(tmp_path: Path) -> None:
    """Processor time, of which a busy neighbour can slow one half of a run: flat in one of three. Growth is in all of them."""
    ratios = []
    for attempt in range(3):
        costs = list(publishes(store(tmp_path / str(attempt)), 150))
        early, late = costs[25:75], costs[100:150]  # the first publishes warm caches
        assert mean(cost.files for cost in late) <= 1.3 * mean(cost.files for cost in early)
        assert min(cost.files for cost in costs) >= 2, "a publish writes at least the files of its vintage"
        ratios.append(median(cost.processor for cost in late) / median(cost.processor for cost in early))
        if ratios[-1] <= 1.3:
            break
    assert min(ratios) <= 1.3, ratios
