"""The rules that look at what changed: a part against its predecessor, and two parts of one refresh against each other.

Belongs here: rules of the layer comparison and their default thresholds. Each default was set so that every real
transition of the facts passes or stands in acceptance.yaml; a dataset file overrides those that its checks name.
"""

from __future__ import annotations

from collections.abc import Callable

from expectations.frames import JUMP
from expectations.rules import Demand, Rule, Subject, always, at_most, nothing, of_provider
from warehouse.schema import Severity

#: Ratios and the amounts in national currency that are their numerators, by dataset.
AMOUNT_OF = {"oecd.sbrd": {"G_XGDP": "G_NC", "B_XGDP": "B_NC"}}

MAX_SHARE_WITHDRAWN = 0.10
MAX_SHARE_REVISED = 0.5
MAX_RELATIVE_REVISION = 1.0
MAX_ZERO_FLIPS = 20
MAX_REWRITTEN_BY = 0.2
MAX_AMOUNT_REVISED_BY = 0.05
MAX_ROLLBACK = 0.02
MAX_SHARE_ZEROED = 0.01
MAX_SHARE_FEWER = 0.01
MAX_SHARE_ADDED_ZERO = 0.5
MAX_SHARE_JUMPED = 0.8
MAX_SHARE_FLAGS_LOST = 0.9
MAX_SHARE_STATUS_CHANGED = 0.2


def _withdrawn(subject: Subject) -> Demand:
    return at_most(_given(subject.checks.max_share_withdrawn, MAX_SHARE_WITHDRAWN))


def _revised(subject: Subject) -> Demand:
    return at_most(_given(subject.checks.max_share_revised, MAX_SHARE_REVISED))


def _largest(subject: Subject) -> Demand:
    return at_most(_given(subject.checks.max_relative_revision, MAX_RELATIVE_REVISION))


def _rewritten(subject: Subject) -> Demand:
    return at_most(_given(subject.checks.max_rewritten_by, MAX_REWRITTEN_BY))


def _no_new_gaps(subject: Subject) -> Demand | None:
    return nothing("no value withdrawn between others") if subject.checks.contiguous else None


def _given(declared: float | None, default: float) -> float:
    return default if declared is None else declared


def _ratios_only(demand: Demand) -> Callable[[Subject], Demand | None]:
    return lambda subject: demand if subject.part.id in AMOUNT_OF.get(subject.dataset.id, {}) else None


def _amounts_only(demand: Demand) -> Callable[[Subject], Demand | None]:
    return lambda subject: demand if subject.part.id in AMOUNT_OF.get(subject.dataset.id, {}).values() else None


