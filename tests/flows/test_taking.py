"""What lies in a drop folder becomes vintages: each edition once, in known order, through the same gate as everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import contract, datasets
from connectors.contract import PartFetch
from connectors.datasets import Dataset
from connectors.errors import NoData, UnexpectedPayload
from connectors.files.manifest import ManifestError
from connectors.stored import Loading
from flows import estimate, pipeline, taking
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from tests.flows.small import serving
from warehouse import incidents, lineage, questions, rebuild
from warehouse.clock import stated_stamp
from warehouse.errors import UsageError
from warehouse.sameness import differences
from warehouse.schema import Basis, Decision, PartData, Severity
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


def state(settings: Settings) -> tuple[bool, list[str], int]:
    """Whether the dataset is stale, the kinds of open incidents, and how many batches wait for a person."""
    warehouse = pipeline.open_warehouse(settings)
    [row] = lineage.datasets(warehouse)
    kinds = [incident["kind"] for incident in lineage.open_incidents(warehouse)]
    return row["stale"], kinds, len(incidents.undecided(warehouse, row["dataset"]))


def test_a_look_that_finds_nothing_new_makes_good_what_a_person_must_decide_in_no_way(settings: Settings) -> None:
    wrong = export(1.0, *range(1995, 2021)), export(1.0, *range(1995, 2022))  # below zero at first
    drop(settings, of_2021=wrong[0], of_2022=wrong[1])
    held = refreshed(settings)
    assert [outcome.decision for outcome in held] == [Decision.QUARANTINED] * 2
    [look] = refreshed(settings)
    assert (look.decision, look.incident) == (Decision.UNCHANGED, None)
    assert state(settings) == (True, ["quarantine"], 2)
    drop(settings, of_2021=wrong[0], of_2022=wrong[1], of_2020=export(1.0, *range(2010, 2020)))
    assert [outcome.decision for outcome in refreshed(settings)] == [Decision.PUBLISHED]
    assert state(settings) == (False, ["quarantine"], 2)  # another edition says nothing of these two
    for outcome in held:
        pipeline.decide(settings, outcome.batch_id, "discard", reason="below zero", by="A. Person")
    refreshed(settings)
    assert state(settings) == (False, [], 0)


def test_a_look_is_no_good_refresh_once_a_person_has_taken_back_what_was_read(settings: Settings) -> None:
    drop(settings, of_2021=export(1.0, *range(2010, 2021)))
    [first] = refreshed(settings)
    refreshed(settings)
    assert state(settings) == (False, [], 0)
    pipeline.decide(settings, first.batch_id, "void", reason="the wrong table", by="A. Person")
    refreshed(settings)
    assert state(settings) == (True, [], 0)
    [row] = lineage.datasets(pipeline.open_warehouse(settings))
    assert row["last_refresh"] is None


def test_a_discarded_edition_is_taken_up_again_under_another_dataset_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(settings, of_2021=export(1.0, *range(2010, 2021)).replace("亿元".encode(), "万元".encode()))
    [held] = refreshed(settings)
    pipeline.decide(settings, held.batch_id, "discard", reason="the dataset file is wrong", by="A. Person")
    assert "nothing new" in refreshed(settings)[0].message
    whole = datasets.load(NAME)
    right = whole.model_copy(update={"parts": tuple(part.model_copy(update={"unit": "万元"}) for part in whole.parts)})
    monkeypatch.setattr(right, "_sha256", "0" * 64)
    serving(monkeypatch, right)
    assert [outcome.decision for outcome in refreshed(settings)] == [Decision.PUBLISHED]
    assert "nothing new" in refreshed(settings)[0].message


def test_a_part_that_cannot_be_read_is_tried_again_by_the_next_look(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, parse = "nbs.yearbook_technology_imports", contract.parse

    def clumsy(dataset: Dataset, answer: PartFetch) -> PartData:
        if answer.part == "value":
            raise UnexpectedPayload("the table says two things", next_step="correct it")
        return parse(dataset, answer)

    folder = settings.root / "drop" / name
    folder.mkdir(parents=True)
    manifest = "editions:\n" + EDITION.format(year=2021).split("      -")[0]
    for part, unit in (("contracts", "项"), ("value", "亿美元")):
        lines = ["指标," + ",".join(f"{year}年" for year in range(2005, 2020))]
        for country in ("日本", "韩国", "美国", "德国", "英国", "法国", "加拿大"):
            lines.append(f"{country} ({unit})," + ",".join(f"{year - 2000}0" for year in range(2005, 2020)))
        (folder / f"{part}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        manifest += f"      - {{part: {part}, file: {part}.csv}}\n"
    (folder / "manifest.yaml").write_text(manifest)
    monkeypatch.setattr(contract, "parse", clumsy)
    for _ in range(2):
        [outcome] = pipeline.refresh_all(settings, name, note=lambda _: None)
        assert list(outcome.unread) == ["value"]
        assert state(settings)[1] == ["failure"]
    monkeypatch.setattr(contract, "parse", parse)
    [good] = pipeline.refresh_all(settings, name, note=lambda _: None)
    assert (good.decision, good.unread, state(settings)) == (Decision.PUBLISHED, (), (False, [], 0))
    assert "nothing new" in pipeline.refresh_all(settings, name, note=lambda _: None)[0].message


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


def test_a_file_that_the_manifest_does_not_name_is_told(settings: Settings) -> None:
    folder = drop(settings, of_2021=export(1.0, *range(2010, 2021)))
    for name in ("yearbook-2023.xlsx", ".hidden", "~$yearbook-2023.xlsx"):
        (folder / name).write_bytes(b"PK")
    told = "manifest.yaml does not name, so nothing is read of: yearbook-2023.xlsx"
    plan = estimate.rows(settings, [NAME])
    assert [(row["request"], row["part"]) for row in plan] == [
        ("FILE 2021.csv", "expenditure"),
        ("FILE yearbook-2023.xlsx", None),
    ]
    [first] = refreshed(settings)
    [finding] = [result for result in first.failed_checks if told in str(result)]
    assert (first.decision, finding.severity) == (Decision.PUBLISHED_WITH_WARNINGS, Severity.WARNING)
    [again] = refreshed(settings)
    assert again.message.endswith(f"1 editions were taken up before; {told}")


def test_a_manifest_of_another_name_is_told(settings: Settings) -> None:
    folder = drop(settings, of_2021=export(1.0, *range(2010, 2021)))
    (folder / "manifest.yaml").rename(folder / "manifest.yml")
    with pytest.raises(NoData, match=r"no manifest\.yaml lies in .*, only 2021\.csv, manifest\.yml"):
        refreshed(settings)


def test_messages_are_not_of_a_day_still_to_come(settings: Settings) -> None:
    loading = Loading(stated_stamp("2972-12", "UTC", Basis.CARRIED))
    with pytest.raises(UsageError, match="2972-12 is still to come"):
        taking.messages(settings, datasets.load("oecd.sbrd"), [], loading)
