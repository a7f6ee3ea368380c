"""Real vintages in every order of loading: the answers are the oracle's each time.

Ten orders are loaded side by side, each into a part of its own.

The series are those in which something vanished and came back: the American `G_XFA`, which lost 28 years of flags, the French
`G_BRXG`, the Armenian R&D intensity, and Liberia's licence fees, which went and returned to the digit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest

from connectors.sandbox import facts
from tests.warehouse import oracle
from tests.warehouse.makers import FACTS, rows, series
from tests.warehouse.quick import quick_store
from tests.warehouse.twin import Twin
from warehouse import clock
from warehouse.schema import Basis, PartData, Payload, Precision, Scope, Stamp
from warehouse.store import Warehouse

#: dataset, part, economy, and the vintages; None: all that are held.
HISTORIES = {
    "28 American years": (
        *("oecd.sbrd", "G_XFA", "USA"),
        (
            "2024-04-25T10:02:33",
            "2025-04-04T09:02:12",
            "2025-05-02T14:26:23",
            "2025-10-03T16:39:18",
            "2025-10-06T09:18:03",
        ),
    ),
    "a French value that came back": (
        *("oecd.sbrd", "G_BRXG", "FRA"),
        (
            "2024-05-06T21:16:34",
            "2024-07-23T10:10:28",
            "2025-04-04T09:02:56",
            "2025-10-06T09:19:19",
            "2026-04-13T16:28:17",
        ),
    ),
    "19 Armenian years withdrawn and reinstated": (
        *("worldbank.wdi", "GB.XPD.RSDV.GD.ZS", "ARM"),
        ("2018-09", "2019-03-21", "2021-09-15", "2025-07-01", "2026-02-24"),
    ),
    "a Liberian state that came back to the digit": ("worldbank.wdi", "BX.GSR.ROYL.CD", "LBR", None),
}
#: The parts that take up an order each.
LANES = tuple("pqrstuvwxy")
#: What became of the cells from state to state. The American years had flags alone, and a break that is one no longer.
KINDS = {
    "28 American years": {"status change": 28, "revision": 7, "first value": 1},
    "a French value that came back": {"first value": 3, "revision": 2, "withdrawal": 1, "reinstatement": 1},
    "19 Armenian years withdrawn and reinstated": {
        **{"coverage": 3, "revision": 1, "withdrawal": 19},
        **{"reinstatement": 19, "first value": 5},
    },
    "a Liberian state that came back to the digit": {"coverage": 2, "withdrawal": 2},
}


def held(name: str, lane: str) -> list[PartData]:
    """The states of a series, each read at the end of the day on which it became known, as those of a part."""
    dataset, part, entity, wanted = HISTORIES[name]
    return [
        _read(one, entity, facts.by_area(dataset, part, one.day), lane)
        for one in facts.vintages(dataset, part)
        if wanted is None or one.vintage in wanted
    ]


def _read(vintage: facts.Vintage, entity: str, state: facts.Cells, lane: str) -> PartData:
    cells = {
        (f"{entity}.{lane}", period): (
            float(cell.value) if cell.value else None,
            ";".join(filter(None, cell.status)),
            cell.value,
        )
        for (one, period), cell in state.items()
        if one == entity
    }
    content = repr(sorted(cells.items())).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    end = clock.end_of_day(date.fromisoformat(vintage.known_on))
    stated = clock.parse_as_of(vintage.known_from) if vintage.known_from else end
    stamp = Stamp(stated, Precision(vintage.precision), Basis(vintage.basis), vintage.vintage)
    payload = Payload(sha256, content, "GET", "http://provider.invalid/x", None, 200, {}, end)
    return PartData(lane, rows(cells), series(cells, lane), (payload,), stamp, Scope(), sha256)


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    """One warehouse; each order of loading has a dataset of its own in it."""
    with quick_store() as one:
        yield one


@pytest.mark.parametrize("name", HISTORIES)
def test_every_order_of_loading_gives_the_same_line_and_answers(warehouse: Warehouse, name: str) -> None:
    told = [held(name, lane) for lane in LANES]
    orders = list(permutations(range(len(told[0]))))
    for start in range(0, len(orders), len(LANES)):
        side_by_side = list(zip(told, orders[start : start + len(LANES)], strict=False))
        twin = Twin(warehouse, replace(FACTS, id=f"test.{HISTORIES[name][2].lower()}{start}", equality={}))
        for step in range(len(told[0])):
            twin.load(*(states[order[step]] for states, order in side_by_side))
        lines = [memory.line() for memory in twin.parts.values()]
        assert len(lines) == len(side_by_side)
        assert len(lines[0]) > 1
        twin.check_lines()
        for run in lines[0]:
            twin.check_values(run.known.at)
        twin.check_vintages("1980:2030")
        twin.check_first()
        twin.check_revisions()
        for line in lines:
            assert Counter(change.kind for change in oracle.revisions(line)) == KINDS[name]
