"""Observations as formulas see them: which vintages, in which unit, known when, and why there are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.papers import made_up
from tests.warehouse import makers
from warehouse import publish, staging
from warehouse.errors import UsageError
from warehouse.papers import formulas, inputs
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.inputs import Held, State
from warehouse.papers.model import Formula
from warehouse.papers.vocabulary import vocabulary
from warehouse.store import Warehouse

SERIES = "test.one:{entity}.X"
WORDS = replace(
    vocabulary(),
    measures={
        "x": made_up.measure("x", "percent", provider_unit="percent").model_copy(update={"series": SERIES}),
        "large": made_up.measure("large", "USD", multiplier=8).model_copy(
            update={"series": SERIES, "codes": {"EU27_2020": "EUU"}}
        ),
        "labelled": made_up.measure("labelled", entity="CHN", codes={"CHN": "0"}).model_copy(
            update={"series": "test.one:q/产值"}
        ),
        "nowhere": made_up.measure("nowhere").model_copy(update={"series": "other.one:{entity}.X"}),
        "unmatched": made_up.measure("unmatched").model_copy(update={"series": "test.one:{entity}.Y"}),
    },
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Two vintages of part p in millions, one of part q."""
    store = makers.store(tmp_path)
    makers.load(store, makers.part({("KOR.X", "2017"): 4.55, ("EUU.X", "2017"): 2.0}, "2021-01-02", stamp="2021-01-01"))
    revised: makers.Cells = {("KOR.X", "2017"): (4.07, "E"), ("EUU.X", "2017"): 2.0, ("JPN.X", "2017"): (None, "M")}
    makers.load(store, makers.part(revised, "2022-01-02", stamp="2022-01-01", multiplier=6))
    told = "printed in a paper: mine-c001"
    makers.load(
        store, makers.part({("0.Z", "2017"): 7.0}, "2022-01-02", name="q", label="产值", unit="亿元", notes=told)
    )
    return store


@pytest.fixture
def observed(warehouse: Warehouse) -> Iterator[Held]:
    with inputs.hold(warehouse, WORDS) as found:
        yield found


def value(found: Held, measure: str, entity: str, state: State) -> float | None:
    asked = Formula.model_validate({"use": "value", "with": {"x": measure}, "entities": [entity], "period": "2017"})
    return formulas.answer(found, WORDS, asked, None, state)[0].value


def test_each_vintage_begins_a_state(observed: Held) -> None:
    first, second = observed.states(["x"])
    assert [first.day, second.day] == ["2021-01-01", "2022-01-01"]
    assert (first.precision, first.basis) == ("day", "publisher")
    assert first.vintages.keys() == second.vintages.keys() == {"test.one/p"}
    assert first.vintages != second.vintages
    assert [value(observed, "x", "KOR", state) for state in (first, second)] == [4.55, 4.07e6]


def test_the_states_of_two_measures_begin_where_both_are_held(observed: Held) -> None:
    (state,) = observed.states(["x", "labelled"])
    assert state.vintages.keys() == {"test.one/p", "test.one/q"}
    assert observed.states(["x", "nowhere"]) == observed.states(["nowhere"]) == []


def test_numbers_are_in_the_unit_of_the_measure(observed: Held) -> None:
    first, second = observed.states(["large"])
    assert value(observed, "large", "KOR", first) == pytest.approx(4.55e8)
    assert value(observed, "large", "KOR", second) == pytest.approx(4.07e14)


def test_areas_are_called_as_we_call_them(observed: Held) -> None:
    state = observed.states(["large"])[0]
    assert value(observed, "large", "EU27_2020", state) == pytest.approx(2e8)
    assert value(observed, "large", "EUU", state) is None


def test_a_provider_whose_ids_change_is_found_by_name(observed: Held) -> None:
    (state,) = observed.states(["labelled"])
    assert value(observed, "labelled", "CHN", state) == 7.0


def test_flags_are_kept_also_without_a_value(observed: Held) -> None:
    state = observed.states(["x"])[-1]
    assert observed.status("x", state) == {("KOR", None, "2017"): "E", ("JPN", None, "2017"): "M"}
    assert value(observed, "x", "JPN", state) is None
    assert observed.economies("x", state) == 1  # the aggregate is none, and a flag is no number


@pytest.mark.parametrize(
    ("measure", "why"),
    [
        ("x", None),
        ("nowhere", "nothing is held of the dataset other.one"),
        ("unmatched", "the dataset test.one is held without a series {entity}.Y"),
    ],
)
def test_it_says_why_nothing_can_be_computed(observed: Held, measure: str, why: str | None) -> None:
    told = observed.why_not(measure)
    assert (told.en if told is not None else None) == why


def test_another_unit_than_expected_is_a_clash(warehouse: Warehouse) -> None:
    renamed = WORDS.measures["x"].model_copy(update={"provider_unit": "per mille"})
    with inputs.hold(warehouse, replace(WORDS, measures={"x": renamed})) as found:
        told = found.why_not("x")
        assert told is not None
        assert told.en == "the provider's unit is percent, not per mille"


