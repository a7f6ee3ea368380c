"""Iceberg keeps absolute addresses: a warehouse that was moved, restored or made anew elsewhere tells it where its files lie now.

Belongs here: noticing that, and mending it. The ledger names files relative to the warehouse, and our own readers ask it alone.
"""

from __future__ import annotations

import contextlib

from sqlalchemy import select

from warehouse import ledger, line
from warehouse.store import TABLES_AT, Warehouse
from warehouse.tables import TABLES


def settle(warehouse: Warehouse) -> bool:
    """Build the Iceberg tables anew when the warehouse lies elsewhere than they say; the caller holds the publish lock.

    One commit a table; no file of a vintage is touched. True when it was needed.
    """
    address = warehouse.storage.address("tables")
    chosen = ledger.stamps.c.key == TABLES_AT
    with warehouse.engine.connect() as connection:
        if connection.execute(select(ledger.stamps.c.value).where(chosen)).scalar_one_or_none() == address:
            return False
        standing = line.visible(connection)
    for name in TABLES:
        _forget(warehouse, name)
        warehouse.tables.rebuild(name, {row["vintage_id"]: row[f"{name}_file"] for row in standing})
    with ledger.transaction(warehouse.engine, warehouse.root) as connection:
        connection.execute(ledger.stamps.delete().where(chosen))
        ledger.add(connection, ledger.stamps, [{"key": TABLES_AT, "value": address}])
    return True


def _forget(warehouse: Warehouse, name: str) -> None:
    """Take a table whose metadata lie elsewhere out of the catalogue."""
    from pyiceberg.exceptions import NoSuchTableError

    with contextlib.suppress(NoSuchTableError):
        warehouse.tables.catalog.drop_table(f"figurekeeper.{name}")
