"""`figurekeeper papers` as people type it, and an author's way from a template to verdicts on a paper of their own."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from openpyxl import load_workbook

from flows import cli
from warehouse.papers import rows
from warehouse.papers.results import WORDS
from warehouse.store import Warehouse

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Ran(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its output as JSON rows."""
        found: list[dict[str, Any]] = json.loads(self.out)
        return found


Run = Callable[..., Ran]


@pytest.fixture
def run(filled: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(filled.root.parent))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return Ran(int(end.value.code or 0), out, err)

    return command


def test_the_state_of_every_paper(run: Run) -> None:
    told = run("papers", "--lang", "zh")
    assert told.code == 0
    assert "SANDBOX" in told.err
    assert "当时复现，此后修订" in told.out
    states = {row["paper"]: row for row in run("papers", "--format", "json").rows}
    assert states.keys() == {f"paper00{number}" for number in range(5)}
    assert sum(states["paper003"][verdict.value] for verdict in WORDS) == states["paper003"]["statements"]


def test_one_paper_for_people_and_for_programs(run: Run) -> None:
    told = run("papers", "paper001", "--verdict", "bracketed")
    assert "537.9" in told.out
    assert "paper001-c021" not in told.out
    chinese = run("papers", "paper001", "--verdict", "无机读来源", "--lang", "zh").out
    assert "原文数值" in chinese
    assert "第14位" in chinese
    found = run("papers", "paper001", "--format", "json").rows
    assert tuple(found[0]) == (*rows.FIELDS, "profile")
    bracketed = run("papers", "paper001", "--verdict", "介于前后版本", "--format", "csv").out
    table = [row["id"] for row in csv.DictReader(io.StringIO(bracketed))]
    assert table == [row["id"] for row in found if row["verdict"] == "bracketed by neighbouring vintages"]
    assert "paper001-c036" in table


def test_what_changed_since_the_paper(run: Run) -> None:
    changed = {row["id"]: row for row in run("papers", "paper001", "--changed", "--format", "json").rows}
    assert {"paper001-c018", "paper001-c021"} <= changed.keys()
    assert "paper001-c016" not in changed
    assert changed["paper001-c021"]["stands"] is False
    assert run("papers", "paper001", "--changed", "--as-of", "2021-12-31").out.strip() == "no such statement"


def test_everything_behind_one_verdict(run: Run) -> None:
    told = run("papers", "--claim", "paper001-c021", "--lang", "zh").out
    assert "当时复现，此后修订" in told
    assert "四舍五入为 4.6" in told
    assert "2021-09-15 23:59Z" in told
    assert "figurekeeper lineage worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS 2017" in told
    assert "占国内生产总值的%" in told
    assert [word for word in ("percent", "reproduced", "reading", "printed", "publisher", " no ") if word in told] == []
    assert json.loads(run("papers", "--claim", "paper001-c021", "--format", "json").out)["tried"] == 2


def test_a_claim_in_csv_is_the_row_that_its_paper_has_of_it(run: Run) -> None:
    [row] = csv.DictReader(io.StringIO(run("papers", "--claim", "paper001-c021", "--format", "csv").out))
    of_paper = csv.DictReader(io.StringIO(run("papers", "paper001", "--format", "csv").out))
    assert row == next(one for one in of_paper if one["id"] == "paper001-c021")
    assert run("papers", "--claim", "paper001-c0211", "--format", "csv").code == 2


