"""The words of the warehouse as types: Arrow schemas of what travels, and the small records around it.

What belongs here: column names, types and units that more than one module must agree on. No I/O, no rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import pyarrow as pa

SCHEMA_VERSION = 2

Transition = Literal["opened", "closed"]

#: One row a series and period of one part, as a connector parses it and as a vintage stores it. `value` is in the
#: series' unit times 10**multiplier, exactly as published; `value_text` is the published string (None: none was given);
#: `status` holds the provider's flags in their order, joined by ";", "" when there are none.
PARSED = pa.schema(
    [
        pa.field("series_key", pa.string(), nullable=False),
        pa.field("period", pa.string(), nullable=False),  # SDMX syntax: 2017, 2017-Q3, 2017-05
        pa.field("period_start", pa.date32(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("value_text", pa.string()),
        pa.field("status", pa.string(), nullable=False),
    ]
)

#: A stored vintage: PARSED and where it belongs. `known_from` is UTC.
OBSERVATIONS = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("vintage_id", pa.string(), nullable=False),
        pa.field("known_from", pa.timestamp("us", tz="UTC"), nullable=False),
        *PARSED,
    ]
)

#: One row a series: what its numbers mean. A change in any of these columns is a redefinition.
SERIES = pa.schema(
    [
        pa.field("series_key", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),  # the provider's area code
        pa.field("dimensions", pa.string(), nullable=False),  # JSON object, in the provider's dimension order
        pa.field("unit", pa.string(), nullable=False),
        pa.field("multiplier", pa.int32(), nullable=False),  # power of ten: 6 = millions
        pa.field("decimals", pa.int32()),  # published digits, where the provider states them
        pa.field("frequency", pa.string(), nullable=False),  # SDMX: A, Q, M
        pa.field("price_base", pa.string()),
        pa.field("reference_year", pa.string()),
        pa.field("notes", pa.string()),
    ]
)

#: What a comparison of two vintages says of each series; one row a series. Counts are observations with a value.
#: Ratios are new/old over common cells in which both are non-zero; relative changes are |new-old|/|old|.
EVIDENCE = pa.schema(
    [
        pa.field("series_key", pa.string(), nullable=False),
        pa.field("old_n", pa.int64(), nullable=False),
        pa.field("new_n", pa.int64(), nullable=False),
        pa.field("common_n", pa.int64(), nullable=False),
        pa.field("revised_n", pa.int64(), nullable=False),
        pa.field("added_n", pa.int64(), nullable=False),
        pa.field("withdrawn_n", pa.int64(), nullable=False),
        pa.field("status_changed_n", pa.int64(), nullable=False),
        pa.field("zero_flips_n", pa.int64(), nullable=False),  # zero became missing, or missing zero
        pa.field("zeroed_n", pa.int64(), nullable=False),  # a non-zero value became zero
        pa.field("added_zero_n", pa.int64(), nullable=False),  # a new value is zero in a series that had no zero
        pa.field("added_jump", pa.float64()),  # largest |log10(new value / newest old value)| among new values
        pa.field("max_rel_change", pa.float64()),
        pa.field("median_rel_change", pa.float64()),
        pa.field("ratio_min", pa.float64()),
        pa.field("ratio_median", pa.float64()),
        pa.field("ratio_max", pa.float64()),
        pa.field("old_last_period", pa.string()),
        pa.field("new_last_period", pa.string()),
    ]
)

#: What became of a cell; warehouse/compare.py says when each word is used.
KINDS = (
    *("first value", "revision", "status change", "rebasing", "redefinition", "break", "coverage", "withdrawal"),
    *("reinstatement", "correction of ours"),
)

#: How much a change weighs, from a difference that nobody can see to one in a printed table.
WEIGHTS = ("noise", "below display", "visible", "changes a printed cell")

#: The changed cells themselves. A status is null where the vintage has no such row.
CHANGES = pa.schema(
    [
        pa.field("series_key", pa.string(), nullable=False),
        pa.field("period", pa.string(), nullable=False),
        pa.field("old_value", pa.float64()),
        pa.field("new_value", pa.float64()),
        pa.field("old_text", pa.string()),
        pa.field("new_text", pa.string()),
        pa.field("old_status", pa.string()),
        pa.field("new_status", pa.string()),
        pa.field("kind", pa.string(), nullable=False),  # a word of KINDS
        pa.field("weight", pa.string(), nullable=False),  # a word of WEIGHTS
        pa.field("rel_change", pa.float64()),
    ]
)

#: What changed in what the numbers of a series mean; one row a series and column of SERIES, or dimension. `replaces` is
#: the key that the provider used before, where another series took its place.
REDEFINITIONS = pa.schema(
    [
        pa.field("series_key", pa.string(), nullable=False),
        pa.field("column", pa.string(), nullable=False),
        pa.field("old", pa.string()),
        pa.field("new", pa.string()),
        pa.field("replaces", pa.string()),
    ]
)


class Precision(StrEnum):
    """How exact a stamp is."""

    INSTANT = "instant"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Basis(StrEnum):
    """Whose word `known_from` rests on; the first two are called native."""

    PUBLISHER = "publisher"
    ARCHIVE = "archive"
    CAPTURED = "captured"
    CARRIED = "carried"


class Severity(StrEnum):
    """What a failed check does: quarantine, publish and alert, or show."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Decision(StrEnum):
    """What became of a batch. The first three end a refresh by themselves; the last three are a person's."""

    UNCHANGED = "unchanged"
    PUBLISHED = "published"
    PUBLISHED_WITH_WARNINGS = "published with warnings"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    ABANDONED = "abandoned"
    RELEASED = "released"
    DISCARDED = "discarded"
    VOIDED = "voided"


