"""What the providers really changed, reported as what it is: from the sandbox's facts, and from the recorded answers.

The recorded answers are in ../shared/upstream; tests that want them are skipped where they are absent.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors import datasets
from connectors.sandbox import facts
from connectors.worldbank import connector as worldbank
from flows.pipeline import facts_of
from tests.connectors import specimens
from tests.test_upstream_vintages import MESSAGES, parsed, raw
from tests.warehouse.makers import load, part, store
from warehouse import revision_pages, revisions
from warehouse.compare import Equality, compare, tally
from warehouse.schema import Comparison, PartData, Scope
from warehouse.store import Warehouse

WDI = MESSAGES.parent / "worldbank"
RD = "GB.XPD.RSDV.GD.ZS"
recorded = pytest.mark.skipif(not WDI.is_dir(), reason="the recorded answers are not beside this checkout")

Cell = tuple[str, str]


def compared(old: PartData, new: PartData, equality: Equality | None = None) -> Comparison:
    rule = equality or Equality()
    return compare("before", old.observations, old.series, new.observations, new.series, rule)


def by_kind(made: Comparison) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for row in made.changes.to_pylist():
        if row["weight"] != "noise":
            found.setdefault(row["kind"], []).append((row["series_key"], row["period"]))
    return found


def message(variable: str, day: str) -> PartData:
    [path] = MESSAGES.glob(f"sti-scoreboard/{variable}__{day}T*.xml.gz")
    name = str(path.relative_to(MESSAGES))
    return parsed(name, raw(name))


# -- the sandbox's facts, in every clone -----------------------------------------------------------------------------


def known(variable: str, day: str, dataset: str = "oecd.sbrd") -> PartData:
    """A part of a dataset as the facts know it on a day."""
    cells: dict[Cell, Any] = {}
    for (entity, period), cell in facts.by_area(dataset, variable, date.fromisoformat(day)).items():
        if period != "2999":
            flags = ";".join(flag for flag in cell.status if flag not in ("", "A"))
            cells[f"{entity}.{variable}", period] = (
                float(cell.value) if cell.value else None,
                flags,
                cell.value or None,
            )
    return part(cells, day, name=variable, stamp=day)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The vintages of three parts of oecd.sbrd, as the facts have them."""
    opened = store(tmp_path_factory.mktemp("revisions"))
    described = facts_of(datasets.load("oecd.sbrd"))
    for day in ("2024-07-23", "2025-04-04", "2025-05-02", "2025-10-06", "2026-04-13"):
        load(opened, *(known(variable, day) for variable in ("G_XGDP", "G_NC", "G_BRXG", "G_XFA")), facts=described)
    return opened


@pytest.mark.oecd
def test_koreas_intensity_of_2017_fell_because_gdp_was_rebased(warehouse: Warehouse) -> None:
    [row] = [row for row in revisions.revisions(warehouse, "oecd.sbrd:KOR.G_XGDP") if row["period"] == "2017"]
    assert (round(row["old"], 3), round(row["new"], 3), row["kind"]) == (4.292, 4.073, "revision")
    assert (row["cause"], row["numerator_share"]) == ("denominator", 0.0)
    assert row["detail"] == "G_NC 2024-07-23 → 2025-04-04"


@pytest.mark.oecd
def test_the_french_value_that_vanished_came_back(warehouse: Warehouse) -> None:
    rows = [row for row in revisions.revisions(warehouse, "oecd.sbrd:FRA.G_BRXG") if row["period"] == "2018"]
    assert [(row["known_from"][:10], row["kind"], row["old"], row["new"]) for row in rows] == [
        ("2025-04-04", "withdrawal", 22.63575961, None),
        ("2026-04-13", "reinstatement", None, 22.63575961),
    ]


@pytest.mark.oecd
def test_american_years_without_a_value_lose_a_flag_and_no_number(warehouse: Warehouse) -> None:
    rows = [row for row in revisions.revisions(warehouse, "oecd.sbrd:USA.G_XFA") if row["known_from"] < "2025-10"]
    gone = [row for row in rows if row["new_status"] is None]
    assert [row["period"] for row in gone] == [str(year) for year in range(1981, 2008)]
    assert {(row["kind"], row["old"], row["old_status"]) for row in gone} == {("status change", None, "K")}


@pytest.mark.worldbank
def test_articles_counted_in_another_database_are_a_redefinition(tmp_path: Path) -> None:
    """From the Science Citation Index to Scopus: the World Bank kept code, label and unit."""
    opened, described = store(tmp_path), facts_of(datasets.load("worldbank.wdi"))
    for day in ("2018-09-29", "2018-09-30"):
        load(opened, known("IP.JRN.ARTC.SC", day, "worldbank.wdi"), facts=described)
    rows = revisions.revisions(opened)
    counted = Counter(row["kind"] for row in rows if row["old"] is not None and row["new"] is not None)
    assert counted == {"redefinition": len([row for row in rows if row["detail"]])}
    [china] = [row for row in rows if row["series"].endswith(":CHN.IP.JRN.ARTC.SC") and row["period"] == "2009"]
    assert (round(china["old"]), round(china["new"]), china["kind"]) == (74019, 290330, "redefinition")
    assert "common values of the part revised, half of them by more than" in china["detail"]
    assert {row["kind"] for row in rows} >= {"withdrawal", "first value"}
    [page, _] = revision_pages.write(opened)
    assert page.read_text().count(china["detail"]) == 1


@pytest.mark.oecd
@pytest.mark.parametrize("variable", ["G_NC", "G_PPP", "G_XGDP", "G_XFA"])
def test_what_was_published_again_unchanged_is_no_revision(variable: str) -> None:
    old, new = known(variable, "2024-04-24"), known(variable, "2024-04-25")
    assert not tally(old.observations, old.series, new.observations, new.series, Equality()).material


