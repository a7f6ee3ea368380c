"""Readers of the World Bank's answers: pages of the v2 API and of the archive, the list of economies, download files.

Belongs here: from bytes to rows, with numbers as they stand in the text. Does not belong here: asking for them, and
what must agree between pages (worldbank/connector.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from connectors import reading
from connectors.reading import NotReadable, csv_rows, text, whole_number

ARCHIVE = "57"
T = TypeVar("T")


class NotWorldBank(NotReadable):
    """Bytes that are not an answer of the form the reader knows; says what is missing."""


def _reads(what: str) -> Callable[[Callable[[bytes], T]], Callable[[bytes], T]]:
    """Whatever a reader of `what` stumbles over becomes NotWorldBank."""

    def decorate(reader: Callable[[bytes], T]) -> Callable[[bytes], T]:
        @wraps(reader)
        def read(content: bytes) -> T:
            try:
                return reader(content)
            except NotWorldBank:
                raise
            except KeyError as error:
                raise NotWorldBank(f"not {what}: no field {error}") from error
            except (NotReadable, LookupError, TypeError, ValueError, AttributeError) as error:
                raise NotWorldBank(f"not {what}: {error}") from error

        return read

    return decorate


class Row(NamedTuple):
    """One cell. `code` is as answered (ISO3, or ISO2 in `iso2` alone); `value` is the number's own text; None: null."""

    indicator: str
    indicator_name: str
    code: str
    iso2: str
    name: str
    period: str
    value: str | None
    unit: str = ""
    status: str = ""
    version: str = ""


@dataclass(frozen=True)
class Page:
    """One page of an answer. `total` is of rows over all pages; `last_updated` is the publisher's day, when stated."""

    page: int
    pages: int
    total: int
    last_updated: str | None
    source: str
    rows: tuple[Row, ...]

    @property
    def identity(self) -> tuple[int, str | None, str]:
        """What all pages of one answer share."""
        return self.total, self.last_updated, self.source


@dataclass(frozen=True)
class Economy:
    """One entry of the list of economies; `aggregate` is a group of them. Namibia's ISO2 code is NA, and is a code."""

    code: str
    iso2: str
    name: str
    aggregate: bool


@_reads("JSON")
def load_json(content: bytes) -> Any:
    """JSON with every number kept as its text. Raises NotWorldBank."""
    return reading.load_json(content)


@_reads("a page of data")
def read_page(content: bytes) -> Page:
    """A page of data, of the v2 API (a list of two) or of the archive (an object). Raises NotWorldBank."""
    answer = load_json(content)
    return _archive_page(answer) if isinstance(answer, dict) else _page(answer)


def _page(answer: Any) -> Page:
    header, entries = answer  # no data: null
    return _paged(header, text(header.get("sourceid", "")), tuple(_row(entry) for entry in entries or []))


def _row(entry: dict[str, Any]) -> Row:
    indicator, country = entry["indicator"], entry["country"]
    iso2 = text(country["id"])
    return Row(
        indicator=text(indicator["id"]),
        indicator_name=text(indicator["value"]),
        code=text(entry["countryiso3code"]) or (iso2 if len(iso2) == 3 else ""),
        iso2=iso2,
        name=text(country["value"]),
        period=text(entry["date"]),
        value=_or_none(entry["value"]),
        unit=_or_none(entry.get("unit")) or "",
        status=_or_none(entry.get("obs_status")) or "",
    )


def _or_none(value: object) -> str | None:
    return None if value is None else text(value)


def _archive_page(answer: dict[str, Any]) -> Page:
    rows = []
    for entry in answer["source"].get("data") or []:
        concepts = {text(variable["concept"]).lower(): variable for variable in entry["variable"]}
        if len(concepts) < len(entry["variable"]):
            raise NotWorldBank(f"not a page of data: a concept stands twice among {', '.join(concepts)}")
        country, series = concepts["country"], concepts["series"]
        rows.append(
            Row(
                *(text(series["id"]), text(series["value"]), text(country["id"]), "", text(country["value"])),
                period=text(concepts["time"]["id"]).removeprefix("YR"),
                value=_or_none(entry["value"]),
                version=text(concepts["version"]["id"]) if "version" in concepts else "",
            )
        )
    return _paged(answer, text(answer["source"]["id"]), tuple(rows))


