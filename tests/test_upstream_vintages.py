"""Every pair of neighbouring OECD vintages of the recorded messages, compared by us and, from the raw bytes, by a few lines here.

Needs the raw files in ../shared/upstream; skipped where they are absent.
"""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors import datasets
from connectors.contract import PartFetch
from connectors.oecd.connector import CONNECTOR
from tests.warehouse.makers import at
from warehouse.compare import Equality, compare
from warehouse.schema import PartData, Payload, Scope

MESSAGES = Path(__file__).resolve().parents[2] / "shared" / "upstream" / "oecd"
INDEX = MESSAGES / "sti-scoreboard" / "INDEX.json"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.oecd,
    pytest.mark.skipif(not INDEX.exists(), reason="the recorded messages are not beside this checkout"),
]

Cells = dict[tuple[str, str], tuple[str, str]]


def pairs() -> list[tuple[str, str]]:
    if not INDEX.exists():
        return []
    by_variable: dict[str, list[tuple[str, str]]] = {}
    for entry in json.loads(INDEX.read_text()):
        by_variable.setdefault(entry["var"], []).append((entry["prepared"], entry["file"]))
    return [(a[1], b[1]) for files in by_variable.values() for a, b in pairwise(sorted(files))]


def raw(name: str) -> bytes:
    return gzip.decompress((MESSAGES / name).read_bytes())


def by_hand(content: bytes) -> Cells:
    """Cells with a value, straight from the text: (all series attributes that are dimensions, period) → value, flags."""
    cells: Cells = {}
    for attributes, body in re.findall(r"<ns1:Series ([^>]*)>(.*?)</ns1:Series>", content.decode(), re.S):
        named = dict(re.findall(r'(\w+)="([^"]*)"', attributes))
        key = ".".join(
            value for name, value in named.items() if name not in ("DECIMALS", "UNIT_MULT", "REPORTING_YEAR_START_DAY")
        )
        for observation in re.findall(r"<ns1:Obs ([^>]*?)/?>", body):
            told = dict(re.findall(r'(\w+)="([^"]*)"', observation))
            if told["TIME_PERIOD"] == "2999":
                continue
            names = [f"{kind}OBS_STATUS{number}" for kind in ("", "AUX_") for number in ("", "_2", "_3")]
            flags = ";".join(told[name] for name in names if told.get(name) not in (None, "", "A"))
            if told.get("OBS_VALUE"):
                cells[key, told["TIME_PERIOD"]] = told["OBS_VALUE"], flags
    return cells


def differ(old: str, new: str) -> bool:
    """By more than a millionth, and by more than half a unit of the last digit both print, where that digit is known."""
    before, after = Decimal(old), Decimal(new)
    allowed = abs(before) / 1_000_000
    parts = [number.as_tuple() for number in (before, after)]
    if all(len(part.digits) >= 6 for part in parts):
        allowed = max(allowed, Decimal(5).scaleb(max(int(part.exponent) for part in parts) - 1))
    return abs(after - before) > allowed * (1 + Decimal("1e-9"))


def expected(old: Cells, new: Cells) -> dict[str, set[tuple[str, str]]]:
    common = old.keys() & new.keys()
    revised = {cell for cell in common if differ(old[cell][0], new[cell][0])}
    return {
        "revised": revised,
        "added": new.keys() - old.keys(),
        "withdrawn": old.keys() - new.keys(),
        "flags": {cell for cell in common - revised if new[cell][1] != old[cell][1]},
    }


def parsed(name: str, content: bytes) -> PartData:
    """The message as our connector reads it, with all of its economies."""
    variable = name.split("/")[-1].split("__")[0]
    patents = "DSD_PATENTS" in content[:2000].decode()
    dataset = datasets.load("oecd.pct_cooperation" if patents else "oecd.sbrd")
    area = "REF_AREA" if patents else "LOCATION"
    entities = tuple(sorted(set(re.findall(rf'{area}="([^"]+)"', content.decode()))))
    wildcards = "." * (len(dataset.dimensions) - 1)
    part = dataset.parts[0].model_copy(update={"id": variable, "key": wildcards})
    wide = dataset.model_copy(update={"entities": entities, "parts": (part,), "start": "1900"})
    payload = Payload("0" * 64, content, "GET", "http://provider.invalid/", None, 200, {}, at("2024-01-01"))
    return CONNECTOR.parse(wide, PartFetch(variable, (payload,), None, Scope()))


def _direction(change: dict[str, Any]) -> str:
    """What happened to a number, whatever kind of change that is."""
    if change["old_value"] is None or change["new_value"] is None:
        return "added" if change["old_value"] is None else "withdrawn"
    flags = change["kind"] == "status change" or (change["kind"] == "break" and (change["rel_change"] or 0) <= 1e-6)
    return "flags" if flags else "revised"


@pytest.mark.parametrize(("before", "after"), pairs(), ids=lambda name: name.split("/")[-1].removesuffix(".xml.gz"))
def test_our_comparison_is_the_one_made_by_hand(before: str, after: str) -> None:
    old, new = parsed(before, raw(before)), parsed(after, raw(after))
    made = compare("before", old.observations, old.series, new.observations, new.series, Equality())
    ours: dict[str, set[tuple[str, str]]] = {"revised": set(), "added": set(), "withdrawn": set(), "flags": set()}
    for change in made.changes.to_pylist():
        if change["weight"] != "noise" and (change["old_value"], change["new_value"]) != (None, None):
            ours[_direction(change)].add((change["series_key"], change["period"]))
    hand = expected(by_hand(raw(before)), by_hand(raw(after)))
    assert ours == hand
    assert {name: sum(made.evidence.column(f"{name}_n").to_pylist()) for name in ("revised", "added", "withdrawn")} == {
        name: len(hand[name]) for name in ("revised", "added", "withdrawn")
    }
