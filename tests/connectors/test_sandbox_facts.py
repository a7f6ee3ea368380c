"""The sandbox's facts: they equal a fresh run of the script that makes them, and they say what was known when."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from connectors.sandbox import facts, make_facts

UPSTREAM = Path(__file__).resolve().parents[2].parent / "shared" / "upstream"
DATASETS = (
    *("oecd.sbrd", "oecd.pct_cooperation", "oecd.patents", "oecd.gerd"),
    *("worldbank.wdi", "nbs.science_technology", "nbs.fdi_by_country"),
)


def value(dataset: str, part: str, entity: str, period: str, on: str | None = None) -> float:
    return float(facts.by_area(dataset, part, date.fromisoformat(on) if on else None)[entity, period].value)


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="../shared/upstream is not here: the facts cannot be made afresh")
def test_the_committed_facts_equal_a_fresh_run(tmp_path: Path) -> None:
    """Compared unpacked, since the packed bytes also depend on the machine's zlib."""
    report = make_facts.make(UPSTREAM, tmp_path)
    made = {path.name: content(path) for path in tmp_path.iterdir()}
    kept = {path.name: content(path) for path in facts.FACTS.iterdir() if path.suffix in (".csv", ".gz")}
    assert made == kept
    assert sum(report.values()) == 642 + 457 + 50 + 6322 + 704


def test_the_facts_stay_small() -> None:
    assert sum(path.stat().st_size for path in facts.FACTS.iterdir()) < 4_000_000


@pytest.mark.worldbank
@pytest.mark.parametrize(("on", "expected"), [("2021-12-31", 4.553), ("2025-12-31", 4.292), (None, 4.073)])
def test_koreas_research_intensity_of_2017_falls(on: str | None, expected: float) -> None:
    assert round(value("worldbank.wdi", "GB.XPD.RSDV.GD.ZS", "KOR", "2017", on), 3) == expected


@pytest.mark.oecd
def test_chinas_research_expenditure_of_2018_in_three_vintages() -> None:
    known = [value("oecd.sbrd", "G_PPP", "CHN", "2018", on) for on in ("2024-03-13", "2024-04-05", "2024-07-23")]
    assert [round(one, 1) for one in known] == [465287.5, 465355.9, 480642.3]
    assert value("oecd.sbrd", "G_PPP", "CHN", "2018", "2024-04-04") == known[0]


@pytest.mark.worldbank
def test_receipts_for_intellectual_property_of_2017() -> None:
    total = sum(value("worldbank.wdi", "BX.GSR.ROYL.CD", area, "2017", "2021-12-31") for area in ("CHN", "JPN", "KOR"))
    assert round(total / 1e9, 2) == 53.81


@pytest.mark.oecd
def test_the_oecd_withdraws_and_the_pseudo_period_is_there() -> None:
    before, after = (facts.by_area("oecd.sbrd", "G_XFA", date.fromisoformat(on)) for on in ("2025-04-04", "2025-05-02"))
    gone = {key: cell for key, cell in before.items() if key not in after}
    assert sorted(gone) == [("USA", str(year)) for year in range(1981, 2008)]
    assert {(cell.value, cell.status[0]) for cell in gone.values()} == {("", "K")}  # observations without a value
    assert ("KOR.G_XGDP", "2999") in facts.state("oecd.sbrd", "G_XGDP")


@pytest.mark.oecd
def test_nothing_is_known_before_the_first_vintage() -> None:
    assert facts.state("oecd.sbrd", "G_BRXG", date(2024, 5, 5)) == {}
    assert facts.newest("oecd.sbrd", "G_BRXG", date(2024, 5, 5)) is None


@pytest.mark.worldbank
def test_a_carriers_gap_is_not_a_withdrawal() -> None:
    before = facts.state("worldbank.wdi", "GB.XPD.RSDV.GD.ZS", date(2026, 3, 8))
    after = facts.state("worldbank.wdi", "GB.XPD.RSDV.GD.ZS", date(2026, 3, 9))
    assert {key: cell for key, cell in after.items() if key[0] == "HIC"}
    assert before.keys() == after.keys()


def _zeros_around_the_gap(part: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]], facts.Cells]:
    """Zeros of 2013-12 that the file of 2018-09 lacks, those of them that are served then, and the file's own cells."""
    before, after = (facts.state("worldbank.wdi", part, date(year, 12, 31)) for year in (2013, 2018))
    own = facts._vintage_cells("worldbank", part)["2018-09"]
    zeros = {key for key, cell in before.items() if cell.value == "0" and key not in own}
    return zeros, zeros & set(after), own


