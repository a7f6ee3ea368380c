"""What statements are written in: definitions, measures, groups and units, read from their four files.

Belongs here: these entries, and what follows from them alone: members of a group, one unit in another, the measures and the
unit of a formula. Does not belong here: papers (catalogue), observations (inputs), running a formula (formulas).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from warehouse.errors import FigurekeeperError
from warehouse.papers.model import Definition, Formula, Group, Measure, Unit
from warehouse.yaml_lines import Mistaken, read

FOLDER = Path(__file__).parent
#: Words that stand for a unit in definitions.yaml.
ANY, ADDS, SAME, DIFFERENCE = "any", "adds", "same", "difference"
_PERCENT, _POINTS = "percent", "percentage points"

M = TypeVar("M", bound=BaseModel)


class CatalogueError(FigurekeeperError):
    """A file of papers, or of what they are written in, is wrong; `mistakes` lists everything that is, with line or cell."""

    def __init__(self, path: Path, mistakes: Iterable[str]) -> None:
        self.path = path
        self.mistakes = tuple(mistakes)
        listed = "".join(f"\n  {path.name}:{mistake}" for mistake in self.mistakes)
        super().__init__(
            f"the file has {len(self.mistakes)} mistake(s):{listed}\n",
            next_step=f"correct {path} and try again; nothing was changed",
        )


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Definitions, measures, groups and units by id; `aggregates` are providers' codes that are no economies."""

    definitions: Mapping[str, Definition]
    measures: Mapping[str, Measure]
    groups: Mapping[str, Group]
    units: Mapping[str, Unit]
    aggregates: frozenset[str]

    def members(self, entities: Iterable[str]) -> tuple[str, ...]:
        """Economies, with the members of groups in their place, each once."""
        found: dict[str, None] = {}
        for entity in entities:
            group = self.groups.get(entity)
            found |= dict.fromkeys(self.members(group.members) if group is not None else (entity,))
        return tuple(found)

    def factor(self, unit: str, wanted: str) -> float | None:
        """What one of a unit is in another: 1e8 for USD 100 million in USD; None where they do not compare.

        Multiples of one unit compare, and so does a unit with one that it narrows (percent of GDP with percent), but not two
        that narrow the same one in different ways.
        """
        own, other = self._widened(unit), self._widened(wanted)
        for name, (times, narrowed) in own.items():
            if name in other and not (narrowed and other[name][1]):
                return times / other[name][0]
        return None

    def _widened(self, unit: str) -> dict[str, tuple[float, bool]]:
        """The units that a unit is so many of, itself first, and whether it narrows them."""
        found = {unit: (1.0, False)}
        times, narrowed, entry = 1.0, False, self.units.get(unit)
        while entry is not None and (name := entry.of or entry.general) is not None and name not in found:
            times, narrowed = times * (entry.factor if entry.of else 1.0), narrowed or entry.of is None
            found[name] = (times, narrowed)
            entry = self.units.get(name)
        return found

    def measures_of(self, formula: Formula) -> dict[str, str]:
        """The measure of each input: the one that the formula names, else the definition's own, else that of its sibling.

        An input for which none is named is left out.
        """
        inputs = self.definitions[formula.use].inputs
        named = {name: formula.given.get(name, one.measure) for name, one in inputs.items()}
        shared = {name: named.get(one.of) if one.of else None for name, one in inputs.items()}
        return {name: measure for name in inputs if (measure := named[name] or shared[name]) is not None}

    def unit_of(self, formula: Formula) -> str:
        """The unit of a formula's answers."""
        definition = self.definitions[formula.use]
        if definition.unit not in (SAME, DIFFERENCE):
            return definition.unit
        first = self.measures[self.measures_of(formula)[next(iter(definition.inputs))]].unit
        if definition.unit == DIFFERENCE and self.factor(first, _PERCENT) == 1:
            return _POINTS
        return first


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Definitions(_File):
    definitions: tuple[Definition, ...]

    @model_validator(mode="before")
    @classmethod
    def _alike(cls, value: Any) -> Any:
        """Give a definition that is `like` another what it does not say itself."""
        entries = value.get("definitions") if isinstance(value, dict) else None
        if not isinstance(entries, list):
            return value
        known = {entry.get("id"): entry for entry in entries if isinstance(entry, dict)}
        return {**value, "definitions": [_resolved(entry, known) for entry in entries]}


def _resolved(entry: Any, known: Mapping[Any, Any]) -> Any:
    if not isinstance(entry, dict) or "like" not in entry:
        return entry
    base = known.get(entry["like"])
    if base is None or "like" in base:
        raise ValueError(
            f"{entry.get('id')} is like {entry['like']!r}, which is no definition with a formula of its own"
        )
    own = {name: field for name, field in entry.items() if name != "like"}
    inputs = {name: {**one, **own.get("inputs", {}).get(name, {})} for name, one in base["inputs"].items()}
    strange = sorted(set(own.get("inputs", {})) - set(inputs))
    if strange:
        raise ValueError(f"{entry.get('id')}: {entry['like']} has no input {', '.join(strange)}")
    return {**base, "registry": None, "note": None, **own, "inputs": inputs}


class _Measures(_File):
    measures: tuple[Measure, ...]


class _Groups(_File):
    groups: tuple[Group, ...]
    aggregates: tuple[str, ...]


class _Units(_File):
    units: tuple[Unit, ...]


@cache
def vocabulary() -> Vocabulary:
    """The shipped one. Raises CatalogueError for a file that is wrong."""
    definitions, measures = _read("definitions.yaml", _Definitions), _read("measures.yaml", _Measures)
    groups, units = _read("groups.yaml", _Groups), _read("units.yaml", _Units)
    return Vocabulary(
        {one.id: one for one in definitions.definitions},
        {one.id: one for one in measures.measures},
        {one.id: one for one in groups.groups},
        {one.id: one for one in units.units},
        frozenset(groups.aggregates),
    )


def _read(name: str, model: type[M]) -> M:
    path = FOLDER / name
    try:
        return read(path.read_bytes(), model)
    except Mistaken as error:
        raise CatalogueError(path, error.mistakes) from error
