"""The OECD's SDMX-REST 1 wire format: addresses, keys, SDMX-CSV and errors.

Belongs here: which address asks for what, and data as CSV. The XML of structures is in oecd_structures.py, what was
known when in facts.py. Data are served as `format=csvfile` and `format=csvfilewithlabels` only, structures as XML.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.sandbox import oecd_changes, oecd_flows, oecd_structures
from connectors.sandbox.oecd_changes import Observation
from connectors.sandbox.oecd_flows import Flow
from connectors.sandbox.oecd_structures import label_of
from connectors.sandbox.wire import Answer, Question, text

NO_RECORDS = "NoRecordsFound"
NO_DATAFLOW = "Could not find Dataflow and/or DSD related with this data request"
_PARIS = ZoneInfo("Europe/Paris")
_CSV = "application/vnd.sdmx.data+csv; version=1.0.0; charset=utf-8"
_XML = "application/vnd.sdmx.structure+xml; version=2.1; charset=utf-8"


def answer(question: Question) -> Answer:
    """Answer any address below the OECD's base URL."""
    resource, _, rest = question.path.strip("/").partition("/")
    granted = question.fault == "grants_as_of"
    if granted:
        question = replace(question, fault=None)
    match resource:
        case "data":
            return _data(question, rest, question.params.get("asOf") if granted else None)
        case "dataflow" | "datastructure":
            return _structure(question, resource, rest)
        case "contentconstraint" if rest.strip("/") == "all":
            return _constraint_stubs(question)
        case "contentconstraint":
            return _constraint(question, rest)
    return text("<html><body>404 - File or directory not found.</body></html>", 404, "text/html")


def _data(question: Question, rest: str, as_of: str | None) -> Answer:
    reference, _, key = rest.strip("/").partition("/")
    agency, flow_id, asked, *_ = [*reference.split(","), "", ""]
    flow, version = _find(question, agency, flow_id, asked)
    if flow is None:
        return text(NO_DATAFLOW, 404)
    wanted = _key(flow, key)
    if isinstance(wanted, Answer):
        return wanted
    try:
        then = _as_of(question, as_of)
    except ValueError:
        return text(f"asOf is not a date: {as_of}", 400)
    first, last = question.params.get("startPeriod", ""), question.params.get("endPeriod", "9999")
    if question.fault == "empty_future_period":
        last = "9999"

    def selects(codes: list[str], period: str) -> bool:
        asked_for = all(not some or code in some for some, code in zip(wanted, codes, strict=True))
        return asked_for and first <= period and (period <= last or period.startswith(last))

    rows = list(oecd_changes.observations(flow, then, selects))
    return _csv(question, oecd_changes.shown(flow, question), version, rows) if rows else text(NO_RECORDS, 404)


def _as_of(question: Question, as_of: str | None) -> Question:
    """The question as of the end of an earlier day; at an instant, that of the last day that was over then in Paris.

    Raises ValueError for what is neither.
    """
    if as_of is None:
        return question
    if "T" in as_of:
        over = datetime.fromisoformat(as_of).astimezone(_PARIS) + timedelta(seconds=1)
        day = over.date() - timedelta(days=1)
    else:
        day = date.fromisoformat(as_of)
    return replace(question, on=min(day, question.on or day))


def _csv(question: Question, flow: Flow, version: str, rows: list[Observation]) -> Answer:
    if question.fault == "duplicate_row":
        rows.insert(0, rows[0])
    columns = [*flow.dimensions, "TIME_PERIOD", "OBS_VALUE", *flow.attributes]
    labelled = question.params.get("format") == "csvfilewithlabels" or "labels=both" in question.accept
    if not labelled and question.params.get("format", "csvfile") != "csvfile":
        return text("The sandbox serves data as format=csvfile or format=csvfilewithlabels only.", 501)
    body = _labelled(flow, version, columns, rows) if labelled else _codes(flow, version, columns, rows)
    if question.fault == "renamed_column":
        body = body.replace("OBS_VALUE", "OBSERVATION", 1)
    return Answer(body.encode(), _CSV, data=True)


def _flows(question: Question) -> list[tuple[Flow, str]]:
    """All flows of which something is known on the day, with their versions."""
    held = ((flow, flow.newest(question.on)) for flow in (*oecd_flows.known(), *question.own))
    return [(flow, oecd_changes.version(newest.structure, question)) for flow, newest in held if newest]


def _find(question: Question, agency: str, flow_id: str, version: str) -> tuple[Flow | None, str]:
    """The flow of that reference and its version on the day; None when there was none, or not in that version."""
    for flow, stated in _flows(question):
        if (flow.agency, flow.id) == (agency, flow_id) and version in ("", "latest", stated):
            return flow, stated
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
        writer.writerow([*lead, *(text for name in columns for text in (row[name], flow.label(name, row[name])))])
    return out.getvalue()


def _constraint(question: Question, rest: str) -> Answer:
    """The actual content constraint of a flow: validFrom is the newest stamp over all its parts."""
    agency, name, *_ = [*rest.strip("/").split("/"), ""]
    flow, version = _find(question, agency, name.removeprefix("CR_A_"), "")
    if flow is None or not name.startswith("CR_A_"):
        return text(NO_RECORDS, 404)
    return _message(question, _actual(question, flow, version))


def _actual(question: Question, flow: Flow, version: str) -> str:
    rows = list(oecd_changes.observations(flow, question))
    shown = oecd_changes.shown(flow, question)
    return oecd_structures.constraint(shown, version, _valid_from(question, flow), rows)


def _constraint_stubs(question: Question) -> Answer:
    """All content constraints in one answer, without their content: one look tells which flows moved."""
    stubs = [oecd_structures.stub(flow, version, _valid_from(question, flow)) for flow, version in _flows(question)]
    return _message(question, oecd_structures.constraints(stubs))


def _valid_from(question: Question, flow: Flow) -> datetime | None:
    """The publisher's stamp of the newest vintage; None where it stated none. A fault's release has a newer one."""
    newest = flow.newest(question.on)
    stamp = newest.instant if newest and newest.native else None
    if question.fault == "stamp_backwards":
        return stamp and stamp - timedelta(days=30)
    return question.released if question.fault else stamp


def _structure(question: Question, resource: str, rest: str) -> Answer:
    """A dataflow or its data structure; with `references=all` all that belongs to it, the content constraint included."""
    agency, name, version, *_ = [*rest.strip("/").split("/"), "", ""]
    if resource == "datastructure":
        name = next((flow.id for flow, _ in _flows(question) if flow.structure == name), "")
    flow, found = _find(question, agency, name, version)
    if flow is None:
        return text(NO_RECORDS, 404)
    everything = question.params.get("references") == "all"
    body = oecd_structures.structure(oecd_changes.shown(flow, question), found, resource, everything=everything)
    return _message(question, body + (_actual(question, flow, found) if everything else ""))


def _message(question: Question, body: str) -> Answer:
    return Answer(oecd_structures.message(body, question.today).encode(), _XML)
