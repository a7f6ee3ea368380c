"""The OECD's structures: dataflow, data structure and code lists in one answer, and the actual content constraint.

Belongs here: how they are asked for, and what of them matters for a dataset. sdmx1 reads the messages. Does not belong here:
comparing two of them (structures.py), the constraint as a time stamp (oecd/connector.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from connectors.datasets import Dataset
from connectors.errors import UnexpectedPayload
from connectors.http.answers import asked
from connectors.http.request import Request
from connectors.oecd.errors import classify
from connectors.reading import NotReadable, structure_message
from connectors.structures import Element, Kind, Structure, dimensions
from warehouse.schema import Payload

ACCEPT = "application/vnd.sdmx.structure+xml;version=2.1"
#: Dimensions whose codes say in what the numbers are measured, and those that say whose numbers of the same name they are.
UNITS = ("UNIT_MEASURE", "UNIT_MULT", "PRICE_BASE", "CURRENCY", "CURRENCY_DENOM")
ROLES = ("AGENT_ROLE", "COOPERATION_TYPE", "DATE_TYPE", "PATENT_AUTHORITIES", "CRITERIA", "MEASURE_PRINCIPLE")
LATEST = "latest"
_TIME = "TIME_PERIOD"
#: Words of a label that belong to the unit: "GERD in national currency, million".
_MEASURE = re.compile(
    r"\b(thousands?|millions?|billions?|per ?cent(?:age)?|constant|current|ppps?|usd|us dollars?|euros?|index"
    r"|national currency|per (?:capita|million|thousand)|full[- ]time equivalents?|head ?count)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Flow:
    """A dataflow with its data structure. `lists`: dimension → code → label."""

    version: str
    dimensions: tuple[str, ...]
    attributes: tuple[str, ...]
    lists: dict[str, dict[str, str]]


class OecdStructure:
    """Reader of the OECD's structures."""

    classify = staticmethod(classify)

    def requests(self, dataset: Dataset) -> list[Request]:
        """The dataflow with everything that it refers to. SDMX-REST 1.x, `references=all`."""
        agency, flow, version = dataset.flow.split(",")
        path = f"dataflow/{agency}/{flow}/{version or LATEST}"
        return [Request(None, "GET", path, (("references", "all"),), (("Accept", ACCEPT),), cost="structure")]

    def otherwise(self, request: Request) -> Request | None:
        """The newest version, when the one that the dataset file names is no longer known."""
        path, _, version = request.path.rpartition("/")
        return None if version == LATEST else replace(request, path=f"{path}/{LATEST}")

    def serves(self, payload: Payload) -> bool:
        """The content constraint, which was read as the data's time stamp."""
        return "/contentconstraint/" in payload.url

    def read(self, dataset: Dataset, payloads: Sequence[Payload]) -> Structure:
        """Dimensions, attributes, version, code lists; of the content constraint, which codes have data."""
        agency, flow, _ = dataset.flow.split(",")
        cube: dict[str, frozenset[str]] = {}
        found: _Flow | None = None
        for payload in payloads:
            try:
                told = read_message(payload.content, agency, flow)
            except NotReadable as error:
                raise _unexpected(dataset, payload, str(error)) from error
            found, cube = told.flow or found, told.cube or cube
        if found is None:
            raise _unexpected(dataset, payloads[0], f"no dataflow {agency}:{flow} with its data structure in it")
        if lacking := [name for name in found.dimensions if not (found.lists[name] or cube.get(name))]:
            raise _unexpected(dataset, payloads[0], f"no code list of {', '.join(lacking)} in it")
        elements = [
            *dimensions(found.dimensions),
            *(Element("attribute", "", name, "") for name in found.attributes),
            Element("version", "", flow, found.version),
            *_codes(dataset, found, cube),
        ]
        return Structure(tuple(elements))

    def expected(self, dataset: Dataset) -> list[Element]:
        """Dimensions in order, the version where the file names one, and every code of every key."""
        _, flow, version = dataset.flow.split(",")
        stated = [Element("version", "", flow, version, where=("flow",))] if version else []
        wanted = [
            Element(_kind(name), name, code, None, where=where)
            for name, codes in _used(dataset).items()
            for code, where in codes.items()
        ]
        return [*dimensions(dataset.dimensions, ("dimensions",)), *stated, *wanted]


