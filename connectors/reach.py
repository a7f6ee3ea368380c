"""How far a file speaks: of which periods and economies, so that nothing is concluded of others.

Belongs here: that alone. A question to a provider states its own scope (the connectors).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from connectors.assemble import period_start
from connectors.datasets import Dataset
from warehouse.schema import Scope

_MONTHS = {"A": 12, "Q": 3, "M": 1}


def scopes(dataset: Dataset, periods: Iterable[str], entities: Iterable[str]) -> tuple[Scope, ...]:
    """One scope for each unbroken run of the periods, oldest first: a year that a file leaves out was not read.

    Economies are named when some of the dataset's are not among `entities`.
    """
    held = set(entities)
    named = None if held >= set(dataset.entities) else tuple(one for one in dataset.entities if one in held)
    placed = sorted((_place(period, dataset.frequency), period) for period in set(periods))
    runs = groupby(enumerate(placed), key=lambda item: item[1][0] - item[0])
    spans = [[period for _, (_, period) in run] for _, run in runs]
    return tuple(Scope(span[0], span[-1], named) for span in spans)


def _place(period: str, frequency: str) -> int:
    first = period_start(period, frequency)
    return (first.year * 12 + first.month - 1) // _MONTHS[frequency]
