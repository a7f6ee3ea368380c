"""From an older schema version to this one: a replay of the old journal beside the old folder, which then changes places with it.

Belongs here: what the version-1 ledger knew and its journal did not tell, the comparison of the answers before and after, and
the change of places. How a journal is carried out again is in warehouse/replay.py. Version 1 had the embedded form alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import MetaData, Table, select
from sqlalchemy.engine import Engine

from warehouse import ledger, line, publish, records
from warehouse.archived import Parsers
from warehouse.compare import compare
from warehouse.contents import Content, read_vintage
from warehouse.errors import UsageError, WarehouseError
from warehouse.files import exchange, fsync_path
from warehouse.locks import FileLocks
from warehouse.rebuild import build, building, settled
from warehouse.replay import Replayed, carry
from warehouse.schema import PARSED, SCHEMA_VERSION, SERIES
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse
from warehouse.truth import Progress, Truth

Row = Mapping[str, Any]
_OLD = "1"
#: Made anew, or told by the truth; all else in the folder (quota, inbox, Prefect's home) is taken along.
_OURS = (
    "catalog.sqlite",
    "indicators.duckdb",
    "tables",
    "payloads",
    "journal",
    "locks",
    "pages",
    "cache",
    "charts",
    "service.lock",
)


class AnswersChanged(WarehouseError):
    """The new folder answers otherwise than the old one; nothing was put in its place."""


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did. `unfinished`: batches that had not ended, which no journal tells of; `changed`: answers that differ
    (rows: dataset, part, as_of, before, after: the vintages' known_from), accepted by the caller."""

    replayed: Replayed
    old_folder: Path
    unfinished: list[str]
    changed: list[dict[str, Any]]


def upgrade(
    home: Path, profile: str, parsers: Parsers, *, accept: bool = False, progress: Progress | None = None
) -> Upgraded:
    """Bring HOME/<profile> to this schema version; the old folder stays beside it as <profile>.version-1.

    `accept`: also when answers change. Raises UsageError when there is nothing to upgrade, Busy while somebody works with the
    folder, AnswersChanged, and what a replay raises; the old folder is then as it was.
    """
    root = home.resolve() / profile
    kept = root.with_name(f"{profile}.version-{_OLD}")
    with _opened(root) as old, _alone(root, old), building(home, profile) as yard:
        if kept.exists():
            raise UsageError(
                f"{kept} exists already, of an earlier upgrade or of one that was cut off",
                next_step="move it away, and run the upgrade again",
            )
        changed: list[dict[str, Any]] = []

        def finish(new: Warehouse) -> None:
            _carry_over(old, new)
            changed.extend(changed_answers(root, old, new))

        done = build(LocalStorage(root), yard, profile, parsers, owed=_owed(old), finish=finish, progress=progress)
        if changed and not accept:
            raise _changed(changed)
        for path in root.iterdir():
            if not path.name.startswith(_OURS):
                (shutil.copytree if path.is_dir() else shutil.copy2)(path, yard / profile / path.name)
        unfinished = _unfinished(old)
        _change_places(yard / profile, root, kept)
    settled(home, profile)
    return Upgraded(done, kept, unfinished, changed)


def up_to_date(home: Path, profile: str) -> bool:
    """True when HOME/<profile> has this schema version already. Raises UsageError when no warehouse is there."""
    with _ledger(home.resolve() / profile) as old:
        return old.version == str(SCHEMA_VERSION)


@contextmanager
def _ledger(root: Path) -> Iterator[_Old]:
    """The ledger of a folder, of whatever version. Raises UsageError when there is none."""
    database = root / "catalog.sqlite"
    if not database.exists():
        raise UsageError(f"there is no warehouse in {root}", next_step="set FIGUREKEEPER_HOME to where one is")
    engine = ledger.connect(f"sqlite:///{database}")
    try:
        metadata = MetaData()
        metadata.reflect(engine, only=lambda name, _: not name.startswith("iceberg_"))
        yield _Old(engine, metadata)
    finally:
        engine.dispose()


@contextmanager
def _opened(root: Path) -> Iterator[_Old]:
    """The ledger of an older folder. Raises UsageError when there is none."""
    with _ledger(root) as old:
        if old.version != _OLD:
            newer = old.version == str(SCHEMA_VERSION)
            raise UsageError(
                f"the warehouse in {root} has schema version {old.version}; only version {_OLD} can be brought to "
                f"{SCHEMA_VERSION}",
                next_step="nothing: it is up to date" if newer else "use the Figurekeeper version that wrote it",
            )
        yield old


