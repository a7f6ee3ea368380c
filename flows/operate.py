"""`figurekeeper status` and `figurekeeper watch`: is everything all right, and tell if not; part of the command line (cli).

Belongs here: the commands' arguments and how the answer is printed. What stands in it is in standing and conditions.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from flows import output
from flows.output import Format
from warehouse import clock

Row = dict[str, Any]

_FRESH = {"fresh": "yes", "old": "OLD", "never read well": "NEVER", "only past days": "past", "not asked for": "–"}
_SPANS = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}


def status(
    settings: Annotated[bool, typer.Option("--settings", help="the effective settings, too")] = False,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.TABLE,
) -> None:
    """Is everything all right? What needs a person, how fresh every dataset is, quota left, who is told; always ends with 0."""
    from flows import settings as settings_module
    from flows import standing

    current = settings_module.load()
    found = standing.status(current)
    if form is not Format.TABLE:
        output.tree(found, form, profile=current.profile)
        return
    output.warn(current.profile)
    _answer(found)
    print()
    output.rows(_datasets(found["datasets"]), form)
    for name, told in _lines(found):
        print(f"{name:<10} {told}")
    if settings:
        output.tree({"settings": found["settings"]}, form)


def watch() -> None:
    """Look for what needs a person (old data, used-up quotas, providers that refuse, silence), and tell of it: for cron."""
    from flows import conditions, settings

    current = settings.load()
    try:
        for change in conditions.look(current):
            print(f"{change.transition}: {change.title}")
    finally:  # what is owed does not wait for a look that fails
        output.deliver(current)


def _answer(found: Mapping[str, Any]) -> None:
    """The verdict in one line, and what a person is to do."""
    to_do: Sequence[Row] = found["to do"]
    if not to_do:
        print("All right: nothing needs a person.")
        return
    print(f"NOT all right: {len(to_do)} {'thing needs' if len(to_do) == 1 else 'things need'} a person.")
    for number, row in enumerate(to_do, start=1):
        since = f", since {output.short(row['since'])}" if row["since"] else ""
        print(f"{number:>3}. {row['what']}{since}")
        print(_folded(f"Next: {row['next'].rstrip('.')}.", " " * 5))


def _folded(text: str, indent: str) -> str:
    """A text as wide as the terminal; what stands between backticks, to be copied, is never broken."""
    whole = re.sub("`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    width = shutil.get_terminal_size().columns
    lines = textwrap.wrap(
        whole, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\0", " ")


def _datasets(found: Mapping[str, Row]) -> list[Row]:
    return [
        {
            "dataset": name,
            "fresh": _FRESH[row["freshness"]],
            "last look": (row["last_refresh"] or "")[:10],
            "newest": row["newest_period"],
            "vintage": (row["newest_vintage"] or "")[:10],
            "next, UTC": f"{clock.from_text(row['next_look']):%a %H:%M}" if row["next_look"] else "",
        }
        for name, row in found.items()
    ]


def _lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One line for each of: quota, providers left alone, channels, service, first contacts."""
    paused = {row["provider"]: f"{row['provider']} until {output.short(row['until'])}" for row in found["left alone"]}
    told = [f"{row['channel']} ({row['state']}{_owed(row)})" for row in found["channels"]]
    service = found["service"]
    answers = "answers" if service["answers"] else "does not answer: no service runs here, or on another host or port"
    lines = [
        ("Requests", "; ".join(_quota(found["quota"])) + " left"),
        ("Left alone", ", ".join(paused.values()) or "no provider"),
        ("Told", ", ".join(told)),
        ("Service", f"{service['api']} {answers}"),
    ]
    if service["tells of a dead worker"] == "nobody":
        lines.append(
            ("", "of a dead worker nobody is told: that needs a webhook or Slack, or `figurekeeper watch` in cron")
        )
    lines += [("Providers", f"{name}: {said}") for name, said in found["providers"].items()]
    waiting = found["verdict"]["not enabled"]
    if waiting != "nothing":
        lines.append(
            ("Waiting", f"{waiting.count(',') + 1} datasets for a first contact (`figurekeeper doctor` names them)")
        )
    return lines


def _owed(row: Mapping[str, Any]) -> str:
    return f": {row['owed']} since {output.short(row['since'])}" if row["owed"] else ""


def _quota(rows: Sequence[Row]) -> list[str]:
    """Of each provider the limit with the longest window, and any other that is used up."""
    said = []
    for provider in dict.fromkeys(row["provider"] for row in rows):
        limits = [row for row in rows if row["provider"] == provider]
        widest = max(limits, key=lambda row: (row["cost"] == "data", row["seconds"]))
        shown = [widest, *(row for row in limits if row is not widest and not row["left"] and row["seconds"] > 1)]
        said.append(f"{provider} " + ", ".join(_limit(row) for row in shown))
    return said


def _limit(row: Mapping[str, Any]) -> str:
    return f"{row['left']} of {row['limit']} {_SPANS.get(row['seconds'], 'in ' + str(row['seconds']) + ' seconds')}"


COMMANDS: tuple[Callable[..., None], ...] = (status, watch)
