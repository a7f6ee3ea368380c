"""A paper of one's own as a spreadsheet: what a row means, in English and Chinese, and every cell that cannot be understood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from openpyxl import Workbook

from warehouse.papers import economies, own
from warehouse.papers.model import Definition, Group, Measure, Paper, Sense, Unit
from warehouse.papers.vocabulary import vocabulary
from warehouse.yaml_lines import Mistaken


def _measure(name: str, en: str, zh: str, unit: str, series: str) -> Measure:
    return Measure.model_validate({"id": name, "name": {"en": en, "zh": zh}, "unit": unit, "series": series})


TWO = {
    "id": "ratio", "name": "ratio", "formula": "a / b", "inputs": {"a": {"unit": "any"}, "b": {"unit": "same"}},
    "unit": "ratio", "sql": "select 1",
}  # fmt: skip
KNOWN = own.Known(
    {
        one.id: one
        for one in (
            _measure("oecd-gerd-gdp", "R&D share", "研发占比", "percent of GDP", "oecd.sbrd:{entity}.G_XGDP"),
            _measure("wdi-gerd-gdp", "R&D share", "研发占比", "percent of GDP", "worldbank.wdi:{entity}.GB"),
            _measure("wdi-ip-receipts", "receipts", "收入", "USD", "worldbank.wdi:{entity}.BX"),
        )
    },
    {
        name: Definition.model_validate(
            {
                "id": name,
                "name": name,
                "formula": "x",
                "inputs": {"x": {"unit": "any"}},
                "unit": unit,
                "sql": "select 1",
            }
        )
        for name, unit in (("value", "same"), ("growth", "percent"))
    }
    | {"ratio": Definition.model_validate(TWO)},
    {name: Unit.model_validate({"id": name, "name": name}) for name in ("percent", "percent of GDP", "USD", "papers")},
    {"CJK": Group.model_validate({"id": "CJK", "name": {"en": "China, Japan, Korea", "zh": "中日韩"}})},
)
ABOUT = (("题目", "我的论文"), ("发表年份", "2021"), ("数据不早于", "2021-01-01"), ("数据不晚于", "2021-12-31"), ())
HEADS = ("编号", "句子", "经济体", "年份", "数值", "单位", "指标", "修饰语")


def write(path: Path, rows: Iterable[Sequence[Any]]) -> Path:
    """A spreadsheet of these rows, as its ending says."""
    if path.suffix == ".csv":
        path.write_text("\n".join(",".join(str(cell) for cell in row) for row in rows), encoding="utf-8")
        return path
    book = Workbook()
    for row in rows:
        book.worksheets[0].append([*row] or [None])
    book.save(path)
    return path


def claim(path: Path, *cells: Any, heads: Sequence[str] = HEADS) -> tuple[dict[str, Any], own.Sheet]:
    """The one claim of a spreadsheet, and the sheet."""
    sheet = own.fields(write(path, (*ABOUT, heads, cells)), KNOWN)
    [found] = sheet.fields["claims"]
    return found, sheet


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_a_row_in_chinese_becomes_a_statement_with_readings(tmp_path: Path, ending: str) -> None:
    cells = ("c001", "韩国2017年研发强度", "韩国", 2017, "4.60", "%", "研发强度", "左右")
    found, sheet = claim(tmp_path / f"mine.{ending}", *cells)
    assert found == {
        "id": "mine-c001", "says": "韩国2017年研发强度", "kind": "level", "entities": ["KOR"], "period": "2017",
        "printed": "4.60", "unit": "percent of GDP", "scale": 0, "sense": "about", "machine_readable": "yes",
        "provider": "oecd",
        "readings": [
            {"use": "value", "with": {"x": "oecd-gerd-gdp"}},
            {"use": "value", "with": {"x": "wdi-gerd-gdp"}},
        ],
    }  # fmt: skip
    assert sheet.at["claims", 0, "unit"] == "F7"
    assert [line.split(":")[0] for line in sheet.taken] == ["G7 研发强度", "F7 %"]
    paper = Paper.model_validate(sheet.fields)
    assert (paper.title.zh, paper.year, paper.cutoff.latest, paper.public) == (
        "我的论文",
        2021,
        date(2021, 12, 31),
        False,
    )


def test_english_heads_ranges_groups_and_powers_of_ten(tmp_path: Path) -> None:
    heads = ("Sentence", "Economies", "Year", "Value", "Unit", "Measure", "Formula", "Source")
    cells = (
        "Receipts grew",
        "中日韩; USA",
        "2014-2017",
        "1,000 – 1,500.5",
        "USD billion",
        "wdi-ip-receipts",
        "",
        "World Bank",
    )
    found, _ = claim(tmp_path / "mine.xlsx", *cells, heads=heads)
    assert found["entities"] == ["CJK", "USA"]
    assert (found["period"], found["printed"], found["sense"]) == ("2014:2017", ["1000", "1500.5"], "between")
    assert (found["unit"], found["scale"]) == ("USD", 9)
    assert (found["source"], found["source_basis"], found["id"]) == ("World Bank", "named", "mine-c001")


@pytest.mark.parametrize(
    ("value", "form", "printed"),
    [
        (4.6, "General", "4.6"),
        (4.6, "0.00", "4.60"),
        (14249025, "#,##0", "14249025"),
        (5, "General", "5"),
        (-0.5, "@", "-0.5"),
    ],
)
def test_a_number_is_what_excel_shows(tmp_path: Path, value: float, form: str, printed: str) -> None:
    path = write(tmp_path / "mine.xlsx", (*ABOUT, HEADS, ("", "x", "KOR", 2017, value, "%")))
    from openpyxl import load_workbook

    book = load_workbook(path)
    book.worksheets[0]["E7"].number_format = form
    book.save(path)
    assert own.fields(path, KNOWN).fields["claims"][0]["printed"] == printed


def test_a_number_that_excel_shows_otherwise_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.xlsx", (*ABOUT, HEADS, ("", "x", "KOR", 2017, 0.046, "%")))
    from openpyxl import load_workbook

    book = load_workbook(path)
    book.worksheets[0]["E7"].number_format = "0.0%"
    book.save(path)
    with pytest.raises(Mistaken, match=r"E7: a number in the format '0.0%'; format the cell as text"):
        own.fields(path, KNOWN)


def test_all_that_cannot_be_understood_is_told_at_once_with_its_cell(tmp_path: Path) -> None:
    rows = (
        ("题目", "我的论文"), ("出版社", "某社"), ("发表年份",),
        (*HEADS, "颜色"),
        ("c001", "x", "大韩", "2017", "4.6", "%", "研发强渡", "差不多", "红"),
    )  # fmt: skip
    with pytest.raises(Mistaken) as found:
        own.fields(write(tmp_path / "mine.xlsx", rows), KNOWN)
    cells = [mistake.split(":")[0] for mistake in found.value.mistakes]
    assert cells == ["I4", "A2", "A3", "C5", "H5", "G5"]
    assert "did you mean 研发强度" in found.value.mistakes[-1]


def test_the_name_of_the_file_is_the_id_unless_the_sheet_says_it(tmp_path: Path) -> None:
    rows = (*ABOUT, HEADS, ("", "x", "KOR", "2017", "4.6", "%"))
    with pytest.raises(Mistaken, match="A1: 'My paper' is no id of a paper: name the file"):
        own.fields(write(tmp_path / "My paper.csv", rows), KNOWN)
    named = own.fields(write(tmp_path / "My paper.csv", (("论文编号", "mine"), *rows)), KNOWN)
    assert named.fields["claims"][0]["id"] == "mine-c001"


def test_a_formula_of_two_measures_does_not_fit_into_a_row(tmp_path: Path) -> None:
    heads = ("says", "economies", "year", "value", "unit", "measure", "formula")
    with pytest.raises(Mistaken, match=r"F7: the formula ratio has the inputs a, b, .* write this paper as YAML"):
        claim(tmp_path / "mine.csv", "x", "KOR", "2017", "1", "%", "R&D intensity", "ratio", heads=heads)


def test_growth_is_in_percent_whatever_grows(tmp_path: Path) -> None:
    heads = ("says", "economies", "year", "value", "unit", "measure", "formula")
    found, _ = claim(tmp_path / "mine.csv", "x", "KOR", "2017", "5", "%", "wdi-ip-receipts", "增速", heads=heads)
    assert found["readings"] == [{"use": "growth", "with": {"x": "wdi-ip-receipts"}}]
    assert found["unit"] == "percent"


def test_a_csv_of_a_chinese_excel_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", (*ABOUT, HEADS, ("", "韩国", "韩国", "2017", "4.6", "%")))
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    assert own.fields(path, KNOWN).fields["title"] == "我的论文"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("mine.xlsx", b"no spreadsheet", "A1: not an XLSX file"),
        ("mine.csv", b"\xff\xfe\xff", "A1: neither UTF-8 nor GB 18030"),
        ("mine.csv", b"", "A1: no row of column heads"),
        ("mine.csv", b"id,says,economies\n", "A1: there is no column for period"),
    ],
)
def test_what_is_no_sheet_of_claims_is_refused(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Mistaken) as found:
        own.fields(tmp_path / name, KNOWN)
    assert found.value.mistakes[0].startswith(what)


def test_the_synonyms_mean_what_the_catalogue_holds() -> None:
    words, known = own.synonyms(), vocabulary()
    assert {one for ids in words.measures.values() for one in ids} <= known.measures.keys()
    assert {unit for several in words.units.values() for unit, _ in several} <= known.units.keys()
    assert words.formulas.keys() <= known.definitions.keys()
    assert words.economies.keys() <= economies.names().keys()
    assert words.senses.keys() <= set(get_args(Sense))


def test_the_synonyms_mean_one_thing_each() -> None:
    known = own.synonyms()
    for words in (known.columns, known.paper, known.senses, known.economies, known.formulas):
        said = [own.plain(word) for several in words.values() for word in several]
        assert len(said) == len(set(said))
