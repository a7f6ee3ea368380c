"""One dataset to take away: its values with unit, status and vintage, citation and licence.

Belongs here: rows and what must be said with them, as CSV, XLSX or Parquet. Does not belong here: papers, and where the file is
put.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from warehouse import ledger, line, questions
from warehouse.errors import UsageError
from warehouse.papers.figures import citations
from warehouse.spreadsheets import csv_bytes, workbook
from warehouse.store import Warehouse

#: The columns of a row, as in warehouse.questions.values, and their types.
COLUMNS = {
    "series": pa.string(), "period": pa.string(), "value": pa.float64(), "unit": pa.string(), "multiplier": pa.int32(),
    "value_text": pa.string(), "status": pa.string(), "known_from": pa.string(), "precision": pa.string(),
    "basis": pa.string(), "vintage": pa.string(), "edition": pa.int64(),
}  # fmt: skip
ENDINGS = (".csv", ".xlsx", ".parquet")


def dataset(
    warehouse: Warehouse, name: str, file: str, *, as_of: str | None = None, edition: int | str | None = None
) -> dict[str, bytes]:
    """The files of a dataset by name: the one asked for, whose ending says its kind; beside a CSV what must be said with it.

    A workbook says that on a second sheet, Parquet in the metadata of its schema. Raises UsageError for an unknown dataset,
    ending, day or edition, and where nothing is held.
    """
    ending = checked_ending(file)
    rows = questions.values(warehouse, _series(warehouse, name, edition), as_of=as_of, edition=edition)
    if not rows:
        raise UsageError(f"nothing is held of {name} for that question", next_step="leave out --as-of or --edition")
    said = _said(warehouse, name, rows, as_of)
    if ending == ".csv":
        notes = "".join(f"{key}: {text}\n" for key, text in said)
        return {file: csv_bytes(list(COLUMNS), rows), f"{file}.txt": notes.encode()}
    if ending == ".xlsx":
        data = [list(COLUMNS), *([row[column] for column in COLUMNS] for row in rows)]
        return {file: workbook({"data": data, "notes": [["about", "text"], *map(list, said)]})}
    return {file: _parquet(rows, said)}


def checked_ending(file: str) -> str:
    """The ending of a file's name, when it is one that we write. Raises UsageError."""
    ending = PurePath(file).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            f"a dataset cannot be written as '{file}'",
            next_step=f"let the name end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}",
        )
    return ending


def _series(warehouse: Warehouse, name: str, edition: int | str | None) -> list[str]:
    """Every series of a dataset up to an edition."""
    columns = ledger.series_index.c
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        query = select(columns.series_key).distinct().where(columns.dataset == name, columns.published_in <= at)
        found = sorted(connection.execute(query).scalars())
        known = sorted(connection.execute(select(ledger.datasets.c.dataset)).scalars())
    if not found:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(near)}?" if near else "`figurekeeper status` shows what is held"
        raise UsageError(f"nothing is held of '{name}'", next_step=hint)
    return [f"{name}:{key}" for key in found]


def _said(
    warehouse: Warehouse, name: str, rows: Sequence[Mapping[str, Any]], as_of: str | None
) -> list[tuple[str, str]]:
    """Edition, citations of the vintages, licence."""
    edition = int(rows[0]["edition"])
    cited = citations.edition_id(warehouse, edition)
    sources = citations.sources(warehouse, {row["vintage"] for row in rows}, edition)
    said = [("dataset", name), ("edition", cited), ("profile", warehouse.profile)]
    if warehouse.profile != "live":
        said.append(("note", f"{warehouse.profile.upper()}: not fetched from the provider itself"))
    if as_of is not None:
        said.append(("as of", as_of))
    said.append(("value", "counts ten to the power of `multiplier` of the unit"))
    licences = dict.fromkeys(f"{one.licence} {one.licence_url} {one.attribution}" for one in sources)
    said += [("licence", text) for text in licences]
    return said + [("citation", citations.of_source(one, cited, "en")) for one in sources]


def _parquet(rows: Sequence[Mapping[str, Any]], said: Sequence[tuple[str, str]]) -> bytes:
    """The rows as Parquet; what is said several times is one text a line."""
    texts: dict[str, list[str]] = {}
    for key, text in said:
        texts.setdefault(key, []).append(text)
    schema = pa.schema(COLUMNS, metadata={key: "\n".join(lines) for key, lines in texts.items()})
    content = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([{name: row[name] for name in COLUMNS} for row in rows], schema=schema), content
    )
    return content.getvalue()
