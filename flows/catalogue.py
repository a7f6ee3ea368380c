"""Which datasets an installation has: our files and the operator's own, enabled or waiting for first contact (or
for their first file).

Belongs here: what the settings and the warehouse add to the dataset files; everything in flows/ asks here for a dataset. Does not
belong here: what a file says or how it is read (connectors/datasets.py), making first contact (first_contact.py).
"""

from __future__ import annotations

from connectors import datasets
from connectors.contact.expected import expected
from connectors.datasets import Dataset, NotEnabled, Survey
from connectors.files import manifest as drop
from flows import contacted
from flows.settings import Settings


def ids(settings: Settings) -> list[str]:
    """The ids of all dataset files, sorted; no file is read."""
    return datasets.known_ids(settings.datasets)


def load(settings: Settings, dataset_id: str) -> Dataset:
    """The dataset of that id, enabled or not. Raises UsageError for an unknown one, DatasetFileError for a wrong file."""
    return datasets.load(dataset_id, settings.datasets)


def survey(settings: Settings) -> Survey:
    """All dataset files: enabled, waiting, wrong."""
    return datasets.survey(settings.datasets, lambda dataset: _seen(settings, dataset))


def enabled(settings: Settings) -> dict[str, Dataset]:
    """The datasets that may be refreshed, by id."""
    return survey(settings).enabled


def load_enabled(settings: Settings, dataset_id: str) -> Dataset:
    """Like `load`. Raises NotEnabled for a dataset that was never seen at its provider; files can always be looked for."""
    dataset = load(settings, dataset_id)
    if not (dataset.verified or dataset.reads == "files" or _seen(settings, dataset)):
        raise NotEnabled(dataset_id, not_here(settings, dataset_id))
    return dataset


def not_here(settings: Settings, dataset_id: str) -> str | None:
    """The operator's next step for a dataset of which the sandbox is known to have no facts; None elsewhere."""
    if settings.profile != "sandbox" or expected(dataset_id, settings.profile) is None:
        return None
    return (
        "the sandbox has no facts of it, so it can be enabled in profile live only: "
        f"`FIGUREKEEPER_PROFILE=live figurekeeper doctor --live {dataset_id}`"
    )


def standing(settings: Settings) -> dict[str, str]:
    """For each provider, in words, what of it was ever compared with the dataset files."""
    found = survey(settings)
    return contacted.standing(settings, [*found.enabled.values(), *found.waiting.values()])


def _seen(settings: Settings, dataset: Dataset) -> bool:
    if dataset.reads == "files":
        return not drop.awaits(settings.root / "drop" / dataset.id)
    return contacted.seen(settings, dataset) is not None
