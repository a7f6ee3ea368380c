"""What changed between neighbouring vintages: every change with its kind, its weight and, for a ratio, its cause.

Belongs here: which vintages are neighbours, and what each of them changed; derived from the vintages themselves whenever it is
asked. What a kind means is in warehouse/compare.py, why a ratio moved in warehouse/causes.py, how a report looks in
warehouse/revision_pages.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, func, select

from warehouse import clock, ledger, line
from warehouse.causes import Causes
from warehouse.compare import Equality, compare
from warehouse.contents import read_vintage
from warehouse.errors import UnknownBatch, UsageError
from warehouse.questions import find
from warehouse.schema import Comparison
from warehouse.scratch import scratch
from warehouse.store import Warehouse

Row = dict[str, Any]
Vintage = Mapping[str, Any]
#: (dataset:key, period) → the number as a paper prints it, in the unit of the series.
Printed = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Step:
    """A vintage and its place in the line of its part; what it changed is told against the one before it."""

    line: PartLine
    position: int

    @property
    def vintage(self) -> Vintage:
        """The vintage itself."""
        return self.line.vintages[self.position]

    @property
    def before(self) -> Vintage:
        """Its predecessor in known order."""
        return self.line.vintages[self.position - 1]


@dataclass(frozen=True)
class PartLine:
    """The vintages of one part that stand in an edition, in known order."""

    warehouse: Warehouse
    vintages: Sequence[Vintage]
    equality: Equality

    @cached_property
    def _first_held(self) -> pa.Table:
        """For each cell the position of the first vintage in which it has a value."""
        files = sorted({str(self.warehouse.path(row["observations_file"])) for row in self.vintages})
        places = pa.table(
            {"vintage_id": [row["vintage_id"] for row in self.vintages], "place": range(len(self.vintages))}
        )
        with scratch() as database:
            database.register("places", places)
            return database.sql(
                "select series_key, period, min(place) as place from read_parquet($files, hive_partitioning=false)"
                " join places using (vintage_id) where value is not null group by all",
                params={"files": files},
            ).to_arrow_table()

    def compared(self, position: int, printed: Mapping[tuple[str, str], str] | None = None) -> Comparison:
        """A vintage against its neighbour; a value counts as reinstated when any vintage before had it."""
        before, after = self.vintages[position - 1], self.vintages[position]
        earlier = None
        counted = after["predecessor_id"] == before["vintage_id"]
        if position > 1 and not (counted and after["added"] == 0):
            earlier = self._first_held.filter(pc.less(self._first_held.column("place"), position - 1))
        return compare(
            before["vintage_id"],
            *read_vintage(self.warehouse, before),
            *read_vintage(self.warehouse, after),
            self.equality,
            earlier=earlier,
            ours=self._same_bytes(before, after),
            printed=printed,
        )

    def _same_bytes(self, before: Vintage, after: Vintage) -> bool:
        """True when both vintages were read from the same payloads: then it is our reading that changed."""
        if before["sha256"] != after["sha256"]:
            return False
        columns = ledger.payloads.c
        query = select(columns.sha256).where(columns.part == after["part"]).order_by(columns.sha256)
        with self.warehouse.engine.connect() as connection:
            read = [
                connection.execute(query.where(columns.batch_id == row["batch_id"])).scalars().all()
                for row in (before, after)
            ]
        return read[0] == read[1]


def revisions(
    warehouse: Warehouse,
    of: str | None = None,
    *,
    since: str | None = None,
    edition: int | str | None = None,
    printed: Printed | None = None,
) -> list[Row]:
    """Every change between neighbouring vintages, oldest first, derived from the vintages themselves; noise is left out.

    Rows: series, period, kind, weight, old, new, relative, old_status, new_status (None: no such row), detail, cause,
    numerator_share, explained_before, explained_vintage, part, known_from, vintage, before (the vintage it is compared with).
    A redefinition has one more row, without a period, whose `detail` says what was redefined, old → new; where the numbers alone
    show it (warehouse/compare.py), the `detail` of each changed cell is the evidence. `cause` says by which side a ratio moved,
    and the two after it by which vintages of that side one knows (warehouse/causes.py). `of` is a dataset, a series, a batch
    (what it changed when it was published), or None for all; `since` keeps changes known from the beginning of that year, month
    or day on. Raises UsageError for an unknown dataset or series, UnknownBatch.
    """
    oldest_first = list(iter_revisions(warehouse, of, since=since, edition=edition, printed=printed))[::-1]
    return sorted(oldest_first, key=lambda row: (row["known_from"], row["series"], row["period"]))


def iter_revisions(
    warehouse: Warehouse,
    of: str | None = None,
    *,
    since: str | None = None,
    edition: int | str | None = None,
    printed: Printed | None = None,
) -> Iterator[Row]:
    """The rows of `revisions`, newest vintage first, computed as they are asked for."""
    start = clock.to_text(clock.parse_since(since)) if since is not None else ""
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        dataset = parts = series = batch = None
        if of is not None and "@" in of:
            batch = of
            dataset, at = _batch(connection, of)
        elif of is not None and ":" in of:
            asked = find(connection, of, at)
            dataset, parts, series = asked.dataset, asked.parts, asked.name
        elif of is not None:
            dataset = _known_dataset(connection, of)
        found = steps(warehouse, connection, dataset, parts, edition=at)
    causes = Causes(warehouse, at)
    for step in reversed(found):
        if step.vintage["known_from"] >= start and batch in (None, step.vintage["batch_id"]):
            for row in changes(step, causes, printed):
                if series in (None, row["series"]):
                    yield row


def steps(
    warehouse: Warehouse,
    connection: Connection,
    dataset: str | None,
    parts: Collection[str] | None = None,
    *,
    edition: int,
) -> list[Step]:
    """Every vintage of an edition that has a neighbour before it in its part, in known order over some parts, or all."""
    lines: dict[tuple[str, str], list[Vintage]] = defaultdict(list)
    for row in line.visible(connection, dataset, edition=edition):
        if parts is None or row["part"] in parts:
            lines[row["dataset"], row["part"]].append(row)
    found = []
    for (name, inside), vintages in lines.items():
        one = PartLine(warehouse, vintages, line.equality(connection, name, inside))
        found += [Step(one, position) for position in range(1, len(vintages))]
    return sorted(found, key=lambda step: (step.vintage["known_from"], *line.order_of(step.vintage)))


def changes(step: Step, causes: Causes, printed: Printed | None = None) -> list[Row]:
    """What a vintage changed against its neighbour; rows as in `revisions`."""
    vintage, before = step.vintage, step.before
    dataset = vintage["dataset"]
    mine = {(name.partition(":")[2], period): text for (name, period), text in (printed or {}).items()
            if name.startswith(f"{dataset}:")}  # fmt: skip
    comparison = step.line.compared(step.position, mine)
    cells = [row for row in comparison.changes.to_pylist() if row["weight"] != "noise"]
    why = causes.of(step.line.vintages, step.position, cells)
    place = {
        "part": vintage["part"],
        "known_from": vintage["known_from"],
        "vintage": vintage["vintage_id"],
        "before": before["vintage_id"],
    }
    rows = _redefinitions(comparison, dataset, place)
    for cell in cells:
        cause = why.get((cell["series_key"], cell["period"]))
        rows.append(
            {
                "series": f"{dataset}:{cell['series_key']}",
                "period": cell["period"],
                "kind": cell["kind"],
                "weight": cell["weight"],
                "old": cell["old_value"],
                "new": cell["new_value"],
                "relative": cell["rel_change"],
                "old_status": cell["old_status"],
                "new_status": cell["new_status"],
                "detail": cause.detail if cause else comparison.rewritten if cell["kind"] == "redefinition" else "",
                "cause": cause.side if cause else None,
                "numerator_share": cause.numerator_share if cause else None,
                "explained_before": cause.before if cause else None,
                "explained_vintage": cause.vintage if cause else None,
                **place,
            }
        )
    return rows


def summary(rows: Iterable[Row]) -> list[Row]:
    """Changes counted: dataset, part, kind, cells, series, largest (relative), causes; of each part the most frequent first."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["series"].partition(":")[0], row["part"], row["kind"]].append(row)
    found = []
    for (dataset, part, kind), group in groups.items():
        cells = [row for row in group if row["period"]]
        moved = [row["relative"] for row in cells if row["relative"] not in (None, float("inf"))]
        told = Counter(row["cause"] for row in cells if row["cause"])
        found.append(
            {
                "dataset": dataset,
                "part": part,
                "kind": kind,
                "cells": len(cells),
                "series": len({row["series"] for row in group}),
                "largest": max(moved, default=None),
                "causes": ", ".join(f"{name} {count}" for name, count in told.most_common()),
            }
        )
    return sorted(found, key=lambda row: (row["dataset"], row["part"], -row["cells"], row["kind"]))


