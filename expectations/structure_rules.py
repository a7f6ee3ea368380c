"""The rules of the layer structure: what a change in a provider's own description of its data means for them.

Belongs here: how grave each change is, and the frame in which Great Expectations looks for it. Does not belong here: which
changes there are (connectors/structures.py names and words them), rules over numbers (part_rules.py, comparison_rules.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.errors import ProviderError
from connectors.structures import CHANGES, Compared
from expectations.rules import Demand, Rule, always, nothing
from warehouse.schema import Severity

if TYPE_CHECKING:
    import pandas as pd

FRAME: Final = "structure"
READ = "structure-read"


@dataclass(frozen=True)
class StructureEvidence:
    """A structure beside the one it is compared with; with `error`, it could not be read, and there is nothing to compare."""

    compared: Sequence[Compared] = ()
    error: ProviderError | None = None


#: Name, severity, what is expected, and why it matters.
_TABLE = (
    (
        READ,
        Severity.WARNING,
        "the structure can be read",
        "While the structure cannot be read, a change of meaning shows in the numbers alone.",
    ),
    (
        "dimension-new",
        Severity.CRITICAL,
        "no new dimension",
        "A new dimension splits every series in two or more; a key without it means a sum, a part, or nothing.",
    ),
    (
        "dimension-vanished",
        Severity.CRITICAL,
        "every dimension is still there",
        "Series that a vanished dimension kept apart now come under one key.",
    ),
    (
        "dimension-order",
        Severity.CRITICAL,
        "dimensions stand in the same order",
        "Keys are positional: in another order they ask for something else.",
    ),
    (
        "code-vanished",
        Severity.CRITICAL,
        "every code in use is still listed",
        "What a code in use stood for is withdrawn, archived, or goes by another code.",
    ),
    (
        "code-without-data",
        Severity.CRITICAL,
        "every code in use still has data",
        "A code that is listed and holds nothing any more has been replaced by another.",
    ),
    (
        "unit-changed",
        Severity.CRITICAL,
        "units are the same",
        "The same number in another unit is another number.",
    ),
    (
        "role-changed",
        Severity.CRITICAL,
        "agent roles and their like are the same",
        "By inventor or by applicant, patents of one country are different patents under the same name.",
    ),
    (
        "code-renamed",
        Severity.CRITICAL,
        "codes in use have the same names",
        "A name may be the only place that says in what, of what and of whom is counted; a person has to read both.",
    ),
    (
        "code-moved",
        Severity.WARNING,
        "leaves in use stand where they stood",
        "A leaf is moved when its subject is divided otherwise.",
    ),
    (
        "version-changed",
        Severity.WARNING,
        "the version is the same",
        "A new version may add, drop or rename codes that are not compared here.",
    ),
    (
        "attribute-changed",
        Severity.WARNING,
        "attributes are the same",
        "Flags, multipliers and base years come as attributes; one that is gone can no longer contradict us.",
    ),
    (
        "source-changed",
        Severity.WARNING,
        "the numbers have the same source",
        "Another organisation counts by other rules.",
    ),
    (
        "membership-changed",
        Severity.WARNING,
        "economies are in the same regions and income classes",
        "Averages of a group move when its members do.",
    ),
    (
        "note-changed",
        Severity.INFO,
        "definitions and notes are the same",
        "A definition that was worded anew is worth reading.",
    ),
    (
        "code-list-changed",
        Severity.INFO,
        "no code came, and none that is not used went or was renamed",
        "Codes that are not used yet may be wanted.",
    ),
)
_DEMANDS = {name: nothing(expected) for name, _, expected, _ in _TABLE}


def _column(name: str) -> str:
    return name.replace("-", "_")


RULES = tuple(
    Rule(name, "structure", severity, FRAME, _column(name), why, always(_DEMANDS[name]))
    for name, severity, _, why in _TABLE
)
RULE = {rule.id: rule for rule in RULES}


def demands(evidence: StructureEvidence) -> list[tuple[Rule, Demand]]:
    """The rules that have something to examine, each with what it demands."""
    return [(rule, _DEMANDS[rule.id]) for rule in RULES if examined(rule, evidence)]


def frame_of(evidence: StructureEvidence) -> pd.DataFrame:
    """One row a compared element: kind, within, code, old, new, and for each rule a column with what it finds, in words."""
    import pandas as pd

    told = evidence.error.what if evidence.error else None
    rows = [
        {
            "kind": one.element.kind,
            "within": one.element.place,
            "code": one.element.code,
            "old": one.old,
            "new": one.new,
            _column(one.change or READ): one.text or told,
        }
        for one in evidence.compared
    ] or [{_column(READ): told}]
    columns = ["kind", "within", "code", "old", "new", *(rule.column for rule in RULES)]
    return pd.DataFrame(rows, columns=columns, dtype="object")


def examined(rule: Rule, evidence: StructureEvidence) -> int:
    """How many of the elements are of a kind that the rule is about."""
    if rule.id == READ:
        return len(evidence.compared) or int(evidence.error is not None)
    kinds = {kind for kind, changes in CHANGES.items() if rule.id in changes}
    return sum(1 for one in evidence.compared if one.element.kind in kinds)
