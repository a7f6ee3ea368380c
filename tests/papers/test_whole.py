"""The verdict on a figure or table as a whole: from its cells and the sentences about it, for each of the twenty-six."""

from __future__ import annotations

import pytest

from tests.papers.judgements import judged as judgement
from warehouse.papers import asking
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.model import Exhibit, Words
from warehouse.papers.results import Verdict
from warehouse.papers.verdicts import whole
from warehouse.store import Warehouse

TITLE = Words(en="a table", zh="表")


def _exhibit(*, quantitative: bool = True, machine_readable: str = "yes") -> Exhibit:
    given = {"id": "p-tab1", "number": "1", "kind": "table", "title": TITLE, "quantitative": quantitative}
    return Exhibit.model_validate({**given, "machine_readable": machine_readable})


@pytest.mark.parametrize(
    ("verdicts", "whole_verdict", "holds"),
    [
        ([Verdict.REPRODUCED, Verdict.REPRODUCED], Verdict.REPRODUCED, (2, 2)),
        ([Verdict.REPRODUCED, Verdict.NOT_COMPUTED], Verdict.PARTLY, (1, 2)),
        ([Verdict.REVISED, Verdict.INCONSISTENT], Verdict.PARTLY, (1, 2)),
        ([Verdict.DIFFERS_NOW, Verdict.INCONSISTENT, Verdict.NO_SOURCE], Verdict.INCONSISTENT, (0, 3)),
        ([Verdict.NOT_COMPUTED, Verdict.NO_SOURCE], Verdict.NOT_COMPUTED, None),
    ],
)
def test_it_is_put_together(verdicts: list[Verdict], whole_verdict: Verdict, holds: tuple[int, int] | None) -> None:
    assert whole.of(_exhibit(), [judgement(verdict) for verdict in verdicts]) == (whole_verdict, holds)


def test_where_nothing_can_be_computed_it_says_why() -> None:
    assert whole.of(_exhibit(quantitative=False), []) == (Verdict.NOT_QUANTITATIVE, None)
    assert whole.of(_exhibit(machine_readable="no"), [judgement(Verdict.NO_SOURCE)]) == (Verdict.NO_SOURCE, None)


def test_every_figure_and_table_of_the_papers_has_one(filled: Warehouse, papers: Catalogue) -> None:
    found = {row["exhibit"]: row for row in asking.exhibits(filled, papers)}
    assert len(found) == 26
    assert {row["verdict"] for row in found.values()} <= set(Verdict)
    assert found["paper002-fig1"]["verdict"] == Verdict.NOT_QUANTITATIVE
    assert found["paper004-tab1"]["verdict"] == Verdict.INCONSISTENT
    third = found["paper003-fig3"]  # about 2.5 holds, above the others in every year does not
    assert (third["verdict"], third["borne_out"], third["of"]) == (Verdict.PARTLY, 1, 2)


def test_the_exhibit_itself_says_the_same(filled: Warehouse, papers: Catalogue) -> None:
    told = asking.exhibit(filled, papers, "paper003-fig3")
    assert (told.verdict, told.holds) == (Verdict.PARTLY, (1, 2))
