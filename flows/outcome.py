"""What became of a batch and of its parts, for people and for the flows that report it, and in which words.

Belongs here: the records and their one-line messages. Does not belong here: how an outcome comes about (pipeline).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from warehouse.errors import FigurekeeperError
from warehouse.schema import CheckResult, Decision, IncidentChange, PartData
from warehouse.staging import Confirmed, Staged

if TYPE_CHECKING:
    from connectors.errors import NotAsked
    from expectations.gate import Judgement

#: Where a long piece of work says what it does.
Note = Callable[[str], None]

NO_DATA = "no data"
UNCHANGED = "unchanged"
FAILED = "failed: "


@dataclass(frozen=True)
class PartOutcome:
    """What became of one part; counts are observations against the predecessor."""

    part: str
    change: str
    vintage_id: str | None = None
    known_from: datetime | None = None
    revised: int = 0
    added: int = 0
    withdrawn: int = 0
    sha256s: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a batch. `edition` is the one its publish made; `results` are all checks, `failed_checks` those that
    failed and are not on the acceptance list; `exhausted`: the limit or pause by which parts were not asked for."""

    dataset: str
    batch_id: str
    decision: Decision
    message: str
    edition: int | None = None
    vintages: int = 0
    observations: int = 0
    revised: int = 0
    added: int = 0
    withdrawn: int = 0
    requests: int = 0
    results: tuple[CheckResult, ...] = ()
    failed_checks: tuple[CheckResult, ...] = ()
    parts: tuple[PartOutcome, ...] = ()
    incident: IncidentChange | None = None
    verdicts: tuple[IncidentChange, ...] = ()
    exhausted: NotAsked | None = None

    @property
    def incidents(self) -> tuple[IncidentChange, ...]:
        """All that were opened or closed: the operator's, and the editors' over changed verdicts."""
        return (*((self.incident,) if self.incident else ()), *self.verdicts)

    @property
    def unread(self) -> tuple[str, ...]:
        """Parts that could not be read."""
        return tuple(part.part for part in self.parts if part.change.startswith(FAILED))


def unsaid(_: str) -> None:
    """A Note for the steps of a longer piece of work, which tells of each as a whole."""


def of_part(data: PartData, item: Staged | Confirmed) -> PartOutcome:
    """The outcome of a part that was read: `item` is what was staged of it, or the vintage it confirmed."""
    shas = tuple(payload.sha256 for payload in data.payloads)
    if isinstance(item, Confirmed):
        return PartOutcome(data.part, UNCHANGED, sha256s=shas)
    counts = {name: item.counts[name] for name in ("revised", "added", "withdrawn")}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if item.evidence.comparison is None:
        told = f"first vintage, {counts['added']} values"
    return PartOutcome(
        data.part, told or "flags or definitions changed", item.evidence.vintage_id, item.evidence.known_from,
        sha256s=shas, **counts,
    )  # fmt: skip


def message_of(
    decision: Decision,
    parts: Sequence[PartOutcome],
    judgement: Judgement | None,
    errors: Mapping[str, FigurekeeperError],
) -> str:
    """One line: the decision, how much changed, which checks failed, what could not be read."""
    changed = [part for part in parts if part.vintage_id]
    if decision is Decision.UNCHANGED:
        same = sum(1 for part in parts if part.change == UNCHANGED)
        text = f"unchanged: asked again, nothing new in {same} parts, nothing published"
    else:
        totals = {name: sum(getattr(part, name) for part in changed) for name in ("revised", "added", "withdrawn")}
        told = ", ".join(f"{count} {name}" for name, count in totals.items() if count) or "no values changed"
        text = f"{decision.value}: {len(changed)} of {len(parts)} parts changed ({told})"
    empty = [part for part in parts if part.change == NO_DATA]
    if empty and len(empty) == len(parts):
        text += f"; no data for any part: {empty[0].why}"
    elif empty:
        text += f"; no data for {', '.join(part.part for part in empty)}"
    if judgement is not None and judgement.decision is not Decision.PUBLISHED:
        text += f"; {judgement.summary()}"
    if errors:
        text += f"; could not be read: {', '.join(errors)}"
    return text
