"""A publish costs the same however many came before it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from statistics import mean, median

import pytest

from tests.benchmarks.publishes import publishes
from tests.warehouse.makers import store


@pytest.mark.alone
def test_time_and_files_of_a_publish_stay_flat(tmp_path: Path) -> None:
    """A young and an old warehouse take turns, so that whatever else the machine does slows both."""
    young, old = (publishes(store(tmp_path / name), 160) for name in ("young", "old"))
    first = [*islice(young, 40), *islice(old, 120)]  # a table's first metadata are small, and caches are cold
    turns = [(next(young), next(old)) for _ in range(40)]
    early, late = zip(*turns, strict=True)
    assert median(cost.processor for cost in late) <= 1.3 * median(cost.processor for cost in early)
    assert mean(cost.files for cost in late) <= 1.3 * mean(cost.files for cost in early)
    assert min(cost.files for cost in (*first, *early, *late)) >= 2, (
        "a publish writes at least the files of its vintage"
    )
