"""How the connectors spare requests: short addresses, lists of some days ago, names of old vintages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from connectors import contract, datasets
from connectors.contract import Ask, Fetched, Known
from connectors.errors import Moved, NoData
from connectors.http.request import Request, bundled
from connectors.http.transport import Transport
from connectors.oecd import connector as oecd
from connectors.sandbox.server import Sandbox, serve
from connectors.versions import versions
from connectors.worldbank import connector as worldbank
from tests.connectors import specimens
from warehouse.errors import UsageError
from warehouse.schema import Payload, Scope

SBRD = datasets.load("oecd.sbrd")
TECH = datasets.load("nbs.science_technology")
LEAF = "overview"
Recall = Callable[[Request], Payload | None]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


def _fetch(sandbox: Sandbox, dataset: datasets.Dataset, ask: Ask) -> tuple[Fetched, list[str]]:
    """What a connector fetched, and the last words of every path it asked for."""
    with Transport(dataset.provider, sandbox.url(dataset.provider), attempts=1) as transport:
        fetched = contract.connector(dataset.provider).fetch(dataset, ask, transport)
        return fetched, [record.url.split("?")[0].split("/")[-1] for record in transport.log]


@pytest.mark.parametrize("most", [1, 7, 8, 40])
def test_bundles_keep_order_and_length(most: int) -> None:
    codes = [f"X{number:02}" for number in range(10)]
    bundles = bundled(codes, "+", most)
    assert "+".join(bundles).split("+") == codes
    assert all(len(bundle) <= max(most, 3) for bundle in bundles)
    assert all(len(one) + 1 + 3 > most for one in bundles[:-1])  # none had room for another


@pytest.mark.oecd
def test_a_key_over_many_economies_is_asked_in_several_short_addresses() -> None:
    codes = tuple(f"X{number:03}" for number in range(900))
    ask = Ask(("G_PPP",), Scope("2010", "2020", codes))
    _, *data, _ = oecd.CONNECTOR.plan(SBRD, ask)
    assert len(data) == 3
    assert all(len(request.address) <= oecd.MAX_ADDRESS for request in data)
    assert "+".join(request.path.split("/")[-1].removesuffix(".G_PPP") for request in data).split("+") == list(codes)


@pytest.mark.oecd
def test_a_part_of_several_answers_is_the_same_part(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = _fetch(sandbox, SBRD, Ask(("G_PPP",)))
    monkeypatch.setattr(oecd, "MAX_ADDRESS", len(oecd._data_request(SBRD, "G_PPP", "", Scope(), None).address) + 11)
    cut, asked = _fetch(sandbox, SBRD, Ask(("G_PPP",)))
    assert [len(fetched.parts[0].payloads) for fetched in (whole, cut)] == [1, 4]
    assert "CHN+JPN+KOR.G_PPP" in asked
    first, second = (oecd.CONNECTOR.parse(SBRD, fetched.parts[0]) for fetched in (whole, cut))
    assert first.canonical_hash == second.canonical_hash
    assert first.skipped == second.skipped


@pytest.mark.oecd
def test_a_bundle_without_data_is_none_and_all_of_them_are_no_data(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oecd, "MAX_ADDRESS", 0)
    fetched, asked = _fetch(sandbox, SBRD, Ask(("G_PPP",), Scope(entities=("KOR", "XXX"))))
    assert asked[1:-1] == ["KOR.G_PPP", "XXX.G_PPP"]
    assert len(fetched.parts[0].payloads) == 1
    nothing, _ = _fetch(sandbox, SBRD, Ask(("G_PPP",), Scope(entities=("XXX", "YYY"))))
    assert isinstance(nothing.parts[0].error, NoData)


@pytest.mark.parametrize("name", ["oecd.sbrd", "worldbank.wdi"])
def test_a_known_stamp_costs_one_request_and_another_one_a_whole_reading(sandbox: Sandbox, name: str) -> None:
    dataset = datasets.load(name)
    dataset = dataset.model_copy(update={"parts": dataset.parts[:1]})
    first, _ = _fetch(sandbox, dataset, Ask())
    assert first.probe is not None
    again, asked = _fetch(sandbox, dataset, Ask(known=Known(first.probe, datetime.now(UTC))))
    assert (again.unmoved, again.parts, again.probe, len(asked)) == (True, (), first.probe, 1)
    other, _ = _fetch(sandbox, dataset, Ask(known=Known("2001-01-01", datetime.now(UTC))))
    assert [part.error for part in other.parts] == [None]


@pytest.mark.worldbank
def test_a_stamp_of_a_day_that_was_not_over_when_it_was_read_is_no_proof(sandbox: Sandbox) -> None:
    dataset = datasets.load("worldbank.wdi")
    dataset = dataset.model_copy(update={"parts": dataset.parts[:1]})
    day = _fetch(sandbox, dataset, Ask())[0].probe
    assert day is not None
    late = datetime.fromisoformat(f"{day}T20:00:00+00:00")
    for read_at, unmoved in ((late, False), (late + timedelta(days=1), True)):
        assert _fetch(sandbox, dataset, Ask(known=Known(day, read_at)))[0].unmoved is unmoved


@pytest.mark.oecd
def test_a_constraint_that_stated_no_time_is_not_asked_again_so_soon(sandbox: Sandbox) -> None:
    constraint = "contentconstraint/OECD.STI.STP/CR_A_DSD_SBRD@DF_SBRD/"
    for text, spared in (("9999-12-31T00:00:00", True), ("2026-01-01T00:00:00Z", False)):
        kept = specimens.payload(specimens.constraint(text))
        recall: Recall = {constraint: kept}.get  # type: ignore[assignment]
        ask = Ask(("G_PPP",), recall=lambda request, known=recall: known(request.address))  # type: ignore[misc]
        fetched, asked = _fetch(sandbox, SBRD, ask)
        assert (len(asked) == 1) is spared
        assert (fetched.probes[0] is kept, fetched.probe is None) == (spared, spared)


@pytest.mark.oecd
def test_an_unusable_stamp_that_moves_is_a_release_under_way(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    days = count(1)
    monkeypatch.setattr(oecd, "read_valid_from", lambda _: f"{datetime.now(UTC).year + 1}-01-{next(days):02}T11:00:00")
    with pytest.raises(Moved, match="moved in each of 3 readings"):
        _fetch(sandbox, SBRD, Ask(("G_PPP",)))
    monkeypatch.undo()
    kept = specimens.payload(specimens.constraint(f"{datetime.now(UTC).year + 1}-01-01T11:00:00"))
    fetched, _ = _fetch(sandbox, SBRD, Ask(("G_PPP",), recall=lambda _: kept))
    assert kept not in fetched.probes  # it is asked again


@pytest.mark.oecd
def test_an_old_day_is_asked_for_by_the_instant_of_its_end() -> None:
    *_, data = oecd.CONNECTOR.plan(SBRD, Ask(("G_PPP",), versions=("2024-07-23",)))
    assert dict(data.params)["asOf"] == "2024-07-23T21:59:59Z"
    assert data.address.endswith("asOf=2024-07-23T21:59:59Z")


@pytest.mark.worldbank
def test_a_day_that_the_pages_do_not_carry_is_not_remembered(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = datasets.load("worldbank.wdi")
    dataset = dataset.model_copy(update={"parts": dataset.parts[:1]})
    monkeypatch.setattr(worldbank, "_last_updated", lambda _: "2026-11-10")
    fetched, _ = _fetch(sandbox, dataset, Ask())
    assert (fetched.probe, [part.error for part in fetched.parts]) == (None, [None])


def _kept_list(sandbox: Sandbox, change: Callable[[dict[str, str]], dict[str, str]]) -> tuple[Payload, Recall]:
    """The list of indicators of a leaf, changed, and a memory that holds it."""
    fetched, _ = _fetch(sandbox, TECH, Ask((LEAF,)))
    listed = fetched.parts[0].payloads[0]
    answer = json.loads(listed.content)
    answer["data"]["list"] = [change(one) for one in answer["data"]["list"]]
    kept = replace(listed, content=json.dumps(answer).encode(), fetched_at=listed.fetched_at - timedelta(days=3))
    return kept, lambda request: kept if "queryIndicatorsByCid" in request.path else None


@pytest.mark.nbs
def test_a_leaf_is_asked_with_its_list_of_some_days_ago(sandbox: Sandbox) -> None:
    kept, recall = _kept_list(sandbox, lambda one: one)
    fetched, asked = _fetch(sandbox, TECH, Ask((LEAF,), recall=recall))
    assert asked == ["esData"]
    assert fetched.probes == ()
    assert fetched.parts[0].payloads[0] is kept


@pytest.mark.nbs
@pytest.mark.parametrize(
    "stale",
    [
        {"_id": "an id that the portal does not know: "},
        {"i_showname": "another name (万项) "},
        {"du_name": "万项"},
    ],
)
def test_a_list_that_is_not_that_of_today_leads_to_a_new_one(sandbox: Sandbox, stale: dict[str, str]) -> None:
    kept, recall = _kept_list(sandbox, lambda one: one | {name: text + one[name] for name, text in stale.items()})
    fetched, asked = _fetch(sandbox, TECH, Ask((LEAF,), recall=recall))
    assert asked == ["esData", "page.html", "queryIndicatorsByCid", "esData"]
    assert fetched.parts[0].payloads[0] is not kept
    whole, _ = _fetch(sandbox, TECH, Ask((LEAF,)))
    hashes = {contract.connector("nbs").parse(TECH, one.parts[0]).canonical_hash for one in (fetched, whole)}
    assert len(hashes) == 1


@pytest.mark.worldbank
@pytest.mark.parametrize("header", [{"page": 1}, {"total": 41, "pages": 41}, {"lastupdated": "2026-08-01"}])
def test_pages_that_do_not_follow_each_other_are_not_read_on(header: dict[str, object]) -> None:
    sent: list[int] = []

    class Pages(Transport):
        def get(self, request: Request, *_: object) -> Payload:
            number = int(dict(request.params)["page"])
            sent.append(number)
            told = {
                "page": number,
                "pages": 40,
                "per_page": 1,
                "total": 40,
                "lastupdated": "2026-07-13",
                "sourceid": "2",
            }
            row = {"indicator": {"id": "X", "value": "x"}, "country": {"id": "KR", "value": "Korea"}, "value": 1}
            row |= {"countryiso3code": "KOR", "date": str(2000 + number), "unit": "", "obs_status": ""}
            return specimens.payload(json.dumps([told | (header if number == 2 else {}), [row]]))

    def request(page: int) -> Request:
        return Request("X", "GET", "country/KOR/indicator/X", (("page", str(page)),))

    assert worldbank._read(request, Pages("worldbank", "http://example.test")) is None
    assert sent == [1, 2]


@pytest.mark.parametrize(
    ("provider", "span", "ids"),
    [
        ("worldbank", "202111:202202", ("202111", "202112", "202201", "202202")),
        ("worldbank", "202109", ("202109",)),
        ("oecd", "2024-02-28:2024-03-01", ("2024-02-28", "2024-02-29", "2024-03-01")),
        ("nbs", None, ()),
    ],
)
def test_a_span_names_the_old_vintages_of_a_provider(provider: str, span: str | None, ids: tuple[str, ...]) -> None:
    assert versions(provider, span) == ids


@pytest.mark.parametrize(
    ("provider", "span", "said"),
    [
        ("worldbank", "2021-09-15", "no span of months"),
        ("worldbank", "202113", "no span of months"),
        ("worldbank", "202202:202111", "no span of months"),
        ("worldbank", ":202111", "no span of months"),
        ("oecd", "202109", "no span of days"),
        ("oecd", "2024-02-30", "day is out of range"),
        ("oecd", "2024-03-13:2024-03-01", "runs backwards"),
        ("oecd", "2999-01-01", "in the future"),
        ("nbs", "202109", "keeps no old vintages"),
    ],
)
def test_a_span_of_another_kind_is_refused(provider: str, span: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"{said}.*Next: "):
        versions(provider, span)
