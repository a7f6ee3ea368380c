"""What an answer of the OECD holds: one part, in the warehouse's columns.

Belongs here: dimensions and units that must be those of the dataset file, flags, and the oddities of the OECD's data: the
pseudo period 2999 (a copy of the latest year), series split over a message. Does not belong here: asking (oecd/connector.py),
SDMX itself (sdmx/readers.py).
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.assemble import Parsed, Writing, part_data, period_start, within
from connectors.contract import PartFetch
from connectors.datasets import Dataset, Part
from connectors.errors import NoData, UnexpectedPayload
from connectors.http.answers import asked
from connectors.sdmx.message import STATUS, Message, NotSdmx, merged
from connectors.sdmx.readers import reader_for
from connectors.skipped import Skip
from warehouse.schema import PartData

PSEUDO_PERIOD = "2999"

#: Numbers as in SDMX (XML Schema's double without INF); NaN is its word for a missing value.
WRITING = Writing(missing=frozenset(("", "NaN")))
#: How a code is written, and the attributes that are small whole numbers.
_CODE = r"^[A-Za-z0-9_@$+\-]+$"
_EXPONENTS = dict.fromkeys(("UNIT_MULT", "DECIMALS"), r"^(-?[0-9]{1,2})?$")
#: Codes that say "nothing special": a normal value (OBS_STATUS), free for publication (CONF_STATUS).
_PLAIN = {"OBS_STATUS": ["A"], "CONF_STATUS": ["F", "A"]}
#: Attributes that say what a number is; those that are only known, and not part of a series here.
_STATED = ("UNIT_MULT", "DECIMALS", "PRICE_BASE", "REF_YEAR_PRICE", "BASE_PER")
_KNOWN = (*STATUS, *_STATED, "CURRENCY", "UNIT_MEASURE", "TIME_FORMAT")


def flow_of(dataset: Dataset) -> tuple[str, str, str]:
    """Agency, flow and version of a dataset file; the version may be empty."""
    agency, flow, version = dataset.flow.split(",")
    return agency, flow, version


def parse(dataset: Dataset, fetched: PartFetch) -> PartData:
    """Read the answers to one question, or archived SDMX-ML, JSON or CSV messages of the same part."""
    contents = [payload.content for payload in fetched.payloads]
    try:
        message = merged([reader_for(content)(content) for content in contents])
    except NotSdmx as error:
        raise _unexpected(dataset, fetched, str(error)) from error
    parsed = read_message(dataset, fetched, message)
    if not parsed.observations.num_rows:
        raise NoData(
            f"part {fetched.part}: the answer holds no observation",
            dataset=dataset.id,
            next_step="check the key in the dataset file against the Data Explorer",
        )
    return part_data(fetched, parsed, dataset.frequency, WRITING)


def read_message(dataset: Dataset, fetched: PartFetch, message: Message) -> Parsed:
    """A message as columns: keys in the dataset's dimension order, flags joined, pseudo periods and what was not asked
    for left out and counted. Raises UnexpectedPayload when a dimension or column is not the documented one."""
    part = dataset.part(fetched.part)
    notes = _check_columns(dataset, fetched, message)
    rows, skipped = _select(dataset, part, fetched, message.rows)
    rows = rows.append_column("series_key", _joined(rows, list(dataset.dimensions)))
    observations = pa.table(
        {
            "series_key": rows.column("series_key"),
            "period": rows.column("TIME_PERIOD"),
            "value_text": rows.column("OBS_VALUE"),
            "status": _status(rows),
        }
    )
    series, more = _series(dataset, part, rows)
    entities = set(rows.column(dataset.entity_dimension).to_pylist())
    if missing := sorted(set(fetched.scope.entities or dataset.entities) - entities):
        skipped[Skip.ABSENT.naming(missing)] = len(missing)
    return Parsed(observations, series, message.rows.num_rows, skipped, (*notes, *_unit_conflict(part, rows), *more))


def _check_flow(dataset: Dataset, fetched: PartFetch, message: Message) -> None:
    """A CSV message names its flow in every row: agency and flow must be those asked for; the version may differ."""
    agency, flow, _ = flow_of(dataset)
    if message.structure.partition("(")[0] != f"{agency}:{flow}":
        raise _unexpected(dataset, fetched, f"{agency}:{flow} was asked for, the answer is of {message.structure}")
    if "OBS_STATUS" not in message.attributes:
        raise _unexpected(dataset, fetched, f"no column OBS_STATUS among {', '.join(message.rows.column_names)}")


def _unit_conflict(part: Part, rows: pa.Table) -> tuple[str, ...]:
    """The unit's code in the answer, where there is one, against that of the dataset file, where it is known."""
    if part.unit_code is None or "UNIT_MEASURE" not in rows.column_names:
        return ()
    others = sorted(code for code in set(rows.column("UNIT_MEASURE").to_pylist()) - {part.unit_code} if code)
    if not others:
        return ()
    return (f"unit conflict: UNIT_MEASURE {', '.join(others)} in the answer, {part.unit_code} in the dataset file",)


