"""What needs a person although no refresh says so: data that grow old, a provider that may not be asked, silence.

Belongs here: when an incident of these kinds opens and closes, and its words. Does not belong here: runs that ended badly
(run_incidents), a batch's own incidents (batch), delivering notices (notices).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import select

from connectors import contract
from connectors import datasets as files
from connectors.datasets import Dataset
from connectors.http.breaker import paused
from connectors.http.quota import Left, Quota
from flows import catalogue, contacted
from flows.run_incidents import LOOK_WAIT
from flows.settings import Settings
from warehouse import clock, incidents, ledger, lineage, publish
from warehouse.schema import Decision, IncidentChange, Severity
from warehouse.store import Warehouse

Row = dict[str, Any]

#: A poll that was due so long ago, and since which nothing was asked at all, means that the schedules stand still.
SILENT_AFTER = timedelta(days=1)
#: A provider is left alone after any refusal; for longer than this it is worth a person's while.
PAUSED_AFTER = timedelta(hours=1)
#: A new dataset has so long after its first poll was due.
FIRST_GRACE = timedelta(days=1)
#: Limits of shorter windows than this free themselves while a run waits.
WIDE_SECONDS = 120
#: The subject of what concerns no single dataset.
SERVICE = "figurekeeper"
KINDS = (incidents.STALE, incidents.QUOTA, incidents.PAUSED, incidents.SILENCE)


@dataclass(frozen=True)
class Finding:
    """Something that needs a person now: of which kind, of what (dataset, provider or the service), and in words."""

    kind: str
    subject: str
    severity: Severity
    title: str
    text: str


def look(settings: Settings, *, now: datetime | None = None) -> list[IncidentChange]:
    """Open an incident for what needs a person and has none yet, and close those that are over; what was changed.

    Nothing is asked of a provider. Raises NoWarehouse where nothing was ever kept, and locks.Busy while another looks.
    """
    warehouse = Warehouse(**settings.place, create=False)
    with warehouse.lease("watch", wait=LOOK_WAIT):
        standing = {(row["kind"], row["dataset"]): row["id"] for row in lineage.open_incidents(warehouse)}
        found = {(one.kind, one.subject): one for one in findings(settings, warehouse, standing, now or clock.now())}
        changes = [_open(warehouse, one) for key, one in found.items() if key not in standing]
        for (kind, subject), number in standing.items():
            if kind in KINDS and (kind, subject) not in found:
                text = _ENDED[kind].format(subject=subject)
                closed = incidents.close_one(warehouse, number, _opener(), text)
                changes += [closed] if closed is not None else []
        if changes:
            publish.flush(warehouse)
    return changes


def findings(
    settings: Settings, warehouse: Warehouse, standing: Mapping[tuple[str, str], int], now: datetime
) -> list[Finding]:
    """Everything that needs a person now; what is `standing` (kind, subject) ends later than it would begin.

    Nothing is changed. While the schedules stand still, no further dataset is called old: one cause is told once.
    """
    asked = settings.profile != "synthetic"  # of invented figures nobody is asked
    enabled = catalogue.enabled(settings) if asked else {}
    silent = list(_silence(warehouse, enabled, now))
    old = _stale(settings, warehouse, enabled, now)
    return [
        *silent,
        *(one for one in old if not silent or (one.kind, one.subject) in standing),
        *_providers(settings, warehouse, standing, now),
    ]


def next_due(dataset: Dataset, after: datetime) -> datetime:
    """When the dataset's calendar asks next, in UTC."""
    local = after.astimezone(ZoneInfo(dataset.calendar.timezone))
    return next(CronSim(dataset.calendar.cron, local)).astimezone(UTC)