READER = OecdStructure()


def _kind(dimension: str) -> Kind:
    return "unit" if dimension in UNITS else "role" if dimension in ROLES else "code"


def _used(dataset: Dataset) -> dict[str, dict[str, tuple[str | int, ...]]]:
    """The codes of each dimension that the keys name, each with the field of the dataset file that names it first."""
    used: dict[str, dict[str, tuple[str | int, ...]]] = {name: {} for name in dataset.dimensions}
    used[dataset.entity_dimension] = {code: ("entities", n) for n, code in enumerate(dataset.entities)}
    for n, part in enumerate(dataset.parts):
        for name, segment in zip(dataset.dimensions, part.key.split("."), strict=False):
            if name != dataset.entity_dimension:
                for code in filter(None, segment.split("+")):
                    used[name].setdefault(code, ("parts", n, "key"))
    return used


def _codes(dataset: Dataset, found: _Flow, cube: dict[str, frozenset[str]]) -> Iterator[Element]:
    """The codes of every list, those with data once more, and the unit in the labels of those in use."""
    named = _used(dataset)
    for name in found.dimensions:
        held = cube.get(name, frozenset())
        listed = found.lists[name] or dict.fromkeys(held, "")  # a dimension without a list of its own
        used = set(named.get(name, ())) or held  # a key that names no code of a dimension wants all
        for code, label in listed.items():
            yield Element(_kind(name), name, code, label or None, code in used)
            if code in used and _kind(name) == "code":
                words = ", ".join(match.casefold() for match in _MEASURE.findall(label))
                yield Element("unit", name, code, words or None)  # a label need not say it
        for code in sorted(held):
            yield Element("held role" if name in ROLES else "held", name, code, "", code in used)


class _Told(NamedTuple):
    """What one message says of a flow. `cube`: dimension → codes that have data, as the actual content constraint says."""

    flow: _Flow | None
    cube: dict[str, frozenset[str]]


@lru_cache(maxsize=8)
def read_message(content: bytes, agency: str, flow: str) -> _Told:
    """What a structure message in SDMX-ML 2.1 says of one flow among those in it. Raises NotReadable."""
    message = structure_message(content)
    try:
        return _Told(_flow(message, agency, flow), _cube(message, agency, flow))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise NotReadable(f"a structure message with a gap: {type(error).__name__}: {error}") from error


def _flow(message: Any, agency: str, flow: str) -> _Flow | None:
    """The flow, when its data structure is in the message as well."""
    for one in message.dataflow.values():
        if one.id != flow or _agency(one) != agency or not one.structure.dimensions.components:
            continue
        components = [c for c in one.structure.dimensions.components if c.id != _TIME]
        ordered = sorted(components, key=lambda component: component.order or 0)
        attributes = tuple(sorted(a.id for a in one.structure.attributes.components))
        return _Flow(str(one.version), tuple(c.id for c in ordered), attributes, {c.id: _labels(c) for c in ordered})
    return None


def _labels(component: Any) -> dict[str, str]:
    """The codes of a dimension's list and their labels; a list that the dimension does not name itself is its concept's."""
    concept = component.concept_identity
    own = component.local_representation or (concept.core_representation if concept is not None else None)
    if own is None or own.enumerated is None:
        return {}
    return {code.id: str(code.name) for code in own.enumerated}


def _cube(message: Any, agency: str, flow: str) -> dict[str, frozenset[str]]:
    for constraint in message.constraint.values():
        if constraint.id == f"CR_A_{flow}" and _agency(constraint) == agency:
            return {
                dimension.id: frozenset(str(chosen.value) for chosen in selection.values)
                for region in constraint.data_content_region
                for dimension, selection in region.member.items()
                if dimension.id != _TIME
            }
    return {}


def _agency(maintained: Any) -> str:
    return str(maintained.maintainer.id) if maintained.maintainer is not None else ""


def _unexpected(dataset: Dataset, payload: Payload, what: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"not the structure of the flow: {what}",
        dataset=dataset.id,
        request=asked(payload),
        next_step="open the archived payload; check agency, id and version in the dataset file",
    )
