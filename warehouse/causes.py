"""Why a ratio moved: by its numerator, by its denominator, or by both.

Belongs here: the decomposition. r = n/d gives ln(r'/r) = ln(n'/n) − ln(d'/d); the numerator's share is ln(n'/n) over ln(r'/r),
and what it leaves is the denominator's, so one of the two held is enough. Which parts these are, the dataset file says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from warehouse import clock, ledger, line
from warehouse.compare import compare
from warehouse.contents import read_vintage
from warehouse.schema import Comparison
from warehouse.store import Warehouse

Cell = tuple[str, str]
Vintage = Mapping[str, Any]
_TICK = timedelta(microseconds=1)
#: A release reaches its parts within so many days (the OECD's G_XGDP of 2024-04-04 has its G_NC of the day after).
SAME_RELEASE = timedelta(days=3)
#: A side whose share lies within this of all or nothing is the cause alone, or no cause.
_ALONE = 0.1
#: Kinds of change after which the number still means what it meant.
_EXPLAINED = ("revision", "rebasing", "break")
_SIDES = ("numerator", "denominator")


@dataclass(frozen=True)
class Cause:
    """Which side of a ratio moved (numerator, denominator, both), and the numerator's share in log terms.

    `detail` names the part that was looked at and from when its vintages `before` and `vintage` were known.
    """

    side: str
    numerator_share: float
    detail: str
    before: str
    vintage: str


@dataclass(frozen=True)
class _Moves:
    """ln(new/old) of each cell (entity, period) of one side, rebasings taken out, and the vintages compared."""

    side: str
    logs: Mapping[Cell, float]
    told: tuple[str, str, str]  # detail and vintages, as in Cause


class Causes:
    """The causes of one edition; what was compared for one ratio is kept for the next."""

    def __init__(self, warehouse: Warehouse, edition: int) -> None:
        self._warehouse, self._edition = warehouse, edition
        self._lines: dict[tuple[str, str], list[Vintage]] = {}
        self._ratios: dict[str, dict[str, Mapping[str, str | None]]] = {}
        self._compared: dict[tuple[str, str], dict[Cell, float]] = {}

    def of(self, vintages: Sequence[Vintage], position: int, cells: Sequence[Mapping[str, Any]]) -> dict[Cell, Cause]:
        """The cause of each changed cell (series_key, period) of a ratio, as far as one of its sides is held.

        `vintages` is the ratio's line, `position` the vintage that changed it, `cells` its rows of schema CHANGES.
        """
        after = vintages[position]
        ratio = self._ratio(after["dataset"], after["part"])
        moved = [cell for cell in cells if cell["kind"] in _EXPLAINED and _log(cell["old_value"], cell["new_value"])]
        if not ratio or not moved:
            return {}
        moves = next(filter(None, (self._moves(side, ratio.get(side), vintages, position) for side in _SIDES)), None)
        if moves is None:
            return {}
        entities = _entities(read_vintage(self._warehouse, after).series.to_pylist())
        found = {}
        for cell in moved:
            log = moves.logs.get((entities.get(cell["series_key"], ""), cell["period"]))
            if log is not None:
                share = log / _log(cell["old_value"], cell["new_value"])
                share = (share if moves.side == "numerator" else 1 + share) + 0.0  # no -0.0
                found[cell["series_key"], cell["period"]] = Cause(_side(share), share, *moves.told)
        return found

    def _ratio(self, dataset: str, part: str) -> Mapping[str, str | None] | None:
        if dataset not in self._ratios:
            query = select(ledger.datasets.c.description).where(ledger.datasets.c.dataset == dataset)
            with self._warehouse.engine.connect() as connection:
                described = connection.execute(query).scalar_one_or_none() or {}
            self._ratios[dataset] = {one["id"]: one["ratio"] for one in described.get("parts", []) if one.get("ratio")}
        return self._ratios[dataset].get(part)

    def _moves(self, side: str, part: str | None, vintages: Sequence[Vintage], position: int) -> _Moves | None:
        """How a side moved between two vintages of the ratio; None when it is not held at both."""
        if part is None:
            return None
        states = [self._state(part, vintages, place) for place in (position - 1, position)]
        before, after = states
        if before is None or after is None:
            return None
        key = (before["vintage_id"], after["vintage_id"])
        if key not in self._compared:
            self._compared[key] = self._logs(before, after)
        told = f"{part} {before['known_from'][:10]} → {after['known_from'][:10]}"
        return _Moves(side, self._compared[key], (told, *key))

    def _state(self, part: str, vintages: Sequence[Vintage], position: int) -> Vintage | None:
        """The vintage of another part that belongs to the same release as a vintage of the ratio."""
        one = vintages[position]
        limit = clock.to_text(clock.from_text(one["known_from"]) + SAME_RELEASE)
        if position + 1 < len(vintages):
            limit = min(limit, clock.to_text(clock.from_text(vintages[position + 1]["known_from"]) - _TICK))
        key = (one["dataset"], part)
        if key not in self._lines:
            with self._warehouse.engine.connect() as connection:
                self._lines[key] = line.visible(connection, *key, edition=self._edition)
        known = [row for row in self._lines[key] if row["known_from"] <= limit]
        return known[-1] if known else None

    def _logs(self, before: Vintage, after: Vintage) -> dict[Cell, float]:
        old, new = (read_vintage(self._warehouse, row) for row in (before, after))
        with self._warehouse.engine.connect() as connection:
            rule = line.equality(connection, after["dataset"], after["part"])
        comparison = compare(before["vintage_id"], *old, *new, rule)
        moved = {(row["series_key"], row["period"]): row for row in comparison.changes.to_pylist()}
        factors = _factors(comparison)
        entities = _entities(new.series.to_pylist())
        held = {(row["series_key"], row["period"]) for row in old.observations.to_pylist() if row["value"] is not None}
        logs: dict[Cell, float] = {}
        for row in new.observations.to_pylist():
            cell = (row["series_key"], row["period"])
            if cell in held and row["value"] and row["series_key"] in entities:
                change = moved.get(cell)
                log = 0.0
                if change is not None and change["weight"] != "noise":
                    log = _log(change["old_value"], change["new_value"]) - factors.get(row["series_key"], 0.0)
                logs[entities[row["series_key"]], row["period"]] = log
        return logs


def _factors(comparison: Comparison) -> dict[str, float]:
    """The logarithm of the factor by which each rebased series was multiplied: a new currency is no revision."""
    rows = comparison.changes.to_pylist()
    rebased = {row["series_key"] for row in rows if row["kind"] == "rebasing"}
    return {
        row["series_key"]: math.log(row["ratio_median"])
        for row in comparison.evidence.to_pylist()
        if row["series_key"] in rebased and (row["ratio_median"] or 0) > 0
    }


def _entities(series: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """series_key → entity, for the entities that have one series in the part."""
    count = Counter(row["entity"] for row in series)
    return {row["series_key"]: row["entity"] for row in series if count[row["entity"]] == 1}


def _log(old: float | None, new: float | None) -> float:
    """ln(new/old); 0 where it says nothing."""
    return math.log(new / old) if old and new and new / old > 0 else 0.0


def _side(share: float) -> str:
    if abs(share) < _ALONE:
        return "denominator"
    return "numerator" if abs(share - 1) < _ALONE else "both"