def _silence(warehouse: Warehouse, enabled: Mapping[str, Dataset], now: datetime) -> Iterator[Finding]:
    query = select(ledger.batches.c.started_at).order_by(ledger.batches.c.started_at.desc()).limit(1)
    with warehouse.engine.connect() as connection:
        last = connection.execute(query).scalar_one_or_none()
    if last is None or not enabled:
        return
    missed = min(next_due(dataset, clock.from_text(last)) for dataset in enabled.values())
    if now - missed < SILENT_AFTER:
        return
    yield Finding(
        incidents.SILENCE,
        SERVICE,
        Severity.CRITICAL,
        f"no provider was asked since {last[:16]}Z",
        f"A poll was due at {missed:%Y-%m-%d %H:%M} UTC, and nothing was asked since: the schedules stand still. "
        "Next: see that the service runs (`figurekeeper up`, or its unit) and that the schedules "
        "of the deployments are not paused in the UI; without the service, `figurekeeper refresh` from cron does the same.",
    )


def _stale(
    settings: Settings, warehouse: Warehouse, enabled: Mapping[str, Dataset], now: datetime
) -> Iterator[Finding]:
    held = {row["dataset"]: row for row in lineage.datasets(warehouse, now=now)}
    begun = _begun(warehouse)
    for name, dataset in enabled.items():
        row = held.get(name)
        if row is not None and row["last_refresh"] is not None:
            if row["stale"]:
                yield _old(row, dataset)
        elif begun is not None:
            since = max(begun, _enabled_since(settings, dataset))
            if now - next_due(dataset, since) > FIRST_GRACE:
                yield _never(dataset, since, row)


def _old(row: Row, dataset: Dataset) -> Finding:
    days, last = dataset.calendar.stale_after_days, row["last_refresh"][:16]
    title = f"no good refresh for more than {days} days" if row["vintages"] else "nothing of it is visible"
    return Finding(
        incidents.STALE,
        dataset.id,
        Severity.WARNING,
        f"{dataset.id}: {title}",
        f"{dataset.id} was last read well at {last}Z; its calendar allows {days} days. {_last_said(row)} The publisher may have "
        f"newer figures. Next: mend what the last runs of deployment '{dataset.id}' say, or see why there are none; then "
        f"refresh it, in the UI or with `figurekeeper refresh {dataset.id} --full`.",
    )


def _never(dataset: Dataset, since: datetime, row: Row | None) -> Finding:
    return Finding(
        incidents.STALE,
        dataset.id,
        Severity.WARNING,
        f"{dataset.id}: never read well",
        f"{dataset.id} is enabled since {since:%Y-%m-%d} and was due, but was never read well as of now. {_last_said(row)} Next: "
        f"see that a deployment '{dataset.id}' exists in the UI (restarting the service deploys it), that its schedule is not "
        f"paused, and what its runs say; `figurekeeper refresh {dataset.id}` asks now.",
    )


def _last_said(row: Row | None) -> str:
    if row is None or row["decision"] is None:
        return "It was never asked for."
    return f"Its last refresh: {row['decision']}, {row['message'].rstrip('.')}."


def _begun(warehouse: Warehouse) -> datetime | None:
    """When the first batch of all began: before that, nothing can be late."""
    query = select(ledger.batches.c.started_at).order_by(ledger.batches.c.started_at).limit(1)
    with warehouse.engine.connect() as connection:
        first = connection.execute(query).scalar_one_or_none()
    return clock.from_text(first) if first else None


def _enabled_since(settings: Settings, dataset: Dataset) -> datetime:
    """The day from which on the dataset could be asked for: of its file here, its first contact, or its newest drop."""
    places = [files.path_of(dataset.id, settings.datasets)]
    if dataset.reads == "files":
        places.append(settings.root / "drop" / dataset.id)
    contact = contacted.seen(settings, dataset)
    times = [clock.from_text(contact.at)] if contact else []
    return max([*times, *(_changed(place) for place in places if place.exists())])


def _changed(place: Path) -> datetime:
    return datetime.fromtimestamp(place.stat().st_mtime, UTC)


