"""What a person would have dropped: known tables of datasets that are read from files, in the form in which the NBS's pages
export them, with a manifest.

Belongs here: writing such a folder from facts/dropped.csv. Does not belong here: what the files mean (the connectors' own
readers), and answers over HTTP (server.py).
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from connectors.sandbox.facts import table

_MANIFEST = """\
# SANDBOX: written by the sandbox from its facts.
editions:
"""
_EDITION = """\
  - edition: "{edition}"
    title: {title}
    published: {published}
    word: {word}
    tables:
      - part: {part}
        file: {file}
"""


def write(dataset: str, folder: Path) -> bool:
    """Write the files of a dataset and their manifest into a folder, always with the same bytes. False: nothing is known."""
    rows = [row for row in table("dropped.csv") if row["dataset"] == dataset]
    if not rows:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _MANIFEST
    for (edition, part), group in groupby(rows, key=lambda row: (row["edition"], row["part"])):
        cells = list(group)
        name = f"{edition}-{part}.csv"
        (folder / name).write_bytes(_export(cells).encode("utf-8-sig"))
        manifest += _EDITION.format(file=name, **cells[0])
    (folder / "manifest.yaml").write_text(manifest, encoding="utf-8")
    return True


def _export(cells: list[dict[str, str]]) -> str:
    """A table as the portal's download button writes it: newest first, every cell ends in a tab, an empty cell at the end."""
    periods = sorted({cell["period"] for cell in cells}, reverse=True)
    named: dict[tuple[str, str], dict[str, str]] = {(cell["indicator"], cell["unit"]): {} for cell in cells}
    for cell in cells:
        named[cell["indicator"], cell["unit"]][cell["period"]] = cell["value"]
    lines = [["指标", *(f"{period}年" for period in periods)]]
    lines += [[f"{name} ({unit})", *(of.get(period, "") for period in periods)] for (name, unit), of in named.items()]
    text = "".join(",".join(f"{cell}\t" for cell in line) + ",\n" for line in lines)
    return f"数据库：{cells[0]['title']} \n时间： \n{text}数据来源：国家统计局\n"
