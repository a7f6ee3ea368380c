"""Answers that are files: what is new in a drop folder, and stored messages, each as what one batch is to read.

Belongs here: where the folder is, which editions are new, and reading files from disk. Does not belong here: what the files say
(connectors/files/editions.py, connectors/stored.py), or the steps of a batch (batch).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from connectors import stored
from connectors.contract import FILE, Fetched
from connectors.datasets import Dataset
from connectors.errors import NoData
from connectors.files import editions as files
from connectors.files import manifest as drop
from connectors.files.manifest import Dropped, Edition
from connectors.http.request import Request
from connectors.stored import Loading
from flows.settings import Settings
from warehouse import clock, held_over
from warehouse.errors import FigurekeeperError, NoWarehouse, UsageError
from warehouse.schema import Payload
from warehouse.store import Warehouse

#: What a file costs in a plan: nobody is asked, so no limit counts it.
COST = "file"
MOST_BYTES = 500 << 20


def folder(settings: Settings, dataset: Dataset) -> Path:
    """The drop folder of a dataset. In profile sandbox the sandbox's own stands in while nobody has made one."""
    own = settings.root / "drop" / dataset.id
    if settings.profile != "sandbox" or own.exists():
        return own
    from connectors.sandbox import dropped

    borrowed = settings.root / "sandbox-drop" / dataset.id
    return borrowed if dropped.write(dataset.id, borrowed) else own


def new_editions(settings: Settings, dataset: Dataset) -> tuple[list[Edition], Dropped]:
    """The editions in the drop folder of which something was not taken up before, oldest first, and what lies there.

    Raises ManifestError, and NoData when nothing lies there.
    """
    place = folder(settings, dataset)
    if drop.awaits(place):
        others = ", ".join(drop.lying_in(place))
        raise NoData(
            f"no {drop.MANIFEST} lies in the drop folder {place}" + (f", only {others}" if others else ""),
            dataset=dataset.id,
            next_step=f"put the tables and a manifest there, as {drop.GUIDE} explains, and run the refresh again",
        )
    found, held = drop.look(dataset, place), _taken_up(settings, dataset)
    listed = files.editions(dataset, found)
    return [one for one in listed if not files.manifest_sha256s(dataset, one, found) <= held], found


def batches(settings: Settings, dataset: Dataset) -> Iterator[Callable[[], Fetched]]:
    """What each batch is to read, oldest first; of one batch alone that nothing is new, when that is so.

    An error is raised by what is handed out, so that it is told as that of a batch.
    """
    try:
        editions, found = new_editions(settings, dataset)
        if not editions:
            said = f"nothing new in the drop folder; {len(found.editions)} editions were taken up before"
            said += f"; {found.left_out}" if found.left_out else ""
            yield partial(Fetched, (), unmoved=True, said=said)
        for edition in editions:
            for piece in files.fetch(dataset, edition, found, clock.now()):
                yield partial(answer, piece)
    except FigurekeeperError as error:
        yield partial(_fail, error)


def rows(settings: Settings, dataset: Dataset) -> list[dict[str, Any]]:
    """What a refresh would take up, one row a part and file of a new edition, in the columns of a plan; and what lies in the
    folder and would not be read, without a part and of unknown bytes.

    Raises as new_editions does.
    """
    editions, found = new_editions(settings, dataset)
    taken = [
        {
            "dataset": dataset.id,
            "part": table.part,
            "request": f"{FILE} {table.file}",
            "parameters": f"edition={edition.edition}",
            "cost": COST,
            "bytes": len(found.files[table.file]),
        }
        for edition in editions
        for table in edition.tables
    ]
    ignored = {"dataset": dataset.id, "part": None, "parameters": f"not read: {drop.MANIFEST} does not name it"}
    return taken + [{**ignored, "request": f"{FILE} {name}", "cost": COST, "bytes": None} for name in found.unnamed]


def messages(settings: Settings, dataset: Dataset, paths: Sequence[Path], loading: Loading) -> list[Fetched]:
    """Stored messages as answers, one Fetched for each batch, in known order; `.gz` files are unpacked.

    Raises UsageError for a file that cannot be read or a date that is still to come, and UnexpectedPayload for a file that
    does not belong.
    """
    if dataset.reads == "files":
        raise UsageError(
            "read from files: it has a drop folder",
            dataset=dataset.id,
            next_step=f"put the file into {folder(settings, dataset)}, as {drop.GUIDE} explains, and run a refresh",
        )
    if loading.stamp and drop.to_come(loading.stamp.text, dataset.publisher_timezone):
        raise UsageError(
            f"{loading.stamp.text} is still to come, so nothing was published then",
            dataset=dataset.id,
            next_step="say with --published when the files came out, as exactly as it is known",
        )
    at, warehouse = clock.now(), _warehouse(settings)

    def recall(request: Request) -> Payload | None:
        if warehouse is None:
            return None
        return held_over.answer(warehouse, dataset.id, dataset.sha256, request.address, None)

    payloads = [stored.payload(path.name.removesuffix(".gz"), _read(path), at) for path in paths]
    return stored.fetch(dataset, payloads, loading, recall)


def _read(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read ({error})", next_step="check the name and the file") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES >> 20} MB", next_step="load a smaller part of it")
    return content


def _taken_up(settings: Settings, dataset: Dataset) -> set[str]:
    warehouse = _warehouse(settings)
    return set() if warehouse is None else held_over.taken_up(warehouse, dataset.id, dataset.sha256, FILE)


def _warehouse(settings: Settings) -> Warehouse | None:
    """None while there is none."""
    try:
        return Warehouse(**settings.place, create=False)
    except NoWarehouse:
        return None


def answer(fetched: Fetched) -> Fetched:
    """What a batch is to read, made before."""
    return fetched


def _fail(error: FigurekeeperError) -> Fetched:
    raise error
