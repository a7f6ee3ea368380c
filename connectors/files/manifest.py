"""The drop folder of a dataset: tables of a publication, and the manifest that says what they are.

Belongs here: the fields of `manifest.yaml`, what may be wrong with it, and which editions lie there. Does not belong here: the
tables themselves (tables, layout), and what becomes of an edition (editions).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from connectors.datasets import Dataset
from warehouse import clock, yaml_lines
from warehouse.clock import stated_stamp
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.schema import Basis, Stamp
from warehouse.yaml_lines import Mistake

MANIFEST = "manifest.yaml"
GUIDE = "docs/yearbook-files.md"

Column = Annotated[str, Field(pattern=r"^[A-Z]{1,3}$", description="the letter of a column")]


def _day(value: object) -> object:
    """YAML makes a date of 2022-12-31 without quotes."""
    return value.isoformat() if isinstance(value, date) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Table(_Strict):
    """Where in a file the numbers of one part stand. Rows count from 1, columns are letters, as a spreadsheet shows them."""

    part: str = Field(description="a part of the dataset file")
    file: str = Field(description="a CSV or XLSX file beside the manifest")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="of the file; another one is refused")
    sheet: str | None = Field(None, description="XLSX: which sheet, where there are several")
    header: int | tuple[int, int] | None = Field(
        None,
        description="row of the heads, or first and last; None: the row that begins with 指标, as in files of the NBS",
    )
    names: Column = Field("A", description="column with the names of the rows")
    rows: tuple[int, int] | None = Field(
        None, description="first and last row with numbers; None: from the heads down to the notes"
    )
    series: Literal["rows", "columns"] = Field("rows", description="what the series are; periods run the other way")
    period: str | None = Field(None, description="of a table about one period: which")
    values: str | None = Field(None, description="of a table about one period: the head under which the numbers stand")
    skip: tuple[int | str, ...] = Field((), description="rows by number, rows and columns by their heads")
    unit: str | None = Field(None, description="the unit as printed, where it stands nowhere in the file")
    unit_at: str | None = Field(None, pattern=r"^[A-Z]{1,3}[1-9]\d*$", description="the cell with the line of the unit")
    marks: dict[str, Annotated[str, Field(pattern=r"^([A-Z]\d?)?$")]] = Field(
        {},
        description="footnote marks behind numbers: the SDMX code of the observation's status that each means, or ''",
    )

    @property
    def heads(self) -> tuple[int, int] | None:
        """First and last row of the heads."""
        return (self.header, self.header) if isinstance(self.header, int) else self.header

    @model_validator(mode="after")
    def _one_period(self) -> Self:
        if (self.period is None) != (self.values is None):
            raise ValueError(
                "`period` and `values` belong together: which period, and under which head its numbers stand"
            )
        for name, span in (("header", self.heads), ("rows", self.rows)):
            if span and not 1 <= span[0] <= span[1]:
                raise ValueError(f"`{name}` runs from {span[0]} to {span[1]}")
        return self


class Edition(_Strict):
    """One issue of the publication: what it prints was public when it came out."""

    edition: str = Field(pattern=r"^[\w.\-]+$", description="a short name, such as 2022, that no other edition has")
    title: str = Field("", description="of the publication, as one cites it")
    published: Annotated[str, BeforeValidator(_day)] = Field(
        description="when it came out: 2022, 2022-12 or 2022-12-31, as exactly as it is known"
    )
    word: Literal["publisher", "carried"] = Field(
        "carried",
        description="publisher: the publication itself or its publisher states that date; carried: somebody else does, or "
        "it is when the file was found, so the date is the latest possible",
    )
    complete: bool = Field(
        False, description="the tables hold all that is valid: what is held and not in them counts as withdrawn"
    )
    notes: str = ""
    tables: tuple[Table, ...] = Field(min_length=1)

    @field_validator("published")
    @classmethod
    def _date(cls, text: str) -> str:
        try:
            stated_stamp(text, "UTC", Basis.CARRIED)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return text

    def stamp(self, timezone: str) -> Stamp:
        """From when the public could know it. A publisher's date of something loaded late is that of an archive."""
        basis = Basis.ARCHIVE if self.word == "publisher" else Basis.CARRIED
        return stated_stamp(self.published, timezone, basis)


class Manifest(_Strict):
    """All of `manifest.yaml`."""

    editions: tuple[Edition, ...] = Field(min_length=1)