RULES = (
    Rule(
        "scale-jump",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "scaled_by",
        "A whole series times a power of ten is a changed unit (thousands, 万, 亿), not a revision.",
        always(nothing("no series multiplied by a power of ten")),
    ),
    Rule(
        "constant-ratio",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "constant_ratio",
        "One factor over a whole series without new metadata is a rebasing, a currency or a swapped sign.",
        always(nothing("no series multiplied by one factor")),
    ),
    Rule(
        "period-shifted",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "shifted",
        "Values that reappear one year off come from a shifted column or page.",
        always(nothing("no series moved by a year")),
    ),
    Rule(
        "series-vanished",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "vanished",
        "A whole series is withdrawn with an announcement; without one it was lost on the way.",
        always(nothing("every series that had values still has some")),
    ),
    Rule(
        "meaning-redefined",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "meaning_redefined",
        "Another unit, price base, reference year or dimension makes it another indicator under the same name.",
        always(nothing("what the numbers mean is unchanged")),
    ),
    Rule(
        "wording-redefined",
        "comparison",
        Severity.INFO,
        "evidence",
        "wording_redefined",
        "New labels, notes or published digits are worth reading, and change no number.",
        always(nothing("labels, notes and decimals unchanged")),
    ),
    Rule(
        "gap-opened",
        "comparison",
        Severity.WARNING,
        "evidence",
        "gap_opened",
        "A year lost in the middle of a series shifts charts and averages without a sign.",
        _no_new_gaps,
    ),
    Rule(
        "last-period-receded",
        "comparison",
        Severity.WARNING,
        "evidence",
        "receded",
        "The newest value of a series is gone; figures of the latest year fall back without a sign.",
        always(nothing("no series ends earlier than before")),
    ),
    Rule(
        "series-rewritten",
        "comparison",
        Severity.WARNING,
        "evidence",
        "rewritten_by",
        "Nearly all of one series moved a long way: a break in its definition is likely.",
        _rewritten,
    ),
    Rule(
        "largest-revision",
        "comparison",
        Severity.WARNING,
        "evidence",
        "largest_revision",
        "A single figure that moves this far is a correction or an accident, and somebody will ask.",
        _largest,
    ),
    Rule(
        "nbs-value-withdrawn",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "gap_opened",
        "Cells that held a figure have come back empty from the portal; it does not take single years back.",
        of_provider("nbs", nothing("no value withdrawn between others")),
    ),
    Rule(
        "value-zeroed",
        "comparison",
        Severity.WARNING,
        "evidence",
        "zeroed_n",
        "A figure that turns 0 is more often an absent one than news.",
        always(at_most(0)),
    ),
    Rule(
        "series-zeroed",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "zeroed",
        "A series in which many figures turn 0 was filled where it should be empty.",
        always(nothing("no series that turns 0")),
    ),
    Rule(
        "share-zeroed",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "share_zeroed",
        "Zeros across a whole part stand in for figures that were lost.",
        always(at_most(MAX_SHARE_ZEROED)),
        counts="zeroed_n",
        worst="zeroed_n",
    ),
    Rule(
        "value-added-zero",
        "comparison",
        Severity.WARNING,
        "evidence",
        "newest_zeros",
        "A 0 as the newest figure of a series that never had one may be an empty cell that was filled.",
        always(at_most(0)),
    ),
    Rule(
        "share-added-zero",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "share_added_zero",
        "A new year of zeros is a year that was laid out and not filled.",
        always(at_most(MAX_SHARE_ADDED_ZERO)),
        counts="added_zero_n",
        worst="added_zero_n",
    ),
    Rule(
        "value-jumped",
        "comparison",
        Severity.WARNING,
        "evidence",
        "newer_jump",
        "A new figure ten times larger or smaller than the newest known one has another unit, or needs a story.",
        always(at_most(JUMP)),
    ),
    Rule(
        "share-jumped",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "share_jumped",
        "When the new figures of most series jump by powers of ten, the new period came in another unit.",
        always(at_most(MAX_SHARE_JUMPED)),
        counts="jumps_n",
        worst="added_jump",
    ),
    Rule(
        "flags-vanished",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "share_flags_lost",
        "Flags that go all at once were lost on the way; estimates and breaks would pass for plain figures.",
        always(at_most(MAX_SHARE_FLAGS_LOST)),
        counts="flags_lost_n",
        worst="status_changed_n",
    ),
    Rule(
        "share-status-changed",
        "comparison",
        Severity.WARNING,
        "comparison",
        "share_status_changed",
        "Many flags changed and no number: the publisher marks its figures by other rules than before.",
        always(at_most(MAX_SHARE_STATUS_CHANGED)),
        counts="status_changed_n",
        worst="status_changed_n",
    ),
    Rule(
        "share-withdrawn",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "share_withdrawn",
        "Publishers withdraw single cells; a large share is a cut answer or a new coverage.",
        _withdrawn,
        counts="withdrawn_n",
        worst="withdrawn_n",
    ),
    Rule(
        "fewer-observations",
        "comparison",
        Severity.WARNING,
        "comparison",
        "share_fewer",
        "Statistics grow; a vintage with fewer values than its predecessor lost some.",
        always(at_most(MAX_SHARE_FEWER)),
        counts="fewer",
        worst="withdrawn_n",
    ),
    Rule(
        "share-revised",
        "comparison",
        Severity.WARNING,
        "comparison",
        "share_revised",
        "When most of history moves at once, everything computed from it must be looked at again.",
        _revised,
        counts="revised_n",
        worst="largest_revision",
    ),
    Rule(
        "redefinition",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "rewritten_by",
        "Nearly every cell revised by a large median is another definition, not a revision.",
        always(at_most(MAX_REWRITTEN_BY)),
        counts="revised_n",
        worst="median_rel_change",
    ),
    Rule(
        "zero-missing-flips",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "zero_flips_n",
        "Cells that turn from zero to missing or back tell of a changed treatment of absence, not of news.",
        always(at_most(MAX_ZERO_FLIPS)),
        counts="zero_flips_n",
        worst="zero_flips_n",
    ),
    Rule(
        "rollback",
        "comparison",
        Severity.CRITICAL,
        "comparison",
        "rollback",
        "Data that fit an older vintage better than the last one are an old file served again.",
        always(at_most(MAX_ROLLBACK)),
        counts="revised_n",
        worst="revised_n",
    ),
    Rule(
        "not-taken-back",
        "comparison",
        Severity.CRITICAL,
        "totals",
        "taken_back",
        "What a person took back does not come again by itself, though the provider still serves it.",
        always(at_most(0)),
        counts="taken_back",
    ),
    Rule(
        "stamp-plausible",
        "comparison",
        Severity.WARNING,
        "totals",
        "stamp_findings",
        "A publisher's stamp that stands still, goes back or lies ahead cannot date the vintage.",
        always(at_most(0)),
        counts="stamp_findings",
    ),
    Rule(
        "denominator-revised",
        "comparison",
        Severity.WARNING,
        "pairs",
        "denominator_revised",
        "The ratio moved in most years and the amount in none: the GDP in its denominator was revised.",
        _ratios_only(nothing("no ratio moves while its amount stands still")),
    ),
    Rule(
        "amount-revised",
        "comparison",
        Severity.CRITICAL,
        "evidence",
        "amount_revised_by",
        "An economy's R&D spending in its own currency, revised this far in most years, is another definition.",
        _amounts_only(at_most(MAX_AMOUNT_REVISED_BY)),
    ),
)
