"""The ledger: small transactional tables in the catalogue's database (SQLite here, PostgreSQL in the server form).

Batches, readings, vintages, the line, payload records, check results, decisions, editions, incidents and the journal's outbox.
The `editions` table is the only switch of visibility. Belongs here: the tables, and one way to write and read them. No rules.
Instants are text as in warehouse/clock.py; structured columns are JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.engine import Engine, ExceptionContext

from warehouse.files import StoreUnreachable, storage_errors, unreachable

metadata = MetaData()

#: The stamp that says where the journal ended when the outbox was last brought there: number and sha256.
JOURNAL_END = "journal_end"


#: Compared by byte everywhere: PostgreSQL would sort as people of its region do.
_TEXT = String().with_variant(String(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False, key: bool = False) -> Column[Any]:
    return Column(name, _TEXT, nullable=null, primary_key=key)


stamps = Table("stamp", metadata, _text("key", key=True), _text("value"))

datasets = Table(
    "datasets",
    metadata,
    _text("dataset", key=True),
    _text("file_sha256"),
    Column("description", JSON, nullable=False),  # of the dataset file: what pages and questions need
)
series_index = Table(  # in which parts a series is or was; what it means is versioned in the Iceberg table `series`
    "series_index",
    metadata,
    _text("dataset", key=True),
    _text("series_key", key=True),
    _text("part", key=True),
    Column("published_in", Integer, nullable=False),  # first edition in which the part held it
)

batches = Table(
    "batches",
    metadata,
    _text("batch_id", key=True),
    _text("dataset"),
    _text("decision", null=True),  # None while running
    _text("state"),  # running, staged, publishing, done
    _text("started_at"),
    _text("finished_at", null=True),
    _text("fetched_at", null=True),  # newest fetch time of its payloads
    _text("actor"),
    _text("run_id", null=True),
    _text("dataset_file_sha256", null=True),
    Column("complete", Boolean, nullable=False),  # asked for all parts and periods, not for an archive
    Column(
        "current", Boolean, nullable=False
    ),  # complete, and asked as of now: the only kind that makes a dataset fresh
    Column("edition", Integer, nullable=True),
    _text("message"),
    Column("header", JSON, nullable=False),  # requests, retries, skips, parts: what the journal tells of it
)
readings = Table(  # what was read of a part, by whom and when: never changed, but for the editions in which it counts
    "readings",
    metadata,
    _text("batch_id", key=True),
    _text("part", key=True),
    _text("dataset"),
    _text("place"),  # its place in known order: an archive's version at its end, a live answer when it was taken
    _text("fetched_at"),
    _text("sha256"),  # of its last payload: the last word in that order
    _text("canonical_hash"),
    _text("stamp", null=True),  # the publisher's, as given; what it means stands in the next three
    _text("stamp_at", null=True),
    _text("stamp_precision", null=True),
    _text("stamp_basis", null=True),
    Column("scope", JSON, nullable=False),
    _text("vintage_id"),  # a vintage that says the same inside the scope: its own candidate, or the one it confirmed
    _text("observations_file", null=True),  # of a partial reading that said something new: its rows alone
    _text("series_file", null=True),
    Column(
        "compared", JSON(none_as_null=True), nullable=True
    ),  # counts of changed cells against predecessor_id, when it was staged
    Column("published_in", Integer, nullable=True),  # first edition in which it counts; None: held back
    Column("voided_in", Integer, nullable=True),  # first edition in which it does not any more
    Index("readings_by_part", "dataset", "part", "place"),
)
vintages = Table(  # one state of one part, stored whole and never changed
    "vintages",
    metadata,
    _text("vintage_id", key=True),
    _text("dataset"),
    _text("part"),
    _text("known_from"),
    _text("precision"),
    _text("basis"),
    _text("canonical_hash"),
    Column("observations", Integer, nullable=False),
    Column("series", Integer, nullable=False),
    _text("observations_file"),  # a storage name: relative to the warehouse folder
    _text("series_file"),
    _text("staged_by"),  # the refresh that wrote the files
)
line = Table(  # which vintages follow each other, in the editions from published_in up to before voided_in
    "line",
    metadata,
    _text("vintage_id", key=True),
    Column("published_in", Integer, primary_key=True, autoincrement=False),
    Column("voided_in", Integer, nullable=True),
    _text("dataset"),
    _text("part"),
    _text("known_from"),
    _text("place"),  # this and the next four: of the reading that opens it, where lineage leads
    _text("fetched_at"),
    _text("sha256"),
    _text("batch_id"),
    Column("scope", JSON, nullable=False),
    _text("stamp", null=True),  # on which known_from rests
    _text("predecessor_id", null=True),
    Column("revised", Integer, nullable=False),  # against that predecessor
    Column("added", Integer, nullable=False),
    Column("withdrawn", Integer, nullable=False),
    Column("status_changed", Integer, nullable=False),
    Index("line_by_part", "dataset", "part", "place"),
)
payloads = Table(
    "payloads",
    metadata,
    _text("batch_id", key=True),
    Column("number", Integer, primary_key=True),
    _text("part", null=True),
    _text("sha256"),
    _text("method"),
    _text("url"),
    _text("body", null=True),
    Column("status", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    _text("fetched_at"),
    Column("attempts", Integer, nullable=False),
    Index("payloads_by_hash", "sha256"),
)
check_results = Table(
    "check_results",
    metadata,
    _text("batch_id", key=True),
    Column("number", Integer, primary_key=True),
    _text("rule"),
    _text("layer"),
    _text("part"),
    _text("severity"),
    Column("success", Boolean, nullable=False),
    Column("examined", Integer, nullable=False),
    Column("unexpected", Integer, nullable=False),
    _text("observed"),
    _text("expected"),
    Column("examples", JSON, nullable=False),
    _text("config_error", null=True),
    _text("accepted", null=True),
)
decisions = Table(
    "decisions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _text("batch_id"),
    _text("dataset"),
    _text("decision"),
    _text("at"),
    _text("actor"),
    _text("reason", null=True),
    _text("run_id", null=True),
    Column("edition", Integer, nullable=True),
)
editions = Table(
    "editions",
    metadata,
    Column("edition", Integer, primary_key=True),
    _text("batch_id"),
    _text("decision"),
    _text("at"),
    _text("digest"),  # over its predecessor's and all that it changed: what a paper cites
    _text("observations_snapshot", null=True),  # Iceberg snapshot ids, while they last
    _text("series_snapshot", null=True),
)
incidents = Table(
    "incidents",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=True),
    _text("dataset"),  # or what else it is of: a provider, a deployment, the service
    _text("kind"),  # one of those in incidents.py
    _text("severity"),
    _text("title"),
    _text("text"),
    _text("opened_at"),
    _text("opened_by"),  # batch, run or watch; `closed_by` as well, or the name of the person who took note
    Column("occurrences", Integer, nullable=False),
    _text("last_at"),
    _text("closed_at", null=True),
    _text("closed_by", null=True),
    _text("closing", null=True),  # how it ended, in words
    Index("incidents_open", "dataset", "kind", "closed_at"),
)
notices = Table(
    "notices",
    metadata,
    Column("incident", Integer, primary_key=True),
    _text("transition", key=True),  # opened, closed; of no incident, 0: begun, since when the channel is told
    _text("channel", key=True),  # inbox, webhook, mail, …
    _text("delivered_at"),
)
outbox = Table(
    "journal_outbox",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _text("kind"),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def connect(uri: str) -> Engine:
    """An engine on the ledger's database.

    SQLite runs in WAL mode with full fsync, so that readers never block a writer and a commit survives a power cut.
    A connection to PostgreSQL that died in the pool is replaced before it is used; a server that is lost, whatever asks
    it, is StoreUnreachable. In JSON columns NaN becomes null, which is what JSON has for it; PostgreSQL would refuse it.
    """
    engine = create_engine(uri, pool_pre_ping=not uri.startswith("sqlite"), json_serializer=_json)
    event.listen(engine, "handle_error", _named, retval=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA busy_timeout=30000")
            cursor.close()

    return engine


def _named(context: ExceptionContext) -> StoreUnreachable | None:
    """What SQLAlchemy is to raise in place of a driver's error; None: its own."""
    return unreachable(context.original_exception, lost=context.is_disconnect)


