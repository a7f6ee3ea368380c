"""Builds the tables under connectors/sandbox/facts/ from a folder of collected provider files.

    python -m connectors.sandbox.make_facts ../shared/upstream [FOLDER]

Belongs here: reading the collected files, choosing vintages and economies, and saying where every value comes from.
The readers are this module's own, so that an error in a connector's parser cannot hide in the facts it is tested
against. Does not belong here: what a provider answers on a given day (facts.py) and wire formats. Running it twice
gives the same bytes. What each table holds is described in facts/README.md.
"""

from __future__ import annotations

import calendar
import csv
import gzip
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, fields
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from connectors.sandbox.facts import FACTS, Vintage

SBRD_PARTS = ("G_XGDP", "B_XGDP", "G_PPP", "B_PPP", "G_NC", "B_NC", "G_XFA", "B_XFA", "G_BRXG")
PCT_PARTS = ("COPAT_NB", "COPAT_XPCT")
OECD_ECONOMIES = ("CHN", "JPN", "KOR", "USA", "GBR", "FRA", "DEU", "CAN", "MEX", "EU27_2020")
OECD_STATUS = ("OBS_STATUS", "OBS_STATUS_2", "OBS_STATUS_3", "AUX_OBS_STATUS", "AUX_OBS_STATUS_2", "CONF_STATUS")
OECD_ZONE = ZoneInfo("Europe/Paris")  # Prepared carries no offset; commit times of the same files show Paris time

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

NBS_RETRIEVED = date(2026, 11, 21)
NBS_LEAVES = {
    "overview": "d198efc7d03c46bd9069e035e7ddd038",
    "patent_applications": "b450f3f38a89456fa6b5cdafb729547b",
    "patent_grants": "33ae392d31234d2280f2c274d02d9588",
    "papers_indexed": "5757191d22e24526bcc4b32d2ed76d88",
    "asia": "50121eeff3c34231bd9a46f67786e449",
}
NBS_CHART = {
    "patent_applications_total_items": ("专利申请数", "项", 0),
    "patent_grants_total_items": ("专利申请授权数", "项", 0),
    "technology_market_turnover_100m_yuan": ("技术市场成交额", "亿元", 2),
    "hightech_exports_100m_usd": ("高技术产品出口额", "亿美元", 2),
    "hightech_imports_100m_usd": ("高技术产品进口额", "亿美元", 2),
}
NBS_CLAIMS = {
    "paper004-c010": ("patent_applications", "发明专利申请数", "件", 0),
    "paper004-c011": ("patent_applications", "发明专利申请数", "件", 0),
    "paper004-c013": ("patent_grants", "发明专利授权数", "件", 0),
    "paper004-c014": ("patent_grants", "发明专利授权数", "件", 0),
    "paper004-c016": ("papers_indexed", "SCI收录科技论文数", "篇", 0),
    "paper004-c019": ("papers_indexed", "EI收录科技论文数", "篇", 0),
    "paper004-c022": ("papers_indexed", "CPCI-S收录科技论文数", "篇", 0),
    "paper000-c045": ("asia", "中国实际利用日本外商直接投资金额", "亿美元", 2),
}

Row = Sequence[str]


def oecd(folder: Path) -> tuple[list[Vintage], list[Row]]:
    """Vintages and cells of the OECD parts: part, vintage, entity, period, value, then the flags of OECD_STATUS."""
    index = {entry["file"]: entry for entry in json.loads((folder / "sti-scoreboard/INDEX.json").read_text())}
    vintages: list[Vintage] = []
    rows: list[Row] = []
    for dataset, parts in (("oecd.sbrd", SBRD_PARTS), ("oecd.pct_cooperation", PCT_PARTS)):
        for part in parts:
            for path in sorted((folder / "sti-scoreboard").glob(f"{part}__*.xml.gz")):
                prepared, structure, cells = read_message(gzip.decompress(path.read_bytes()))
                stamp = datetime.fromisoformat(prepared).replace(tzinfo=OECD_ZONE).astimezone(UTC)
                entry = index[f"sti-scoreboard/{path.name}"]
                vintages.append(
                    Vintage(
                        *(
                            dataset,
                            part,
                            prepared,
                            prepared[:10],
                            f"{stamp:%Y-%m-%dT%H:%M:%SZ}",
                            "instant",
                            "publisher",
                        ),
                        *(structure, f"STIScoreboard/STI.Scoreboard:{part}_V8.txt", entry["commit"]),
                        rows=str(len(cells)),
                    )
                )
                rows += [(part, prepared, *key, *cell) for key, cell in cells.items()]
    return vintages, rows


