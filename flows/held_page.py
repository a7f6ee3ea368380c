"""A batch on one page of markdown, for the person who must decide on it: what, how bad, what serves meanwhile, what to do.

Belongs here: wording and layout; the Prefect UI shows markdown in a narrow column, so lists come before wide tables. Does not
belong here: the facts (held), the addresses (links), publishing it (report).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flows import held
from flows.links import Links
from flows.markdown import slug, table
from flows.output import ORIGIN

Row = Mapping[str, Any]
_SEVERITY = {
    "critical": "critical (one is enough to hold a batch back)",
    "warning": "warning (alone it would publish, and say so)",
    "info": "shown only",
}


def page(facts: Row, links: Links, profile: str) -> str:
    """The facts of flows.held as markdown."""
    batch = facts["batch"]
    opening = [
        f"> {ORIGIN[profile]}\n" if profile in ORIGIN else "",
        f"## {batch['dataset']}: {_title(batch)}\n",
        f"- **Batch** `{batch['batch_id']}`",
        f"- **Asked for** {facts['asked']}",
        f"- **Readers see{' meanwhile' if batch['decision'] == 'quarantined' else ''}** {facts['serving']}",
        *_verdict_line(facts["verdicts"]),
        "",
    ]
    sections = (
        _decisions(facts["decisions"]),
        _next(facts, links),
        _checks(facts["checks"], "critical"),
        _worst(facts["worst"]),
        _verdicts(facts["verdicts"]),
        _checks(facts["checks"], "warning"),
        _checks(facts["checks"], "info"),
    )
    return "\n".join([*opening, *(line for section in sections for line in section)])


def _title(batch: Row) -> str:
    waits = batch["decision"] == "quarantined"
    return "new data are held back and wait for a decision" if waits else f"a batch that is {batch['decision']}"


def _verdict_line(verdicts: Row) -> Iterator[str]:
    if "en" in verdicts:
        changed = len(verdicts["en"])
        told = (
            f"{changed} verdict{'s' if changed > 1 else ''} on papers (below)" if changed else "no verdict on a paper"
        )
        yield f"- **A release would change** {told}"


def _next(facts: Row, links: Links) -> Iterator[str]:
    """The forms, filled in, and the commands for what can be decided."""
    batch = facts["batch"]
    actions = [action for action in str(batch["can"]).split(", ") if action]
    if not actions:
        return
    yield "### What to do\n"
    what = {
        "release": "if the new values are right: they are published",
        "discard": "if they are wrong: they are dropped, and the next refresh asks again",
        "void": "if it was published by mistake: what was visible before it shows again",
    }
    for action in actions:
        form = links.review(batch["batch_id"], action)
        told = f"[{action.capitalize()} this batch]({form})" if form else f"Deployment `review`, decision `{action}`:"
        yield f"- {told} {what[action]}. At a shell: `figurekeeper {action} {batch['batch_id']} --reason … --by …`"
    runs = [one["run_id"] for one in facts["decisions"] if one["run_id"]]
    seen = {
        "the dataset's page": links.dataset(batch["dataset"]),
        "the run": links.run(runs[0]) if runs else None,
        "earlier held batches": links.artifact(f"held-{slug(batch['dataset'])}"),
    }
    if known := ", ".join(f"[{name}]({address})" for name, address in seen.items() if address):
        yield f"- Look first: {known}"
    yield ""


def _checks(checks: Sequence[Row], severity: str) -> Iterator[str]:
    """The failed checks of a severity, in words."""
    failed = [check for check in checks if check["severity"] == severity]
    if failed:
        yield f"### Failed checks: {_SEVERITY[severity]}\n"
        yield from (f"- **{check['rule']}** {held.sentence(check)}" for check in failed)
        yield ""


def _worst(cells: Sequence[Row]) -> Iterator[str]:
    """The worst observations beside the last published, one table a part."""
    for part in dict.fromkeys(cell["part"] for cell in cells):
        of_it = [cell for cell in cells if cell["part"] == part]
        units = dict.fromkeys(cell["unit"] for cell in of_it)
        yield f"### Worst observations of `{part}`, in {', '.join(units)}\n"
        flagged = any(cell["status"] for cell in of_it)
        rows = [
            {
                "series": _named(cell),
                "period": cell["period"],
                "new": _shown(cell["new"]),
                "published": _shown(cell["published"]),
                "change": cell["change"] or "none",
                **({"flags": cell["status"]} if flagged else {}),
            }
            for cell in of_it
        ]
        yield table(rows)
        yield ""


def _verdicts(verdicts: Row) -> Iterator[str]:
    """What a release would change in what is said of the papers."""
    if verdicts.get("en"):
        yield "### What a release would change in what is said of the papers\n"
        yield from (f"- {line}" for language in ("en", "zh") for line in verdicts.get(language, ()))
        yield ""


def _decisions(decisions: Sequence[Row]) -> Iterator[str]:
    """The audit trail, when a person has decided already."""
    by_people = [one for one in decisions if "name" in one]
    if by_people:
        yield "### Decisions\n"
        for one in by_people:
            at = one["at"][:16].replace("T", " ")
            yield f"- {at} UTC: {one['decision']} by **{one['actor']}** ({one['name']}): {one['reason']}"
        yield ""


def _named(cell: Row) -> str:
    """What people call a series, and its key."""
    key = f"`{cell['series'].removesuffix('.' + cell['part'])}`"
    return f"{cell['label']} {key}" if cell["label"] else key


def _shown(value: str | None) -> str:
    return "none" if value is None else value
