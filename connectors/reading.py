"""From bytes to JSON, CSV or XML that cannot surprise: whatever they hold ends in a plain value or in NotReadable.

Belongs here: what is refused whoever sent it (nesting without end, names that stand twice, entities, quotes left open,
control characters) and numbers that stay the text they are. Does not belong here: what a provider's answer means.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.etree import _Element

#: Longer is no code, name or number of any provider, and no note of one.
LONGEST, LONGEST_NOTE = 2_000, 50_000
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_BREAK = re.compile(r"[\r\n]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class NotReadable(ValueError):
    """Bytes that are not of the form they should be; says why. Each reader of a provider has a class of its own below it."""


def load_json(content: bytes) -> Any:
    """JSON (RFC 8259) with every number as its text; a byte-order mark is passed over.

    Raises NotReadable for anything else, for NaN and Infinity, and for a name that stands twice in one object, of which a
    plain reader would silently drop one.
    """
    try:
        found = json.loads(
            content.decode("utf-8-sig"),
            parse_float=str,
            parse_int=str,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
        if _HALF_A_PAIR.search(content):
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise NotReadable("not JSON that is meant to be read: it is nested without end") from error
    except NotReadable:
        raise
    except ValueError as error:
        raise NotReadable(f"not JSON: {error}") from error
    return found


def _no_constant(name: str) -> None:
    raise NotReadable(f"not JSON: {name} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise NotReadable(f"a name stands twice in one object: {next(n for n in names if names.count(n) > 1)[:60]!r}")
    return found


def text(value: object, longest: int = LONGEST) -> str:
    """A value of an answer that must be text (a JSON number is, too). Raises NotReadable for another type, for text longer
    than any code, name or number is, and for control characters."""
    if not isinstance(value, str):
        raise NotReadable(f"{type(value).__name__} where text was expected")
    if len(value) > longest:
        raise NotReadable(f"a text of {len(value)} characters, which begins with {value[:40]!r}")
    if found := _CONTROL.search(value):
        raise NotReadable(f"a control character, {found.group()!r}, in a text")
    return value


def whole_number(value: object) -> int:
    """A small whole number that is not negative, written in plain digits. Raises NotReadable."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", text(value)):
        raise NotReadable(f"{text(value)!r} is not a whole number")
    return int(text(value))


def csv_rows(content: bytes, *, prose: bool = False) -> list[list[str]]:
    """All lines of a CSV table (RFC 4180) in UTF-8, with or without a byte-order mark.

    Raises NotReadable, also for a quote that is left open and, but in a table of `prose`, for a cell with a line break, in
    which whole lines would disappear.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise NotReadable(f"not a CSV table in UTF-8: {error}") from error
    broken = None if prose else next((row for row in rows if _BREAK.search("".join(row))), None)
    if broken:
        raise NotReadable(f"a line break inside a cell of the row {broken[:4]!r:.100}")
    return rows


def xml_elements(content: bytes, *tags: str) -> Iterator[_Element]:
    """The elements of these names in any namespace, each when it ends; comments are left out. Raises NotReadable, also for a
    document type, by which entities come in."""
    from lxml import etree

    check_xml(content)
    try:
        for _, element in etree.iterparse(
            io.BytesIO(content),
            tag=tuple(f"{{*}}{tag}" for tag in tags),
            resolve_entities=False,
            no_network=True,
            remove_comments=True,
            remove_pis=True,
        ):
            yield element
    except etree.XMLSyntaxError as error:
        raise NotReadable(f"not well-formed XML: {error}") from error


def structure_message(content: bytes) -> Any:
    """A structure message in SDMX-ML 2.1, as sdmx1 reads it; without what it prints when it stumbles. Raises NotReadable."""
    import sdmx

    check_xml(content)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return sdmx.read_sdmx(io.BytesIO(content))
    except Exception as error:  # sdmx1 raises whatever its parser meets
        raise NotReadable(f"not a structure message: {type(error).__name__}: {str(error)[:200]}") from error


def check_xml(content: bytes) -> None:
    """Raise NotReadable for XML with a document type: no provider sends one, and entities come in by it. For use before a
    library reads it."""
    from lxml import etree

    try:
        events = etree.iterparse(
            io.BytesIO(content), events=("start",), resolve_entities=False, no_network=True, load_dtd=False
        )
        _, root = next(iter(events))
    except (etree.XMLSyntaxError, StopIteration) as error:
        raise NotReadable(f"not well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotReadable("XML with a document type, whose entities are not read")