# -- the recorded answers, all economies -----------------------------------------------------------------------------


def recorded_wdi(day: str) -> PartData:
    """The indicator in all economies as the publisher stated it on a day, in the form of the API."""
    listed = next((WDI / "raw" / "v2_lists").glob("country*")).read_bytes()
    listed = gzip.decompress(listed) if listed[:2] == b"\x1f\x8b" else listed
    entries = json.loads(listed)
    known_codes = {entry["id"]: entry["iso2Code"] for entry in entries}
    with gzip.open(WDI / "wdi_real.csv.gz", "rt", encoding="utf-8", newline="") as file:
        cells = [row for row in csv.DictReader(file) if row["indicator_id"] == RD and row["vintage"] == day]
    rows = ",".join(
        f'{{"indicator":{{"id":"{RD}","value":"Research and development expenditure (% of GDP)"}},"country":{{"id":'
        f'"{known_codes.get(row["iso3"], row["iso3"])}","value":"{row["iso3"]}"}},"countryiso3code":"{row["iso3"]}",'
        f'"date":"{row["year"]}","value":{row["value"]},"unit":"","obs_status":"","decimal":2}}'
        for row in cells
    )
    head = f'{{"page":1,"pages":1,"per_page":20000,"total":{len(cells)},"sourceid":"2","lastupdated":"{day}"}}'
    codes = tuple(sorted({row["iso3"] for row in cells}))
    wide = datasets.load("worldbank.wdi").model_copy(update={"entities": codes, "start": "1960"})
    answers = (
        specimens.payload(json.dumps([{"page": 1, "pages": 1, "per_page": "400", "total": len(entries)}, entries]),
                          "http://provider.invalid/country?format=json"),
        specimens.payload(f"[{head},[{rows}]]", f"http://provider.invalid/country/all/indicator/{RD}?page=1"),
    )  # fmt: skip
    return worldbank.CONNECTOR.parse(wide, specimens.fetched(RD, *answers, scope=Scope(entities=codes)))


@recorded
@pytest.mark.worldbank
def test_the_world_banks_research_intensity_of_2026() -> None:
    made = compared(recorded_wdi("2026-02-24"), recorded_wdi("2026-07-13"), Equality(equal_within=1e-6))
    counted = {name: sum(made.evidence.column(f"{name}_n").to_pylist()) for name in ("revised", "added", "withdrawn")}
    assert counted == {"revised": 1573, "added": 140, "withdrawn": 6}
    kinds = {kind: len(cells) for kind, cells in by_kind(made).items()}
    assert kinds["revision"] + kinds.get("rebasing", 0) == 1573
    assert kinds["first value"] + kinds.get("coverage", 0) == 140
    assert kinds["withdrawal"] == 6


@recorded
@pytest.mark.oecd
def test_all_that_was_published_again_on_the_day_after_is_unchanged() -> None:
    again = [path.name.split("__")[0] for path in MESSAGES.glob("sti-scoreboard/*__2024-04-25T*")]
    assert len(again) == 14
    for variable in again:
        old, new = message(variable, "2024-04-24"), message(variable, "2024-04-25")
        assert not tally(old.observations, old.series, new.observations, new.series, Equality()).material, variable


@recorded
@pytest.mark.oecd
def test_of_the_28_observations_that_went_in_may_2025_27_are_american_and_none_had_a_value() -> None:
    made = compared(message("G_XFA", "2025-04-04"), message("G_XFA", "2025-05-02"))
    rows = made.changes.to_pylist()
    assert Counter((row["series_key"], row["old_status"], row["kind"]) for row in rows) == {
        ("USA.G_XFA", "K", "status change"): 27,
        ("SWE.G_XFA", "C", "status change"): 1,
    }
    assert {(row["old_value"], row["new_value"], row["new_status"]) for row in rows} == {(None, None, None)}


@recorded
@pytest.mark.oecd
@pytest.mark.parametrize("variable", ["PCTTOT_NB", "IP5_NB"])
def test_applicants_that_became_inventors_are_a_redefinition(variable: str) -> None:
    old, new = message(variable, "2024-11-27"), message(variable, "2025-04-09")
    made = compared(old, new)
    assert set(by_kind(made)) == {"redefinition"}
    told = made.redefinitions.to_pylist()
    assert {(row["column"], row["old"], row["new"]) for row in told} == {("AGENT_ROLE", "APPLICANT", "INVENTOR")}
    assert {row["series_key"] for row in told} == set(new.series.column("series_key").to_pylist())
    assert {row["replaces"] for row in told} == set(old.series.column("series_key").to_pylist())


@recorded
@pytest.mark.oecd
def test_bulgarias_amounts_in_euro_and_a_new_reference_year_are_rebasings() -> None:
    euro = compared(message("G_NC", "2025-10-06"), message("G_NC", "2026-04-13"))
    rebased = {key for key, _ in by_kind(euro)["rebasing"]}
    assert rebased == {"BGR.G_NC"}
    [factor] = [row["ratio_median"] for row in euro.evidence.to_pylist() if row["series_key"] == "BGR.G_NC"]
    assert factor == pytest.approx(1 / 1.95583, rel=1e-6)
    constant = compared(message("G_PPPCT", "2024-07-23"), message("G_PPPCT", "2025-04-03"))
    assert {"CHL.G_PPPCT", "COL.G_PPPCT", "JPN.G_PPPCT"} <= {key for key, _ in by_kind(constant)["rebasing"]}
