"""How the command line prints: tables for people, JSON and CSV for programs, errors on standard error.

Belongs here: formats, and the words in which an outcome and notices are told; field names are those of the rows given.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from flows.outcome import Outcome
    from flows.settings import Settings

#: Columns whose texts may run over several lines.
_PROSE = {"detail", "message", "label", "unit", "failed", "finding", "parameters", "request", "text", "title"}
#: Prose is folded to no fewer characters a line than this.
_PROSE_WIDTH = 24
#: What every record of a table says for itself.
_OWN = {"period", "value", "old", "new", "kind"}
#: Numbers of ours, of which nobody published the digits.
_COMPUTED = {"relative", "largest", "numerator_share"}
#: What is said of figures that no provider gave us.
ORIGIN = {
    "sandbox": "SANDBOX: published figures from a local stand-in",
    "synthetic": "SYNTHETIC: invented figures",
}


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def rows(
    found: Sequence[Mapping[str, Any]],
    form: Format,
    *,
    profile: str | None = None,
    leave_out: Sequence[str] = (),
    empty: str = "nothing",
) -> None:
    """Print rows; a table leaves some columns out, the other formats never do.

    With the `profile` they come from, it is their last field in JSON and CSV, and one that is not live is told.
    """
    if profile is not None:
        warn(profile, form)
        found = found if form is Format.TABLE else [{**row, "profile": profile} for row in found]
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


def tree(found: Mapping[str, Any], form: Format, *, profile: str | None = None) -> None:
    """Print nested facts: indented for people, JSON for programs (CSV cannot hold them and becomes JSON).

    `profile` as in `rows`.
    """
    if profile is not None:
        warn(profile, form)
        found = found if form is Format.TABLE else {**found, "profile": profile}
    if form is not Format.TABLE:
        print(json.dumps(found, ensure_ascii=False, indent=2, default=str))
        return
    for name, value in found.items():
        print(name)
        _indented(value, "  ")


def warn(profile: str, form: Format = Format.TABLE) -> None:
    """Say on standard error that what is printed is not from the providers themselves; JSON says so in its fields."""
    if profile in ORIGIN and form is not Format.JSON:
        print(ORIGIN[profile], file=sys.stderr)


def tell(outcome: Outcome) -> None:
    """One line on standard output: what became of a batch."""
    print(f"{outcome.dataset}: {outcome.message} (batch {outcome.batch_id})")


def deliver(settings: Settings) -> None:
    """Hand out the notices that wait, and say which."""
    from flows import notices

    told, refused = notices.deliver_pending(settings)
    for notice in told:
        print(f"notice {notice.transition}: {notice.title} → {notice.channel}", file=sys.stderr)
    for error in refused:
        print(f"figurekeeper: {error}", file=sys.stderr)


def main_job(settings: Settings, before: Mapping[str, int], after: Sequence[Mapping[str, Any]]) -> None:
    """What there is now, whether anything is new, where it lies, and what to try next."""
    from rich.console import Console

    from flows.environment import here

    console = Console(soft_wrap=True, highlight=False)
    if settings.profile in ORIGIN:
        console.print(f"[italic]{ORIGIN[settings.profile]}[/]")
    counted = {"series": "series", "observations": "observations", "vintages": "vintages", "revisions": "cells revised"}
    _grid(
        [
            {"dataset": row["dataset"]}
            | {word: f"{row[name]:,}" for name, word in counted.items()}
            | {"decision": row["decision"] or ""}
            for row in after
        ],
        right=set(counted.values()),
    )
    if all(row["vintages"] == before[row["dataset"]] for row in after):
        console.print("Every provider was asked again; nothing new, nothing published.")
    console.print(
        f"Warehouse  {settings.root}\n"
        f"Page       {settings.root / 'pages' / 'index.html'}\n"
        f"UI         {settings.ui_url or f'http://{here(settings.bind)}:{settings.port}'} while `make up` runs\n\n"
        "Try next:\n"
        "  .venv/bin/figurekeeper values worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS --period 2017 --as-of 2021-12-31\n"
        "  .venv/bin/figurekeeper vintages oecd.sbrd:CHN.G_PPP --period 2018\n"
        "  .venv/bin/figurekeeper refresh worldbank.wdi --fault scaled_by_1000"
    )


def _indented(value: Any, indent: str) -> None:
    if isinstance(value, Mapping):
        width = max((len(str(name)) for name in value), default=0)
        for name, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                print(f"{indent}{name}")
                _indented(inner, indent + "  ")
            else:
                said = ("yes" if inner else "no") if isinstance(inner, bool) else short(inner)
                print(f"{indent}{name:<{width}}  {said}".rstrip())
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if number and isinstance(inner, Mapping):
                print(f"{indent}·")
            _indented(inner, indent)
    else:
        print(f"{indent}{short(value)}")


def _table(found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """A table for people."""
    numbers = {name for name in names if any(type(row[name]) in (int, float) for row in found)}
    _grid([{name: _cell(name, row[name]) for name in names} for row in found], numbers)


def _grid(records: Sequence[Mapping[str, str]], right: Collection[str]) -> None:
    """Print records without losing a character, in the first of three ways for which the terminal is wide enough.

    As a table, whose prose alone is folded; with what all records have in common once above it; one record a block. Columns
    that say nothing are left out. What is no terminal is as wide as the table wants.
    """
    from rich.console import Console

    console = Console()
    names = [name for name in records[0] if any(record[name] for record in records)]
    common = [name for name in names if name not in _OWN and len({record[name] for record in records}) == 1]
    varying = [name for name in names if name not in common]
    if not console.is_terminal:
        console = Console(width=max(_needed(records, names), 160))
    if _needed(records, names) <= console.width:
        console.print(_grid_of(records, names, right))
    elif len(records) > 1 and common and _needed(records, varying) <= console.width:
        _blocks(records[:1], common)
        console.print(_grid_of(records, varying, right))
    else:
        _blocks(records, names)


def _needed(records: Sequence[Mapping[str, str]], names: Sequence[str]) -> int:
    """How wide a table is at least, measured where there is room for any."""
    from rich.console import Console

    return Console(width=1_000_000).measure(_grid_of(records, names, ())).minimum


def _grid_of(records: Sequence[Mapping[str, str]], names: Sequence[str], right: Collection[str]) -> Table:
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        longest = max(cell_len(text) for text in (name, *(record[name] for record in records)))
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name not in _PROSE,
            overflow="fold",
            min_width=min(longest, _PROSE_WIDTH) if name in _PROSE else longest,
        )
    for record in records:
        table.add_row(*(Text(record[name]) for name in names))
    return table


def _blocks(records: Sequence[Mapping[str, str]], names: Sequence[str]) -> None:
    """One line a field; the terminal itself breaks a longer one, and nothing is lost."""
    width = max(len(name) for name in names)
    for record in records:
        print()
        for name in names:
            if record[name]:
                print(f"{name:<{width}}  {record[name]}")


def _cell(name: str, value: Any) -> str:
    return f"{value:.6g}" if name in _COMPUTED and value is not None else short(value)


def short(value: Any) -> str:
    """A value for people: minutes instead of microseconds, a number with all its digits, no None."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    text = str(value)
    is_instant = len(text) == 27 and text.endswith("Z") and text[10] == "T"
    return f"{text[:10]} {text[11:16]}Z" if is_instant else text