class ManifestError(FigurekeeperError):
    """The manifest of a drop folder is wrong; `mistakes` lists everything that is, each with its line."""

    def __init__(self, dataset: str, path: Path, mistakes: tuple[str, ...]) -> None:
        self.mistakes = mistakes
        listed = "".join(f"\n  {path.name}:{mistake}" for mistake in mistakes)
        super().__init__(
            f"the drop folder's manifest has {len(mistakes)} mistake(s):{listed}\n",
            next_step=f"correct {path} ({GUIDE} explains its fields) and try again; nothing was taken up",
            dataset=dataset,
        )


@dataclass(frozen=True)
class Dropped:
    """The editions that lie in a folder, the bytes of their files by name, and what else lies there and is not read."""

    editions: tuple[Edition, ...]
    files: Mapping[str, bytes]
    unnamed: tuple[str, ...] = ()

    @property
    def left_out(self) -> str:
        """What the manifest does not name, in words; "" when there is nothing."""
        return f"{MANIFEST} does not name, so nothing is read of: {', '.join(self.unnamed)}" if self.unnamed else ""


def awaits(folder: Path) -> bool:
    """True while no manifest lies in the folder."""
    return not (folder / MANIFEST).is_file()


def lying_in(folder: Path) -> list[str]:
    """The names of all that lies in a folder beside the manifest, sorted; without hidden files and locks of Excel."""
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in names if name != MANIFEST and not name.startswith((".", "~$")))


def to_come(published: str, timezone: str) -> bool:
    """True when a date of publication (2022, 2022-12, 2022-12-31) has not begun yet. Raises UsageError when it is none."""
    return clock.parse_since(published).date() > clock.now().astimezone(ZoneInfo(timezone)).date()


def look(dataset: Dataset, folder: Path) -> Dropped:
    """What lies in a drop folder. Raises ManifestError with all mistakes at once."""
    path = folder / MANIFEST
    files: dict[str, bytes] = {}
    try:
        manifest = yaml_lines.read(
            path.read_bytes(), Manifest, lambda data: _contradictions(dataset, folder, data, files)
        )
        unnamed = tuple(name for name in lying_in(folder) if name not in files)
    except yaml_lines.Mistaken as error:
        raise ManifestError(dataset.id, path, error.mistakes) from None
    except OSError as error:
        raise ManifestError(dataset.id, path, (f"1: it or its folder cannot be read ({error.strerror})",)) from error
    return Dropped(manifest.editions, files, unnamed)


def _contradictions(
    dataset: Dataset, folder: Path, data: Mapping[str, Any], files: dict[str, bytes]
) -> Iterator[Mistake]:
    """What the manifest says against itself, the dataset file and the folder. Fills `files`."""
    parts = [part.id for part in dataset.parts]
    seen: set[str] = set()
    for at, edition in _mappings(data.get("editions")):
        name = str(edition.get("edition"))
        if name in seen:
            yield ("editions", at, "edition"), f"edition: {name!r} is listed twice"
        seen.add(name)
        if _is_to_come(dataset, edition.get("published")):
            yield ("editions", at, "published"), f"published: {edition['published']} is still to come"
        for number, table in _mappings(edition.get("tables")):
            where = ("editions", at, "tables", number)
            if "part" in table and table["part"] not in parts:
                yield (*where, "part"), f"part: the dataset has {', '.join(parts)}, and no {table['part']!r}"
            if isinstance(table.get("file"), str):
                wrong = _file(folder, table, files)
                if wrong:
                    yield (*where, "file"), wrong


def _is_to_come(dataset: Dataset, published: object) -> bool:
    try:
        return to_come(str(_day(published)), dataset.publisher_timezone)
    except UsageError:  # said by the field itself
        return False


def _file(folder: Path, table: Mapping[str, Any], files: dict[str, bytes]) -> str:
    """What is wrong with the file of a table; "" when nothing is."""
    name = table["file"]
    if not re.fullmatch(r"[^/\\]+\.(csv|xlsx)", name, re.IGNORECASE):
        return f"file: {name!r} is not the name of a CSV or XLSX file in this folder (save an old .xls as .xlsx)"
    try:
        content = files.setdefault(name, (folder / name).read_bytes())
    except OSError as error:
        return f"file: {name!r} cannot be read ({error.strerror})"
    found = hashlib.sha256(content).hexdigest()
    if table.get("sha256") not in (None, found):
        return f"file: {name!r} has the sha256 {found}, not that of the manifest"
    return ""


def _mappings(value: object) -> list[tuple[int, Mapping[str, Any]]]:
    return [(at, item) for at, item in enumerate(value if isinstance(value, list) else ()) if isinstance(item, dict)]
