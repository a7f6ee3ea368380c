"""Revisions of a warehouse: neighbours, kinds that look back, redefinitions, causes, batches, reports."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.makers import FACTS, Cells, load, part, store
from warehouse import revision_pages, revisions
from warehouse.compare import Equality
from warehouse.errors import UnknownBatch, UsageError
from warehouse.schema import PartData
from warehouse.store import DatasetFacts, Warehouse

A = ("KOR.X", "2017")
B = ("KOR.X", "2018")
RATIO = DatasetFacts(
    "test.one",
    "f" * 64,
    {**FACTS.description, "parts": [{"id": "p", "ratio": {"numerator": "q", "denominator": None}}, {"id": "q"}]},
    {"p": Equality(), "q": Equality()},
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return store(tmp_path)


def told(warehouse: Warehouse, of: str | None = None, **asked: Any) -> list[tuple[str, str, str]]:
    return [(row["series"], row["period"], row["kind"]) for row in revisions.revisions(warehouse, of, **asked)]


def test_changes_are_told_between_neighbours_in_known_order_whatever_was_loaded_first(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 1.0}, "2024-01-10", stamp="2024-01-09"))
    load(warehouse, part({A: 3.0}, "2024-03-10", stamp="2024-03-09"))
    load(warehouse, part({A: 2.0}, "2024-03-20", archive="202402"))
    found = revisions.revisions(warehouse)
    assert [(row["old"], row["new"]) for row in found] == [(1.0, 2.0), (2.0, 3.0)]
    assert [row["before"] for row in found[1:]] == [row["vintage"] for row in found[:1]]
    since = revisions.revisions(warehouse, since="2024-03")
    assert since == found[1:]
    newest_first = [row["new"] for row in revisions.iter_revisions(warehouse)]
    assert newest_first == [3.0, 2.0]


def test_a_value_that_comes_back_is_found_in_any_vintage_before(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 1.0, B: 9.0}, "2024-01-10"))
    for month in range(2, 10):
        load(warehouse, part({A: float(month)}, f"2024-{month:02}-10"))
    load(warehouse, part({A: 9.0, B: 9.0, ("KOR.X", "2019"): 5.0}, "2024-10-10"))
    assert told(warehouse, since="2024-10") == [
        ("test.one:KOR.X", "2018", "reinstatement"),
        ("test.one:KOR.X", "2019", "first value"),
    ]
    assert told(warehouse, since="2024-02")[:2] == [
        ("test.one:KOR.X", "2017", "revision"),
        ("test.one:KOR.X", "2018", "withdrawal"),
    ]


def test_a_redefinition_has_a_row_of_its_own_also_without_changed_cells(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    load(warehouse, part({A: 1.0}, "2024-02-10", unit="persons", label="People"))
    [row] = revisions.revisions(warehouse, "test.one:KOR.X")
    assert (row["kind"], row["period"], row["old"], row["new"]) == ("redefinition", "", None, None)
    assert row["detail"] == "label: Label → People; unit: percent → persons"


def test_the_same_bytes_read_anew_are_a_correction_of_ours(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 1.0, B: 4.0}, "2024-01-10"))
    before = part({A: 2.0, B: 4.0}, "2024-02-10")
    load(warehouse, before)
    again = part({A: 2.0, B: 5.0}, "2024-03-10")
    reread = replace(
        again, payloads=tuple(replace(one, fetched_at=again.payloads[0].fetched_at) for one in before.payloads)
    )
    load(warehouse, reread)
    assert told(warehouse) == [
        ("test.one:KOR.X", "2017", "revision"),
        ("test.one:KOR.X", "2018", "correction of ours"),
    ]


def ratio_and_amount(ratio: Cells, amount: Cells, day: str) -> tuple[PartData, PartData]:
    return part(ratio, day), part(amount, day, name="q")


def test_the_cause_of_a_ratios_revision_is_named(warehouse: Warehouse) -> None:
    years = [("KOR.X", str(year)) for year in (2015, 2016, 2017, 2018)]
    amounts = [("KOR.NC", period) for _, period in years]
    load(
        warehouse,
        *ratio_and_amount(dict.fromkeys(years, 4.0), dict.fromkeys(amounts, 100.0), "2024-01-10"),
        facts=RATIO,
    )
    moved = dict(zip(years, (4.0 * 0.95, 4.0 * 1.1, 4.0 * 1.1, 4.0), strict=True))
    amount = dict(zip(amounts, (100.0, 110.0, 105.0, 110.0), strict=True))
    load(warehouse, *ratio_and_amount(moved, amount, "2024-02-10"), facts=RATIO)
    found = {row["period"]: row for row in revisions.revisions(warehouse, "test.one:KOR.X")}
    assert [(period, row["cause"]) for period, row in found.items()] == [
        ("2015", "denominator"),
        ("2016", "numerator"),
        ("2017", "both"),
    ]
    assert [round(row["numerator_share"], 3) for row in found.values()] == [0.0, 1.0, 0.512]
    assert {row["detail"] for row in found.values()} == {"q 2024-01-10 → 2024-02-10"}
    [amount_row, *_] = revisions.revisions(warehouse, "test.one:KOR.NC")
    assert (found["2015"]["explained_before"], found["2015"]["explained_vintage"]) == (
        amount_row["before"],
        amount_row["vintage"],
    )
    assert {row["cause"] for row in revisions.revisions(warehouse, "test.one:KOR.NC")} == {None}


def test_a_new_currency_of_the_amount_moves_no_ratio(warehouse: Warehouse) -> None:
    years = [("BGR.X", str(year)) for year in range(2010, 2020)]
    amounts = [("BGR.NC", period) for _, period in years]
    lev = {cell: 100.0 + number for number, cell in enumerate(amounts)}
    load(warehouse, *ratio_and_amount(dict.fromkeys(years, 0.8), lev, "2025-10-06"), facts=RATIO)
    euro = {cell: value / 1.95583 for cell, value in lev.items()}
    load(warehouse, *ratio_and_amount({**dict.fromkeys(years, 0.8), years[-1]: 0.82}, euro, "2026-04-13"), facts=RATIO)
    assert {row["kind"] for row in revisions.revisions(warehouse, "test.one:BGR.NC")} == {"rebasing"}
    [row] = revisions.revisions(warehouse, "test.one:BGR.X")
    assert (row["period"], row["cause"]) == ("2019", "denominator")


def test_no_cause_is_named_where_the_amount_was_not_held(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 4.0}, "2024-01-10"), facts=RATIO)
    load(warehouse, *ratio_and_amount({A: 5.0}, {("KOR.NC", "2017"): 100.0}, "2024-02-10"), facts=RATIO)
    [row] = revisions.revisions(warehouse, "test.one:KOR.X")
    assert (row["cause"], row["numerator_share"], row["detail"]) == (None, None, "")


def test_a_batch_is_asked_for_what_it_changed(warehouse: Warehouse) -> None:
    first, _ = load(warehouse, part({A: 1.0}, "2024-01-10"))
    second, _ = load(warehouse, part({A: 2.0}, "2024-02-10"), part({B: 1.0}, "2024-02-10", name="q"))
    load(warehouse, part({A: 3.0}, "2024-03-10"))
    assert told(warehouse, first) == []
    [row] = revisions.revisions(warehouse, second)
    assert (row["old"], row["new"]) == (1.0, 2.0)
    with pytest.raises(UnknownBatch, match="no batch"):
        revisions.revisions(warehouse, "test.one@nothing")
    with pytest.raises(UsageError, match="nothing is held"):
        revisions.revisions(warehouse, "test.two")


def test_printed_cells_are_given_by_the_caller(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 4.553, B: 4.516}, "2024-01-10"))
    load(warehouse, part({A: 4.546, B: 4.535}, "2024-02-10"))
    printed = {("test.one:KOR.X", "2017"): "4.55", ("test.one:KOR.X", "2018"): "4.52", ("other:KOR.X", "2017"): "1"}
    found = revisions.revisions(warehouse, printed=printed)
    assert [row["weight"] for row in found] == ["visible", "changes a printed cell"]


def test_every_edition_has_a_page_and_a_table_written_once(warehouse: Warehouse) -> None:
    load(warehouse, part({A: 1.0, B: 2.0}, "2024-01-10"))
    load(warehouse, part({A: 2.0, B: 2.0}, "2024-02-10"))
    last, _ = load(warehouse, part({A: 2.0, B: 2.5}, "2024-03-10", unit="<persons>"))
    folder = warehouse.root / "pages" / "revisions"
    assert [path.name for path in revision_pages.write(warehouse)] == ["3.html", "2.html", "1.html"]
    page, digest = (folder / "3.html").read_text(), hashlib.sha256((folder / "3.html").read_bytes()).hexdigest()
    for text in ("SYNTHETIC", "percent → &lt;persons&gt;", "redefinition", "25.00%", last, 'class="triangle"'):
        assert text in page, text
    assert "<script" not in page
    assert "Nothing that was known before changed" in (folder / "1.html").read_text()
    with (folder / "3.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["series"], row["period"], row["kind"]) for row in rows] == [
        ("test.one:KOR.X", "", "redefinition"),
        ("test.one:KOR.X", "2018", "redefinition"),
    ]
    assert revision_pages.write(warehouse) == []
    assert hashlib.sha256((folder / "3.html").read_bytes()).hexdigest() == digest
    index = (folder / "index.html").read_text()
    assert index.index("3.html") < index.index("2.html") < index.index("1.html")
