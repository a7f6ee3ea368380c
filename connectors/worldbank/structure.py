"""The World Bank's lists as structure: the indicators of a source, and the economies with their groups.

Belongs here: how they are asked for, and what of them matters for a dataset. Does not belong here: comparing two of them
(structures.py), the indicators' data (worldbank/connector.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.datasets import Dataset
from connectors.errors import UnexpectedPayload
from connectors.http.answers import asked
from connectors.http.request import Request
from connectors.reading import NotReadable, load_json, text, whole_number
from connectors.structures import Element, Structure, dimensions
from connectors.worldbank.errors import classify
from warehouse.schema import Payload

ECONOMY, INDICATOR = "economy", "indicator"
AGGREGATES = "NA"
_LAST_BRACKET = re.compile(r"\s*\(([^()]*)\)$")
_ECONOMIES = re.compile(r"/country\?")
_INDICATORS = re.compile(r"/source/[^/]+/indicator\?")


class WorldBankStructure:
    """Reader of the World Bank's lists."""

    classify = staticmethod(classify)

    def requests(self, dataset: Dataset) -> list[Request]:
        """The economies, as they are asked for the data, too, and the indicators of the source."""
        economies = Request(None, "GET", "country", (("format", "json"), ("per_page", "400")), cost="structure")
        listed = (("format", "json"), ("per_page", "20000"))
        return [economies, Request(None, "GET", f"source/{dataset.flow}/indicator", listed, cost="structure")]

    def otherwise(self, request: Request) -> Request | None:
        """Nothing."""
        return None

    def serves(self, payload: Payload) -> bool:
        """The list of economies."""
        return bool(_ECONOMIES.search(payload.url))

    def read(self, dataset: Dataset, payloads: Sequence[Payload]) -> Structure:
        """Indicators with name, unit, source and note; economies with their names; region and income class of the members
        of the groups in use."""
        elements = dimensions(dataset.dimensions)
        for payload in payloads:
            try:
                if _INDICATORS.search(payload.url):
                    elements += _indicators(dataset, _listed(payload))
                elif _ECONOMIES.search(payload.url):
                    elements += _economies(dataset, _listed(payload))
            except (NotReadable, LookupError, TypeError, ValueError) as error:
                raise UnexpectedPayload(
                    f"not a list of the World Bank: {type(error).__name__}: {error}",
                    dataset=dataset.id,
                    request=asked(payload),
                    next_step="open the archived payload; the API may have changed its form",
                ) from error
        return Structure(tuple(elements))

    def expected(self, dataset: Dataset) -> list[Element]:
        """Every economy and indicator, and the units of those whose name states one in its last bracket."""
        economies = [
            *(Element("code", ECONOMY, code, None, where=("entities", n)) for n, code in enumerate(dataset.entities)),
            *(
                Element("code", ECONOMY, code, None, where=("parts", m, "besides", n))
                for m, part in enumerate(dataset.parts)
                for n, code in enumerate(part.besides)
            ),
        ]
        indicators = [
            element
            for n, part in enumerate(dataset.parts)
            for element in (
                Element("code", INDICATOR, part.key, None, where=("parts", n, "key")),
                Element("unit", INDICATOR, part.key, part.unit, where=("parts", n, "unit")),
            )
        ]
        return [*dimensions(dataset.dimensions, ("dimensions",)), *economies, *indicators]


READER = WorldBankStructure()


def _listed(payload: Payload) -> list[dict[str, Any]]:
    """The entries of a list that came in one page. Raises NotReadable, and what Python raises for another form."""
    header, entries = load_json(payload.content)
    pages, total = whole_number(header["pages"]), whole_number(header["total"])
    if pages > 1 or len(entries) != total:
        raise NotReadable(f"{len(entries)} entries on page 1 of {pages}, {total} in all")
    return list(entries)


def _indicators(dataset: Dataset, entries: list[dict[str, Any]]) -> Iterator[Element]:
    used = {part.key for part in dataset.parts}
    for entry in entries:
        code, name = text(entry["id"]), text(entry["name"]).strip()
        bracket = _LAST_BRACKET.search(name)
        yield Element("code", INDICATOR, code, name[: bracket.start()] if bracket else name, code in used)
        if code in used:
            units = dict.fromkeys((text(entry["unit"]), bracket[1] if bracket else ""))
            yield Element("unit", INDICATOR, code, ", ".join(filter(None, units)))
            yield Element("source", INDICATOR, code, str(entry["sourceOrganization"]))
            yield Element("note", INDICATOR, code, str(entry["sourceNote"]))


def _economies(dataset: Dataset, entries: list[dict[str, Any]]) -> Iterator[Element]:
    groups = {text(entry["id"]) for entry in entries if entry["region"]["id"] == AGGREGATES}
    wanted = {code for part in dataset.parts for code in dataset.entities_of(part.id)}
    averaged = not groups.isdisjoint(wanted)
    for entry in entries:
        code = text(entry["id"])
        used = code in wanted
        yield Element("code", ECONOMY, code, text(entry["name"]).strip(), used)
        if code not in groups:
            member = ", ".join(text(entry[name]["value"]).strip() for name in ("region", "incomeLevel"))
            yield Element("membership", ECONOMY, code, member, used or averaged)
