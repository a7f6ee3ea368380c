"""A release that changes verdicts on papers: said beforehand, told in one incident, and closed by a person or by the data."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

import pytest

from connectors.datasets import Dataset
from flows import held as deciding
from flows import notices, overview, pipeline
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from tests.flows.small import serving, small
from warehouse import incidents, lineage, publish, rebuild
from warehouse.papers import asking, catalogue, changes
from warehouse.papers.asking import When
from warehouse.sameness import differences
from warehouse.schema import Decision
from warehouse.storage import LocalStorage
from warehouse.store import Warehouse

pytestmark = [pytest.mark.worldbank, pytest.mark.slow]
NAME = "worldbank.wdi"
INTENSITY = "GB.XPD.RSDV.GD.ZS"
#: Korea's R&D intensity in 2000 and in 2017: the vintage of 2021 bears both out, and GDP was rebased since.
KOREAS = {"paper001-c018", "paper001-c021"}


def quiet(_: str) -> None:
    return None


@pytest.fixture
def walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The R&D intensity as it was published in 2021."""
    serving(monkeypatch, small(NAME, [INTENSITY]))
    settings = Settings(home=tmp_path / "home", pages=False)
    assert pipeline.refresh(settings, NAME, on=date(2021, 9, 15), note=quiet, actor="walk").verdicts == ()
    return settings


def strict() -> Dataset:
    """The same, which holds back whatever comes."""
    dataset = small(NAME, [INTENSITY])
    [part] = dataset.parts
    checks = part.checks.model_copy(update={"min_observations": 1_000_000})
    return dataset.model_copy(update={"parts": (part.model_copy(update={"checks": checks}),)})


def verdicts(settings: Settings, edition: int) -> dict[str, str]:
    """Every statement's verdict in an edition."""
    warehouse = Warehouse(**settings.place, create=False)
    judged = asking.judged(warehouse, catalogue.load(), when=When(edition=edition))
    return {name: one.verdict.value for name, one in judged.items()}


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in after if before[name] != after[name]}


def told_of(text: str, known: Collection[str]) -> dict[str, str]:
    """What a text says of each statement, in English."""
    lines = (line.removeprefix("- ").partition(": ") for line in text.splitlines())
    return {name: said for name, _, said in lines if name in known}


def test_a_rebasing_opens_one_incident_over_exactly_the_verdicts_that_it_changes(
    walked: Settings, tmp_path: Path
) -> None:
    warehouse = Warehouse(**walked.place, create=False)
    released = pipeline.refresh(walked, NAME, note=quiet)
    assert released.edition is not None
    before, after = verdicts(walked, released.edition - 1), verdicts(walked, released.edition)
    changed = differing(before, after)
    assert changed >= KOREAS

    [opened] = released.verdicts
    assert opened.kind == incidents.VERDICT
    told = told_of(opened.text, after)
    assert set(told) == changed
    assert [name for name in changed if f"{before[name]} → {after[name]}" not in told[name]] == []
    assert f"changes {len(changed)} verdicts on papers" in released.message
    [rule] = [result for result in released.results if result.rule == "printed-cells"]
    reproducing = [verdict.value for verdict in changes.REPRODUCING]
    lost = {
        name
        for name in changed
        if before[name] in reproducing and after[name] not in reproducing[: reproducing.index(before[name])]
    }
    assert released.decision is Decision.PUBLISHED_WITH_WARNINGS
    assert (rule.unexpected, rule.success) == (len(lost), False)
    assert lost >= KOREAS

    assert pipeline.refresh(walked, NAME, full=True, note=quiet).verdicts == ()
    assert [row["id"] for row in lineage.open_incidents(warehouse)] == [opened.id]
    assert [notice.title for notice in notices.deliver_pending(walked)[0]] == [opened.title]

    incidents.acknowledge(warehouse, opened.id, reason="a note was sent to the journal", by="Li Wei")
    assert lineage.open_incidents(warehouse) == []
    publish.flush(warehouse)
    rebuild.into_home(LocalStorage(warehouse.root), tmp_path / "again", "sandbox", ArchiveParsers(cores=1))
    again = Warehouse(tmp_path / "again", "sandbox", create=False)
    assert not list(differences(warehouse, again))


