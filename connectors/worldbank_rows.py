"""Readers of the World Bank's answers: pages of the v2 API and of the archive, the list of economies, download files.

Belongs here: from bytes to rows, with numbers as they stand in the text. Does not belong here: asking for them, and
what must agree between pages (worldbank.py).
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

ARCHIVE = "57"


class NotWorldBank(ValueError):
    """Bytes that are not an answer of the form the reader knows; says what is missing."""


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


def load_json(content: bytes) -> Any:
    """JSON with every number kept as its text; a byte-order mark is passed over. Raises NotWorldBank."""
    try:
        return json.loads(content.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str)
    except ValueError as error:
        raise NotWorldBank(f"not JSON: {error}") from error


def read_page(content: bytes) -> Page:
    """A page of data, of the v2 API (a list of two) or of the archive (an object). Raises NotWorldBank."""
    answer = load_json(content)
    try:
        return _archive_page(answer) if isinstance(answer, dict) else _page(answer)
    except KeyError as error:
        raise NotWorldBank(f"no field {error}") from error
    except (IndexError, TypeError, ValueError) as error:
        raise NotWorldBank(f"not a page of data: {type(error).__name__}: {error}") from error


def _page(answer: Any) -> Page:
    header, entries = answer[0], answer[1] or []  # no data: null
    rows = tuple(
        Row(
            entry["indicator"]["id"],
            entry["indicator"]["value"],
            entry["countryiso3code"] or (entry["country"]["id"] if len(entry["country"]["id"]) == 3 else ""),
            entry["country"]["id"],
            entry["country"]["value"],
            entry["date"],
            entry["value"],
            entry.get("unit") or "",
            entry.get("obs_status") or "",
        )
        for entry in entries
    )
    return _paged(header, str(header.get("sourceid", "")), rows)


def _archive_page(answer: dict[str, Any]) -> Page:
    rows = []
    for entry in answer["source"].get("data") or []:
        concepts = {variable["concept"].lower(): variable for variable in entry["variable"]}
        country, series = concepts["country"], concepts["series"]
        rows.append(
            Row(
                *(series["id"], series["value"], country["id"], "", country["value"]),
                period=concepts["time"]["id"].removeprefix("YR"),
                value=entry["value"],
                version=concepts["version"]["id"] if "version" in concepts else "",
            )
        )
    return _paged(answer, str(answer["source"]["id"]), tuple(rows))


def _paged(header: dict[str, Any], source: str, rows: tuple[Row, ...]) -> Page:
    page, pages, total = (int(header[name]) for name in ("page", "pages", "total"))
    return Page(page, pages, total, header.get("lastupdated") or None, source, rows)


def read_economies(content: bytes) -> dict[str, Economy]:
    """The list of economies by code, from /country (whole, or its second element alone). Raises NotWorldBank."""
    answer = load_json(content)
    entries = answer[1] if len(answer) == 2 and "id" not in answer[0] else answer
    try:
        return {
            entry["id"]: Economy(entry["id"], entry["iso2Code"], entry["name"].strip(), entry["region"]["id"] == "NA")
            for entry in entries or []
        }
    except (KeyError, TypeError) as error:
        raise NotWorldBank(f"not a list of economies: {type(error).__name__}: {error}") from error


def read_versions(content: bytes) -> dict[str, str]:
    """The archive's versions: id YYYYMM → label. Labels lie ("2021 July", swapped months): only ids count."""
    answer = load_json(content)
    try:
        (concept,) = answer["source"][0]["concept"]
        return {variable["id"]: variable["value"] for variable in concept["variable"]}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NotWorldBank(f"not a list of versions: {type(error).__name__}: {error}") from error


def read_list(content: bytes) -> list[dict[str, Any]]:
    """Any other list of the v2 API (sources, indicators, topics...), whole or its second element alone."""
    answer = load_json(content)
    entries = answer[1] if len(answer) == 2 and isinstance(answer[1], list) else answer
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise NotWorldBank("not a list of objects")
    return entries


@dataclass(frozen=True)
class Download:
    """A file of the `downloadformat=csv` service: one row an economy and indicator, one column a year. Blank cells of
    the file are null values here; `last_updated` is stated in its third line."""

    last_updated: str | None
    rows: tuple[Row, ...]


def read_download(content: bytes) -> Download:
    """A download file, or a cut of a bulk file with the same columns. Raises NotWorldBank."""
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    at = next((n for n, line in enumerate(lines) if "Country Code" in line), None)
    if at is None:
        raise NotWorldBank("no line with the column Country Code")
    names = lines[at]
    years = [(column, name) for column, name in enumerate(names) if re.fullmatch(r"\d{4}", name.strip())]
    column = {name: names.index(name) for name in ("Country Name", "Country Code", "Indicator Name", "Indicator Code")}
    stated = next((line[1] for line in lines[:at] if line and line[0] == "Last Updated Date"), None)
    rows = []
    for line in lines[at + 1 :]:
        if not any(line):
            continue
        if len(line) not in (len(names), len(names) - 1):
            raise NotWorldBank(f"a row of {len(line)} cells under {len(names)} columns: {line[:4]}")
        name, code, indicator_name, indicator = (line[at] for at in column.values())
        rows += [Row(indicator, indicator_name, code, "", name, year, line[at] or None) for at, year in years]
    return Download(stated, tuple(rows))


def read_metadata(content: bytes) -> list[dict[str, str]]:
    """A Metadata_Country or Metadata_Indicator file of a download, a dict a row."""
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    if not rows or not {"Country Code", "INDICATOR_CODE"} & set(rows[0]):
        raise NotWorldBank("neither Country Code nor INDICATOR_CODE is a column")
    return [{name: value for name, value in row.items() if name} for row in rows]
