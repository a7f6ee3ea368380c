"""The catalogue: the shipped files are whole, and what is wrong with a file is told with its line."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors import datasets
from connectors.sandbox import facts
from warehouse.errors import UsageError
from warehouse.papers import catalogue, entries, vocabulary
from warehouse.papers.catalogue import Catalogue, CatalogueError
from warehouse.papers.model import Formula

PAPER = """\
id: mine
title: {en: Mine, zh: 我的}
year: 2021
cutoff: {earliest: 2021-01-01, latest: 2021-12-31, evidence: {en: received, zh: 收稿日}}
exhibits:
  - id: mine-tab1
    number: "1"
    kind: table
    title: {en: One, zh: 表一}
    quantitative: true
claims:
  - id: mine-c001
    says: {en: R&D intensity, zh: 研发强度}
    kind: ratio
    entities: [KOR]
    period: "2017"
    printed: "4.6"
    unit: percent of GDP
    sense: equals
    machine_readable: "yes"
    readings:
      - use: value
        with: {x: wdi-gerd-gdp}
checks:
  - {id: k01, what: {en: one, zh: 一}, kind: arithmetic, let: {a: mine-c001}, expression: a + 1}
"""
SHARED = Path(__file__).parents[2] / ".." / "shared" / "papers" / "papers.yaml"


def written(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The paper above with some pieces replaced."""
    text = PAPER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_the_shipped_files_have_no_mistake(papers: Catalogue) -> None:
    assert papers.wrong == {}
    assert sorted(papers.papers) == [f"paper00{number}" for number in range(5)]
    counts = Counter(paper.id for paper, _ in papers.statements.values())
    cells = Counter(paper.id for paper in papers.papers.values() for one in paper.exhibits for _ in one.cells)
    assert (sum(counts.values()) - sum(cells.values()), sum(cells.values()), len(papers.exhibits)) == (362, 192, 26)


def test_everything_of_the_given_catalogue_has_its_entry(papers: Catalogue) -> None:
    if not SHARED.exists():
        pytest.skip("the given catalogue of the papers lies beside the repository, and is not there")
    given = YAML(typ="safe").load(SHARED.read_text())
    assert {one.registry for one in papers.measures.values()} - {None} == set(given["series_registry"])
    assert {one.registry for one in papers.definitions.values()} - {None} == {
        one["id"] for one in given["derived_definitions"]
    }
    assert {one["id"] for one in given["country_groups"]} <= set(papers.groups)
    claims = [claim["id"] for paper in given["papers"] for claim in paper["claims"]]
    assert set(claims) <= set(papers.statements)