@contextmanager
def transaction(engine: Engine, where: Path) -> Iterator[Connection]:
    """One transaction; a full or read-only disk becomes StoreUnwritable."""
    with storage_errors(where), engine.begin() as connection:
        yield connection


def add(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; nothing happens when there are none."""
    if rows:
        connection.execute(insert(table), [dict(row) for row in rows])


def stamped(connection: Connection, key: str) -> str | None:
    """What the warehouse is stamped with under a key."""
    return connection.execute(select(stamps.c.value).where(stamps.c.key == key)).scalar_one_or_none()


def stamp(connection: Connection, key: str, value: str | None) -> None:
    """Stamp the warehouse, replacing what was there; None takes the stamp away."""
    connection.execute(stamps.delete().where(stamps.c.key == key))
    if value is not None:
        add(connection, stamps, [{"key": key, "value": value}])


def journal_end(connection: Connection) -> tuple[int, str] | None:
    """Number and sha256 of the entry that was brought to the journal last; None in a warehouse that brought none yet."""
    number, _, sha256 = (stamped(connection, JOURNAL_END) or "").partition(" ")
    return (int(number), sha256) if number else None


def owe(connection: Connection, kind: str, body: Mapping[str, Any]) -> None:
    """Put a journal entry into the outbox, in the same transaction as the rows it tells of.

    Entries are numbered in the order of their commits: SQLite has one writer at a time, PostgreSQL is told to.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"lock table {outbox.name} in share update exclusive mode"))
    connection.execute(insert(outbox), {"kind": kind, "body": dict(body)})
