"""What is remembered of first contacts: one small file a dataset, in the warehouse's storage.

It lies beside the journal, not in it: nothing that is published rests on it, and after a restore the providers are asked again.
Belongs here: the record, and when it still counts. Making contact does not (first_contact).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from connectors.contract import PROVIDERS
from connectors.datasets import Dataset
from flows.addresses import Addresses
from flows.settings import Settings


@dataclass(frozen=True)
class Record:
    """The newest first contact of a dataset: when, where, of which dataset file, whether it passed, and what was seen."""

    dataset: str
    at: str
    address: str
    file_sha256: str
    passed: bool
    seen: dict[str, str]


def remember(settings: Settings, record: Record) -> None:
    """Keep a record in the place of the dataset's last one."""
    content = json.dumps(asdict(record), ensure_ascii=False, indent=1)
    settings.storage.write(_name(record.dataset), content.encode())


def last(settings: Settings, dataset_id: str) -> Record | None:
    """The newest record of a dataset, passed or not; None where there is none, or one of which nothing can be concluded."""
    try:
        return Record(**json.loads(settings.storage.read(_name(dataset_id))))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def seen(settings: Settings, dataset: Dataset) -> Record | None:
    """The record of the dataset's newest first contact, if it counts: it passed, the dataset file is still the same, and in
    profile live the provider is asked at the same address as then. Else None."""
    record = last(settings, dataset.id)
    if record is None or not record.passed or record.file_sha256 != dataset.sha256:
        return None
    if settings.profile == "live" and record.address != Addresses(settings).of(dataset.provider, root=dataset.root):
        return None
    return record


def standing(settings: Settings, datasets: Iterable[Dataset]) -> dict[str, str]:
    """For each provider, in words, what of it was ever seen."""
    records: dict[str, list[Record | None]] = {provider: [] for provider in PROVIDERS}
    for dataset in datasets:
        if dataset.reads == "api":
            records[dataset.provider].append(seen(settings, dataset))
    return {provider: _told(found) for provider, found in records.items()}


def _told(records: list[Record | None]) -> str:
    passed = sorted(record.at for record in records if record is not None)
    if not passed:
        return "never verified against the provider"
    return f"{len(passed)} of {len(records)} datasets verified against the provider, the last on {passed[-1][:10]}"


def _name(dataset_id: str) -> str:
    return f"first-contact/{dataset_id}.json"
