"""SDMX messages of the OECD that somebody kept: which parts of a dataset they hold, and when they were prepared.

Belongs here: that. Does not belong here: reading SDMX (sdmx/readers), what flags and values mean (oecd/parse).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.assemble import part_data
from connectors.contract import PartFetch
from connectors.datasets import Dataset, Part
from connectors.http.request import Request
from connectors.oecd.parse import WRITING, flow_of, read_message
from connectors.sdmx.message import Message, NotSdmx, merged
from connectors.sdmx.readers import reader_for
from connectors.skipped import Skip
from warehouse.schema import Basis, PartData, Payload, Precision, Stamp

EXPECTED = (
    "a data message of the dataset's flow, with its dimensions: SDMX-ML 2.1 or 3.0, SDMX-JSON, SDMX-CSV of the Data Explorer, or "
    "a table of stats.oecd.org"
)


def bundles(files: Sequence[Payload]) -> list[tuple[Payload, ...]]:
    """Every file is a message by itself."""
    return [(file,) for file in files]


def beside(request: Request) -> bool:
    """Nothing is needed beside a message."""
    return False


def parts(dataset: Dataset, bundle: Sequence[Payload], lists: dict[str, Payload]) -> list[str]:
    """The parts whose key the message has rows of. Raises NotSdmx."""
    message = _message(dataset, bundle)
    held = [part.id for part in dataset.parts if pc.any(_of_part(dataset, part, message)).as_py()]
    if not held:
        raise NotSdmx(f"its {message.rows.num_rows} observations are of none of the parts")
    return held


def stamp(dataset: Dataset, bundle: Sequence[Payload]) -> Stamp | None:
    """The instant at which the OECD's server prepared the message; without an offset it is the publisher's local time."""
    prepared = _message(dataset, bundle).prepared
    if prepared is None:
        return None
    at = prepared if prepared.tzinfo else prepared.replace(tzinfo=ZoneInfo(dataset.publisher_timezone))
    return Stamp(at.astimezone(UTC), Precision.INSTANT, Basis.PUBLISHER, prepared.isoformat())


def read(dataset: Dataset, fetched: PartFetch) -> PartData:
    """The observations of one part of the message. Raises NotSdmx, UnexpectedPayload."""
    message = _message(dataset, fetched.payloads)
    own = message.rows.filter(_of_part(dataset, dataset.part(fetched.part), message))
    found = read_message(dataset, fetched, replace(message, rows=own))
    if others := message.rows.num_rows - own.num_rows:
        found = replace(found, records=message.rows.num_rows, skipped={**found.skipped, Skip.OTHER_PART.value: others})
    return part_data(fetched, found, dataset.frequency, WRITING)


def _message(dataset: Dataset, bundle: Sequence[Payload]) -> Message:
    message = merged([reader_for(file.content)(file.content) for file in bundle])
    agency, flow, _ = flow_of(dataset)
    named = re.match(r"(?:.*=)?([\w.]+):([\w@]+)", message.structure)
    if named and named.groups() not in ((agency, flow), (agency, flow.partition("@")[0])):
        raise NotSdmx(f"it is of {message.structure}, the dataset of {agency}:{flow}")
    if set(message.dimensions) != set(dataset.dimensions):
        raise NotSdmx(
            f"its dimensions are {', '.join(message.dimensions)}, the dataset's {', '.join(dataset.dimensions)}"
        )
    return message


def _of_part(dataset: Dataset, part: Part, message: Message) -> pa.ChunkedArray:
    """Which rows are of a part, whatever their area."""
    wanted = pa.chunked_array([pa.array([True] * message.rows.num_rows, pa.bool_())])
    for dimension, segment in zip(dataset.dimensions, part.key.split("."), strict=True):
        if dimension != dataset.entity_dimension and segment:
            codes = pc.is_in(message.rows.column(dimension), pa.array(segment.split("+")))
            wanted = pc.and_(wanted, codes)
    return wanted
