"""Structures within a refresh: when they are read, what a change of them does to the batch, and that it lasts.

All in this process, against one sandbox, without Prefect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import datasets, structures
from connectors.contract import Ask
from connectors.errors import Blocked, ProviderError
from connectors.http.request import Request
from connectors.http.transport import Transport
from connectors.sandbox import oecd_structures
from connectors.sandbox.server import serve
from expectations.structure_rules import READ
from flows import pipeline, structure_step
from flows.outcome import Outcome
from flows.rebuild import ArchiveParsers
from flows.settings import Settings
from flows.structure_step import MAX_AGE, due
from tests.flows.small import serving, small
from warehouse import clock, described, lineage, questions, rebuild
from warehouse.described import Reading
from warehouse.sameness import differences
from warehouse.schema import Decision, Payload
from warehouse.store import Warehouse

PCT, SBRD, WDI, NBS = "oecd.pct_cooperation", "oecd.sbrd", "worldbank.wdi", "nbs.science_technology"
DATASETS = (
    small(PCT),
    small(SBRD, ("G_PPP", "G_NC")),
    small(WDI, ("GB.XPD.RSDV.GD.ZS", "SP.POP.TOTL")),
    small(NBS, ("overview", "patent_grants")),
)
Refresh = Callable[..., Outcome]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with serve() as running:
        yield f"http://127.0.0.1:{running.port}"


@pytest.fixture
def settings(tmp_path: Path, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    serving(monkeypatch, *DATASETS)
    return Settings(home=tmp_path / "home", sandbox_url=sandbox)


@pytest.fixture
def refresh(settings: Settings) -> Refresh:
    def run(
        dataset: str, fault: str | None = None, on: date | None = None, ask: Ask | None = None, **how: Any
    ) -> Outcome:
        return pipeline.refresh(settings, dataset, fault=fault, on=on, ask=ask, note=lambda _: None, **how)

    return run


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return pipeline.open_warehouse(settings)


def found(outcome: Outcome) -> set[str]:
    return {result.rule for result in outcome.results if result.layer == "structure" and not result.success}


def looked(outcome: Outcome) -> bool:
    return any(result.layer == "structure" for result in outcome.results)


def failed_checks(warehouse: Warehouse, dataset: str) -> dict[str, str]:
    newest = lineage.batches(warehouse, dataset)[0]["batch"]
    return {check["rule"]: check["observed"] for check in lineage.batch(warehouse, newest)["failed"]}


@pytest.mark.oecd
def test_a_structure_is_read_at_first_then_when_it_is_old(refresh: Refresh) -> None:
    days = [date(2026, 10, 1), date(2026, 10, 7), date(2026, 10, 8), date(2026, 10, 9)]

    first, *others = [refresh(PCT, on=day) for day in days]

    assert [looked(outcome) for outcome in (first, *others)] == [True, False, True, False]
    assert [outcome.requests for outcome in (first, *others)] == [5, 4, 5, 4]
    assert [outcome.decision for outcome in others] == [Decision.UNCHANGED] * 3
    assert {result.rule: result.examined for result in first.results}["role-changed"] > 2


@pytest.mark.oecd
def test_whoever_wants_everything_read_gets_the_structure_as_well(refresh: Refresh) -> None:
    assert [looked(refresh(PCT, full=full)) for full in (False, False, True)] == [True, False, True]


@pytest.mark.oecd
def test_throttled_structures_do_not_pause_the_data_of_other_datasets(
    refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Transport._once

    def throttled(transport: Transport, request: Request, attempt: int) -> Payload:
        answer = once(transport, request, attempt)
        return replace(answer, status=429) if request.path.startswith("dataflow") else answer

    monkeypatch.setattr(Transport, "_once", throttled)
    assert found(refresh(PCT)) == found(refresh(SBRD)) == {READ}
    monkeypatch.undo()


@pytest.mark.oecd
def test_a_moved_probe_and_a_reading_that_was_not_accepted_make_it_due() -> None:
    now = clock.from_text("2026-10-01T00:00:00.000000Z")
    stands = Reading("a", now, True, True, "2026-09-01", ())

    assert due(None, None, now, None)
    assert not due(stands, stands, now, "2026-09-01")
    assert not due(stands, stands, now, None)
    assert due(stands, stands, now, "2026-09-30")
    assert due(stands, stands, now + MAX_AGE, "2026-09-01")
    assert due(replace(stands, batch_id="b", accepted=False), stands, now, "2026-09-01")


CHANGES = [
    (SBRD, "renamed_code", {"code-renamed", "unit-changed"}),
    (SBRD, "vanished_code", {"code-vanished"}),
    (SBRD, "version_bump", {"version-changed"}),
    (SBRD, "changed_unit", {"unit-changed", "code-renamed", "attribute-changed", "code-list-changed"}),
    (WDI, "renamed_code", {"code-renamed", "unit-changed"}),
    (WDI, "vanished_code", {"code-vanished"}),
    (NBS, "renamed_code", {"code-renamed"}),
    (NBS, "vanished_code", {"code-vanished"}),
]


@pytest.mark.parametrize(
    ("dataset", "fault", "rules"),
    [pytest.param(*one, marks=getattr(pytest.mark, one[0].split(".")[0])) for one in CHANGES],
)
def test_each_change_is_found_before_values_are_published(
    refresh: Refresh, warehouse: Warehouse, dataset: str, fault: str, rules: set[str]
) -> None:
    refresh(dataset, on=date(2026, 11, 22))

    outcome = refresh(dataset, fault, on=date(2026, 11, 30))

    assert found(outcome) == rules
    severe = {result.severity.value for result in outcome.results if not result.success}
    assert outcome.decision is (Decision.QUARANTINED if "critical" in severe else Decision.UNCHANGED)
    assert (outcome.decision is Decision.QUARANTINED) is (fault != "version_bump")
    assert outcome.edition is None
    assert rules <= failed_checks(warehouse, dataset).keys()


@pytest.mark.oecd
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("new_dimension", {"dimension-new": "dimension ADJUSTMENT is new"}),
        ("changed_role", {"role-changed": "AGENT_ROLE: role _Z is gone"}),
        ("version_bump", {"version-changed": "was '1.0' and is '1.1'"}),
    ],
)
def test_when_no_part_can_be_read_the_structure_says_why(
    refresh: Refresh, warehouse: Warehouse, fault: str, told: dict[str, str]
) -> None:
    refresh(PCT)

    with pytest.raises(ProviderError):
        refresh(PCT, fault)

    checks = failed_checks(warehouse, PCT)
    assert {rule: text in checks[rule] for rule, text in told.items()} == dict.fromkeys(told, True)


@pytest.fixture
def in_thousands(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on the sandbox says that patents are counted in thousands, and serves the same numbers."""
    structure = oecd_structures.structure

    def change() -> None:
        def said(*arguments: Any, **more: Any) -> str:
            return structure(*arguments, **more).replace(">PATN<", ">PATN, thousands<")

        monkeypatch.setattr(oecd_structures, "structure", said)

    return change


