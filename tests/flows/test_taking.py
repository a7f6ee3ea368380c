"""What lies in a drop folder becomes vintages: each edition once, in known order, through the same gate as everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import datasets
from connectors.errors import NoData, UnexpectedPayload
from connectors.files.manifest import ManifestError
from flows import estimate, pipeline, taking
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from warehouse import lineage, questions, rebuild
from warehouse.errors import UsageError
from warehouse.sameness import differences
from warehouse.schema import Decision, Severity
from warehouse.store import Warehouse

NAME = "nbs.beijing_expenditure"
SERIES = f"{NAME}:SCIENCE.110000000000"
EDITION = """\
  - edition: "{year}"
    published: {year}-12
    tables:
      - {{part: expenditure, file: {year}.csv}}
"""

pytestmark = pytest.mark.nbs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", profile="sandbox")


def export(factor: float, *years: int) -> bytes:
    """A table of all three series in some years: 10 in 2010, 11 in 2011; the factor is that of the newest, preliminary one."""
    lines = [["指标", *(f"{year}年" for year in years)]]
    for name in ("地方财政一般公共预算支出", "地方财政教育支出", "地方财政科学技术支出"):
        lines.append(
            [f"{name} (亿元)", *(f"{(year - 2000) * (factor if year == max(years) else 1):.2f}" for year in years)]
        )
    return "".join(",".join(line) + "\n" for line in lines).encode()


def drop(settings: Settings, **editions: bytes) -> Path:
    folder = settings.root / "drop" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    manifest = "editions:\n"
    for name, content in editions.items():
        (folder / f"{name.removeprefix('of_')}.csv").write_bytes(content)
        manifest += EDITION.format(year=name.removeprefix("of_"))
    (folder / "manifest.yaml").write_text(manifest)
    return folder


def refreshed(settings: Settings) -> list[pipeline.Outcome]:
    return pipeline.refresh_all(settings, NAME, note=lambda _: None)


def known(settings: Settings, as_of: str | None = None) -> dict[str, float | None]:
    rows = questions.values(Warehouse(settings.home, settings.profile, create=False), [SERIES], as_of=as_of)
    return {row["period"]: row["value"] for row in rows}


def test_the_sandbox_drops_real_figures_and_nothing_is_taken_twice(settings: Settings) -> None:
    [first] = refreshed(settings)
    assert (first.decision, first.observations, first.requests) == (Decision.PUBLISHED, 25, 0)
    assert known(settings)["2019"] == 433.42
    [again] = refreshed(settings)
    assert again.decision is Decision.UNCHANGED
    assert again.message == "unchanged: nothing new in the drop folder; 1 editions were taken up before"
    [row] = lineage.datasets(pipeline.open_warehouse(settings))
    assert (row["dataset"], row["stale"], row["vintages"]) == (NAME, False, 1)


def test_editions_are_vintages_that_speak_of_their_own_years(settings: Settings) -> None:
    drop(settings, of_2021=export(1.0, *range(2010, 2021)), of_2019=export(0.9, *range(2009, 2019)))
    assert [outcome.decision for outcome in refreshed(settings)] == [Decision.PUBLISHED] * 2
    assert list(known(settings, as_of="2020")) == [str(year) for year in range(2009, 2019)]
    now = known(settings)
    assert list(now) == [str(year) for year in range(2009, 2021)]
    assert (now["2009"], now["2018"], now["2020"]) == (9.0, 18.0, 20.0)  # the newer yearbook begins in 2010
    assert known(settings, as_of="2020")["2018"] == pytest.approx(16.2)
    [late] = [row for row in estimate_after_late_drop(settings) if row["parameters"] == "edition=2020"]
    assert (late["cost"], late["part"], late["request"]) == ("file", "expenditure", "FILE 2020.csv")
    [outcome] = refreshed(settings)
    assert outcome.decision is Decision.PUBLISHED
    assert known(settings)["2019"] == 19.0
    assert known(settings, as_of="2020")["2019"] == pytest.approx(18.05)
    assert known(settings, as_of="2020")["2018"] == 18.0


def test_a_date_inside_an_imprecise_stamp_is_ambiguous(settings: Settings) -> None:
    folder = drop(settings, of_2021=export(1.0, *range(2010, 2021)), of_2019=export(0.9, *range(2010, 2019)))
    manifest = folder / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace("-12\n", "\n"))
    refreshed(settings)
    warehouse = pipeline.open_warehouse(settings)
    for day, doubtful in (("2020-06", False), ("2021-06", True), ("2022-06", False)):
        [row] = questions.values(warehouse, [SERIES], as_of=day, period="2015")
        assert (row["precision"], row["ambiguous"]) == ("year", doubtful)


def estimate_after_late_drop(settings: Settings) -> list[dict[str, object]]:
    """The plan after a yearbook between the others was found."""
    drop(
        settings,
        of_2021=export(1.0, *range(2010, 2021)),
        of_2020=export(0.95, *range(2010, 2020)),
        of_2019=export(0.9, *range(2009, 2019)),
    )
    return estimate.rows(settings, [NAME])


def test_a_year_that_a_table_leaves_out_is_no_withdrawal_but_held_back(settings: Settings) -> None:
    drop(settings, of_2021=export(1.0, *range(2010, 2018), 2019, 2020))
    first, second = refreshed(settings)
    assert (first.decision, second.decision) == (Decision.PUBLISHED, Decision.QUARANTINED)
    critical = [result.rule for result in second.failed_checks if result.severity is Severity.CRITICAL]
    assert critical == ["nbs-no-year-gap"]
    pipeline.decide(settings, second.batch_id, "release", reason="the page left 2018 out", by="somebody")
    assert list(known(settings)) == [*map(str, range(2010, 2018)), "2019", "2020"]
    [again] = refreshed(settings)
    assert again.decision is Decision.UNCHANGED


def test_a_corrected_manifest_is_taken_up_and_a_wrong_one_is_a_failed_batch(settings: Settings) -> None:
    folder = drop(settings, of_2021=export(1.0, *range(2010, 2021)).replace("亿元".encode(), "万元".encode()))
    [held] = refreshed(settings)
    assert held.decision is Decision.QUARANTINED
    (folder / "manifest.yaml").write_text("editions: []\n")
    with pytest.raises(ManifestError):
        refreshed(settings)
    drop(settings, of_2021=b"nothing\n")
    with pytest.raises(UnexpectedPayload, match="no row begins with"):
        refreshed(settings)
    drop(settings, of_2021=export(1.0, *range(2010, 2021)))
    [good] = refreshed(settings)
    assert good.decision is Decision.PUBLISHED
    told = [row["decision"] for row in lineage.batches(pipeline.open_warehouse(settings), NAME)]
    assert sorted(told) == ["failed", "failed", "published", "quarantined"]


def test_an_empty_folder_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(NoData, match=r"no manifest.yaml lies in the drop folder .*docs/yearbook-files.md"):
        pipeline.refresh_all(settings, "nbs.yearbook_technology_imports", note=lambda _: None)
    [incident] = lineage.open_incidents(pipeline.open_warehouse(settings))
    assert "the refresh failed" in incident["title"]
    own = Settings(home=settings.home, profile="live")
    assert taking.folder(own, datasets.load(NAME)) == own.root / "drop" / NAME


def test_nobody_can_be_asked_for_a_day_or_a_fault(settings: Settings) -> None:
    with pytest.raises(UsageError, match="read from files"):
        pipeline.refresh_all(settings, NAME, fault="403", note=lambda _: None)
    with pytest.raises(UsageError, match="read from files"):
        pipeline.refresh(settings, NAME, note=lambda _: None)


def test_a_replay_reads_the_same_from_payloads_alone(settings: Settings, tmp_path: Path) -> None:
    folder = drop(settings, of_2021=export(1.0, *range(2010, 2021)), of_2019=export(0.9, *range(2009, 2019)))
    refreshed(settings)
    for file in folder.iterdir():
        file.unlink()
    here = pipeline.open_warehouse(settings)
    done = rebuild.into_home(here.storage, tmp_path / "there", "sandbox", ArchiveParsers())
    assert (done.batches, done.readings) == (2, 2)
    assert list(differences(here, Warehouse(tmp_path / "there", "sandbox", create=False))) == []
