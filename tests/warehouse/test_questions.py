"""Questions: how sure an answer is, first held values, revisions, lineage; and the analysts' file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.warehouse.makers import load, part, store
from warehouse import lineage, questions, revisions, snapshot
from warehouse.errors import UsageError
from warehouse.store import Warehouse

S = "test.one:CHN.X"
A = ("CHN.X", "2017")
B = ("CHN.X", "2018")


@pytest.fixture
def held(tmp_path: Path) -> Warehouse:
    """Three vintages: a day of January, a captured instant of March, an archive's month of June; one look in between."""
    warehouse = store(tmp_path)
    load(warehouse, part({A: 1.0}, "2024-01-10T12:00", stamp="2024-01-10"))
    load(warehouse, part({A: 1.0}, "2024-02-10", stamp="2024-01-10"))
    load(warehouse, part({A: 2.0, B: 9.0}, "2024-03-10"))
    load(warehouse, part({A: 2.0, B: 8.0}, "2024-09-01", archive="202406"))
    return warehouse


def test_the_unit_stamp_basis_and_next_vintage_travel_with_a_value(held: Warehouse) -> None:
    [row] = questions.values(held, [S], as_of="2024-02-01", period="2017")
    assert (row["series"], row["period"], row["value"], row["unit"], row["multiplier"]) == (
        S,
        "2017",
        1.0,
        "percent",
        0,
    )
    assert (row["known_from"], row["precision"], row["basis"]) == ("2024-01-10T12:00:00.000000Z", "day", "publisher")
    assert (row["next_known_from"], row["edition"]) == ("2024-03-10T00:00:00.000000Z", 3)


def test_a_gap_is_where_nobody_looked_before_the_next_vintage(held: Warehouse) -> None:
    asked = {
        day: questions.values(held, [S], as_of=day, period="2017")[0]["gap"] for day in ("2024-02-01", "2024-02-20")
    }
    assert asked == {"2024-02-01": False, "2024-02-20": True}


def test_a_date_inside_an_imprecise_stamp_is_ambiguous(held: Warehouse) -> None:
    asked = {
        day: questions.values(held, [S], as_of=day, period="2017")[0]["ambiguous"]
        for day in ("2024-02-01", "2024-04-01", "2024-06-15", "2024-07-01")
    }
    assert asked == {"2024-02-01": False, "2024-04-01": False, "2024-06-15": True, "2024-07-01": False}


def test_first_held_values_come_from_their_own_vintages(held: Warehouse) -> None:
    rows = {row["period"]: row for row in questions.values(held, [S], first=True)}
    assert (rows["2017"]["value"], rows["2018"]["value"]) == (1.0, 9.0)
    assert rows["2017"]["known_from"] < rows["2018"]["known_from"]
    with pytest.raises(UsageError, match="exclude each other"):
        questions.values(held, [S], first=True, as_of="2024")


def test_vintages_show_a_period_in_each_and_where_it_changed(held: Warehouse) -> None:
    rows = questions.vintages(held, S, period="2018")
    assert [(row["value"], row["changed"]) for row in rows] == [(None, False), (9.0, True), (8.0, True)]
    assert [row["part_observations"] for row in questions.vintages(held, S)] == [1, 2, 2]


def test_revisions_are_a_comparison_of_neighbours(held: Warehouse) -> None:
    rows = revisions.revisions(held, "test.one")
    assert [(row["period"], row["kind"], row["old"], row["new"]) for row in rows] == [
        ("2017", "revision", 1.0, 2.0),
        ("2018", "first value", None, 9.0),
        ("2018", "revision", 9.0, 8.0),
    ]
    assert [row["new"] for row in revisions.revisions(held, since="2024-06")] == [8.0]
    with pytest.raises(UsageError, match=r"held are: test\.one"):
        revisions.revisions(held, "test.two")


