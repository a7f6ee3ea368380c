"""The Prefect flow of maintenance: on a schedule, or from a form.

Does not belong here: what is done, and when a file may go (warehouse/maintenance.py).
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows import late, markdown, pipeline, quiet, settings
from flows.forms import Form
from warehouse import maintenance
from warehouse.errors import FigurekeeperError
from warehouse.maintenance import Report

quiet.install()


class MaintainForm(Form):
    """What a run of maintenance may do."""

    dry_run: bool = Field(False, title="Dry run", description="Only say what would be done; nothing is changed.")


def page(done: Report) -> str:
    """What was done and what failed, as markdown."""
    problems = [f"- {problem}" for problem in done.problems]
    return "\n\n".join(
        [
            f"## {done.headline}",
            markdown.table(done.rows()) or "Nothing was due.",
            *(["### Failed", "\n".join(problems)] if problems else []),
        ]
    )


@flow(
    name="maintain",
    description="Keeps the warehouse small and quick: compaction, old snapshots, files that nobody names. No answer changes.",
    on_running=[late.stand_in_for_missed],
)
def maintain(request: MaintainForm) -> State[Any]:
    """Do what is due and publish the report. Ends Failed when a step failed; the others were done all the same."""
    try:
        warehouse = pipeline.open_warehouse(settings.load(), create=False)
        done = maintenance.maintain(warehouse, dry_run=request.dry_run)
    except FigurekeeperError as error:
        return Failed(message=str(error))
    create_markdown_artifact(page(done), key="maintenance", description=done.headline)
    if done.problems:
        return Failed(message="; ".join(done.problems))
    return Completed(message=done.headline)
