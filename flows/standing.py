"""How things stand: the answer to "is everything all right?", and the facts behind it.

Belongs here: gathering them. Nothing is asked of a provider, and nothing is changed. Does not belong here: what a refresh would
cost (estimate), when an incident opens (conditions), how the answer is printed (operate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from connectors import contract
from connectors.datasets import Survey
from connectors.http.breaker import paused
from connectors.http.quota import Quota
from flows import catalogue, conditions, notices
from flows.environment import here
from flows.settings import Settings
from warehouse import clock, incidents, line, lineage
from warehouse.errors import parted
from warehouse.schema import Severity
from warehouse.store import Warehouse

Row = dict[str, Any]

#: A notice that is owed for longer was refused; the next delivery is never further away.
REFUSED_AFTER = timedelta(minutes=20)
_HEALTH_SECONDS = 5.0
#: What `figurekeeper up` leaves below the folder, and nothing else does.
_OF_UP = "logs/pages.log"


def status(settings: Settings, *, now: datetime | None = None) -> Row:
    """Everything in one look. Keys: verdict, to do (what needs a person: what, since, next), datasets (what is held of each, and
    how fresh it is), incidents, held back (batches that wait for a person), quota, left alone (providers), channels, service,
    providers (in profile live, what was ever verified), settings (secrets masked)."""
    moment = now or clock.now()
    warehouse = Warehouse(**settings.place, create=False)
    files = catalogue.survey(settings)
    told = lineage.open_incidents(warehouse)
    waiting = incidents.undecided(warehouse)
    channels = notices.standing(settings)
    service = _service(settings)
    to_do = [
        *_dead(settings, service),
        *_held_back(waiting),
        *_told(told, {row["dataset"] for row in waiting}),
        *_not_told_yet(settings, warehouse, told, moment),
        *_wrong(files),
        *_refusing(channels, moment),
    ]
    return {
        "verdict": {
            "all right": not to_do,
            "needs a person": "; ".join(row["what"] for row in to_do) or "nothing",
            "not enabled": ", ".join(files.waiting) or "nothing",
        },
        "to do": to_do,
        "datasets": _datasets(settings, warehouse, files, waiting, moment),
        "incidents": [
            {name: row[name] for name in ("id", "kind", "dataset", "title", "opened_at", "occurrences")} for row in told
        ],
        "held back": [{**row, "what to do": _decide(row["batch"])} for row in waiting],
        "quota": [row for provider in contract.PROVIDERS for row in _quota(settings, provider)],
        "left alone": paused(settings.quota_place),
        "channels": channels,
        "service": service,
        "providers": catalogue.standing(settings) if settings.profile == "live" else {},
        "settings": {**settings.model_dump(mode="json"), "root": str(settings.root)},
    }


def _dead(settings: Settings, service: Mapping[str, Any]) -> Iterator[Row]:
    """A service that is gone, where one ever ran or is to be joined."""
    if not service["answers"] and (settings.server_url or (settings.root / _OF_UP).exists()):
        yield {
            "what": f"the service does not answer at {service['api']}",
            "since": "",
            "next": "start it: `figurekeeper up`, or its unit; its log says why it ended",
        }


def _held_back(waiting: Sequence[Row]) -> Iterator[Row]:
    for row in waiting:
        yield {
            "what": f"{row['dataset']}: batch {row['batch']} is held back",
            "since": row["since"],
            "next": _decide(row["batch"]),
        }


def _decide(batch: str) -> str:
    return (
        f"look at it (`figurekeeper batch {batch}`), then release or discard it: form 'review', or "
        f"`figurekeeper release {batch} --reason … --by …`"
    )


def _told(told: Sequence[Row], deciding: set[str]) -> Iterator[Row]:
    """The open incidents, but for the quarantines of datasets whose batches stand in the list themselves."""
    for row in told:
        if row["kind"] == incidents.QUARANTINE and row["dataset"] in deciding:
            continue
        _, next_step = parted(row["text"])
        if row["kind"] == incidents.FAILURE and row["severity"] == Severity.WARNING:
            next_step = f"nothing at once, the schedule tries again; if it goes on, {next_step}"
        if row["kind"] == incidents.VERDICT:
            next_step = f"tell the editors, then `figurekeeper acknowledge {row['id']} --reason … --by …`"
        often = f" ({row['occurrences']} times)" if row["occurrences"] > 1 else ""
        yield {"what": row["title"] + often, "since": row["opened_at"], "next": next_step}


def _not_told_yet(settings: Settings, warehouse: Warehouse, told: Sequence[Row], now: datetime) -> Iterator[Row]:
    """What the watch will open an incident for when it looks next."""
    known = {(row["kind"], row["dataset"]): row["id"] for row in told}
    for found in conditions.findings(settings, warehouse, known, now):
        if (found.kind, found.subject) not in known:
            yield {"what": found.title, "since": "", "next": parted(found.text)[1]}


def _wrong(files: Survey) -> Iterator[Row]:
    for name in files.wrong:
        yield {"what": f"{name}: its dataset file is wrong", "since": "", "next": "`figurekeeper doctor` says where"}


def _refusing(channels: Sequence[Row], now: datetime) -> Iterator[Row]:
    for row in channels:
        if row["owed"] and now - clock.from_text(row["since"]) > REFUSED_AFTER:
            what = f"channel {row['channel']}: {row['owed']} notices are not delivered"
            yield {
                "what": what,
                "since": row["since"],
                "next": f"`figurekeeper alerts test --channel {row['channel']}`",
            }


def _datasets(
    settings: Settings, warehouse: Warehouse, files: Survey, waiting: Sequence[Row], now: datetime
) -> dict[str, Row]:
    held = {row["dataset"]: row for row in lineage.datasets(warehouse, now=now)}
    newest = _newest_periods(settings)
    columns = ("decision", "last_refresh", "stale", "series", "observations", "vintages", "revisions")
    rows: dict[str, Row] = {}
    for name in sorted(held.keys() | files.enabled.keys()):
        row, dataset = held.get(name), files.enabled.get(name)
        rows[name] = {column: row[column] if row else None for column in columns} | {
            "freshness": "not asked for" if dataset is None else _freshness(row),
            "newest_period": newest.get(name),
            "newest_vintage": _newest_vintage(warehouse, name),
            "next_look": clock.to_text(conditions.next_due(dataset, now)) if dataset else None,
            "held_back": sum(one["dataset"] == name for one in waiting),
        }
    return rows


def _freshness(row: Mapping[str, Any] | None) -> str:
    if row is None or row["last_refresh"] is None:
        return "only past days" if row and row["vintages"] else "never read well"
    return "old" if row["stale"] else "fresh"


def _newest_vintage(warehouse: Warehouse, dataset: str) -> str | None:
    """From when the public could know the newest of what is visible."""
    with warehouse.engine.connect() as connection:
        return max((row["known_from"] for row in line.newest(connection, dataset)), default=None)


def _newest_periods(settings: Settings) -> dict[str, str]:
    """The newest period with a value of each dataset, by the file of current values; nothing where none was written yet."""
    import duckdb

    file = settings.root / "indicators.duckdb"
    if not file.exists():
        return {}
    query = """select split_part(series, ':', 1), max(period) from "current" where value is not null group by 1"""
    try:
        with duckdb.connect(str(file), read_only=True) as database:
            return dict(database.execute(query).fetchall())
    except duckdb.Error:
        return {}


def _quota(settings: Settings, provider: str) -> list[Row]:
    with closing(Quota(settings.quota_place, provider, profile=settings.profile)) as quota:
        return [
            {"provider": provider, "cost": left.cost, "left": left.left, "limit": left.limit, "seconds": left.seconds}
            for left in quota.left()
        ]


def _service(settings: Settings) -> Row:
    """Whether a Prefect server answers where this installation has its own, and what would tell if no worker did."""
    import requests

    api = settings.server_url or f"http://{here(settings.bind)}:{settings.port}/api"
    try:
        answers = requests.get(f"{api.rstrip('/')}/health", timeout=_HEALTH_SECONDS).ok
    except requests.RequestException:
        answers = False
    told = [name for name in ("webhook", "slack") if getattr(settings, f"{name}_url") is not None]
    return {"api": api, "answers": answers, "tells of a dead worker": ", ".join(told) or "nobody"}
