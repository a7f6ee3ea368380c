"""The OECD's SDMX service: data as SDMX-CSV, one query a part, and the content constraint as their time stamp.

Belongs here: how the OECD is asked, what its answers and errors mean, and its oddities: throttling prose with HTTP 200,
the pseudo period 2999 (a copy of the latest year), series split over a message. Does not belong here: reading SDMX
itself (sdmx_readers.py), HTTP (transport.py).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.assemble import NOT_IN_ANSWER, Parsed, part_data
from connectors.contract import Ask, Fetched, PartFetch, chosen_parts, part_or_error
from connectors.datasets import Dataset, Part
from connectors.errors import (
    BadRequest,
    Moved,
    NoData,
    NotFound,
    ProviderError,
    ServerFault,
    UnexpectedPayload,
    Unreachable,
)
from connectors.request import Request
from connectors.sdmx_readers import STATUS, Message, NotSdmx, read_valid_from, reader_for
from connectors.transport import Transport, asked, classify_status, throttled
from warehouse.schema import Basis, PartData, Payload, Precision, Scope, Stamp

CSV = "application/vnd.sdmx.data+csv;version=1.0.0"
STRUCTURE = "application/vnd.sdmx.structure+xml;version=2.1"
PSEUDO_PERIOD = "2999"
READS = 3
#: Codes that say "nothing special": a normal value (OBS_STATUS), free for publication (CONF_STATUS).
_PLAIN = {"OBS_STATUS": ["A"], "CONF_STATUS": ["F", "A"]}


class _Reading(NamedTuple):
    """One reading of the content constraint: its validFrom as given, the stamp it makes, and what is odd about it."""

    text: str | None
    stamp: Stamp | None
    notes: tuple[str, ...] = ()


class Oecd:
    """The connector of the OECD."""

    provider = "oecd"

    def plan(self, dataset: Dataset, ask: Ask) -> list[Request]:
        """The content constraint, then one download a part."""
        return [
            _constraint_request(dataset),
            *(_data_request(dataset, p, ask.scope) for p in chosen_parts(dataset, ask)),
        ]

    def fetch(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """All parts between two readings of the content constraint; read again when it moved meanwhile, else Moved.

        Without two readings nothing is known to have moved, and the parts come without a stamp.
        """
        probes: list[Payload] = []
        for _ in range(READS):
            before = self._stamp(dataset, transport, probes)
            parts = tuple(
                part_or_error(dataset, part, ask.scope, partial(self._part, dataset, part, ask, transport))
                for part in chosen_parts(dataset, ask)
            )
            after = self._stamp(dataset, transport, probes, last=True)
            if before.text is None or after.text is None or before.text == after.text:
                stamp = before.stamp if before.text == after.text else None
                notes = before.notes or after.notes
                stamped = (PartFetch(p.part, p.payloads, stamp, p.scope, p.error, notes) for p in parts)
                return Fetched(tuple(stamped), tuple(probes))
        raise Moved(
            f"the data moved in each of {READS} readings (content constraint {before.text} → {after.text})",
            dataset=dataset.id,
            next_step="a release is under way: run the refresh again in an hour",
        )

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read one answer, or an archived SDMX-ML, JSON or CSV message of the same part."""
        content = fetched.payloads[0].content
        try:
            message = reader_for(content)(content)
        except NotSdmx as error:
            raise _unexpected(dataset, fetched, str(error)) from error
        parsed = read_message(dataset, fetched, message)
        if not parsed.observations.num_rows:
            raise NoData(
                f"part {fetched.part}: the answer holds no observation",
                dataset=dataset.id,
                next_step="check the key in the dataset file against the Data Explorer",
            )
        return part_data(fetched, parsed, dataset.frequency)

    def _part(self, dataset: Dataset, part: str, ask: Ask, transport: Transport) -> PartFetch:
        payload = transport.get(_data_request(dataset, part, ask.scope), classify)
        return PartFetch(part, (payload,), None, ask.scope)

    def _stamp(self, dataset: Dataset, transport: Transport, probes: list[Payload], *, last: bool = False) -> _Reading:
        """A reading of the content constraint. After the parts (`last`) no failure may cost what was read."""
        try:
            payload = transport.get(_constraint_request(dataset), classify)
            probes.append(payload)
            text = read_valid_from(payload.content)
        except (ProviderError, NotSdmx) as error:
            if last or isinstance(error, (NotFound, NoData, BadRequest, ServerFault, UnexpectedPayload, NotSdmx)):
                return _Reading(None, None, (f"no stamp: the content constraint could not be read ({error})",))
            raise
        at = _instant(text, dataset.publisher_timezone)
        if at is None:
            return _Reading(text, None, (f"no stamp: the content constraint says validFrom {text!r}",))
        if at > payload.fetched_at:
            return _Reading(text, None, (f"no stamp: validFrom {text} lies in the future",))
        return _Reading(text, Stamp(at, Precision.INSTANT, Basis.PUBLISHER, str(text)))


CONNECTOR = Oecd()


def classify(payload: Payload) -> ProviderError | None:
    """What the OECD means by an answer; None when it is one."""
    request = asked(payload)
    head = payload.content[:4096].lstrip(b"\xef\xbb\xbf \r\n").decode("utf-8", "replace")
    prose = head.lower()
    if payload.status == 429 or "exceeded the number of requests" in prose:
        return throttled(payload)
    if prose.startswith(("<!doctype html", "<html")) and payload.status not in (403, 404):
        return ServerFault(
            f"a page instead of data (HTTP {payload.status})", request=request, next_step="run the refresh again later"
        )
    if payload.status < 300:
        return _classify_success(payload, head, request)
    return _classify_failure(payload.status, head, prose, request) or classify_status(payload)


