"""Quotas: limits, waits, what is left, and that several processes, or hosts, share one count."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyrate_limiter import Rate

from connectors.errors import QuotaExhausted
from connectors.http.quota import LIVE, Quota, Rates
from connectors.http.request import Cost
from warehouse import server
from warehouse.files import StoreUnreachable

ROOT = Path(__file__).parents[2]


def test_a_full_limit_waits_for_its_turn(tmp_path: Path) -> None:
    quota = Quota(tmp_path / "quota.sqlite", "oecd", limits={"data": [Rate(2, 300)]})
    started = time.monotonic()
    waits = [quota.take("data") for _ in range(3)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] > 0.1
    assert time.monotonic() - started >= 0.29
    quota.close()


def test_a_wait_too_long_is_refused_with_the_time_it_frees(tmp_path: Path) -> None:
    slept: list[float] = []
    path = tmp_path / "quota.sqlite"
    quota = Quota(path, "oecd", limits={"data": [Rate(1, 3_600_000)]}, max_wait=5, sleep=slept.append)
    quota.take("data")
    with pytest.raises(QuotaExhausted, match=r"frees at 20\d\d-.* UTC.*Next: run the refresh again after"):
        quota.take("data")
    (left,) = quota.left()
    assert (left.limit, left.seconds, left.left, slept) == (1, 3600, 0, [])
    assert left.frees_at is not None
    assert 3500 < left.frees_at.timestamp() - time.time() <= 3600
    quota.close()


def test_what_is_left_counts_every_limit_and_cost_by_itself(tmp_path: Path) -> None:
    quota = Quota(tmp_path / "quota.sqlite", "oecd")
    quota.take("structure")
    quota.take("data")
    assert [(one.cost, one.limit, one.left) for one in quota.left()] == [
        ("data", 1, 0),
        ("data", 50, 49),
        ("structure", 15, 14),
    ]
    quota.close()


def test_a_provider_without_a_class_for_structures_counts_them_as_data(tmp_path: Path) -> None:
    quota = Quota(tmp_path / "quota.sqlite", "nbs")
    quota.take("structure")
    assert [one.left for one in quota.left()] == [0, 19]
    quota.close()


def test_a_run_has_its_share_and_another_one_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "quota.sqlite"
    plenty: dict[Cost, Rates] = {"data": [Rate(100, 3_600_000)]}
    quota = Quota(path, "nbs", limits=plenty)
    for _ in range(20):
        quota.take("data")
    with pytest.raises(QuotaExhausted, match=r"one run may send nbs 20 requests.*Next: run the refresh again after"):
        quota.take("data")
    assert [one.left for one in quota.left()] == [80]
    quota.close()
    another = Quota(path, "nbs", limits=plenty)
    assert another.take("data") == 0
    another.close()


def test_limits_stay_below_what_the_providers_allow() -> None:
    assert any(rate.limit <= 60 and rate.interval == 3_600_000 for rate in LIVE["oecd"]["data"])
    assert any(rate.limit <= 20 and rate.interval == 60_000 for rate in LIVE["oecd"]["structure"])
    assert any(rate.limit == 1 and rate.interval == 1000 for rate in LIVE["nbs"]["data"])


#: Asks 25 times for a request, of which 30 an hour are allowed; says how often it got one.
GREEDY = """
import sys
from pathlib import Path
from pyrate_limiter import Rate
from connectors.errors import QuotaExhausted
from connectors.http.quota import Quota
place = sys.argv[1] if sys.argv[1].startswith("postgresql") else Path(sys.argv[1])
quota = Quota(place, "oecd", limits={"data": [Rate(30, 3_600_000)]}, max_wait=0)
taken = 0
for _ in range(25):
    try:
        quota.take("data")
        taken += 1
    except QuotaExhausted:
        pass
quota.close()
print(taken)
"""


@pytest.mark.parametrize("where", ["file", "server"])
def test_two_processes_share_one_count(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = (
        tmp_path / "quota.sqlite" if where == "file" else server.catalogue(request.getfixturevalue("postgres"), "live")
    )
    command = [sys.executable, "-c", GREEDY, str(place)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [int(one.communicate(timeout=60)[0]) for one in running]
    assert sum(taken) == 30
    quota = Quota(place, "oecd", limits={"data": [Rate(30, 3_600_000)]})
    assert [one.left for one in quota.left()] == [0]
    quota.close()


def test_a_server_counts_and_waits_as_a_file_does(postgres: str) -> None:
    slept: list[float] = []
    place = server.catalogue(postgres, "live")
    limits: dict[Cost, Rates] = {"data": [Rate(2, 300), Rate(3, 3_600_000)], "structure": [Rate(5, 3_600_000)]}

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    quota = Quota(place, "oecd", limits=limits, max_wait=5, sleep=sleep)
    assert [quota.take("data") > 0 for _ in range(3)] == [False, False, True]
    assert 0 < slept[0] < 0.4
    with pytest.raises(QuotaExhausted, match=r"frees at 20\d\d-.* UTC"):
        quota.take("data")
    left = {(one.cost, one.seconds): one for one in quota.left()}
    assert (left["data", 3600].left, left["structure", 3600].left) == (0, 5)
    frees = left["data", 3600].frees_at
    assert frees is not None
    assert 3500 < frees.timestamp() - time.time() <= 3600
    quota.close()


def test_a_server_that_is_gone_is_said_to_be() -> None:
    place = server.catalogue("postgresql://keeper:pass-word@127.0.0.1:1/none?connect_timeout=1", "live")
    with pytest.raises(StoreUnreachable, match="FIGUREKEEPER_CATALOG_URI") as refused:
        Quota(place, "oecd")
    assert "pass-word" not in str(refused.value)


def test_the_sandbox_profile_does_not_slow_anything_down(tmp_path: Path) -> None:
    quota = Quota(tmp_path / "quota.sqlite", "nbs", profile="sandbox")
    assert sum(quota.take("data") for _ in range(50)) == 0
    quota.close()