@pytest.mark.oecd
def test_a_changed_structure_holds_back_what_has_not_changed_until_a_person_decides(
    refresh: Refresh, settings: Settings, warehouse: Warehouse, in_thousands: Callable[[], None], tmp_path: Path
) -> None:
    series = f"{PCT}:9P50_1.A.AP.PATN.PRIORITY.KOR.WXD._Z.CO._Z._Z"
    refresh(PCT, on=date(2026, 10, 1))
    before = questions.values(warehouse, [series])
    in_thousands()

    first, second = (refresh(PCT, on=date(2026, 10, day)) for day in (9, 10))
    assert [(one.decision, one.vintages, found(one)) for one in (first, second)] == [
        (Decision.QUARANTINED, 0, {"unit-changed"}),
    ] * 2
    assert "0 of 2 parts changed (no values changed); unit-changed (UNIT_MEASURE: unit of PATN was" in first.message
    [incident] = lineage.open_incidents(warehouse)
    assert (incident["kind"], incident["occurrences"]) == ("quarantine", 2)
    assert incident["title"] == f"{PCT}: a changed structure is held back"

    pipeline.decide(settings, first.batch_id, "discard", reason="a mistake of theirs", by="Ada")
    third = refresh(PCT, on=date(2026, 10, 11))
    assert found(third) == {"unit-changed"}, "a discard keeps the old structure"

    released = pipeline.decide(settings, third.batch_id, "release", reason="announced", by="Ada")
    after = questions.values(warehouse, [series])
    assert [row["vintage"] for row in after] == [row["vintage"] for row in before], "an edition without a new vintage"
    assert released.edition == first_edition(before) + 1
    fourth = refresh(PCT, on=date(2026, 10, 12))
    assert (fourth.decision, looked(fourth)) == (Decision.UNCHANGED, False), "a release accepts the new structure"
    fifth = refresh(PCT, on=date(2026, 10, 19))
    assert (fifth.decision, looked(fifth), found(fifth)) == (Decision.UNCHANGED, True, set())

    pipeline.decide(settings, third.batch_id, "void", reason="it was a mistake after all", by="Ada")
    assert_replays(settings, warehouse, tmp_path / "elsewhere")


