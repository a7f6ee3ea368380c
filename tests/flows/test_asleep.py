"""A week asleep, by a moved clock: then one run a deployment, not one for every time that was missed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from connectors.sandbox.server import serve
from flows.deployments import FILE
from flows.environment import PROJECT
from tests.flows import running
from tests.flows.running import Api, wait_for

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]

#: A poll, asked daily here, and a weekly chore: enough to tell one run from one a missed time, and quick.
POLL = "nbs.fdi_by_country"
KEPT = (POLL, "maintain")
WEEK = 7 * 24 * 3600
#: `figurekeeper up` with the deployments of another file.
PROGRAM = """
import sys
from pathlib import Path
from flows import deployments, service, settings
deployments.prefect_file = lambda current: Path(sys.argv[1])
service.up(settings.load())
"""


def few_deployments(folder: Path) -> Path:
    """prefect.yaml with few of its deployments: those that are kept, and what the automations start, here without a schedule."""
    content = YAML(typ="safe").load(FILE)
    content["deployments"] = [
        {key: value for key, value in one.items() if key != "schedules" or one["name"] in KEPT}
        for one in content["deployments"]
        if one["name"] in {*KEPT, "deliver-notice", "watch"}
    ]
    [poll] = [one for one in content["deployments"] if one["name"] == POLL]
    poll["schedules"][0]["cron"] = "45 10 * * *"
    file = folder / "prefect.yaml"
    YAML().dump(content, file)
    return file


def states(api: Api) -> dict[str, Counter[str]]:
    """How many scheduled runs of each kept deployment are in which state."""
    names = {number: name for name, number in api.deployments().items()}
    found = {name: Counter[str]() for name in KEPT}
    for run in api.runs():
        if "auto-scheduled" in run["tags"] and names.get(run["deployment_id"]) in KEPT:
            found[names[run["deployment_id"]]][run["state"]["name"]] += 1
    return found


def ran(api: Api) -> dict[str, int]:
    """How many scheduled runs of each kept deployment did something, and are done."""
    return {name: sum(count[end] for end in ("Completed", "Failed", "Crashed")) for name, count in states(api).items()}


def overdue(api: Api) -> list[str]:
    return [run["name"] for run in api.runs("Late", "Pending", "Running") if "auto-scheduled" in run["tags"]]


def test_one_run_a_deployment_after_a_week_asleep(tmp_path: Path) -> None:
    clock, log = tmp_path / "clock", tmp_path / "log"
    clock.write_text("0")
    port, file = running.two_ports(), str(few_deployments(tmp_path))
    moved = f"{PROJECT}:{Path(__file__).parent / 'moved_clock'}"
    with serve() as sandbox:
        providers = {f"FIGUREKEEPER_{name.upper()}_URL": sandbox.url(name) for name in ("oecd", "worldbank", "nbs")}
        env = {
            "FIGUREKEEPER_HOME": str(tmp_path / "home"), "FIGUREKEEPER_PROFILE": "live", "MOVED_CLOCK": str(clock),
            "PYTHONPATH": moved, **providers,
        }  # fmt: skip
        with running.up(port, env, log, file, program=PROGRAM) as api:
            assert wait_for(lambda: all(count["Scheduled"] >= 3 for count in states(api).values()))
            clock.write_text(str(WEEK))  # the machine slept with server and worker alive
            assert wait_for(lambda: all(ran(api).values()) and not overdue(api)), states(api)
            assert set(ran(api).values()) == {1}
            missed = states(api)
            assert missed[POLL]["Skipped"] + missed[POLL]["Cancelled"] == 2
            assert wait_for(lambda: all(count["Scheduled"] >= 3 for count in states(api).values()))
        clock.write_text(str(3 * WEEK))  # nothing ran at all
        with running.up(port, env, log, file, program=PROGRAM) as api:
            assert wait_for(lambda: min(ran(api).values()) == 2 and not overdue(api)), states(api)
            assert set(ran(api).values()) == {2}
            for kind in ("deployments", "automations"):  # replaced by the second start, not added to those of the first
                names = [one["name"] for one in api.ask(f"/{kind}/filter", limit=200)]
                assert len(names) == len(set(names)) > 0, kind
            assert "were missed while nothing ran and are called off" in log.read_text()
