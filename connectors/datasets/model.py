"""What a dataset file says, field by field: the model that every file in connectors/datasets/ is checked against.

Belongs here: the fields, their types and words, and what is wrong with one by itself. Does not belong here: what one field says
about another (datasets/checks), files and folders (datasets), how a provider is asked (the provider's module), what a rule
computes (expectations/).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

#: `full_read_days` where a file does not say.
FULL_READ_DAYS = 7

Kind = Literal["ratio", "share", "level", "count", "index"]
Provider = Literal["oecd", "worldbank", "nbs"]


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone, such as Europe/Paris")
    return name


def _cron(text: str) -> str:
    try:
        if len(text.split()) != 5:  # the library also takes seconds
            raise CronSimError(f"{len(text.split())} fields")
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron line of five fields, such as '30 7 * * *' ({error})") from None
    return text


TimeZone = Annotated[str, AfterValidator(_known_timezone)]
Cron = Annotated[str, AfterValidator(_cron)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(_Strict):
    """Under what terms the publisher lets its data be used."""

    id: str = Field(description="its short name, such as CC-BY-4.0")
    url: str = Field(description="where its text is")
    attribution: str = Field(description="whom to name, and what was not checked")


class Calendar(_Strict):
    """When to ask, and how late the publisher usually is."""

    cron: Cron = Field(description="when to ask: minute, hour, day, month, day of the week")
    timezone: TimeZone = Field(description="of the cron line")
    releases: str = Field(description="the publisher's cadence in words")
    lag: str = Field("", description="how long after the end of a period its figures appear, in words")
    stale_after_days: int = Field(gt=0, description="without a good refresh for so long, the dataset counts as stale")
    full_read_days: int = Field(
        FULL_READ_DAYS,
        ge=1,
        le=31,
        description="read whole at least so often, even while the publisher's stamp stands still; not more than "
        "`stale_after_days`",
    )


class Checks(_Strict):
    """Thresholds of the dataset and comparison layers; a part's own override the dataset's, field by field."""

    minimum: float | None = Field(None, description="the least plausible value")
    maximum: float | None = Field(None, description="the greatest plausible value")
    min_observations: int | None = Field(None, ge=1, description="of a complete read")
    entities_required: tuple[str, ...] | None = Field(None, description="these must be in every complete read")
    max_share_revised: float | None = Field(None, ge=0, le=1, description="of the values there were before")
    max_share_withdrawn: float | None = Field(None, ge=0, le=1, description="of the values there were before")
    max_relative_revision: float | None = Field(None, gt=0, description="of a single value")
    max_rewritten_by: float | None = Field(
        None, gt=0, description="median change of a series of which nearly all moved"
    )
    allow_negative: bool | None = Field(None, description="else a negative value is a finding")
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
    """What is fetched, changes and is judged together: one SDMX query, one WDI indicator, one NBS leaf, one table.

    `unit` and `multiplier` say what the numbers are; an answer that states another multiplier or unit code is a finding.
    """

    id: str = Field(min_length=1, description="its short name in this dataset")
    key: str = Field(
        description="OECD: the SDMX key, `{entities}` where the areas go · World Bank: the indicator's code · NBS: the leaf's "
        "cid · files: segments with `{item}` where the code of a name goes"
    )
    label: str = Field(description="what is counted, in English")
    label_zh: str = Field("", description="the same in Chinese")
    kind: Kind = Field(description="ratio, share, level, count (exact) or index")
    unit: str = Field(description="of the numbers, in words")
    unit_code: str | None = Field(None, description="OECD: the code of UNIT_MEASURE that stands for `unit`")
    multiplier: int = Field(0, ge=-9, le=15, description="power of ten: 6 where the numbers are millions")
    decimals: int | None = Field(None, ge=0, le=15, description="digits behind the point, where the publisher says so")
    price_base: str | None = Field(None, description="current or constant prices, in the provider's words")
    reference_year: str | None = Field(None, description="of constant prices")
    indicators: dict[str, str] | None = Field(
        None,
        description="NBS: expected unit of each indicator wanted (names without spaces); left out: all of the leaf",
    )
    names: dict[str, tuple[str, ...]] | None = Field(
        None, description="files: the code of each series wanted, and the names under which tables print it"
    )
    folder: str | None = Field(
        None, description="NBS: id of the tree's folder in which the leaf stands; left out: its place is not watched"
    )
    besides: tuple[str, ...] = Field(
        (), description="World Bank: economies asked for besides the dataset's, where a rank needs all of the world"
    )
    equal_within: float | None = Field(
        None, ge=0, description="relative; left out: half a unit of the last published digit, or 1e-6"
    )
    ratio: Ratio | None = Field(None, description="parts whose revisions explain this one's")
    notes: str = Field("", description="what a reader of the numbers must know")
    checks: Checks = Field(Checks(), description="its own thresholds, laid over the dataset's")


class Dataset(_Strict):
    """One dataset file, checked."""

    id: str = Field(
        pattern=r"^(oecd|worldbank|nbs)\.[a-z0-9_]+$",
        description="provider.name, which is the name of the file as well",
    )
    title: str = Field(description="in English, the publisher first")
    title_zh: str = Field("", description="in Chinese")
    provider: Provider = Field(description="oecd, worldbank or nbs")
    reads: Literal["api", "files"] = Field(
        "api", description="api: the provider is asked; files: an operator drops the publisher's tables into a folder"
    )
    root: Literal["public", "sti-public", "dcd-public"] = Field(
        "public", description="OECD: the dissemination space that holds the flow"
    )
    flow: str = Field(
        description="OECD: AGENCY,DSD@DF,VERSION · World Bank: source id · NBS: root id of the tree · files: the "
        "publication"
    )
    dimensions: tuple[str, ...] = Field(min_length=1, description="the provider's dimension order of a series key")
    entity_dimension: str = Field(description="the dimension of the economies")
    frequency: Literal["A", "Q", "M"] = Field("A", description="yearly, quarterly or monthly figures")
    start: str = Field(description="first period asked for")
    end: str | None = Field(
        None, description="World Bank: last period asked for, where projections are published; left out: the present"
    )
    entities: tuple[str, ...] = Field(min_length=1, description="the economies asked for, by the provider's codes")
    parts: tuple[Part, ...] = Field(min_length=1)
    licence: Licence
    citation: str = Field(description="how the publisher wants to be cited")
    publisher_timezone: TimeZone = Field(description="in which its stamps are meant")
    calendar: Calendar
    checks: Checks = Checks()
    owner: str = Field(description="who answers for the dataset")
    status: Literal["verified offline", "unverified"] = Field(
        description="verified offline: agrees with what is held of the provider, so that the sandbox can serve it; "
        "unverified: disabled until a first contact has seen it"
    )
    papers: tuple[str, ...] = Field((), description="the papers that need it")

    _sha256: str = PrivateAttr("")

    @property
    def sha256(self) -> str:
        """Of the file's bytes, for the journal; "" for a description that came from elsewhere."""
        return self._sha256

    @property
    def verified(self) -> bool:
        """Whether its key and form were seen in answers of the provider; else it is disabled until first contact."""
        return self.status == "verified offline"

    def part(self, part_id: str) -> Part:
        """The part of that id; KeyError when there is none."""
        return {part.id: part for part in self.parts}[part_id]

    def entities_of(self, part_id: str) -> tuple[str, ...]:
        """The economies asked for in a part: the dataset's, and those that it names besides."""
        return (*self.entities, *self.part(part_id).besides)

    def checks_of(self, part_id: str) -> Checks:
        """The dataset's thresholds with the part's own laid over them."""
        own = self.part(part_id).checks.model_dump(exclude_none=True)
        return self.checks.model_copy(update=own)
