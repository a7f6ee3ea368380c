"""From a number to the bytes it came from: vintage, batch, checks, request, payload; and the lists of batches and datasets.

Belongs here: reading the ledger for people who must cite or decide. The values themselves are in warehouse/questions.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from warehouse import clock, ledger
from warehouse.errors import UsageError
from warehouse.questions import Row, find, values
from warehouse.schema import Decision
from warehouse.store import Warehouse

#: Decisions after which the data held are known to be what the provider says.
GOOD = (
    Decision.UNCHANGED.value,
    Decision.PUBLISHED.value,
    Decision.PUBLISHED_WITH_WARNINGS.value,
    Decision.RELEASED.value,
)


def lineage(
    warehouse: Warehouse, series: str, period: str, *, as_of: str | None = None, edition: int | None = None
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
        vintage = next(
            row
            for row in warehouse.visible(connection, asked.dataset, asked.part, edition=answer["edition"])
            if row["vintage_id"] == answer["vintage"]
        )
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
                .where(ledger.check_results.c.batch_id == batch_id, ledger.check_results.c.part.in_((asked.part, "")))
                .order_by(ledger.check_results.c.number)
            )
            .mappings()
            .all()
        )
        payloads = (
            connection.execute(
                select(ledger.payloads)
                .where(ledger.payloads.c.batch_id == batch_id, ledger.payloads.c.part == asked.part)
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
    own = [row for row in payloads if row["vintage_id"] == vintage["vintage_id"]]
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
            for row in own
        ],
        "dataset": {
            "dataset": asked.dataset,
            **{name: dataset["description"].get(name) for name in ("title", "title_zh", "citation", "licence")},
        },
    }  # fmt: skip


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
            "decision": row["decision"] or row["state"],
            "at": row["finished_at"] or row["started_at"],
            "edition": row["edition"],
            "actor": row["actor"],
            "message": row["message"],
            "failed": ", ".join(sorted(failed.get(row["batch_id"], []))),
            "can": _can(row["decision"]),
        }
        for row in rows
    ]


def datasets(warehouse: Warehouse, *, now: datetime | None = None) -> list[Row]:
    """What is held of each dataset, and how fresh it is.

    Rows: dataset, title, title_zh, series, observations (of the newest vintages), vintages, revisions (cells revised between
    neighbours), decision (of the last batch), message, last_refresh (the last good one that
    asked for everything as of now), stale, licence, citation.
    """
    moment = now or clock.now()
    rows: list[Row] = []
    with warehouse.engine.connect() as connection:
        described = connection.execute(select(ledger.datasets).order_by(ledger.datasets.c.dataset)).mappings().all()
        for item in described:
            name, about = item["dataset"], item["description"]
            visible = warehouse.visible(connection, name)
            newest = {row["part"]: row for row in visible}
            columns = ledger.batches.c
            last = (
                connection.execute(
                    select(ledger.batches).where(columns.dataset == name).order_by(columns.started_at.desc()).limit(1)
                )
                .mappings()
                .one_or_none()
            )
            good = connection.execute(
                select(func.max(columns.finished_at)).where(
                    columns.dataset == name, columns.decision.in_(GOOD), columns.current
                )
            ).scalar_one_or_none()
            limit = timedelta(days=int(about["calendar"]["stale_after_days"]))
            rows.append(
                {
                    "dataset": name,
                    "title": about["title"],
                    "title_zh": about["title_zh"],
                    "series": sum(row["series"] for row in newest.values()),
                    "observations": sum(row["observations"] for row in newest.values()),
                    "vintages": len(visible),
                    "revisions": sum(row["revised"] for row in visible),
                    "decision": (last["decision"] or last["state"]) if last is not None else None,
                    "message": last["message"] if last is not None else "",
                    "last_refresh": good,
                    "stale": good is None or moment - clock.from_text(good) > limit,
                    "licence": about["licence"]["id"],
                    "citation": about["citation"],
                }
            )
    return rows


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
