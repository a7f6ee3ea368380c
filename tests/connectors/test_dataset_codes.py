"""Dataset files against the providers' own catalogues: dimensions in their order and every code that a key asks for (OECD);
leaves and the folders they stand in (NBS)."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors import datasets

UPSTREAM = Path(__file__).resolve().parents[3] / "shared/upstream"
CATALOGUE = UPSTREAM / "oecd/structures/openbb-oecd-2.0.0__selected_dataflows.json.gz"
pytestmark = pytest.mark.skipif(not UPSTREAM.exists(), reason="../shared/upstream is not beside this clone")
#: Flows that are in nobody's catalogue that we hold: their keys rest on public code alone, as their files say.
NOT_LISTED = {"oecd.batis", "oecd.oda", "oecd.oda_recipients"}
OECD = [name for name in datasets.known_ids() if name.startswith("oecd.") and name not in NOT_LISTED]


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(CATALOGUE.read_bytes()))
    return found


@pytest.mark.oecd
def test_what_is_not_listed_is_not_enabled(catalogue: dict[str, Any]) -> None:
    for name in NOT_LISTED:
        assert datasets.load(name).flow.split(",")[1] not in catalogue["dataflows"]
        assert not datasets.load(name).verified


@pytest.mark.oecd
@pytest.mark.parametrize("name", OECD)
def test_flow_and_dimensions_are_those_of_the_catalogue(name: str, catalogue: dict[str, Any]) -> None:
    dataset = datasets.load(name)
    agency, flow, version = dataset.flow.split(",")
    listed = catalogue["dataflows"][flow]
    assert agency == listed["dataflow"]["agency_id"]
    assert version in ("", listed["dataflow"]["version"])
    assert list(dataset.dimensions) == [one["id"] for one in listed["datastructure"]["dimensions"]]


@pytest.mark.oecd
@pytest.mark.parametrize("name", OECD)
def test_every_code_asked_for_is_in_use(name: str, catalogue: dict[str, Any]) -> None:
    dataset = datasets.load(name)
    listed = catalogue["dataflows"][dataset.flow.split(",")[1]]
    lists = {
        one["id"]: catalogue["codelists"].get(one["codelist_id"], {}) for one in listed["datastructure"]["dimensions"]
    }
    unknown = {}
    for part in dataset.parts:
        for dimension, segment in zip(dataset.dimensions, part.key.split("."), strict=True):
            codes = dataset.entities if segment == "{entities}" else segment.split("+")
            if dimension == "UNIT_MEASURE" and not listed["available"]:
                continue  # that list of the copy is cut short
            known = set((listed["available"] or lists)[dimension])
            if missing := sorted(set(codes) - known):
                unknown[f"{part.id} {dimension}"] = missing
    assert unknown == {}


@pytest.mark.nbs
def test_every_leaf_stands_in_its_folder_of_the_tree() -> None:
    with (UPSTREAM / "nbs/catalog/portal_tree_yearly.csv").open(encoding="utf-8", newline="") as file:
        tree = {row["id"]: row for row in csv.DictReader(file)}
    files = [datasets.load(name) for name in datasets.known_ids() if name.startswith("nbs.")]
    parts = [part for file in files if file.reads == "api" for part in file.parts]
    assert len(parts) > 20
    for part in parts:
        assert tree[part.key]["kind"] == "leaf"
        assert tree[part.key]["parent_id"] == part.folder
        assert "".join(tree[part.key]["name"].split())[:4] in part.label_zh


def test_every_series_that_the_papers_name_belongs_to_a_dataset() -> None:
    papers = YAML(typ="safe").load(UPSTREAM.parent / "papers/papers.yaml")
    files = datasets.load_all().values()
    flows = {file.flow.split(",")[1] for file in files if file.provider == "oecd"}
    codes = {part.key for file in files if file.provider == "worldbank" for part in file.parts}
    missing = {
        name
        for name, series in papers["series_registry"].items()
        if (series["provider"] == "oecd" and not any(flow in series["flow"] for flow in flows))
        or (series["provider"] == "worldbank" and series["id"] not in codes)
    }
    # Of the technology balance of payments no flow is known, of OECD_BIBLIO not the dimensions; projections are named by their
    # source, and are worldbank.population_projections.
    assert missing == {"OECD_TBP", "OECD_BIBLIO", "WB_POPPROJ"}
