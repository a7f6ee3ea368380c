"""Time, exactly: stamps, periods, as-of dates, and from when the public could know a vintage.

Belongs here: every rule that turns a date into an instant or decides between a publisher's stamp and our own clock.
All instants are timezone-aware UTC; stored as text they are ISO 8601 with microseconds and "Z", which sorts.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from warehouse.errors import UsageError
from warehouse.schema import Basis, Precision, Stamp

_PERIOD = re.compile(r"^(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?$")
#: How far the end of a stated stamp may lie after our reading of it before it counts as "in the future".
_SLACK = {
    Precision.INSTANT: timedelta(minutes=5),
    Precision.DAY: timedelta(hours=36),
    Precision.MONTH: timedelta(days=32),
    Precision.YEAR: timedelta(days=367),
}


def now() -> datetime:
    """The clock, in UTC."""
    return datetime.now(UTC)


def to_text(instant: datetime) -> str:
    """An instant as it is stored: 2024-03-13T11:02:24.000000Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """The inverse of to_text."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def end_of_day(day: date, timezone: str = "UTC") -> datetime:
    """The last microsecond of a day in a time zone, as UTC."""
    return datetime.combine(day, time.max, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def end_of_month(year: int, month: int, timezone: str = "UTC") -> datetime:
    """The last microsecond of a month in a time zone, as UTC."""
    return end_of_day(date(year, month, calendar.monthrange(year, month)[1]), timezone)


def day_stamp(day: date, timezone: str, text: str) -> Stamp:
    """A publisher's "last updated" day."""
    return Stamp(end_of_day(day, timezone), Precision.DAY, Basis.PUBLISHER, text)


def archive_stamp(version: str, timezone: str) -> Stamp:
    """An archive's version id YYYYMM; its end is the end of that month."""
    return Stamp(end_of_month(int(version[:4]), int(version[4:6]), timezone), Precision.MONTH, Basis.ARCHIVE, version)


def stated_stamp(text: str, timezone: str, basis: Basis) -> Stamp:
    """A stamp that a person states: 2022, 2022-12 or 2022-12-31 mean their ends in the publisher's time zone.

    Raises UsageError for anything else.
    """
    if not re.fullmatch(r"[12]\d{3}(-\d{2}){0,2}", text):
        raise UsageError(f"'{text}' is not a date of publication", next_step="write 2022, 2022-12 or 2022-12-31")
    precision = {4: Precision.YEAR, 7: Precision.MONTH, 10: Precision.DAY}[len(text)]
    last = parse_as_of(text).date()  # checked there
    return Stamp(end_of_day(last, timezone), precision, basis, text)


def parse_as_of(text: str) -> datetime:
    """The instant an as-of date means: 2021, 2021-12 and 2021-12-31 mean their ends, in UTC.

    Raises UsageError for anything else.
    """
    try:
        if re.fullmatch(r"\d{4}", text):
            return end_of_month(int(text), 12)
        if re.fullmatch(r"\d{4}-\d{2}", text):
            return end_of_month(int(text[:4]), int(text[5:]))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return end_of_day(date.fromisoformat(text))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*", text):
            instant = datetime.fromisoformat(text)
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
        problem: object = "not of a known form"
    except ValueError as error:
        problem = error
    raise UsageError(
        f"'{text}' is not a date ({problem})", next_step="write 2021, 2021-12, 2021-12-31 or 2021-12-31T08:00:00Z"
    )


def parse_since(text: str) -> datetime:
    """The instant from which on something counts as "since": the beginning of 2025, 2025-06 or 2025-06-15, in UTC.

    Raises UsageError as parse_as_of does.
    """
    end = parse_as_of(text)
    if "T" in text:
        return end
    first = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text)
    return datetime.combine(date.fromisoformat(first), time.min, tzinfo=UTC)


def period_start(period: str) -> date:
    """First day of an SDMX period (2017, 2017-Q3, 2017-05). Raises UsageError when it is none."""
    match = _PERIOD.match(period)
    if match is None:
        raise UsageError(f"'{period}' is not a period", next_step="write 2017, 2017-Q3 or 2017-05")
    month = int(match["month"]) if match["month"] else 3 * int(match["quarter"]) - 2 if match["quarter"] else 1
    return date(int(match["year"]), month, 1)


def period_end(period: str) -> date:
    """Last day of an SDMX period. Raises UsageError when it is none."""
    first = period_start(period)
    months = 12 if len(period) == 4 else 3 if "Q" in period else 1
    month = first.month + months - 1
    return date(first.year, month, calendar.monthrange(first.year, month)[1])


def parse_periods(text: str | None) -> tuple[str | None, str | None]:
    """A period or a closed range "A:B" (either side may be empty), checked. None asks for all."""
    if text is None:
        return None, None
    first, colon, last = text.partition(":")
    for bound in (first, last):
        if bound:
            period_start(bound)
    if not first and not last:
        raise UsageError("the period range is empty", next_step="write 2017, 2010:2017, :2017 or 2010:")
    if first and last and period_start(first) > period_start(last):
        raise UsageError(f"the period range {text} runs backwards", next_step=f"write {last}:{first}")
    return (first or None, last or None) if colon else (first, first)


@dataclass(frozen=True)
class KnownFrom:
    """From when the public could know a vintage, how exactly, on whose word, and what was odd about the stamp."""

    at: datetime
    precision: Precision
    basis: Basis
    note: str | None = None


def place(stamp: Stamp | None, fetched_at: datetime) -> datetime:
    """Where a reading stands in known order: an archive's version at its end, a live answer when it was taken."""
    if stamp is None or stamp.basis is Basis.PUBLISHER:
        return fetched_at
    return min(stamp.at, fetched_at)


def claim(
    stamp: Stamp | None, fetched_at: datetime, last: datetime | None = None, last_stamp: str | None = None
) -> KnownFrom:
    """From when a reading proves its state, where something else was read before it: at `last`, under `last_stamp`.

    A publisher's stamp counts only if it moved since, lies after `last` and not in the future; otherwise the fetch time does,
    as `captured`, with a note. Archive and carried stamps always count: they are loaded late by nature. A stamp means the end
    of its day or month; where that end was still to come, our reading is the earlier proof.
    """
    # What is seen after another state comes after it.
    seen = fetched_at if last is None or fetched_at > last else last + timedelta(microseconds=1)
    if stamp is None:
        return KnownFrom(seen, Precision.INSTANT, Basis.CAPTURED)
    stated = KnownFrom(min(stamp.at, fetched_at), stamp.precision, stamp.basis)
    if stamp.basis is not Basis.PUBLISHER:
        return stated
    if stamp.at > fetched_at + _SLACK[stamp.precision]:
        note = f"the publisher's stamp {stamp.text} lies in the future"
    elif stamp.text == last_stamp:
        note = f"the data changed, but the publisher's stamp {stamp.text} did not move"
    elif last is not None and stated.at <= last:
        note = f"the publisher's stamp {stamp.text} is older than our last look at other data"
    else:
        return stated
    return KnownFrom(seen, Precision.INSTANT, Basis.CAPTURED, note)
