"""The portal's tree and the indicators of its leaves as structure of an NBS dataset.

Belongs here: which folders of the tree are asked (those in which a leaf in use stands, never the whole tree), and what of
the answers matters. Does not belong here: comparing two of them (structures.py), the indicators' values (nbs/connector.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.datasets import Dataset, Part
from connectors.errors import UnexpectedPayload
from connectors.http.answers import asked
from connectors.http.request import Request
from connectors.nbs.errors import classify
from connectors.nbs.parse import indicators_in, plain_name, split_unit, wanted_of
from connectors.reading import NotReadable, load_json, text
from connectors.structures import Element, Structure, dimensions
from warehouse.schema import Payload

API = "publicrelease/web/external/new"
HEADERS = (("X-Requested-With", "XMLHttpRequest"), ("Accept", "application/json"))
LEAF = "leaf"
#: The portal's number of each tree, by frequency; the provinces' trees of the same frequency have others.
_TREE = {"A": "3", "Q": "2", "M": "1"}
_SPLITS = ("kj1", "kj2", "kj3")


class NbsStructure:
    """Reader of the portal's tree and lists of indicators."""

    classify = staticmethod(classify)

    def requests(self, dataset: Dataset) -> list[Request]:
        """The list of indicators of every leaf, then each folder once."""
        lists = [
            Request(part.id, "GET", f"{API}/queryIndicatorsByCid", _query(cid=part.key, dt="", name=""), HEADERS)
            for part in dataset.parts
        ]
        folders = dict.fromkeys(part.folder for part in dataset.parts if part.folder)
        return lists + [
            Request(
                None,
                "GET",
                f"{API}/queryIndexTreeAsync",
                _query(pid=folder, code=_TREE[dataset.frequency]),
                HEADERS,
                cost="structure",
            )
            for folder in folders
        ]

    def otherwise(self, request: Request) -> Request | None:
        """Nothing."""
        return None

    def serves(self, payload: Payload) -> bool:
        """Lists of indicators, which are read for the data, and folders of an earlier reading that was cut short."""
        return "/queryIndicatorsByCid?" in payload.url or "/queryIndexTreeAsync?" in payload.url

    def read(self, dataset: Dataset, payloads: Sequence[Payload]) -> Structure:
        """Leaves with name and place in the tree, indicators with name, unit and notes."""
        elements = dimensions(dataset.dimensions)
        for payload in payloads:
            if "/queryIndexTreeAsync?" in payload.url:
                elements += _leaves(dataset, payload)
            else:
                for part in dataset.parts:
                    elements += _indicators(part, payload) if f"cid={part.key}&" in payload.url else ()
        return Structure(tuple(elements))

    def expected(self, dataset: Dataset) -> list[Element]:
        """Every leaf whose folder is known."""
        leaves = [
            Element("code", LEAF, part.key, None, where=("parts", n, "key"))
            for n, part in enumerate(dataset.parts)
            if part.folder
        ]
        return [*dimensions(dataset.dimensions, ("dimensions",)), *leaves]


READER = NbsStructure()


def _query(**fields: str) -> tuple[tuple[str, str], ...]:
    return tuple(fields.items())


def _leaves(dataset: Dataset, payload: Payload) -> Iterator[Element]:
    used = {part.key for part in dataset.parts}
    try:
        for node in load_json(payload.content)["data"]:
            code, name, path = (text(node[field]) for field in ("_id", "_name", "treeinfo_globalid"))
            yield Element("code", LEAF, code, name, code in used)
            yield Element("place", LEAF, code, path, code in used)
    except (NotReadable, LookupError, TypeError) as error:
        raise UnexpectedPayload(
            f"not a level of the tree: {type(error).__name__}: {error}",
            dataset=dataset.id,
            request=asked(payload),
            next_step="compare the archived payload with the documented form; the portal may have changed",
        ) from error


def _indicators(part: Part, payload: Payload) -> Iterator[Element]:
    """By `ek`, which is the same in every catalogue; slices of time of one indicator are told together."""
    listed = indicators_in(payload)
    wanted = wanted_of(part, listed)
    slices: dict[str, list[dict[str, Any]]] = {}
    for one in listed:
        slices.setdefault("_".join(str(one[name]) for name in ("ek", *_SPLITS, "dp") if one.get(name)), []).append(one)
    for code, found in slices.items():
        used = any(one["_id"] in wanted for one in found)
        yield Element("code", part.id, code, _each(split_unit(one["i_showname"])[0] for one in found), used)
        if used:
            units = (f"{split_unit(one['i_showname'])[1]} ({one.get('du_name') or 'not stated'})" for one in found)
            notes = (plain_name(f"{one.get('i_mark') or ''} {one.get('i_annotation') or ''}") for one in found)
            yield Element("unit", part.id, code, _each(units))
            yield Element("note", part.id, code, _each(notes))


def _each(texts: Iterator[str]) -> str:
    return "; ".join(sorted(dict.fromkeys(texts)))
