"""What a person is told of a batch that is held back, and what becomes of her decision; no server needed."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect.exceptions import FailedRun

from flows import held, held_page, pipeline, quiet, trend, worst
from flows.links import Links
from flows.outcome import Outcome
from flows.settings import Settings
from tests.flows.small import serving, small
from warehouse import lineage
from warehouse.errors import UnknownBatch, UsageError, WrongState
from warehouse.schema import Decision

pytestmark = pytest.mark.worldbank
NAME = "worldbank.wdi"
INTENSITY = "GB.XPD.RSDV.GD.ZS"
LINKS = Links("http://prefect.example", "http://pages.example", {"review": "11-22"})


def hushed(_: str) -> None:
    return None


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Outcome]]:
    """The R&D intensity as it is published, and a later answer, a thousand times too large, which is held back."""
    settings = Settings(home=tmp_path_factory.mktemp("held"), pages=False)
    with pytest.MonkeyPatch.context() as patch:
        serving(patch, small(NAME, [INTENSITY]))
        pipeline.refresh(settings, NAME, note=hushed)
        outcome = pipeline.refresh(settings, NAME, fault="scaled_by_1000", note=hushed)
        assert outcome.decision is Decision.QUARANTINED
        yield settings, outcome


def test_the_worst_observations_stand_beside_the_last_published(kept: tuple[Settings, Outcome]) -> None:
    settings, outcome = kept
    facts = held.facts(settings, outcome.batch_id)
    assert facts["asked"].startswith("everything, with the sandbox's fault scaled_by_1000; asked at ")
    assert facts["serving"].startswith("the last good data, edition 1 of 2")
    gravest = facts["checks"][0]
    assert (gravest["severity"], gravest["parts"]) == ("critical", [INTENSITY])
    assert gravest["why"].endswith(".")
    assert len(facts["worst"]) == worst.SHOWN
    published = {
        (row["series"].removeprefix(f"{NAME}:"), row["period"]): row["value"] for row in pipeline_values(settings)
    }
    cells = [cell for cell in facts["worst"] if cell["published"] is not None]
    assert cells
    for cell in cells:
        assert float(cell["published"]) == pytest.approx(published[cell["series"], cell["period"]])
        assert float(cell["new"]) > 500 * float(cell["published"])
        assert cell["change"].startswith("×")
        assert cell["unit"] == "% of GDP"
    assert any("scale-jump" in cell["rules"] for cell in facts["worst"])


def pipeline_values(settings: Settings) -> list[dict[str, Any]]:
    from warehouse import questions

    warehouse = pipeline.open_warehouse(settings, create=False)
    names = [row["series"] for row in questions.series(warehouse, NAME)]
    return questions.values(warehouse, names)


def test_the_page_of_a_held_batch_opens_the_forms_filled_in(kept: tuple[Settings, Outcome]) -> None:
    settings, outcome = kept
    page = held_page.page(held.facts(settings, outcome.batch_id), LINKS, "sandbox")
    assert page.startswith("> SANDBOX")
    assert "| series | period | new | published | change |" in page
    assert f"| {held.facts(settings, outcome.batch_id)['worst'][0]['label']} `" in page
    assert "- **Readers see meanwhile** the last good data, edition 1" in page
    assert f"{LINKS.pages}/en/data-{NAME}.html" in page
    for action in ("release", "discard"):
        address = LINKS.review(outcome.batch_id, action)
        assert address is not None
        assert f"]({address})" in page
        [filled] = parse_qs(urlsplit(address).query)["parameters"]
        assert json.loads(filled) == {"request": {"batch": outcome.batch_id, "decision": action}}
        assert f"`figurekeeper {action} {outcome.batch_id} --reason … --by …`" in page
    without = held_page.page(held.facts(settings, outcome.batch_id), Links(), "live")
    assert "Deployment `review`, decision `discard`" in without
    assert "](" not in without
    assert "SANDBOX" not in without


def test_the_command_line_tells_the_same(
    kept: tuple[Settings, Outcome], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows import cli

    settings, outcome = kept
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(settings.home))
    facts = held.facts(settings, outcome.batch_id)
    for options in ((), ("--format", "json")):
        monkeypatch.setattr(sys, "argv", ["figurekeeper", "batch", outcome.batch_id, *options])
        with pytest.raises(SystemExit):
            cli.main()
        said = capsys.readouterr().out
        assert facts["serving"] in said
        assert all(cell["series"] in said and cell["new"] in said for cell in facts["worst"])
    assert json.loads(said) == facts | {"profile": "sandbox"}


def test_a_batch_is_meant_by_its_dataset_when_one_of_it_waits(kept: tuple[Settings, Outcome]) -> None:
    settings, outcome = kept
    warehouse = pipeline.open_warehouse(settings)
    assert held.find(warehouse, NAME, "release") == outcome.batch_id
    assert held.find(warehouse, outcome.batch_id, "discard") == outcome.batch_id
    with pytest.raises(UnknownBatch, match=f"there is no batch 'oecd.sbrd'.*wait.*{outcome.batch_id}"):
        held.find(warehouse, "oecd.sbrd", "release")
    published = next(row["batch"] for row in lineage.batches(warehouse) if row["can"] == "void")
    with pytest.raises(UnknownBatch, match=f"void one of {NAME} that is published, by its id.*{published}"):
        held.find(warehouse, NAME, "void")


def test_the_trend_counts_what_each_batch_failed(kept: tuple[Settings, Outcome]) -> None:
    settings, outcome = kept
    good, bad = trend.rows(pipeline.open_warehouse(settings), NAME)
    failed = [check.severity.value for check in outcome.failed_checks]
    assert (good["critical"], bad["critical"]) == (0, failed.count("critical"))
    assert bad["warning"] == failed.count("warning")
    assert bad["passed"] == len(outcome.results) - len(failed)
    assert (bad["batch"], bad["decision"]) == (outcome.batch_id, "quarantined")
    assert bad["revised"] == outcome.revised > 0


def test_a_decision_is_taken_once_and_the_second_says_who_took_the_first(kept: tuple[Settings, Outcome]) -> None:
    settings, outcome = kept
    with pytest.raises(UsageError, match="a reason and a name"):
        held.decide(settings, outcome.batch_id, "discard", reason=" ", by="A. Person", note=hushed)
    done = held.decide(settings, NAME, "discard", reason="a factor", by="A. Person", run_id="9-9", note=hushed)
    assert (done.batch_id, done.decision) == (outcome.batch_id, Decision.DISCARDED)
    with pytest.raises(WrongState, match=r"discarded .* by A\. Person.*nothing waits for a decision"):
        held.decide(settings, outcome.batch_id, "release", reason="no, it is right", by="B. Person", note=hushed)
    with pytest.raises(
        UnknownBatch, match=rf"nothing of '{NAME}' waits .*{outcome.batch_id} was discarded .* A\. Person"
    ):
        held.find(pipeline.open_warehouse(settings), NAME, "release")
    facts = held.facts(settings, outcome.batch_id)
    assert facts["serving"].startswith("edition 1 of 2")
    assert ", without this batch" in facts["serving"]
    assert facts["decisions"][-1]["name"] == "as typed into the form of flow run 9-9; nobody checked who typed it"
    page = held_page.page(facts, LINKS, "sandbox")
    assert "- **Readers see** edition 1" in page
    assert "discarded by **A. Person** (as typed into the form of flow run 9-9" in page
    assert "Release this batch" not in page


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (1.0, 1000.0, "×1000"),
        (50.0, 5.0, "÷10"),
        (4.0, 4.2, "+5 %"),
        (None, 3.0, "new"),
        (3.0, None, "withdrawn"),
        (0.0, 2.5, "+2.5"),
        (2.0, -2.0, "-4"),
    ],
)
def test_a_change_in_words(old: float | None, new: float | None, told: str) -> None:
    assert worst.change(old, new) == told


def record(error: Exception) -> logging.LogRecord:
    return logging.LogRecord("prefect", logging.ERROR, "", 0, "it ended: %r", (error,), (type(error), error, None))


def test_a_traceback_is_left_out_unless_it_tells_of_a_mistake() -> None:
    assert not quiet.without_traceback(record(FailedRun("quarantined")))
    told = record(UsageError("a wrong date", next_step="write it as 2021-12-31"))
    assert quiet.without_traceback(told)
    assert (told.getMessage(), told.exc_info) == ("a wrong date. Next: write it as 2021-12-31", None)
    mistake = record(ZeroDivisionError("division by zero"))
    assert quiet.without_traceback(mistake)
    assert mistake.exc_info is not None


def test_links_of_an_installation_are_what_its_settings_say_or_what_was_written_down(tmp_path: Path) -> None:
    from flows import links

    settings = Settings(home=tmp_path, pages=True)
    assert links.of(settings) == Links()
    assert links.of(settings).run("r1") is None
    assert links.of(settings).review("b", "release") is None
    links.remember(settings, {"review": "11-22"}, ui="http://127.0.0.1:4200", pages="http://127.0.0.1:4201/")
    links.remember(settings, {"review": "33-44"}, ui="http://127.0.0.1:4300")
    known = links.of(settings)
    assert known.run("r1") == "http://127.0.0.1:4300/v2/runs/flow-run/r1?tab=Artifacts"
    assert known.deployment("review") == "http://127.0.0.1:4300/v2/deployments/deployment/33-44"
    assert known.form("backfill", {}) is None
    assert known.dataset("oecd.sbrd", "zh") == "http://127.0.0.1:4201/zh/data-oecd.sbrd.html"
    assert known.dataset("oecd") is None
    assert links.of(settings.model_copy(update={"pages": False})).dataset("oecd.sbrd") is None
    outside = links.of(
        settings.model_copy(update={"ui_url": "https://fk.example/v2/", "pages_url": "https://fk.example/p"})
    )
    assert outside.artifact("held-oecd-sbrd") == "https://fk.example/v2/artifacts/key/held-oecd-sbrd"
    assert outside.dataset("oecd.sbrd") == "https://fk.example/p/en/data-oecd.sbrd.html"
