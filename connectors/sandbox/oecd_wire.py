"""The OECD's SDMX-REST 1 wire format: addresses, keys, SDMX-CSV and errors.

Belongs here: which address asks for what, and data as CSV. The XML of structures is in oecd_structures.py, what was
known when in facts.py. Data are served as `format=csvfile` and `format=csvfilewithlabels` only, structures as XML.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta

from connectors.sandbox import facts, faults, oecd_structures
from connectors.sandbox.oecd_structures import Flow, code_list, label_of
from connectors.sandbox.wire import Answer, Question, text

NO_RECORDS = "NoRecordsFound"
NO_DATAFLOW = "Could not find Dataflow and/or DSD related with this data request"
_CSV = "application/vnd.sdmx.data+csv; version=1.0.0; charset=utf-8"
_XML = "application/vnd.sdmx.structure+xml; version=2.1; charset=utf-8"
#: Flags in the order of facts.Cell.status; a flow shows those it declares.
_FLAGS = ("OBS_STATUS", "OBS_STATUS_2", "OBS_STATUS_3", "AUX_OBS_STATUS", "AUX_OBS_STATUS_2", "CONF_STATUS")
_STATUS_LABELS = {"A": "Normal value", "B": "Time series break", "E": "Estimated value", "P": "Provisional value"}
_UNIT_LABELS = {"0": "Units", "3": "Thousands", "6": "Millions"}
_DIGIT_LABELS = {"0": "Zero", "1": "One", "2": "Two", "3": "Three"}
Observation = dict[str, str]  # column → value: every dimension, TIME_PERIOD, OBS_VALUE and the attributes

_PCT = {
    **{"PATENT_AUTHORITIES": "9P50_1", "FREQ": "A", "MEASURE": "AP", "DATE_TYPE": "PRIORITY", "PARTNER_AREA": "WXD"},
    **{"AGENT_ROLE": "_Z", "COOPERATION_TYPE": "CO", "WIPO": "_Z", "OECD_TECHNOLOGY_PATENT": "_Z"},
}
SBRD = Flow(
    *("oecd.sbrd", "OECD.STI.STP", "DSD_SBRD", "DSD_SBRD@DF_SBRD", "R&D indicators sub-platform"),
    lists={"LOCATION": "OECD:CL_AREA(1.7)", "VAR": "OECD.STI.STP:CL_SBRD_VAR(1.4)"},
    area="LOCATION",
    attributes=_FLAGS,
    fixed={part: {"VAR": part} for part in facts.parts("oecd.sbrd")},
)
COINVENTOR = Flow(
    *("oecd.pct_cooperation", "OECD.STI.PIE", "DSD_PATENTS", "DSD_PATENTS@DF_PATENTS_COINVENTOR"),
    name="Patents with foreign co-inventors",
    lists={
        "PATENT_AUTHORITIES": "OECD.STI.PIE:CL_PATENT_AUTHORITIES(1.0)",
        "FREQ": "SDMX:CL_FREQ(2.1)",
        "MEASURE": "OECD.STI.PIE:CL_MEASURE_PATENT(1.0)",
        "UNIT_MEASURE": "OECD:CL_UNIT_MEASURE(1.25)",
        "DATE_TYPE": "OECD.STI.PIE:CL_DATE_TYPE(1.0)",
        "REF_AREA": "OECD:CL_AREA(1.7)",
        "PARTNER_AREA": "OECD:CL_AREA(1.7)",
        "AGENT_ROLE": "OECD.STI.PIE:CL_AGENT_ROLE(1.0)",
        "COOPERATION_TYPE": "OECD.STI.PIE:CL_COOPERATION_TYPE(1.0)",
        "WIPO": "OECD.STI.PIE:CL_WIPO(1.0)",
        "OECD_TECHNOLOGY_PATENT": "OECD.STI.PIE:CL_OECD_TECHNOLOGY_PATENT(1.0)",
    },
    area="REF_AREA",
    attributes=("OBS_STATUS", "UNIT_MULT", "DECIMALS"),
    fixed={
        "COPAT_NB": _PCT | {"UNIT_MEASURE": "PATN", "UNIT_MULT": "0", "DECIMALS": "1"},
        "COPAT_XPCT": _PCT | {"UNIT_MEASURE": "PT_PATN", "UNIT_MULT": "0", "DECIMALS": "1"},
    },
)
FLOWS = (SBRD, COINVENTOR)


def answer(question: Question) -> Answer:
    """Answer any address below the OECD's base URL."""
    resource, _, rest = question.path.strip("/").partition("/")
    match resource:
        case "data":
            return _data(question, rest)
        case "dataflow" | "datastructure":
            return _structure(question, resource, rest)
        case "contentconstraint":
            return _constraint(question, rest)
    return text("<html><body>404 - File or directory not found.</body></html>", 404, "text/html")


def _data(question: Question, rest: str) -> Answer:
    reference, _, key = rest.strip("/").partition("/")
    agency, flow_id, asked, *_ = [*reference.split(","), "", ""]
    flow, version = _find(question, agency, flow_id, asked)
    if flow is None:
        return text(NO_DATAFLOW, 404)
    wanted = _key(flow, key)
    if isinstance(wanted, Answer):
        return wanted
    rows = [row for row in _observations(question, flow) if _matches(row, wanted, question)]
    if not rows:
        return text(NO_RECORDS, 404)
    if question.fault == "duplicate_row":
        rows.insert(0, rows[0])
    columns = [*flow.dimensions, "TIME_PERIOD", "OBS_VALUE", *flow.attributes]
    if question.fault == "changed_unit":
        columns += [] if "UNIT_MULT" in columns else ["UNIT_MULT"]
        rows = [row | {"UNIT_MULT": "3"} for row in rows]
    if question.fault == "new_dimension":
        columns.insert(len(flow.dimensions), "ADJUSTMENT")
        rows = [row | {"ADJUSTMENT": "_T"} for row in rows]
    labelled = question.params.get("format") == "csvfilewithlabels" or "labels=both" in question.accept
    if not labelled and question.params.get("format", "csvfile") != "csvfile":
        return text("The sandbox serves data as format=csvfile or format=csvfilewithlabels only.", 501)
    body = _labelled(flow, version, columns, rows) if labelled else _codes(flow, version, columns, rows)
    if question.fault == "renamed_column":
        body = body.replace("OBS_VALUE", "OBSERVATION", 1)
    return Answer(body.encode(), _CSV, data=True)


