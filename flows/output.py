"""How the command line prints: tables for people, JSON and CSV for programs, errors on standard error.

Belongs here: formats alone; field names are those of the rows given.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.settings import Settings

#: Columns whose texts may run over several lines.
_PROSE = {"detail", "message", "label", "unit", "failed", "finding", "parameters", "request", "text", "title"}


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def rows(
    found: Sequence[Mapping[str, Any]], form: Format, *, leave_out: Sequence[str] = (), empty: str = "nothing"
) -> None:
    """Print rows; a table leaves some columns out, the other formats never do."""
    if form is Format.JSON:
        print(json.dumps(list(found), ensure_ascii=False, indent=2, default=str))
    elif form is Format.CSV:
        if found:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(found[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    elif not found:
        print(empty)
    else:
        _table(found, [name for name in found[0] if name not in leave_out])


def tree(found: Mapping[str, Any], form: Format) -> None:
    """Print nested facts: indented for people, JSON for programs (CSV cannot hold them and becomes JSON)."""
    if form is not Format.TABLE:
        print(json.dumps(found, ensure_ascii=False, indent=2, default=str))
        return
    for name, value in found.items():
        print(name)
        _indented(value, "  ")


def main_job(settings: Settings, before: Mapping[str, int], after: Sequence[Mapping[str, Any]]) -> None:
    """What there is now, whether anything is new, where it lies, and what to try next."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120)
    columns = ("dataset", "series", "observations", "vintages", "revisions", "decision")
    table = Table(title="SANDBOX: published figures from a local stand-in" if settings.profile == "sandbox" else None)
    for column in columns:
        table.add_column(column, justify="right" if column in columns[1:5] else "left")
    for row in after:
        table.add_row(*(f"{row[c]:,}" if isinstance(row[c], int) else str(row[c] or "") for c in columns))
    console.print(table)
    if all(row["vintages"] == before[row["dataset"]] for row in after):
        console.print("Every provider was asked again; nothing new, nothing published.")
    console.print(
        f"Warehouse  {settings.root}\n"
        f"Page       {settings.root / 'pages' / 'index.html'}\n"
        f"UI         http://127.0.0.1:{settings.port} while `make up` runs\n\n"
        "Try next:\n"
        "  .venv/bin/figurekeeper values worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS --period 2017 --as-of 2021-12-31\n"
        "  .venv/bin/figurekeeper vintages oecd.sbrd:CHN.G_PPP --period 2018\n"
        "  .venv/bin/figurekeeper refresh worldbank.wdi --fault scaled_by_1000",
        soft_wrap=True,
        highlight=False,
    )


def _indented(value: Any, indent: str) -> None:
    if isinstance(value, Mapping):
        width = max((len(str(name)) for name in value), default=0)
        for name, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                print(f"{indent}{name}")
                _indented(inner, indent + "  ")
            else:
                said = ("yes" if inner else "no") if isinstance(inner, bool) else _short(inner)
                print(f"{indent}{name:<{width}}  {said}".rstrip())
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if number and isinstance(inner, Mapping):
                print(f"{indent}·")
            _indented(inner, indent)
    else:
        print(f"{indent}{_short(value)}")


def _table(found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """A table for people: columns that say nothing are left out, only prose is folded, the rest is never broken."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown = [name for name in names if any(_short(row[name]) for row in found)]
    for name in shown:
        number = any(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in found)
        table.add_column(name, justify="right" if number else "left", no_wrap=name not in _PROSE, overflow="fold")
    for row in found:
        table.add_row(*(Text(_short(row[name])) for name in shown))
    console = Console()
    needed = console.measure(table).minimum
    wide = console if console.is_terminal and console.width >= needed else Console(width=max(needed, 160))
    wide.print(table)


def _short(value: Any) -> str:
    """A value for people: days instead of instants, a million-fold as 10^6 stays a number, no None."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.10g}"
    text = str(value)
    is_instant = len(text) == 27 and text.endswith("Z") and text[10] == "T"
    return f"{text[:10]} {text[11:16]}Z" if is_instant else text
