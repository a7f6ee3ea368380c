"""What a provider says its data are, apart from the numbers, and how two such statements differ.

A structure is a set of elements: dimensions in their order, the codes of code lists, which of them have data, units, agent
roles, the version, source organisations, notes. Belongs here: that model, asking for what is not at hand, and the comparison
with an earlier structure or with a dataset file. Does not belong here: how one provider is asked and read (oecd/structure.py,
worldbank/structure.py, nbs/structure.py), or how grave a difference is (expectations/structure_rules.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

from connectors.datasets import Dataset
from connectors.errors import NoData, NotFound, ProviderError
from connectors.http.request import Request
from warehouse.schema import Payload

if TYPE_CHECKING:
    from connectors.http.answers import Classify
    from connectors.http.transport import Transport

Kind = Literal[
    "dimension", "attribute", "version", "code", "held", "unit", "role", "held role", "source", "note", "membership", "place"
]  # fmt: skip

_Key = tuple[Kind, str, str]
_Elements = dict[_Key, "Element"]

#: What it is called when an element of a kind is gone, is new, and says something else.
CHANGES: dict[Kind, tuple[str, str, str]] = {
    "dimension": ("dimension-vanished", "dimension-new", "dimension-order"),
    "attribute": ("attribute-changed", "attribute-changed", "attribute-changed"),
    "version": ("version-changed", "version-changed", "version-changed"),
    "code": ("code-vanished", "code-list-changed", "code-renamed"),
    "held": ("code-without-data", "code-list-changed", "code-without-data"),
    "unit": ("unit-changed", "code-list-changed", "unit-changed"),
    "role": ("role-changed", "code-list-changed", "role-changed"),
    "held role": ("role-changed", "code-list-changed", "role-changed"),
    "source": ("source-changed", "source-changed", "source-changed"),
    "note": ("note-changed", "note-changed", "note-changed"),
    "membership": ("membership-changed", "membership-changed", "membership-changed"),
    "place": ("code-moved", "code-list-changed", "code-moved"),
}
#: Changes of what no series of the dataset uses.
UNUSED = "code-list-changed"
_NOUNS: dict[Kind, str] = {
    "held": "data of code",
    "unit": "unit of",
    "held role": "data of role",
    "source": "source of",
    "note": "note of",
    "membership": "groups of",
    "place": "place of",
}
_MOST_NAMED = 5
#: Differences between labels that change no meaning, as pattern and common form, in this order; any other waits for a reader.
_HARMLESS = (
    (r"(?<=[a-z])[\u0300-\u036f]+", ""),  # accents: Türkiye, Turkiye
    (r"[\u2010-\u2015\u2212]", "-"),  # the kinds of dashes: 2010–2015, 2010-2015
    (r"(?<!\d)-(?!\d)", " "),  # dashes that are no sign of numbers: full-time, full time
    (r"&", " and "),  # research & development, research and development
    (r"\bper cent", "percent"),
    (r"(?<=[a-z])is(?=(?:ations?|e[ds]?|ing)\b)", "iz"),  # British and American: organisation, organization
    (r"\bcentre", "center"),
    (r"\blabour", "labor"),
    (r"\bprogramme", "program"),
    (r"[^\w%‰°$€£¥₩/^+<>=≤≥±×-]+", " "),  # punctuation and blanks; signs of units and of limits stay
)


@dataclass(frozen=True)
class Element:
    """One thing that a structure says. `place` is the dimension or list in which `code` stands, "" for the dataset.

    `says` is its label, position or unit; None: only that it exists. `used`: a series of the dataset depends on it. `where` is
    the field of the dataset file that expects it.
    """

    kind: Kind
    place: str
    code: str
    says: str | None
    used: bool = True
    where: tuple[str | int, ...] = ()

    @property
    def key(self) -> _Key:
        """What identifies it in another structure."""
        return self.kind, self.place, self.code


@dataclass(frozen=True)
class Structure:
    """All elements that one provider states for one dataset, or (not `whole`) those that its dataset file expects."""

    elements: tuple[Element, ...]
    whole: bool = True


@dataclass(frozen=True)
class Compared:
    """One element in two structures. `change` is a word of CHANGES, "" when it is the same; `text` says it in words."""

    element: Element
    old: str | None
    new: str | None
    change: str = ""
    text: str = ""


#: A compared element that changed.
Finding = Compared


@dataclass(frozen=True)
class Answers:
    """The payloads from which a structure is read; `error` says why they are not all there."""

    payloads: tuple[Payload, ...]
    error: ProviderError | None = None


class Reader(Protocol):
    """What every module `<provider>.structure` offers."""

    classify: Classify

    def requests(self, dataset: Dataset) -> list[Request]:
        """What to ask."""
        ...

    def otherwise(self, request: Request) -> Request | None:
        """What to ask instead when the provider knows nothing of that; None: nothing."""
        ...

    def serves(self, payload: Payload) -> bool:
        """True for an answer that was asked for the data and tells of the structure as well."""
        ...

    def read(self, dataset: Dataset, payloads: Sequence[Payload]) -> Structure:
        """The structure that the payloads tell. Raises UnexpectedPayload."""
        ...

    def expected(self, dataset: Dataset) -> list[Element]:
        """What the dataset file takes for granted beyond its dimensions."""
        ...


def reader(provider: str) -> Reader:
    """The reader of a provider's structures ("oecd", "worldbank", "nbs"); its module is imported only now."""
    return cast(Reader, import_module(f"connectors.{provider}.structure").READER)


