"""The forms a person fills in the Prefect UI: one flat model a flow, with the real datasets and faults as dropdowns.

Belongs here: titles, descriptions, defaults that work with one click, and what can be checked field by field. Does not
belong here: what is done with the answers (refresh, backfill, review) or anything of Prefect itself.

The UI shows titles and descriptions of a model's fields but not those of bare parameters, draws a `str` with an `enum`
as a dropdown and an optional field as clumsy tabs; hence one model a flow, and "" rather than None for "not given".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.sandbox import faults
from flows import catalogue, settings

NO_FAULT = "none"
FAULTS = (NO_FAULT, *sorted(faults.FAULTS))

Vintage = Annotated[str, Field(pattern=r"^(\d{4}(0[1-9]|1[0-2])|\d{4}-\d{2}-\d{2})?$")]
Period = Annotated[str, Field(pattern=r"^(\d{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?)?$")]


def _known_dataset(value: str) -> str:
    known = catalogue.ids(settings.load())
    if value not in known:
        raise ValueError(f"no dataset {value!r}; there are {', '.join(known)}")
    return value


def _known_fault(value: str) -> str:
    if value not in FAULTS:
        raise ValueError(f"the sandbox knows no fault {value!r}; there are {', '.join(FAULTS)}")
    return value


def _offer_enabled(schema: dict[str, Any]) -> None:
    schema["enum"] = list(catalogue.enabled(settings.load()))


def _offer_asked(schema: dict[str, Any]) -> None:
    known = catalogue.enabled(settings.load())
    schema["enum"] = [name for name, dataset in known.items() if dataset.reads == "api"]


#: Dropdowns: the JSON schema carries the choices for the form and the API, the validator keeps them in Python.
DatasetId = Annotated[str, AfterValidator(_known_dataset), Field(json_schema_extra=_offer_enabled)]
AskedDataset = Annotated[str, AfterValidator(_known_dataset), Field(json_schema_extra=_offer_asked)]
FaultName = Annotated[str, AfterValidator(_known_fault), Field(json_schema_extra={"enum": list(FAULTS)})]


class Form(BaseModel):
    """Common to all forms: an unknown field is a mistake, and texts come without stray blanks."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _without_sandbox_fields(schema: dict[str, Any]) -> None:
    if settings.load().profile != "sandbox":
        for name in ("walk", "fault"):
            schema["properties"].pop(name)


class RefreshForm(Form):
    """One refresh of one dataset."""

    model_config = ConfigDict(json_schema_extra=_without_sandbox_fields)

    dataset: DatasetId = Field(title="Dataset", description="What to ask the provider for, now.")
    walk: bool = Field(
        False,
        title="Walk the dates of the facts",
        description="Sandbox only: refresh once for every day on which its facts changed, oldest first, so that a true "
        "revision history comes into being.",
    )
    full: bool = Field(
        False,
        title="Read everything",
        description="Even when the publisher's own stamp has not moved since the last reading.",
    )
    fault: FaultName = Field(
        NO_FAULT,
        title="Fault",
        description="Sandbox only: let the provider misbehave in this way, to see what the gate and the alerts do.",
    )


class BackfillForm(Form):
    """Old periods or old vintages of some datasets."""

    datasets: list[AskedDataset] = Field(title="Datasets", min_length=1, description="One or several.")
    mode: Literal["plan", "run"] = Field(
        "plan",
        title="Plan or run",
        description="plan: show what would be asked and what it costs; nothing is sent. run: ask the providers.",
    )
    period_from: Period = Field(
        "", title="First period", description="2000, 2017-Q3 or 2017-05. Empty: from the beginning."
    )
    period_to: Period = Field("", title="Last period", description="Empty: up to the newest.")
    vintage_from: Vintage = Field(
        "",
        title="First archived vintage",
        description="World Bank: a month, 202109. OECD: a day, 2024-03-13. NBS has none. Empty: the figures of today.",
    )
    vintage_to: Vintage = Field("", title="Last archived vintage", description="Empty: the first one alone.")
    reason: str = Field(
        "", title="Reason", description="Why, for the record of every batch. Needed to run, not to plan."
    )

    @property
    def span(self) -> str | None:
        """The old vintages as the command line writes them, "first:last"; None when current data are wanted."""
        return f"{self.vintage_from}:{self.vintage_to}" if self.vintage_from or self.vintage_to else None

    @property
    def filled_to_run(self) -> dict[str, Any]:
        """The same form as JSON, filled in to be run: the parameters of the deployment."""
        return {"request": {**self.model_dump(mode="json"), "mode": "run"}}


def _letters(least: int) -> str:
    """The pattern of a text with so many letters at least: blanks do not count, in the form of the UI either."""
    return r"[\s\S]*".join([r"\S"] * least)


Reason = Annotated[
    str,
    Field(
        title="Reason",
        pattern=_letters(3),
        description="Why, in at least 3 letters; kept for ever beside the decision.",
    ),
]
Name = Annotated[
    str,
    Field(
        title="Your name",
        pattern=_letters(2),
        description="Who answers for it, in at least 2 letters. Nobody checks the name: the record says that it was typed here, "
        "and in which run.",
    ),
]


class ReviewForm(Form):
    """A person's decision on one batch. Who follows the link of a held batch finds batch and decision filled in."""

    batch: str = Field(
        title="Batch",
        min_length=1,
        description="Its id, as the alert, the page of the held batch and `figurekeeper batches` show it; or a dataset, such as "
        "oecd.sbrd, when exactly one batch of it waits.",
    )
    decision: Literal["release", "discard", "void"] = Field(
        title="Decision",
        description="release: publish the quarantined batch after all. discard: drop it, the last good data stay. "
        "void: take a published batch back; what was visible before it shows again.",
    )
    reason: Reason
    by: Name


class AcknowledgeForm(Form):
    """A person's word on an incident that does not end by itself: changed verdicts on papers, or a run that nobody repeats."""

    incident: int = Field(
        ge=1, title="Incident", description="Its number, as the notice and `figurekeeper status` show it."
    )
    reason: Reason
    by: Name