@pytest.mark.worldbank
def test_zeros_that_a_carrier_dropped_stay_within_the_years_of_its_series() -> None:
    zeros, carried, own = _zeros_around_the_gap("TX.VAL.TECH.CD")
    years = {entity: [year for area, year in own if area == entity] for entity, _ in own}
    within = {(area, year) for area, year in zeros if area in years and min(years[area]) < year < max(years[area])}
    assert carried == within
    assert within
    assert within < zeros


@pytest.mark.worldbank
def test_zeros_are_not_carried_over_the_articles_change_of_source() -> None:
    zeros, carried, _ = _zeros_around_the_gap("IP.JRN.ARTC.SC")
    assert zeros
    assert carried == set()


@pytest.mark.worldbank
def test_old_codes_are_served_as_todays_and_the_original_is_kept() -> None:
    lines = gzip.decompress((facts.FACTS / "worldbank.csv.gz").read_bytes()).decode().splitlines()
    renamed = {(line.split(",")[1], line.split(",")[-1]) for line in lines[1:] if not line.endswith(",")}
    assert renamed >= {("ROU", "ROM"), ("COD", "ZAR"), ("TLS", "TMP"), ("PSE", "WBG"), ("AND", "ADO")}
    assert ("ROU", "2010") in facts.state("worldbank.wdi", "SP.POP.TOTL", date(2014, 1, 1))


def test_every_vintage_says_whence_it_comes_and_its_rows_are_held() -> None:
    held = [one for dataset in DATASETS for one in facts.vintages(dataset)]
    assert {one.basis for one in held} == {"publisher", "carried"}
    assert {one.basis for one in held if one.native} == {"publisher"}
    assert {one.basis for one in held if one.vintage in ("2013-12", "2018-09")} == {"carried"}
    assert all(one.source for one in held)
    assert all(one.instant.tzinfo for one in held if one.precision == "instant")
    assert len({(one.dataset, one.part, one.day) for one in held}) == len(held)
    for one in held:
        assert len(facts.state(one.dataset, one.part, one.day)) >= int(one.rows) > 0


def test_walk_dates_are_sorted_and_hold_unchanged_republications() -> None:
    walks = {dataset: facts.walk_dates(dataset) for dataset in DATASETS}
    assert all(days == sorted(set(days)) for days in walks.values())
    assert {date(2024, 4, 25), date(2025, 10, 6)} <= set(walks["oecd.sbrd"])
    assert [len(walks[dataset]) for dataset in DATASETS] == [15, 2, 2, 1, 30, 1, 1]
    assert walks["worldbank.wdi"][-1] == date(2026, 7, 13)
    assert facts.walk_dates("no.such") == []


@pytest.mark.oecd
def test_patents_of_applicants_and_of_inventors_are_different_series() -> None:
    """One file of the carrier, whose role changed between its two states: neither replaces the other."""
    early, late = date(2024, 12, 31), date(2025, 4, 9)
    keys = {role: f"9P50_1.A.AP.PATN.PRIORITY.KOR._Z.{role}._Z._Z._T" for role in ("APPLICANT", "INVENTOR")}
    assert (keys["APPLICANT"], "2018") in facts.state("oecd.patents", "PCT_APPLICANT", early)
    assert facts.state("oecd.patents", "PCT_INVENTOR", early) == {}
    both = {role: facts.state("oecd.patents", f"PCT_{role}", late)[key, "2018"] for role, key in keys.items()}
    assert float(both["APPLICANT"].value) != float(both["INVENTOR"].value)


@pytest.mark.oecd
def test_an_area_with_several_series_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = {("KOR.A", "2018"): facts.Cell("1"), ("KOR.B", "2018"): facts.Cell("2")}
    monkeypatch.setattr(facts, "state", lambda *_: cells)
    with pytest.raises(ValueError, match="several series"):
        facts.by_area("oecd.sbrd", "G_XGDP")


def test_the_registrys_series_that_are_held_are_described() -> None:
    described = facts.description("worldbank_indicators.yaml")
    assert set(described) == set(facts.parts("worldbank.wdi"))
    assert all(set(entry) == {"name", "organization", "note", "topics"} for entry in described.values())


@pytest.mark.nbs
def test_nbs_values_say_what_they_rest_on() -> None:
    rows = facts.table("nbs.csv")
    papers = {row["where"]: row for row in rows if row["basis"] == "paper"}
    assert papers["paper000-c045"]["value"] == "37.21"
    assert papers["paper004-c011"] | {} == {
        **{"part": "patent_applications", "indicator": "发明专利申请数", "unit": "件", "digits": "0", "period": "2016"},
        **{"vintage": "2026-11-21", "value": "1338503", "basis": "paper", "where": "paper004-c011"},
    }
    assert {row["basis"] for row in rows} == {"paper", "secondary"}
