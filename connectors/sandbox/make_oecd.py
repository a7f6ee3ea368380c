"""The OECD's tables of facts: series keys, values and flags from the collected messages and downloads.

Belongs here: the readers of SDMX-ML 3.0 messages and of the Data Explorer's CSV; this module's own, as make_facts.py says.
Which flows there are, and the order of their dimensions, is in facts/oecd_flows.yaml.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from connectors.sandbox.facts import Vintage, flow_table

Row = Sequence[str]
Cells = dict[tuple[str, str], Row]  # (series key, period) → value and flags
ECONOMIES = ("CHN", "JPN", "KOR", "USA", "GBR", "FRA", "DEU", "CAN", "MEX", "EU27_2020")
STATUS = ("OBS_STATUS", "OBS_STATUS_2", "OBS_STATUS_3", "AUX_OBS_STATUS", "AUX_OBS_STATUS_2", "CONF_STATUS")
ZONE = ZoneInfo("Europe/Paris")  # Prepared carries no offset; commit times of the same files show Paris time
_SBRD = ("G_XGDP", "B_XGDP", "G_PPP", "B_PPP", "G_NC", "B_NC", "G_XFA", "B_XFA", "G_BRXG")
#: Part → the scoreboard's variable, and the codes that its series must have: a file's name outlives its definition.
MESSAGES: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "oecd.sbrd": {part: (part, {}) for part in _SBRD},
    "oecd.pct_cooperation": {part: (part, {}) for part in ("COPAT_NB", "COPAT_XPCT")},
    "oecd.patents": {
        f"{name}_{role}": (variable, {"AGENT_ROLE": role})
        for name, variable in (("PCT", "PCTTOT_NB"), ("IP5", "IP5_NB"))
        for role in ("APPLICANT", "INVENTOR")
    },
}
#: A download of the Data Explorer: file, day and commit of the repository that carries it, part → codes of its series.
DOWNLOAD = "api-csv/DSD_RDS_GERD@DF_GERD_TOE__2024-11-21.csv.gz"
DOWNLOADED = ("2024-11-21", "dvollrath/StudyGuide:data/OECD_GERD_TOE.csv", "6393ad733b5e")
DOWNLOAD_PARTS = {"GERD_PPP": {"PRICE_BASE": "V"}, "GERD_PPP_CONSTANT": {"PRICE_BASE": "Q"}}


def oecd(folder: Path) -> tuple[list[Vintage], list[Row]]:
    """Vintages and cells of the OECD parts: part, series key, period, vintage, value, then the flags of STATUS."""
    made = [*_from_messages(folder), *_from_download(folder)]
    rows: list[Row] = [
        (vintage.part, *place, vintage.vintage, *cell) for vintage, cells in made for place, cell in cells.items()
    ]
    return [vintage for vintage, _ in made], rows


def _from_messages(folder: Path) -> Iterator[tuple[Vintage, Cells]]:
    index = {entry["file"]: entry for entry in json.loads((folder / "sti-scoreboard/INDEX.json").read_text())}
    for dataset, parts in MESSAGES.items():
        for part, (variable, codes) in parts.items():
            for path in sorted((folder / "sti-scoreboard").glob(f"{variable}__*.xml.gz")):
                prepared, version, cells = read_message(gzip.decompress(path.read_bytes()), _flow(dataset), codes)
                if not cells:
                    continue
                stamp = datetime.fromisoformat(prepared).replace(tzinfo=ZONE).astimezone(UTC)
                source = (
                    f"STIScoreboard/STI.Scoreboard:{variable}_V8.txt",
                    index[f"sti-scoreboard/{path.name}"]["commit"],
                )
                known = (prepared, prepared[:10], f"{stamp:%Y-%m-%dT%H:%M:%SZ}", "instant", "publisher")
                yield Vintage(dataset, part, *known, version, *source, rows=str(len(cells))), cells


def _flow(dataset: str) -> dict[str, str]:
    """Dimension → code list of a dataset's flow, in the order of its keys."""
    lists: dict[str, str] = next(flow["dimensions"] for flow in flow_table() if flow["dataset"] == dataset)
    return lists


def read_message(content: bytes, flow: Mapping[str, str], codes: Mapping[str, str]) -> tuple[str, str, Cells]:
    """Prepared, version of the structure, and the cells of the series with `codes`, of an SDMX-ML 3.0 message."""
    version = re.search(rb"DataStructure=[^\"]*\(([0-9.]+)\):compact", content)
    prepared = re.search(rb"Prepared>([^<]+)<", content)
    if version is None or prepared is None:
        raise ValueError("not a structure-specific message of the expected kind")
    cells: Cells = {}
    for series in ElementTree.fromstring(content).iter():
        if not series.tag.endswith("}Series") or not _wanted(series.attrib, codes):
            continue
        for obs in series:
            _add(cells, series.attrib, flow, obs.attrib)
    return prepared.group(1).decode(), version.group(1).decode(), cells


def _wanted(series: Mapping[str, str], codes: Mapping[str, str]) -> bool:
    area = series.get("LOCATION") or series.get("REF_AREA")
    return area in ECONOMIES and all(series[name] == code for name, code in codes.items())


def _add(cells: Cells, series: Mapping[str, str], flow: Mapping[str, str], obs: Mapping[str, str]) -> None:
    place = (".".join(series[name] for name in flow), obs["TIME_PERIOD"])
    cell = (obs.get("OBS_VALUE", ""), *(obs.get(name, "") for name in STATUS))
    if cells.setdefault(place, cell) != cell:
        raise ValueError(f"two different observations for {place} in one file")


def _from_download(folder: Path) -> Iterator[tuple[Vintage, Cells]]:
    day, source, commit = DOWNLOADED
    rows = _download(folder)
    version = rows[0]["STRUCTURE_ID"].partition("(")[2].rstrip(")")
    for part, codes in DOWNLOAD_PARTS.items():
        cells: Cells = {}
        for row in rows:
            if _wanted(row, codes):
                _add(cells, row, _flow("oecd.gerd"), row)
        yield (
            Vintage("oecd.gerd", part, day, day, "", "day", "carried", version, source, commit, rows=str(len(cells))),
            cells,
        )


def _download(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / DOWNLOAD, "rt", encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def oecd_codes(folder: Path, rows: Sequence[Row]) -> list[Row]:
    """Labels of the codes that are served: code list, code, label. Those of a truncated list come from the download."""
    path = folder / "structures/openbb-oecd-2.0.0__selected_dataflows.json.gz"
    lists = json.loads(gzip.decompress(path.read_bytes()))["codelists"]
    flows = {part: _flow(dataset) for dataset, parts in MESSAGES.items() for part in parts}
    flows |= {part: _flow("oecd.gerd") for part in DOWNLOAD_PARTS}
    series = sorted({(part, key) for part, key, *_ in rows})
    used = {pair for part, key in series for pair in zip(flows[part].values(), key.split("."), strict=True)}
    labels = {row["REF_AREA"]: row["Reference area"] for row in _download(folder)}
    return [(name, code, lists[name].get(code) or labels.get(code, code)) for name, code in sorted(used)]
