"""Dataset files cut down to some parts and economies, so that a whole refresh of one takes a moment.

Belongs here: cutting them. What is done with them is in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors import datasets
from connectors.datasets import Dataset
from flows import catalogue

ECONOMIES = ("CHN", "JPN", "KOR", "USA")


def small(name: str, parts: Sequence[str] | None = None) -> Dataset:
    """The built-in dataset of that name with some of its parts (None: all) and four economies, and what it expects of them."""
    whole = datasets.load(name)
    few = {"min_observations": None, "entities_required": None}
    kept = [part for part in whole.parts if parts is None or part.id in parts]
    kept = [
        part.model_copy(update={"ratio": None, "besides": (), "checks": part.checks.model_copy(update=few)})
        for part in kept
    ]
    if whole.provider == "nbs":
        return whole.model_copy(update={"parts": tuple(kept)})
    checks = whole.checks.model_copy(update=few | {"entities_required": ECONOMIES})
    return whole.model_copy(update={"parts": tuple(kept), "entities": ECONOMIES, "checks": checks})


def serving(patch: pytest.MonkeyPatch, *chosen: Dataset) -> None:
    """Let the flows find these datasets under their names."""
    known = {dataset.id: dataset for dataset in chosen}
    for name in ("load", "load_enabled"):
        patch.setattr(catalogue, name, lambda _, dataset_id: known[dataset_id])
