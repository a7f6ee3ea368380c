"""A warehouse: catalogue, tables, payloads, journal and leases of one profile, in a folder or on servers; opened and stamped.

Belongs here: opening, stamping, and who may write. The vintages of a part are in warehouse/line.py, how a batch becomes visible
is in warehouse/publish.py, what analysts ask is in warehouse/questions.py. The embedded form is a folder with SQLite, written by
one host; the server form is PostgreSQL and a bucket, written by any.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select

from warehouse import ledger, server
from warehouse.compare import Equality
from warehouse.errors import NoWarehouse, StoreUnwritable, UsageError, WrongProfile, WrongState
from warehouse.files import make_folder, storage_errors
from warehouse.journal import Journal
from warehouse.locks import AdvisoryLocks, FileLocks, Held, Locks, WrongHost
from warehouse.payloads import PayloadArchive
from warehouse.schema import SCHEMA_VERSION
from warehouse.storage import LocalStorage, ObjectStorage, Storage
from warehouse.tables import Tables

PROFILES = ("sandbox", "live", "synthetic")
#: How long a refresh waits for another one of the same dataset, a publish for another publish, an opening for another one.
LEASE_WAIT = 1800.0
PUBLISH_WAIT = 600.0
_OPENING_WAIT = 60.0
#: The stamp that says at which address Iceberg was told that the tables lie (warehouse/settling.py).
TABLES_AT = "tables_at"
#: The object that says that a catalogue on a server keeps its bytes here; a back-up has one, too.
_OWNED = "profile"


@dataclass(frozen=True)
class DatasetFacts:
    """What the warehouse must know of a dataset file; it never reads one itself.

    `description` is kept for pages and questions (title, title_zh, licence, citation, calendar, ...); `equality` says for
    each part when two values are the same number.
    """

    id: str
    file_sha256: str
    description: Mapping[str, Any]
    equality: Mapping[str, Equality] = field(default_factory=dict)


class Warehouse:
    """One profile's store. Opening it for writing creates and stamps it; one of another profile is refused.

    `root` is this machine's folder HOME/<profile>: all of the warehouse in the embedded form; in the server form copies, the
    analysts' file and the pages.
    """

    def __init__(
        self,
        home: Path,
        profile: str,
        *,
        create: bool = True,
        catalog_uri: str | None = None,
        storage_uri: str | None = None,
        host: str | None = None,
        unfinished: bool = False,
    ) -> None:
        """`catalog_uri`: a PostgreSQL instead of SQLite in the folder; `storage_uri`: a bucket instead of the folder.

        `host`: what this machine is called, where its own name will not do; `unfinished`: also one that a restore which was
        cut off left half done (warehouse/rebuild.py begins it again). Raises NoWarehouse (with `create` False), UsageError,
        WrongProfile, StoreUnwritable, StoreUnreachable.
        """
        self.profile = profile
        self.root = _root(home, profile)
        self.host = host or this_host()
        if storage_uri is not None and catalog_uri is None:
            raise UsageError(
                "object storage needs a catalogue on a server, since several hosts may reach it",
                next_step="set FIGUREKEEPER_CATALOG_URI to a PostgreSQL too, or leave FIGUREKEEPER_STORAGE_URI out",
            )
        database = self.root / "catalog.sqlite"
        self.catalog_uri = server.catalogue(catalog_uri, profile) if catalog_uri else f"sqlite:///{database}"
        self.place = server.masked(catalog_uri) if catalog_uri else str(self.root)
        there = server.has_space(self.catalog_uri) if catalog_uri else database.exists()
        if not there and not create:
            raise self._missing()
        try:
            with storage_errors(self.root):
                make_folder(self.root)
        except OSError as problem:
            raise StoreUnwritable(
                f"the folder {self.root} cannot be made: {problem.strerror}",
                next_step="name a folder that can be written in FIGUREKEEPER_HOME",
            ) from problem
        if catalog_uri and not there:
            server.make_space(self.catalog_uri)
        self.engine = ledger.connect(self.catalog_uri)
        space = server.space(profile)
        self.locks: Locks = AdvisoryLocks(self.engine, space) if catalog_uri else FileLocks(self.root / "locks")
        self._leases = _Leases()
        self.storage: Storage = (
            ObjectStorage(storage_uri, profile, self.root / "cache") if storage_uri else LocalStorage(self.root)
        )
        self.tables = Tables(self.storage, self.catalog_uri)
        self.payloads = PayloadArchive(self.storage, "payloads")
        self.attachments = PayloadArchive(self.storage, "journal/attached")
        self.journal = Journal(self.storage, "journal")
        self._stamp(create, self.storage.address("") if catalog_uri else None, unfinished)

    def path(self, name: str) -> Path:
        """A readable local file for a storage name of the ledger."""
        return self.storage.local(name)

    # -- stamps ------------------------------------------------------------------------------------------------------

    def _stamp(self, create: bool, storage: str | None, unfinished: bool) -> None:
        """Stamp a new warehouse; refuse one stamped otherwise. `storage`: the address of the bytes, in the server form."""
        if create:
            # The database cannot create its tables twice at once, and two first refreshes may.
            opening = self.locks.held("opening", wait=_OPENING_WAIT)
            with opening, ledger.transaction(self.engine, self.root) as connection:
                if not _stamps(connection):
                    self._assert_unused()
                    ledger.metadata.create_all(connection)
                    stamps = {"profile": self.profile, "schema_version": str(SCHEMA_VERSION)}
                    stamps[TABLES_AT] = self.storage.address("tables")
                    if storage is not None:
                        self.storage.write(_OWNED, self.profile.encode())  # fails where no bucket is
                        stamps["storage"] = storage
                    ledger.add(connection, ledger.stamps, [{"key": key, "value": stamps[key]} for key in stamps])
        with storage_errors(self.root), self.engine.connect() as connection:
            known = _stamps(connection)
        if not known:
            raise self._missing()
        if known.get("profile") != self.profile:
            raise WrongProfile(
                f"the warehouse in {self.place} is stamped '{known.get('profile')}', not '{self.profile}'",
                next_step="set FIGUREKEEPER_PROFILE to the stamp, or FIGUREKEEPER_HOME to another folder; profiles never mix",
            )
        if (why := known.get("unfinished")) and not unfinished:
            raise WrongState(
                f"the warehouse in {self.place} is not whole: {why}",
                next_step="run the same `figurekeeper restore --from` again: it begins anew",
            )
        version = int(known.get("schema_version", 0))
        if version != SCHEMA_VERSION:
            raise WrongProfile(
                f"the warehouse in {self.place} has schema version {version}, this program {SCHEMA_VERSION}",
                next_step="run `figurekeeper upgrade`; the old folder is kept as a back-up"
                if version < SCHEMA_VERSION
                else "use the version of Figurekeeper that wrote it",
            )
        if known.get("storage") != storage:
            raise UsageError(
                f"the warehouse in {self.place} keeps its bytes in {known.get('storage')}, not in {storage}",
                next_step="set FIGUREKEEPER_STORAGE_URI to that bucket (or, where it is a folder, FIGUREKEEPER_HOME)",
            )

    def _assert_unused(self) -> None:
        """A new catalogue beside the bytes of another one would number, and remove, as if they were its own."""
        where = self.storage.address("")
        if self.journal.segments():
            raise UsageError(
                f"the catalogue in {self.place} is new, but {where} holds a journal",
                next_step="bring that catalogue back, or make the warehouse anew elsewhere: `figurekeeper replay --into DIR` "
                "from that journal, `figurekeeper restore --from DIR` from a back-up",
            )
        if self.storage.exists(_OWNED):
            raise UsageError(
                f"the catalogue in {self.place} is new, but {where} belongs to the {self.storage.read(_OWNED).decode()} "
                "warehouse of another one",
                next_step="set FIGUREKEEPER_STORAGE_URI to another bucket or prefix (in a folder: FIGUREKEEPER_HOME), or, when "
                f"nothing else is left there, remove the object {_OWNED}",
            )

    def _missing(self) -> NoWarehouse:
        return NoWarehouse(
            f"there is no warehouse in {self.place}",
            next_step="run `make run` (or `figurekeeper refresh DATASET`) first, or set FIGUREKEEPER_HOME and "
            "FIGUREKEEPER_PROFILE to where one is",
        )

    # -- hosts -------------------------------------------------------------------------------------------------------

    def take_over(self) -> str | None:
        """Let this host write from now on; returns the one that did before. Only when that one is gone for good."""
        opening = self.locks.held("opening", wait=_OPENING_WAIT)
        with opening, ledger.transaction(self.engine, self.root) as connection:
            before = ledger.stamped(connection, "host")
            ledger.stamp(connection, "host", self.host)
        return before

    def _check_host(self) -> None:
        """A folder is written by one host: locks on it end there. Buckets, with leases on a server, by any."""
        if isinstance(self.storage, ObjectStorage):
            return
        with storage_errors(self.root), self.engine.connect() as connection:
            writer = ledger.stamped(connection, "host")
        if writer is None:
            self.take_over()
        elif writer != self.host:
            raise WrongHost(
                f"the warehouse in {self.place} is written by host {writer}; this one, {self.host}, may only read it",
                next_step="use the server form (FIGUREKEEPER_CATALOG_URI and FIGUREKEEPER_STORAGE_URI), or, when the other "
                "host is gone for good, run `figurekeeper maintain --take-over`; a machine that changes its name sets "
                "FIGUREKEEPER_HOST",
            )

    # -- leases ------------------------------------------------------------------------------------------------------

    @contextmanager
    def lease(
        self, dataset: str, *, wait: float = LEASE_WAIT, note: Callable[[str], None] | None = None
    ) -> Iterator[None]:
        """The right to refresh or decide on one dataset. Raises locks.Busy when the wait is over, locks.WrongHost."""
        with self._holding(dataset, wait, note):
            yield

    @contextmanager
    def publish_lock(self) -> Iterator[None]:
        """The short lock from the table commit to the edition row. Raises locks.Busy, locks.WrongHost."""
        with self._holding("publish", PUBLISH_WAIT, None):
            yield

    def assert_held(self) -> None:
        """To be called at the end of a transaction that only the holder of this thread's leases may commit.

        Raises locks.LeaseLost when one of them was lost meanwhile.
        """
        for held in self._leases.held:
            held.assert_held()

    @contextmanager
    def _holding(self, name: str, wait: float, note: Callable[[str], None] | None) -> Iterator[None]:
        self._check_host()
        with self.locks.held(name, wait=wait, note=note) as held:
            self._leases.held.append(held)
            try:
                yield
            finally:
                self._leases.held.remove(held)


class _Leases(threading.local):
    """What each thread holds."""

    def __init__(self) -> None:
        self.held: list[Held] = []


def this_host() -> str:
    """What tells this machine from others: a hash of its machine id where it has one, else its name."""
    for file in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with suppress(OSError):
            if known := file.read_text(encoding="ascii").strip():
                return f"machine-{hashlib.sha256(f'figurekeeper {known}'.encode()).hexdigest()[:12]}"
    return socket.gethostname()


def _stamps(connection: Connection) -> dict[str, str]:
    if not inspect(connection).has_table(ledger.stamps.name):
        return {}
    return dict(connection.execute(select(ledger.stamps.c.key, ledger.stamps.c.value)).tuples().all())


def _root(home: Path, profile: str) -> Path:
    """HOME/<profile>, absolute. Raises UsageError for an unknown profile or a name that tools would misread."""
    if profile not in PROFILES:
        raise UsageError(f"'{profile}' is no profile", next_step=f"choose one of {', '.join(PROFILES)}")
    if set("*?[]#") & set(str(home.resolve())):
        raise UsageError(
            f"{home.resolve()} has one of * ? [ ] # in its name, which mean something else in file patterns and addresses",
            next_step="set FIGUREKEEPER_HOME to a folder without them",
        )
    return (home / profile).resolve()