def _paged(header: dict[str, Any], source: str, rows: tuple[Row, ...]) -> Page:
    page, pages, total, size = (whole_number(header[name]) for name in ("page", "pages", "total", "per_page"))
    if not size or pages != math.ceil(total / size):
        raise NotWorldBank(f"{total} rows on {pages} pages of {size} each")
    return Page(page, pages, total, _or_none(header.get("lastupdated")) or None, source, rows)


@_reads("a list of economies")
def read_economies(content: bytes) -> dict[str, Economy]:
    """The list of economies by code, from /country (whole, or its second element alone). Raises NotWorldBank."""
    found: dict[str, Economy] = {}
    for entry in read_list(content):
        code, region = text(entry["id"]), text(entry["region"]["id"])
        if code in found:
            raise NotWorldBank(f"not a list of economies: {code} stands twice")
        found[code] = Economy(code, text(entry["iso2Code"]), text(entry["name"]).strip(), region == "NA")
    return found


@_reads("a list of versions")
def read_versions(content: bytes) -> dict[str, str]:
    """The archive's versions: id YYYYMM → label. Labels lie ("2021 July", swapped months): only ids count."""
    (source,) = load_json(content)["source"]
    (concept,) = source["concept"]
    return {text(variable["id"]): text(variable["value"]) for variable in concept["variable"]}


@_reads("a list")
def read_list(content: bytes) -> list[dict[str, Any]]:
    """Any other list of the v2 API (sources, indicators, topics...), whole or its second element alone."""
    answer = load_json(content)
    entries = answer[1] if len(answer) == 2 and "id" not in answer[0] else answer
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise NotWorldBank("not a list of objects")
    return entries


@dataclass(frozen=True)
class Download:
    """A file of the `downloadformat=csv` service: one row an economy and indicator, one column a year. Blank cells of
    the file are null values here; `last_updated` is stated in its third line."""

    last_updated: str | None
    rows: tuple[Row, ...]


@_reads("a download file")
def read_download(content: bytes) -> Download:
    """A download file, or a cut of a bulk file with the same columns. Raises NotWorldBank."""
    lines = csv_rows(content)
    at = next((n for n, line in enumerate(lines) if "Country Code" in line), None)
    if at is None:
        raise NotWorldBank("no line with the column Country Code")
    names = lines[at]
    if len(set(names)) < len(names):
        raise NotWorldBank("a column stands twice")
    years = [(column, name) for column, name in enumerate(names) if re.fullmatch(r"[0-9]{4}", name.strip())]
    column = {name: names.index(name) for name in ("Country Name", "Country Code", "Indicator Name", "Indicator Code")}
    if strangers := set(names) - set(column) - {name for _, name in years} - {""}:
        raise NotWorldBank(f"columns that are no years: {', '.join(sorted(strangers))[:200]}")
    stated = next((line[1] for line in lines[:at] if line and line[0] == "Last Updated Date"), None)
    rows = []
    for line in lines[at + 1 :]:
        if not any(line):
            continue
        if len(line) not in (len(names), len(names) - 1):
            raise NotWorldBank(f"a row of {len(line)} cells under {len(names)} columns: {line[:4]}")
        name, code, indicator_name, indicator = (text(line[at]) for at in column.values())
        rows += [Row(indicator, indicator_name, code, "", name, year, line[at] or None) for at, year in years]
    return Download(stated, tuple(rows))


@_reads("a file of metadata")
def read_metadata(content: bytes) -> list[dict[str, str]]:
    """A Metadata_Country or Metadata_Indicator file of a download, a dict a row."""
    names, *lines = csv_rows(content, prose=True) or [[]]
    if not {"Country Code", "INDICATOR_CODE"} & set(names):
        raise NotWorldBank("neither Country Code nor INDICATOR_CODE is a column")
    return [{name: value for name, value in zip(names, line, strict=False) if name} for line in lines if any(line)]
