"""Dataset files: what one refresh fetches, declared in one YAML file a dataset; ours in connectors/datasets/, and the user's own
in a folder of theirs.

Belongs here: finding and reading files, saying everything that is wrong with one at once, each mistake with its line, and which
datasets are enabled. Does not belong here: the fields (datasets/model), contradictions among them (datasets/checks).
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from connectors.datasets.checks import contradictions
from connectors.datasets.model import Calendar, Checks, Dataset, Kind, Licence, Part, Ratio
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.yaml_lines import Mistake, Mistaken, line_at, lines_of, read

__all__ = [
    "FOLDER",
    "Calendar",
    "Checks",
    "Dataset",
    "DatasetFileError",
    "Kind",
    "Licence",
    "NotEnabled",
    "Part",
    "Ratio",
    "Survey",
    "enabled_ids",
    "known_ids",
    "line_of",
    "load",
    "load_all",
    "load_file",
    "path_of",
    "survey",
]

FOLDER = Path(__file__).parent


class DatasetFileError(FigurekeeperError):
    """A dataset file is wrong; `mistakes` lists everything that is, each with its line."""

    def __init__(self, path: Path, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        listed = "".join(f"\n  {path.name}:{mistake}" for mistake in mistakes)
        super().__init__(
            f"the dataset file has {len(mistakes)} mistake(s):{listed}\n",
            next_step=f"correct {path} and try again; nothing was fetched",
            dataset=path.stem,
        )


class NotEnabled(FigurekeeperError):
    """The dataset is unverified, and nobody has seen yet that its provider has what its file says."""

    def __init__(self, dataset_id: str, next_step: str | None = None) -> None:
        super().__init__(
            "not enabled: what its file says was never compared with the provider",
            next_step=next_step
            or f"run `figurekeeper doctor --live {dataset_id}`, which asks the provider once and enables it",
            dataset=dataset_id,
        )


def never_seen(_: Dataset) -> bool:
    """That no first contact was made."""
    return False


@dataclass(frozen=True)
class Survey:
    """All dataset files by what can be done with them: enabled, waiting for a first contact with the provider, or wrong."""

    enabled: dict[str, Dataset]
    waiting: dict[str, Dataset]
    wrong: dict[str, DatasetFileError]


def survey(own: Path | None = None, seen: Callable[[Dataset], bool] = never_seen) -> Survey:
    """Our files and those in the folder `own`, by id; `seen` says of an unverified dataset whether it was seen since."""
    found = Survey({}, {}, {path.name: _misnamed(path) for path in sorted(own.glob("*.yml"))} if own else {})
    for dataset_id in known_ids(own):
        try:
            dataset = load(dataset_id, own)
        except DatasetFileError as error:
            found.wrong[dataset_id] = error
            continue
        (found.enabled if dataset.verified or seen(dataset) else found.waiting)[dataset_id] = dataset
    return found


def enabled_ids(own: Path | None = None, seen: Callable[[Dataset], bool] = never_seen) -> list[str]:
    """The ids of the datasets that may be refreshed, sorted; wrong files are not among them."""
    return list(survey(own, seen).enabled)


def known_ids(own: Path | None = None) -> list[str]:
    """The ids of all dataset files, ours and those in the folder `own`, sorted; no file is read."""
    return sorted({path.stem for path in _files(own)})


def load(dataset_id: str, own: Path | None = None) -> Dataset:
    """The dataset of that id. Raises UsageError for an unknown one, DatasetFileError for a wrong file."""
    return _load(path_of(dataset_id, own), _files(own))


def path_of(dataset_id: str, own: Path | None = None) -> Path:
    """The file of a dataset. Raises UsageError for an unknown one, DatasetFileError for one that ends in .yml."""
    found = [path for path in _files(own) if path.stem == dataset_id]
    if not found:
        if own and (misnamed := own / f"{dataset_id}.yml").exists():
            raise _misnamed(misnamed)
        known = known_ids(own)
        nearest = difflib.get_close_matches(dataset_id, known, n=1, cutoff=0.3)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UsageError(
            f"unknown dataset {dataset_id!r}", next_step=f"{hint}the known datasets are {', '.join(known)}"
        )
    return found[-1]


def load_all(own: Path | None = None) -> dict[str, Dataset]:
    """All datasets by id. Raises DatasetFileError at the first wrong file."""
    return {dataset_id: load(dataset_id, own) for dataset_id in known_ids(own)}


def load_file(path: Path) -> Dataset:
    """The dataset of one file. Raises DatasetFileError with all mistakes at once."""
    return _load(path, sorted(path.parent.glob("*.yaml")))


def line_of(path: Path, *where: str | int) -> int:
    """The line of a field of a file, such as ("parts", 0, "key"); of what it would stand in when it is not written."""
    return line_at(lines_of(path.read_bytes()), where)


def _load(path: Path, files: list[Path]) -> Dataset:
    others = tuple((other.stem, other) for other in files if other != path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetFileError(path, [f"1: cannot be read ({error.strerror})"]) from error
    return _parse(path, content, others)


def _misnamed(path: Path) -> DatasetFileError:
    return DatasetFileError(path, [f"1: files that end in .yml are not read; rename it to {path.stem}.yaml"])


def _files(own: Path | None) -> list[Path]:
    return [path for folder in (FOLDER, own) if folder is not None for path in sorted(folder.glob("*.yaml"))]


@lru_cache(maxsize=256)
def _parse(path: Path, content: bytes, others: tuple[tuple[str, Path], ...]) -> Dataset:
    def check(fields: Mapping[str, Any]) -> Iterable[Mistake]:
        return contradictions(fields, path, dict(others))

    try:
        dataset = read(content, Dataset, check)
    except Mistaken as found:
        raise DatasetFileError(path, found.mistakes) from found
    dataset._sha256 = hashlib.sha256(content).hexdigest()
    return dataset
