"""Observations by hand: what the formulas ask, without a warehouse behind it.

Belongs here: making them. What is asked of them is in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from warehouse.papers.inputs import Held, State, _Named
from warehouse.papers.model import Measure, Words
from warehouse.papers.vocabulary import Vocabulary
from warehouse.scratch import scratch

#: measure → (economy, period) or (economy, partner, period) → value
Numbers = Mapping[str, Mapping[Any, float]]
NAME = Words(en="made up", zh="虚构")


def measure(name: str, unit: str = "USD", *, paired: bool = False, **fields: Any) -> Measure:
    """A measure of the dataset `made.up`."""
    key = "{entity}.{partner}" if paired else "{entity}"
    return Measure(id=name, name=NAME, series=f"made.up:{key}.{name}", unit=unit, **fields)


def held(words: Vocabulary, *states: Numbers) -> Held:
    """One vintage of each measure for each of some states of them, oldest first: 2001-01-01, 2002-01-01, ..."""
    database = scratch()
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS.names}
    vintages, named = [], set()
    for number, state in enumerate(states, start=1):
        for name, numbers in state.items():
            row: dict[str, Any] = {"dataset": "made.up", "part": name, "vintage_id": f"{name}-{number}", "stamp": None}
            place = f"{2000 + number}-01-01T00:00:00.000000Z"
            order = {"known_from": place, "place": place, "fetched_at": place, "sha256": name}
            vintages.append({**row, **order, "precision": "instant", "basis": "publisher"})
            for whose, value in numbers.items():
                entity, partner, period = whose if len(whose) == 3 else (whose[0], None, whose[1])
                named.add(_Named(name, "made.up", name, "", entity, partner, 0))
                cell = (name, f"{name}-{number}", entity, partner, period, value, "", f"{entity}.{name}")
                for column, item in zip(columns.values(), cell, strict=True):
                    column.append(item)
    database.register("made", pa.table(columns, schema=_COLUMNS))
    database.execute("create temp table cells as select * from made")
    database.unregister("made")
    nowhere: Any = None
    in_order = sorted(vintages, key=lambda row: row["place"])
    return Held(nowhere, 1, words, database, frozenset(["made.up"]), in_order, sorted(named, key=str), [])


def newest(observations: Held, measures: Mapping[str, str]) -> State:
    """The newest state of some measures."""
    return observations.states(measures.values())[-1]


_COLUMNS = pa.schema(
    [
        ("measure", pa.string()), ("vintage_id", pa.string()), ("entity", pa.string()), ("partner", pa.string()),
        ("period", pa.string()), ("value", pa.float64()), ("status", pa.string()), ("series_key", pa.string()),
    ]
)  # fmt: skip
