"""Dataset files: what one refresh fetches, declared in connectors/datasets/*.yaml, one file a dataset.

Belongs here: the model of a file, loading, and saying everything that is wrong with one at once, each mistake with its
line. Does not belong here: how a provider is asked (the provider's module) or what a rule computes (expectations/).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from warehouse.errors import FigurekeeperError, UsageError

FOLDER = Path(__file__).with_name("datasets")

Kind = Literal["ratio", "share", "level", "count", "index"]


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone, such as Europe/Paris")
    return name


def _cron(text: str) -> str:
    if not re.fullmatch(r"[\d*/,\-]+( [\d*/,\-A-Za-z]+){4}", text):
        raise ValueError(f"{text!r} is not a cron line of five fields, such as '30 7 * * *'")
    return text


TimeZone = Annotated[str, AfterValidator(_known_timezone)]
Cron = Annotated[str, AfterValidator(_cron)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(_Strict):
    """Under what terms the publisher lets its data be used."""

    id: str
    url: str
    attribution: str


class Calendar(_Strict):
    """When to ask, and how late the publisher usually is."""

    cron: Cron
    timezone: TimeZone
    releases: str = Field(description="the publisher's cadence in words")
    stale_after_days: int = Field(gt=0, description="without a good refresh for so long, the dataset counts as stale")


class Checks(_Strict):
    """Thresholds of the dataset and comparison layers; a part's own override the dataset's, field by field."""

    minimum: float | None = None
    maximum: float | None = None
    min_observations: int | None = Field(None, ge=1)
    entities_required: tuple[str, ...] | None = None
    max_share_revised: float | None = Field(None, ge=0, le=1)
    max_share_withdrawn: float | None = Field(None, ge=0, le=1)
    max_relative_revision: float | None = Field(None, gt=0)
    max_rewritten_by: float | None = Field(
        None, gt=0, description="median change of a series of which nearly all moved"
    )
    allow_negative: bool | None = None
    contiguous: bool | None = Field(None, description="a gap inside a series is a finding")


class Ratio(_Strict):
    """Of what a part is made by division: ids of parts of the same dataset, as far as they are held."""

    numerator: str | None = None
    denominator: str | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.numerator is None and self.denominator is None:
            raise ValueError("name the numerator, the denominator, or both")
        return self


class Part(_Strict):
    """What is fetched, changes and is judged together: one SDMX query, one WDI indicator, one NBS leaf.

    `key` is the provider's own: an SDMX key in dimension order with `{entities}` where the areas go (OECD), the
    indicator code (World Bank), or the leaf's cid (NBS). `unit` and `multiplier` (a power of ten) say what the numbers
    are.
    """

    id: str
    key: str
    label: str
    label_zh: str = ""
    kind: Kind
    unit: str
    unit_code: str | None = Field(None, description="OECD: the code of UNIT_MEASURE that stands for `unit`")
    multiplier: int = 0
    decimals: int | None = None
    price_base: str | None = None
    reference_year: str | None = None
    indicators: dict[str, str] | None = Field(
        None, description="NBS: expected unit of each indicator wanted (names without spaces); None: all of the leaf"
    )
    equal_within: float | None = Field(
        None, ge=0, description="relative; None: half a unit of the last published digit, or 1e-6"
    )
    ratio: Ratio | None = Field(None, description="parts whose revisions explain this one's")
    notes: str = ""
    checks: Checks = Checks()


class Dataset(_Strict):
    """One dataset file, checked."""

    id: Annotated[str, Field(pattern=r"^(oecd|worldbank|nbs)\.[a-z0-9_]+$")]
    title: str
    title_zh: str
    provider: Literal["oecd", "worldbank", "nbs"]
    flow: str = Field(description="OECD: AGENCY,DSD@DF,VERSION · World Bank: source id · NBS: root id of the tree")
    dimensions: tuple[str, ...] = Field(description="the provider's dimension order of a series key")
    entity_dimension: str
    frequency: Literal["A", "Q", "M"] = "A"
    start: str = Field(description="first period asked for")
    entities: tuple[str, ...]
    parts: tuple[Part, ...] = Field(min_length=1)
    licence: Licence
    citation: str
    publisher_timezone: TimeZone
    calendar: Calendar
    checks: Checks = Checks()
    owner: str
    status: Literal["verified offline", "unverified"]
    papers: tuple[str, ...] = ()

    def part(self, part_id: str) -> Part:
        """The part of that id; KeyError when there is none."""
        return {part.id: part for part in self.parts}[part_id]

    def checks_of(self, part_id: str) -> Checks:
        """The dataset's thresholds with the part's own laid over them."""
        own = self.part(part_id).checks.model_dump(exclude_none=True)
        return self.checks.model_copy(update=own)


class DatasetFileError(FigurekeeperError):
    """A dataset file is wrong; `mistakes` lists everything that is, each with its line."""

    def __init__(self, path: Path, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        listed = "".join(f"\n  {path.name}:{mistake}" for mistake in mistakes)
        super().__init__(
            f"the dataset file has {len(mistakes)} mistake(s):{listed}\n",
            next_step=f"correct {path} and try again; nothing was fetched",
            dataset=path.stem,
        )


def known_ids(folder: Path = FOLDER) -> list[str]:
    """The ids of all dataset files, sorted; no file is read."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load(dataset_id: str, folder: Path = FOLDER) -> Dataset:
    """The dataset of that id. Raises UsageError for an unknown one, DatasetFileError for a wrong file."""
    return load_file(_path(dataset_id, folder))