def _classify_success(payload: Payload, head: str, request: str) -> ProviderError | None:
    if head.startswith(("<", "{")):
        return None
    if not head.startswith(("DATAFLOW,", "STRUCTURE,")):
        return UnexpectedPayload(
            f"neither SDMX-CSV nor XML nor JSON; it begins with {head[:60]!r}",
            request=request,
            next_step="open the archived payload; the service may have changed its form",
        )
    if not payload.content.endswith(b"\n"):
        return Unreachable("the table ends in the middle of a line", request=request, next_step="run the refresh again")
    return None


def _classify_failure(status: int, head: str, prose: str, request: str) -> ProviderError | None:
    said = " ".join(head[:200].split())
    if status == 404 and ("norecordsfound" in prose or "noresultsfound" in prose):
        return NoData(
            "no data for this key (the OECD also says so of an invalid code or too many key segments)",
            request=request,
            next_step="check the key in the dataset file against the Data Explorer",
        )
    if status == 404 and "could not find dataflow" in prose:
        return NotFound(
            "the OECD knows no such dataflow",
            request=request,
            next_step="check agency, id and version in the dataset file",
        )
    if status == 500 and "object reference not set" in prose:
        return ServerFault(
            "the OECD's server failed (500: object reference), as it always does for a dataflow of another space",
            request=request,
            next_step="run the refresh again later; if it persists, ask another root (sti-public, dcd-public)",
        )
    if status in (400, 413, 422) or (status == 500 and "languagetag" in prose):
        return BadRequest(
            f"the OECD refuses the question: {said}", request=request, next_step="correct the dataset file"
        )
    return None


#: Attributes that say what a number is; those that are only known, and not part of a series here.
_STATED = ("UNIT_MULT", "DECIMALS", "PRICE_BASE", "REF_YEAR_PRICE", "BASE_PER")
_KNOWN = (*STATUS, *_STATED, "CURRENCY", "UNIT_MEASURE", "TIME_FORMAT")


def _flow(dataset: Dataset) -> tuple[str, str, str]:
    agency, flow, version = dataset.flow.split(",")
    return agency, flow, version


def _constraint_request(dataset: Dataset) -> Request:
    agency, flow, _ = _flow(dataset)
    path = f"contentconstraint/{agency}/CR_A_{flow}/"
    return Request(None, "GET", path, headers=(("Accept", STRUCTURE),), cost="structure")


def _data_request(dataset: Dataset, part: str, scope: Scope) -> Request:
    key = dataset.part(part).key.replace("{entities}", "+".join(scope.entities or dataset.entities))
    params = [("format", "csvfile"), ("startPeriod", scope.start or dataset.start)]
    if scope.end:
        params.append(("endPeriod", scope.end))
    path = f"data/{dataset.flow}/{key}"
    return Request(part, "GET", path, tuple(params), (("Accept", CSV),), cost="data")


def _instant(text: str | None, timezone: str) -> datetime | None:
    """A validFrom as UTC; without an offset it is the publisher's local time. None for 9999-12-31 and the like."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if at.year >= 9999:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


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
        skipped[f"{NOT_IN_ANSWER}: {', '.join(missing)}"] = len(missing)
    return Parsed(observations, series, skipped, (*notes, *_unit_conflict(part, rows), *more))


def _check_flow(dataset: Dataset, fetched: PartFetch, message: Message) -> None:
    """A CSV message names its flow in every row: agency and flow must be those asked for; the version may differ."""
    agency, flow, _ = _flow(dataset)
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
    strangers = sorted(set(message.attributes) - set(_KNOWN))
    return (f"unknown columns, not read: {', '.join(strangers)}",) if strangers else ()


def _select(dataset: Dataset, part: Part, fetched: PartFetch, rows: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """The rows asked for. A row of another variable is an error; other economies and periods are counted."""
    skipped: dict[str, int] = {}

    def keep(wanted: pa.ChunkedArray, reason: str) -> None:
        nonlocal rows
        kept = rows.filter(wanted)
        if kept.num_rows < rows.num_rows:
            skipped[reason] = skipped.get(reason, 0) + rows.num_rows - kept.num_rows
            rows = kept

    keep(pc.not_equal(rows.column("TIME_PERIOD"), PSEUDO_PERIOD), f"pseudo period {PSEUDO_PERIOD}")
    for dimension, segment in zip(dataset.dimensions, part.key.split("."), strict=True):
        if dimension == dataset.entity_dimension:
            economies = fetched.scope.entities or dataset.entities
            keep(pc.is_in(rows.column(dimension), pa.array(economies)), "economy not asked for")
            continue
        others = set(rows.column(dimension).unique().to_pylist()) - set(segment.split("+"))
        if segment and others:
            raise _unexpected(dataset, fetched, f"{dimension} {segment} was asked for, the answer has {sorted(others)}")
    keep(pc.greater_equal(rows.column("TIME_PERIOD"), fetched.scope.start or dataset.start), "period not asked for")
    if fetched.scope.end:
        # 2017-Q4 belongs to an end of 2017
        end = pc.utf8_slice_codeunits(rows.column("TIME_PERIOD"), 0, len(fetched.scope.end))
        keep(pc.less_equal(end, fetched.scope.end), "period not asked for")
    return rows, skipped


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
    for one in grouped:
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
                "label": f"{entity}: {part.label}",
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
