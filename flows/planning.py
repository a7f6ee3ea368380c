"""Before and around a refresh: what it would cost, how things stand, what is wrong with an installation.

Belongs here: gathering facts for `plan`, `status` and `doctor`. Nothing is asked of a provider.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from connectors import contract, datasets
from connectors.contract import Ask
from connectors.quota import Quota
from flows.settings import Settings
from warehouse import clock, line, lineage, soundness
from warehouse.errors import UsageError
from warehouse.schema import Scope
from warehouse.store import Warehouse

Row = dict[str, Any]
_MONTH = re.compile(r"^\d{4}(0[1-9]|1[0-2])$")


def months(span: str | None) -> tuple[str, ...]:
    """The archive's months from A to B, as YYYYMM, of a span "A:B" or "A"; () for None. Raises UsageError."""
    if not span:
        return ()
    first, _, last = span.partition(":")
    last = last or first
    if not (_MONTH.match(first) and _MONTH.match(last)) or last < first:
        raise UsageError(
            f"'{span}' is no span of archive months", next_step="write 202109 or 202109:202112, oldest first"
        )
    start = int(first[:4]) * 12 + int(first[4:]) - 1
    count = int(last[:4]) * 12 + int(last[4:]) - start
    return tuple(f"{(start + i) // 12:04d}{(start + i) % 12 + 1:02d}" for i in range(count))


def rows(
    settings: Settings, names: Sequence[str], first: str | None = None, last: str | None = None, span: str | None = None
) -> list[Row]:
    """The first requests of a refresh or backfill of some datasets: dataset, part, request, parameters, cost, left (of that
    quota now). Raises UsageError for an unknown dataset, period or span."""
    start, end = clock.parse_periods(f"{first or ''}:{last or ''}") if first or last else (None, None)
    ask = Ask(scope=Scope(start=start, end=end), versions=months(span))
    found: list[Row] = []
    for name in names:
        dataset = datasets.load(name)
        left = {item["cost"]: item["left"] for item in reversed(_quota(settings, dataset.provider))}
        for request in contract.connector(dataset.provider).plan(dataset, ask):
            found.append(
                {
                    "dataset": name,
                    "part": request.part,
                    "request": f"{request.method} {request.path}",
                    "parameters": "&".join(f"{key}={value}" for key, value in request.params),
                    "cost": request.cost,
                    "left": left.get(request.cost, left.get("data")),
                }
            )
    return found


def status(settings: Settings) -> Row:
    """Everything in one look. Keys: verdict, datasets, incidents, quota, settings (secrets masked)."""
    warehouse = Warehouse(**settings.place, create=False)
    held = lineage.datasets(warehouse)
    incidents = lineage.open_incidents(warehouse)
    stale = [row["dataset"] for row in held if row["stale"]]
    troubles = [f"{len(incidents)} open incidents"] if incidents else []
    troubles += [f"stale: {', '.join(stale)}"] if stale else []
    missing = sorted(set(datasets.known_ids()) - {row["dataset"] for row in held})
    troubles += [f"never refreshed: {', '.join(missing)}"] if missing else []
    columns = ("decision", "last_refresh", "stale", "series", "observations", "vintages", "revisions")
    return {
        "verdict": {"all right": not troubles, "needs a person": "; ".join(troubles) or "nothing"},
        "datasets": {row["dataset"]: {name: row[name] for name in columns} for row in held},
        "incidents": [
            {name: row[name] for name in ("id", "dataset", "title", "opened_at", "occurrences")} for row in incidents
        ],
        "quota": [row for provider in contract.PROVIDERS for row in _quota(settings, provider)],
        "settings": {**settings.model_dump(mode="json"), "root": str(settings.root)},
    }


def doctor(settings: Settings) -> list[Row]:
    """Checks of an installation, one row each: check, ok, finding. A check that cannot be made says so and is not ok."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("folder can be written", lambda: _writable(settings)),
        ("dataset files", lambda: f"{len(datasets.load_all())} files are well formed"),
        ("warehouse", lambda: _edition(settings)),
        ("profile", lambda: _profile(settings)),
    ]
    made = [_made(name, check) for name, check in checks]
    if any(row["check"] == "warehouse" and not row["ok"] for row in made):
        return made
    return made + [_sound(row) for row in soundness.check(Warehouse(**settings.place, create=False))]


def _sound(row: Row) -> Row:
    """One check of all that is held, as a row of `doctor`; the first findings are told."""
    told = "; ".join(row["findings"][:3]) or f"{row['examined']} examined, all sound"
    left = len(row["findings"]) - 3
    told += f"; and {left} more" if left > 0 else ""
    return {"check": row["check"], "ok": row["ok"], "state": "ok" if row["ok"] else "NOT OK", "finding": told}


def _made(name: str, check: Callable[[], str]) -> Row:
    try:
        return {"check": name, "ok": True, "state": "ok", "finding": check()}
    except Exception as error:
        return {"check": name, "ok": False, "state": "NOT OK", "finding": str(error)}


def _quota(settings: Settings, provider: str) -> list[Row]:
    quota = Quota(settings.quota_place, provider, profile=settings.profile)
    try:
        return [
            {"provider": provider, "cost": left.cost, "left": left.left, "limit": left.limit, "seconds": left.seconds}
            for left in quota.left()
        ]
    finally:
        quota.close()


def _writable(settings: Settings) -> str:
    folder = settings.root if settings.root.exists() else settings.home.resolve().parent
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written", next_step="mend its permissions, or set FIGUREKEEPER_HOME")
    return str(folder)


def _edition(settings: Settings) -> str:
    warehouse = Warehouse(**settings.place, create=False)
    with warehouse.engine.connect() as connection:
        return f"edition {line.newest_edition(connection)}, {len(line.visible(connection))} vintages"


def _profile(settings: Settings) -> str:
    if settings.profile == "live":
        return "live: never verified against the providers"
    return f"{settings.profile}: nothing leaves this machine"