def test_a_figure_as_rows(run: Run) -> None:
    found = run("papers", "--exhibit", "paper003-fig3", "--as-of", "2024", "--format", "json").rows
    assert {row["entity"] for row in found} == {"CHN", "JPN", "USA"}
    assert {row["now_known_from"][:4] for row in found} == {"2024"}
    assert "取数期内" in run("papers", "--exhibit", "paper003-fig3", "--lang", "zh").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("paper01",), "did you mean paper00"),
        (("--claim", "paper001-c0211"), "did you mean paper001-c021"),
        (("--verdict", "wrong"), "'wrong' is no verdict. Next: choose among 'reproduced'"),
        (("--verdict", "proxy"), "may be 'proxy agrees' or 'proxy differs'"),
        (("paper001", "--claim", "paper001-c021"), "PAPER and --claim exclude each other"),
        (("--changed", "--exhibit", "paper003-fig3"), "--changed and --exhibit exclude each other"),
        (("--as-of", "yesterday"), "yesterday"),
        (("--check", "missing.xlsx"), "there is no file missing.xlsx"),
        (("--check", "."), ". is a folder"),
        (("--template", "none/mine.xlsx"), "there is no folder none. Next: make it first"),
        (("--template", "My paper.xlsx"), "'My paper' is no id of a paper"),
        (("--template", "mine.docx"), "end it in .yaml, .xlsx or .csv"),
    ],
)
def test_wrong_use_ends_with_a_next_step(run: Run, arguments: tuple[str, ...], said: str) -> None:
    told = run("papers", *arguments)
    assert told.code == 2
    assert said in told.err
    assert "Next: " in told.err


@pytest.mark.parametrize(("ending", "language"), [("yaml", "en"), ("xlsx", "zh"), ("csv", "en")])
def test_a_template_has_no_mistakes_itself(run: Run, tmp_path: Path, ending: str, language: str) -> None:
    path = tmp_path / f"mine.{ending}"
    assert run("papers", "--template", path, "--lang", language).code == 0
    checked = run("papers", "--check", path, "--format", "json")
    assert checked.code == 0, checked.err
    assert "has no mistakes; nothing was kept" in checked.err
    assert {row["verdict"] for row in checked.rows} <= {"reproduced, revised since", "reproduced"}
    assert "is there already" in run("papers", "--template", path).err


def test_an_author_mends_a_paper_until_it_has_verdicts(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    path = folder / "mine.xlsx"
    run("papers", "--template", path, "--lang", "zh")
    book = load_workbook(path)
    sheet = book.worksheets[0]
    for column, value in enumerate(("c003", "日本2017年研发强度", "日本", "2017", "3.2", "亿美元", "研发强度"), 1):
        sheet.cell(11, column, value)
    book.save(path)

    refused = run("papers", "--check", path)
    assert refused.code == 1
    assert "mine.xlsx:F11 (单位): mine-c003: value gives percent of GDP, which is no USD" in refused.err

    sheet["F11"] = "%"
    book.save(path)
    checked = run("papers", "--check", path, "--format", "json")
    assert [row["id"] for row in checked.rows] == ["mine-c001", "mine-c002", "mine-c003"]
    assert "taken: E11 3.2: equals 3.2" in checked.err
    assert "taken: G11 研发强度: value of oecd-gerd-gdp" in checked.err
    assert run("papers", "mine").code == 2

    monkeypatch.setenv("FIGUREKEEPER_PAPERS", str(folder))
    kept = {row["id"]: row["verdict"] for row in run("papers", "mine", "--format", "json").rows}
    assert kept == {row["id"]: row["verdict"] for row in checked.rows}
    (folder / "other.yaml").write_text("id: other\n", encoding="utf-8")
    (folder / "~$mine.xlsx").write_bytes(b"Excel's mark of an open file")
    (folder / "notes.txt").write_text("no paper", encoding="utf-8")
    beside = run("papers", "mine")
    assert beside.code == 0
    assert "other.yaml:1: " in beside.err
    assert f"left out of {folder}: notes.txt (papers end in .yaml, .yml, .xlsx, .csv)" in beside.err
    assert "~$" not in beside.err
    asked = run("papers", "other")
    assert asked.code == 1
    assert asked.err.count("other.yaml:1: title: Field required") == 1


def test_the_yaml_of_the_page_is_a_paper(run: Run, tmp_path: Path) -> None:
    page = (DOCS / "own-paper.md").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    [row] = run("papers", "--check", path, "--format", "json").rows
    assert row["verdict"] == "reproduced, revised since"
