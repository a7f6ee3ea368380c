"""Before a refresh or backfill: what it would ask of the provider, and what that costs.

Belongs here: the rows of a plan. Which requests there are is the connectors' matter, what the limits are the quota's. Nothing is
asked of a provider, and sizes are those of the last answers held.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, get_args

from connectors import contract, structures
from connectors.contract import Ask
from connectors.datasets import Dataset
from connectors.http.kept import Kept
from connectors.http.quota import Need, Quota
from connectors.http.request import Cost, Request
from connectors.versions import versions
from flows import catalogue, taking
from flows.settings import Settings
from warehouse import clock, held_over
from warehouse.errors import NoWarehouse, UsageError
from warehouse.schema import Scope
from warehouse.store import Warehouse

Row = dict[str, Any]
#: By frequency: a word for such figures, and how one of their periods is written.
_FORMS = {"A": ("yearly", "2017"), "Q": ("quarterly", "2017-Q3"), "M": ("monthly", "2017-05")}
_FINER = "AQM"


def ask_of(provider: str, first: str | None, last: str | None, span: str | None) -> Ask:
    """A backfill in the connectors' words: periods from `first` to `last`, old vintages of `span` ("A" or "A:B").

    Raises UsageError for a period or span that cannot be meant.
    """
    start, end = clock.parse_periods(f"{first or ''}:{last or ''}") if first or last else (None, None)
    return Ask(scope=Scope(start=start, end=end), versions=versions(provider, span))


def rows(settings: Settings, names: Sequence[str]) -> list[Row]:
    """The first requests of a refresh of some datasets, if everything is read; of a backfill, see backfill_plan.

    Columns: dataset, part, request, parameters, cost, bytes (None: nothing like it is held). Raises UsageError for an unknown
    dataset.
    """
    found: list[Row] = []
    for name in names:
        dataset = catalogue.load(settings, name)
        if dataset.reads == "files":
            found += taking.rows(settings, dataset)
            continue
        found += rows_of(settings, dataset, Ask())
    return found


def checked(dataset: Dataset, first: str | None, last: str | None, span: str | None) -> Ask:
    """`ask_of` for one dataset. Raises UsageError, too, for periods that its figures cannot have."""
    try:
        ask = ask_of(dataset.provider, first, last, span)
    except UsageError as error:
        error.dataset = dataset.id
        raise
    _check_periods(dataset, ask.scope)
    return ask


def rows_of(settings: Settings, dataset: Dataset, ask: Ask, kept: Kept | None = None) -> list[Row]:
    """The first requests of one question, but those whose answers are `kept`; columns as in `rows`."""
    requests = contract.connector(dataset.provider).plan(dataset, ask)
    requests += [] if ask.versions else structures.beyond(dataset, requests)
    sizes = _sizes(settings, dataset, ask, requests)
    return [
        {
            "dataset": dataset.id,
            "part": request.part,
            "request": f"{request.method} {request.path}",
            "parameters": "&".join(f"{key}={value}" for key, value in request.params),
            "cost": request.cost,
            "bytes": sizes.get(_like(request)),
        }
        for request in requests
        if kept is None or request.anew or kept.look(request) is None
    ]


def totals(settings: Settings, plan: Iterable[Row]) -> list[Row]:
    """A plan in sum, one row a provider and cost class, which is what the limits count.

    Columns: provider, cost, requests, bytes (of those whose size is known), unknown (how many are not), left (of the limit with
    the longest window now), limit, window (its seconds), seconds (to wait for our limits, at most), runs (in how many runs, since
    one ends when it would wait too long).
    """
    by_provider: dict[str, list[Row]] = {}
    for row in plan:
        if row["cost"] in get_args(Cost):  # a file of the drop folder costs no request
            by_provider.setdefault(row["dataset"].split(".")[0], []).append(row)
    return [total for provider, some in sorted(by_provider.items()) for total in _of_provider(settings, provider, some)]


def headline(plan: Sequence[Row], sums: Sequence[Row]) -> str:
    """A plan in one line."""
    told = ", ".join(f"{row['requests']} {row['provider']} {row['cost']}" for row in sums)
    size = sized(sum(row["bytes"] for row in sums), sum(row["unknown"] for row in sums))
    return f"{len(plan)} first requests ({told}), {size}, {waiting(sum(row['seconds'] for row in sums))}"


def waiting(seconds: float) -> str:
    """How long our own limits make a plan wait, in words."""
    return f"at most {lasting(seconds)} of waiting for our own limits" if seconds else "no waiting"


def lasting(seconds: float) -> str:
    """A time in words, such as "1 hour and 30 minutes"; rounded up: from an hour on to a minute."""
    import humanize

    whole = math.ceil(seconds) if seconds < 3600 else 60 * math.ceil(seconds / 60)
    return humanize.precisedelta(whole, format="%d")


def sized(known: int, unknown: int) -> str:
    """Bytes that are known, and how many answers are of unknown size, in words."""
    import humanize

    told = [humanize.naturalsize(known)] if known or not unknown else []
    return " and ".join([*told, *([f"{unknown} answers of unknown size"] if unknown else [])])


def _check_periods(dataset: Dataset, scope: Scope) -> None:
    """Raises UsageError for a range behind all figures, or finer than they are: providers answer those with anything."""
    last = clock.period_end(dataset.end) if dataset.end else clock.now().date()
    if scope.start is not None and clock.period_start(scope.start) > last:
        raise UsageError(
            f"the range begins with {scope.start}, behind the last period that there can be",
            dataset=dataset.id,
            next_step=f"let it begin in {last.year} or before",
        )
    for period in (scope.start, scope.end):
        if period is not None and _FINER.index(_frequency(period)) > _FINER.index(dataset.frequency):
            words, form = _FORMS[dataset.frequency]
            raise UsageError(
                f"'{period}' is no period of {words} figures", dataset=dataset.id, next_step=f"write it as {form}"
            )


def _frequency(period: str) -> str:
    return "A" if len(period) == 4 else "Q" if "Q" in period else "M"


def _of_provider(settings: Settings, provider: str, some: Iterable[Row]) -> list[Row]:
    grouped: dict[Cost, list[Row]] = {}
    with closing(Quota(settings.quota_place, provider, profile=settings.profile)) as quota:
        for row in some:
            grouped.setdefault(quota.counts_as(row["cost"]), []).append(row)
        return [_total(provider, cost, alike, quota.need(cost, len(alike))) for cost, alike in sorted(grouped.items())]


def _total(provider: str, cost: Cost, some: Sequence[Row], need: Need) -> Row:
    known = [row["bytes"] for row in some if row["bytes"] is not None]
    return {
        "provider": provider,
        "cost": cost,
        "requests": len(some),
        "bytes": sum(known),
        "unknown": len(some) - len(known),
        "left": need.widest.left,
        "limit": need.widest.limit,
        "window": need.widest.seconds,
        "seconds": need.seconds,
        "runs": need.runs,
    }


def _sizes(settings: Settings, dataset: Dataset, ask: Ask, requests: Sequence[Request]) -> dict[str, int]:
    """How many bytes to expect of requests alike: what the last answers to such had, shared among them."""
    try:
        warehouse = Warehouse(**settings.place, create=False)
    except NoWarehouse:
        return {}
    counts = Counter(_like(request) for request in requests if request.part is not None)
    times = max(len(ask.versions), 1)
    held = held_over.sizes(warehouse, dataset.id, {_like(request) for request in requests})
    return held | {like: held[like] * times // count for like, count in counts.items() if like in held}


def _like(request: Request) -> str:
    return held_over.like(request.part, request.method, request.address)


def told(plan: Iterable[Row]) -> Iterator[Row]:
    """Rows of a plan for people: sizes in words, and one that is not known says so."""
    return ({**row, "bytes": "unknown" if row["bytes"] is None else sized(row["bytes"], 0)} for row in plan)
