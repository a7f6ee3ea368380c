"""The Iceberg tables `observations` and `series`, and the Parquet files that become part of them.

A vintage is one Parquet file in each table, written durably before any table knows of it (staged); what a publish begins and
ends is one metadata commit that carries its mark, so that doing it twice is a no-op. A commit costs the same at the thousandth
as at the tenth: only the newest snapshots are kept, small manifests are merged, old metadata files go. Compaction puts several
vintages into one file (warehouse/compaction.py); who reads such a file chooses by vintage_id.

Belongs here: all that is told to Iceberg. Readers of ours do not come here: they read the files named in the ledger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.schema import OBSERVATIONS, SERIES
from warehouse.storage import Storage

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table.snapshots import Snapshot

MARK_PROPERTY = "figurekeeper.batch-id"
SERIES_STORED = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("vintage_id", pa.string(), nullable=False),
        pa.field("known_from", pa.timestamp("us", tz="UTC"), nullable=False),
        *SERIES,
    ]
)
TABLES = ("observations", "series")
SCHEMAS = {"observations": OBSERVATIONS, "series": SERIES_STORED}
#: Snapshots that stay in the tables. A publish that was cut off is completed before the next one, so its mark is among them.
KEPT_SNAPSHOTS = 10
_PROPERTIES = {
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "32",
    "commit.manifest.target-size-bytes": str(64 << 10),  # bounds what one merge rewrites
    "write.metadata.previous-versions-max": str(KEPT_SNAPSHOTS),
    "write.metadata.delete-after-commit.enabled": "true",
    # Bounds that are not cut: a file of one vintage is dropped by its statistics, without being read.
    "write.metadata.metrics.column.vintage_id": "full",
}
#: Rows of a row group: what a reader of one small vintage in a compacted file unpacks.
_ROW_GROUP = 1 << 14
#: PyIceberg gives up comparing statistics with more values than that, and would read every file instead.
_VALUES_COMPARED = 200


def write_vintage(storage: Storage, name: str, rows: pa.Table) -> None:
    """Write one staged Parquet file, durably, sorted as given."""
    buffer = pa.BufferOutputStream()
    pq.write_table(rows, buffer, compression="zstd", row_group_size=_ROW_GROUP)
    storage.write(name, buffer.getvalue().to_pybytes())


class Tables:
    """The two Iceberg tables of a warehouse: a SQL catalogue and files, no server needed.

    The caller of a method that writes holds the publish lock. All raise StoreUnreachable and StoreUnwritable, but for `table`,
    which gives what PyIceberg does.
    """

    def __init__(self, storage: Storage, catalog_uri: str) -> None:
        self.storage = storage
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
                warehouse=self.storage.address("tables"),
                **self.storage.iceberg_properties(),
            )
            self._catalog.create_namespace_if_not_exists("figurekeeper")
        return self._catalog

    def table(self, name: str) -> Table:
        """One of the tables, created when missing."""
        from pyiceberg.exceptions import NoSuchTableError

        try:
            return self.catalog.load_table(f"figurekeeper.{name}")
        except NoSuchTableError:
            return self.catalog.create_table_if_not_exists(
                f"figurekeeper.{name}",
                schema=SCHEMAS[name],
                location=self.storage.address(f"tables/{name}"),
                properties=_PROPERTIES,
            )

    def change(
        self, name: str, add: Mapping[str, str], drop: Collection[str], mark: str, *, resumed: bool = False
    ) -> str | None:
        """Let vintages begin (id → file) and others end, in one commit; returns the id of the snapshot after it.

        A change whose mark is among the newest snapshots is not made again. `resumed`: somebody may have made it long ago,
        so the tables' own list of files is asked, too.
        """
        with self.storage.errors(f"tables/{name}"):
            table = self.table(name)
            for snapshot in reversed(table.snapshots()):
                if _told(snapshot).get(MARK_PROPERTY) == mark:
                    return str(snapshot.snapshot_id)
            if resumed:
                held = set().union(*(vintages for _, vintages in self._files(table)))
                add = {vintage: file for vintage, file in add.items() if vintage not in held}
            if add or drop:
                with _commit(table) as transaction:
                    if drop:
                        transaction.delete(_any_of(sorted(drop)), snapshot_properties={MARK_PROPERTY: mark})
                    self._add(transaction, name, add, {MARK_PROPERTY: mark})
        return _newest(table)

    def rebuild(self, name: str, wanted: Mapping[str, str]) -> str | None:
        """Let a table hold exactly these vintages (id → file), in one commit, or in none when it does; the snapshot id.

        For replay, for compaction, and for a table that lags behind the ledger. Files that serve stay as they are.
        """
        with self.storage.errors(f"tables/{name}"):
            table = self.table(name)
            useless, missing = self._difference(table, wanted)
            if useless or missing:
                with _commit(table) as transaction:
                    if useless:
                        with transaction.update_snapshot().overwrite() as overwrite:
                            for data_file in self._data_files(table):
                                if data_file.file_path in useless:
                                    overwrite.delete_data_file(data_file)
                    self._add(transaction, name, missing, {})
        return _newest(table)

    def expire(self, name: str, until: datetime, *, dry_run: bool = False) -> int:
        """Let all snapshots made before an instant go, but for the newest; how many. Their marks go with them."""
        with self.storage.errors(f"tables/{name}"):
            table = self.table(name)
            current = table.current_snapshot()
            old = [one for one in table.snapshots() if one != current and one.timestamp_ms < until.timestamp() * 1000]
            if old and not dry_run:
                table.maintenance.expire_snapshots().by_ids([one.snapshot_id for one in old]).commit()
        return len(old)

    def lag(self, name: str, wanted: Mapping[str, str]) -> tuple[set[str], dict[str, str]]:
        """What `rebuild` would do: the names of files that would go, and the vintages (id → file) that would come."""
        with self.storage.errors(f"tables/{name}"):
            useless, missing = self._difference(self.table(name), wanted)
        return {self._name(address) for address in useless}, missing

    def vintages(self, name: str) -> list[str]:
        """The vintages that a table holds, sorted; one that stands in two files comes twice."""
        with self.storage.errors(f"tables/{name}"):
            return sorted(vintage for _, vintages in self._files(self.table(name)) for vintage in vintages)

    def files(self, name: str) -> set[str]:
        """Storage names of all that the newest metadata of a table refers to: data, manifests, lists, metadata."""
        with self.storage.errors(f"tables/{name}"):
            return {self._name(address) for address in _addresses(self.table(name))}

    # -- within ------------------------------------------------------------------------------------------------------

    def _add(self, transaction: Transaction, name: str, add: Mapping[str, str], properties: dict[str, str]) -> None:
        """Whole files as they are; of a file that holds more than is wanted, the wanted rows."""
        whole = self._whole(add)
        if whole:
            # Its own search for duplicates reads every manifest; ours are the mark, and for rebuild the difference.
            addresses = [self.storage.address(file) for file in sorted(whole)]
            transaction.add_files(addresses, snapshot_properties=properties, check_duplicate_files=False)
        for file in sorted(set(add.values()) - whole):
            only = [("vintage_id", "in", sorted(vintage for vintage in add if add[vintage] == file))]
            rows = pq.read_table(self.storage.local(file), filters=only, partitioning=None)
            transaction.append(rows.cast(SCHEMAS[name]), snapshot_properties=properties)

    def _whole(self, wanted: Mapping[str, str]) -> set[str]:
        """The files of which every vintage is wanted."""
        vintages: dict[str, set[str]] = defaultdict(set)
        for vintage, file in wanted.items():
            vintages[file].add(vintage)
        return {file for file, some in vintages.items() if self._held(file, next(iter(some))) <= some}

    def _difference(self, table: Table, wanted: Mapping[str, str]) -> tuple[set[str], dict[str, str]]:
        """Addresses of the files that must go, and the vintages (id → file) that must come."""
        whole = self._whole(wanted)
        at: dict[str, set[str]] = defaultdict(set)  # of whole files; one without rows has no other sign of whose it is
        for vintage, file in wanted.items():
            if file in whole:
                at[self.storage.address(file)].add(vintage)
        copied = {vintage for vintage, file in wanted.items() if file not in whole}
        useless, covered = set[str](), set[str]()
        files = self._files(table)
        times = Counter(address for address, _ in files)
        for address, vintages in files:
            if times[address] == 1 and (address in at or vintages <= copied - covered):
                covered |= at.get(address, vintages)
            else:
                useless.add(address)
        return useless, {vintage: file for vintage, file in wanted.items() if vintage not in covered}

    def _files(self, table: Table) -> list[tuple[str, set[str]]]:
        """Address and vintages of every file in the newest state."""
        field = table.schema().find_field("vintage_id").field_id
        found: list[tuple[str, set[str]]] = []
        for data_file in self._data_files(table):
            low, high = data_file.lower_bounds.get(field), data_file.upper_bounds.get(field)
            alone = low is not None and low == high
            found.append(
                (data_file.file_path, {low.decode()} if alone else self._held(self._name(data_file.file_path)))
            )
        return found

    def _data_files(self, table: Table) -> Iterator[Any]:
        snapshot = table.current_snapshot()
        for manifest in snapshot.manifests(table.io) if snapshot is not None else ():
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file

    def _name(self, address: str) -> str:
        """The storage name of an address."""
        return address.removeprefix(self.storage.address(""))

    def _held(self, file: str, guess: str | None = None) -> set[str]:
        """The vintages in a file; one that is named after the guess holds that one alone."""
        if guess is not None and PurePosixPath(file).name.startswith(f"{guess}-"):
            return {guess}
        column = pq.read_table(self.storage.local(file), columns=["vintage_id"], partitioning=None).column(0)
        return set(column.unique().to_pylist())


@contextmanager
def _commit(table: Table) -> Iterator[Transaction]:
    """One metadata commit that also lets all but the newest snapshots go."""
    from pyiceberg.table.update.snapshot import ExpireSnapshots

    with table.transaction() as transaction:
        yield transaction
        # Not by age: a hundred publishes may come in a minute, or in a decade.
        old = sorted(transaction.table_metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0)
        if len(old) > KEPT_SNAPSHOTS:
            expire = ExpireSnapshots(transaction)
            expire.by_ids([snapshot.snapshot_id for snapshot in old[:-KEPT_SNAPSHOTS]]).commit()


def _any_of(vintage_ids: list[str]) -> BooleanExpression:
    from pyiceberg.expressions import AlwaysFalse, In, Or

    expression: BooleanExpression = AlwaysFalse()
    for start in range(0, len(vintage_ids), _VALUES_COMPARED):
        expression = Or(expression, In(term="vintage_id", literals=set(vintage_ids[start : start + _VALUES_COMPARED])))
    return expression


def _addresses(table: Table) -> set[str]:
    addresses = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        addresses.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in addresses:
                addresses.add(manifest.manifest_path)
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                addresses.update(entry.data_file.file_path for entry in entries)
    return addresses


def _told(snapshot: Snapshot) -> Mapping[str, str]:
    return snapshot.summary.additional_properties if snapshot.summary is not None else {}


def _newest(table: Table) -> str | None:
    snapshot = table.current_snapshot()
    return None if snapshot is None else str(snapshot.snapshot_id)