def test_what_is_held_back_says_what_a_release_would_change_and_a_void_takes_it_back(
    walked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(**walked.place, create=False)
    serving(monkeypatch, strict())
    held = pipeline.refresh(walked, NAME, note=quiet)
    assert (held.decision, held.verdicts) == (Decision.QUARANTINED, ())
    assert held.incident is not None
    assert "; a release would change" in held.message
    foreseen = deciding.facts(walked, held.batch_id)["verdicts"]

    released = pipeline.decide(walked, held.batch_id, "release", reason="rebased", by="Li Wei")
    assert released.edition is not None
    before, after = verdicts(walked, released.edition - 1), verdicts(walked, released.edition)
    changed = differing(before, after)
    [opened] = released.verdicts
    assert set(told_of(held.incident.text, after)) == set(told_of(opened.text, after)) == changed >= KOREAS
    assert {line.partition(":")[0] for line in foreseen["en"]} == changed
    assert {line.partition("\u3000")[0] for line in foreseen["zh"]} == changed

    voided = pipeline.decide(walked, held.batch_id, "void", reason="it was the wrong file", by="Li Wei")
    assert voided.edition is not None
    assert verdicts(walked, voided.edition) == before
    assert [(change.id, change.transition) for change in voided.verdicts] == [(opened.id, "closed")]
    assert incidents.open_now(warehouse, NAME, incidents.VERDICT) == []


def test_a_paper_that_cannot_be_read_is_a_finding_and_stops_no_refresh(walked: Settings, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text("id: mine\ntitel: wrong\n", encoding="utf-8")
    settings = walked.model_copy(update={"papers": tmp_path / "own"})
    released = pipeline.refresh(settings, NAME, note=quiet)
    assert released.edition is not None
    [rule] = [result for result in released.results if result.rule == "papers-judged"]
    assert "1 of the papers' files cannot be read" in rule.observed
    assert [change.kind for change in released.verdicts] == [incidents.VERDICT]


def test_data_that_come_for_the_first_time_open_no_incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving(monkeypatch, small(NAME, [INTENSITY]))
    first = pipeline.refresh(Settings(home=tmp_path / "home", pages=False), NAME, note=quiet)
    assert (first.edition, first.verdicts) == (1, ())
    assert [result for result in first.results if result.layer == "papers"] == []


def test_an_incident_that_a_dead_process_owed_is_opened_once_by_the_next_run(
    walked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(**walked.place, create=False)
    with monkeypatch.context() as killed:
        killed.setattr(incidents, "open_new", _killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.refresh(walked, NAME, note=quiet)
    assert lineage.open_incidents(warehouse) == []
    edition = lineage.batches(warehouse, limit=1)[0]["edition"]
    changed = differing(verdicts(walked, edition - 1), verdicts(walked, edition))

    again = pipeline.refresh(walked, NAME, full=True, note=quiet)
    assert again.edition is None
    [opened] = again.verdicts
    assert set(told_of(opened.text, verdicts(walked, edition))) == changed >= KOREAS
    assert pipeline.refresh(walked, NAME, full=True, note=quiet).verdicts == ()
    assert [row["id"] for row in lineage.open_incidents(warehouse)] == [opened.id]


@pytest.mark.parametrize("failing", ["of_edition", "forecast"])
def test_an_incident_that_could_not_be_judged_is_opened_by_the_next_run(
    walked: Settings, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    said: list[str] = []
    with monkeypatch.context() as broken:
        broken.setattr(changes, failing, _broken)
        if failing == "forecast":
            broken.setattr(changes, "of_edition", _broken)
        released = pipeline.refresh(walked, NAME, note=said.append)
    assert (released.edition, released.verdicts) == (2, ())
    assert "published, but the papers could not be judged: OSError: no space left" in said[-1]
    [opened] = pipeline.refresh(walked, NAME, full=True, note=quiet).verdicts
    assert set(told_of(opened.text, KOREAS)) == KOREAS


def test_a_private_paper_is_judged_when_asked_for_and_told_to_nobody(
    walked: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text(PRIVATE, encoding="utf-8")
    settings = walked.model_copy(update={"papers": tmp_path / "own"})
    released = pipeline.refresh(settings, NAME, note=quiet)
    assert len(released.verdicts) == 1
    notices.deliver_pending(settings)
    pipeline.finish(settings)
    written = [path for path in settings.home.rglob("*") if path.is_file()]
    assert {"catalog.sqlite", "index.html", "indicators.duckdb"} <= {path.name for path in written}
    for word in ("mine-c1", "unheard of", "闻所未闻"):
        assert [path for path in written if word.encode() in path.read_bytes()] == []
    cells = overview.printed(settings), overview.printed(settings, shared=True)
    [own] = cells[0].keys() - cells[1].keys()
    assert own == ("worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS", "2005")

    mine = catalogue.load(settings.papers)
    judged = asking.judged(Warehouse(**settings.place, create=False), mine, ["mine-c1"])["mine-c1"]
    assert judged.verdict.value == "reproduced, revised since"


PRIVATE = """
id: mine
title: {en: An unheard of paper, zh: 闻所未闻}
year: 2021
public: false
cutoff: {earliest: "2021-01-01", latest: "2021-12-31", evidence: by its text}
claims:
  - id: mine-c1
    says: {en: An unheard of intensity, zh: 闻所未闻的强度}
    kind: ratio
    entities: [KOR]
    period: "2005"
    printed: "2.63"
    unit: percent of GDP
    sense: equals
    readings:
      - {use: value, with: {x: wdi-gerd-gdp}}
"""


def _broken(*_: object) -> None:
    raise OSError("no space left")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