def largest(rows: Iterable[Row], most: int) -> list[Row]:
    """The changes of a number, by relative size; a change from zero has none and comes first."""
    moved = [row for row in rows if row["relative"] is not None]
    return list(islice(sorted(moved, key=lambda row: -row["relative"]), most))


def busiest(rows: Iterable[Row], most: int) -> list[Row]:
    """The series with most changed cells: series, cells, kinds."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["period"]:
            kinds[row["series"]][row["kind"]] += 1
    ordered = sorted(kinds.items(), key=lambda item: (-item[1].total(), item[0]))
    return [
        {
            "series": name,
            "cells": found.total(),
            "kinds": ", ".join(f"{kind} {count}" for kind, count in found.most_common()),
        }
        for name, found in ordered[:most]
    ]


def _redefinitions(comparison: Comparison, dataset: str, place: Row) -> list[Row]:
    """One row a redefined series."""
    told: dict[str, list[str]] = defaultdict(list)
    for row in comparison.redefinitions.to_pylist():
        instead = f" (instead of {row['replaces']})" if row["replaces"] else ""
        told[row["series_key"]].append(f"{row['column']}: {_shown(row['old'])} → {_shown(row['new'])}{instead}")
    empty = dict.fromkeys(("old", "new", "relative", "old_status", "new_status"))
    unexplained = dict.fromkeys(("cause", "numerator_share", "explained_before", "explained_vintage"))
    return [
        {
            "series": f"{dataset}:{key}",
            "period": "",
            "kind": "redefinition",
            "weight": "visible",
            **empty,
            "detail": "; ".join(what),
            **unexplained,
            **place,
        }
        for key, what in told.items()
    ]


def _shown(text: str | None) -> str:
    return "none" if text is None else text


def _known_dataset(connection: Connection, asked: str) -> str:
    held = sorted(connection.execute(select(ledger.datasets.c.dataset)).scalars())
    if asked not in held:
        raise UsageError(f"nothing is held of a dataset '{asked}'", next_step=f"held are: {', '.join(held) or 'none'}")
    return asked


def _batch(connection: Connection, batch_id: str) -> tuple[str, int]:
    """The dataset of a batch, and the edition in which its vintages first stood (0: none ever did)."""
    columns = ledger.batches.c
    dataset = connection.execute(select(columns.dataset).where(columns.batch_id == batch_id)).scalar_one_or_none()
    if dataset is None:
        raise UnknownBatch(
            f"there is no batch '{batch_id}'", next_step="`figurekeeper batches` lists them; copy the id from there"
        )
    query = select(func.min(ledger.line.c.published_in)).where(ledger.line.c.batch_id == batch_id)
    return dataset, connection.execute(query).scalar_one() or 0
