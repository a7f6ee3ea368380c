"""`figurekeeper doctor`: is this installation sound, and, with --live, are the providers as the dataset files say?

Belongs here: the command, its checks of settings, folder and warehouse, and how both answers are printed. Does not belong here:
what makes a warehouse sound (warehouse/soundness.py), how a provider is asked and compared (first_contact).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows import output, targets
from flows.output import Format
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from flows.settings import Settings

Row = dict[str, Any]


def doctor(
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="[DATASET...]", help="with --live: which; all when left out")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="ask each provider once a dataset, and compare; nothing is published")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="DIR", callback=targets.folder, help="with --live: keep the answers there"),
    ] = None,
    fault: Annotated[
        str | None, typer.Option(help="with --live, sandbox only: let the provider misbehave in this way")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.TABLE,
) -> None:
    """Check settings, folder, dataset files, journal and payloads; with --live, the providers against the dataset files.

    Exit status 0: all is well, and every provider is as the dataset files say; 1: something is wrong, or differs.
    """
    from flows import settings

    if live:
        _live(settings.load(), datasets or [], record, fault, form)
        return
    if datasets or record or fault:
        raise UsageError("datasets, --record and --fault go with --live", next_step="add --live, or leave them out")
    findings = checks(settings.load())
    output.rows(findings, form, leave_out=("ok",))
    if any(finding["ok"] is False for finding in findings):
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (doctor,)


def checks(settings: Settings) -> list[Row]:
    """Checks of an installation, one row each: check, ok, state, finding. One that cannot be made says so and is not ok."""
    from warehouse import soundness
    from warehouse.store import Warehouse

    made = [
        _made("folder can be written", lambda: _writable(settings)),
        _made("dataset files", lambda: _files(settings)),
        _made("alert channels", lambda: _channels(settings)),
        _made("warehouse", lambda: _edition(settings)),
    ]
    if not made[-1]["ok"]:
        return made
    warehouse = Warehouse(**settings.place, create=False)
    return [*made, _made("profile", lambda: _profile(settings)), *(_sound(row) for row in soundness.check(warehouse))]


def _live(settings: Settings, names: list[str], record: Path | None, fault: str | None, form: Format) -> None:
    from flows import first_contact

    met = first_contact.meet(settings, names, record=record, fault=fault, note=_progress)
    if fault is None:
        first_contact.close_incidents(settings, met)
    rows = first_contact.rows(settings, met)
    output.rows(_shorter(rows) if form is Format.TABLE else rows, form, leave_out=("seen", "requests"))
    _progress(first_contact.headline(met) + (f"; the answers are in {record}" if record else ""))
    if not all(one.good for one in met):
        raise typer.Exit(1)


def _shorter(rows: list[Row]) -> list[Row]:
    """Rows for people: what was not asked for one reason stands in one row."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for number, row in enumerate(rows):
        key = (row["dataset"].split(".")[0], row["finding"]) if row["verdict"] == "not asked" else (str(number), "")
        alike.setdefault(key, []).append(row)
    return [
        one[0] if len(one) == 1 else one[0] | {"dataset": f"{one[0]['dataset']} and {len(one) - 1} more"}
        for one in alike.values()
    ]


def _progress(text: str) -> None:
    print(text, file=sys.stderr)


def _sound(row: Row) -> Row:
    """One check of all that is held, as a row of `checks`; the first findings are told."""
    told = "; ".join(row["findings"][:3]) or f"{row['examined']} examined, all sound"
    left = len(row["findings"]) - 3
    told += f"; and {left} more" if left > 0 else ""
    return {"check": row["check"], "ok": row["ok"], "state": "ok" if row["ok"] else "NOT OK", "finding": told}


def _made(name: str, check: Callable[[], str]) -> Row:
    try:
        return {"check": name, "ok": True, "state": "ok", "finding": check()}
    except Exception as error:
        return {"check": name, "ok": False, "state": "NOT OK", "finding": str(error)}


def _writable(settings: Settings) -> str:
    folder = settings.root if settings.root.exists() else settings.home.resolve().parent
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written", next_step="mend its permissions, or set FIGUREKEEPER_HOME")
    return str(folder)


def _files(settings: Settings) -> str:
    from flows import catalogue

    found = catalogue.survey(settings)
    if found.wrong:
        told = "\n".join(error.what.rstrip() for error in found.wrong.values())
        raise UsageError(f"{told}\n", next_step="correct them; the other datasets go on meanwhile")
    return f"{len(found.enabled) + len(found.waiting)} files are well formed, {len(found.enabled)} datasets are enabled"


def _channels(settings: Settings) -> str:
    from flows import notices

    told = ", ".join(channel.name for channel in notices.check(settings))
    return f"{told}; `figurekeeper alerts test` tries them"


def _edition(settings: Settings) -> str:
    from warehouse import line
    from warehouse.store import Warehouse

    warehouse = Warehouse(**settings.place, create=False)
    with warehouse.engine.connect() as connection:
        return f"edition {line.newest_edition(connection)}, {len(line.visible(connection))} vintages"


def _profile(settings: Settings) -> str:
    from flows import catalogue

    if settings.profile != "live":
        return f"{settings.profile}: nothing leaves this machine"
    standing = catalogue.standing(settings)
    return "live: " + "; ".join(f"{provider}: {told}" for provider, told in standing.items())
