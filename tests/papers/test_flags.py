"""A provider's status flags stay with a number wherever it goes: verdicts, exhibits, charts, pages, the analysts' file."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from tests.papers import judgements, made_up, shown
from warehouse.papers import formulas, rows, tables, verdicts
from warehouse.papers.asking import Answers
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.figures import charts, exhibits
from warehouse.papers.inputs import Held
from warehouse.papers.model import Formula
from warehouse.papers.results import Number, Seen, Tried, Verdict
from warehouse.papers.vocabulary import vocabulary


def flags(seen: Seen | None) -> dict[str, str]:
    """The flags of each of several numbers, by period, where they have any."""
    assert seen is not None
    return {number.period: number.status for number in seen.numbers if number.status}


def test_the_flags_behind_a_number_are_told_of_then_and_of_now(held: Held, papers: Catalogue) -> None:
    """Japan's intensity breaks in 2018; America's business R&D, against which Japan's is compared, in 2016 and 2021; of Germany's
    abroad the definition differs."""
    judged = verdicts.judge(held, papers, ["paper003-c003", "paper003-c014", "paper001-c046"])
    intensity, lead, germany = (one.chosen for one in judged.values())
    assert intensity
    assert lead
    assert germany
    assert flags(intensity.then) == flags(intensity.now) == {"2018": "B"}
    assert flags(lead.then) == flags(lead.now) == {"2016": "B", "2021": "B"}
    assert set(flags(germany.after).values()) == {"D"}
    row = rows.of(judged["paper003-c014"])
    assert (row["then_status"], row["now_status"]) == ("B", "B")
    [state] = [
        state for state in rows.behind(judged["paper003-c014"])["readings"][0]["states"] if "then" in state["when"]
    ]
    assert [number["period"] for number in state["numbers"] if number["status"]] == ["2016", "2021"]


def test_a_rank_bears_the_flags_of_the_economy_that_it_is_about() -> None:
    """And not those of all that it is compared with; a normal value (A) has none."""
    words = replace(vocabulary(), measures={"x": made_up.measure("x")})
    observations = made_up.held(words, {"x": {("CHN", "2017"): 1.0, ("JPN", "2017"): 2.0, ("USA", "2017"): 3.0}})
    for code, status in (("CHN", "P;E"), ("JPN", "B"), ("USA", "A")):
        observations.database.execute("update cells set status = ? where entity = ?", [status, code])
    formula = Formula.model_validate({"use": "rank", "with": {"x": "x"}, "entities": ["CHN", "USA"], "period": "2017"})
    found = formulas.answer(observations, words, formula, None, made_up.newest(observations, {"x": "x"}))
    assert {number.entity: (number.value, number.status) for number in found} == {"CHN": (3, "E;P"), "USA": (1, "")}


def test_a_printed_cell_bears_flags_in_its_exhibit_and_in_the_analysts_file(held: Held, papers: Catalogue) -> None:
    name = "paper001-tab2"
    paper, exhibit = papers.exhibit(name)
    judged = verdicts.judge(held, papers, paper.about(exhibit))
    cell = next(judged[one.id] for one in exhibit.cells if (tried := judged[one.id].chosen) and tried.now)
    assert cell.chosen
    assert cell.chosen.now
    marked = replace(cell.chosen.now, numbers=tuple(replace(one, status="E;P") for one in cell.chosen.now.numbers))
    judged[cell.statement.id] = replace(cell, chosen=replace(cell.chosen, after=marked, now=marked))
    told = exhibits.told(held, papers, name, judged=judged)
    [row] = [row for row in told.rows if row["statement"] == cell.statement.id]
    assert (row["then_status"], row["status"]) == ("E;P", "E;P")

    every = {one: judged.get(one) or judgements.judged(Verdict.NOT_COMPUTED) for one in papers.statements}
    empty = {one: replace(told, rows=()) for one in papers.exhibits}
    with duckdb.connect() as database:
        tables.write(database, held.warehouse, held.edition, Answers(held.edition, every, empty | {name: told}))
        query = f"select then_status, status from paper001_tab2 where statement = '{row['statement']}'"
        assert database.execute(query).fetchall() == [("E;P", "E;P")]
        query = f"select after_status, now_status from verdicts where id = '{row['statement']}'"
        assert database.execute(query).fetchall() == [("E;P", "E;P")]


def test_a_chart_marks_the_flags_of_then_where_now_has_others() -> None:
    told = shown.lines()
    flagged = [row | {"then_status": "E" if row["period"] == "2018" else None} for row in told.rows]
    drawn = charts.drawn(replace(told, rows=tuple(flagged)), "en")
    assert "estimated" in drawn["wide"].file.decode()
    assert "estimated" not in charts.drawn(told, "en")["wide"].file.decode()


def test_numbers_whose_unit_is_not_the_statements_are_told_in_their_own() -> None:
    """That papers outgrow others shows in percentage points."""
    says = judgements.statement(unit="papers", scale=3, printed=None, sense="direction")
    judged = judgements.judged(Verdict.REPRODUCED, 1.5, 2.5, says=says)
    assert judged.chosen
    own: Tried = replace(judged.chosen, unit="percentage points", own_unit=True)
    row = rows.of(replace(judged, chosen=own))
    assert (row["then"], row["now"], row["unit"], row["scale"]) == (1.5, 2.5, "percentage points", 0)
    row = rows.of(replace(judged, chosen=replace(own, own_unit=False)))
    assert (row["then"], row["unit"], row["scale"]) == (0.0015, "papers", 3)


def test_where_nothing_of_the_papers_days_is_held_the_nearer_side_stands_for_them() -> None:
    """The paper's days are from 2020-12-01 to 2021-12-31; one that is as printed goes first."""
    paper = judgements.paper()
    before, after = judgements.seen("2020-10-01", 2.0), judgements.seen("2023-09-15", 2.1)
    assert rows.beside(paper, before, after) is before
    old, soon = judgements.seen("2018-09-30", 2.0), judgements.seen("2022-01-15", 2.1)
    assert rows.beside(paper, old, soon) is soon
    printed = replace(after, numbers=(Number("2000", 2.2, holds=True),))
    assert rows.beside(paper, before, printed) is printed
    assert rows.beside(paper, None, None) is None
