"""Compaction: the many small files of a part become one a table, sorted by known_from and vintage_id.

No answer changes: the ledger says of each vintage in which file its rows lie, and who reads a file chooses by vintage_id. The
small files stay where they are for those who still read them; warehouse/maintenance.py removes them when their time is over.

Belongs here: which vintages are brought together, the new file, and the ledger's change to it. Iceberg follows the ledger
afterwards (Tables.rebuild), so that a death in between leaves two right accounts of the same rows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import bindparam, func, select, update

from warehouse import ledger
from warehouse.line import Row
from warehouse.store import Warehouse
from warehouse.tables import SCHEMAS, TABLES, write_vintage

#: More small files than these of one part are brought together.
MANY = 32
#: A file of more bytes is left alone, and no new one is made of more bytes of old ones.
_SMALL = 16 << 20
_LARGEST = 128 << 20


@dataclass(frozen=True)
class Bundle:
    """Vintages of one part whose rows are to lie in one file a table; rows of `vintages`, by known_from and id."""

    vintages: tuple[Row, ...]

    @property
    def files(self) -> set[str]:
        """The files in which they lie now."""
        return {row[f"{name}_file"] for row in self.vintages for name in TABLES}

    @property
    def targets(self) -> dict[str, str]:
        """Table → the new file. Named after what it holds: made twice, it is the same file."""
        ids = "\n".join(row["vintage_id"] for row in self.vintages)
        digest = hashlib.sha256(ids.encode()).hexdigest()[:16]
        place = f"{self.vintages[0]['dataset']}/{self.vintages[0]['part']}"
        return {name: f"tables/{name}/data/{place}/compacted-{digest}.parquet" for name in TABLES}


def bundles(warehouse: Warehouse) -> list[Bundle]:
    """What there is to bring together: vintages of a part in the newest edition, and those of older ones by themselves."""
    columns = ledger.line.c
    stands = (func.count() > func.count(columns.voided_in)).label("stands")
    stood = select(columns.vintage_id, stands).group_by(columns.vintage_id).subquery()
    query = select(ledger.vintages, stood.c.stands).join(stood, stood.c.vintage_id == ledger.vintages.c.vintage_id)
    groups: dict[tuple[str, str, bool], list[Row]] = defaultdict(list)
    with warehouse.engine.connect() as connection:
        order = (ledger.vintages.c.known_from, ledger.vintages.c.vintage_id)
        for row in connection.execute(query.order_by(*order)).mappings():
            groups[row["dataset"], row["part"], bool(row["stands"])].append(dict(row))
    return [bundle for _, rows in sorted(groups.items()) for bundle in _bundles(warehouse, rows)]


def _bundles(warehouse: Warehouse, rows: list[Row]) -> Iterator[Bundle]:
    """Vintages in small files, in bundles of no more than the largest size."""
    if len({row["observations_file"] for row in rows}) <= MANY:
        return
    sizes = {name: warehouse.storage.size(name) for name in {row["observations_file"] for row in rows}}
    # A vintage without rows could not be found again in a file of others.
    small = [row for row in rows if sizes[row["observations_file"]] < _SMALL and row["observations"] and row["series"]]
    holders = defaultdict[str, int](int)
    for row in small:
        holders[row["observations_file"]] += 1
    bundle: list[Row] = []
    room = float(_LARGEST)
    for row in small:
        room -= sizes[row["observations_file"]] / holders[row["observations_file"]]
        if room < 0:
            yield from _worth_it(bundle)
            bundle, room = [], float(_LARGEST)
        bundle.append(row)
    yield from _worth_it(bundle)


def _worth_it(rows: list[Row]) -> Iterator[Bundle]:
    if len({row["observations_file"] for row in rows}) > MANY:
        yield Bundle(tuple(rows))


def carry_out(warehouse: Warehouse, bundle: Bundle) -> None:
    """Write the new files, then let the ledger name them, all in one transaction."""
    for name, target in bundle.targets.items():
        write_vintage(
            warehouse.storage, target, pa.concat_tables([_rows(warehouse, name, row) for row in bundle.vintages])
        )
    columns = ledger.vintages.c
    switch = (
        update(ledger.vintages)
        .where(columns.vintage_id == bindparam("of"))
        .values(**{f"{name}_file": target for name, target in bundle.targets.items()})
    )
    with warehouse.publish_lock(), ledger.transaction(warehouse.engine, warehouse.root) as connection:
        connection.execute(switch, [{"of": row["vintage_id"]} for row in bundle.vintages])


def _rows(warehouse: Warehouse, name: str, row: Row) -> pa.Table:
    """The stored rows of one vintage, in their order."""
    path = warehouse.path(row[f"{name}_file"])
    only = [("vintage_id", "=", row["vintage_id"])]
    return pq.read_table(path, filters=only, partitioning=None).cast(SCHEMAS[name])
