"""Quotas: limits, waits, what is left, and that several processes share one count."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyrate_limiter import Rate

from connectors.errors import QuotaExhausted
from connectors.quota import LIVE, Quota

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


def test_limits_stay_below_what_the_providers_allow() -> None:
    assert any(rate.limit <= 60 and rate.interval == 3_600_000 for rate in LIVE["oecd"]["data"])
    assert any(rate.limit <= 20 and rate.interval == 60_000 for rate in LIVE["oecd"]["structure"])
    assert any(rate.limit == 1 and rate.interval == 1000 for rate in LIVE["nbs"]["data"])


def test_two_processes_share_one_count(tmp_path: Path) -> None:
    path = tmp_path / "quota.sqlite"
    program = (
        "import sys; from pathlib import Path; from pyrate_limiter import Rate\n"
        "from connectors.quota import Quota; from connectors.errors import QuotaExhausted\n"
        "quota = Quota(Path(sys.argv[1]), 'oecd', limits={'data': [Rate(30, 3_600_000)]}, max_wait=0)\n"
        "taken = 0\n"
        "for _ in range(25):\n"
        "    try: quota.take('data'); taken += 1\n"
        "    except QuotaExhausted: pass\n"
        "print(taken)\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [int(one.communicate(timeout=60)[0]) for one in running]
    assert sum(taken) == 30
    quota = Quota(path, "oecd", limits={"data": [Rate(30, 3_600_000)]})
    assert [one.left for one in quota.left()] == [0]
    quota.close()


def test_the_sandbox_profile_does_not_slow_anything_down(tmp_path: Path) -> None:
    quota = Quota(tmp_path / "quota.sqlite", "nbs", profile="sandbox")
    assert sum(quota.take("data") for _ in range(50)) == 0
    quota.close()
