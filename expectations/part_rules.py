"""The rules that look at one part by itself: what all parts must be, providers' oddities, the dataset file's demands.

Belongs here: rules of the layers part, provider and dataset. Comparing with a predecessor: comparison_rules.py.
"""

from __future__ import annotations

from expectations.rules import (
    Demand,
    Rule,
    Subject,
    all_of,
    always,
    at_least,
    at_most,
    between,
    exactly,
    matching,
    none_of,
    nothing,
    of_provider,
)
from warehouse.schema import PARSED, Severity

#: SDMX CL_OBS_STATUS 2.2 (cross-domain code lists), C for confidential, and the OECD's auxiliary notes on R&D.
STATUS_CODES = (*"ABCDEFGHIJKLMNOPQSUVW", "L2", "M2", "S2", "V2")

#: Period syntax of SDMX for each frequency code.
PERIOD_SYNTAX = {
    "A": (r"^\d{4}$", "a year such as 2017"),
    "Q": (r"^\d{4}-Q[1-4]$", "a quarter such as 2017-Q3"),
    "M": (r"^\d{4}-(?:0[1-9]|1[0-2])$", "a month such as 2017-05"),
}

#: Two prints of one number may differ by this much of it.
TEXT_TOLERANCE = 1e-9


def _listed(codes: tuple[str, ...]) -> str:
    one = f"(?:{'|'.join(codes)})"
    return f"^(?:{one}(?:;{one})*)?$"


def _period_syntax(subject: Subject) -> Demand:
    return matching(*PERIOD_SYNTAX[subject.dataset.frequency])


def _nothing_ahead(subject: Subject) -> Demand | None:
    return None if subject.dataset.end else at_most(0)  # a dataset of projections says up to when they go


def _declared_unit(subject: Subject) -> Demand | None:
    if subject.dataset.provider == "nbs":  # there every indicator states its own
        return None
    return nothing(f"{subject.part.unit} x10^{subject.part.multiplier}")


def _range(subject: Subject) -> Demand | None:
    low, high = subject.checks.minimum, subject.checks.maximum
    return None if low is None and high is None else between(low, high)


def _negatives(subject: Subject) -> Demand | None:
    return None if subject.checks.allow_negative else between(0, None)


def _entities(subject: Subject) -> Demand | None:
    wanted = subject.checks.entities_required
    return all_of(wanted) if wanted else None


def _enough(subject: Subject) -> Demand | None:
    wanted = subject.checks.min_observations
    return at_least(wanted) if wanted else None


def _no_gaps(subject: Subject) -> Demand | None:
    return nothing("no period missing between the first and the last") if subject.checks.contiguous else None


def _no_cumulation(subject: Subject) -> Demand | None:
    if subject.dataset.provider != "nbs" or subject.dataset.frequency != "A":
        return None
    return Demand("ExpectColumnValuesToNotMatchRegex", {"regex": "累计|cumulative"}, "no cumulative series")


