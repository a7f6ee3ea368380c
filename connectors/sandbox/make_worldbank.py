"""The World Bank's tables of facts: choosing vintages and economies among the collected files.

Belongs here: the readers of the World Bank's downloads; this module's own, as make_facts.py says. What is left out and why is
described in facts/README.md.
"""

from __future__ import annotations

import calendar
import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.sandbox.facts import Vintage

Row = Sequence[str]
WDI_PARTS = (
    *("GB.XPD.RSDV.GD.ZS", "NY.GDP.MKTP.CD", "NY.GDP.MKTP.PP.CD", "SP.POP.TOTL", "SP.POP.65UP.TO.ZS", "BM.GSR.ROYL.CD"),
    *("BX.GSR.ROYL.CD", "IP.PAT.RESD", "IP.PAT.NRES", "IP.JRN.ARTC.SC", "SP.POP.SCIE.RD.P6", "TX.VAL.TECH.CD"),
    "BX.KLT.DINV.CD.WD",
)
WDI_START = 1990
TODAYS_CODE = {"ROM": "ROU", "ZAR": "COD", "TMP": "TLS", "WBG": "PSE", "ADO": "AND", "IMY": "IMN", "KSV": "XKX"}
#: Carriers that state no stamp of the publisher: the commit date is an upper bound of when the public knew.
WDI_CARRIED = {"datasets/gdp", "datasets/population", "EugenioPiga/innovation"}
#: Files that hold a handful of cells: as a vintage they would read as the withdrawal of everything else.
WDI_FRAGMENTS = {
    "tgherzog/wbgapi": "five years of one country, from a README",
    "CanadaObservatory/CanadaDataObs": "the latest year of each country only",
    "open-numbers/ddf--open_numbers--world_development_indicators": "some countries, vintage not known",
}
WDI_DAMAGED = {
    ("datasets/gdp", "2024-10-20"): "years packed from 1960 on for series that start later; mended the day after"
}
#: Economies a carrier left out of its file: they keep what the vintage before said.
WDI_NOT_IN_SCOPE = {
    ("EugenioPiga/innovation", "2026-03-09"): ("HIC", "LIC", "LMC", "UMC"),
    ("datasets/gdp", "2015-08-16"): ("XKX",),
    ("datasets/population", "2015-08-16"): ("XKX",),
}
#: Vintages whose carrier turned zeros into blanks: a blank may be a zero that did not change.
WDI_ZEROS_LOST = {"2018-09"}
#: There the indicator counts something else than before (articles in Scopus, no longer in the Science Citation Index).
WDI_BREAKS = {("IP.JRN.ARTC.SC", "2018-09")}
#: Series that the melted file lacks, read from the original downloads.
WDI_RAW = (
    ("2013-12", "raw/wdi_bundle_2013-12/{part}_WDI.csv.gz", "ronnywang/worldbank", "ad4f9f88865d"),
    (
        "2021-09-15",
        "raw/download_csv/2021-09-15__science-and-technology-raw-2021.csv.gz",
        "light-and-salt/World-Bank-Data-by-Indicators",
        "bae5fd9aafce",
    ),
)
WDI_FROM_RAW = ("SP.POP.SCIE.RD.P6",)


