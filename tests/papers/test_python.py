"""Papers in Python and SQL: frames with what must be said of them, the notebook, and the analysts' file."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import figurekeeper as fk
from warehouse import snapshot
from warehouse.errors import UsageError
from warehouse.papers import rows, tables
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.figures import exhibits
from warehouse.store import Warehouse

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTEBOOK = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))
R_AND_SQL = (DOCS / "r-and-duckdb.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def home(filled: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The home of the filled warehouse, asked from another folder."""
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(filled.root.parent))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", filled.profile)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)


def test_a_paper_is_a_frame_of_its_statements(papers: Catalogue) -> None:
    frame = fk.papers("paper003")
    assert tuple(frame.columns) == rows.FIELDS
    assert list(frame["id"]) == [one.id for one in papers.paper("paper003").statements]
    assert frame.attrs["profile"] == "sandbox"
    korea = fk.papers("paper001", as_of="2021-12-31").set_index("id").loc["paper001-c021"]
    assert korea["verdict"] == "reproduced"
    assert korea["now"] == korea["then"] == pytest.approx(4.55324)


def test_an_unknown_name_is_refused_with_near_ones() -> None:
    with pytest.raises(UsageError, match="did you mean paper00"):
        fk.papers("paper01")
    with pytest.raises(UsageError, match="paper003-fig"):
        fk.exhibit("paper003-fig9")
    with pytest.raises(UsageError, match="paper001-c02"):
        fk.claim("paper001-c0211")


def test_everything_behind_a_claim_with_the_way_to_its_bytes() -> None:
    claim = fk.claim("paper001-c021")
    json.dumps(claim)
    assert claim["verdict"] == "reproduced, revised since"
    assert claim["tried"] == 2
    [decides] = [reading for reading in claim["readings"] if reading["decides"]]
    assert decides["series"] == ["worldbank.wdi:{entity}.GB.XPD.RSDV.GD.ZS"]
    assert claim["lineage"] == ["figurekeeper lineage worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS 2017"]


@pytest.mark.parametrize(("claim", "observations"), [("paper003-c014", 18), ("paper001-c037", 6), ("paper004-c004", 1)])
def test_each_command_leads_to_an_observation(claim: str, observations: int) -> None:
    """Of three economies in six years, of two groups of three, and of a series that is found by its label."""
    commands = fk.claim(claim)["lineage"]
    assert len(set(commands)) == observations
    assert all(fk.lineage(*command.split()[2:])["answer"]["value"] is not None for command in commands)


def test_a_figure_is_a_frame_that_says_what_must_be_said_of_it() -> None:
    frame = fk.exhibit("paper003-fig3")
    assert tuple(frame.columns) == exhibits.COLUMNS
    assert set(frame["entity"]) == {"CHN", "JPN", "USA"}
    said = frame.attrs
    assert said["profile"] == "sandbox"
    assert said["unit"] == "percent of GDP"
    assert said["edition"].startswith("sandbox-")
    assert "OECD" in said["source"]
    assert all(said["edition"] in citation for citation in said["citation"])
    assert said["citation"]


def test_an_answer_for_an_edition_is_another_one() -> None:
    first = fk.papers("paper001", edition=1).set_index("id")
    assert first.loc["paper001-c021", "verdict"] == "not computed"


def test_the_notebook_is_clean_and_runs_in_order() -> None:
    assert [cell["id"] for cell in NOTEBOOK["cells"]] == [f"cell-{n + 1:02}" for n in range(len(NOTEBOOK["cells"]))]
    code = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    names: dict[str, Any] = {}
    for cell in code:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert names["claim"]["id"] == "paper001-c021"
    assert len(names["changed"]) >= 2
    assert set(names["lines"].columns) == {"CHN", "JPN", "USA"}


@pytest.fixture(scope="module")
def analysts_file(filled: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """indicators.duckdb of a copy of the filled warehouse's root, whose tables are read where they lie."""
    folder = tmp_path_factory.mktemp("copy")
    (folder / "sandbox").mkdir()
    with (
        sqlite3.connect(filled.root / "catalog.sqlite") as held,
        sqlite3.connect(folder / "sandbox" / "catalog.sqlite") as copy,
    ):
        held.backup(copy)
    for name in ("tables", "payloads", "journal"):
        (folder / "sandbox" / name).symlink_to(filled.root / name)
    path = snapshot.write(Warehouse(folder, "sandbox", create=False))
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


QUERIES = re.findall(r"^```sql\n(.*?)^```$", R_AND_SQL, flags=re.MULTILINE | re.DOTALL)
QUERIES += [
    text.replace('\\"', '"') for text in re.findall(r'dbGetQuery\(connection, "(.*)"\)$', R_AND_SQL, re.MULTILINE)
]


@pytest.mark.parametrize("query", QUERIES)
def test_shown_sql_answers(analysts_file: duckdb.DuckDBPyConnection, query: str) -> None:
    assert analysts_file.execute(query).fetchall()


def test_verdicts_and_figures_lie_in_the_analysts_file(
    analysts_file: duckdb.DuckDBPyConnection, papers: Catalogue
) -> None:
    [(verdict, then)] = analysts_file.execute(
        "select verdict, \"then\" from verdicts where id = 'paper001-c021'"
    ).fetchall()
    assert (verdict, round(then, 5)) == ("reproduced, revised since", 4.55324)
    [(count,)] = analysts_file.execute("select count(*) from verdicts").fetchall()
    assert count == len(papers.statements)
    silent = analysts_file.execute(
        "select table_name, column_name from duckdb_columns() where not internal and comment is null"
    ).fetchall()
    assert silent == []
    views = {
        name for (name,) in analysts_file.execute("select view_name from duckdb_views() where not internal").fetchall()
    }
    assert {"paper003_fig3", "paper001_tab1"} <= views
    assert len(tables.VERDICTS) == len(analysts_file.execute("select * from verdicts limit 0").description)
