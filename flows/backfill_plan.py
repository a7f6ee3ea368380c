"""The plan of a backfill for people: what it would ask, what is held already, how long it takes, and what to do next.

Belongs here: the plan as a record and as a page. Does not belong here: the requests and their cost (estimate), which answers may
stand for new ones (economy), publishing the page (the Prefect flow). Nothing is asked of a provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.contract import KEPT_DAYS, Ask
from connectors.datasets import Dataset
from connectors.http.kept import Kept
from flows import catalogue, economy, estimate, pipeline
from flows.markdown import table
from flows.settings import Settings
from warehouse import held_over
from warehouse.errors import NoWarehouse

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """`requests` and `totals` as in estimate; `held`: a sentence for each dataset of which something need not be asked again;
    `seconds`: how long the work takes beside waiting for limits, by the last batches (None: there were none)."""

    requests: list[Row]
    totals: list[Row]
    held: tuple[str, ...]
    seconds: float | None

    @property
    def headline(self) -> str:
        """The plan in one line."""
        return estimate.headline(self.requests, self.totals) if self.requests else "nothing is left to ask for"

    @property
    def duration(self) -> str:
        """How long it takes, and in how many runs; "" when nothing is left to ask for."""
        if not self.requests:
            return ""
        waiting = sum(row["seconds"] for row in self.totals)
        runs = max((row["runs"] for row in self.totals), default=1)
        told = estimate.waiting(waiting)
        if self.seconds is None:
            told += ", and the time that the providers take to answer, which is not known before a first refresh"
        else:
            told += f", and about {estimate.lasting(self.seconds)} of work, by the last batches"
        if runs == 1:
            return f"One run will do: {told}."
        window = estimate.lasting(max(row["window"] for row in self.totals if row["runs"] == runs))
        return (
            f"The quota does not suffice for one run: about {runs} runs, with {window} between two. Each ends by itself, "
            f"says what is left, and the next one of the same form goes on there. In all {told}."
        )


def plan(
    settings: Settings, names: Sequence[str], first: str | None = None, last: str | None = None, span: str | None = None
) -> Plan:
    """What a backfill would ask now.

    Raises UsageError for an unknown dataset, period or span, and for a dataset whose tables come as files.
    """
    requests: list[Row] = []
    held, paces = [], list[float | None]()
    for name in names:
        dataset = catalogue.load_enabled(settings, name)
        if dataset.reads == "files":
            raise pipeline.not_asked_for(dataset)
        ask = estimate.checked(dataset, first, last, span)
        left, kept, pace = _spared(settings, dataset, ask)
        found = estimate.rows_of(settings, dataset, left, kept) if left.versions or not ask.versions else []
        spared = len(estimate.rows_of(settings, dataset, ask)) - len(found)
        if spared:
            read = sorted(set(ask.versions) - set(left.versions))
            vintages = f"; vintages read in the last {KEPT_DAYS} days: {', '.join(read)}" if read else ""
            held.append(f"{name}: {spared} of its requests are answered already and would not be asked again{vintages}")
        requests += found
        paces.append(pace * len(found) if pace is not None else None)
    seconds = None if None in paces else sum(pace for pace in paces if pace is not None)
    return Plan(requests, estimate.totals(settings, requests), tuple(held), seconds)


def page(made: Plan, *, running: bool = False, reason: str = "", form: str | None = None) -> str:
    """The plan in markdown; `running`: it is carried out now; `form`: the address of the form that runs it."""
    text = f"## What this backfill {'asks' if running else 'would ask'}\n\n{made.headline}.\n\n"
    if made.totals:
        text += f"{table(cost_rows(made.totals))}\n\n### How long\n\n{made.duration}\n\n"
    if made.held:
        text += "### Already held\n\n" + "\n".join(f"* {one}." for one in made.held) + "\n\n"
    if running:
        return f"{text}It is running; the artifacts backfill-progress-… of this run show how far it has got.\n"
    return f"{text}### What next\n\n{_next(made, reason, form)}\n"


def cost_rows(totals: Sequence[Row]) -> list[Row]:
    """A plan in sum, for people."""
    return [
        {
            "provider": row["provider"],
            "cost": row["cost"],
            "requests": row["requests"],
            "size": estimate.sized(row["bytes"], row["unknown"]),
            "left of the quota": f"{row['left']} of {row['limit']} in {estimate.lasting(row['window'])}",
            "waiting, at most": estimate.lasting(row["seconds"]) if row["seconds"] else "none",
            "runs": row["runs"],
        }
        for row in totals
    ]


def _next(made: Plan, reason: str, form: str | None) -> str:
    if not made.requests:
        return "Nothing: all of it was read in the last days. What is visible is not touched by this plan."
    why = "" if reason else " and a reason"
    if form is not None:
        return f"Nothing was asked. [Open the form, filled in to run this]({form}){', and say why' if why else ''}."
    return f"Nothing was asked. Run the same form again with mode `run`{why}."


def _spared(settings: Settings, dataset: Dataset, ask: Ask) -> tuple[Ask, Kept, float | None]:
    """The question without what was read in the last days, what runs that were cut off have been answered, and the seconds that
    a request takes."""
    try:
        warehouse = pipeline.open_warehouse(settings, create=False)
    except NoWarehouse:
        return ask, Kept(), None
    left = replace(ask, versions=tuple(economy.unread_versions(warehouse, dataset, ask)))
    each = [replace(ask, versions=(version,)) for version in left.versions] or [ask]
    kept = Kept([run for one in each for run in economy.cut_off(warehouse, dataset, one).runs])
    return left, kept, held_over.seconds_a_request(warehouse, dataset.id)
