"""Builds the tables under connectors/sandbox/facts/ from a folder of collected provider files.

    python -m connectors.sandbox.make_facts ../shared/upstream [FOLDER]

Belongs here: reading the collected files, choosing vintages and economies, and saying where every value comes from.
The readers are this module's own, so that an error in a connector's parser cannot hide in the facts it is tested
against. Does not belong here: what a provider answers on a given day (facts.py) and wire formats. Running it twice
gives the same bytes. What each table holds is described in facts/README.md.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from connectors.sandbox.facts import FACTS, Vintage
from connectors.sandbox.make_dropped import HEADER, dropped
from connectors.sandbox.make_nbs import nbs, nbs_tree
from connectors.sandbox.make_oecd import STATUS, oecd, oecd_codes
from connectors.sandbox.make_worldbank import worldbank, worldbank_countries

Row = Sequence[str]


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
    by_key = ("part", "key", *by_cell[2:], *(name.lower() for name in STATUS))
    write(target / "oecd.csv.gz", by_key, oecd_rows)
    wdi_table = [(row[0], row[2], row[3], row[1], *row[4:]) for row in wdi_rows]
    write(target / "worldbank.csv.gz", [*by_cell, "published_as"], wdi_table)
    nbs_header = ("part", "indicator", "unit", "digits", "period", "vintage", "value", "basis", "where")
    write(target / "nbs.csv", nbs_header, nbs_rows)
    write(target / "nbs_tree.csv", ("id", "name", "parent", "kind"), nbs_tree(upstream / "nbs"))
    write(target / "oecd_codes.csv", ("list", "code", "label"), oecd_codes(upstream / "oecd", oecd_rows))
    write(target / "dropped.csv", HEADER, dropped(upstream / "nbs"))
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
