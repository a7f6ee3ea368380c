"""What the pages tell of an edition's datasets: vintages with the bytes behind them, checks, freshness, the newest periods.

Belongs here: reading the ledger as it stood with one edition, so that the same edition always gives the same rows. Does not
belong here: the papers, and how a page looks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, func, select

from warehouse import ledger, line
from warehouse.arrange import COUNTS
from warehouse.scratch import scratch
from warehouse.store import Warehouse

Row = dict[str, Any]
_VINTAGE = (
    *("vintage_id", "dataset", "part", "known_from", "precision", "basis", "stamp", "fetched_at", "batch_id", "scope"),
    *("predecessor_id", "published_in", "observations", *COUNTS),
)
#: How many of the newest editions are told, of all datasets and of one.
_EDITIONS = 12


@dataclass(frozen=True)
class Shelf:
    """An edition (its number, citable id, the moment it was made) and everything the ledger says of it."""

    warehouse: Warehouse
    edition: int
    id: str
    at: str

    @cached_property
    def vintages(self) -> dict[str, Row]:
        """Every vintage that stands, by id and in known order: columns of the ledger, `day`, and `payloads`, the answers that
        were read for it (method, url, body, status, fetched_at, sha256)."""
        with self.warehouse.engine.connect() as connection:
            rows = line.visible(connection, edition=self.edition)
            answers = _payloads(connection)
        return {
            row["vintage_id"]: {
                **{name: row[name] for name in _VINTAGE},
                "day": row["known_from"][:10],
                "payloads": answers.get((row["batch_id"], row["part"]), []),
            }
            for row in rows
        }

    @cached_property
    def datasets(self) -> dict[str, Row]:
        """What is held of each dataset, by id: title, title_zh, licence, citation, calendar, parts (id → label, label_zh,
        unit), looked (the last reading by then), counts, editions, checks of its last publish."""
        with self.warehouse.engine.connect() as connection:
            described = connection.execute(select(ledger.datasets).order_by(ledger.datasets.c.dataset)).mappings().all()
            held = {row["dataset"] for row in self.vintages.values()}
            return {
                row["dataset"]: self._dataset(connection, row["dataset"], row["description"])
                for row in described
                if row["dataset"] in held
            }

    @cached_property
    def changed(self) -> list[Row]:
        """The newest editions up to this one: edition, at, decision, dataset, batch, begun (vintages) and counts of cells."""
        with self.warehouse.engine.connect() as connection:
            return self._editions(connection, None)

    @cached_property
    def newest(self) -> dict[str, list[Row]]:
        """By dataset, for each part: its newest period, how many series have a value in it and in the one before, and the
        status flags of the newest. Months and quarters count as periods of their own."""
        last = {(row["dataset"], row["part"]): row["vintage_id"] for row in self.vintages.values()}
        with self.warehouse.engine.connect() as connection:
            files = {
                row["vintage_id"]: str(self.warehouse.path(row["observations_file"]))
                for row in line.visible(connection, edition=self.edition)
                if row["vintage_id"] in set(last.values())
            }
        if not files:
            return {}
        found: dict[str, list[Row]] = defaultdict(list)
        for (dataset, part), told in zip(
            sorted(last), _newest(files, [last[key] for key in sorted(last)]), strict=True
        ):
            found[dataset].append({"part": part, **told})
        return found

    def _dataset(self, connection: Connection, name: str, about: Mapping[str, Any]) -> Row:
        mine = [row for row in self.vintages.values() if row["dataset"] == name]
        parts = sorted({row["part"] for row in mine})
        looked = max(line.last_look(connection, name, part, edition=self.edition) or "" for part in parts)
        editions = self._editions(connection, name)
        newest = {row["part"]: row for row in mine}
        return {
            "dataset": name,
            **{key: about.get(key) for key in ("title", "title_zh", "licence", "citation", "calendar", "status")},
            "parts": {part["id"]: part for part in about.get("parts", ())},
            "looked": looked,
            "vintages": len(mine),
            "observations": sum(row["observations"] for row in newest.values()),
            "revised": sum(row["revised"] for row in mine),
            "editions": editions,
            "checks": _checks(connection, editions[0]["batch"]) if editions else [],
        }

    def _editions(self, connection: Connection, dataset: str | None) -> list[Row]:
        columns, standing = ledger.editions.c, ledger.line.c
        query = select(ledger.editions, ledger.batches.c.dataset).join(
            ledger.batches, ledger.batches.c.batch_id == columns.batch_id
        )
        if dataset is not None:
            query = query.where(ledger.batches.c.dataset == dataset)
        query = query.where(columns.edition <= self.edition).order_by(columns.edition.desc()).limit(_EDITIONS)
        rows = connection.execute(query).mappings().all()
        sums = [func.coalesce(func.sum(standing[name]), 0).label(name) for name in COUNTS]
        counted = select(standing.published_in, func.count().label("begun"), *sums)
        counted = counted.where(standing.published_in.in_([row["edition"] for row in rows]))
        counts = {row.published_in: row for row in connection.execute(counted.group_by(standing.published_in))}
        return [
            {
                **{name: row[name] for name in ("edition", "at", "decision", "dataset")},
                "batch": row["batch_id"],
                **{name: int(getattr(counts.get(row["edition"]), name, 0)) for name in ("begun", *COUNTS)},
            }
            for row in rows
        ]


def shelf(warehouse: Warehouse, asked: int | str | None = None) -> Shelf | None:
    """An edition by number or citable id, the newest for None; None before the first publish. Raises UsageError."""
    with warehouse.engine.connect() as connection:
        if asked is None and not line.newest_edition(connection):
            return None
        number = line.edition(connection, warehouse.profile, asked)
        columns = ledger.editions.c
        row = connection.execute(select(columns.digest, columns.at).where(columns.edition == number)).one()
    return Shelf(warehouse, number, line.edition_id(warehouse.profile, number, row.digest), row.at)


def _payloads(connection: Connection) -> dict[tuple[str, str], list[Row]]:
    columns = ledger.payloads.c
    names = ("method", "url", "body", "status", "fetched_at", "sha256")
    query = select(columns.batch_id, columns.part, *(columns[name] for name in names)).order_by(
        columns.batch_id, columns.number
    )
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["batch_id"], row["part"]].append({name: row[name] for name in names})
    return found


def _checks(connection: Connection, batch: str) -> list[Row]:
    """The checks of a batch by rule: rule, severity, parts, examined, failed and accepted (how many), observed."""
    columns = ledger.check_results.c
    found: dict[str, Row] = {}
    query = select(ledger.check_results).where(columns.batch_id == batch).order_by(columns.number)
    for row in connection.execute(query).mappings():
        told = found.setdefault(
            row["rule"],
            {
                "rule": row["rule"],
                "severity": row["severity"],
                "parts": 0,
                "examined": 0,
                "failed": 0,
                "accepted": 0,
                "observed": [],
            },
        )
        told["parts"] += 1
        told["examined"] += row["examined"]
        if not row["success"]:
            told["accepted" if row["accepted"] else "failed"] += 1
            told["observed"].append(f"{row['part']}: {row['observed']}" if row["part"] else row["observed"])
    return sorted(found.values(), key=lambda row: (-row["failed"], -row["accepted"], row["rule"]))


def _newest(files: Mapping[str, str], vintages: list[str]) -> list[Row]:
    """One row a vintage, in their order."""
    query = """
        with held as (
            select vintage_id, period, count(value) as filled,
                   count(*) filter (value is not null and status <> '') as flagged,
                   string_agg(distinct status, ', ' order by status) filter (value is not null and status <> '') as flags
            from read_parquet($files, hive_partitioning=false)
            where vintage_id in (select unnest($vintages)) group by all having count(value) > 0)
        select vintage_id, last(period order by period) as period, last(filled order by period) as filled,
               lag as before, last(flagged order by period) as flagged, last(flags order by period) as flags
        from (select *, lag(filled) over (partition by vintage_id order by period) as lag,
                     row_number() over (partition by vintage_id order by period desc) as place from held)
        where place = 1 group by vintage_id, lag"""
    with scratch() as database:
        rows = database.execute(query, {"files": sorted(set(files.values())), "vintages": vintages}).fetchall()
    names = ("period", "filled", "before", "flagged", "flags")
    told = {vintage: dict(zip(names, rest, strict=True)) for vintage, *rest in rows}
    return [told.get(vintage, dict.fromkeys(names)) for vintage in vintages]
