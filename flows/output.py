"""How the command line prints: tables for people, JSON and CSV for programs, errors on standard error.

Belongs here: formats alone; field names are those of the rows given.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

#: Columns whose texts may run over several lines.
_PROSE = {"message", "label", "unit", "failed", "finding", "parameters", "request", "text", "title"}


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
