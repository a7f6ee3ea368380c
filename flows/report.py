"""What a person reads of a run in the Prefect UI: markdown and tables made from outcomes, published under stable keys.

Belongs here: wording and layout. Does not belong here: what was decided (pipeline) or who is told (alerts). The
rendering functions are plain; only `publish_*` speaks to Prefect. A key is stable, so that the UI shows its history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import held, held_page, links, pipeline, trend
from flows.markdown import slug, table
from flows.output import ORIGIN
from warehouse.schema import Decision

if TYPE_CHECKING:
    from flows.links import Links
    from flows.pipeline import Outcome
    from flows.settings import Settings
    from warehouse.schema import CheckResult, IncidentChange

Row = dict[str, Any]


def headline(outcomes: Sequence[Outcome]) -> str:
    """One line for the state's message: what became of the batch, or of all batches of a walk or backfill."""
    if not outcomes:
        return "nothing was left to ask for"
    if len(outcomes) == 1:
        return outcomes[0].message
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.decision.value] = counts.get(outcome.decision.value, 0) + 1
    told = ", ".join(f"{n} {decision}" for decision, n in counts.items())
    return f"{len(outcomes)} batches: {told}; {sum(o.vintages for o in outcomes)} vintages"


def but(done: str) -> str:
    """Before an error that came when the work itself was done: nobody should do it again because of it."""
    return f"done, and it stands: {done}. But then: "


def batch_rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """One row a batch."""
    return [
        {
            "batch": o.batch_id,
            "decision": o.decision.value,
            "edition": o.edition,
            "vintages": o.vintages,
            "observations": o.observations,
            "revised": o.revised,
            "added": o.added,
            "withdrawn": o.withdrawn,
            "requests": o.requests,
        }
        for o in outcomes
    ]


def part_rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """One row a part and batch, with the vintage made of it and the sha256 of the bytes it came from."""
    return [
        {
            "batch": o.batch_id,
            "part": p.part,
            "change": p.change,
            "vintage": p.vintage_id or "",
            "known from": p.known_from.isoformat() if p.known_from else "",
            "sha256": ", ".join(digest[:12] for digest in p.sha256s),
        }
        for o in outcomes
        for p in o.parts
    ]


def summary(
    settings: Settings, dataset: str, outcomes: Sequence[Outcome], found: Links, beside: Mapping[str, UUID | None]
) -> str:
    """A refresh on one page: what happened, each batch, what was not read, and where to look further; `beside`: the other
    artifacts of the run, by what is in them."""
    lines = [f"> {ORIGIN[settings.profile]}\n"] if settings.profile in ORIGIN else []
    lines += [f"## {dataset}\n", f"{headline(outcomes)}\n"]
    if len(outcomes) > 1:
        lines += [table(batch_rows(outcomes)), ""]
    for outcome in outcomes:
        lines += [f"- warning: {check.rule} in `{check.part}`, {check.observed}" for check in _warnings(outcome)]
        lines += [f"- `{part.part}` {part.change}" for part in outcome.parts if part.part in outcome.unread]
    further = {name: found.opened(artifact) for name, artifact in beside.items()}
    further["the dataset's page"] = found.dataset(dataset)
    lines += ["", *(f"- [{name}]({address})" for name, address in further.items() if address)]
    return "\n".join(lines) + "\n"


def _warnings(outcome: Outcome) -> list[CheckResult]:
    """The failed checks of a batch that was published all the same; a held one has a page of its own."""
    return [] if outcome.decision is Decision.QUARANTINED else list(outcome.failed_checks)


def publish_refresh(settings: Settings, dataset: str, outcomes: Sequence[Outcome]) -> None:
    """Publish the artifacts of a refresh: the page, the parts, what the newest published batch changed, the quality of the last
    batches, and for a batch that is held back all that a person needs to decide."""
    key, found = slug(dataset), links.of(settings)
    held_back = [outcome.batch_id for outcome in outcomes if outcome.decision is Decision.QUARANTINED]
    published = [outcome.batch_id for outcome in outcomes if outcome.edition is not None]
    parts = create_table_artifact(
        part_rows(outcomes), key=f"parts-{key}", description=f"Parts and vintages of {dataset}"
    )
    beside = {
        "why the batch is held back, and the forms to decide": publish_held(settings, held_back[-1])
        if held_back
        else None,
        "what was revised, and why": publish_changes(settings, dataset, published[-1]) if published else None,
        "parts and vintages": cast(UUID, parts),
        "quality of the last batches": publish_quality(settings, dataset),
    }
    page = summary(settings, dataset, outcomes, found, beside)
    create_markdown_artifact(page, key=f"refresh-{key}", description=headline(outcomes))


