"""A series that was in several parts, and the cells that a partial reading left as they were: who answers, and from where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.makers import load, part, store
from warehouse import lineage, publish, questions, revisions, snapshot
from warehouse.publish import Closing
from warehouse.schema import Decision, Scope
from warehouse.store import Warehouse

A, B = ("CHN.X", "2017"), ("CHN.X", "2018")
OTHER = ("JPN.X", "2017")
S = "test.one:CHN.X"
MOMENTS = ("2024-01-15", "2024-02-15", "2024-03-15", None)
Cells = list[tuple[str, Any]]
Answers = dict[object, Cells]


def cells(rows: list[dict[str, Any]]) -> Cells:
    return [(row["period"], row["value"]) for row in rows]


def answers(warehouse: Warehouse) -> Answers:
    """The value of the series at each moment, and as first held."""
    found: Answers = {day: cells(questions.values(warehouse, [S], as_of=day)) for day in MOMENTS}
    return found | {"first": cells(questions.values(warehouse, [S], first=True))}


def in_sql(warehouse: Warehouse) -> Answers:
    """The same from the analysts' file."""
    snapshot.write(warehouse)
    asked = {day: f"as_of('{day}')" if day else '"current"' for day in MOMENTS} | {"first": "first_held"}
    with snapshot.connect(warehouse) as database:
        return {
            moment: database.execute(
                f"select period, value from {table} where series = '{S}' order by period"
            ).fetchall()
            for moment, table in asked.items()
        }


@pytest.fixture
def renamed(tmp_path: Path) -> Warehouse:
    """Part p of January is called q in March."""
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    load(warehouse, part({A: 1.5, B: 2.0}, "2024-03-10", name="q"))
    return warehouse


def test_a_series_keeps_its_past_when_its_part_is_renamed(renamed: Warehouse) -> None:
    old: Cells = [("2017", 1.0)]
    new: Cells = [("2017", 1.5), ("2018", 2.0)]
    expected: Answers = {"2024-01-15": old, "2024-02-15": old, "2024-03-15": new, None: new, "first": [*old, new[1]]}
    assert answers(renamed) == expected
    assert in_sql(renamed) == expected
    [before] = questions.values(renamed, [S], as_of="2024-01-15")
    assert (before["next_known_from"], before["gap"]) == ("2024-03-10T00:00:00.000000Z", True)
    told = questions.vintages(renamed, S, period="2017")
    assert [(row["value"], row["changed"]) for row in told] == [(1.0, False), (1.5, True)]
    assert [row["part"] for row in questions.series(renamed)] == ["q"]


def test_an_edition_answers_as_it_did_before_the_series_came_to_another_part(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, OTHER: 5.0}, "2024-01-10"))
    load(warehouse, part({OTHER: 6.0}, "2024-01-20", name="q"))

    def asked(edition: object) -> list[list[dict[str, Any]]]:
        number = str(edition)
        return [
            questions.values(warehouse, [S, "test.one:JPN.X"], edition=number),
            questions.values(warehouse, [S], edition=number, as_of="2024-02-15"),
            questions.values(warehouse, [S], edition=number, first=True),
            questions.vintages(warehouse, S, edition=number),
        ]

    ids = [row["id"] for row in lineage.editions(warehouse)]
    before = {edition: asked(edition) for edition in ids}
    assert all(rows for found in before.values() for rows in found)
    batch, _ = load(warehouse, part({A: 3.0}, "2024-01-05", name="q"), part({OTHER: 5.5}, "2024-02-10"))
    load(warehouse, part({A: 4.0}, "2024-03-10", name="q"))
    assert {edition: asked(edition) for edition in ids} == before
    publish.decide(warehouse, batch, Closing(Decision.VOIDED, "Kim", "by a test", "wrong"))
    assert {edition: asked(edition) for edition in ids} == before


