"""A paper of one's own as a spreadsheet: what a row means, in English and Chinese, and every cell that cannot be understood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from openpyxl import Workbook, load_workbook

from warehouse.papers import catalogue, economies, own, own_words
from warehouse.papers.catalogue import CatalogueError
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
    assert sheet.at["claims", 0, "unit"] == "F7 (单位)"
    assert [line.split(":")[0] for line in sheet.taken] == ["E7 4.60", "G7 研发强度", "F7 %"]
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
    ("value", "printed", "sense", "taken"),
    [
        ("1,234.5", "1234.5", "equals", "E7 1,234.5: equals 1234.5"),
        ("１，２３４", "1234", "equals", "E7 １，２３４: equals 1234"),
        ("−0.5", "-0.5", "equals", "E7 −0.5: equals -0.5"),
        ("10-15", ["10", "15"], "between", "E7 10-15: between 10 and 15"),
        ("-5--3", ["-5", "-3"], "between", "E7 -5--3: between -5 and -3"),
        ("10～15", ["10", "15"], "between", "E7 10～15: between 10 and 15"),
        ("1.5——2", ["1.5", "2"], "between", "E7 1.5——2: between 1.5 and 2"),
        ("10…15", ["10", "15"], "between", "E7 10…15: between 10 and 15"),
    ],
)
def test_a_value_is_a_number_or_a_range(
    tmp_path: Path, value: str, printed: str | list[str], sense: str, taken: str
) -> None:
    found, sheet = claim(tmp_path / "mine.xlsx", "", "x", "KOR", "2017", value, "%")
    assert (found["printed"], found["sense"]) == (printed, sense)
    assert sheet.taken[0] == taken


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("4,6", "'4,6' has a comma: decimal or thousands? write 4.6, or 14,249,025"),
        ("1.234,5", "has a comma"),
        ("12,34,567", "has a comma"),
        ("4，6", "has a comma"),
        ("4,6%", "has a comma"),
        ("4.6%", "'4.6%' says more than a number: put % into the column 单位"),
        ("约3", "put 约 into the column 修饰语"),
        ("3以上", "put 以上 into the column 修饰语"),
        ("约10-15％", "put 约 into the column 修饰语, % into the column 单位"),
        ("第4", "put 第 into the column 修饰语"),
        ("1 234", "'1 234' is no number as it is printed, such as 4.60, 1,234 or 10-15"),
        ("many", "'many' is no number as it is printed"),
    ],
)
def test_what_is_no_number_is_refused_and_told_where_it_belongs(tmp_path: Path, value: str, says: str) -> None:
    with pytest.raises(Mistaken) as found:
        claim(tmp_path / "mine.xlsx", "", "x", "KOR", "2017", value, "%")
    [mistake] = found.value.mistakes
    assert mistake.startswith("E7 (数值): ")
    assert says in mistake


@pytest.mark.parametrize(
    ("year", "period"),
    [
        ("２０１７年", "2017"),
        ("2014年至2017年", "2014:2017"),
        ("2014～2017", "2014:2017"),
        ("2017-05", "2017-05"),
        ("2017-Q3", "2017-Q3"),
    ],
)
def test_a_year_may_be_wide_and_say_that_it_is_one(tmp_path: Path, year: str, period: str) -> None:
    assert claim(tmp_path / "mine.csv", "", "x", "KOR", year, "4.6", "%", "研发强度")[0]["period"] == period


def test_only_what_is_computed_must_have_a_period(tmp_path: Path) -> None:
    cells = ("", "x", "KOR", "20l7", "4.6", "%")
    assert claim(tmp_path / "mine.csv", *cells)[0]["period"] == "20l7"
    with pytest.raises(
        Mistaken, match=r"^D7 \(年份\): '20l7' is no period: write 2017, 2014-2017, 2017-05 or 2017-Q3$"
    ):
        claim(tmp_path / "mine.csv", *cells, "研发强度")


@pytest.mark.parametrize(("column", "place"), [(1, "B7 (句子)"), (3, "D7 (年份)"), (4, "E7 (数值)"), (5, "F7 (单位)")])
@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_an_empty_cell_is_told_by_its_column(tmp_path: Path, column: int, place: str, ending: str) -> None:
    cells = ["c001", "x", "KOR", "2017", "4.6", "%"]
    cells[column] = ""
    with pytest.raises(Mistaken) as found:
        claim(tmp_path / f"mine.{ending}", *cells)
    assert [mistake.split(": ")[:2] for mistake in found.value.mistakes] == [[place, "empty"]]


def test_a_rank_need_not_be_a_number(tmp_path: Path) -> None:
    assert "printed" not in claim(tmp_path / "mine.csv", "", "x", "KOR", "2017", "", "%", "", "排名")[0]


@pytest.mark.parametrize(
    ("row", "value", "says"),
    [
        (1, "二〇二一", "B2 (发表年份): '二〇二一' is no year: write it as 2021"),
        (2, "2021-13-01", "B3 (数据不早于): '2021-13-01' is no day: write it as 2021-12-31"),
        (3, "2021", "B4 (数据不晚于): '2021' is no day: write it as 2021-12-31"),
        (4, "perhaps", "B5 (公开): 'perhaps' is neither yes nor no (是, 否)"),
    ],
)
def test_what_is_wrong_with_the_paper_is_told_at_its_value(tmp_path: Path, row: int, value: str, says: str) -> None:
    about = [*ABOUT[:-1], ("公开", "是")]
    about[row] = (about[row][0], value)
    with pytest.raises(Mistaken) as found:
        own.fields(write(tmp_path / "mine.xlsx", (*about, HEADS, ("", "x", "KOR", "2017", "4.6", "%"))), KNOWN)
    assert found.value.mistakes == (says,)


def test_days_are_written_in_several_ways(tmp_path: Path) -> None:
    about = (("title", "Mine"), ("published", "2021年"), ("data from", "2021年1月5日"), ("data until", "2021/12/31"))
    sheet = own.fields(write(tmp_path / "mine.csv", (*about, HEADS, ("", "x", "KOR", "2017", "4.6", "%"))), KNOWN)
    assert (sheet.fields["cutoff"]["earliest"], sheet.fields["cutoff"]["latest"]) == (
        date(2021, 1, 5),
        date(2021, 12, 31),
    )
    assert sheet.fields["year"] == "2021"


def test_all_that_cannot_be_understood_is_told_at_once_with_its_cell(tmp_path: Path) -> None:
    rows = (
        ("题目", "我的论文"), ("出版社", "某社"), ("发表年份",),
        (*HEADS, "颜色"),
        ("c001", "x", "大韩", "2017", "4.6", "%", "研发强渡", "差不多", "红"),
    )  # fmt: skip
    with pytest.raises(Mistaken) as found:
        own.fields(write(tmp_path / "mine.xlsx", rows), KNOWN)
    cells = [mistake.split(":")[0] for mistake in found.value.mistakes]
    assert cells == ["A1", "A1", "A2", "A3", "I4", "C5 (经济体)", "G5 (指标)", "H5 (修饰语)"]
    assert "no line says data from 数据不早于" in found.value.mistakes[0]
    assert "did you mean 研发强度" in found.value.mistakes[-2]


def test_the_name_of_the_file_is_the_id_unless_the_sheet_says_it(tmp_path: Path) -> None:
    rows = (*ABOUT, HEADS, ("", "x", "KOR", "2017", "4.6", "%"))
    with pytest.raises(Mistaken, match="A1: 'My paper' is no id of a paper: name the file"):
        own.fields(write(tmp_path / "My paper.csv", rows), KNOWN)
    named = own.fields(write(tmp_path / "My paper.csv", (("论文编号", "mine"), *rows)), KNOWN)
    assert named.fields["claims"][0]["id"] == "mine-c001"


def test_cells_that_cannot_be_read_are_told_once(tmp_path: Path) -> None:
    rows = (
        *ABOUT,
        HEADS,
        ("c001", "x", "KOR", "2017", "=2+2.6", "%", "研发强度"),
        ("c002", "y", "", "2018", "4.6", "%", "研发强度"),
    )
    path = write(tmp_path / "mine.xlsx", rows)
    book = load_workbook(path)
    book.worksheets[0].merge_cells("C7:C8")
    book.worksheets[0].merge_cells("B1:H1")  # a title over several columns hinders nobody
    book.save(path)
    with pytest.raises(Mistaken) as found:
        own.fields(path, KNOWN)
    assert [mistake.split(": ")[0] for mistake in found.value.mistakes] == ["E7 (数值)", "C8 (经济体)"]


@pytest.mark.parametrize(
    ("cells", "place", "says"),
    [
        (("韩国", "2017", "4.6", "亿元", "研发强度"), "F7 (单位)", "value gives percent of GDP, which is no CNY"),
        (("", "2017", "4.6", "%", "研发强度"), "C7 (经济体)", "value has no economies to speak of"),
        (("韩国", "2017", "10-5", "%", "研发强度"), "E7 (数值)", "the range 10 to 5 runs backwards"),
        (("韩国", "2017", "4.6", "%", "oecd-exports-to"), "G7 (指标)", "value has no partners to speak of"),
    ],
)
def test_what_does_not_fit_together_is_told_once_and_at_its_cell(
    tmp_path: Path, cells: Sequence[str], place: str, says: str
) -> None:
    path = write(tmp_path / "mine.xlsx", (*ABOUT, HEADS, ("", "x", *cells)))
    with pytest.raises(CatalogueError) as found:
        catalogue.load_own(path)
    told = [mistake for mistake in found.value.mistakes if says in mistake]
    assert len(told) == 1
    assert told[0].startswith(f"{place}: ")
    assert not re.search(r"claims\.\d|Value error|Field required", str(found.value))


def test_an_interval_that_runs_backwards_is_told_at_its_days(tmp_path: Path) -> None:
    about = (*ABOUT[:3], ("数据不晚于", "2020-12-31"), ())
    path = write(tmp_path / "mine.xlsx", (*about, HEADS, ("", "x", "KOR", "2017", "4.6", "%")))
    with pytest.raises(
        CatalogueError, match=r"B3 \(数据不早于\): the interval from 2021-01-01 to 2020-12-31 runs backwards"
    ):
        catalogue.load_own(path)


def test_a_formula_of_two_measures_does_not_fit_into_a_row(tmp_path: Path) -> None:
    heads = ("says", "economies", "year", "value", "unit", "measure", "formula")
    with pytest.raises(
        Mistaken, match=r"F7 \(measure\): the formula ratio has the inputs a, b, .* write this paper as YAML"
    ):
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
        ("mine.csv", b"id,says,economies\n", "A1: there is no column for year 年份, value 数值, unit 单位"),
    ],
)
def test_what_is_no_sheet_of_claims_is_refused(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Mistaken) as found:
        own.fields(tmp_path / name, KNOWN)
    assert found.value.mistakes[0].startswith(what)


def test_the_synonyms_mean_what_the_catalogue_holds() -> None:
    words, known = own_words.synonyms(), vocabulary()
    assert {one for ids in words.measures.values() for one in ids} <= known.measures.keys()
    assert {unit for several in words.units.values() for unit, _ in several} <= known.units.keys()
    assert words.formulas.keys() <= known.definitions.keys()
    assert words.economies.keys() <= economies.names().keys()
    assert words.senses.keys() <= set(get_args(Sense))


def test_the_synonyms_mean_one_thing_each() -> None:
    known = own_words.synonyms()
    for words in (known.columns, known.paper, known.senses, known.economies, known.formulas):
        said = [own_words.plain(word) for several in words.values() for word in several]
        assert len(said) == len(set(said))