def test_an_unknown_series_names_the_nearest(held: Warehouse) -> None:
    with pytest.raises(UsageError, match=r"did you mean test\.one:CHN\.X"):
        questions.values(held, ["test.one:CHN.Y"])
    with pytest.raises(UsageError, match="no series 'CHN'"):
        questions.values(held, ["CHN"])


def test_every_series_is_listed_with_its_span(held: Warehouse) -> None:
    [row] = questions.series(held)
    assert (row["series"], row["first"], row["last"], row["observations"]) == (S, "2017", "2018", 2)


def test_lineage_leads_from_a_number_to_its_bytes(held: Warehouse) -> None:
    found = lineage.lineage(held, S, "2017", as_of="2024-04-01")
    [payload] = found["payloads"]
    assert Path(payload["file"]).exists()
    assert b"2.0" in held.payloads.read(payload["sha256"])
    assert found["batch"]["decision"] == "published"
    assert found["dataset"]["citation"] == "Nobody"
    with pytest.raises(UsageError, match="no single value"):
        lineage.lineage(held, S, "1999")


def test_batches_and_datasets_tell_how_things_stand(held: Warehouse) -> None:
    rows = lineage.batches(held, "test.one")
    assert [row["decision"] for row in rows].count("unchanged") == 1
    assert {row["can"] for row in rows} == {"void", ""}
    [row] = lineage.datasets(held)
    assert (row["vintages"], row["series"], row["observations"], row["revisions"], row["stale"]) == (3, 1, 2, 2, False)


def test_the_analysts_file_answers_in_sql_in_any_time_zone(held: Warehouse) -> None:
    path = snapshot.write(held)
    with duckdb.connect(str(path), read_only=True) as database:
        assert database.execute('select period, value from "current" order by period').fetchall() == [
            ("2017", 2.0),
            ("2018", 8.0),
        ]
        for zone in ("UTC", "Asia/Shanghai", "America/Los_Angeles"):
            database.execute(f"set TimeZone = '{zone}'")
            assert database.execute("select value from as_of('2024-01-10')").fetchall() == [(1.0,)]
            assert database.execute("select value from as_of('2024-01-09')").fetchall() == []
        assert database.execute("select period, value from first_held order by period").fetchall() == [
            ("2017", 1.0),
            ("2018", 9.0),
        ]
        revised = database.execute(
            "select period, kind, old, new from revisions order by known_from, period"
        ).fetchall()
        verb = [(row["period"], row["kind"], row["old"], row["new"]) for row in revisions.revisions(held, "test.one")]
        assert revised == verb
        [(sha256,)] = database.execute("select payload_sha256 from lineage where period = '2018'").fetchall()
        assert b"8.0" in held.payloads.read(sha256)


def test_every_column_of_the_analysts_file_has_a_comment(held: Warehouse) -> None:
    snapshot.write(held)
    with snapshot.connect(held) as database:
        bare = database.execute(
            "select table_name, column_name from duckdb_columns() where not internal and comment is null"
        ).fetchall()
        assert bare == []


def test_before_the_first_publish_the_analysts_file_is_empty_but_whole(tmp_path: Path) -> None:
    with duckdb.connect(str(snapshot.write(store(tmp_path))), read_only=True) as database:
        for name in ("current", "revisions", "lineage", "first_held"):
            assert database.execute(f'select count(*) from "{name}"').fetchall() == [(0,)]


def test_an_open_connection_survives_ten_publishes(held: Warehouse) -> None:
    path = snapshot.write(held)
    with duckdb.connect(str(path), read_only=True) as kept:
        for number in range(10):
            load(held, part({A: 10.0 + number}, f"2025-01-{number + 1:02d}"))
            snapshot.write(held)
            assert kept.execute("select value from \"current\" where period = '2017'").fetchall() == [(2.0,)]
        with snapshot.connect(held) as fresh:
            assert fresh.execute('select value from "current"').fetchall() == [(19.0,)]
            assert fresh.execute("select value from as_of('2024-02-01')").fetchall() == [(1.0,)]
