"""The rules of the layer papers: what the papers print and the published data bear out must stay so, or be told.

Belongs here: the two rules and the frame in which Great Expectations looks. Does not belong here: which statements those are
and what becomes of them (warehouse/papers/changes.py), and who is alerted (flows/verdict_step.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from expectations.rules import Demand, Rule, always, nothing
from warehouse.papers.changes import Foreseen
from warehouse.schema import Severity

if TYPE_CHECKING:
    import pandas as pd

FRAME: Final = "printed"
_DEMANDS = {
    "printed-cells": nothing("every printed statement that was reproduced still is, as before"),
    "papers-judged": nothing("the papers can be judged"),
}
_WHY = {
    "printed-cells": "A number that somebody printed and that the data bore out reads otherwise now: its author wants to know.",
    "papers-judged": "While the papers cannot be judged, nobody hears that a printed number reads otherwise.",
}
RULES = tuple(
    Rule(name, "papers", Severity.WARNING, FRAME, name.replace("-", "_"), _WHY[name], always(demand))
    for name, demand in _DEMANDS.items()
)
RULE = {rule.id: rule for rule in RULES}


def demands(foreseen: Foreseen) -> list[tuple[Rule, Demand]]:
    """The rules that have something to examine, each with what it demands."""
    return [(rule, _DEMANDS[rule.id]) for rule in RULES if examined(rule, foreseen)]


def frame_of(foreseen: Foreseen) -> pd.DataFrame:
    """One row a printed statement that was reproduced: code (its id), old and new verdict, and for each rule its finding."""
    import pandas as pd

    rows = [
        {
            "code": golden.id,
            "old": golden.before.value,
            "new": golden.after.value,
            "printed_cells": f"{golden.id}: {golden.says}, printed {golden.printed}" if golden.lost else None,
        }
        for golden in foreseen.goldens
    ]
    columns = ["code", "old", "new", *(rule.column for rule in RULES)]
    rows += [dict.fromkeys(columns) | {"papers_judged": foreseen.error}] if foreseen.error else []
    return pd.DataFrame(rows, columns=columns, dtype="object")


def examined(rule: Rule, foreseen: Foreseen) -> int:
    """How many statements a rule looks at; that the papers cannot be judged is one finding."""
    return len(foreseen.goldens) or int(rule.id == "papers-judged" and foreseen.error is not None)