def publish_held(settings: Settings, batch_id: str) -> UUID:
    """Publish what a person needs to know to decide on a batch, or what was decided on it."""
    facts = held.facts(settings, batch_id)
    dataset = facts["batch"]["dataset"]
    page = held_page.page(facts, links.of(settings), settings.profile)
    description = f"Batch {batch_id} of {dataset}: {facts['batch']['decision']}"
    return cast(UUID, create_markdown_artifact(page, key=f"held-{slug(dataset)}", description=description))


def publish_quality(settings: Settings, dataset: str) -> UUID | None:
    """Publish how the checks of the dataset's last batches went; nothing before its first checks."""
    rows = trend.rows(pipeline.open_warehouse(settings, create=False), dataset)
    if not rows:
        return None
    shown = [
        {"when": row["at"][:10], "decision": row["decision"]}
        | {name: row[name] for name in ("passed", "critical", "warning", "info", "revised")}
        | {"of": row["observations"]}
        for row in reversed(rows)
    ]
    text = (
        f"## Quality of {dataset}\n\nThe last {len(rows)} batches, newest first: checks that passed, those that failed by "
        f"severity, and how many of its observations each revised.\n\n{table(shown)}\n"
    )
    description = f"Checks of {dataset}, batch by batch"
    return cast(UUID, create_markdown_artifact(text, key=f"quality-{slug(dataset)}", description=description))


def change_rows(summary: Iterable[Row]) -> list[Row]:
    """What a batch changed, counted by part and kind (rows of warehouse.revisions.summary), for people."""
    return [
        {
            "part": row["part"],
            "kind": row["kind"],
            "cells": row["cells"],
            "series": row["series"],
            "largest": "" if row["largest"] is None else f"{row['largest']:.2%}",
            "causes": row["causes"],
        }
        for row in summary
    ]


def publish_changes(settings: Settings, dataset: str, batch_id: str) -> UUID | None:
    """Publish what a batch changed against the vintages before it; nothing when nothing that was known changed."""
    rows = change_rows(pipeline.changes(settings, batch_id))
    if not rows:
        return None
    description = f"What batch {batch_id} changed, and why"
    return cast(UUID, create_table_artifact(rows, key=f"changes-{slug(dataset)}", description=description))


def publish_review(settings: Settings, outcome: Outcome, by: str, reason: str) -> None:
    """Publish a person's decision with its effect, and the batch's own page, which then says so, too."""
    effect = f"edition {outcome.edition} shows it" if outcome.edition is not None else "what readers see stays as it is"
    lines = [
        f"> {ORIGIN[settings.profile]}\n" if settings.profile in ORIGIN else "",
        f"## Batch `{outcome.batch_id}` is {outcome.decision.value}\n",
        f"- **By** {by} (as typed into the form; the server knows no users, so nobody checked it)",
        f"- **Reason** {reason}",
        f"- **Effect** {effect}",
        *(f"- **Incident {change.id}** {change.transition}: {change.title}" for change in outcome.incidents),
    ]
    found = links.of(settings).dataset(outcome.dataset)
    lines += [f"- [The dataset's page]({found})"] if found else []
    description = f"{outcome.batch_id} {outcome.decision.value} by {by}"
    create_markdown_artifact("\n".join(lines), key=f"review-{slug(outcome.dataset)}", description=description)
    publish_held(settings, outcome.batch_id)


def publish_acknowledgement(closed: IncidentChange) -> None:
    """Publish an editor's word on an incident."""
    text = f"## Incident {closed.id} of {closed.dataset} is closed\n\n{closed.title}\n\n{closed.text}\n"
    create_markdown_artifact(text, key=f"acknowledged-{slug(closed.dataset)}", description=closed.text)