def _check_columns(dataset: Dataset, fetched: PartFetch, message: Message) -> tuple[str, ...]:
    new = sorted(set(message.dimensions) - set(dataset.dimensions))
    gone = sorted(set(dataset.dimensions) - set(message.dimensions))
    if message.form == "csv" and message.rows.num_rows:
        _check_flow(dataset, fetched, message)
    if new or gone:
        raise _unexpected(dataset, fetched, f"dimensions changed: new {new}, missing {gone}")
    for needed in (*dataset.dimensions, "TIME_PERIOD"):
        if message.rows.column(needed).null_count:
            raise _unexpected(dataset, fetched, f"a row without {needed}")
    for name, form in (dict.fromkeys(dataset.dimensions, _CODE) | _EXPONENTS).items():
        said = message.rows.column(name).unique().drop_null() if name in message.rows.column_names else pa.array([""])
        if wrong := said.filter(pc.invert(pc.match_substring_regex(said, form))).to_pylist():
            raise _unexpected(dataset, fetched, f"{wrong[0][:40]!r} is no {name}")
    strangers = sorted(set(message.attributes) - set(_KNOWN))
    return (f"unknown columns, not read: {', '.join(strangers)}",) if strangers else ()


def _select(dataset: Dataset, part: Part, fetched: PartFetch, rows: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """The rows asked for. A row of another variable is an error; other economies and periods are counted."""
    skipped: dict[str, int] = {}

    def keep(wanted: pa.ChunkedArray, reason: Skip) -> None:
        nonlocal rows
        kept = rows.filter(wanted)
        if kept.num_rows < rows.num_rows:
            skipped[reason] = skipped.get(reason, 0) + rows.num_rows - kept.num_rows
            rows = kept

    keep(pc.not_equal(rows.column("TIME_PERIOD"), PSEUDO_PERIOD), Skip.PSEUDO_PERIOD)
    periods = _periods(dataset, fetched, rows)
    for dimension, segment in zip(dataset.dimensions, part.key.split("."), strict=True):
        if dimension == dataset.entity_dimension:
            economies = fetched.scope.entities or dataset.entities
            keep(pc.is_in(rows.column(dimension), pa.array(economies)), Skip.OTHER_ECONOMY)
            continue
        others = set(rows.column(dimension).unique().to_pylist()) - set(segment.split("+"))
        if segment and others:
            raise _unexpected(dataset, fetched, f"{dimension} {segment} was asked for, the answer has {sorted(others)}")
    wanted = [period for period in periods if within(period, fetched.scope, dataset.start)]
    keep(pc.is_in(rows.column("TIME_PERIOD"), pa.array(wanted, pa.string())), Skip.OTHER_PERIOD)
    return rows, skipped


def _periods(dataset: Dataset, fetched: PartFetch, rows: pa.Table) -> list[str]:
    """All periods in the rows. Raises UnexpectedPayload for one that cannot be read, also where it would be left out."""
    found: list[str] = rows.column("TIME_PERIOD").unique().to_pylist()
    for period in found:
        try:
            period_start(period, dataset.frequency)
        except ValueError as error:
            raise _unexpected(dataset, fetched, str(error)) from error
    return found


def _joined(rows: pa.Table, names: list[str]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(rows.column(name) for name in names), ".")


def _status(rows: pa.Table) -> pa.ChunkedArray:
    """The flags in their order, joined by ";". The codes that say "normal" or "free" are the same as none."""
    joined = pa.chunked_array([pa.array([""] * rows.num_rows, pa.string())])
    for name in STATUS:
        if name in rows.column_names:
            flag = pc.fill_null(rows.column(name), "")
            plain = pc.is_in(flag, pa.array([*_PLAIN.get(name, []), ""]))
            # not null_handling="skip": pyarrow 26 drops a row whose flags are all null
            joined = pc.binary_join_element_wise(
                joined, pc.if_else(plain, "", pc.binary_join_element_wise(";", flag, "")), ""
            )
    return pc.utf8_ltrim(joined, ";")


def _series(dataset: Dataset, part: Part, rows: pa.Table) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """One SERIES row a series: what the message states, else what the dataset file does; contradictions as notes."""
    present = [name for name in _STATED if name in rows.column_names]
    keys = ["series_key", *dataset.dimensions]
    extra = [name for name in present if name not in keys]
    grouped = rows.group_by(keys).aggregate([(name, "distinct") for name in extra]).to_pylist()
    notes: dict[str, None] = {}
    found = []
    for one in sorted(grouped, key=lambda row: str(row["series_key"])):
        said = {name: _one_value(one, name, notes) for name in present}
        multiplier = int(said.get("UNIT_MULT") or part.multiplier)
        if multiplier != part.multiplier:
            notes[f"UNIT_MULT is {multiplier} in the answer and {part.multiplier} in the dataset file"] = None
        decimals = said.get("DECIMALS")
        dimensions = {name: one[name] for name in dataset.dimensions}
        entity = dimensions[dataset.entity_dimension]
        found.append(
            {
                "series_key": one["series_key"],
                "part": part.id,
                "label": _label(dataset, part, dimensions),
                "entity": entity,
                "dimensions": json.dumps(dimensions),
                "unit": part.unit,
                "multiplier": multiplier,
                "decimals": int(decimals) if decimals else part.decimals,
                "frequency": dataset.frequency,
                "price_base": said.get("PRICE_BASE") or part.price_base,
                "reference_year": said.get("REF_YEAR_PRICE") or said.get("BASE_PER") or part.reference_year,
                "notes": part.notes or None,
            }
        )
    return found, tuple(notes)


def _label(dataset: Dataset, part: Part, codes: dict[str, str]) -> str:
    """Economy and part, and the code of every other dimension in which the part's key leaves a choice."""
    chosen = [
        f", {name} {codes[name]}"
        for name, segment in zip(dataset.dimensions, part.key.split("."), strict=True)
        if name != dataset.entity_dimension and (not segment or "+" in segment)
    ]
    return f"{codes[dataset.entity_dimension]}: {part.label}" + "".join(chosen)


def _one_value(group: dict[str, Any], name: str, notes: dict[str, None]) -> str | None:
    if name in group:  # a dimension
        return str(group[name])
    values = sorted(value for value in group[f"{name}_distinct"] if value)
    if len(values) > 1:
        notes[f"{group['series_key']}: {name} takes more than one value: {', '.join(values)}"] = None
    return values[-1] if values else None


def _unexpected(dataset: Dataset, fetched: PartFetch, what: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"part {fetched.part}: {what}",
        dataset=dataset.id,
        request=asked(fetched.payloads[0]),
        next_step="compare the archived payload with the dataflow's structure and correct the dataset file",
    )
