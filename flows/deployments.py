"""The deployments of an installation: those of prefect.yaml, and one more for every dataset that is enabled here alone,
because it is the operator's own or a first contact has seen it.

Belongs here: what a dataset's deployment is. Does not belong here: telling the server of it (server, service). Nothing of
Prefect is imported.
"""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from connectors.datasets import Dataset
from flows import catalogue
from flows.settings import Settings
from warehouse.files import write_durably

FILE = Path(__file__).resolve().parent.parent / "prefect.yaml"


def of_dataset(dataset: Dataset) -> dict[str, Any]:
    """The deployment of one dataset, as prefect.yaml writes it, without its pool."""
    calendar = dataset.calendar
    return {
        "name": dataset.id,
        "description": f"{dataset.title}.",
        "entrypoint": "flows/refresh.py:refresh_dataset",
        "parameters": {"request": {"dataset": dataset.id}},
        "tags": [dataset.provider, "refresh"],
        "schedules": [{"cron": calendar.cron, "timezone": calendar.timezone, "slug": "poll"}],
        "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
    }


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