def test_of_two_parts_the_one_that_was_read_last_answers(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10"))
    _, edition = load(warehouse, part({A: 2.0}, "2024-02-10", name="q"))
    assert cells(questions.values(warehouse, [S])) == [("2017", 2.0)]
    load(warehouse, part({A: 1.0}, "2024-03-10"))
    one: Cells = [("2017", 1.0)]
    two: Cells = [("2017", 2.0)]
    expected: Answers = {"2024-01-15": one, "2024-02-15": two, "2024-03-15": one, None: one, "first": one}
    assert answers(warehouse) == expected
    assert in_sql(warehouse) == expected
    assert cells(questions.values(warehouse, [S], edition=edition)) == two
    assert [row["part"] for row in questions.series(warehouse)] == ["p"]


@pytest.mark.parametrize("late", [False, True])
def test_an_archive_in_which_a_series_was_elsewhere_takes_its_place_in_the_past(tmp_path: Path, late: bool) -> None:
    live, archive = part({A: 1.0}, "2024-02-01", name="q"), part({A: 0.9, OTHER: 1.0}, "2024-02-10", archive="202001")
    warehouse = store(tmp_path)
    for data in [live, archive] if late else [archive, live]:
        load(warehouse, data)
    assert cells(questions.values(warehouse, [S])) == [("2017", 1.0)]
    assert cells(questions.values(warehouse, [S], as_of="2021")) == [("2017", 0.9)]
    assert [row["value"] for row in questions.vintages(warehouse, S, period="2017")] == [0.9, 1.0]


def test_a_move_is_no_withdrawal_and_a_withdrawal_is_one(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, OTHER: 5.0}, "2024-01-10"))
    load(warehouse, part({A: 1.0}, "2024-02-10", name="q"), part({OTHER: 5.0}, "2024-02-10T01:00"))
    told = questions.vintages(warehouse, S, period="2017")
    assert [(row["value"], row["changed"]) for row in told] == [(1.0, False), (1.0, False)]
    assert cells(questions.values(warehouse, [S])) == [("2017", 1.0)]
    load(warehouse, part({("KOR.X", "2017"): 7.0}, "2024-03-10", name="q"))
    told = questions.vintages(warehouse, S, period="2017")
    assert [(row["value"], row["changed"]) for row in told] == [(1.0, False), (1.0, False), (None, True)]
    assert questions.values(warehouse, [S]) == []


def test_lineage_leads_to_the_part_that_answers(renamed: Warehouse) -> None:
    for day, name, text in (("2024-02-01", "p", b"1.0"), ("2024-04-01", "q", b"1.5")):
        found = lineage.lineage(renamed, S, "2017", as_of=day)
        assert found["vintage"]["part"] == name
        assert text in renamed.payloads.read(found["payloads"][0]["sha256"])


def origins(warehouse: Warehouse) -> dict[tuple[str, str], bytes]:
    """The bytes of each current cell as the verb finds them; the view in the analysts' file says the same."""
    snapshot.write(warehouse)
    with snapshot.connect(warehouse) as database:
        viewed = database.execute("select series, period, batch_id, payload_sha256 from lineage").fetchall()
        assert len(viewed) == database.execute('select count(*) from "current"').fetchall()[0][0]
    found = {}
    for series, period, batch_id, sha256 in viewed:
        told = lineage.lineage(warehouse, series, period)
        assert (told["batch"]["batch_id"], told["payloads"][0]["sha256"]) == (batch_id, sha256)
        found[series.partition(":")[2], period] = warehouse.payloads.read(sha256)
    return found


def test_verb_and_view_lead_past_partial_readings_to_the_bytes(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0, B: 2.0, OTHER: 3.0}, "2024-01-10"))
    load(warehouse, part({B: 20.0}, "2024-02-10", scope=Scope("2018", "2018")))
    load(warehouse, part({OTHER: 30.0}, "2024-03-10", scope=Scope(end="2017", entities=("JPN",))))
    held = origins(warehouse)
    written = {cell: held[cell] for cell in (A, B, OTHER)}
    assert b'["CHN.X", "2017", 1.0]' in written[A]
    assert b'["CHN.X", "2018", 20.0]' in written[B]
    assert b'["JPN.X", "2017", 30.0]' in written[OTHER]


def test_a_partner_in_the_key_is_not_the_area_of_a_series(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    pair, own = ("JPN.KOR", "2018"), ("KOR.USA", "2018")
    load(warehouse, part({pair: 1.0, own: 2.0}, "2024-01-10"))
    load(warehouse, part({own: 5.0}, "2024-02-10", scope=Scope(entities=("KOR",))))
    held = origins(warehouse)
    assert b'["JPN.KOR", "2018", 1.0]' in held[pair]
    assert b'["KOR.USA", "2018", 5.0]' in held[own]


def test_a_confirmation_closes_the_gap_of_the_latest_answer_and_of_no_edition(tmp_path: Path) -> None:
    warehouse = store(tmp_path)
    _, edition = load(warehouse, part({A: 1.0}, "2024-01-10"))
    load(warehouse, part({A: 1.0}, "2024-03-10"))
    gaps = [questions.values(warehouse, [S], as_of="2024-02-01", edition=of)[0]["gap"] for of in (edition, None)]
    assert gaps == [True, False]


def test_revisions_of_a_series_go_over_all_its_parts(renamed: Warehouse) -> None:
    load(renamed, part({A: 1.1}, "2024-02-10"))
    load(renamed, part({A: 1.6, B: 2.0}, "2024-04-10", name="q"))
    rows = revisions.revisions(renamed, S)
    assert [(row["part"], row["old"], row["new"]) for row in rows] == [("p", 1.0, 1.1), ("q", 1.5, 1.6)]
