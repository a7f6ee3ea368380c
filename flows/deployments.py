"""The deployments of an installation: those of prefect.yaml, and one more for every dataset that is enabled here alone,
because it is the operator's own or a first contact has seen it.

Belongs here: what a dataset's deployment is. Does not belong here: telling the server of it (server, service). Nothing of
Prefect is imported.
"""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from cronsim import CronSim
from ruamel.yaml import YAML

from connectors.datasets import Dataset
from flows import catalogue
from flows.settings import Settings
from warehouse.files import write_durably

_ENDS = (
    "Completed, Quarantined (decide with the deployment review), PartlyFailed, Failed (both say what to do), Skipped."
)
FILE = Path(__file__).resolve().parent.parent / "prefect.yaml"


def of_dataset(dataset: Dataset) -> dict[str, Any]:
    """The deployment of one dataset, as prefect.yaml writes it, without its pool."""
    calendar = dataset.calendar
    return {
        "name": dataset.id,
        "description": described(dataset),
        "entrypoint": "flows/refresh.py:refresh_dataset",
        "parameters": {"request": {"dataset": dataset.id}},
        "tags": [dataset.provider, "refresh", cadence(calendar.cron)],
        "schedules": [{"cron": calendar.cron, "timezone": calendar.timezone, "slug": "poll"}],
        "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
    }


def described(dataset: Dataset) -> str:
    """What an operator reads of a deployment: what it refreshes, when it is asked, when something is to be expected, its ends."""
    calendar = dataset.calendar
    asked = CronSim(calendar.cron, datetime(2000, 1, 1)).explain()
    what = "its drop folder is looked into" if dataset.reads == "files" else "the provider is asked"
    needed = f"* **Needed by** {', '.join(dataset.papers)}\n" if dataset.papers else ""
    late = f"; {calendar.lag}" if calendar.lag else ""
    return (
        f"{dataset.title}\n\n"
        f"* **When**: {what} {asked[0].lower()}{asked[1:]}, time of {calendar.timezone}\n"
        f"* **Released**: {calendar.releases}{late}\n"
        f"* **Too old** after {calendar.stale_after_days} days without a good refresh\n"
        f"{needed}* **Ends** {_ENDS}\n"
    )


def cadence(cron: str) -> str:
    """How often a calendar asks, as a tag: daily, workdays or weekly."""
    day = cron.split()[4]
    return {"*": "daily", "1-5": "workdays"}.get(day, "weekly")


def prefect_file(settings: Settings, file: Path = FILE) -> Path:
    """The file to deploy: ours, or a copy of it in the profile's folder with the further datasets of this installation."""
    yaml = YAML()
    content = yaml.load(file)
    deployed = {entry["name"] for entry in content["deployments"]}
    further = [dataset for name, dataset in catalogue.enabled(settings).items() if name not in deployed]
    if not further:
        return file
    pool = content["definitions"]["work_pool"]
    content["deployments"] += [{**of_dataset(dataset), "work_pool": pool} for dataset in further]
    written = StringIO()
    yaml.dump(content, written)
    copy = settings.root / "prefect.yaml"
    write_durably(copy, written.getvalue().encode())
    return copy


def names(file: Path) -> set[str]:
    """The names of the deployments of a file."""
    return {entry["name"] for entry in YAML(typ="safe").load(file)["deployments"]}
