"""Pauses: what begins one, who may try afterwards, what ends it, and that processes and hosts share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from connectors.errors import (
    Blocked,
    NotFound,
    OutOfTime,
    ProviderError,
    ProviderPaused,
    ServerFault,
    Throttled,
    Unreachable,
)
from connectors.http import breaker
from connectors.http.breaker import AT_MOST, IN_A_ROW, LONGEST, PAUSES, TRIAL, Breaker
from warehouse import server

ADDRESS = "https://statistics.test/v2"
START = datetime(2026, 11, 22, 7, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


Make = Callable[..., Breaker]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "file":
        return tmp_path / "quota.sqlite"
    return server.catalogue(request.getfixturevalue("postgres"), "live")


@pytest.fixture
def make(place: Path | str, clock: Clock) -> Iterator[Make]:
    made: list[Breaker] = []

    def new(provider: str = "nbs", address: str = ADDRESS, profile: str = "live") -> Breaker:
        made.append(Breaker(place, provider, address, profile=profile, clock=clock))
        return made[-1]

    yield new
    for one in made:
        one.close()


def failing(kind: type[ProviderError] = Blocked) -> ProviderError:
    return kind("it says no", next_step="wait")


def ask(one: Breaker, error: ProviderError | None = None) -> None:
    one.admit()
    one.settle(error)


def refused(one: Breaker) -> str:
    with pytest.raises(ProviderPaused) as caught:
        one.admit()
    return str(caught.value)


@pytest.mark.parametrize("kind", [Blocked, Throttled])
def test_a_refusal_begins_a_pause_that_all_keep_at_that_address(
    make: Make, clock: Clock, place: Path | str, kind: type[ProviderError]
) -> None:
    ask(make(), failing(kind))
    until = START + PAUSES["nbs"]
    said = refused(make())
    assert f"nbs is left alone since {START:%Y-%m-%d %H:%M:%S} UTC, because it says no" in said
    assert f"Next: run the refresh again after {until:%Y-%m-%d %H:%M:%S} UTC" in said
    for other in (make("oecd"), make(address=f"{ADDRESS}/fault/500")):
        ask(other)
    clock.now = until - MOMENT
    refused(make())
    clock.now = until
    ask(make())
    ask(make())


def test_a_refused_structure_pauses_structures_alone_where_they_are_counted_apart(make: Make, clock: Clock) -> None:
    ask(make("oecd").for_structures(), failing(Throttled))
    refused(make("oecd").for_structures())
    ask(make("oecd"))
    clock.now += PAUSES["oecd"]
    ask(make("oecd").for_structures())
    ask(make("oecd"), failing(Throttled))
    refused(make("oecd").for_structures())
    clock.now += PAUSES["oecd"]
    refused(make("oecd").for_structures())  # the data make the trial
    ask(make("oecd"))
    ask(make("oecd").for_structures())
    ask(make("nbs").for_structures(), failing(Throttled))
    refused(make("nbs"))


def test_the_third_failure_in_a_row_begins_a_pause(make: Make, clock: Clock) -> None:
    for error in (failing(Unreachable), failing(ServerFault), None, failing(ServerFault), failing(NotFound)):
        ask(make(), error)
    for _ in range(IN_A_ROW):
        ask(make(), failing(Unreachable))
    assert "because it says no" in refused(make())


def test_of_many_one_tries_and_the_others_wait_for_how_it_ends(make: Make, clock: Clock) -> None:
    ask(make(), failing())
    clock.now += PAUSES["nbs"]
    trying = make()
    trying.admit()
    assert "a trial is under way" in refused(make())
    trying.settle(failing(ServerFault))
    clock.now += 2 * PAUSES["nbs"] - MOMENT
    assert f"since {START:%Y-%m-%d %H:%M:%S} UTC" in refused(make())
    clock.now += MOMENT
    trying = make()
    trying.admit()
    trying.settle(None)
    ask(make())


def test_pauses_double_up_to_the_longest(make: Make, clock: Clock) -> None:
    ask(make(), failing())
    lengths = [PAUSES["nbs"]]
    while lengths[-1] < LONGEST:
        lengths.append(min(2 * lengths[-1], LONGEST))
    for length in (*lengths, LONGEST):
        clock.now += length - MOMENT
        refused(make())
        clock.now += MOMENT
        ask(make(), failing())


def test_a_trial_that_sent_nothing_or_never_ended_leaves_it_to_the_next(make: Make, clock: Clock) -> None:
    ask(make(), failing())
    clock.now += PAUSES["nbs"]
    ask(make(), failing(OutOfTime))
    make().admit()  # and its process dies
    refused(make())
    clock.now += TRIAL
    ask(make())


def test_an_answer_that_was_under_way_neither_ends_nor_lengthens_a_pause(make: Make, clock: Clock) -> None:
    early, late = make(), make()
    early.admit()
    late.admit()
    ask(make(), failing())
    early.settle(None)
    late.settle(ServerFault("too late", next_step="wait"))
    assert "because it says no" in refused(make())
    clock.now += PAUSES["nbs"] - MOMENT
    refused(make())
    clock.now += MOMENT
    ask(make())


@pytest.mark.parametrize(
    ("asked", "given"),
    [(PAUSES["oecd"] + MOMENT, PAUSES["oecd"] + MOMENT), (MOMENT, PAUSES["oecd"]), (9 * AT_MOST, AT_MOST)],
)
def test_a_provider_that_asks_for_more_time_gets_it(
    make: Make, clock: Clock, asked: timedelta, given: timedelta
) -> None:
    ask(make("oecd"), Throttled("too many", next_step="wait", retry_after=asked.total_seconds()))
    clock.now += given - MOMENT
    refused(make("oecd"))
    clock.now += MOMENT
    ask(make("oecd"))


def test_what_is_paused_can_be_seen(place: Path | str) -> None:
    assert breaker.paused(place) == []
    for provider, profile in (("oecd", "live"), ("nbs", "sandbox")):
        one = Breaker(place, provider, ADDRESS, profile=profile)
        ask(one, failing())
        one.close()
    shown = {row["provider"]: row for row in breaker.paused(place)}
    assert (shown["oecd"]["address"], shown["oecd"]["why"]) == (ADDRESS, "it says no")
    assert shown["nbs"]["until"] < shown["oecd"]["until"]  # a sandbox is not left alone for long
    with pytest.raises(ProviderPaused):
        Breaker(place, "nbs", ADDRESS, profile="sandbox").admit()


def test_two_at_once_never_both_try(place: Path | str, clock: Clock) -> None:
    many = [Breaker(place, "nbs", ADDRESS, clock=clock) for _ in range(4)]
    ask(many[0], failing())
    clock.now += PAUSES["nbs"]
    together = Barrier(len(many))

    def tries(one: Breaker) -> bool:
        together.wait()
        try:
            one.admit()
        except ProviderPaused:
            return False
        return True

    with ThreadPoolExecutor(len(many)) as pool:
        assert sorted(pool.map(tries, many)) == [False, False, False, True]
    for one in many:
        one.close()
