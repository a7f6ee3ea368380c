"""What the providers are known to have said, and from when on: the tables under facts/ and questions to them.

Belongs here: reading the tables, and the state of a part at the end of a day. Does not belong here: wire formats,
made-up changes (faults.py) and how the tables came to be (make_facts.py; facts/README.md describes them).
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

FACTS = Path(__file__).parent / "facts"


@dataclass(frozen=True)
class Vintage:
    """One held state of one part: when it became known, on whose word, from which file, and what it leaves open."""

    dataset: str
    part: str
    vintage: str  # the stamp as given; identifies the vintage within its part
    known_on: str  # the day at whose end the sandbox serves it
    known_from: str  # the instant, UTC, where the publisher states one
    precision: str  # instant, day, month
    basis: str  # publisher, carried (the commit of a third party's file)
    structure: str  # version of the data structure, where one is stated
    source: str
    commit: str
    not_in_scope: str = ""  # entities the carrier left out of its file, separated by blanks
    zeros: str = "kept"  # "lost": the carrier dropped zeros; "lost for good": and none of before can stand in for them
    rows: str = "0"

    @property
    def day(self) -> date:
        """The day at whose end this vintage is served."""
        return date.fromisoformat(self.known_on)

    @property
    def instant(self) -> datetime:
        """The publisher's own instant, UTC. Raises ValueError when it stated none."""
        return datetime.fromisoformat(self.known_from)

    @property
    def native(self) -> bool:
        """True when the stamp is the publisher's own."""
        return self.basis == "publisher"


class Cell(NamedTuple):
    """One published value as its string ("" = an observation without value) and its flags in the provider's order."""

    value: str
    status: tuple[str, ...] = ()


#: (series, period) → cell. The series is the OECD's key in its dimension order, the World Bank's economy, or the name of
#: the NBS's indicator.
Cells = dict[tuple[str, str], Cell]


class NbsIndicator(NamedTuple):
    """An indicator below an NBS leaf. `basis` says what its values rest on: a secondary source, or a paper's claim."""

    name: str
    unit: str
    digits: str
    basis: str
    where: str


@cache
def table(name: str) -> list[dict[str, str]]:
    """All rows of one of the small tables under facts/."""
    return list(csv.DictReader(_text(name).splitlines()))


@cache
def flow_table() -> list[dict[str, Any]]:
    """The entries of oecd_flows.yaml: the OECD's dataflows of which facts are held."""
    return list(description("oecd_flows.yaml"))


def description(name: str) -> Any:
    """The content of one of the descriptions (YAML) under facts/."""
    return YAML(typ="safe").load(_text(name))


@cache
def vintages(dataset: str, part: str | None = None) -> tuple[Vintage, ...]:
    """The held vintages of a dataset, or of one of its parts, in the order in which they became known."""
    held = (Vintage(**row) for row in table("vintages.csv"))
    chosen = [one for one in held if one.dataset == dataset and part in (None, one.part)]
    return tuple(sorted(chosen, key=lambda one: (one.known_on, one.known_from, one.part)))


@cache
def parts(dataset: str) -> tuple[str, ...]:
    """The parts of a dataset of which at least one vintage is held."""
    return tuple(sorted({one.part for one in vintages(dataset)}))


@cache
def entities(dataset: str) -> frozenset[str]:
    """The areas for which any vintage of a dataset holds an observation."""
    lines = _lines(f"{dataset.split('.')[0]}.csv.gz")
    return frozenset(line.split(",", 2)[1] for part in parts(dataset) for line in lines[part])


def walk_dates(dataset: str) -> list[date]:
    """The days on which something was published, re-publications without a change included; sorted, distinct."""
    return sorted({one.day for one in vintages(dataset)})


def newest(dataset: str, part: str | None, on: date | None) -> Vintage | None:
    """The vintage of a part (of any part, when None) that is newest at the end of `on`; None: the newest of all."""
    known = [one for one in vintages(dataset, part) if on is None or one.day <= on]
    return known[-1] if known else None


def by_area(dataset: str, part: str, on: date | None = None) -> Cells:
    """The state of a part by area and period. Raises ValueError when an area has several series in it."""
    cells = state(dataset, part, on)
    flow = next((one for one in flow_table() if one["dataset"] == dataset), None)
    if flow is None:
        return cells
    place = list(flow["dimensions"]).index(flow["area"])
    found = {(key.split(".")[place], period): cell for (key, period), cell in cells.items()}
    if len(found) < len(cells):
        raise ValueError(f"{dataset}, part {part}: an area has several series")
    return found


def state(dataset: str, part: str, on: date | None = None) -> Cells:
    """The cells of a part as the provider stood at the end of `on`; empty when nothing is known of that time."""
    known = [one for one in vintages(dataset, part) if on is None or one.day <= on]
    return _state(dataset, part, len(known)) if known else {}


@lru_cache(maxsize=64)
def _state(dataset: str, part: str, count: int) -> Cells:
    """The newest of `count` vintages, completed by its predecessors where its carrier, not its publisher, is silent."""
    last = vintages(dataset, part)[count - 1]
    cells = _vintage_cells(dataset.split(".")[0], part).get(last.vintage, {})
    if count == 1 or not (last.not_in_scope or last.zeros == "lost"):
        return cells
    left_out, spans = set(last.not_in_scope.split()), _spans(cells)
    silent = {
        (entity, period): cell
        for (entity, period), cell in _state(dataset, part, count - 1).items()
        if entity in left_out or (last.zeros == "lost" and cell.value == "0" and period in spans.get(entity, ()))
    }
    return silent | cells


def _spans(cells: Cells) -> dict[str, set[str]]:
    """The years from the first to the last cell of each area: beyond them, a missing zero is no carrier's doing."""
    years: dict[str, list[int]] = defaultdict(list)
    for entity, period in cells:
        years[entity].append(int(period))
    return {entity: {str(year) for year in range(min(held), max(held) + 1)} for entity, held in years.items()}


@lru_cache(maxsize=32)
def _vintage_cells(provider: str, part: str) -> dict[str, Cells]:
    """The cells of a part by vintage, exactly as in the tables."""
    held: dict[str, Cells] = defaultdict(dict)
    if provider == "nbs":
        for row in table("nbs.csv"):
            if row["part"] == part:
                held[row["vintage"]][row["indicator"], row["period"]] = Cell(row["value"])
        return held
    for line in _lines(f"{provider}.csv.gz").get(part, ()):
        _, entity, period, vintage, value, *flags = line.split(",")
        held[vintage][entity, period] = Cell(value, tuple(flags) if provider == "oecd" else ())
    return held


@cache
def nbs_indicators(part: str) -> tuple[NbsIndicator, ...]:
    """The indicators of an NBS leaf of which a value is known."""
    rows = [row for row in table("nbs.csv") if row["part"] == part]
    first = {row["indicator"]: row for row in reversed(rows)}
    wheres = {name: " ".join(sorted({row["where"] for row in rows if row["indicator"] == name})) for name in first}
    return tuple(
        NbsIndicator(name, row["unit"], row["digits"], row["basis"], wheres[name])
        for name, row in sorted(first.items())
    )


@cache
def _lines(name: str) -> dict[str, list[str]]:
    """The lines of a long table by part. Its fields need no quoting: codes, periods and numbers."""
    by_part: dict[str, list[str]] = defaultdict(list)
    for line in _text(name).splitlines()[1:]:
        by_part[line[: line.index(",")]].append(line)
    return by_part


def _text(name: str) -> str:
    content = (FACTS / name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode()
