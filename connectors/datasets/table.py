"""docs/datasets.md: every dataset, made from the dataset files and the sandbox's facts; and the table of all fields of such a
file at the end of docs/new-dataset.md.

Belongs here: what the pages say of a dataset and of a field. `python -m connectors.datasets.table --write` writes them, and
a test holds them against files and model. Does not belong here: any statement about a dataset, which goes into its file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from connectors import datasets
from connectors.datasets import Calendar, Checks, Dataset, Licence, Part

DOCS = Path(__file__).resolve().parents[2] / "docs"
_PROVIDERS = {
    "oecd": "OECD",
    "worldbank": "World Bank",
    "nbs": "National Bureau of Statistics of China",
}
_OFTEN = {"A": "yearly", "Q": "quarterly", "M": "monthly"}
_SHOWN = 20
_FIELDS = "## All fields\n"
_HEAD = """# Datasets

Made from the files in [connectors/datasets](../connectors/datasets) by `python -m connectors.datasets.table --write`. A
dataset is what one refresh fetches; its parts change and are judged together. [How to add one](new-dataset.md).
"""
_ENABLED = """## Enabled

The sandbox has facts of these, made from published figures. *Held*: the periods of the newest vintage.
"""
_WAITING = """## Waiting for a first contact

Written from the providers' catalogues and from public code; nobody has compared these files with the provider. A refresh
refuses them until `figurekeeper doctor --live DATASET` has found that they are right, or until their first file is dropped.
What is a guess is said with each.
"""


def page() -> str:
    """The page as Markdown."""
    found = datasets.survey()
    ours, waiting = list(found.enabled.values()), list(found.waiting.values())
    head = ["dataset", "what", "parts", "economies", "papers"]
    enabled = _table([*head, "held"], ([*_line(one), _periods(one)] for one in ours))
    later = _table(head, (_line(one) for one in waiting))
    return "\n".join([_HEAD, _ENABLED, enabled, _WAITING, later, *(_section(one) for one in (*ours, *waiting))])


def _line(dataset: Dataset) -> list[str]:
    link = f"[{dataset.id}](#{dataset.id.replace('.', '')})"
    return [link, dataset.title, str(len(dataset.parts)), str(len(dataset.entities)), _papers(dataset)]


def guide() -> str:
    """docs/new-dataset.md with the table of all fields as the model has them."""
    written, heading, _ = (DOCS / "new-dataset.md").read_text(encoding="utf-8").partition(_FIELDS)
    groups: dict[str, type[BaseModel]] = {
        "": Dataset,
        "parts": Part,
        "licence": Licence,
        "calendar": Calendar,
        "checks": Checks,
    }
    rows = [row for prefix, model in groups.items() for row in _fields(prefix, model)]
    return f"{written}{heading}{_table(['field', '', 'what'], rows)}"


def _fields(prefix: str, model: type[BaseModel]) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        if name not in ("parts", "licence", "calendar") and (prefix or name != "checks"):
            shown = f"{prefix} · {name}" if prefix else name
            yield [f"`{shown}`", "needed" if field.is_required() else "", field.description or ""]


def _section(dataset: Dataset) -> str:
    calendar, often = dataset.calendar, _OFTEN[dataset.frequency]
    rows = [
        ["source", f"{_PROVIDERS[dataset.provider]}, {_source(dataset)}"],
        ["series", f"`{dataset.id}:{'.'.join(dataset.dimensions)}`"],
        ["economies", _listed(dataset.entities) + _besides(dataset)],
        ["asked for", f"{often} figures from {dataset.start} on"],
        ["held", _held(dataset)],
        ["cadence", f"{calendar.releases}; {calendar.lag}"],
        [
            "polled",
            f"`{calendar.cron}` {calendar.timezone}; read whole at least every {calendar.full_read_days} days, stale after "
            f"{calendar.stale_after_days}",
        ],
        ["licence", f"[{dataset.licence.id}]({dataset.licence.url}). {dataset.licence.attribution}"],
        ["cite as", dataset.citation],
        ["owner", dataset.owner],
        ["papers", _papers(dataset)],
        ["status", _status(dataset)],
    ]
    parts = _table(["part", "key", "what", "unit"], (_part(part) for part in dataset.parts))
    heading = f"## {dataset.id}\n{dataset.title} · {dataset.title_zh}\n"
    return "\n".join([heading, _remarks(dataset), _table(["", ""], rows), parts])


def _part(part: Part) -> list[str]:
    unit = part.unit + (f" × 10^{part.multiplier}" if part.multiplier else "")
    notes = f" ({part.notes})" if part.notes else ""
    return [part.id, f"`{part.key}`", f"{part.label} · {part.label_zh}{notes}", f"{unit}, {part.kind}"]


def _remarks(dataset: Dataset) -> str:
    """The comment at the head of the file."""
    lines = datasets.path_of(dataset.id).read_text(encoding="utf-8").splitlines()
    head = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    return "".join(f"{line.removeprefix('#').strip()}\n" for line in head)


def _source(dataset: Dataset) -> str:
    if dataset.reads == "files":
        return f"tables dropped as files: {dataset.flow}"
    words = {"oecd": "dataflow", "worldbank": "source", "nbs": "tree"}[dataset.provider]
    space = f" in the space {dataset.root}" if dataset.root != "public" else ""
    return f"{words} `{dataset.flow}`{space}"


def _status(dataset: Dataset) -> str:
    return "enabled" if dataset.verified else "waiting for a first contact"


def _papers(dataset: Dataset) -> str:
    return ", ".join(dataset.papers) or "none"


def _listed(codes: Iterable[str]) -> str:
    known = list(codes)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more


def _besides(dataset: Dataset) -> str:
    """How many economies some parts are asked for besides."""
    return "".join(f"; {len(part.besides)} besides in {part.id}" for part in dataset.parts if part.besides)


def _periods(dataset: Dataset) -> str:
    from connectors.sandbox import facts

    dropped = [row["period"] for row in facts.table("dropped.csv") if row["dataset"] == dataset.id]
    served = [period for part in facts.parts(dataset.id) for _, period in facts.state(dataset.id, part)]
    cells = [period for period in (*dropped, *served) if dataset.start <= period < "2999"]
    return f"{min(cells)} to {max(cells)}" if cells else "nothing"


def _held(dataset: Dataset) -> str:
    from connectors.sandbox import facts

    days = sorted({row["published"] for row in facts.table("dropped.csv") if row["dataset"] == dataset.id})
    days = days or [day.isoformat() for day in facts.walk_dates(dataset.id)]
    if not days:
        return "nothing"
    told = f"{len(days)} vintages from {days[0]} to {days[-1]}" if len(days) > 1 else f"one vintage of {days[0]}"
    return f"{_periods(dataset)}, {told}"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(_lines(head, rows)) + "\n"


def _lines(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def main(arguments: list[str]) -> int:
    """Write the pages with --write; else return 1 when one is not what the files and the model say."""
    stale = 0
    for path, text in ((DOCS / "datasets.md", page()), (DOCS / "new-dataset.md", guide())):
        if "--write" in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.name} is stale")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
