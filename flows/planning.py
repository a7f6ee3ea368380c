"""How things stand: what `status` says in one look.

Belongs here: gathering its facts. Nothing is asked of a provider. Does not belong here: what a refresh would cost (estimate).
"""

from __future__ import annotations

from typing import Any

from connectors import contract
from connectors.http.breaker import paused
from connectors.http.quota import Quota
from flows import catalogue
from flows.settings import Settings
from warehouse import incidents, lineage
from warehouse.store import Warehouse

Row = dict[str, Any]


def status(settings: Settings) -> Row:
    """Everything in one look. Keys: verdict, datasets, incidents, held back (batches that wait for a person), quota,
    left alone (providers), providers (in profile live, what was ever verified), settings (secrets masked)."""
    warehouse = Warehouse(**settings.place, create=False)
    held = lineage.datasets(warehouse)
    told = lineage.open_incidents(warehouse)
    waiting = incidents.undecided(warehouse)
    stale = [row["dataset"] for row in held if row["stale"]]
    troubles = [f"{len(told)} open incidents"] if told else []
    troubles += [f"{len(waiting)} batches held back"] if waiting else []
    troubles += [f"stale: {', '.join(stale)}"] if stale else []
    files = catalogue.survey(settings)
    missing = sorted(files.enabled.keys() - {row["dataset"] for row in held})
    troubles += [f"never refreshed: {', '.join(missing)}"] if missing else []
    troubles += [f"wrong dataset files, see `figurekeeper doctor`: {', '.join(files.wrong)}"] if files.wrong else []
    columns = ("decision", "last_refresh", "stale", "series", "observations", "vintages", "revisions")
    return {
        "verdict": {
            "all right": not troubles,
            "needs a person": "; ".join(troubles) or "nothing",
            "not enabled": ", ".join(files.waiting) or "nothing",
        },
        "datasets": {row["dataset"]: {name: row[name] for name in columns} for row in held},
        "incidents": [
            {name: row[name] for name in ("id", "dataset", "title", "opened_at", "occurrences")} for row in told
        ],
        "held back": [
            {**row, "what to do": f"look at it (`figurekeeper batches {row['dataset']}`), then release or discard it"}
            for row in waiting
        ],
        "quota": [row for provider in contract.PROVIDERS for row in _quota(settings, provider)],
        "left alone": paused(settings.quota_place),
        "providers": catalogue.standing(settings) if settings.profile == "live" else {},
        "settings": {**settings.model_dump(mode="json"), "root": str(settings.root)},
    }


def _quota(settings: Settings, provider: str) -> list[Row]:
    quota = Quota(settings.quota_place, provider, profile=settings.profile)
    try:
        return [
            {"provider": provider, "cost": left.cost, "left": left.left, "limit": left.limit, "seconds": left.seconds}
            for left in quota.left()
        ]
    finally:
        quota.close()