def test_a_paper_without_mistakes_is_read(tmp_path: Path) -> None:
    paper = catalogue.load_paper(written(tmp_path))
    assert paper.statements[0].readings[0].use == "value"
    assert not paper.public


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("use: value", "use: nothing", 22, "unknown definition 'nothing'"),
        ("wdi-gerd-gdp", "wdi-none", 23, "unknown measure 'wdi-none'"),
        ("{x: wdi-gerd-gdp}", "{y: wdi-gerd-gdp}", 23, "value has no input 'y'; it has x"),
        ("        with: {x: wdi-gerd-gdp}\n", "", 22, "value: no measure is named for its input 'x'"),
        ("unit: percent of GDP", "unit: persons", 22, "value gives percent of GDP, which is no persons"),
        ("unit: percent of GDP", "unit: percent of GERD", 22, "value gives percent of GDP, which is no percent of GERD"),
        ("unit: percent of GDP", "unit: percentage points", 22, "which is no percentage points"),
        ("unit: percent of GDP", "unit: furlongs", 18, "unknown unit 'furlongs'"),
        ("use: value", "use: sum", 23, "wdi-gerd-gdp is in percent of GDP, which is not summed: the input 'x' of sum"),
        ("use: value", "use: d-ageing", 23, "where percent of population is wanted: the input 'x' of d-ageing"),
        ("wdi-gerd-gdp", "oecd-exports-to", 22, "value has no partners to speak of"),
        ("use: value\n        with: {x: wdi-gerd-gdp}", "use: sum\n        with: {x: oecd-exports-to}", 23,
         "oecd-exports-to is told by partner where totals are wanted: the input 'x' of sum"),
        ("use: value\n        with: {x: wdi-gerd-gdp}", "use: range-over-pairs\n        with: {x: wdi-gdp}", 23,
         "wdi-gdp is not told by partner: the input 'x' of range-over-pairs"),
        ("use: value\n        with: {x: wdi-gerd-gdp}", "use: share-of-world\n        with: {x: oecd-gerd-ppp}", 22,
         "oecd-gerd-ppp has no world total: the input 'world' of share-of-world"),
        ("[KOR]", "[Korea]", 15, "'Korea' is neither a code of three letters nor a group"),
        ("[KOR]", "[G20]", 22, "value has no economies to speak of"),
        ('"2017"', '"c. 2017"', 22, "'c. 2017' is not a period"),
        ('"2017"', '"2018:2017"', 22, "runs backwards"),
        ('"2017"', '"2017:2018-Q2"', 22, "from a period of one length to one of another"),
        ('"2017"', '"2017:"', 22, "has no first or no last period"),
        ("entities: [KOR]", "entities: [KOR]\n    exhibit: mine-tab9", 16, "the paper has no exhibit mine-tab9"),
        ("    readings:\n      - use: value\n        with: {x: wdi-gerd-gdp}\n", "", 20, "no reading says how"),
        ("a: mine-c001", "a: mine-c009", 25, "k01: no statement mine-c009"),
        ("a + 1", "a + b", 25, "nothing in `let` is called b"),
        ("a + 1", "a +", 25, "'a +' is no expression"),
        ("a + 1", "1 + 1", 25, "a is in `let` and not in the expression"),
        ("收稿日", "TODO", 4, "cutoff.evidence.zh: still TODO"),
        ("id: mine-c001\n", "id: other-c001\n", 12, "does not begin with the paper's id, mine-"),
        ("id: mine-tab1", "id: tab1", 6, "does not begin with the paper's id, mine-"),
        ("id: mine\n", "id: paper001\n", 1, "paper001 is the id of another paper"),
        ('printed: "4.6"', "printed: 4.6", 17, "write it in quotes"),
        ("sense: equals", "sense: eq", 19, "claims.0.sense"),
        ("kind: ratio", "verdict: reproduced", 14, "claims.0.verdict: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    path = written(tmp_path, (old, new))
    with pytest.raises(CatalogueError) as error:
        catalogue.load_paper(path)
    told = [mistake for mistake in error.value.mistakes if says in mistake]
    assert told, error.value.mistakes
    assert told[0].startswith(f"{line}: ")
    assert f"mine.yaml:{line}: " in str(error.value)
    assert str(error.value).endswith(f"correct {path} and try again; nothing was changed")


@pytest.mark.parametrize(
    ("printed", "scale", "fits"),
    [
        ("12", 0, True),
        ("12.5", 0, False),
        ("1.5", 4, True),
        ("1.23456", 4, False),
        ("150", -1, True),
        ("0.5", -1, False),
    ],
)
def test_whole_things_are_printed_as_whole_numbers(tmp_path: Path, printed: str, scale: int, fits: bool) -> None:
    count = ('printed: "4.6"', f'printed: "{printed}"\n    scale: {scale}'), ("percent of GDP", "papers")
    path = written(tmp_path, *count, ("wdi-gerd-gdp", "wdi-articles"))
    if fits:
        assert catalogue.load_paper(path).claims[0].scale == scale
    else:
        with pytest.raises(CatalogueError, match="is no whole number of them"):
            catalogue.load_paper(path)


def test_a_share_may_exceed_the_whole(tmp_path: Path) -> None:
    path = written(tmp_path, ('"4.6"', '"104.6"'))
    assert catalogue.load_paper(path).claims[0].printed == "104.6"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    path = written(tmp_path, ("use: value", "use: nothing"), ("[KOR]", "[Korea]"), ("a + 1", "b"))
    with pytest.raises(CatalogueError) as error:
        catalogue.load_paper(path)
    lines = [int(re.match(r"\d+", mistake)[0]) for mistake in error.value.mistakes]  # type: ignore[index]
    assert len(lines) == 4
    assert lines == sorted(lines)


def test_a_statement_that_stands_twice_is_told(tmp_path: Path) -> None:
    text = PAPER.partition("checks:")[0]
    path = tmp_path / "mine.yaml"
    path.write_text(text + text.partition("claims:\n")[2])
    with pytest.raises(CatalogueError, match="24: mine-c001 stands twice"):
        catalogue.load_paper(path)


def test_chinese_words_of_ours_are_chinese(tmp_path: Path) -> None:
    path = written(tmp_path, ("zh: 研发强度", "zh: R&D intensity"))
    paper = catalogue.load_paper(path)  # one's own may be in one language
    found = list(entries.mistakes(paper, vocabulary.vocabulary(), ours=True))
    assert found == [(("claims", 0, "says", "zh"), "claims.0.says: 'R&D intensity' is no Chinese")]


@pytest.mark.parametrize("name", ["paper001-c02l", "paper01-c021"])
def test_an_unknown_id_is_answered_with_the_nearest(papers: Catalogue, name: str) -> None:
    with pytest.raises(UsageError, match=r"did you mean.*paper001-c0"):
        papers.statement(name)
    with pytest.raises(UsageError, match="figurekeeper papers"):
        papers.exhibit("something else")


def test_groups_are_expanded_and_each_member_stands_once(papers: Catalogue) -> None:
    assert papers.members(["CJK"]) == ("CHN", "JPN", "KOR")
    assert papers.members(["NAFTA+EU", "USA"]) == ("USA", "CAN", "MEX", "EU27_2020", "GBR")
    assert papers.members(["G20"]) == ()
    known = {row["id"] for row in facts.table("worldbank_countries.csv")}
    for group in papers.groups.values():
        assert set(papers.members(group.members)) <= known | {"EU27_2020"}, group.id


def test_aggregates_are_those_of_the_world_bank(papers: Catalogue) -> None:
    told = {row["id"] for row in facts.table("worldbank_countries.csv") if row["region_value"].strip() == "Aggregates"}
    assert told <= papers.aggregates
    economies = {row["id"] for row in facts.table("worldbank_countries.csv")} - told
    assert not economies & papers.aggregates


@pytest.mark.parametrize(
    ("unit", "wanted", "factor"),
    [
        ("USD", "USD 100 million", 1e-8),
        ("USD 100 million", "USD", 1e8),
        ("ratio", "percent", 100),
        ("percent of GDP", "percent", 1),
        ("percent", "percent of GERD", 1),
        ("percent of GDP", "percent of GERD", None),
        ("percent", "percentage points", None),
        ("national currency", "JPY per year", 1),
        ("JPY per year", "JPY per person", None),
        ("papers", "persons", None),
    ],
)
def test_one_unit_in_another(papers: Catalogue, unit: str, wanted: str, factor: float | None) -> None:
    assert papers.factor(unit, wanted) == (factor if factor is None else pytest.approx(factor))


def test_differences_of_percents_are_percentage_points(papers: Catalogue) -> None:
    def unit(use: str, measure: str) -> str:
        return papers.unit_of(Formula.model_validate({"use": use, "with": {"x": measure}}))

    assert unit("rise", "wdi-gerd-gdp") == unit("lead", "oecd-berd-gdp") == "percentage points"
    assert unit("rise", "wdi-gdp") == "USD"
    assert unit("value", "wdi-gerd-gdp") == "percent of GDP"


def test_measures_name_series_and_units_of_dataset_files(papers: Catalogue) -> None:
    known = {one.id: one for one in datasets.load_all().values()}
    without = set()
    for measure in papers.measures.values():
        name, _, key = measure.series.partition(":")
        dataset = known.get(name)
        if dataset is None:
            without.add(name)
            continue
        units = {part.unit for part in dataset.parts}
        assert measure.provider_unit in units or dataset.provider == "nbs", measure.id
        if "/" in key:
            assert key.partition("/")[0] in {part.id for part in dataset.parts}, measure.id
        elif dataset.reads == "api":
            assert key.count(".") == len(dataset.dimensions) - 1 or dataset.provider == "worldbank", measure.id
    assert without == {"oecd.technology_balance", "oecd.bibliometrics_totals"}  # flows that were never seen


def test_units_groups_and_measures_that_are_named_exist(papers: Catalogue) -> None:
    for unit in papers.units.values():
        assert {unit.of, unit.general} - {None} <= set(papers.units), unit.id
        assert unit.of is None or unit.general is None, unit.id
    for measure in papers.measures.values():
        assert measure.unit in papers.units, measure.id
    wanted = {"any", "adds", "same", "difference", *papers.units}
    for definition in papers.definitions.values():
        for one in definition.inputs.values():
            assert one.unit in wanted, definition.id
            assert one.measure in {None, *papers.measures}, definition.id
            assert one.of in {None, *definition.inputs}, definition.id
        assert definition.unit in wanted, definition.id


def test_every_unit_and_group_has_a_use(papers: Catalogue) -> None:
    used = {statement.unit for _, statement in papers.statements.values()}
    used |= {measure.unit for measure in papers.measures.values()}
    used |= {definition.unit for definition in papers.definitions.values()}
    used |= {one.unit for definition in papers.definitions.values() for one in definition.inputs.values()}
    used |= {drawn.unit for _, exhibit in papers.exhibits.values() for drawn in exhibit.drawn}
    used |= {name for unit in papers.units.values() for name in (unit.of, unit.general) if name is not None}
    assert set(papers.units) - used == set()


def test_a_definition_like_none_and_one_with_a_strange_input_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("measures", "groups", "units"):
        shutil.copy(vocabulary.FOLDER / f"{name}.yaml", tmp_path)
    entry: dict[str, Any] = {"id": "d", "name": "D", "formula": "x"}
    for fields, says in (
        ({"like": "none"}, "no definition with a formula"),
        ({"like": "base", "inputs": {"y": {}}}, "no input y"),
    ):
        base = {**entry, "id": "base", "inputs": {"x": {"unit": "any"}}, "unit": "same", "sql": "select 1 as value"}
        with (tmp_path / "definitions.yaml").open("w") as file:
            YAML().dump({"definitions": [base, {**entry, **fields}]}, file)
        monkeypatch.setattr(vocabulary, "FOLDER", tmp_path)
        with pytest.raises(CatalogueError, match=says):
            vocabulary.vocabulary.__wrapped__()


def test_the_given_words_are_not_shipped(papers: Catalogue) -> None:
    """No sentence of the given catalogue stands in ours: the project ships facts in its own words."""
    if not SHARED.exists():
        pytest.skip("the given catalogue of the papers lies beside the repository, and is not there")
    given = SHARED.read_text()
    ours = [statement.says.en for _, statement in papers.statements.values() if len(statement.says.en) > 60]
    assert [text for text in ours if text in given] == []