def read_message(content: bytes) -> tuple[str, str, dict[tuple[str, str], Row]]:
    """Prepared, version of the structure, and (value, flags...) by (economy, period) of an SDMX-ML 3.0 message."""
    version = re.search(rb"DataStructure=[^\"]*\(([0-9.]+)\):compact", content)
    prepared = re.search(rb"Prepared>([^<]+)<", content)
    if version is None or prepared is None:
        raise ValueError("not a structure-specific message of the expected kind")
    cells: dict[tuple[str, str], Row] = {}
    for series in ElementTree.fromstring(content).iter():
        if not series.tag.endswith("}Series"):
            continue
        entity = series.get("LOCATION") or series.get("REF_AREA") or ""
        if entity not in OECD_ECONOMIES:
            continue
        for obs in series:
            cell = (obs.get("OBS_VALUE", ""), *(obs.get(name, "") for name in OECD_STATUS))
            key = (entity, obs.attrib["TIME_PERIOD"])
            if cells.setdefault(key, cell) != cell:
                raise ValueError(f"two different observations for {key} in one message")
    return prepared.group(1).decode(), version.group(1).decode(), cells


def oecd_codes(folder: Path) -> list[Row]:
    """Labels of the codes that are served: code list, code, label."""
    path = folder / "structures/openbb-oecd-2.0.0__selected_dataflows.json.gz"
    lists = json.loads(gzip.decompress(path.read_bytes()))["codelists"]
    wanted = {
        "OECD:CL_AREA(1.7)": (*OECD_ECONOMIES, "WXD"),
        "OECD.STI.STP:CL_SBRD_VAR(1.4)": SBRD_PARTS,
        "OECD.STI.PIE:CL_PATENT_AUTHORITIES(1.0)": ("9P50_1",),
        "SDMX:CL_FREQ(2.1)": ("A",),
        "OECD.STI.PIE:CL_MEASURE_PATENT(1.0)": ("AP",),
        "OECD:CL_UNIT_MEASURE(1.25)": ("PATN", "PT_PATN"),
        "OECD.STI.PIE:CL_DATE_TYPE(1.0)": ("PRIORITY",),
        "OECD.STI.PIE:CL_AGENT_ROLE(1.0)": ("_Z",),
        "OECD.STI.PIE:CL_COOPERATION_TYPE(1.0)": ("CO",),
        "OECD.STI.PIE:CL_WIPO(1.0)": ("_Z",),
        "OECD.STI.PIE:CL_OECD_TECHNOLOGY_PATENT(1.0)": ("_Z",),
    }
    return [(name, code, lists[name].get(code, code)) for name, codes in wanted.items() for code in codes]


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


def nbs(folder: Path, papers: Path) -> tuple[list[Vintage], list[Row]]:
    """NBS values: part, indicator, unit, digits, period, vintage, value, what it rests on, and where it stands."""
    rows: list[Row] = []
    stamp = NBS_RETRIEVED.isoformat()
    path = folder / "exports/secondary_chart_values_science_tech_2015_2024.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        for line in csv.DictReader(handle):
            for column, (name, unit, digits) in NBS_CHART.items():
                if value := line[column].removesuffix(".0"):
                    rows.append(
                        ("overview", name, unit, str(digits), line["year"], stamp, value, "secondary", path.name)
                    )
    claims = {claim["id"]: claim for claim in _claims(YAML(typ="safe").load(papers))}
    for claim_id, (part, name, unit, digits) in NBS_CLAIMS.items():
        claim = claims[claim_id]
        rows.append((part, name, unit, str(digits), claim["period"], stamp, str(claim["value"]), "paper", claim_id))
    vintages = []
    for part in NBS_LEAVES:
        held = [row for row in rows if row[0] == part]
        dataset = "nbs.fdi_by_country" if part == "asia" else "nbs.science_technology"
        sources = " ".join(sorted({row[-1] for row in held}))
        vintages.append(
            Vintage(dataset, part, stamp, stamp, "", "day", "carried", "", sources, "", rows=str(len(held)))
        )
    return vintages, rows


