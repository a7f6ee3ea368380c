"""Warehouses for thousands of histories: in memory, and with a stand-in for the Iceberg tables, which no question reads.

Belongs here: what makes a test warehouse quick without changing what it answers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.warehouse.makers import store
from warehouse import compare, line, revisions, staging
from warehouse.schema import Comparison
from warehouse.store import Warehouse
from warehouse.tables import TABLES, Tables

_MEMORY = Path("/dev/shm")


class CheckedTables(Tables):
    """Keeps in a set what Iceberg would hold, and refuses what Iceberg would have to hold twice or does not hold."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str]] = {name: {} for name in TABLES}

    def change(
        self, name: str, add: Mapping[str, str], drop: Collection[str], mark: str, *, resumed: bool = False
    ) -> str | None:
        """Let vintages begin and others end."""
        held = self.held[name]
        for vintage in drop:
            del held[vintage]
        assert not add.keys() & held.keys(), "a vintage begins that stands already"
        held.update(add)
        return mark

    def vintages(self, name: str) -> list[str]:
        """The vintages that stand now."""
        return sorted(self.held[name])


@contextmanager
def remembered_comparisons() -> Iterator[None]:
    """Comparing is a pure function, and small histories compare the same few states over and over."""
    known: dict[str, Comparison] = {}

    def remembered(predecessor_id: str, *tables: Any, **named: Any) -> Comparison:
        key = repr([_plain(one) for one in (*tables, *named.items())])
        if key not in known:
            known[key] = compare.compare(predecessor_id, *tables, **named)
        return replace(known[key], predecessor_id=predecessor_id)

    with pytest.MonkeyPatch.context() as patch:
        for module in (revisions, staging):
            patch.setattr(module, "compare", remembered)
        yield


def _plain(one: Any) -> Any:
    """Something whose repr says all of it."""
    if isinstance(one, list | tuple):
        return [_plain(inner) for inner in one]
    return one.to_pydict() if isinstance(one, pa.Table) else one


@contextmanager
def quick_store() -> Iterator[Warehouse]:
    """A fresh warehouse that costs no disk; at the end its tables must hold exactly the newest line."""
    with memory_folder() as home:
        warehouse = store(home)
        warehouse.tables = CheckedTables()
        with remembered_comparisons():
            yield warehouse
        with warehouse.engine.connect() as connection:
            standing = sorted(row["vintage_id"] for row in line.visible(connection))
        assert all(warehouse.tables.vintages(name) == standing for name in TABLES)
        warehouse.engine.dispose()


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is such a place, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)