def worldbank(folder: Path, countries: set[str], report: Counter[str]) -> tuple[list[Vintage], list[Row]]:
    """Vintages and cells: part, vintage, economy (today's code), year, value, code as published where it differs."""
    cells: dict[tuple[str, str, str, str], list[Row]] = {}
    for source, commit, stamp, part, code, year, value in wdi_cells(folder):
        if part not in WDI_PARTS or int(year) < WDI_START:
            continue
        entity = TODAYS_CODE.get(code, code)
        if source in WDI_FRAGMENTS:
            report[f"fragment: {source} ({WDI_FRAGMENTS[source]})"] += 1
        elif (source, stamp) in WDI_DAMAGED:
            report[f"damaged: {source} {stamp} ({WDI_DAMAGED[source, stamp]})"] += 1
        elif entity not in countries:
            report[f"code unknown today: {code}"] += 1
        else:
            text = value.removesuffix(".0")  # a carrier's float; the provider prints whole numbers whole
            published = "" if code == entity else code
            cells.setdefault((part, stamp, source, commit), []).append((part, stamp, entity, year, text, published))
    vintages = [wdi_vintage(*key, rows=len(held)) for key, held in cells.items()]
    taken: set[tuple[str, str]] = set()
    kept, rows = [], []
    for vintage in sorted(vintages, key=_preference):
        if (vintage.part, vintage.known_on) in taken:  # two sources for one day: _preference decides
            report[f"second source for one day: {vintage.source} {vintage.part} {vintage.vintage}"] += int(vintage.rows)
            continue
        taken.add((vintage.part, vintage.known_on))
        kept.append(vintage)
        rows += cells[vintage.part, vintage.vintage, vintage.source, vintage.commit]
    return kept, rows


def _preference(vintage: Vintage) -> tuple[str, str, int, str, str]:
    """Order of sources for one part and day: the publisher's own stamp, carried, then by name."""
    rank = ("publisher", "carried").index(vintage.basis)
    return vintage.part, vintage.known_on, rank, vintage.source, vintage.commit


def wdi_cells(folder: Path) -> Iterator[tuple[str, str, str, str, str, str, str]]:
    """Every collected cell: source, commit, stamp, indicator, code as published, year, value."""
    with gzip.open(folder / "wdi_real.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            yield (
                *(row["source_repo"], row["commit_sha"], row["vintage"], row["indicator_id"]),
                *(row["iso3"], row["year"], row["value"]),
            )
    for stamp, template, source, commit in WDI_RAW:
        for part in WDI_FROM_RAW:
            with gzip.open(folder / template.format(part=part), "rt", encoding="utf-8-sig", newline="") as handle:
                lines = list(csv.reader(handle))
            start = next(n for n, line in enumerate(lines) if "Country Code" in line)
            header = lines[start]
            code, indicator = header.index("Country Code"), header.index("Indicator Code")
            for line in lines[start + 1 :]:
                if len(line) > indicator and line[indicator] == part:
                    for year, value in zip(header, line, strict=False):
                        if year.isdigit() and value:
                            yield source, commit, stamp, part, line[code], year, value


def wdi_vintage(part: str, stamp: str, source: str, commit: str, *, rows: int) -> Vintage:
    """What a World Bank file says of its own date. A month is that of the carrier's commit; it counts from its last day."""
    if len(stamp) == len("2013-12"):
        year, month = map(int, stamp.split("-"))
        known_on = f"{stamp}-{calendar.monthrange(year, month)[1]}"
        precision, basis = "month", "carried"
    else:
        known_on, precision = stamp, "day"
        basis = "carried" if source in WDI_CARRIED else "publisher"
    lost = "lost for good" if (part, stamp) in WDI_BREAKS else "lost"
    return Vintage(
        *("worldbank.wdi", part, stamp, known_on, "", precision, basis, "", source, commit),
        not_in_scope=" ".join(WDI_NOT_IN_SCOPE.get((source, stamp), ())),
        zeros=lost if stamp in WDI_ZEROS_LOST else "kept",
        rows=str(rows),
    )


def worldbank_countries(folder: Path) -> list[Row]:
    """Economies and aggregates as /country lists them: code, ISO2, name, groups, capital, coordinates."""
    rows: list[Row] = []
    for entry in json.loads((folder / "raw/v2_lists/country.json").read_text(encoding="utf-8")):
        groups = [entry[name] for name in ("region", "adminregion", "incomeLevel", "lendingType")]
        flat = [text for group in groups for text in (group["id"], group["iso2code"], group["value"])]
        place = (entry["capitalCity"], entry["longitude"], entry["latitude"])
        rows.append((entry["id"], entry["iso2Code"], entry["name"], *flat, *place))
    return rows
