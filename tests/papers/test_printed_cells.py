"""Which single observations the papers print, and that a revision which changes their digits says so."""

from __future__ import annotations

import pytest

from warehouse import revisions
from warehouse.papers import printed_cells
from warehouse.papers.catalogue import Catalogue
from warehouse.store import Warehouse

KOREA = "worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ((KOREA, "2000"), "2.2"),
        (("oecd.sbrd:KOR.G_XGDP", "2017"), "4.6"),
        (("worldbank.wdi:JPN.SP.POP.TOTL", "2023"), "1.24E+8"),
    ],
)
def test_the_printed_digits_stand_in_the_unit_of_the_series(
    filled: Warehouse, papers: Catalogue, cell: tuple[str, str], text: str
) -> None:
    assert printed_cells.texts(filled, papers)[cell] == text


def test_what_is_computed_hedged_or_spread_over_years_is_no_cell(filled: Warehouse, papers: Catalogue) -> None:
    found = printed_cells.texts(filled, papers)
    assert {period for _, period in found} <= {str(year) for year in range(1990, 2026)}
    assert not any(name.endswith("BX.GSR.ROYL.CD") for name, _ in found)


@pytest.mark.worldbank
def test_a_revision_that_changes_a_printed_number_weighs_more(filled: Warehouse, papers: Catalogue) -> None:
    printed = printed_cells.texts(filled, papers)
    rows = [row for row in revisions.iter_revisions(filled, KOREA, printed=printed) if row["kind"] == "revision"]
    heavy = {row["period"] for row in rows if row["weight"] == "changes a printed cell"}
    assert heavy == {"2000", "2017"}
    assert {row["period"] for row in rows} > heavy
