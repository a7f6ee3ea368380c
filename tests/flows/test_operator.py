"""An operator's way through the Prefect UI, in Chromium: a backfill planned and run, a held batch read and released.

Belongs here: what a person clicks, reads and finds in the end. What the forms do is in test_flows and test_backfills. Pictures of
every step are left in build/screenshots, for people.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

from flows import pipeline
from flows.service import FLOW, Service
from flows.settings import Settings
from warehouse import lineage

CHROMIUM = shutil.which("chromium")
PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
DATASET = "oecd.gerd"
TRIES = 3
PATIENCE = 150_000  # milliseconds; a run starts a process, and the machine may be busy

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.browser,
    pytest.mark.oecd,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"),
        reason="no Chromium here: apt-get install chromium (REQUIRE_BROWSER=1 makes its absence a failure)",
    ),
]


@dataclass
class Operator:
    """A person before the UI: knows the words on the screen, and no address but the first."""

    page: Page
    ui: str
    taken: int = field(default=0)

    def picture(self, name: str) -> None:
        """Keep what the screen shows."""
        self.taken += 1
        self.page.screenshot(path=PICTURES / f"{self.taken:02d}-{name}.png", full_page=True)

    def open_form(self, deployment: str) -> None:
        """Find a deployment in the list and open its form."""
        self.page.goto(f"{self.ui}/v2/deployments")
        self.page.get_by_placeholder("Search deployments").fill(deployment)
        self.page.wait_for_url(f"**flowOrDeploymentName={deployment}**")  # a click before the search is done is lost
        self.page.get_by_role("table").get_by_role("link", name=deployment, exact=True).first.click()
        self.page.wait_for_url("**/deployments/deployment/**")
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        expect(self.button("Submit")).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def submit(self) -> str:
        """Submit the form, follow the link to its run, and return the run's id."""
        name = self.page.get_by_label("Run Name").input_value()
        link = self.page.get_by_role("listitem").filter(has_text=name).get_by_role("link", name="View run").first
        for _ in range(TRIES):
            self.button("Submit").click()
            with suppress(AssertionError):  # a busy server answers 503, and a person presses again
                expect(link).to_be_visible(timeout=PATIENCE / TRIES)
                break
        link.click()
        self.page.wait_for_url("**/runs/flow-run/**")
        expect(self.page.get_by_role("tab", name="Logs")).to_be_visible()  # else the list of runs is still shown
        found = re.search(r"flow-run/([0-9a-f-]{36})", self.page.url)
        assert found is not None
        return found[1]

    def see_it_end(self, state: str) -> None:
        """Watch the run's page until its badge says so."""
        expect(self.page.get_by_text(state, exact=True).first).to_be_visible(timeout=PATIENCE)

    def read_artifact(self, key: str) -> Locator:
        """Open an artifact of the run before us, the newest under its key; the text of it."""
        self.page.get_by_role("tab", name="Artifacts").click()
        self.page.get_by_role("link", name=re.compile(rf"\b{key}\b")).click()
        self.page.get_by_role("link", name=re.compile(r"^[0-9a-f]{8}$")).first.click()
        self.page.wait_for_url("**/artifacts/artifact/**")
        return self.page.get_by_role("tabpanel", name="Artifact")


@pytest.fixture
def operator(service: Service) -> Iterator[Operator]:
    """A browser with a clean profile, which talks to this machine alone."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(PATIENCE / 2)
        expect.set_options(timeout=PATIENCE / 2)
        yield Operator(page, service.ui)
        browser.close()


@pytest.mark.timeout(900)
def test_an_operator_backfills_and_decides_with_nothing_but_the_browser(
    operator: Operator, service_home: Path, run_deployment: Callable[..., Any]
) -> None:
    settings, page = Settings(home=service_home), operator.page
    good = run_deployment(f"{FLOW}/{DATASET}", {"request": {"dataset": DATASET}})
    assert good.type.value == "COMPLETED", good.message

    # A backfill: the form, the plan, the same form filled in to run, the run.
    operator.open_form("backfill")
    page.get_by_label("Datasets").click()
    page.get_by_role("option", name=DATASET).click()
    page.keyboard.press("Escape")
    page.get_by_label("First period").fill("2015")
    page.get_by_label("Last period").fill("2016")
    operator.picture("backfill-form")
    operator.submit()
    operator.see_it_end("Completed")
    operator.picture("backfill-planned")
    plan = operator.read_artifact("backfill-plan")
    expect(plan).to_contain_text(DATASET)
    operator.picture("backfill-plan")
    plan.get_by_role("link", name=re.compile("form", re.IGNORECASE)).first.click()
    page.get_by_label("Reason").fill("the figures of two years, once more")
    operator.picture("backfill-form-filled-in")
    backfilled = operator.submit()
    operator.see_it_end("Completed")
    operator.picture("backfill-done")
    newest = batch(settings)
    assert (newest["actor"], newest["decision"]) == ("backfill", "unchanged")

    # A quarantine: the refresh with a fault, what is held against its batch, the form, the decision.
    operator.open_form(DATASET)
    page.get_by_label("Fault").click()
    page.get_by_role("option", name="scaled_by_1000", exact=True).click()
    operator.picture("refresh-form-with-a-fault")
    refused = operator.submit()
    operator.see_it_end("Quarantined")
    operator.picture("quarantined")
    held = operator.read_artifact(f"held-{DATASET.replace('.', '-')}")
    expect(held).to_contain_text("Worst observations")
    expect(held).to_contain_text("×1000")
    operator.picture("held-batch")
    held.get_by_role("link", name="Release this batch").click()
    waiting = batch(settings)["batch"]
    expect(page.get_by_label("Batch", exact=True)).to_have_value(waiting)
    page.get_by_label("Reason").fill("the OECD confirmed the new unit")
    page.get_by_label("Your name").fill("A. Operator")
    operator.picture("release-form")
    decided = operator.submit()
    operator.see_it_end("Completed")
    operator.picture("released")

    trail = lineage.batch(pipeline.open_warehouse(settings, create=False), waiting)["decisions"]
    assert [row["decision"] for row in trail] == ["quarantined", "released"]
    assert trail[-1]["run_id"] == decided != backfilled
    assert (trail[-1]["actor"], trail[-1]["reason"]) == ("A. Operator", "the OECD confirmed the new unit")
    said = log_of(refused)
    assert "Finished in state Quarantined" in said
    assert "Traceback" not in said


def batch(settings: Settings) -> dict[str, Any]:
    """The newest batch of the dataset."""
    return lineage.batches(pipeline.open_warehouse(settings, create=False), DATASET, limit=1)[0]


def log_of(run: str) -> str:
    """All that people read in the log of a run."""
    with get_client(sync_client=True) as client:
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(run)])))
    return "\n".join(entry.message for entry in logs)
