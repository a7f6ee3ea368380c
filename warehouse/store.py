"""A warehouse folder: HOME/<profile>/ with catalogue, tables, payloads, journal, locks; opened, stamped, and asked for vintages.

Belongs here: opening and stamping, leases, and the visible vintages of a part in known order. How a batch becomes visible is in
warehouse/publish.py, what analysts ask is in warehouse/questions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.engine import RowMapping

from warehouse import ledger, locks
from warehouse.compare import Equality
from warehouse.errors import UsageError, WrongProfile
from warehouse.files import storage_errors
from warehouse.journal import Journal
from warehouse.payloads import PayloadArchive
from warehouse.schema import SCHEMA_VERSION
from warehouse.tables import Tables

PROFILES = ("sandbox", "live", "synthetic")
#: How long a refresh waits for another one of the same dataset, and a publish for another publish.
LEASE_WAIT = 1800.0
PUBLISH_WAIT = 600.0


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


@dataclass(frozen=True, order=True)
class Event:
    """A moment at which a state of a part is known to have been public: a vintage's own, or a reading that confirmed it.

    Ordered by time, then fetch time, then sha256; never by the time of loading.
    """

    at: str
    fetched_at: str
    sha256: str
    vintage: RowMapping = field(compare=False)


def order_of(vintage: RowMapping) -> tuple[str, str, str]:
    """The order of vintages: known_from, then fetch time, then sha256; never the time of loading."""
    return vintage["known_from"], vintage["fetched_at"], vintage["sha256"]


class Warehouse:
    """One profile's store. Opening creates the folder and stamps it; a folder of another profile is refused."""

    def __init__(self, home: Path, profile: str, *, create: bool = True) -> None:
        if profile not in PROFILES:
            raise UsageError(f"'{profile}' is no profile", next_step=f"choose one of {', '.join(PROFILES)}")
        if set("*?[]#") & set(str(home.resolve())):
            raise UsageError(
                f"{home.resolve()} has one of * ? [ ] # in its name, which mean something else in file patterns and addresses",
                next_step="set FIGUREKEEPER_HOME to a folder without them",
            )
        self.profile = profile
        self.root = (home / profile).resolve()
        self.database = self.root / "catalog.sqlite"
        if not create and not self.database.exists():
            raise UsageError(
                f"there is no warehouse in {self.root}",
                next_step="run `make run` (or `figurekeeper refresh DATASET`) first, or set FIGUREKEEPER_HOME and "
                "FIGUREKEEPER_PROFILE to where one is",
            )
        with storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{self.database}"
        self.engine = ledger.connect(uri)
        self.tables = Tables(self.root, uri)
        self.payloads = PayloadArchive(self.root / "payloads")
        self.journal = Journal(self.root / "journal" / "journal.jsonl")
        self._stamp(create)

    def _stamp(self, create: bool) -> None:
        if create:
            # The database cannot create its tables twice at once, and two first refreshes may.
            opening = locks.held(self.root / "locks", "opening", wait=60.0)
            with opening, ledger.transaction(self.engine, self.root) as connection:
                ledger.metadata.create_all(connection)
                known = dict(connection.execute(select(ledger.stamps.c.key, ledger.stamps.c.value)).tuples().all())
                if not known:
                    known = {"profile": self.profile, "schema_version": str(SCHEMA_VERSION)}
                    rows = [{"key": key, "value": value} for key, value in known.items()]
                    ledger.add(connection, ledger.stamps, rows)
        else:
            with self.engine.connect() as connection:
                known = dict(connection.execute(select(ledger.stamps.c.key, ledger.stamps.c.value)).tuples().all())
        if known.get("profile") != self.profile:
            raise WrongProfile(
                f"the warehouse in {self.root} is stamped '{known.get('profile')}', not '{self.profile}'",
                next_step="set FIGUREKEEPER_PROFILE to the stamp, or FIGUREKEEPER_HOME to another folder; profiles never mix",
            )
        if known.get("schema_version") != str(SCHEMA_VERSION):
            raise WrongProfile(
                f"the warehouse in {self.root} has schema version {known.get('schema_version')}, this program {SCHEMA_VERSION}",
                next_step="use the Figurekeeper version that wrote it",
            )

    # -- leases ------------------------------------------------------------------------------------------------------

    @contextmanager
    def lease(
        self, dataset: str, *, wait: float = LEASE_WAIT, note: Callable[[str], None] | None = None
    ) -> Iterator[None]:
        """The right to refresh or decide on one dataset. Raises locks.Busy when the wait is over."""
        with locks.held(self.root / "locks", dataset, wait=wait, note=note):
            yield

    @contextmanager
    def publish_lock(self) -> Iterator[None]:
        """The short lock from the table commit to the edition row."""
        with locks.held(self.root / "locks", "publish", wait=PUBLISH_WAIT):
            yield

    # -- vintages ----------------------------------------------------------------------------------------------------

    def edition(self, connection: Connection) -> int:
        """The newest edition; 0 before the first publish."""
        return int(connection.execute(select(func.coalesce(func.max(ledger.editions.c.edition), 0))).scalar_one())

    def visible(
        self,
        connection: Connection,
        dataset: str | None = None,
        part: str | None = None,
        *,
        edition: int | None = None,
    ) -> list[RowMapping]:
        """Vintages visible in an edition (None: the newest), in known order."""
        at = self.edition(connection) if edition is None else edition
        columns = ledger.vintages.c
        query = select(ledger.vintages).where(
            and_(columns.published_in <= at, or_(columns.voided_in.is_(None), columns.voided_in > at))
        )
        if dataset is not None:
            query = query.where(columns.dataset == dataset)
        if part is not None:
            query = query.where(columns.part == part)
        return sorted(connection.execute(query).mappings().all(), key=order_of)

    def timeline(
        self, connection: Connection, dataset: str | None = None, part: str | None = None, *, edition: int | None = None
    ) -> dict[tuple[str, str], list[Event]]:
        """For each (dataset, part), its events in order: the last one up to a day answers "as of" that day.

        A vintage that came back, or was found unchanged after another one is loaded late, stands here more than once.
        """
        at = self.edition(connection) if edition is None else edition
        events: dict[tuple[str, str], list[Event]] = {}
        shown: dict[tuple[str, str, str], RowMapping] = {}
        for row in self.visible(connection, dataset, part, edition=at):
            shown[row["dataset"], row["part"], row["vintage_id"]] = row
            events.setdefault((row["dataset"], row["part"]), []).append(Event(*order_of(row), row))
        columns = ledger.confirmations.c
        query = select(ledger.confirmations).where(columns.recorded_in <= at)
        query = query if dataset is None else query.where(columns.dataset == dataset)
        query = query if part is None else query.where(columns.part == part)
        for row in connection.execute(query).mappings():
            vintage = shown.get((row["dataset"], row["part"], row["vintage_id"]))
            if vintage is not None:
                event = Event(row["at"], row["fetched_at"], row["sha256"], vintage)
                events[row["dataset"], row["part"]].append(event)
        return {key: sorted(line) for key, line in events.items()}

    def newest(
        self, connection: Connection, dataset: str | None = None, *, edition: int | None = None
    ) -> list[RowMapping]:
        """The vintage of each part that is the latest known."""
        return [line[-1].vintage for _, line in sorted(self.timeline(connection, dataset, edition=edition).items())]

    def path(self, relative: str) -> Path:
        """A file named in the ledger."""
        return self.root / relative
