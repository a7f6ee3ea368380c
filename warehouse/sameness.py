"""Whether two warehouses are the same: table by table, row by row, and the contents of every vintage.

Belongs here: what is compared, and finding the first difference. What is left out is listed in one place, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sqlalchemy import Table, select

from warehouse import contents, ledger
from warehouse.store import Warehouse

#: Tables of the ledger that are compared, with the columns that are not.
COMPARED: Mapping[Table, frozenset[str]] = {
    ledger.datasets: frozenset(),
    ledger.series_index: frozenset(),
    ledger.batches: frozenset(),
    # Maintenance puts the rows of several vintages into one file; the contents are compared instead.
    ledger.readings: frozenset(("observations_file", "series_file")),
    ledger.vintages: frozenset(("observations_file", "series_file")),
    ledger.line: frozenset(),
    ledger.payloads: frozenset(),
    ledger.check_results: frozenset(),
    ledger.decisions: frozenset(),
    # Iceberg's own numbers, drawn at random, and gone when a snapshot expires.
    ledger.editions: frozenset(("observations_snapshot", "series_snapshot")),
    ledger.incidents: frozenset(),
    ledger.notices: frozenset(),
}
#: Not compared: where and for whom a warehouse is stamped, and what the journal is owed (it is compared itself).
NOT_COMPARED: frozenset[Table] = frozenset((ledger.stamps, ledger.outbox))


@dataclass(frozen=True)
class Difference:
    """One difference: in which table (or file), of which row and column, and what stands there in either warehouse."""

    table: str
    row: str
    column: str
    one: Any
    other: Any

    def __str__(self) -> str:
        return f"{self.table} {self.row} {self.column}: {self.one!r} and {self.other!r}"


def differences(one: Warehouse, other: Warehouse) -> Iterator[Difference]:
    """All differences between two warehouses, lazily; none when they are the same.

    Batches that are still running are no part of the truth yet, and are passed over with their rows.
    """
    for table, left_out in COMPARED.items():
        yield from _of_table(table, left_out, _rows(one, table), _rows(other, table))
    yield from _of_contents(one, other)
    for mine, theirs in zip_longest(
        one.journal.entries(), other.journal.entries(), fillvalue={"n": None, "sha256": None}
    ):
        if mine["sha256"] != theirs["sha256"]:
            yield Difference("journal", str(mine["n"] or theirs["n"]), "sha256", mine["sha256"], theirs["sha256"])
            break  # the chain differs from here on


def _rows(warehouse: Warehouse, table: Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    query = select(table)
    if "batch_id" in table.c:
        done = select(ledger.batches.c.batch_id).where(ledger.batches.c.state == "done")
        query = query.where(table.c.batch_id.in_(done))
    with warehouse.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return {tuple(row[column.name] for column in table.primary_key): dict(row) for row in rows}


def _of_table(
    table: Table,
    left_out: frozenset[str],
    mine: Mapping[tuple[Any, ...], Mapping[str, Any]],
    theirs: Mapping[tuple[Any, ...], Mapping[str, Any]],
) -> Iterator[Difference]:
    names = [column.name for column in table.c if column.name not in left_out]
    for key in sorted({*mine, *theirs}, key=repr):
        row = " ".join(str(value) for value in key)
        if key not in mine or key not in theirs:
            yield Difference(table.name, row, "(row)", key in mine, key in theirs)
            continue
        for name in names:
            if mine[key][name] != theirs[key][name]:
                yield Difference(table.name, row, name, mine[key][name], theirs[key][name])


def _of_contents(one: Warehouse, other: Warehouse) -> Iterator[Difference]:
    """The rows of every vintage that ever stood in an edition, from its Parquet files."""
    stood = select(ledger.vintages).where(ledger.vintages.c.vintage_id.in_(select(ledger.line.c.vintage_id)))
    found = []
    for warehouse in (one, other):
        with warehouse.engine.connect() as connection:
            found.append({row["vintage_id"]: dict(row) for row in connection.execute(stood).mappings()})
    for vintage in sorted(found[0].keys() & found[1].keys()):
        mine, theirs = (contents.read_vintage(w, rows[vintage]) for w, rows in zip((one, other), found, strict=True))
        for name, left, right in zip(("observations", "series"), mine, theirs, strict=True):
            if not left.equals(right):
                yield Difference(f"{name} (Parquet)", vintage, "(rows)", left.num_rows, right.num_rows)
