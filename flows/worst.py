"""The worst observations of a batch, each beside the one that was published last.

Belongs here: which cells are shown, and what stands beside them. Does not belong here: which checks failed (expectations), what a
change means (warehouse/compare.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from warehouse import contents, ledger, line
from warehouse.cells import side_by_side
from warehouse.contents import Content
from warehouse.schema import PARSED, SERIES
from warehouse.store import Warehouse

Row = dict[str, Any]
SHOWN = 12
_TIMES = 1.5  # from here on a change reads better as a factor than in percent


def worst(warehouse: Warehouse, batch: Mapping[str, Any], checks: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The cells that failed checks name, the gravest check first, and then those that moved most: at most a dozen.

    `checks`: rows of check_results, failed, in the order in which they count. Of a series that a check names as a whole, the cell
    that moved most. Rows: part, label, unit, series, period, new, published (None: not there), change (in words), status, rules.
    A batch that staged nothing, or whose files are gone, has none.
    """
    found: dict[tuple[str, str, str], Row] = {}
    for part, new, old in _states(warehouse, batch["batch_id"]):
        examples = [(e, c["rule"]) for c in checks if c["part"] in (part, "") for e in c["examples"]]
        cells = _cells(warehouse, batch["dataset"], part, new, old)
        wanted = pa.array({example.get("series_key") for example, _ in examples}, pa.string())
        named = _named(cells.filter(pc.is_in(cells["series_key"], value_set=wanted)).to_pylist(), examples)
        about = {row["series_key"]: row for row in (*old.series.to_pylist(), *new.series.to_pylist())}
        for cell, rule in (*named, *((cell, "") for cell in cells.slice(0, SHOWN).to_pylist())):
            key = (part, cell["series_key"], cell["period"])
            row = found.setdefault(key, _row(part, cell, about[cell["series_key"]]) | {"rules": []})
            if rule and rule not in row["rules"]:
                row["rules"].append(rule)
    named_rows = [row for row in found.values() if row["rules"]]
    others = [row for row in found.values() if not row["rules"] and row["change"]]
    return [*_by_turns(named_rows), *others][:SHOWN]


def _states(warehouse: Warehouse, batch_id: str) -> list[tuple[str, Content, Content]]:
    """Of each part that a batch staged: its name, what was read, and what was published before that, in known order."""
    columns = ledger.readings.c
    query = select(ledger.readings).where(columns.batch_id == batch_id, columns.compared.is_not(None))
    states = []
    with warehouse.engine.connect() as connection:
        for reading in map(dict, connection.execute(query.order_by(columns.part)).mappings()):
            staged = line.vintage(connection, reading["vintage_id"])
            before = line.before(connection, reading["dataset"], reading["part"], line.order_of(reading))
            try:
                new = contents.read_vintage(warehouse, staged) if staged else None
                old = contents.read_vintage(warehouse, before[0]) if before else _NOTHING
            except FileNotFoundError:  # discarded long ago, and cleared away
                continue
            if new is not None:
                states.append((reading["part"], new, old))
    return states


_NOTHING = Content(PARSED.empty_table(), SERIES.empty_table())


def _cells(warehouse: Warehouse, dataset: str, part: str, new: Content, old: Content) -> pa.Table:
    """All cells of both states, those that moved most first; what was withdrawn counts as much as the largest move."""
    with warehouse.engine.connect() as connection:
        rule = line.equality(connection, dataset, part)
    cells = side_by_side(old.observations, new.observations, rule)
    moved = pc.abs(pc.divide(pc.subtract(cells["nv"], cells["ov"]), cells["ov"]))
    gone = pc.and_(cells["ov"].is_valid(), pc.is_null(cells["nv"]))
    weight = pc.if_else(gone, float("inf"), pc.fill_null(moved, 0.0))
    weight = pc.if_else(pc.or_(gone, pc.invert(cells["same"])), weight, -1.0)
    order = [("weight", "descending"), ("period", "descending"), ("series_key", "ascending")]
    return cells.append_column("weight", weight).sort_by(order)


def _named(cells: Sequence[Row], examples: Sequence[tuple[Row, str]]) -> list[tuple[Row, str]]:
    """The cells that the examples of failed checks name, each with the rule; `cells` are in order of their weight."""
    by_series: dict[str, Row] = {}
    by_cell: dict[tuple[str, str], Row] = {}
    for cell in cells:
        by_series.setdefault(cell["series_key"], cell)
        by_cell[cell["series_key"], cell["period"]] = cell
    found = []
    for example, rule in examples:
        key, period = str(example.get("series_key")), example.get("period")
        if named := by_cell.get((key, period)) if period else by_series.get(key):
            found.append((named, rule))
    return found


def _by_turns(rows: Sequence[Row]) -> list[Row]:
    """One row of each rule before a second of any, so that no check hides another."""
    turn: dict[str, int] = {}
    placed = []
    for row in rows:
        rule = row["rules"][0]
        turn[rule] = turn.get(rule, 0) + 1
        placed.append((turn[rule], row))
    return [row for _, row in sorted(placed, key=lambda item: item[0])]


def _row(part: str, cell: Row, about: Row) -> Row:
    multiplier = f" × 10^{about['multiplier']}" if about["multiplier"] else ""
    flags = [cell[name] or "" for name in ("os", "ns")]
    return {
        "part": part,
        "label": about["label"],
        "unit": f"{about['unit']}{multiplier}",
        "series": cell["series_key"],
        "period": cell["period"],
        "new": _number(cell["nt"], cell["nv"]),
        "published": _number(cell["ot"], cell["ov"]),
        "change": change(cell["ov"], cell["nv"]) if not cell["same"] else "",
        "status": flags[1] if flags[0] == flags[1] else f"{flags[0] or 'none'} → {flags[1] or 'none'}",
    }


def change(old: float | None, new: float | None) -> str:
    """How a value moved, in words: "×1000", "÷10", "+3.2 %", "withdrawn", "new", or "" where both are absent."""
    if old is None or new is None:
        return "" if old is new else "new" if old is None else "withdrawn"
    if old == 0 or new == 0 or (old < 0) != (new < 0):
        return f"{new - old:+.6g}"
    ratio = new / old
    if ratio >= _TIMES:
        return f"×{ratio:.4g}"
    if ratio <= 1 / _TIMES:
        return f"÷{1 / ratio:.4g}"
    return f"{(ratio - 1) * 100:+.3g} %"


def _number(text: str | None, value: float | None) -> str | None:
    """As published where the digits are few, else in six significant ones."""
    if value is None:
        return text
    return text if text and len(text) <= 12 else f"{value:.10g}"