def _providers(
    settings: Settings, warehouse: Warehouse, standing: Mapping[tuple[str, str], int], now: datetime
) -> Iterator[Finding]:
    left_alone = {row["provider"]: row for row in paused(settings.quota_place)}
    for provider in contract.PROVIDERS:
        newest = _newest(warehouse, provider)
        exhausted = _exhausted(settings, provider, newest, (incidents.QUOTA, provider) in standing, now)
        if exhausted is not None:
            yield exhausted
        row = left_alone.get(provider)
        if row is not None and now - clock.from_text(row["since"]) > PAUSED_AFTER:
            yield _paused(row)
        elif (incidents.PAUSED, provider) in standing and newest is not None and _failed(newest):
            yield _paused({"provider": provider, "since": "", "until": "", "why": newest["message"]})


def _exhausted(settings: Settings, provider: str, newest: Row | None, standing: bool, now: datetime) -> Finding | None:
    """A wide limit that is used up, or stopped the newest batch a moment ago; it is over when half of it is free again."""
    quota = Quota(settings.quota_place, provider, profile=settings.profile)
    try:
        wide = [left for left in quota.left() if left.seconds > WIDE_SECONDS]
    finally:
        quota.close()
    if not wide:
        return None
    tightest = min(wide, key=lambda left: left.left / left.limit)
    scarce = tightest.left == 0 or (standing and tightest.left < tightest.limit / 2)
    stopped = newest is not None and _stopped(newest, now - timedelta(seconds=tightest.seconds))
    return _used_up(provider, tightest) if scarce or stopped else None


def _stopped(batch: Row, since: datetime) -> bool:
    """Whether our limit stopped a batch that began after that."""
    failed = batch["header"].get("failed", {}).values()
    return "QuotaExhausted" in failed and clock.from_text(batch["started_at"]) > since


def _used_up(provider: str, limit: Left) -> Finding:
    frees = f"; the next is free at {limit.frees_at:%Y-%m-%d %H:%M} UTC" if limit.frees_at else ""
    return Finding(
        incidents.QUOTA,
        provider,
        Severity.WARNING,
        f"{provider}: our quota of requests is used up",
        f"All {limit.limit} requests that we allow ourselves to {provider} in {limit.seconds // 60} minutes are used{frees}. "
        "Refreshes go on by themselves at their next time; a backfill waits, or ends Unfinished and keeps what it has. "
        "Next: run a backfill that ended Unfinished again; when none is to blame, see which runs ask so much "
        "(`figurekeeper batches`), and plan large ones (`figurekeeper plan`) for the night.",
    )


def _paused(row: Row) -> Finding:
    provider = row["provider"]
    since = f" since {row['since'][:16]}Z, at least until {row['until'][:16]}Z" if row["since"] else ""
    return Finding(
        incidents.PAUSED,
        provider,
        Severity.WARNING,
        f"{provider}: refuses us, and is left alone",
        f"{provider} is not asked{since}, because {row['why']}. The pause ends by itself with one trial request. "
        "Next: open the provider's own site; when it works there, `figurekeeper doctor --live` says what it tells us. A "
        "block is never to be evaded.",
    )


def _newest(warehouse: Warehouse, provider: str) -> Row | None:
    """The newest batch of a provider that is done."""
    columns = ledger.batches.c
    query = (
        select(ledger.batches)
        .where(columns.dataset.like(f"{provider}.%"), columns.state == "done")
        .order_by(columns.started_at.desc())
        .limit(1)
    )
    with warehouse.engine.connect() as connection:
        row = connection.execute(query).mappings().one_or_none()
    return dict(row) if row is not None else None


def _failed(batch: Row) -> bool:
    return batch["decision"] == Decision.FAILED.value or bool(batch["header"].get("failed"))


#: How an incident of each kind ended, when it is no longer found.
_ENDED = {
    incidents.STALE: "{subject} was read well, or is asked for no more",
    incidents.QUOTA: "enough requests to {subject} are free again",
    incidents.PAUSED: "{subject} may be asked again",
    incidents.SILENCE: "providers are asked again",
}


def _open(warehouse: Warehouse, one: Finding) -> IncidentChange:
    return incidents.open_new(warehouse, one.subject, one.kind, one.severity, one.title, one.text, _opener())


def _opener() -> str:
    """What stands in an incident's record where that of a refresh names its batch."""
    return f"watch {clock.to_text(clock.now())}"