def _claims(node: object) -> Iterator[dict[str, str]]:
    if isinstance(node, dict):
        if str(node.get("id", "")).startswith("paper") and "value" in node and "period" in node:
            yield node
        for child in node.values():
            yield from _claims(child)
    elif isinstance(node, list):
        for child in node:
            yield from _claims(child)


def nbs_tree(folder: Path) -> list[Row]:
    """The branches of the annual tree that lead to the leaves served: id, name, parent ("" = root), kind."""
    with (folder / "catalog/portal_tree_yearly.csv").open(encoding="utf-8", newline="") as handle:
        nodes = {line["id"]: line for line in csv.DictReader(handle)}
    wanted: dict[str, Row] = {}
    for leaf in NBS_LEAVES.values():
        node = leaf
        while node and node not in wanted:
            line = nodes[node]
            wanted[node] = (node, line["name"], line["parent_id"], line["kind"])
            node = line["parent_id"]
    return list(wanted.values())


def write(path: Path, header: Iterable[str], rows: Iterable[Row]) -> None:
    """A CSV with sorted rows; compressed without a time stamp when the name ends in .gz."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(sorted(map(tuple, rows)))
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content, 9, mtime=0) if path.suffix == ".gz" else content)


def make(upstream: Path, target: Path) -> Counter[str]:
    """Write all tables into `target`; returns what was left out, counted by reason."""
    report: Counter[str] = Counter()
    target.mkdir(parents=True, exist_ok=True)
    countries = worldbank_countries(upstream / "worldbank")
    oecd_vintages, oecd_rows = oecd(upstream / "oecd")
    wdi_vintages, wdi_rows = worldbank(upstream / "worldbank", {row[0] for row in countries}, report)
    nbs_vintages, nbs_rows = nbs(upstream / "nbs", upstream.parent / "papers/papers.yaml")
    vintages = [astuple(vintage) for vintage in (*oecd_vintages, *wdi_vintages, *nbs_vintages)]
    write(target / "vintages.csv", [field.name for field in fields(Vintage)], vintages)
    by_cell = ("part", "entity", "period", "vintage", "value")  # one cell's vintages stand together: compresses best
    oecd_table = [(row[0], row[2], row[3], row[1], *row[4:]) for row in oecd_rows]
    write(target / "oecd.csv.gz", [*by_cell, *(name.lower() for name in OECD_STATUS)], oecd_table)
    wdi_table = [(row[0], row[2], row[3], row[1], *row[4:]) for row in wdi_rows]
    write(target / "worldbank.csv.gz", [*by_cell, "published_as"], wdi_table)
    nbs_header = ("part", "indicator", "unit", "digits", "period", "vintage", "value", "basis", "where")
    write(target / "nbs.csv", nbs_header, nbs_rows)
    write(target / "nbs_tree.csv", ("id", "name", "parent", "kind"), nbs_tree(upstream / "nbs"))
    write(target / "oecd_codes.csv", ("list", "code", "label"), oecd_codes(upstream / "oecd"))
    groups = ("region", "adminregion", "incomelevel", "lendingtype")
    names = [f"{group}_{field}" for group in groups for field in ("id", "iso2code", "value")]
    header = ("id", "iso2code", "name", *names, "capital", "longitude", "latitude")
    write(target / "worldbank_countries.csv", header, countries)
    return report


def main(arguments: Sequence[str]) -> int:
    """Command line: the collected files, and where to write (by default the folder of the committed facts)."""
    if not 1 <= len(arguments) <= 2 or not Path(arguments[0]).is_dir():
        print("usage: python -m connectors.sandbox.make_facts UPSTREAM_FOLDER [TARGET_FOLDER]", file=sys.stderr)
        return 2
    report = make(Path(arguments[0]), Path(arguments[1]) if len(arguments) == 2 else FACTS)
    for reason, count in sorted(report.items()):
        print(f"left out {count:6d} cells · {reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
