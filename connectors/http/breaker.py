"""Whether a provider may be asked at all: after a refusal it is left alone for a while, by all processes and hosts.

Belongs here: when a provider is paused, for how long, and who makes the one trial afterwards; one row for each provider and
base address (and one for its structures, where it counts them apart), in a file beside the quota's or in the same
PostgreSQL. Does not belong here: quotas (quota.py), retries and HTTP (transport.py). pybreaker would keep such a state in
memory or Redis, with one pause for every cause and as many trials as there are processes; here pauses differ by provider,
double, and one trial is made by all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine, RowMapping
from sqlalchemy.schema import CreateTable

from connectors.errors import Blocked, NotAsked, ProviderError, ProviderPaused, ServerFault, Throttled, Unreachable
from connectors.http.quota import LIVE
from warehouse import ledger, server
from warehouse.clock import from_text, to_text
from warehouse.files import make_folder, storage_errors

Row = dict[str, Any]

#: How long a provider is left alone at first. The OECD names no duration of its blocks; the portal of NBS blocks for ten to
#: thirty minutes.
PAUSES: Final[dict[str, timedelta]] = {
    "oecd": timedelta(minutes=15),
    "worldbank": timedelta(minutes=15),
    "nbs": timedelta(minutes=30),
}
#: For servers on this machine: the same code path, and a pause that a person can wait for.
LOCAL: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(hours=6)
#: One that asks for still more time is asked once a day.
AT_MOST: Final = timedelta(days=1)
#: So many requests in a row that end in Unreachable or ServerFault are the provider's trouble, not a part's.
IN_A_ROW: Final = 3
#: A trial whose process died does not keep the others waiting for longer.
TRIAL: Final = timedelta(minutes=10)
_FORGOTTEN: Final = timedelta(days=7)
_RECORD: Final = "the record of paused providers"

_metadata = MetaData()
_pauses = Table(
    "provider_pauses",
    _metadata,
    Column("provider", String, primary_key=True),
    Column("address", String, primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("failed_at", String, nullable=False),  # the last of them
    Column("why", String, nullable=False),
    Column("since", String),  # None while it may be asked
    Column("until", String),
    Column("seconds", Float, nullable=False),  # the length of the pause
    Column("trial_until", String),  # somebody makes the trial
)


class Breaker:
    """The state of one provider at one base address, shared by all that name the same place."""

    def __init__(
        self,
        place: Path | str | None,
        provider: str,
        address: str,
        *,
        profile: str = "live",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`place`: where connectors.http.quota.Quota counts; None: for this object alone. Profiles but `live` pause briefly."""
        self.provider = provider
        self._pause = PAUSES[provider] if profile == "live" else LOCAL
        self._clock = clock
        self._engine = _engine(place)
        self._mine = (_pauses.c.provider == provider) & (_pauses.c.address == address)
        self._key = {"provider": provider, "address": address}
        self._trial = False
        self._failed_before = False
        self._above: Breaker | None = None

    def for_structures(self) -> Breaker:
        """Where the provider counts structures apart: of requests for these alone, whose refusals do not pause the data; it
        lets nothing through while the data are paused. Else this one. Closed with this one."""
        if "structure" not in LIVE[self.provider]:
            return self
        other = copy(self)
        other._key = self._key | {"address": f"{self._key['address']} (structures)"}
        other._mine = (_pauses.c.provider == self.provider) & (_pauses.c.address == other._key["address"])
        other._trial = other._failed_before = False
        other._above = self
        return other

    def admit(self) -> None:
        """Let one request through, or raise ProviderPaused.

        After a pause the first to ask makes the trial; the others are refused until it has settled.
        """
        if self._above is not None and (above := self._above._read()) is not None and above["until"] is not None:
            raise self._paused(above)
        row = self._read()
        self._failed_before = row is not None
        if row is None or row["until"] is None:
            return
        if from_text(row["until"]) > self._clock():
            raise self._paused(row)
        with self._row() as (connection, newest):
            self._begin_trial(connection, newest)

    def settle(self, error: ProviderError | None) -> None:
        """Learn how an admitted request ended; any answer of the provider that concerns one part alone is a good sign."""
        if isinstance(error, NotAsked):
            self._give_back()
        elif isinstance(error, (Blocked, Throttled, Unreachable, ServerFault)):
            with self._row() as (connection, row):
                self._count(connection, row, error)
        elif self._failed_before:
            with storage_errors(_RECORD), self._engine.begin() as connection:
                open_still = () if self._trial else (_pauses.c.until.is_(None),)
                connection.execute(delete(_pauses).where(self._mine, *open_still))
        self._trial = False

    def close(self) -> None:
        """Close the file or the connections; the state stays."""
        self._engine.dispose()

    def _read(self) -> RowMapping | None:
        with storage_errors(_RECORD), self._engine.connect() as connection:
            return connection.execute(select(_pauses).where(self._mine)).mappings().one_or_none()

    def _begin_trial(self, connection: Connection, row: RowMapping) -> None:
        now = self._clock()
        if row["until"] is None:
            return
        if from_text(row["until"]) > now or (row["trial_until"] and from_text(row["trial_until"]) > now):
            raise self._paused(row)
        connection.execute(update(_pauses).where(self._mine).values(trial_until=to_text(now + TRIAL)))
        self._trial = True

    def _give_back(self) -> None:
        if self._trial:
            with storage_errors(_RECORD), self._engine.begin() as connection:
                connection.execute(update(_pauses).where(self._mine).values(trial_until=None))

    def _count(self, connection: Connection, row: RowMapping, error: ProviderError) -> None:
        """One more failure. A refusal, the third failure in a row, or a failed trial begins a pause; what was under way when
        one began does not count."""
        paused, now = row["until"] is not None, self._clock()
        if paused and not self._trial:
            return
        failures = row["failures"] + 1
        values: Row = {"failures": failures, "failed_at": to_text(now), "why": error.what}
        if paused or isinstance(error, (Blocked, Throttled)) or failures >= IN_A_ROW:
            length = min(2 * timedelta(seconds=row["seconds"]), LONGEST) if paused else self._pause
            if isinstance(error, Throttled) and error.retry_after is not None:
                length = max(length, min(timedelta(seconds=error.retry_after), AT_MOST))
            values |= {"since": row["since"] or to_text(now), "until": to_text(now + length)}
            values |= {"seconds": length.total_seconds(), "trial_until": None}
        connection.execute(update(_pauses).where(self._mine).values(values))
        connection.execute(delete(_pauses).where(_pauses.c.failed_at < to_text(now - _FORGOTTEN)))

    def _paused(self, row: RowMapping) -> ProviderPaused:
        since, until = from_text(row["since"]), from_text(row["until"])
        again = f"after {until:%Y-%m-%d %H:%M:%S} UTC" if until > self._clock() else "in a minute: a trial is under way"
        return ProviderPaused(
            f"not asked: {self.provider} is left alone since {since:%Y-%m-%d %H:%M:%S} UTC, because {row['why']}",
            next_step=f"run the refresh again {again}; nothing was sent, and the last good data keep serving",
        )

    @contextmanager
    def _row(self) -> Iterator[tuple[Connection, RowMapping]]:
        """This provider's row, made when there is none; nobody else changes it meanwhile."""
        new = {**self._key, "failures": 0, "failed_at": to_text(self._clock()), "why": "", "seconds": 0.0}
        make = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        with storage_errors(_RECORD), self._engine.begin() as connection:
            connection.execute(make(_pauses).values(new).on_conflict_do_nothing())
            yield connection, connection.execute(select(_pauses).where(self._mine).with_for_update()).mappings().one()


def paused(place: Path | str) -> list[Row]:
    """The providers that are left alone now. Keys: provider, address, since, until (UTC), why."""
    if isinstance(place, Path) and not _file(place).exists():
        return []
    engine = _engine(place)
    columns = [_pauses.c[name] for name in ("provider", "address", "since", "until", "why")]
    now = to_text(datetime.now(UTC))
    try:
        with storage_errors(_RECORD), engine.connect() as connection:
            rows = connection.execute(select(*columns).where(_pauses.c.until > now).order_by(*columns[:2]))
            return [dict(row) for row in rows.mappings()]
    finally:
        engine.dispose()


def _file(quota: Path) -> Path:
    return quota.with_name("paused.sqlite")


def _engine(place: Path | str | None) -> Engine:
    """An engine on the place, with the table in it; two that make it at once do no harm."""
    if isinstance(place, str):
        server.make_space(place)
    elif place is not None:
        make_folder(place.parent)
    address = place if isinstance(place, str) else f"sqlite:///{_file(place)}" if place else "sqlite://"
    engine = ledger.connect(address)
    with storage_errors(_RECORD), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("figurekeeper"))))
        connection.execute(CreateTable(_pauses, if_not_exists=True))
    return engine
