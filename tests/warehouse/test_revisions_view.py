"""The view `revisions` of the analysts' file says what the verb says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.makers import Cells, load, part, store
from warehouse import revisions, snapshot
from warehouse.store import Warehouse

COLUMNS = (
    *("series", "period", "kind", "weight", "old", "new", "old_status", "new_status", "known_from", "vintage"),
    "before",
)
K = "KOR.X"
#: The states of one part in turn; each names what it brings against the one before.
STATES: tuple[Cells, ...] = (
    {(K, "2010"): 1.0, (K, "2011"): 2.0, (K, "2012"): (3.0, "A"), (K, "2013"): 5.41, (K, "2014"): (None, "", "")},
    {
        (K, "2010"): 1.5,  # revision
        (K, "2012"): (3.0, ""),  # nothing: A is what no flag means; 2011 is withdrawn
        (K, "2013"): 5.44,  # below display
        (K, "2014"): (None, "", "NaN"),  # another kind of absence
        (K, "2015"): 9.0,  # first value
        ("JPN.X", "2010"): 7.0,  # coverage
    },
    {
        (K, "2010"): (1.5, "B;E"),  # break without a new value
        (K, "2011"): 2.0,  # reinstatement
        (K, "2012"): (3.0, "P"),  # status change
        (K, "2013"): (6.44, "B"),  # break with one
        (K, "2014"): (None, "C"),  # status change
        (K, "2015"): 9.0 + 1e-8,  # noise
        ("JPN.X", "2010"): 7.0,
    },
    {(K, "2011"): (None, "M"), ("JPN.X", "2010"): (7.0, "E"), ("JPN.X", "2009"): 6.0, ("CHN.X", "2009"): 0.0},
    {(K, "2010"): 1.5, (K, "2011"): 2.0, ("CHN.X", "2009"): 5.0},  # back after one and after two; from zero
)


@pytest.fixture
def held(tmp_path: Path) -> Warehouse:
    opened = store(tmp_path)
    for month, cells in enumerate(STATES, start=1):
        counts = part({cell: value for cell, value in cells.items() if cell[0] == K}, f"2024-0{month}-10", name="q")
        load(opened, part(cells, f"2024-0{month}-10", decimals=1), counts)
    load(opened, part(STATES[1], "2024-09-10", archive="202402", decimals=1))
    return opened


def both(warehouse: Warehouse) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The rows of the view, and of the verb."""
    snapshot.write(warehouse)
    with snapshot.connect(warehouse) as database:
        said = database.execute(f"select {', '.join(COLUMNS)} from revisions").fetchall()
    told = [tuple(row[name] for name in COLUMNS) for row in revisions.revisions(warehouse)]
    return sorted(said, key=repr), sorted(told, key=repr)


def test_view_and_verb_agree_on_every_kind_that_sql_can_say(held: Warehouse) -> None:
    said, told = both(held)
    assert said == told
    assert {(row[2], row[3]) for row in said} == {
        *((kind, "visible") for kind in ("revision", "first value", "withdrawal", "reinstatement", "coverage")),
        *((kind, "visible") for kind in ("break", "status change")),
        ("revision", "below display"),
    }


def test_where_they_differ_the_comment_says_so(tmp_path: Path) -> None:
    opened = store(tmp_path)
    lev: Cells = {(K, str(2000 + number)): 100.0 + number for number in range(6)}
    euro: Cells = {cell: (100.0 + number) / 1.95583 for number, cell in enumerate(lev)}
    load(opened, part(lev, "2024-01-10"))
    load(opened, part(euro, "2024-02-10"))
    load(opened, part({**euro, (K, "2000"): 9.0}, "2024-03-10", unit="persons"))
    said, told = both(opened)
    assert [(row[0], row[1]) for row in said] == [(row[0], row[1]) for row in told if row[1]]
    assert {row[2] for row in said} == {"revision"}
    words = {row[2] for row in told}
    assert words == {"rebasing", "redefinition"}
    with snapshot.connect(opened) as database:
        query = "select comment from duckdb_columns() where table_name = 'revisions' and column_name = 'kind'"
        [(comment,)] = database.execute(query).fetchall()
    assert all(word in comment for word in words)
