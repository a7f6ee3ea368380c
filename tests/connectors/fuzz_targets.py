"""Every reader of bytes, with the answers that are spoilt for it.

Belongs here: how each reader is called as the connectors call it, and how the records of an answer are counted by eye. Does
not belong here: how answers are spoilt (mutations.py), what must come of it (fuzzing.py).
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import contract, datasets, stored, structures
from connectors.contract import Fetched
from connectors.datasets import Dataset
from connectors.files import editions as files
from connectors.files import manifest as drop
from connectors.files.tables import read_table
from connectors.http.answers import Classify
from connectors.http.request import Request
from connectors.nbs import classic as nbs_classic
from connectors.nbs import connector as nbs
from connectors.nbs import errors as nbs_errors
from connectors.oecd import connector as oecd
from connectors.oecd import errors as oecd_errors
from connectors.sdmx.readers import read_valid_from, reader_for
from connectors.worldbank import connector as worldbank
from connectors.worldbank import errors as worldbank_errors
from connectors.worldbank import rows as worldbank_rows
from tests.connectors import specimens
from tests.connectors import wire_sdmx as sdmx
from tests.connectors import wire_tables as tables
from tests.connectors.sandbox_forms import ask
from warehouse.schema import Basis, PartData, Payload, Precision, Scope, Stamp

Read = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """One reader with the answers that are spoilt for it. `holds` counts the records of an answer by eye: in another way
    than the reader; None where that cannot be said."""

    name: str
    seeds: Sequence[bytes]
    read: Read
    holds: Callable[[bytes], int] | None = None


class Wordless(AssertionError):
    """An error that does not say what to do next."""


def lines(content: bytes) -> int:
    """Lines below the first."""
    return sum(1 for line in re.split(rb"\r\n|\n|\r", content) if line) - 1


def _observations(content: bytes) -> int:
    """Elements Obs in the data set, without those in comments."""
    data_set = re.sub(rb"<!--.*?-->", b"", content, flags=re.DOTALL).partition(b"DataSet")[2]
    return len(re.findall(rb"<(?:[\w.-]+:)?Obs[\s/>]", data_set))


def told(where: Callable[[Any], Iterable[Any]]) -> Callable[[bytes], int]:
    """How many records a JSON answer has in the places where they belong; an empty place counts as one."""
    return lambda content: sum(
        len(found) or 1 for found in where(json.loads(content.decode("utf-8-sig"), parse_int=str))
    )


ROWS = [
    sdmx.Row((economy, "G_PPP"), str(year), value, flags)
    for economy in ("KOR", "JPN", "BRA")
    for year, value, flags in (
        (2016, "4.27154", ("", "", "")),
        (2017, "-2.1", ("E", "D", "F")),
        (2018, None, ("", "", "C")),
        (2999, "4.27", ("", "", "")),
    )
]
CELLS = [tables.Cell(code, str(year), f"{year}.5") for code in ("KOR", "EMU", "NAM") for year in range(2015, 2020)]
FIGURES = {(n, str(year)): f"{n}{year}.50" for n in tables.INDICATORS for year in range(2018, 2022)} | {(1, "2022"): ""}
SBRD, WDI, TECH = (datasets.load(name) for name in ("oecd.sbrd", "worldbank.wdi", "nbs.science_technology"))
DATA_URL = f"http://example.test/country/x/indicator/{tables.INDICATOR}?page=1"
ARCHIVE_URL = f"http://example.test/sources/57/country/x/series/{tables.INDICATOR}/time/all/version/202107/data?page=1"


def _data_sets(answer: Any) -> Iterator[Any]:
    for one in answer.get("data", answer)["dataSets"]:
        series = one.get("series")
        yield from [one["observations"]] if series is None else [s["observations"] for s in series.values()]


def _meant(rule: Classify, payload: Payload) -> Payload:
    """An answer that the connector would take for data. Raises what it takes it for otherwise."""
    if error := rule(payload):
        raise error
    return payload


def _oecd(content: bytes) -> PartData:
    return oecd.CONNECTOR.parse(SBRD, specimens.fetched("G_PPP", specimens.payload(content)))


def _worldbank(url: str, economy: str = "KOR") -> Callable[[bytes], PartData]:
    def read(content: bytes) -> PartData:
        page = _meant(worldbank_errors.classify, specimens.payload(content, url))
        payloads = specimens.payload(tables.economies(), "http://example.test/country"), page
        scope = Scope(entities=(economy,))
        return worldbank.CONNECTOR.parse(WDI, specimens.fetched(tables.INDICATOR, *payloads, scope=scope))

    return read


def _economies(content: bytes) -> PartData:
    page = specimens.payload(tables.page(CELLS, 1, 20, {"EMU": "iso2"}), DATA_URL)
    return worldbank.CONNECTOR.parse(WDI, specimens.fetched(tables.INDICATOR, specimens.payload(content), page))


def _portal(content: bytes) -> PartData:
    payloads = specimens.payload(tables.listing()), _meant(nbs_errors.classify, specimens.payload(content))
    return nbs.CONNECTOR.parse(TECH, specimens.fetched("overview", *payloads))


def _listing(content: bytes) -> PartData:
    payloads = specimens.payload(content), specimens.payload(tables.portal(FIGURES, sorted(FIGURES)))
    return nbs.CONNECTOR.parse(TECH, specimens.fetched("overview", *payloads))


def _classified(*rules: Classify) -> Read:
    """What each status and each rule makes of an answer: an error that is returned, never raised."""

    def read(content: bytes) -> None:
        for rule in rules:
            for status in (200, 400, 404, 500):
                found = rule(specimens.payload(content, status=status))
                if found is not None and "Next: " not in str(found):
                    raise Wordless(repr(found))

    return read


def _structure(provider: str, dataset: Dataset, at: int) -> Target:
    """The reader of a provider's structures, with one of its answers (as the sandbox gives it) spoilt."""
    chosen = structures.reader(provider)
    answers: list[Payload] = []
    for request in chosen.requests(dataset):
        answer = ask(provider, request.path, **dict(request.params))
        url = f"http://example.test/{request.path}?" + "&".join(f"{name}={text}" for name, text in request.params)
        answers.append(specimens.payload(answer.body, f"{url}&"))

    def read(content: bytes) -> object:
        spoilt = [replace(one, content=content) if n == at else one for n, one in enumerate(answers)]
        return chosen.read(dataset, spoilt)

    return Target(f"{provider} structure {at}", (answers[at].content,), read)


