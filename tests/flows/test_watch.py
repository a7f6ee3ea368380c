"""The watch for real, on a Prefect server: a run that dies is told at once and once, until one ends well."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flows import server
from flows.settings import Settings
from warehouse import incidents, lineage
from warehouse.store import Warehouse

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

MAINTAIN = "maintain/maintain"
PARAMETERS = {"request": {"dry_run": True}}


def process_of(run: UUID) -> int | None:
    """The process that a worker started for a run, once there is one."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"PREFECT__FLOW_RUN_ID={run}".encode() in (process / "environ").read_bytes():
                return int(process.name)
    return None


def test_a_run_that_dies_is_one_incident_until_a_run_of_its_deployment_ends_well(
    service: Any, service_home: Path, run_deployment: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    settings = Settings(home=service_home)

    def standing() -> list[dict[str, Any]]:
        warehouse = Warehouse(**settings.place)
        rows = lineage.open_incidents(warehouse)
        return [row for row in rows if (row["kind"], row["dataset"]) == (incidents.RUN, "maintain")]

    run = server.start_run(MAINTAIN, PARAMETERS)
    os.kill(eventually(lambda: process_of(run)), signal.SIGKILL)
    [told] = eventually(standing, seconds=120)
    assert (told["dataset"], told["occurrences"], told["title"]) == ("maintain", 1, "maintain: a run died")
    assert "SIGKILL" in told["text"]
    letter = f"{told['id']:06d}-opened-maintain.md"
    assert eventually(lambda: (settings.root / "inbox" / letter).exists())

    assert run_deployment(MAINTAIN, PARAMETERS).type.value == "COMPLETED"
    assert run_deployment("watch/watch", {}).type.value == "COMPLETED"
    assert standing() == []
