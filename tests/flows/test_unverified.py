"""Dataset files that nobody has compared with their provider: each can be asked for, and is refreshed once the provider answers
as the file says."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest

from connectors import contract, datasets
from connectors.contract import Ask
from connectors.datasets import Dataset, NotEnabled
from expectations import suites
from flows import catalogue, first_contact, pipeline
from flows.settings import Settings
from warehouse import questions
from warehouse.schema import Decision

WAITING = {name: dataset for name, dataset in datasets.survey().waiting.items() if dataset.reads == "api"}
YEARS = range(2015, 2021)


@pytest.mark.parametrize("name", WAITING)
def test_every_part_can_be_asked_for(name: str) -> None:
    dataset = WAITING[name]
    asked = contract.connector(dataset.provider).plan(dataset, Ask())
    assert {request.part for request in asked} == {None, *(part.id for part in dataset.parts)}


@pytest.mark.worldbank
def test_projections_are_asked_for_up_to_their_end_and_may_lie_ahead() -> None:
    dataset = WAITING["worldbank.population_projections"]
    asked = contract.connector("worldbank").plan(dataset, Ask())
    assert all(("date", "1990:2050") in request.params for request in asked if request.part)
    judged = {rule.id for part in dataset.parts for rule, _ in suites.demands(dataset, part.id)}
    assert "period-beyond-release" not in judged
    assert "period-beyond-release" in {
        rule.id for rule, _ in suites.demands(datasets.load("worldbank.wdi"), "SP.POP.TOTL")
    }


def answer(dataset: Dataset, folder: Path) -> int:
    """The download that the provider would give if all were as the file says; returns how many observations it has."""
    agency, flow, version = dataset.flow.split(",")
    rows: list[list[str]] = []
    for part in dataset.parts:
        codes = [list(dataset.entities) if "{" in code else code.split("+") for code in part.key.split(".")]
        for number, (key, year) in enumerate(itertools.product(itertools.product(*codes), YEARS)):
            value = f"{0.2 + number % 7 / 10:.1f}"
            rows.append([f"{agency}:{flow}({version or '1.0'})", *key, str(year), value, "A", str(part.multiplier)])
    with (folder / f"{flow}@2025-10-01.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["DATAFLOW", *dataset.dimensions, "TIME_PERIOD", "OBS_VALUE", "OBS_STATUS", "UNIT_MULT"], *rows]
        )
    return len(rows)


@pytest.mark.oecd
@pytest.mark.parametrize("name", ["oecd.fdi_positions", "oecd.stri_heterogeneity"])
def test_it_is_refused_until_the_provider_was_seen_and_then_refreshes(name: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    dataset = WAITING[name]
    observations = answer(dataset, tmp_path / "own")
    settings = Settings(home=tmp_path / "home", datasets=tmp_path / "own")
    with pytest.raises(NotEnabled, match=f"doctor --live {name}"):
        pipeline.refresh(settings, name)
    first_contact.meet(settings, [name])
    assert name in catalogue.enabled(settings)
    outcome = pipeline.refresh(settings, name)
    assert (outcome.decision, outcome.observations) == (Decision.PUBLISHED, observations)
    held = questions.series(pipeline.open_warehouse(settings), dataset=name)
    assert len(held) * len(YEARS) == observations


@pytest.mark.oecd
def test_advice_about_what_the_sandbox_has_not_leads_to_profile_live(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(NotEnabled) as refused:
        catalogue.load_enabled(settings, "oecd.msti")
    assert "the sandbox has no facts of it, so it can be enabled in profile live only" in refused.value.next_step
    [row] = first_contact.rows(settings, first_contact.meet(settings, ["oecd.msti"], note=lambda _: None))
    assert (row["verdict"], row["next"]) == ("differs as expected", refused.value.next_step)
    with pytest.raises(NotEnabled, match=r"Next: run `figurekeeper doctor --live oecd\.msti`"):
        catalogue.load_enabled(Settings(home=tmp_path, profile="live"), "oecd.msti")