RULES = (
    Rule(
        "columns-as-agreed",
        "part",
        Severity.CRITICAL,
        "columns",
        "column",
        "A table of another shape means that the reader no longer understands the answer.",
        always(exactly(f"{field.name}: {field.type}" for field in PARSED)),
    ),
    Rule(
        "some-observations",
        "part",
        Severity.CRITICAL,
        "totals",
        "observations",
        "An empty answer is a failure of the provider or of the question, never news.",
        always(at_least(1)),
    ),
    Rule(
        "some-values",
        "part",
        Severity.CRITICAL,
        "totals",
        "values",
        "Rows without a single value are placeholders, and publishing them would hide the data.",
        always(at_least(1)),
    ),
    Rule(
        "series-described",
        "part",
        Severity.CRITICAL,
        "totals",
        "undescribed",
        "A number whose unit and meaning are unknown cannot be used.",
        always(at_most(0)),
        counts="undescribed",
    ),
    Rule(
        "key-unique",
        "part",
        Severity.CRITICAL,
        "observations",
        "period",
        "Two values for one series and period: nobody could say which one is published.",
        always(
            Demand(
                "ExpectCompoundColumnsToBeUnique",
                {"column_list": ["series_key", "period"]},
                "each series and period once",
            )
        ),
    ),
    Rule(
        "period-syntax",
        "part",
        Severity.CRITICAL,
        "observations",
        "period",
        "A period of another form than the dataset's frequency belongs to another series or was misread.",
        _period_syntax,
    ),
    Rule(
        "period-beyond-release",
        "part",
        Severity.CRITICAL,
        "observations",
        "years_ahead",
        "Nobody has observed what lies after the release: pseudo periods such as 2999, or projections without a flag.",
        _nothing_ahead,
    ),
    Rule(
        "empty-period-ahead",
        "part",
        Severity.WARNING,
        "observations",
        "empty_years_ahead",
        "An empty year after the release is a placeholder; the newest year must not be taken from it.",
        always(at_most(0)),
    ),
    Rule(
        "value-finite",
        "part",
        Severity.CRITICAL,
        "observations",
        "value_kind",
        "Not-a-number and infinity are products of arithmetic or of a misread text, never published figures.",
        always(none_of(["NaN", "infinite"])),
    ),
    Rule(
        "value-is-its-text",
        "part",
        Severity.CRITICAL,
        "observations",
        "text_gap",
        "The value must be the number that was published, letter by letter.",
        always(at_most(TEXT_TOLERANCE)),
    ),
    Rule(
        "status-known",
        "part",
        Severity.CRITICAL,
        "observations",
        "status",
        "An unknown flag may say that a value is suppressed, forecast or not comparable.",
        always(matching(_listed(STATUS_CODES), "codes of the SDMX list of observation status, in any order")),
    ),
    Rule(
        "unit-as-declared",
        "part",
        Severity.CRITICAL,
        "series",
        "other_unit",
        "Every figure and every sum rests on the unit and multiplier that the dataset file states.",
        _declared_unit,
    ),
    Rule(
        "reader-findings",
        "part",
        Severity.WARNING,
        "totals",
        "reader_findings",
        "The connector met something that a person should know before using the numbers.",
        always(at_most(0)),
        counts="reader_findings",
    ),
    Rule(
        "nothing-skipped",
        "part",
        Severity.INFO,
        "totals",
        "skipped",
        "Records left out of the answer are counted, so that none disappears silently.",
        always(at_most(0)),
        counts="skipped",
    ),
    Rule(
        "worldbank-aggregates-flagged",
        "provider",
        Severity.WARNING,
        "series",
        "unflagged",
        "A group of economies that passes for one enters sums and ranks beside its own members.",
        of_provider("worldbank", nothing("every aggregate flagged as one")),
    ),
    Rule(
        "oecd-decimals-sane",
        "provider",
        Severity.WARNING,
        "series",
        "decimals",
        "DECIMALS tells below which digit a change is noise; an absurd number would hide revisions or invent them.",
        of_provider("oecd", between(0, 10)),
    ),
    Rule(
        "nbs-unit-conflict",
        "provider",
        Severity.CRITICAL,
        "totals",
        "unit_conflicts",
        "Where the bracket in the name and the unit field disagree, figures may be off by ten thousand (万) or more.",
        of_provider("nbs", at_most(0)),
        counts="unit_conflicts",
    ),
    Rule(
        "nbs-no-year-gap",
        "provider",
        Severity.CRITICAL,
        "totals",
        "lost_periods",
        "The portal and its exports have dropped single years from the middle of a whole leaf without a word.",
        of_provider("nbs", at_most(0)),
        counts="lost_periods",
    ),
    Rule(
        "nbs-no-cumulative",
        "provider",
        Severity.CRITICAL,
        "series",
        "label",
        "A cumulative value in an annual row counts the same months twice as soon as years are added up.",
        _no_cumulation,
    ),
    Rule(
        "entities-required",
        "dataset",
        Severity.CRITICAL,
        "series",
        "entity_with_values",
        "Without these economies the figures that rest on the dataset cannot be drawn.",
        _entities,
    ),
    Rule(
        "enough-observations",
        "dataset",
        Severity.CRITICAL,
        "totals",
        "values",
        "Far fewer values than the dataset is known to have: a cut answer or a lost dimension.",
        _enough,
    ),
    Rule(
        "value-in-range",
        "dataset",
        Severity.CRITICAL,
        "observations",
        "value",
        "Outside the range that the dataset file states lies another unit or another indicator.",
        _range,
    ),
    Rule(
        "not-negative",
        "dataset",
        Severity.WARNING,
        "observations",
        "value",
        "Negative amounts exist (returned licence fees, disinvestment), but somebody should have seen them.",
        _negatives,
    ),
    Rule(
        "no-gaps",
        "dataset",
        Severity.INFO,
        "series",
        "gap",
        "A chart or an average across a missing year must say so; many publishers leave the same gaps for ever.",
        _no_gaps,
    ),
)