def _find(question: Question, agency: str, flow_id: str, version: str) -> tuple[Flow | None, str]:
    """The flow of that reference and its version on the day; None when there was none, or not in that version."""
    for flow in FLOWS:
        known = facts.newest(flow.dataset, None, question.on)
        if (flow.agency, flow.id) == (agency, flow_id) and known and version in ("", "latest", known.structure):
            return flow, known.structure
    return None, ""


def _key(flow: Flow, key: str) -> list[set[str]] | Answer:
    """The wanted codes of each dimension (empty: all), or the refusal of a key that does not fit."""
    key = key.strip("/")
    if key in ("", "all"):
        return [set() for _ in flow.dimensions]
    segments = key.split(".")
    if len(segments) < len(flow.dimensions):
        expected = f"expecting {len(flow.dimensions)} got {len(segments)}"
        return text(f"Not enough key values in query, {expected}", 422)
    if len(segments) > len(flow.dimensions):
        return text(NO_RECORDS, 404)
    return [set() if segment in ("", "*") else set(segment.split("+")) for segment in segments]


def _matches(row: Observation, wanted: list[set[str]], question: Question) -> bool:
    period = row["TIME_PERIOD"]
    last = question.params.get("endPeriod", "9999")
    if period < question.params.get("startPeriod", ""):
        return False
    if period > last and question.fault != "empty_future_period":
        return False
    return all(not codes or code in codes for codes, code in zip(wanted, row.values(), strict=False))


def _observations(question: Question, flow: Flow) -> Iterator[Observation]:
    """Everything held of a flow on the day, by part, area and period; dimensions come first in each row."""
    for part, fixed in flow.fixed.items():
        cells = facts.state(flow.dataset, part, question.on)
        cells = faults.change(question.fault, flow.dataset, part, cells, question.today.year + 1)
        for (entity, period), cell in sorted(cells.items()):
            codes = fixed | {flow.area: entity} | dict(zip(_FLAGS, cell.status, strict=False))
            row = {name: codes[name] for name in flow.dimensions}
            row |= {"TIME_PERIOD": period, "OBS_VALUE": cell.value}
            yield row | {name: codes.get(name, "") for name in flow.attributes}


def _codes(flow: Flow, version: str, columns: list[str], rows: list[Observation]) -> str:
    """SDMX-CSV 1: codes only, the flow in the first column."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["DATAFLOW", *columns])
    reference = f"{flow.agency}:{flow.id}({version})"
    writer.writerows([reference, *(row[name] for name in columns)] for row in rows)
    return out.getvalue()


def _labelled(flow: Flow, version: str, columns: list[str], rows: list[Observation]) -> str:
    """The Data Explorer's CSV: a label column after every code column, empty ones for period and value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    named = [text for name in columns for text in (name, label_of(name))]
    writer.writerow(["STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION", *named])
    lead = ["DATAFLOW", f"{flow.agency}:{flow.id}({version})", flow.name, "I"]
    for row in rows:
        writer.writerow([*lead, *(text for name in columns for text in (row[name], _label(flow, name, row[name])))])
    return out.getvalue()


def _label(flow: Flow, column: str, code: str) -> str:
    known = {"UNIT_MULT": _UNIT_LABELS, "DECIMALS": _DIGIT_LABELS, **dict.fromkeys(_FLAGS, _STATUS_LABELS)}
    if column in flow.lists:
        return code_list(flow.lists[column]).get(code, code)
    return known.get(column, {}).get(code, "")


def _constraint(question: Question, rest: str) -> Answer:
    """The actual content constraint of a flow: validFrom is the newest stamp over all its parts."""
    agency, name, *_ = [*rest.strip("/").split("/"), ""]
    flow, version = _find(question, agency, name.removeprefix("CR_A_"), "")
    known = facts.newest(flow.dataset, None, question.on) if flow else None
    if flow is None or known is None or not name.startswith("CR_A_"):
        return text(NO_RECORDS, 404)
    stamp = question.released if question.fault else known.instant
    if question.fault == "stamp_backwards":
        stamp = known.instant - timedelta(days=30)
    body = oecd_structures.constraint(flow, version, stamp, list(_observations(question, flow)))
    return Answer(oecd_structures.message(body, question.today).encode(), _XML)


def _structure(question: Question, resource: str, rest: str) -> Answer:
    """A dataflow or its data structure; with `references=all` both, and the concepts and code lists they use."""
    agency, name, version, *_ = [*rest.strip("/").split("/"), "", ""]
    if resource == "datastructure":
        name = next((flow.id for flow in FLOWS if flow.structure == name), "")
    flow, found = _find(question, agency, name, version)
    if flow is None:
        return text(NO_RECORDS, 404)
    everything = question.params.get("references") == "all"
    body = oecd_structures.structure(flow, found, resource, everything=everything)
    return Answer(oecd_structures.message(body, question.today).encode(), _XML)
