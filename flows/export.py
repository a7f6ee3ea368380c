"""`figurekeeper export`: a paper or a dataset to take away; part of the command line (cli).

Belongs here: arguments, and where files are put. What stands in them is in warehouse/papers/figures/export.py and
warehouse/dataset_export.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows import targets
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from flows.settings import Settings
    from warehouse.store import Warehouse


def _target(path: Path) -> Path | None:
    """A file where the name ends like one, else a folder; either can be written. Raises UsageError."""
    return targets.file(path) if path.suffix else targets.folder(path)


def export(
    name: Annotated[str, typer.Argument(metavar="PAPER|DATASET", help="such as paper001 or worldbank.wdi")],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="PATH",
            help="of a paper a folder or a .zip; of a dataset a .csv, .xlsx or .parquet",
            callback=_target,
        ),
    ],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="as known on 2021, 2021-12 or 2021-12-31")
    ] = None,
    edition: Annotated[str | None, typer.Option("--edition", help="number or id, for files that never change")] = None,
) -> None:
    """A paper with data, verdicts, formulas, licences and checksums; or a dataset's values with citation and licence."""
    from flows import output, settings
    from warehouse.store import Warehouse

    current = settings.load()
    warehouse = Warehouse(**current.place, create=False)
    output.warn(warehouse.profile)
    write = _dataset if "." in name else _paper
    written = write(current, warehouse, name, to, as_of, edition)
    print(f"{len(written)} files in {to}" if to.is_dir() else " ".join(map(str, written)))


COMMANDS: tuple[Callable[..., None], ...] = (export,)


def _paper(
    current: Settings, warehouse: Warehouse, name: str, to: Path, as_of: str | None, edition: str | None
) -> list[Path]:
    from warehouse import clock
    from warehouse.papers import catalogue
    from warehouse.papers.figures import charts
    from warehouse.papers.figures import export as bundle
    from warehouse.spreadsheets import archive

    zipped = to.suffix.lower() == ".zip"
    if not zipped and to.suffix and not to.is_dir():
        raise UsageError(
            f"a paper cannot be written as '{to.name}'", next_step="name a folder, or a file that ends with .zip"
        )
    if not zipped and to.is_dir() and any(to.iterdir()):
        raise UsageError(f"the folder {to} is not empty", next_step="name a new or an empty folder")
    known = clock.parse_as_of(as_of) if as_of is not None else None
    files = bundle.paper(warehouse, catalogue.load(current.papers), name, edition=edition, known=known)
    if charts.chinese_font() is None:
        print(f"figurekeeper: {charts.NO_CHINESE}", file=sys.stderr)
    return _put({to.name: archive(files)}, to.parent) if zipped else _put(files, to)


def _dataset(
    _: Settings, warehouse: Warehouse, name: str, to: Path, as_of: str | None, edition: str | None
) -> list[Path]:
    from warehouse import dataset_export

    return _put(dataset_export.dataset(warehouse, name, to.name, as_of=as_of, edition=edition), to.parent)


def _put(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    from warehouse.files import write_durably

    written = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content)
        written.append(path)
    return written
