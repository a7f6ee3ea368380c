"""What changed in what the numbers of a part mean, from two versions of its series table.

Belongs here: which columns and dimensions of a series differ, and which series took the place of another. What that makes of the
cells is in warehouse/compare.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.schema import REDEFINITIONS, SERIES

#: A change in these columns of SERIES alters how a series is described, not what its numbers mean.
WORDING = ("label", "notes", "decimals")
#: A change in these alone is a rebasing.
BASE = ("price_base", "reference_year")

Row = dict[str, Any]
_COLUMNS = [name for name in SERIES.names if name not in ("series_key", "part")]


def redefinitions(old: pa.Table, new: pa.Table) -> pa.Table:
    """The differences between two versions of a part's series (schema SERIES), as a table of schema REDEFINITIONS.

    A series that went and one that came, of one entity and alike in all dimensions but one, are the same indicator under
    another definition (the OECD's APPLICANT → INVENTOR), provided that there is no other candidate.
    """
    if old.equals(new):
        return REDEFINITIONS.empty_table()
    before, after = ({row["series_key"]: row for row in table.to_pylist()} for table in _differing(old, new))
    found: list[Row] = []
    for key in sorted(before.keys() & after.keys()):
        found += _columns(key, before[key], after[key])
    gone = [row for key, row in before.items() if key not in after]
    come = [row for key, row in after.items() if key not in before]
    found += _successions(gone, come) if gone and come else []
    return pa.Table.from_pylist(found, schema=REDEFINITIONS)


def _differing(old: pa.Table, new: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows of either side that the other one lacks; most of a million series stay as they are."""
    marks = [_mark(table) for table in (old, new)]
    return (
        old.filter(pc.invert(pc.is_in(marks[0], value_set=marks[1]))),
        new.filter(pc.invert(pc.is_in(marks[1], value_set=marks[0]))),
    )


def _mark(table: pa.Table) -> pa.ChunkedArray:
    texts = [table.column(name).cast(pa.string()) for name in ("series_key", *_COLUMNS)]
    return pc.binary_join_element_wise(*texts, "\x1f", null_handling="replace", null_replacement="\x00")


def _columns(key: str, before: Row, after: Row) -> list[Row]:
    found = []
    for name in _COLUMNS:
        if before[name] == after[name]:
            continue
        inside = _dimensions(before, after) if name == "dimensions" else []
        found += [_row(key, *one) for one in inside or [(name, before[name], after[name])]]
    return found


def _dimensions(before: Row, after: Row) -> list[tuple[str, Any, Any]]:
    old, new = (json.loads(row["dimensions"]) for row in (before, after))
    return [(name, old.get(name), new.get(name)) for name in (old | new) if old.get(name) != new.get(name)]


def _successions(gone: list[Row], come: list[Row]) -> list[Row]:
    """Pairs of a series that went and one that came that differ in one dimension, and are no one else's pair."""
    places: dict[tuple[str, str, str], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((gone, come)):
        for row in rows:
            dimensions = json.loads(row["dimensions"])
            for name in dimensions:
                others = json.dumps({other: value for other, value in dimensions.items() if other != name})
                places[row["entity"], name, others][side].append(row)
    pairs = [(olds[0], news[0]) for olds, news in places.values() if len(olds) == len(news) == 1]
    taken: dict[str, int] = defaultdict(int)
    for pair in pairs:
        for row in pair:
            taken[row["series_key"]] += 1
    found = []
    for before, after in pairs:
        if taken[before["series_key"]] == taken[after["series_key"]] == 1:
            [(name, old, new)] = _dimensions(before, after)
            found.append(_row(after["series_key"], name, old, new, before["series_key"]))
    return sorted(found, key=lambda row: str(row["series_key"]))


def _row(key: str, column: str, old: object, new: object, replaces: str | None = None) -> Row:
    told = {"old": old, "new": new}
    texts = {name: None if value is None else str(value) for name, value in told.items()}
    return {"series_key": key, "column": column, **texts, "replaces": replaces}
