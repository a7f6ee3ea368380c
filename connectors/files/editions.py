"""Datasets whose numbers stand in publications only: tables that an operator drops into a folder (`reads: files`).

Belongs here: an edition as answers (exact bytes of its files, and what the manifest says of them), and reading these answers
again. Does not belong here: the manifest, the tables and their layout, and which editions were taken up before
(flows/taking).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Any

from connectors import reach
from connectors.assemble import Parsed, part_data, table_of, within, without_blank_ends
from connectors.contract import FILE, Fetched, PartFetch
from connectors.datasets import Dataset, Part
from connectors.errors import NoData, UnexpectedPayload
from connectors.files import layout as drop_layout
from connectors.files.layout import Cell, Misfit, Printed
from connectors.files.manifest import GUIDE, Dropped, Edition
from connectors.files.tables import read_table
from connectors.reading import NotReadable
from connectors.skipped import Skip
from warehouse.schema import PartData, Payload, Scope


def editions(dataset: Dataset, dropped: Dropped) -> list[Edition]:
    """The editions in a folder in the order in which they became known."""
    return sorted(dropped.editions, key=lambda one: (one.stamp(dataset.publisher_timezone).at, one.edition))


def fetch(dataset: Dataset, edition: Edition, dropped: Dropped, at: datetime) -> tuple[Fetched, ...]:
    """An edition as answers that came at `at`: all of it, or one Fetched for each unbroken run of the periods in it.

    What lies in the folder and is named nowhere is a note. Raises NoData, and UnexpectedPayload with all that does not fit the
    manifest.
    """
    notes = (dropped.left_out,) if dropped.left_out else ()
    parts = dict.fromkeys(table.part for table in edition.tables)
    answers = {part: _payloads(dataset, edition, part, dropped, at) for part in parts}
    read = {part: _read(dataset, part, found) for part, found in answers.items()}
    if problems := [f"part {part}: {problem}" for part, one in read.items() for problem in one.problems]:
        raise _misfit(dataset, edition, problems)
    stamp = edition.stamp(dataset.publisher_timezone)
    pieces: list[list[PartFetch]] = []
    for part, found in answers.items():
        scopes = (Scope(),) if edition.complete else _scopes(dataset, dataset.part(part), read[part])
        for number, scope in enumerate(scopes):
            pieces += [[]] if number == len(pieces) else []
            pieces[number].append(PartFetch(part, found, stamp, scope, notes=notes))
    return tuple(Fetched(tuple(piece)) for piece in pieces)


def manifest_sha256s(dataset: Dataset, edition: Edition, dropped: Dropped) -> set[str]:
    """What tells whether an edition was taken up: the hashes of what is said of its parts, their files included."""
    parts = {table.part for table in edition.tables}
    return {hashlib.sha256(_told(edition, part, dropped.files)).hexdigest() for part in parts}


def parse(dataset: Dataset, fetched: PartFetch) -> PartData:
    """Read what an edition prints of one part, as far as it lies in the scope. Raises NoData, UnexpectedPayload."""
    part, scope = dataset.part(fetched.part), fetched.scope
    read = _read(dataset, fetched.part, fetched.payloads)
    if read.problems:
        raise _misfit(dataset, read.edition, read.problems)
    printed, cells = read.printed, read.cells
    entities = {cell.item: _entity(dataset, part, cell.item) for cell in cells}
    spoken_of = set(scope.entities or dataset.entities)
    skipped = {
        Skip.OTHER_SERIES.value: sum(one.others for one in printed),
        Skip.OTHER_ECONOMY.value: sum(entities[cell.item] not in spoken_of for cell in cells),
    }
    inside = [cell for cell in cells if entities[cell.item] in spoken_of]
    rows = [(_key(part, c.item), c.period, c.text, c.status) for c in inside if within(c.period, scope, dataset.start)]
    skipped[Skip.OTHER_PERIOD.value] = len(inside) - len(rows)
    writing = drop_layout.writing(read.edition.tables)
    kept = list(compress(rows, without_blank_ends(rows, writing, skipped)))
    if all(writing.says_none(text) for _, _, text, _ in kept):
        raise NoData(
            f"part {part.id}: the tables hold not one number of it",
            dataset=dataset.id,
            next_step=f"look at the file and at what the manifest says of it ({GUIDE})",
        )
    notes = tuple(dict.fromkeys(note for one in printed for note in one.notes))
    units = {item: unit for one in printed for item, unit in one.units.items()}
    held = {key for key, *_ in kept}
    series = [_series(dataset, part, item, units, notes) for item in entities if _key(part, item) in held]
    conflicts = tuple(_conflict(part, item, unit) for item, unit in units.items())
    records = len(cells) + skipped[Skip.OTHER_SERIES]
    told = {reason: count for reason, count in skipped.items() if count}
    return part_data(fetched, Parsed(table_of(kept), series, records, told, conflicts), dataset.frequency, writing)


def _payloads(dataset: Dataset, edition: Edition, part: str, dropped: Dropped, at: datetime) -> tuple[Payload, ...]:
    """What the manifest says of a part, then the files, each once."""
    names = dict.fromkeys(table.file for table in edition.tables if table.part == part)
    return (
        payload(_told(edition, part, dropped.files), f"drop:{dataset.id}/{edition.edition}/{part}.json", at),
        *(payload(dropped.files[name], f"drop:{dataset.id}/{name}", at) for name in names),
    )


def payload(content: bytes, url: str, at: datetime) -> Payload:
    """A file as an answer."""
    return Payload(hashlib.sha256(content).hexdigest(), content, FILE, url, None, 200, {}, at)


def _told(edition: Edition, part: str, files: Mapping[str, bytes]) -> bytes:
    """What the manifest says of a part in an edition, with the hashes of the files, as JSON."""
    said = edition.model_dump(mode="json", exclude={"tables"}, exclude_defaults=True)
    tables = [one.model_dump(mode="json", exclude_defaults=True) for one in edition.tables if one.part == part]
    hashes = [{"sha256": hashlib.sha256(files[table["file"]]).hexdigest()} for table in tables]
    told = {**said, "tables": [table | sha for table, sha in zip(tables, hashes, strict=True)]}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1).encode()


@dataclass(frozen=True)
class _Tables:
    """What the tables of a part hold in an edition, and everything that does not fit."""

    edition: Edition
    printed: tuple[Printed, ...]
    problems: tuple[str, ...]

    @property
    def cells(self) -> list[Cell]:
        return [cell for one in self.printed for cell in one.cells]


def _read(dataset: Dataset, part_id: str, answers: Sequence[Payload]) -> _Tables:
    part, contents = dataset.part(part_id), {answer.sha256: answer.content for answer in answers}
    edition = Edition.model_validate_json(answers[0].content)
    found, problems = [], []
    for table in edition.tables:
        try:
            rows = read_table(contents[table.sha256 or ""], table.sheet)
            found.append(drop_layout.read(rows, table, part.names or {}, part.unit, dataset.frequency))
        except (NotReadable, Misfit) as error:
            told = error.problems if isinstance(error, Misfit) else (str(error),)
            problems += [f"{table.file}: {problem}" for problem in told]
    held = {cell.item for one in found for cell in one.cells}
    present = {_entity(dataset, part, item) for item in held}
    missing = [code for code in part.names or {} if code not in held and _entity(dataset, part, code) in present]
    if missing and not problems and not edition.complete:
        problems.append(f"no table holds {', '.join(missing)}, and nothing says whether that is still valid")
    return _Tables(edition, tuple(found), tuple(problems))


def _misfit(dataset: Dataset, edition: Edition, problems: Sequence[str]) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"edition {edition.edition} is not what the manifest says:" + "".join(f"\n  {one}" for one in problems) + "\n",
        dataset=dataset.id,
        next_step=f"correct the manifest ({GUIDE}) or the file; nothing was taken up of it",
    )


def _scopes(dataset: Dataset, part: Part, read: _Tables) -> tuple[Scope, ...]:
    """What a part of an edition speaks of, when it is not complete."""
    writing = drop_layout.writing(read.edition.tables)
    stated = [cell.period for cell in read.cells if not writing.says_none(cell.text)]
    periods = {cell.period for cell in read.cells if stated and min(stated) <= cell.period <= max(stated)}
    entities = {_entity(dataset, part, cell.item) for cell in read.cells}
    return reach.scopes(dataset, periods, entities) or (Scope(),)


def _key(part: Part, item: str) -> str:
    return part.key.replace("{item}", item)


def _entity(dataset: Dataset, part: Part, item: str) -> str:
    return _dimensions(dataset, part, item)[dataset.entity_dimension]


def _dimensions(dataset: Dataset, part: Part, item: str) -> dict[str, str]:
    return dict(zip(dataset.dimensions, _key(part, item).split("."), strict=True))


def _conflict(part: Part, item: str, unit: str) -> str:
    return f"unit conflict: {item} is printed in {unit!r}, the dataset file expects {part.unit!r}"


def _series(dataset: Dataset, part: Part, item: str, units: Mapping[str, str], notes: Sequence[str]) -> dict[str, Any]:
    # A conflict is part of what the series means: unchanged numbers under another unit must not count as unchanged.
    conflict = [_conflict(part, item, units[item])] if item in units else []
    return {
        "series_key": _key(part, item),
        "part": part.id,
        "label": (part.names or {})[item][0],
        "entity": _entity(dataset, part, item),
        "dimensions": json.dumps(_dimensions(dataset, part, item)),
        "unit": part.unit,
        "multiplier": part.multiplier,
        "decimals": part.decimals,
        "frequency": dataset.frequency,
        "price_base": part.price_base,
        "reference_year": part.reference_year,
        "notes": "; ".join([text for text in (part.notes, *notes) if text] + conflict) or None,
    }
