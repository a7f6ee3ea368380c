"""Tables for the drop folder, from the collected files that the NBS's download button wrote.

Belongs here: reading these files, in a few lines of this module's own. What becomes of the rows is in make_facts.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

HEADER = (
    *("dataset", "edition", "part", "indicator", "unit", "period", "value"),
    *("title", "published", "word", "where"),
)
#: When the collected files were found: the latest day on which they can have been published.
FOUND = "2026-11-21"
_FILE = "portal_export_fsnd_beijing_fiscal_2016_2024.csv"
_WANTED = ("地方财政一般公共预算支出", "地方财政教育支出", "地方财政科学技术支出")


def dropped(upstream: Path) -> Iterator[tuple[str, ...]]:
    """Rows of dropped.csv: budget expenditure of Beijing. The file does not name its region; its values are Beijing's row in
    another file of the same carrier."""
    with (upstream / "exports" / _FILE).open(encoding="utf-8-sig", newline="") as file:
        lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    (heads,) = (line for line in lines if line[0] == "指标")
    for line in lines:
        found = re.fullmatch(r"(\S+) \((\S+)\)", line[0])
        if found is None or found.group(1) not in _WANTED:
            continue
        for head, value in zip(heads[1:], line[1:], strict=False):
            if head and value:
                cell = (*found.groups(), head.removesuffix("年"), value)
                yield "nbs.beijing_expenditure", "2024", "expenditure", *cell, "分省年度数据", FOUND, "carried", _FILE