def fetch(dataset: Dataset, at_hand: Iterable[Payload], transport: Transport) -> Answers:
    """Ask for what is not at hand, until an error stops it; nothing is raised, so that no structure costs any data."""
    chosen = reader(dataset.provider)
    found = {payload.url: payload for payload in at_hand if chosen.serves(payload)}
    try:
        for request in chosen.requests(dataset):
            if (url := transport.url(request)) not in found:
                found[url] = _answer(chosen, request, transport)
    except ProviderError as error:
        error.dataset = error.dataset or dataset.id
        return Answers(tuple(found.values()), error)
    return Answers(tuple(found.values()))


def beyond(dataset: Dataset, planned: Sequence[Request]) -> list[Request]:
    """What a structure costs when it is due: its requests that are not planned for the data anyhow."""
    known = {(request.path, request.params) for request in planned}
    asked = reader(dataset.provider).requests(dataset)
    return [request for request in asked if (request.path, request.params) not in known]


def _answer(chosen: Reader, request: Request, transport: Transport) -> Payload:
    try:
        return transport.get(request, chosen.classify)
    except (NotFound, NoData):
        other = chosen.otherwise(request)
        if other is None:
            raise
        return transport.get(other, chosen.classify)


def against_file(dataset: Dataset, structure: Structure) -> list[Finding]:
    """Every difference between what the dataset file takes for granted and what the provider says."""
    return findings(compare(expected(dataset), structure))


def findings(compared: Iterable[Compared]) -> list[Finding]:
    """The elements that changed."""
    return [one for one in compared if one.change]


def expected(dataset: Dataset) -> Structure:
    """What a dataset file takes for granted: its dimensions in their order, and what its provider's reader adds."""
    return Structure(tuple(reader(dataset.provider).expected(dataset)), whole=False)


def dimensions(names: Iterable[str], where: tuple[str | int, ...] = ()) -> list[Element]:
    """Dimensions as elements; their position is what they say."""
    return [Element("dimension", "", name, str(n), where=where) for n, name in enumerate(names, start=1)]


def compare(old: Structure, new: Structure) -> list[Compared]:
    """Every element of two structures side by side, those of `old` first.

    From an `old` that is not whole nothing is concluded of what it does not name or say, save that a dimension is new.
    """
    before = {element.key: element for element in _in_common_order(old, new)}
    after = {element.key: element for element in _in_common_order(new, old)}
    compared = [_side_by_side(element, after.get(key), after, old.whole) for key, element in _heads(before, after)]
    for key, element in _heads(after, before):
        if key not in before and (old.whole or element.kind == "dimension"):
            compared.append(_new(element))
    return compared


def _heads(these: _Elements, others: _Elements) -> Iterator[tuple[_Key, Element]]:
    """The elements without those that only follow from another: what is said of a code or dimension that the others lack."""
    first: dict[tuple[str, str], _Key] = {}
    for key, element in these.items():
        head = first.setdefault((element.place, element.code), key)
        dimension: _Key = ("dimension", "", element.place)
        if (head == key or head in others) and (dimension not in these or dimension in others):
            yield key, element


def _in_common_order(structure: Structure, other: Structure) -> Iterable[Element]:
    """The elements, with the position of a dimension counted among those that both have: a new one moves no other."""
    common = {element.code for element in other.elements if element.kind == "dimension"}
    position = 0
    for element in structure.elements:
        if element.kind == "dimension":
            position += element.code in common
            yield replace(element, says=str(position) if element.code in common else None)
        else:
            yield element


def _new(element: Element) -> Compared:
    change = CHANGES[element.kind][1] if element.used else UNUSED
    return Compared(element, None, element.says or "", change, f"{_name(element)} is new{_told(element.says)}")


def _side_by_side(old: Element, new: Element | None, after: _Elements, whole: bool) -> Compared:
    if new is None:
        change = CHANGES[old.kind][0] if old.used else UNUSED
        return Compared(
            old, old.says or "", None, change, f"{_name(old)} is gone{_told(old.says)}{_instead(old, after)}"
        )
    element = replace(old, used=old.used or new.used)
    was, now = old.says or "", new.says or ""
    silent = not whole and (old.says is None or not now)  # a dataset file and a provider that says nothing agree
    if silent or plain(was) == plain(now):
        return Compared(element, was, now)
    change = CHANGES[old.kind][2] if element.used else UNUSED
    return Compared(element, was, now, change, f"{_name(old)} was {_quoted(was)} and is {_quoted(now)}")


def plain(text: str) -> str:
    """A label as far as it matters: without case, width, punctuation, blanks, and what else changes no meaning."""
    told = unicodedata.normalize("NFKD", text).casefold()
    for pattern, common in _HARMLESS:
        told = re.sub(pattern, common, told)
    return unicodedata.normalize("NFKC", told).strip()


def _name(element: Element) -> str:
    noun = _NOUNS.get(element.kind, element.kind)
    return " ".join(word for word in (element.place and f"{element.place}:", noun, element.code) if word)


def _quoted(says: str) -> str:
    return repr(says) if says else "not stated"


def _told(says: str | None) -> str:
    return f" ({says})" if says and not says.isdecimal() else ""


def _instead(gone: Element, after: _Elements) -> str:
    """Which codes stand in the same place now, when they are few."""
    if gone.kind not in ("role", "held role", "held", "code"):
        return ""
    left = sorted(code for kind, place, code in after if (kind, place) == (gone.kind, gone.place))
    return f"; there are {', '.join(left)}" if 0 < len(left) <= _MOST_NAMED else ""
