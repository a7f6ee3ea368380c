"""A figure or table as a whole: one verdict from those on its cells and on the sentences about it.

Belongs here: putting verdicts together. Does not belong here: reaching them (statements), showing the numbers (figures).
"""

from __future__ import annotations

from collections.abc import Sequence

from warehouse.papers.model import Exhibit
from warehouse.papers.results import Judged, Verdict

#: Verdicts that say nothing of a number.
_SILENT = frozenset({Verdict.NO_SOURCE, Verdict.NOT_COMPUTED, Verdict.NOT_QUANTITATIVE})
_BORNE_OUT = frozenset(
    {Verdict.REPRODUCED, Verdict.REVISED, Verdict.NEIGHBOUR, Verdict.BRACKETED, Verdict.ASSUMED, Verdict.PROXY_AGREES}
)
#: What a reader must hear first where nothing is borne out.
_GRAVEST = (
    Verdict.INCONSISTENT,
    Verdict.CONTRADICTED,
    Verdict.NOT_REPRODUCED,
    Verdict.DIFFERS_NOW,
    Verdict.PARTLY,
    Verdict.NOT_COMPARABLE,
    Verdict.PROXY_DIFFERS,
)


def of(exhibit: Exhibit, judged: Sequence[Judged]) -> tuple[Verdict, tuple[int, int] | None]:
    """The verdict on an exhibit, and how many of its statements are borne out, of how many; None where none was computed.

    `judged`: its cells and the claims about it. One verdict for all is its own; where only some are borne out it partly holds.
    """
    if not exhibit.quantitative:
        return Verdict.NOT_QUANTITATIVE, None
    decided = [one.verdict for one in judged if one.verdict not in _SILENT]
    if not decided:
        sourceless = exhibit.machine_readable == "no" and not exhibit.drawn
        return (Verdict.NO_SOURCE if sourceless else Verdict.NOT_COMPUTED), None
    good = sum(verdict in _BORNE_OUT for verdict in decided)
    holds = (good, len(judged))
    if len(decided) == len(judged) and len(set(decided)) == 1:
        return decided[0], holds
    return (Verdict.PARTLY if good else min(decided, key=_GRAVEST.index)), holds
