"""How the quality of a dataset went: its last batches with the checks that passed and failed.

Belongs here: counting in the ledger. Does not belong here: publishing it (report).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, select

from warehouse import ledger
from warehouse.schema import Severity
from warehouse.store import Warehouse

Row = dict[str, Any]
_SEVERITIES = [severity.value for severity in Severity]


def rows(warehouse: Warehouse, dataset: str, *, limit: int = 24) -> list[Row]:
    """The last batches of a dataset in which checks were made, oldest first.

    Rows: batch, at, decision, passed, critical, warning, info (checks that failed and are not accepted, by severity),
    observations (of the parts that changed), revised.
    """
    batches = ledger.batches.c
    judged = select(ledger.check_results.c.batch_id).distinct()
    last = (
        select(batches.batch_id, batches.decision, batches.started_at)
        .where(batches.dataset == dataset, batches.batch_id.in_(judged), batches.decision.is_not(None))
        .order_by(batches.started_at.desc())
        .limit(limit)
    )
    with warehouse.engine.connect() as connection:
        found = connection.execute(last).all()[::-1]
        counts = {row.batch_id: _counted(connection, row.batch_id) for row in found}
    names = ("passed", *_SEVERITIES, "observations", "revised")
    return [
        {"batch": row.batch_id, "at": row.started_at[:16].replace("T", " "), "decision": row.decision}
        | {name: counts[row.batch_id][name] for name in names}
        for row in found
    ]


def _counted(connection: Connection, batch: str) -> Counter[str]:
    """Checks of a batch that passed, or failed by severity, and the observations of what it changed."""
    counts: Counter[str] = Counter()
    checks, readings = ledger.check_results.c, ledger.readings.c
    query = select(checks.severity, checks.success, checks.accepted).where(checks.batch_id == batch)
    for severity, success, accepted in connection.execute(query).tuples():
        counts["passed" if success or accepted else severity] += 1
    changed = (
        select(readings.compared, ledger.vintages.c.observations)
        .join(ledger.vintages, ledger.vintages.c.vintage_id == readings.vintage_id)
        .where(readings.batch_id == batch, readings.compared.is_not(None))
    )
    for compared, observations in connection.execute(changed).tuples():
        counts["observations"] += observations
        counts["revised"] += compared.get("revised", 0)
    return counts