def test_a_vintage_in_another_unit_gives_none_of_its_numbers(warehouse: Warehouse) -> None:
    changed = makers.part({("KOR.X", "2017"): 45.5}, "2023-01-02", stamp="2023-01-01", unit="per mille")
    makers.load(warehouse, changed)
    with inputs.hold(warehouse, WORDS) as found:
        states = found.states(["x"])
        assert [value(found, "x", "KOR", state) for state in states] == [4.55, 4.07e6, None]
        told = [found.clash("x", state) for state in states]
        assert found.why_not("x") is None
    assert [one and one.en for one in told] == [None, None, "the provider's unit is per mille, not percent"]


def test_a_number_taken_from_a_paper_is_known_as_that_papers_own(observed: Held) -> None:
    (state,) = observed.states(["labelled"])
    assert observed.own_number("labelled", "mine", state)
    assert not observed.own_number("labelled", "min", state)
    assert not observed.own_number("x", "mine", observed.states(["x"])[0])
    assert observed.disowned("labelled", state) is None


def test_a_vintage_is_judged_by_its_own_notes(warehouse: Warehouse) -> None:
    cells = {("0.Z", "2017"): 8.0}
    noted = makers.part(cells, "2023-01-02", name="q", label="产值", unit="亿元", notes="SANDBOX: from a chart")
    makers.load(warehouse, noted)
    with inputs.hold(warehouse, WORDS) as found:
        states = found.states(["labelled"])
        assert [found.own_number("labelled", "mine", state) for state in states] == [True, False]
        assert [found.disowned("labelled", state) for state in states] == [None, "SANDBOX: from a chart"]


def test_a_vintage_is_no_older_than_the_last_year_it_tells_of(warehouse: Warehouse) -> None:
    projected: makers.Cells = {("KOR.X", "2017"): 4.0, ("KOR.X", "2050"): 5.0}
    makers.load(warehouse, makers.part(projected, "2023-01-02", stamp="2023-01-01"))
    with inputs.hold(warehouse, WORDS) as found:
        assert [found.last_year(state) for state in found.states(["x"])] == [2017, 2017, None]


def test_an_edition_answers_for_ever_as_it_did(warehouse: Warehouse) -> None:
    with inputs.hold(warehouse, WORDS, edition=1) as found:
        before = found.states(["x"])
        assert (found.edition, value(found, "x", "KOR", before[-1])) == (1, 4.55)
    makers.load(warehouse, makers.part({("KOR.X", "2017"): 1.0}, "2020-01-02", stamp="2020-01-01"))
    with inputs.hold(warehouse, WORDS, edition=1) as found:
        assert found.states(["x"]) == before
    with inputs.hold(warehouse, WORDS) as found:
        assert [state.day for state in found.states(["x"])] == ["2020-01-01", "2021-01-01", "2022-01-01"]


def test_what_is_staged_stands_where_it_would(warehouse: Warehouse) -> None:
    data = makers.part({("KOR.X", "2017"): 9.0}, "2023-01-02", stamp="2023-01-01")
    with warehouse.lease("test.one"):
        batch = publish.begin(warehouse, makers.FACTS, "test", None)
        staged = staging.stage(warehouse, makers.FACTS, batch, data)
    assert isinstance(staged, staging.Staged)
    with inputs.hold(warehouse, WORDS, staged=[staged]) as found:
        assert [state.day for state in found.states(["x"])] == ["2021-01-01", "2022-01-01", "2023-01-01"]
        assert value(found, "x", "KOR", found.states(["x"])[-1]) == 9.0
    with inputs.hold(warehouse, WORDS) as found:
        assert value(found, "x", "KOR", found.states(["x"])[-1]) == 4.07e6


def test_a_warehouse_in_which_nothing_is_has_no_states(tmp_path: Path) -> None:
    with inputs.hold(makers.store(tmp_path), WORDS) as found:
        assert found.states(["x"]) == []
        told = found.why_not("x")
        assert told is not None
        assert told.en == "nothing is held of the dataset test.one"


def test_an_edition_that_does_not_exist_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(UsageError, match="no edition 99"), inputs.hold(warehouse, WORDS, edition=99):
        pass


def test_every_measure_of_held_datasets_is_found_in_its_unit(papers: Catalogue, held: Held) -> None:
    told = {name: held.why_not(name) for name in papers.measures}
    assert {name: why.en for name, why in told.items() if why is not None and "nothing is held" not in why.en} == {}
    assert sum(why is None for why in told.values()) >= 40


def test_the_nbs_number_of_a_paper_is_no_proof_for_it(papers: Catalogue, held: Held) -> None:
    assert papers.measures["nbs-fdi-japan"].multiplier == 8
    for measure, paper, own in (
        ("nbs-fdi-japan", "paper000", True),
        ("nbs-fdi-japan", "paper004", False),
        ("nbs-patent-applications", "paper004", False),
    ):
        (state,) = held.states([measure])
        assert held.own_number(measure, paper, state) is own
        assert (held.disowned(measure, state) or "").startswith("SANDBOX:")
