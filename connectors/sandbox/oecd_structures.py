"""The OECD's structure messages in SDMX-ML 2.1: dataflow, data structure, code lists, concepts, content constraint.

Belongs here: the XML of structures. Addresses, keys and data are in oecd_wire.py, what was known when in facts.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from xml.sax.saxutils import escape, quoteattr

from connectors.sandbox.oecd_flows import Flow

_SCHEMAS = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1"
COLUMN_LABELS = {
    "TIME_PERIOD": "Time period",
    "OBS_VALUE": "Observation value",
    "OBS_STATUS": "Observation status",
    "OBS_STATUS_2": "Observation status 2",
    "OBS_STATUS_3": "Observation status 3",
    "AUX_OBS_STATUS": "Aux observation status",
    "AUX_OBS_STATUS_2": "Aux observation status 2",
    "AUX_OBS_STATUS_3": "Aux observation status 3",
    "CONF_STATUS": "Confidentiality status",
    "UNIT_MULT": "Unit multiplier",
    "DECIMALS": "Decimals",
    "BASE_PER": "Base Period",
}


def label_of(column: str) -> str:
    """The label of a column, as far as known; else its id in plain letters."""
    return COLUMN_LABELS.get(column, column.replace("_", " ").capitalize())


def message(body: str, prepared: date) -> str:
    """A structure message around `body`."""
    header = _tag(
        "message:Header",
        {},
        _tag("message:ID", {}, "SANDBOX"),
        _tag("message:Test", {}, "false"),
        _tag("message:Prepared", {}, f"{prepared}T00:00:00"),
        _tag("message:Sender", {"id": "Unknown"}),
        _tag("message:Receiver", {"id": "Unknown"}),
    )
    spaces = {f"xmlns:{name}": f"{_SCHEMAS}/{name}" for name in ("message", "structure", "common")}
    whole = _tag("message:Structure", spaces, header, _tag("message:Structures", {}, body))
    return f'<?xml version="1.0" encoding="utf-8"?>\n<!--NSI Web Service (sandbox)-->\n{whole}'


def structure(flow: Flow, version: str, resource: str, *, everything: bool) -> str:
    """A dataflow or a data structure; with `everything` both, and the code lists and concepts they use."""
    parts = []
    if everything or resource == "dataflow":
        parts.append(_dataflow(flow, version))
    if everything:
        parts += [_code_lists(flow), _concepts(flow)]
    if everything or resource == "datastructure":
        parts.append(_data_structure(flow, version))
    return "".join(parts)


def constraint(flow: Flow, version: str, valid_from: datetime | None, rows: list[dict[str, str]]) -> str:
    """The actual content constraint of a flow that holds `rows`: last update, number, codes and time range."""
    release = _annotation({}, "A", "ReleaseVersion")
    count = _annotation({"id": "obs_count"}, str(len(rows)), "sdmx_metrics")
    regions = [
        _tag("common:KeyValue", {"id": name}, *(_tag("common:Value", {}, code) for code in _used(name, rows)))
        for name in flow.dimensions
    ]
    periods = [row["TIME_PERIOD"][:4] for row in rows]
    span = _tag(
        "common:TimeRange",
        {},
        _tag("common:StartPeriod", {"isInclusive": "true"}, f"{min(periods)}-01-01T00:00:00"),
        _tag("common:EndPeriod", {"isInclusive": "true"}, f"{max(periods)}-12-31T00:00:00"),
    )
    regions.append(_tag("common:KeyValue", {"id": "TIME_PERIOD"}, span))
    inner = (
        _tag("common:Annotations", {}, release, count),
        _name(f"Availability (A) for {flow.id}"),
        _attachment(flow, version),
        _tag("structure:CubeRegion", {"include": "true"}, *regions),
    )
    return constraints([_constraint(flow, valid_from, *inner)])


def stub(flow: Flow, version: str, valid_from: datetime | None) -> str:
    """A content constraint without its content, as the list of all of them shows it."""
    return _constraint(flow, valid_from, _name(f"Availability (A) for {flow.id}"), _attachment(flow, version))


def constraints(inner: Iterable[str]) -> str:
    """The element around content constraints."""
    return _tag("structure:Constraints", {}, *inner)


def _constraint(flow: Flow, valid_from: datetime | None, *inner: str) -> str:
    stamp = {"validFrom": f"{valid_from:%Y-%m-%dT%H:%M:%SZ}"} if valid_from else {}
    own = _maintained(f"CR_A_{flow.id}", flow.agency, "1.0") | stamp | {"isFinal": "false", "type": "Actual"}
    return _tag("structure:ContentConstraint", own, *inner)


def _attachment(flow: Flow, version: str) -> str:
    flow_reference = _reference(flow.id, flow.agency, version, "datastructure", "Dataflow")
    return _tag("structure:ConstraintAttachment", {}, _tag("structure:Dataflow", {}, flow_reference))


def _used(column: str, rows: list[dict[str, str]]) -> list[str]:
    return sorted({row[column] for row in rows})


def _dataflow(flow: Flow, version: str) -> str:
    reference = _reference(flow.structure, flow.agency, version, "datastructure", "DataStructure")
    attributes = _maintained(flow.id, flow.agency, version) | {"isFinal": "true"}
    inner = (_name(flow.name), _tag("structure:Structure", {}, reference))
    return _tag("structure:Dataflows", {}, _tag("structure:Dataflow", attributes, *inner))


def _code_lists(flow: Flow) -> str:
    lists = []
    for name in sorted(set(flow.lists.values())):
        agency, identifier, version = _split(name)
        codes = [_tag("structure:Code", {"id": code}, _name(label)) for code, label in flow.codes[name].items()]
        attributes = _maintained(identifier, agency, version) | {"isFinal": "true", "isPartial": "true"}
        lists.append(_tag("structure:Codelist", attributes, _name(label_of(identifier)), *codes))
    return _tag("structure:Codelists", {}, *lists)


def _concepts(flow: Flow) -> str:
    names = (*flow.dimensions, "TIME_PERIOD", "OBS_VALUE", *flow.attributes)
    concepts = [_tag("structure:Concept", {"id": name}, _name(label_of(name))) for name in names]
    attributes = _maintained(_scheme(flow), flow.agency, "1.0") | {"isFinal": "true"}
    return _tag("structure:Concepts", {}, _tag("structure:ConceptScheme", attributes, _name("Concepts"), *concepts))


def _data_structure(flow: Flow, version: str) -> str:
    dimensions = [_dimension(flow, n, *item) for n, item in enumerate(flow.lists.items(), 1)]
    time = _tag("structure:TextFormat", {"textType": "ObservationalTimePeriod"})
    position = {"id": "TIME_PERIOD", "position": str(len(dimensions) + 1)}
    representation = _tag("structure:LocalRepresentation", {}, time)
    dimensions.append(_tag("structure:TimeDimension", position, _concept(flow, "TIME_PERIOD"), representation))
    measure = _tag("structure:PrimaryMeasure", {}, _tag("Ref", {"id": "OBS_VALUE"}))
    relation = _tag("structure:AttributeRelationship", {}, measure)
    attributes = [
        _tag("structure:Attribute", {"id": name, "assignmentStatus": "Conditional"}, _concept(flow, name), relation)
        for name in flow.attributes
    ]
    value = _tag("structure:PrimaryMeasure", {"id": "OBS_VALUE"}, _concept(flow, "OBS_VALUE"))
    components = _tag(
        "structure:DataStructureComponents",
        {},
        _tag("structure:DimensionList", {"id": "DimensionDescriptor"}, *dimensions),
        _tag("structure:AttributeList", {"id": "AttributeDescriptor"}, *attributes),
        _tag("structure:MeasureList", {"id": "MeasureDescriptor"}, value),
    )
    own = _maintained(flow.structure, flow.agency, version) | {"isFinal": "true"}
    return _tag("structure:DataStructures", {}, _tag("structure:DataStructure", own, _name(flow.name), components))


def _dimension(flow: Flow, position: int, name: str, listed: str) -> str:
    agency, identifier, version = _split(listed)
    enumeration = _tag("structure:Enumeration", {}, _reference(identifier, agency, version, "codelist", "Codelist"))
    representation = _tag("structure:LocalRepresentation", {}, enumeration)
    return _tag("structure:Dimension", {"id": name, "position": str(position)}, _concept(flow, name), representation)


def _concept(flow: Flow, name: str) -> str:
    parent = {"maintainableParentID": _scheme(flow), "maintainableParentVersion": "1.0", "agencyID": flow.agency}
    reference = _tag("Ref", {"id": name, **parent, "package": "conceptscheme", "class": "Concept"})
    return _tag("structure:ConceptIdentity", {}, reference)


def _scheme(flow: Flow) -> str:
    return flow.structure.replace("DSD_", "CS_")


def _split(name: str) -> tuple[str, str, str]:
    """Agency, id and version of "AGENCY:ID(VERSION)"."""
    agency, _, rest = name.partition(":")
    identifier, _, version = rest.rstrip(")").partition("(")
    return agency, identifier, version


def _maintained(identifier: str, agency: str, version: str) -> dict[str, str]:
    return {"id": identifier, "agencyID": agency, "version": version}


def _reference(identifier: str, agency: str, version: str, package: str, kind: str) -> str:
    return _tag("Ref", _maintained(identifier, agency, version) | {"package": package, "class": kind})


def _name(text: str) -> str:
    return _tag("common:Name", {"xml:lang": "en"}, escape(text))


def _annotation(attributes: dict[str, str], title: str, kind: str) -> str:
    inner = (_tag("common:AnnotationTitle", {}, title), _tag("common:AnnotationType", {}, kind))
    return _tag("common:Annotation", attributes, *inner)


def _tag(name: str, attributes: dict[str, str], *inner: str) -> str:
    """An element; `inner` is XML already."""
    given = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{given}>{''.join(inner)}</{name}>" if inner else f"<{name}{given} />"