def first_edition(rows: list[dict[str, Any]]) -> int:
    [edition] = {row["edition"] for row in rows}
    return int(edition)


def assert_replays(settings: Settings, warehouse: Warehouse, into: Path) -> None:
    """Everything comes out of payloads and journal alone, structures and their findings included."""
    rebuild.into_home(settings.storage, into, settings.profile, ArchiveParsers(1))
    other = Warehouse(into, settings.profile, create=False)
    assert [str(one) for one in differences(warehouse, other)] == []
    now = datetime(2026, 11, 1, tzinfo=UTC)
    (last, accepted), told = (described.last_and_accepted(one, PCT, now) for one in (warehouse, other))
    assert (last, accepted) == told
    assert accepted is not None
    assert len(described.answers(other, accepted)) == 2


@pytest.mark.oecd
def test_a_refused_structure_costs_no_data_and_is_asked_again(
    refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = Transport.get

    def refused(transport: Transport, request: Request, *more: Any) -> Payload:
        if request.path.startswith("dataflow/"):
            raise Blocked("the provider refuses us (403)", next_step="wait some hours")
        return get(transport, request, *more)

    with monkeypatch.context() as patched:
        patched.setattr(Transport, "get", refused)
        first = refresh(PCT, on=date(2026, 10, 1))
        second = refresh(PCT, on=date(2026, 10, 2))
    third = refresh(PCT, on=date(2026, 10, 3))

    assert (first.decision, first.vintages, found(first)) == (Decision.PUBLISHED_WITH_WARNINGS, 2, {READ})
    assert (second.decision, found(second)) == (Decision.UNCHANGED, {READ})
    assert "1 warning (structure-read)" in second.message
    assert (looked(third), found(third)) == (True, set())


@pytest.mark.worldbank
def test_the_list_of_economies_is_asked_once_for_data_and_structure(refresh: Refresh, warehouse: Warehouse) -> None:
    refresh(WDI)
    newest = lineage.batches(warehouse, WDI)[0]["batch"]
    sent = lineage.batch(warehouse, newest)["sent"]
    assert [len([one for one in sent if text in one]) for text in ("/country?", "/source/2/indicator?")] == [1, 1]


@pytest.mark.worldbank
def test_an_archive_is_not_compared_with_the_structure_of_today(refresh: Refresh) -> None:
    ask = Ask(("GB.XPD.RSDV.GD.ZS",), versions=("202109",))
    assert not looked(refresh(WDI, ask=ask))


@pytest.mark.oecd
def test_a_dataset_file_of_another_flow_is_compared_with_itself(refresh: Refresh, warehouse: Warehouse) -> None:
    refresh(PCT, on=date(2026, 10, 1))
    [accepted, *_] = described.last_and_accepted(warehouse, PCT, datetime(2026, 10, 2, tzinfo=UTC))
    other = datasets.load(SBRD)
    found = structure_step.reference(warehouse, other, accepted)
    assert found == structures.expected(other)
