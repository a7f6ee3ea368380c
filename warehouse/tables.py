"""The Iceberg tables `observations` and `series`, and the Parquet files that become part of them.

A vintage is one Parquet file in each table, written and fsynced before any table knows of it (staged); publishing is one
metadata commit that adds the files and carries the batch id, so that doing it twice is a no-op; voiding is one that drops
them. PyIceberg itself fsyncs nothing but its catalogue, hence DurableFileIO. Readers do not come here: they read the files
named in the ledger (warehouse/questions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.files import replacing, storage_errors
from warehouse.schema import OBSERVATIONS, SERIES

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

BATCH_PROPERTY = "figurekeeper.batch-id"
SERIES_STORED = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("vintage_id", pa.string(), nullable=False),
        pa.field("known_from", pa.timestamp("us", tz="UTC"), nullable=False),
        *SERIES,
    ]
)
#: A publish that was cut off is completed before the next one, so its commit is among the newest.
_RECENT = 20
TABLES = ("observations", "series")
_SCHEMAS = {"observations": OBSERVATIONS, "series": SERIES_STORED}


def write_vintage(path: Path, rows: pa.Table) -> None:
    """Write one staged Parquet file, durably, sorted as given."""
    with replacing(path) as temporary:
        pq.write_table(rows, temporary, compression="zstd", write_statistics=True)


class Tables:
    """The two Iceberg tables of a warehouse folder. Needs no server: a SQL catalogue and files."""

    def __init__(self, root: Path, catalog_uri: str) -> None:
        self.root = root
        self.catalog_uri = catalog_uri
        self._catalog: SqlCatalog | None = None

    @property
    def catalog(self) -> SqlCatalog:
        """The PyIceberg catalogue, opened when first needed (its import costs most of a second)."""
        if self._catalog is None:
            from pyiceberg.catalog.sql import SqlCatalog

            self._catalog = SqlCatalog(
                "figurekeeper",
                uri=self.catalog_uri,
                warehouse=_address(self.root / "tables"),
                **{"py-io-impl": "warehouse.durable_io.DurableFileIO"},
            )
            self._catalog.create_namespace_if_not_exists("figurekeeper")
        return self._catalog

    def table(self, name: str) -> Table:
        """One of the tables, created when missing."""
        return self.catalog.create_table_if_not_exists(
            f"figurekeeper.{name}", schema=_SCHEMAS[name], location=_address(self.root / "tables" / name)
        )

    def add(self, name: str, files: Sequence[Path], batch_id: str) -> str:
        """Add staged files in one commit; returns the snapshot id. A batch that is already in is not added again."""
        with storage_errors(self.root):
            table = self.table(name)
            for snapshot in table.snapshots()[-_RECENT:]:
                told = snapshot.summary.additional_properties if snapshot.summary is not None else {}
                if told.get(BATCH_PROPERTY) == batch_id:
                    return str(snapshot.snapshot_id)
            # Its own search for duplicates reads every file of the table; the batch id above is ours.
            table.add_files(
                [_address(path) for path in files],
                snapshot_properties={BATCH_PROPERTY: batch_id},
                check_duplicate_files=False,
            )
            snapshot_now = table.current_snapshot()
        assert snapshot_now is not None
        return str(snapshot_now.snapshot_id)

    def drop(self, name: str, vintage_ids: Sequence[str], batch_id: str) -> str | None:
        """Take vintages out of the newest state in one commit; their files stay, for older editions."""
        with storage_errors(self.root):
            table = self.table(name)
            if vintage_ids:
                listed = ", ".join(f"'{vintage_id}'" for vintage_id in vintage_ids)
                table.delete(f"vintage_id in ({listed})", snapshot_properties={BATCH_PROPERTY: f"void:{batch_id}"})
            snapshot_now = table.current_snapshot()
        return None if snapshot_now is None else str(snapshot_now.snapshot_id)


def _address(path: Path) -> str:
    """A file's address as PyIceberg wants it: unquoted, since it does not undo the quoting of Path.as_uri."""
    return f"file://{path}"
