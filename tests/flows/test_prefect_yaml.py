"""prefect.yaml agrees with the dataset files and the flows; no server needed."""

from __future__ import annotations

import importlib
import logging
import runpy
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from ruamel.yaml import YAML

from connectors import datasets
from flows import deployments, quiet
from flows.environment import PROJECT
from flows.server import QUEUES, RUNS_AT_ONCE
from flows.service import FLOW
from flows.settings import Settings

FILE: dict[str, Any] = YAML(typ="safe").load(PROJECT / "prefect.yaml")
DEPLOYMENTS: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in FILE["deployments"]}


def flow_of(entry: dict[str, Any]) -> Flow[..., Any]:
    path, name = entry["entrypoint"].split(":")
    found = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    assert isinstance(found, Flow)
    return found


@pytest.mark.parametrize("dataset", datasets.enabled_ids())
def test_a_dataset_is_deployed_on_its_own_calendar(dataset: str) -> None:
    entry = DEPLOYMENTS[dataset]
    generated = deployments.of_dataset(datasets.load(dataset))
    assert entry == generated | {"work_pool": entry["work_pool"]}
    assert flow_of(entry).name == FLOW


def test_without_further_datasets_our_own_file_is_deployed(tmp_path: Path) -> None:
    assert deployments.prefect_file(Settings(home=tmp_path)) == deployments.FILE
    assert deployments.names(deployments.FILE) == set(DEPLOYMENTS)


def test_a_dataset_of_one_s_own_is_deployed_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = datasets.path_of("oecd.sbrd").read_text(encoding="utf-8")
    own = tmp_path / "own"
    own.mkdir()
    (own / "oecd.mine.yaml").write_text(
        text.replace("id: oecd.sbrd", "id: oecd.mine").replace("30 7 * * *", "5 7 * * *")
    )
    (own / "oecd.later.yaml").write_text(text.replace("id: oecd.sbrd", "id: oecd.later").replace("verified off", "un"))
    (own / "oecd.wrong.yaml").write_text("id: oecd.wrong\n")
    file = deployments.prefect_file(Settings(home=tmp_path / "home", datasets=own))
    assert file == tmp_path / "home" / "sandbox" / "prefect.yaml"
    written = YAML(typ="safe").load(file)
    mine = {entry["name"]: entry for entry in written["deployments"]}
    assert mine.keys() - DEPLOYMENTS.keys() == {"oecd.mine"}
    assert mine["oecd.mine"]["schedules"][0]["cron"] == "5 7 * * *"
    assert mine["oecd.mine"]["work_pool"] == DEPLOYMENTS["oecd.sbrd"]["work_pool"]
    assert {key: value for key, value in written.items() if key != "deployments"} == {
        key: value for key, value in FILE.items() if key != "deployments"
    }
    monkeypatch.setenv("FIGUREKEEPER_DATASETS", str(own))
    assert flow_of(mine["oecd.mine"]).validate_parameters(mine["oecd.mine"]["parameters"])


def test_only_datasets_and_what_looks_after_them_have_schedules() -> None:
    scheduled = {name for name, entry in DEPLOYMENTS.items() if "schedules" in entry}
    assert scheduled == {*datasets.enabled_ids(), "maintain", "first-contact", "watch"}


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_entrypoint_imports_and_parameters_fit_its_flow(name: str) -> None:
    entry = DEPLOYMENTS[name]
    flow = flow_of(entry)
    given = entry.get("parameters", {})
    if given:
        assert flow.validate_parameters(given)
    assert set(given) <= set(flow.parameters.properties)
    assert entry["description"].strip().endswith(".")
    assert entry["work_pool"]["work_queue_name"] in QUEUES


@pytest.mark.parametrize("path", sorted({entry["entrypoint"].split(":")[0] for entry in DEPLOYMENTS.values()}))
def test_every_module_with_a_flow_leaves_tracebacks_of_no_mistake_out(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module(path.removesuffix(".py").replace("/", "."))  # with all that it imports
    logger = logging.getLogger("prefect.flow_runs")
    monkeypatch.setattr(logger, "filters", [])
    runpy.run_path(str(PROJECT / path))
    assert quiet.without_traceback in logger.filters


def test_every_provider_has_a_limit() -> None:
    assert set(RUNS_AT_ONCE) == {dataset.provider for dataset in datasets.load_all().values()}


def test_no_path_of_this_machine_is_written_down() -> None:
    text = (PROJECT / "prefect.yaml").read_text(encoding="utf-8")
    assert str(PROJECT) not in text
    assert str(Path.home()) not in text