def load_all(folder: Path = FOLDER) -> dict[str, Dataset]:
    """All datasets by id. Raises DatasetFileError at the first wrong file."""
    return {dataset_id: load(dataset_id, folder) for dataset_id in known_ids(folder)}


def file_sha256(dataset_id: str, folder: Path = FOLDER) -> str:
    """The sha256 of a dataset file's bytes, for the journal."""
    return hashlib.sha256(_path(dataset_id, folder).read_bytes()).hexdigest()


def load_file(path: Path) -> Dataset:
    """The dataset of one file. Raises DatasetFileError with all mistakes at once."""
    return _parse(path, path.read_text(encoding="utf-8"))


def _path(dataset_id: str, folder: Path) -> Path:
    known = known_ids(folder)
    if dataset_id in known:
        return folder / f"{dataset_id}.yaml"
    nearest = difflib.get_close_matches(dataset_id, known, n=1, cutoff=0.3)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise UsageError(f"unknown dataset {dataset_id!r}", next_step=f"{hint}the known datasets are {', '.join(known)}")


@lru_cache(maxsize=64)
def _parse(path: Path, text: str) -> Dataset:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # found below, together with everything else
    try:
        data, tree = yaml.load(text), YAML(pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DatasetFileError(path, [f"{line}: {error.problem}"]) from error
    if not isinstance(data, dict):
        raise DatasetFileError(path, ["1: the file is not a mapping of fields"])
    lines: dict[tuple[str | int, ...], int] = {}
    found = _walk(tree, (), lines)
    found += [(lines[_nearest(where, lines)], what) for where, what in _cross_checks(data, path)]
    dataset = None
    try:
        dataset = Dataset.model_validate(data)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            field = ".".join(str(step) for step in item["loc"])
            found.append((lines[_nearest(item["loc"], lines)], f"{field}: {item['msg']}"))
    if found or dataset is None:
        raise DatasetFileError(path, [f"{line}: {what}" for line, what in sorted(set(found))])
    return dataset


def _walk(node: Node, where: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> list[tuple[int, str]]:
    """Note the line of every field below a node; the duplicate keys found on the way are returned."""
    lines.setdefault(where, node.start_mark.line + 1)
    found: list[tuple[int, str]] = []
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                found.append((key.start_mark.line + 1, f"{key.value}: stands twice in the same place"))
            seen.add(key.value)
            lines.setdefault((*where, key.value), key.start_mark.line + 1)
            found += _walk(value, (*where, key.value), lines)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            found += _walk(item, (*where, index), lines)
    return found


def _nearest(where: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    while where not in lines:
        where = where[:-1]
    return where


def _cross_checks(data: dict[str, Any], path: Path) -> list[tuple[tuple[str | int, ...], str]]:
    """What one field says about another; tolerant of fields that are missing or of a wrong type."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    if data.get("id") != path.stem:
        found.append((("id",), f"id: {data.get('id')!r} is not the name of the file"))
    if str(data.get("id")).split(".")[0] != data.get("provider"):
        found.append((("provider",), f"provider: {data.get('provider')!r} is not the first word of the id"))
    dimensions = data.get("dimensions")
    if isinstance(dimensions, list) and data.get("entity_dimension") not in dimensions:
        found.append((("entity_dimension",), "entity_dimension: not one of the dimensions"))
    found += _repeated(data.get("entities"), ("entities",))
    parts = data.get("parts")
    if isinstance(parts, list):
        ids = [part.get("id") if isinstance(part, dict) else None for part in parts]
        found += _repeated(ids, ("parts",))
        found += [
            (("parts", index, "ratio"), f"ratio: the dataset has no part {name!r}")
            for index, part in enumerate(parts)
            if isinstance(part, dict) and isinstance(part.get("ratio"), dict)
            for name in part["ratio"].values()
            if name not in ids
        ]
        if data.get("provider") == "oecd":
            found += [
                (("parts", index, "key"), "key: lacks {entities}")
                for index, part in enumerate(parts)
                if isinstance(part, dict) and "{entities}" not in str(part.get("key"))
            ]
    return found


def _repeated(values: object, where: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    if not isinstance(values, list):
        return []
    return [
        ((*where, index), f"{where[0]}: {value!r} is listed twice")
        for index, value in enumerate(values)
        if value is not None and value in values[:index]
    ]
