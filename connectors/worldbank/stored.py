"""Answers and downloads of the World Bank that somebody kept: which indicators they hold, and of which day they are.

Belongs here: that. Does not belong here: the forms themselves (worldbank/rows), what their cells mean (worldbank/parse).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

from connectors.assemble import part_data
from connectors.contract import FILE, PartFetch
from connectors.datasets import Dataset
from connectors.http.request import Request
from connectors.skipped import Skip
from connectors.worldbank.parse import WRITING, parsed
from connectors.worldbank.rows import (
    ARCHIVE,
    Economy,
    NotWorldBank,
    Page,
    Row,
    read_download,
    read_economies,
    read_page,
)
from warehouse.clock import archive_stamp, stated_stamp
from warehouse.schema import Basis, PartData, Payload, Stamp

EXPECTED = (
    "a download (CSV with the columns Country Code and Indicator Code), or all pages of an answer of the API (JSON), of "
    "indicators of the dataset"
)


def bundles(files: Sequence[Payload]) -> list[tuple[Payload, ...]]:
    """Downloads by themselves; pages of one answer, which follow each other, together. Raises NotWorldBank."""
    found = groupby(files, key=lambda file: (file.sha256,) if _is_csv(file) else _page(file).identity)
    return [tuple(group) for _, group in found]


def beside(request: Request) -> bool:
    """The list of economies, which tells aggregates from economies."""
    return request.path == "country"


def parts(dataset: Dataset, bundle: Sequence[Payload], lists: dict[str, Payload]) -> list[str]:
    """The parts whose indicator stands in the files. Raises NotWorldBank."""
    indicators = {row.indicator for row in _rows(dataset, bundle)}
    held = [part.id for part in dataset.parts if part.key in indicators]
    if not held:
        raise NotWorldBank(f"it is of {', '.join(sorted(indicators)[:5]) or 'no indicator'}")
    return held


def stamp(dataset: Dataset, bundle: Sequence[Payload]) -> Stamp | None:
    """The version of the archive, or the day of the publisher's last update. Raises NotWorldBank.

    Such a day is told by data that somebody fetched later, so it is that of an archive.
    """
    if _is_csv(bundle[0]):
        return _of_day(dataset, read_download(bundle[0].content).last_updated)
    page = _page(bundle[0])
    versions = {row.version for row in page.rows if row.version}
    if len(versions) == 1 and page.source == ARCHIVE:
        return archive_stamp(versions.pop(), dataset.publisher_timezone)
    return _of_day(dataset, page.last_updated)


def read(dataset: Dataset, fetched: PartFetch) -> PartData:
    """The rows of one indicator; the list of economies among the payloads was fetched, the others are files."""
    files = [file for file in fetched.payloads if file.method == FILE]
    economies: dict[str, Economy] = {}
    for listed in fetched.payloads:
        if listed.method != FILE:
            economies = read_economies(listed.content)
    rows, key = _rows(dataset, files), dataset.part(fetched.part).key
    own = [row for row in rows if row.indicator == key]
    found = parsed(dataset, fetched, own, economies)
    if others := len(rows) - len(own):
        found = replace(found, records=len(rows), skipped={**found.skipped, Skip.OTHER_PART.value: others})
    return part_data(fetched, found, dataset.frequency, WRITING)


def _is_csv(file: Payload) -> bool:
    return not file.content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"[", b"{"))


def _page(file: Payload) -> Page:
    return read_page(file.content)


def _rows(dataset: Dataset, bundle: Iterable[Payload]) -> list[Row]:
    """All rows of a download, or of all pages of an answer."""
    files = list(bundle)
    if _is_csv(files[0]):
        return list(read_download(files[0].content).rows)
    pages = [_page(file) for file in files]
    rows = [row for page in pages for row in page.rows]
    if sorted(page.page for page in pages) != list(range(1, pages[0].pages + 1)) or len(rows) != pages[0].total:
        numbers = ", ".join(str(page.page) for page in pages)
        raise NotWorldBank(
            f"pages {numbers} of {pages[0].pages} with {len(rows)} of {pages[0].total} rows are not all of an answer"
        )
    if pages[0].source not in (dataset.flow, ARCHIVE):
        raise NotWorldBank(f"it is of source {pages[0].source}, the dataset of source {dataset.flow}")
    return rows


def _of_day(dataset: Dataset, stated: str | None) -> Stamp | None:
    try:
        day = date.fromisoformat(stated or "")
    except ValueError:
        return None
    return stated_stamp(day.isoformat(), dataset.publisher_timezone, Basis.ARCHIVE)
