"""From a number to the bytes it came from: vintage, batch, checks, request, payload; and the lists of batches and datasets.

Belongs here: reading the ledger for people who must cite or decide. The values themselves are in warehouse/questions.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Connection, func, select

from warehouse import clock, ledger, line
from warehouse.arrange import COUNTS
from warehouse.errors import UsageError
from warehouse.publish import read_batch
from warehouse.questions import Row, find, line_of, values
from warehouse.schema import Decision
from warehouse.store import Warehouse

#: Decisions after which the data held are known to be what the provider says.
GOOD = (
    Decision.UNCHANGED.value,
    Decision.PUBLISHED.value,
    Decision.PUBLISHED_WITH_WARNINGS.value,
    Decision.RELEASED.value,
)
_NOTHING_READ = (Decision.FAILED.value, Decision.ABANDONED.value)


def lineage(
    warehouse: Warehouse, series: str, period: str, *, as_of: str | None = None, edition: int | str | None = None
) -> Row:
    """Everything behind one number.

    Keys: answer (a row of `values`), vintage, batch, decisions, checks (counts, and the failed ones), payloads (request,
    status, fetched_at, sha256, file), dataset (title, licence, citation, file_sha256). Raises UsageError when nothing is held
    for that cell.
    """
    found = values(warehouse, [series], as_of=as_of, edition=edition, period=period)
    if len(found) != 1:
        raise UsageError(
            f"no single value of {series} for {period} is held" + (f" as of {as_of}" if as_of else ""),
            next_step=f"`figurekeeper vintages {series}` shows what is held",
        )
    answer = found[0]
    with warehouse.engine.connect() as connection:
        asked = find(connection, series)
        behind = line_of(warehouse, connection, asked, answer["edition"])
        shown = next(row for row in behind.vintages if row["vintage_id"] == answer["vintage"])
        visible = line.visible(connection, asked.dataset, shown["part"], edition=answer["edition"])
        vintage = _origin(visible, shown, _entity(warehouse, shown, asked.key), period)
        batch_id = vintage["batch_id"]
        batch = connection.execute(select(ledger.batches).where(ledger.batches.c.batch_id == batch_id)).mappings().one()
        decisions = (
            connection.execute(
                select(ledger.decisions)
                .where(ledger.decisions.c.batch_id == batch_id)
                .order_by(ledger.decisions.c.number)
            )
            .mappings()
            .all()
        )
        checks = (
            connection.execute(
                select(ledger.check_results)
                .where(
                    ledger.check_results.c.batch_id == batch_id, ledger.check_results.c.part.in_((vintage["part"], ""))
                )
                .order_by(ledger.check_results.c.number)
            )
            .mappings()
            .all()
        )
        payloads = (
            connection.execute(
                select(ledger.payloads)
                .where(ledger.payloads.c.batch_id == batch_id, ledger.payloads.c.part == vintage["part"])
                .order_by(ledger.payloads.c.number)
            )
            .mappings()
            .all()
        )
        dataset = (
            connection.execute(select(ledger.datasets).where(ledger.datasets.c.dataset == asked.dataset))
            .mappings()
            .one()
        )
    return {
        "answer": answer,
        "vintage": {
            name: vintage[name]
            for name in (
                "vintage_id", "part", "known_from", "precision", "basis", "stamp", "fetched_at", "scope", "predecessor_id",
                "revised", "added", "withdrawn",
            )
        },
        "batch": {
            name: batch[name]
            for name in (
                "batch_id", "decision", "edition", "message", "started_at", "finished_at", "actor", "run_id",
                "dataset_file_sha256",
            )
        },
        "decisions": [dict(row) for row in decisions],
        "checks": {
            "passed": sum(1 for row in checks if row["success"]),
            "failed": [_check(row) for row in checks if not row["success"]],
            "rules": sorted({row["rule"] for row in checks}),
        },
        "payloads": [
            {
                **{name: row[name] for name in ("method", "url", "body", "status", "fetched_at", "sha256", "attempts")},
                "file": str(warehouse.payloads.path(row["sha256"])),
            }
            for row in payloads
        ],
        "dataset": {
            "dataset": asked.dataset,
            **{name: dataset["description"].get(name) for name in ("title", "title_zh", "citation", "licence")},
        },
    }  # fmt: skip


def _entity(warehouse: Warehouse, vintage: line.Row, key: str) -> str:
    """The area of a series, as a vintage says."""
    of_it = [("vintage_id", "=", vintage["vintage_id"]), ("series_key", "=", key)]
    path = warehouse.path(vintage["series_file"])
    return str(pq.read_table(path, columns=["entity"], filters=of_it, partitioning=None).column(0)[0])


def _origin(visible: list[line.Row], vintage: line.Row, entity: str, period: str) -> line.Row:
    """The vintage whose own reading holds a cell: a partial read took what lay outside its scope from its predecessor."""
    held = {row["vintage_id"]: row for row in visible}
    while not _inside(vintage["scope"], entity, period) and vintage["predecessor_id"] in held:
        vintage = held[vintage["predecessor_id"]]
    return vintage


def _inside(scope: Row, entity: str, period: str) -> bool:
    start, end, entities = scope["start"], scope["end"], scope["entities"]
    return (
        (start is None or clock.period_start(period) >= clock.period_start(start))
        and (end is None or clock.period_start(period) <= clock.period_end(end))
        and (entities is None or entity in entities)
    )


def batches(warehouse: Warehouse, dataset: str | None = None, *, limit: int = 30) -> list[Row]:
    """The newest batches first.

    Rows: batch, dataset, decision, at, edition, actor, message, failed (rules that failed, comma-separated), can (what a
    person may decide on it).
    """
    query = (
        select(ledger.batches)
        .order_by(ledger.batches.c.started_at.desc(), ledger.batches.c.batch_id.desc())
        .limit(limit)
    )
    if dataset is not None:
        query = query.where(ledger.batches.c.dataset == dataset)
    with warehouse.engine.connect() as connection:
        known = connection.execute(select(ledger.datasets.c.dataset)).scalars().all()
        if dataset is not None and dataset not in known:
            raise UsageError(
                f"nothing is held of '{dataset}'", next_step=f"held are: {', '.join(sorted(known)) or 'none'}"
            )
        rows = connection.execute(query).mappings().all()
        checks = ledger.check_results.c
        failed: dict[str, list[str]] = {}
        for batch_id, rule in connection.execute(
            select(checks.batch_id, checks.rule)
            .where(checks.batch_id.in_([row["batch_id"] for row in rows]), checks.success.is_(False))
            .where(checks.accepted.is_(None))
            .distinct()
        ).tuples():
            failed.setdefault(batch_id, []).append(rule)
    return [
        {
            "batch": row["batch_id"],
            "dataset": row["dataset"],
            "decision": row["decision"] if row["state"] == "done" else row["state"],
            "at": row["finished_at"] or row["started_at"],
            "edition": row["edition"],
            "actor": row["actor"],
            "message": row["message"],
            "failed": ", ".join(sorted(failed.get(row["batch_id"], []))),
            "can": _can(row["decision"]) if row["state"] == "done" else "",
        }
        for row in rows
    ]


def batch(warehouse: Warehouse, batch_id: str) -> Row:
    """One batch for the person who must decide. Keys: batch (as in `batches`), decisions, failed (each with its worst
    rows), parts (what became of each), skipped (what was left out of each, by reason), sent. Raises UnknownBatch."""
    row = read_batch(warehouse, batch_id)
    with warehouse.engine.connect() as connection:
        taken = connection.execute(
            select(ledger.decisions).where(ledger.decisions.c.batch_id == batch_id).order_by(ledger.decisions.c.number)
        )
        decisions = [
            {name: item[name] for name in ("decision", "at", "actor", "reason", "run_id")} for item in taken.mappings()
        ]
        checks = connection.execute(
            select(ledger.check_results)
            .where(ledger.check_results.c.batch_id == batch_id, ledger.check_results.c.success.is_(False))
            .order_by(ledger.check_results.c.number)
        )
        failed = [_check(item) for item in checks.mappings()]
    names = ("batch_id", "dataset", "decision", "state", "edition", "message", "started_at", "finished_at", "actor")
    return {
        "batch": {
            **{name: row[name] for name in names},
            "can": _can(row["decision"]) if row["state"] == "done" else "",
        },
        "decisions": decisions,
        "failed": failed,
        "parts": row["header"].get("parts") or row["header"].get("failed", {}),
        "skipped": row["header"].get("skipped", {}),
        "sent": [f"{item['outcome']} {item['url']}" for item in row["header"].get("sent", [])],
    }


def editions(warehouse: Warehouse, *, limit: int = 30) -> list[Row]:
    """The newest editions first.

    Rows: edition, id (what a paper cites; every question takes it), at, decision, dataset, batch, message, begun, ended
    (vintages that begin and cease to stand with it), revised, added, withdrawn, status_changed (cells of those that begin,
    against the vintage before).
    """
    columns, standing = ledger.editions.c, ledger.line.c
    query = (
        select(ledger.editions, ledger.batches.c.dataset, ledger.batches.c.message)
        .join(ledger.batches, ledger.batches.c.batch_id == columns.batch_id)
        .order_by(columns.edition.desc())
        .limit(limit)
    )
    sums = [func.coalesce(func.sum(standing[name]), 0).label(name) for name in COUNTS]
    changed = select(standing.published_in, *sums).where(standing.predecessor_id.is_not(None))
    with warehouse.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
        begun, ended = (
            dict(connection.execute(select(column, func.count()).group_by(column)).tuples().all())
            for column in (standing.published_in, standing.voided_in)
        )
        counts = {row.published_in: row for row in connection.execute(changed.group_by(standing.published_in))}
    return [
        {
            "edition": row["edition"],
            "id": line.edition_id(warehouse.profile, row["edition"], row["digest"]),
            "at": row["at"],
            "decision": row["decision"],
            "dataset": row["dataset"],
            "batch": row["batch_id"],
            "message": row["message"],
            "begun": begun.get(row["edition"], 0),
            "ended": ended.get(row["edition"], 0),
            **{name: int(getattr(counts.get(row["edition"]), name, 0)) for name in COUNTS},
        }
        for row in rows
    ]


def datasets(warehouse: Warehouse, *, now: datetime | None = None) -> list[Row]:
    """What is held of each dataset, and how fresh it is.

    Rows: dataset, title, title_zh, series, observations (of the newest vintages), vintages, revisions (cells revised between
    neighbours), decision (of the last batch), message, last_refresh (the last good one that
    asked for everything as of now), stale (so too when nothing is visible), licence, citation.
    """
    moment = now or clock.now()
    rows: list[Row] = []
    with warehouse.engine.connect() as connection:
        described = connection.execute(select(ledger.datasets).order_by(ledger.datasets.c.dataset)).mappings().all()
        for item in described:
            name, about = item["dataset"], item["description"]
            visible = line.visible(connection, name)
            newest = line.newest(connection, name)
            columns = ledger.batches.c
            last = (
                connection.execute(
                    select(ledger.batches).where(columns.dataset == name).order_by(columns.started_at.desc()).limit(1)
                )
                .mappings()
                .one_or_none()
            )
            good = _last_good(connection, name)
            limit = timedelta(days=int(about["calendar"]["stale_after_days"]))
            rows.append(
                {
                    "dataset": name,
                    "title": about["title"],
                    "title_zh": about["title_zh"],
                    "series": sum(row["series"] for row in newest),
                    "observations": sum(row["observations"] for row in newest),
                    "vintages": len(visible),
                    "revisions": sum(row["revised"] for row in visible),
                    "decision": (last["decision"] or last["state"]) if last is not None else None,
                    "message": last["message"] if last is not None else "",
                    "last_refresh": good,
                    "stale": not newest or good is None or moment - clock.from_text(good) > limit,
                    "licence": about["licence"]["id"],
                    "citation": about["citation"],
                }
            )
    return rows


def serving(warehouse: Warehouse, dataset: str | None = None) -> Row | None:
    """What serves now of a dataset, or (None) of all: edition, at (when it was made), last_refresh (its last good look).

    None when nothing is visible.
    """
    columns = ledger.editions.c
    query = select(columns.edition, columns.at).order_by(columns.edition.desc()).limit(1)
    if dataset is not None:
        query = query.where(columns.batch_id.startswith(f"{dataset}@", autoescape=True))
    with warehouse.engine.connect() as connection:
        made = connection.execute(query).mappings().first()
        if made is None or not line.visible(connection, dataset):
            return None
        return {**made, "last_refresh": _last_good(connection, dataset) if dataset else None}


def _last_good(connection: Connection, dataset: str) -> str | None:
    """When the dataset was last asked for everything as of now, and every part could be read.

    A look that read nothing, since nothing was new, is as good as the reading before it by now is.
    """
    columns = ledger.batches.c
    query = (
        select(columns.finished_at, columns.decision, columns.header)
        .where(columns.dataset == dataset, columns.current)
        .where(columns.state == "done", columns.decision.not_in(_NOTHING_READ))
        .order_by(columns.started_at.desc())
    )
    looked = None
    for finished, decision, header in connection.execute(query):
        looked = looked or finished
        if header.get("unmoved"):
            continue
        if decision in GOOD and not header.get("failed"):
            return str(looked)
        looked = None
    return None


def walked_days(warehouse: Warehouse, dataset: str) -> set[str]:
    """The days (ISO) as of which the sandbox was asked for a dataset and an answer was judged."""
    columns = ledger.batches.c
    query = select(columns.header).where(
        columns.dataset == dataset,
        columns.complete,
        columns.decision.is_not(None),
        columns.decision.not_in((Decision.FAILED.value, Decision.ABANDONED.value)),
    )
    with warehouse.engine.connect() as connection:
        return {header["on"] for header in connection.execute(query).scalars() if header.get("on")}


def open_incidents(warehouse: Warehouse) -> list[Row]:
    """Incidents that need a person, oldest first: id, kind, dataset, severity, title, text, opened_at, occurrences."""
    columns = ledger.incidents.c
    with warehouse.engine.connect() as connection:
        rows = (
            connection.execute(select(ledger.incidents).where(columns.closed_at.is_(None)).order_by(columns.incident))
            .mappings()
            .all()
        )
    names = ("kind", "dataset", "severity", "title", "text", "opened_at", "occurrences")
    return [{"id": row["incident"], **{name: row[name] for name in names}} for row in rows]


def _check(row: Any) -> Row:
    names = ("rule", "severity", "part", "observed", "expected", "accepted", "examples")
    return {name: row[name] for name in names}


def _can(decision: str | None) -> str:
    if decision == Decision.QUARANTINED:
        return "release, discard"
    published = (Decision.PUBLISHED, Decision.PUBLISHED_WITH_WARNINGS, Decision.RELEASED)
    return "void" if decision in published else ""