MANIFEST = """\
editions:
  - edition: "2021"
    published: 2021-12-05
    tables:
      - {part: expenditure, file: table.csv}
"""
TABLE = """\
指标,2020年,2018年
地方财政一般公共预算支出 (亿元),"7,116.18",7471.43
地方财政教育支出 (亿元),1138.29,
地方财政科学技术支出 (亿元),410.96,425.87
"""
BEIJING = datasets.load("nbs.beijing_expenditure")
NOW = datetime(2026, 8, 1, tzinfo=UTC)


def _parsed(dataset: Dataset, found: Iterable[Fetched]) -> list[PartData]:
    return [contract.parse(dataset, part) for fetched in found for part in fetched.parts if part.error is None]


def _dropped(content: bytes, manifest: bytes = MANIFEST.encode()) -> list[PartData]:
    """What is taken up of a folder with a manifest and one table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "table.csv").write_bytes(content)
        (folder / drop.MANIFEST).write_bytes(manifest)
        dropped = drop.look(BEIJING, folder)
        editions = files.editions(BEIJING, dropped)
        return [d for one in editions for d in _parsed(BEIJING, files.fetch(BEIJING, one, dropped, NOW))]


def _stored(dataset: Dataset) -> Read:
    """A message that somebody kept, with the list that it needs beside it."""
    stamp = Stamp(NOW, Precision.DAY, Basis.CARRIED, "2026-08-01")

    def recall(request: Request) -> Payload | None:
        content = tables.economies() if dataset.provider == "worldbank" else tables.listing((1, 2))
        return specimens.payload(content, f"http://example.test/{request.path}")

    def read(content: bytes) -> list[PartData]:
        message = stored.payload("message", content, NOW)
        return _parsed(dataset, stored.fetch(dataset, [message], stored.Loading(stamp=stamp), recall))

    return read


def targets() -> list[Target]:
    """All readers of bytes."""
    csvs = [sdmx.BY_ROW[name](ROWS) for name in ("csv_codes", "csv_structure", "csv_labels")]
    mls = [write(ROWS) for name, write in sdmx.BY_ROW.items() if name.startswith("ml")]
    jsons = [write(ROWS) for write in sdmx.BY_KEY.values()]
    order = sorted(FIGURES)
    plain = [(number, year) for number, year in order if number < 3]
    return [
        Target("SDMX-CSV", [*csvs, sdmx.csv_old(ROWS)], _oecd, lines),
        Target("SDMX-ML", mls, _oecd, _observations),
        Target("SDMX-JSON", jsons, _oecd, told(_data_sets)),
        Target("content constraint", [specimens.constraint().encode()], read_valid_from),
        Target("World Bank page", [tables.page(CELLS, 1, 20, {})], _worldbank(DATA_URL), told(lambda a: [a[1]])),
        Target(
            "World Bank archive",
            [tables.archive_page(CELLS, 1, 20, "202107")],
            _worldbank(ARCHIVE_URL),
            told(lambda a: [a["source"]["data"]]),
        ),
        Target("World Bank economies", [tables.economies()], _economies),
        Target("World Bank versions", [tables.versions("202107", "202109")], worldbank_rows.read_versions),
        Target("World Bank download", [_download()], worldbank_rows.read_download),
        Target(
            "NBS values", [tables.portal(FIGURES, order)], _portal, told(lambda a: [one["values"] for one in a["data"]])
        ),
        Target("NBS indicators", [tables.listing()], _listing),
        Target(
            "NBS classic",
            [tables.classic(FIGURES, order)],
            nbs_classic.read_query,
            told(lambda a: [a["returndata"]["datanodes"] or [0]]),
        ),
        Target("NBS exports", [form(FIGURES, order) for form in tables.NBS_TABLES.values()], nbs_classic.read_export),
        Target("NBS tree", [b'[{"id":"A01","isParent":true,"name":"x","pid":""}]'], nbs_classic.read_tree),
        Target("files", [form(FIGURES, order) for form in tables.NBS_TABLES.values()], read_table),
        Target("workbooks", [_workbook()], read_table),
        Target("drop folder", [TABLE.encode()], _dropped),
        Target(
            "its manifest",
            [MANIFEST.encode()],
            lambda content: _dropped(TABLE.encode(), content),
        ),
        Target("stored by the OECD", [csvs[0], csvs[2], mls[0], jsons[0]], _stored(SBRD)),
        Target("stored by the World Bank", [tables.page(CELLS, 1, 20, {}), _download()], _stored(WDI)),
        Target(
            "stored by the NBS",
            [write(FIGURES, plain) for write in (tables.classic, tables.classic_export)],
            _stored(TECH),
        ),
        Target(
            "what answers mean",
            [csvs[0], mls[0], jsons[0], specimens.constraint().encode(), tables.listing(), tables.economies(), *ERRORS],
            _classified(oecd_errors.classify, worldbank_errors.classify, nbs_errors.classify, nbs_errors.classify_page),
        ),
        *(_structure("oecd", SBRD, at) for at in range(len(structures.reader("oecd").requests(SBRD)))),
        *(_structure("worldbank", WDI, at) for at in range(2)),
        _structure("nbs", TECH, 0),
    ]


def recorded() -> list[Target]:
    """The same readers with answers of the providers themselves, where they are kept; none elsewhere."""

    def kept(pattern: str) -> list[bytes]:
        found = (specimens.read(path) for path in sorted(specimens.UPSTREAM.glob(pattern)))
        return [content for content in found if len(content) < 300_000][:4]

    found = [
        Target("recorded SDMX", kept("oecd/sti-scoreboard/G_PPP__2026*"), _oecd, _observations),
        Target("recorded old SDMX", kept("oecd/legacy/*"), lambda content: reader_for(content)(content)),
        Target("recorded constraint", kept("oecd/structures/actualconstraint*"), read_valid_from),
        Target("recorded archive", kept("worldbank/raw/source57/data_*"), worldbank_rows.read_page),
        Target("recorded versions", kept("worldbank/raw/source57/versions*"), worldbank_rows.read_versions),
        Target("recorded download", kept("worldbank/raw/download_csv/*API_GB*"), worldbank_rows.read_download),
        Target("recorded NBS", kept("nbs/easyquery/querydata_*"), nbs_classic.read_query),
        Target("recorded NBS exports", kept("nbs/exports/*export*"), nbs_classic.read_export),
    ]
    return [target for target in found if target.seeds]


ERRORS = (
    b'[{"message":[{"id":"120","key":"Invalid value","value":"The provided parameter value is not valid"}]}]',
    b'<wb:error xmlns:wb="w"><wb:message id="120" key="k">no</wb:message></wb:error>',
    b'{"success":false,"state":50000,"message":"x","data":null}',
    b"<!doctype html><html><body>Request Error</body></html>",
)


def _download() -> bytes:
    head = '\ufeff"Data Source","World Development Indicators",\n\n"Last Updated Date","2019-03-21",\n\n'
    names = '"Country Name","Country Code","Indicator Name","Indicator Code","2016","2017",\n'
    return (head + names + f'"Korea, Rep.","KOR","R&D (% of GDP)","{tables.INDICATOR}","","1.25",\n').encode()


def _workbook() -> bytes:
    import io

    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.create_sheet("table")
    book.remove(book.worksheets[0])
    for row in (("Country", 2019, 2020), ("Japan", 12, 13.5), ("Korea", "…", None)):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
