"""The Prefect flow of first contact: weekly, or from a form.

Does not belong here: what is asked, compared and remembered (first_contact).
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import AfterValidator, Field

from flows import alerts, catalogue, first_contact, late, markdown, quiet, settings
from flows.first_contact import Contact
from flows.forms import Form
from flows.refresh import core_note
from flows.settings import Settings
from warehouse.errors import FigurekeeperError

quiet.install()

#: Unlike a refresh, a first contact may ask for datasets that are not enabled: it is what enables them.
DATASETS = tuple(catalogue.ids(settings.load()))


def _known(name: str) -> str:
    if name not in DATASETS:
        raise ValueError(f"no dataset {name!r}; there are {', '.join(DATASETS)}")
    return name


AnyDataset = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(DATASETS)})]


class FirstContactForm(Form):
    """Which datasets are compared with their providers."""

    datasets: list[AnyDataset] = Field(
        [], title="Datasets", description="One or several, enabled or not; none: all that are read from a provider."
    )


def page(current: Settings, met: list[Contact]) -> str:
    """What came out, as markdown: first what is not as expected, then everything, then what else was seen."""
    rows = [{name: row[name] for name in row if name != "seen"} for row in first_contact.rows(current, met)]
    bad = {one.dataset for one in met if not one.good}
    seen = [{"dataset": one.dataset, "seen": name, "was": said} for one in met for name, said in one.seen.items()]
    return "\n\n".join(
        [
            f"## {first_contact.headline(met)}",
            f"Profile {current.profile}. Nothing was published.",
            "### Otherwise than expected",
            markdown.table([row for row in rows if row["dataset"] in bad]) or "Nothing.",
            "### As expected",
            markdown.table([row for row in rows if row["dataset"] not in bad]) or "Nothing.",
            "### What else was seen",
            markdown.table(seen) or "Nothing.",
        ]
    )


@flow(
    name="first-contact",
    description="Asks each provider once for each dataset and compares the answer with the dataset file. Publishes nothing.",
    on_running=[late.stand_in_for_missed],
)
def first_contact_with_providers(request: FirstContactForm) -> State[Any]:
    """Compare, publish the report, open an incident for each dataset that is otherwise than expected. Ends Failed when there
    is one."""
    current = settings.load()
    try:
        met = first_contact.meet(current, request.datasets, note=core_note())
    except FigurekeeperError as error:
        return Failed(message=str(error))
    create_markdown_artifact(page(current, met), key="first-contact", description=first_contact.headline(met))
    for change in (*first_contact.close_incidents(current, met), *first_contact.open_incidents(current, met)):
        alerts.announce(change)
    bad = [one.dataset for one in met if not (one.good or one.verdict == "not asked")]
    if bad:
        return Failed(
            message=f"{first_contact.headline(met)}. Next: see the artifact first-contact on {', '.join(bad)}"
        )
    return Completed(message=first_contact.headline(met))
