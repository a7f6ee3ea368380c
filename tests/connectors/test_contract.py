"""One contract, all connectors: the same suite over every dataset, against the sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path

import pytest

from connectors import datasets
from connectors.contract import Ask, Fetched, connector
from connectors.errors import (
    Moved,
    ProviderError,
    UnexpectedPayload,
    Unreachable,
)
from connectors.http.answers import Classify
from connectors.http.quota import Quota
from connectors.http.request import Request
from connectors.http.transport import Transport
from connectors.sandbox.server import Sandbox, serve
from warehouse.schema import PARSED, SERIES, Basis, PartData, Payload, Precision, Scope

#: One part is enough for what does not depend on the part.
ONE_PART = {
    "oecd.sbrd": "G_PPP",
    "oecd.pct_cooperation": "COPAT_NB",
    "worldbank.wdi": "GB.XPD.RSDV.GD.ZS",
    "nbs.science_technology": "overview",
    "nbs.fdi_by_country": "asia",
}
MARKS = {name: getattr(pytest.mark, name) for name in ("oecd", "worldbank", "nbs")}
EVERY = [pytest.param(name, marks=MARKS[name.split(".")[0]]) for name in ONE_PART]
REPRESENTATIVE = [
    pytest.param(name, marks=MARKS[name.split(".")[0]])
    for name in ("oecd.sbrd", "worldbank.wdi", "nbs.science_technology")
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


def _transport(sandbox: Sandbox, dataset: str, fault: str | None = None, on: date | None = None) -> Transport:
    provider = dataset.split(".")[0]
    base = sandbox.url(provider, on=on, fault=fault)
    return Transport(provider, base, attempts=2, sleep=lambda _: None, trust_date=True)


def _fetch(transport: Transport, dataset: str, ask: Ask | None = None) -> Fetched:
    found = datasets.load(dataset)
    with transport:
        return connector(found.provider).fetch(found, ask or Ask((ONE_PART[dataset],)), transport)


def _parse(dataset: str, fetched: Fetched) -> PartData:
    found = datasets.load(dataset)
    (part,) = fetched.parts
    if part.error:
        raise part.error
    return connector(found.provider).parse(found, part)


@pytest.mark.parametrize("name", EVERY)
def test_plan_states_the_cost_and_sends_nothing(sandbox: Sandbox, name: str) -> None:
    dataset = datasets.load(name)
    requests = connector(dataset.provider).plan(dataset, Ask())
    assert {request.part for request in requests} == {None, *(part.id for part in dataset.parts)}
    assert {request.cost for request in requests} <= {"data", "structure"}
    with _transport(sandbox, name) as transport:
        fetched = connector(dataset.provider).fetch(dataset, Ask(), transport)
    asked = {(request.part, request.method, request.path) for request in requests}
    assert len(transport.log) in (len(requests), len(requests) + 1)  # the OECD's constraint is read twice
    assert {record.part for record in transport.log} == {part for part, _, _ in asked}
    assert all(part.error is None for part in fetched.parts)


@pytest.mark.parametrize("name", EVERY)
def test_every_part_has_the_schemas_keys_and_order_of_the_warehouse(sandbox: Sandbox, name: str) -> None:
    dataset = datasets.load(name)
    fetched = _fetch(_transport(sandbox, name), name, Ask())
    assert [part.part for part in fetched.parts] == [part.id for part in dataset.parts]
    for part in fetched.parts:
        data = connector(dataset.provider).parse(dataset, part)
        assert data.observations.schema.equals(PARSED)
        assert data.series.schema.equals(SERIES)
        keys = [(row["series_key"], row["period"]) for row in data.observations.to_pylist()]
        assert keys == sorted(set(keys))
        assert keys
        for field in (*PARSED, *SERIES):
            table = data.observations if field.name in PARSED.names else data.series
            assert field.nullable or table.column(field.name).null_count == 0, field.name
        series = data.series.column("series_key").to_pylist()
        assert series == sorted(set(series))
        assert {key for key, _ in keys} == set(series)
        assert set(data.series.column("entity").to_pylist()) <= set(dataset.entities_of(part.part))
        assert all(count > 0 for count in data.skipped.values())
        assert data.payloads == part.payloads
        assert data.scope.complete


@pytest.mark.parametrize("name", EVERY)
def test_the_same_state_hashes_equal_and_another_does_not(sandbox: Sandbox, name: str) -> None:
    first, again = (_parse(name, _fetch(_transport(sandbox, name), name)) for _ in range(2))
    assert first.canonical_hash == again.canonical_hash
    scaled = _parse(name, _fetch(_transport(sandbox, name, "scaled_by_1000"), name))
    assert scaled.canonical_hash != first.canonical_hash
    assert scaled.observations.num_rows == first.observations.num_rows


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_every_answer_is_archived_and_counted(sandbox: Sandbox, name: str, tmp_path: Path) -> None:
    kept: list[Payload] = []
    provider = name.split(".")[0]
    quota = Quota(tmp_path / "quota.sqlite", provider, profile="sandbox")
    transport = Transport(provider, sandbox.url(provider), quota, archive=lambda payload, _: kept.append(payload))
    fetched = _fetch(transport, name)
    used = {payload.sha256 for part in fetched.parts for payload in part.payloads} | {p.sha256 for p in fetched.probes}
    assert used == {payload.sha256 for payload in kept}
    assert len(kept) == transport.sent
    assert sum(left.limit - left.left for left in quota.left()) == transport.sent
    quota.close()


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_the_fetch_time_is_the_providers_own_clock(sandbox: Sandbox, name: str) -> None:
    fetched = _fetch(_transport(sandbox, name, on=date(2026, 12, 31)), name)
    assert fetched.parts[0].payloads[-1].fetched_at.isoformat() == "2026-12-31T23:59:59+00:00"


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_an_unreachable_provider_is_said_at_once(name: str) -> None:
    with pytest.raises(Unreachable, match="Next: "):
        _fetch(Transport(name.split(".")[0], "http://127.0.0.1:1", attempts=1), name)


@pytest.mark.oecd
def test_the_oecds_revisions_and_stamps(sandbox: Sandbox) -> None:
    seen = []
    for day in (date(2024, 3, 13), date(2024, 4, 5), date(2024, 7, 23)):
        data = _parse("oecd.sbrd", _fetch(_transport(sandbox, "oecd.sbrd", on=day), "oecd.sbrd"))
        assert data.stamp is not None
        assert (data.stamp.at.date(), data.stamp.precision, data.stamp.basis) == (
            day,
            Precision.INSTANT,
            Basis.PUBLISHER,
        )
        (value,) = (
            row["value"]
            for row in data.observations.to_pylist()
            if (row["series_key"], row["period"]) == ("CHN.G_PPP", "2018")
        )
        seen.append(value)
        assert data.skipped["pseudo period 2999"] > 0
    assert [round(value, 1) for value in seen] == [465287.5, 465355.9, 480642.3]


@pytest.mark.worldbank
def test_the_world_banks_archive_gives_old_vintages_by_version(sandbox: Sandbox) -> None:
    dataset = datasets.load("worldbank.wdi")
    ask = Ask(("GB.XPD.RSDV.GD.ZS",), Scope("2016", "2017", ("KOR", "JPN")), ("202109", "202507", "199001"))
    with _transport(sandbox, "worldbank.wdi") as transport:
        old, newer, never = connector("worldbank").fetch(dataset, ask, transport).parts
    found = []
    for part in (old, newer):
        data = connector("worldbank").parse(dataset, part)
        assert data.stamp is not None
        assert (data.stamp.basis, data.stamp.precision) == (Basis.ARCHIVE, Precision.MONTH)
        assert not data.scope.complete
        rows = {(row["series_key"][:3], row["period"]): row["value"] for row in data.observations.to_pylist()}
        assert set(rows) == {(code, year) for code in ("KOR", "JPN") for year in ("2016", "2017")}
        found.append(round(rows["KOR", "2017"], 3))
    assert found == [4.553, 4.292]
    assert isinstance(never.error, ProviderError)


@pytest.mark.worldbank
def test_pages_are_read_to_the_end(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _parse("worldbank.wdi", _fetch(_transport(sandbox, "worldbank.wdi"), "worldbank.wdi"))
    monkeypatch.setattr("connectors.worldbank.connector.PER_PAGE", "700")
    transport = _transport(sandbox, "worldbank.wdi")
    paged = _fetch(transport, "worldbank.wdi")
    assert transport.sent > 4
    assert _parse("worldbank.wdi", paged).canonical_hash == whole.canonical_hash


@pytest.mark.oecd
def test_data_that_move_while_they_are_read_are_read_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = datasets.load("oecd.sbrd")
    transport = _transport(sandbox, "oecd.sbrd")
    original, moves = Transport.get, iter([f"2026-01-0{n}" for n in (1, 2, 3, 3)] * 9)

    def moving(self: Transport, request: Request, classify: Classify) -> Payload:
        payload = original(self, request, classify)
        if request.cost == "structure":
            stamped = re.sub(rb'validFrom="[^"]+"', f'validFrom="{next(moves)}T00:00:00Z"'.encode(), payload.content)
            return replace(payload, content=stamped)
        return payload

    monkeypatch.setattr(Transport, "get", moving)
    fetched = connector("oecd").fetch(dataset, Ask(("G_PPP",)), transport)
    assert fetched.parts[0].stamp is not None
    assert fetched.parts[0].stamp.text == "2026-01-03T00:00:00Z"
    assert [record.part for record in transport.log].count("G_PPP") == 2
    moves = iter([f"2026-02-{n:02}" for n in range(1, 20)])
    with pytest.raises(Moved, match="read") as caught:
        connector("oecd").fetch(dataset, Ask(("G_PPP",)), transport)
    assert caught.value.dataset == "oecd.sbrd"


@pytest.mark.oecd
@pytest.mark.parametrize("failing", [(1,), (2,), (1, 2)])
@pytest.mark.parametrize("error", [UnexpectedPayload, Unreachable])
def test_a_stamp_that_cannot_be_read_costs_no_download(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, failing: tuple[int, ...], error: type[ProviderError]
) -> None:
    transport = _transport(sandbox, "oecd.sbrd")
    original, probes = Transport.get, count(1)

    def broken(self: Transport, request: Request, classify: Classify) -> Payload:
        if request.cost == "structure" and next(probes) in failing:
            raise error("broken", next_step="wait")
        return original(self, request, classify)

    monkeypatch.setattr(Transport, "get", broken)
    if error is Unreachable and 1 in failing:  # nothing was read yet, and the provider is not there
        with pytest.raises(Unreachable):
            _fetch(transport, "oecd.sbrd")
        return
    (part,) = _fetch(transport, "oecd.sbrd").parts
    assert part.stamp is None
    assert part.payloads
    assert part.notes == (f"no stamp: the content constraint could not be read ({error('broken', next_step='wait')})",)
    assert [record.part for record in transport.log].count("G_PPP") == 1