@dataclass(frozen=True)
class _Old:
    """The tables of an older ledger, as they are."""

    engine: Engine
    metadata: MetaData

    @property
    def version(self) -> str | None:
        """Its schema version."""
        return {row["key"]: row["value"] for row in self.rows("stamp")}.get("schema_version")

    def table(self, name: str) -> Table:
        return self.metadata.tables[name]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows, in the order of their keys."""
        table = self.table(name)
        with self.engine.connect() as connection:
            found = connection.execute(select(table).order_by(*table.primary_key)).mappings().all()
        return [dict(row) for row in found]


@contextmanager
def _alone(root: Path, old: _Old) -> Iterator[None]:
    """Nobody refreshes, publishes or runs the service. Raises Busy."""
    names = sorted({"publish", *(row["dataset"] for row in old.rows("datasets"))})
    with ExitStack() as stack:
        stack.enter_context(FileLocks(root).held("service", wait=0.0))
        for name in names:
            stack.enter_context(FileLocks(root / "locks").held(name, wait=0.0))
        yield


def _owed(old: _Old) -> list[tuple[int, str, dict[str, Any]]]:
    """Entries that had not reached the journal yet."""
    return [(row["number"], row["kind"], row["body"]) for row in old.rows("journal_outbox")]


def _unfinished(old: _Old) -> list[str]:
    return [row["batch_id"] for row in old.rows("batches") if row["state"] != "done"]


def _carry_over(old: _Old, new: Warehouse) -> None:
    """Write what only the old ledger knew into the new one, and into its journal, so that the next replay knows it too."""
    checks: dict[str, list[dict[str, Any]]] = {}
    for row in old.rows("check_results"):
        checks.setdefault(row.pop("batch_id"), []).append(row)
    counted = ("incident", "occurrences", "last_at", "text")
    began = ("batch_id", "actor", "run_id")
    with ledger.transaction(new.engine, new.root) as connection:
        edition = line.newest_edition(connection)
        digest = select(ledger.editions.c.digest).where(ledger.editions.c.edition == edition)
        body = {
            "version": _OLD,
            "checks": {batch: records.attach(new.attachments, rows) for batch, rows in checks.items()},
            "incidents": [{name: row[name] for name in counted} for row in old.rows("incidents")],
            "notices": old.rows("notices"),
            "batches": [{name: row[name] for name in began} for row in old.rows("batches") if row["state"] == "done"],
            "edition": edition,
            "digest": connection.execute(digest).scalar_one_or_none(),
        }
        carry(connection, Truth(new.storage), body)
        ledger.owe(connection, "carried", body)
    publish.flush_journal(new)


def changed_answers(root: Path, old: _Old, new: Warehouse) -> list[dict[str, Any]]:
    """Every part and moment at which the newest edition of the old folder says something else than the new one.

    The moments are those at which something became known to either; equal means what the dataset file says.
    """
    changed = []
    for (dataset, part), events in _timeline(old).items():
        with new.engine.connect() as connection:
            stands = line.visible(connection, dataset, part)
            rule = line.equality(connection, dataset, part)
        moments = sorted({at for at, _ in events} | {row["known_from"] for row in stands})
        same: dict[tuple[str, str], bool] = {}
        for moment in moments:
            before = next((row for at, row in reversed(events) if at <= moment), None)
            after = next((row for row in reversed(stands) if row["known_from"] <= moment), None)
            if before is not None and after is not None:
                pair = before["vintage_id"], after["vintage_id"]
                if pair not in same:
                    contents = _old_content(root, before), read_vintage(new, after)
                    same[pair] = not compare(pair[0], *contents[0], *contents[1], rule).material
                if same[pair]:
                    continue
            told = [row["known_from"] if row is not None else None for row in (before, after)]
            changed.append({"dataset": dataset, "part": part, "as_of": moment, "before": told[0], "after": told[1]})
    return changed


def _timeline(old: _Old) -> dict[tuple[str, str], list[tuple[str, Row]]]:
    """For each part what version 1 held to be known when, in its order: vintages, and readings that confirmed them."""
    shown = {
        (row["dataset"], row["part"], row["vintage_id"]): row
        for row in old.rows("vintages")
        if row["published_in"] is not None and row["voided_in"] is None
    }
    events = [(row["known_from"], row["fetched_at"], row["sha256"], key) for key, row in shown.items()]
    for row in old.rows("confirmations"):
        key = row["dataset"], row["part"], row["vintage_id"]
        if key in shown:
            events.append((row["at"], row["fetched_at"], row["sha256"], key))
    lines: dict[tuple[str, str], list[tuple[str, Row]]] = {}
    for at, _, _, key in sorted(events):
        lines.setdefault(key[:2], []).append((at, shown[key]))
    return lines


def _old_content(root: Path, row: Row) -> Content:
    observations = pq.read_table(root / row["observations_file"], columns=PARSED.names, partitioning=None)
    series = pq.read_table(root / row["series_file"], columns=SERIES.names, partitioning=None)
    return Content(observations.cast(PARSED), series.cast(SERIES))


def _changed(rows: list[dict[str, Any]]) -> AnswersChanged:
    first = "; ".join(f"{r['dataset']} {r['part']} as of {r['as_of']}: {r['before']} → {r['after']}" for r in rows[:5])
    return AnswersChanged(
        f"{len(rows)} answers would change, such as {first}; nothing was put in place",
        next_step="look at them, and run `figurekeeper upgrade --accept` when the new answers are right",
    )


def _change_places(new: Path, root: Path, kept: Path) -> None:
    """Put the new folder in the old one's place, at one moment; the old one then is `kept`."""
    new.rename(kept)
    try:
        exchange(kept, root)
    except OSError:
        kept.rename(new)
        raise
    fsync_path(root.parent)
