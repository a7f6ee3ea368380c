"""What a person reads of a run in the Prefect UI: markdown and tables made from outcomes, published under stable keys.

Belongs here: wording and layout. Does not belong here: what was decided (pipeline) or who is told (alerts). The
rendering functions are plain; only `publish_*` speaks to Prefect. A key is stable, so that the UI shows its history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from warehouse.schema import CheckResult, Severity

if TYPE_CHECKING:
    from flows.pipeline import Outcome

Row = dict[str, Any]


def slug(name: str) -> str:
    """A Prefect artifact key: lower-case letters, digits and dashes."""
    return "".join(c if c.isalnum() else "-" for c in name.lower())


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


def table(rows: Sequence[Row]) -> str:
    """Rows with the same keys as a markdown table; a bar within a cell is escaped."""
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


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


def revision_rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """One row for every part in which something that was already known changed, counted in observations."""
    return [
        {
            "known from": f"{p.known_from:%Y-%m-%d}" if p.known_from else "",
            "part": p.part,
            "revised": p.revised,
            "added": p.added,
            "withdrawn": p.withdrawn,
            "change": p.change,
        }
        for o in outcomes
        for p in o.parts
        if p.revised or p.withdrawn
    ]


def check_rows(checks: Iterable[CheckResult]) -> list[Row]:
    """One row a check, the gravest first."""
    order = list(Severity)
    return [
        {
            "severity": c.severity.value,
            "rule": c.rule,
            "part": c.part,
            "rows": f"{c.unexpected} of {c.examined}",
            "observed": c.observed,
            "expected": c.expected,
            "accepted because": c.accepted or "",
        }
        for c in sorted(checks, key=lambda c: order.index(c.severity))
    ]


def example_rows(checks: Iterable[CheckResult]) -> list[Row]:
    """The worst observations each check names, as one readable text a row."""
    return [
        {"rule": c.rule, "part": c.part, "observation": ", ".join(f"{k} {v}" for k, v in example.items())}
        for c in checks
        for example in c.examples
    ]


def findings(batch: str, failed: Sequence[CheckResult]) -> str:
    """What the gate held against a batch: failed checks and the worst observations; "" when there is nothing."""
    if not failed:
        return ""
    text = f"### Checks that failed in batch `{batch}`\n\n{table(check_rows(failed))}\n"
    examples = example_rows(failed)
    return text + (f"\n### Worst observations\n\n{table(examples)}\n" if examples else "")


def summary(dataset: str, profile: str, outcomes: Sequence[Outcome]) -> str:
    """The run on one page: what happened, every batch, every finding, and what a person may do about a quarantine."""
    sandbox = "> SANDBOX: published figures served by a local stand-in\n\n" if profile == "sandbox" else ""
    text = f"{sandbox}## {dataset}\n\n{headline(outcomes)}\n\n{table(batch_rows(outcomes))}\n\n"
    text += "\n".join(filter(None, (findings(o.batch_id, o.failed_checks) for o in outcomes)))
    held = [o.batch_id for o in outcomes if o.decision.value == "quarantined"]
    if held:
        text += (
            f"\n### What next\n\nNothing of {', '.join(held)} is visible; the last good data keep serving. "
            f"Run the deployment `review`, or `figurekeeper release {held[-1]} --reason … --by …` (or `discard`).\n"
        )
    return text


def publish_refresh(dataset: str, profile: str, outcomes: Sequence[Outcome]) -> None:
    """Publish the artifacts of a refresh: the page, the parts, and what was revised."""
    key = slug(dataset)
    create_markdown_artifact(summary(dataset, profile, outcomes), key=f"refresh-{key}", description=headline(outcomes))
    create_table_artifact(part_rows(outcomes), key=f"parts-{key}", description=f"Parts and vintages of {dataset}")
    revised = revision_rows(outcomes)
    if revised:
        create_table_artifact(revised, key=f"revisions-{key}", description=f"What was revised in {dataset}")


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


def publish_changes(dataset: str, batch_id: str, summary: Sequence[Row]) -> None:
    """Publish what a batch changed against the vintages before it; nothing when nothing that was known changed."""
    if summary:
        create_table_artifact(
            change_rows(summary), key=f"changes-{slug(dataset)}", description=f"What batch {batch_id} changed, and why"
        )


def publish_review(outcome: Outcome, checks: Sequence[CheckResult], action: str, by: str, reason: str) -> None:
    """Publish the record of a person's decision, with what the gate had held against the batch."""
    text = f"## {action} of batch `{outcome.batch_id}`\n\n{outcome.message}\n\n**{by}**: {reason}\n\n"
    text += findings(outcome.batch_id, checks)
    create_markdown_artifact(text, key=f"review-{slug(outcome.dataset)}", description=f"{action} by {by}")


def cost_rows(totals: Iterable[Row]) -> list[Row]:
    """A plan in sum (rows of estimate.totals), for people."""
    return [
        {
            "provider": row["provider"],
            "cost": row["cost"],
            "requests": row["requests"],
            "bytes": f"{row['bytes']:,}" + (f" and {row['unknown']} answers of unknown size" if row["unknown"] else ""),
            "left of the quota": f"{row['left']} of {row['limit']} in {row['window']} s",
            "waiting, at most": f"{row['seconds']} s",
            "runs": row["runs"],
        }
        for row in totals
    ]


def publish_plan(rows: Sequence[Row], totals: Sequence[Row], text: str) -> None:
    """Publish the plan of a backfill: the cost on a page, every request in a table."""
    page = f"## What this backfill would ask\n\n{text}\n\n{table(cost_rows(totals))}\n"
    create_markdown_artifact(page, key="backfill-plan", description=text)
    create_table_artifact(list(rows), key="backfill-requests", description=f"{len(rows)} first requests")
