"""Stamps, periods and as-of dates."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.schema import Basis, Precision, Stamp

FETCHED = datetime(2024, 5, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2021", "2021-12-31T23:59:59.999999Z"),
        ("2024-02", "2024-02-29T23:59:59.999999Z"),
        ("2021-12-31", "2021-12-31T23:59:59.999999Z"),
        ("2021-12-31T08:00:00Z", "2021-12-31T08:00:00.000000Z"),
        ("2021-12-31T08:00:00+08:00", "2021-12-31T00:00:00.000000Z"),
    ],
)
def test_an_as_of_date_means_its_end(text: str, end: str) -> None:
    assert clock.to_text(clock.parse_as_of(text)) == end


@pytest.mark.parametrize("text", ["2021-13", "2021-02-30", "yesterday", "", "21", "2021-1-1", "20211231", "2021-W52"])
def test_a_bad_date_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="Next: write 2021"):
        clock.parse_as_of(text)


@pytest.mark.parametrize(
    ("period", "start"),
    [("2017", date(2017, 1, 1)), ("2017-Q3", date(2017, 7, 1)), ("2017-05", date(2017, 5, 1))],
)
def test_periods_start_where_sdmx_says(period: str, start: date) -> None:
    assert clock.period_start(period) == start


@pytest.mark.parametrize("text", ["2017-Q5", "2017-13", "17", ":", "2018:2017", "2017:x"])
def test_bad_periods_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        clock.parse_periods(text)


def test_ranges_may_be_open() -> None:
    assert clock.parse_periods("2010:2017") == ("2010", "2017")
    assert clock.parse_periods(":2017") == (None, "2017")
    assert clock.parse_periods("2010:") == ("2010", None)
    assert clock.parse_periods("2017") == ("2017", "2017")


def test_a_publishers_day_ends_in_its_own_time_zone() -> None:
    stamp = clock.day_stamp(date(2021, 9, 15), "America/New_York", "2021-09-15")
    assert clock.to_text(stamp.at) == "2021-09-16T03:59:59.999999Z"


def test_a_later_stamp_counts() -> None:
    stamp = clock.day_stamp(date(2024, 5, 2), "Europe/Paris", "2024-05-02")
    known = clock.claim(stamp, FETCHED, clock.end_of_day(date(2024, 4, 1)))
    assert (known.at, known.basis, known.precision, known.note) == (FETCHED, Basis.PUBLISHER, Precision.DAY, None)
    late = clock.claim(stamp, datetime(2024, 6, 1, tzinfo=UTC), None)
    assert late.at == stamp.at


@pytest.mark.parametrize(
    ("stamp", "last", "last_stamp", "word"),
    [
        (date(2024, 5, 1), date(2024, 4, 1), "2024-05-01", "did not move"),
        (date(2024, 4, 2), date(2024, 5, 1), "2024-05-01", "older than our last look"),
        (date(2024, 5, 9), None, None, "in the future"),
    ],
)
def test_a_stamp_that_lies_gives_way_to_the_fetch_time(
    stamp: date, last: date | None, last_stamp: str | None, word: str
) -> None:
    before = clock.end_of_day(last) if last else None
    known = clock.claim(clock.day_stamp(stamp, "UTC", str(stamp)), FETCHED, before, last_stamp)
    assert (known.at, known.basis) == (FETCHED, Basis.CAPTURED)
    assert word in (known.note or "")


def test_what_is_seen_later_comes_after_what_was_seen_before() -> None:
    assert clock.claim(None, FETCHED, FETCHED).at > FETCHED


def test_an_archive_of_a_month_that_has_not_ended_was_known_when_it_was_fetched() -> None:
    assert clock.claim(clock.archive_stamp("202405", "UTC"), FETCHED, None).at == FETCHED


@pytest.mark.parametrize(
    ("period", "end"), [("2017", date(2017, 12, 31)), ("2017-Q3", date(2017, 9, 30)), ("2016-02", date(2016, 2, 29))]
)
def test_periods_end_where_sdmx_says(period: str, end: date) -> None:
    assert clock.period_end(period) == end


def test_since_means_the_beginning() -> None:
    assert [clock.to_text(clock.parse_since(text))[:10] for text in ("2025", "2025-06", "2025-06-15")] == [
        "2025-01-01",
        "2025-06-01",
        "2025-06-15",
    ]


def test_no_stamp_is_captured_without_a_warning() -> None:
    known = clock.claim(None, FETCHED, None)
    assert (known.at, known.basis, known.note) == (FETCHED, Basis.CAPTURED, None)


def test_an_archive_keeps_its_place_however_late_it_is_loaded() -> None:
    stamp = clock.archive_stamp("202109", "UTC")
    known = clock.claim(stamp, FETCHED, FETCHED)
    assert (clock.to_text(known.at), known.basis) == ("2021-09-30T23:59:59.999999Z", Basis.ARCHIVE)
    assert isinstance(stamp, Stamp)


@pytest.mark.parametrize(
    ("text", "end", "precision"),
    [
        ("2022", "2022-12-31", Precision.YEAR),
        ("2022-02", "2022-02-28", Precision.MONTH),
        ("2022-02-03", "2022-02-03", Precision.DAY),
    ],
)
def test_a_stamp_that_a_person_states_means_its_end(text: str, end: str, precision: Precision) -> None:
    stamp = clock.stated_stamp(text, "Asia/Shanghai", Basis.CARRIED)
    assert clock.to_text(stamp.at) == f"{end}T15:59:59.999999Z"
    assert (stamp.precision, stamp.basis, stamp.text) == (precision, Basis.CARRIED, text)


@pytest.mark.parametrize("text", ["", "in winter", "2022-13", "2022-02-30", "22", "2022-02-03T10:00", "20220203"])
def test_what_is_no_date_of_publication_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        clock.stated_stamp(text, "UTC", Basis.CARRIED)