@dataclass(frozen=True)
class Stamp:
    """What the publisher says of when these data became public.

    `at` is the end of the stated instant, day or month in the publisher's time zone, as UTC; `text` is the stamp as given.
    """

    at: datetime
    precision: Precision
    basis: Basis
    text: str


@dataclass(frozen=True)
class Payload:
    """The exact bytes of one answer and how they were got. `fetched_at` is UTC, from the answer's Date header."""

    sha256: str
    content: bytes = field(repr=False)
    method: str
    url: str
    body: str | None
    status: int
    headers: dict[str, str]
    fetched_at: datetime
    attempts: int = 1


@dataclass(frozen=True)
class Scope:
    """Which part of a part was asked for. All None: a complete read, the only one from which absence may be concluded."""

    start: str | None = None  # period, inclusive
    end: str | None = None  # period, inclusive
    entities: tuple[str, ...] | None = None

    @property
    def complete(self) -> bool:
        """True when nothing was left out of the question."""
        return self.start is None and self.end is None and self.entities is None


@dataclass(frozen=True)
class PartData:
    """One part of a dataset, fetched and parsed; what the warehouse stages.

    `observations` has schema PARSED, `series` has schema SERIES. `canonical_hash` is a sha256 over what the answer means:
    equal for answers that differ only in row order, message ids or preparation time. `skipped` counts, by reason, every
    record of the answer that is not in `observations`; `notes` are findings the comparison layer turns into warnings.
    """

    part: str
    observations: pa.Table
    series: pa.Table
    payloads: tuple[Payload, ...]
    stamp: Stamp | None
    scope: Scope
    canonical_hash: str
    skipped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """One rule applied to one part. `config_error` is set when the rule itself broke: never a statement about the data."""

    rule: str
    layer: str
    part: str
    severity: Severity
    success: bool
    examined: int
    unexpected: int
    observed: str
    expected: str
    examples: tuple[dict[str, Any], ...] = ()
    config_error: str | None = None
    accepted: str | None = None  # reason from the acceptance list, when a failure is a known real transition


@dataclass(frozen=True)
class Comparison:
    """A part against its predecessor in known order.

    `changes` has schema CHANGES and holds every cell that is not equal (noise included, weight tells); `evidence` has
    schema EVIDENCE, one row a series of either side; `older_equal` counts, for up to five older vintages, the common cells
    that equal it, newest first, as does `predecessor_equal` for the predecessor (the ground of the rollback rule).
    `redefinitions` has schema REDEFINITIONS. `rewritten` is the evidence that every revision of the part is a redefinition,
    though the provider says of none that it means something else; "" otherwise.
    """

    predecessor_id: str
    changes: pa.Table
    evidence: pa.Table
    predecessor_equal: int
    older_equal: tuple[int, ...] = ()
    redefinitions: pa.Table = field(default_factory=REDEFINITIONS.empty_table)
    rewritten: str = ""

    @property
    def redefined(self) -> dict[str, list[str]]:
        """The series whose row in SERIES differs, and those that took another's place, with the columns that differ."""
        found: dict[str, list[str]] = {}
        for row in self.redefinitions.to_pylist():
            columns = found.setdefault(row["series_key"], [])
            name = row["column"] if row["column"] in SERIES.names else "dimensions"
            if name not in columns:
                columns.append(name)
        return found

    @property
    def material(self) -> bool:
        """True when something other than noise differs."""
        weights = self.changes.column("weight").to_pylist()
        return self.redefinitions.num_rows > 0 or any(weight != "noise" for weight in weights)


@dataclass(frozen=True)
class PartEvidence:
    """All that the gate may look at for one part. `comparison` is None when no predecessor is held."""

    data: PartData
    known_from: datetime
    precision: Precision
    basis: Basis
    vintage_id: str
    comparison: Comparison | None
    notes: tuple[str, ...] = ()
    voided: str | None = None  # who took the same content of this part back before, and why


@dataclass(frozen=True)
class IncidentChange:
    """An incident that has just been opened or closed, in words for people."""

    id: int
    kind: str
    dataset: str
    transition: Transition
    title: str
    text: str
