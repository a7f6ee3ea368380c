"""Tables in a drop folder: what is read of them, what is refused, and that nothing is concluded of what they leave out."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors import contract, datasets
from connectors.datasets import Dataset
from connectors.errors import NoData, UnexpectedPayload
from connectors.files import editions as files
from connectors.files import layout as drop_layout
from connectors.files import manifest as drop
from connectors.files.manifest import ManifestError, Table
from connectors.files.tables import address, read_table
from connectors.reading import NotReadable
from connectors.skipped import Skip
from tests.connectors import specimens
from warehouse.schema import Basis, PartData, Precision, Scope

GUIDE = (Path(__file__).parents[2] / drop.GUIDE).read_text(encoding="utf-8")
IMPORTS = datasets.load("nbs.yearbook_technology_imports")
BEIJING = datasets.load("nbs.beijing_expenditure")
NOW = datetime(2026, 8, 1, tzinfo=UTC)

pytestmark = pytest.mark.nbs

EXPORT = """\
数据库：分省年度数据 ,
时间： ,
指标\t,2020年\t,2018年\t,2017年\t,\t
地方财政一般公共预算支出 (亿元)\t,"7,116.18\t",7471.43\t,6824.53\t,\t
地方财政教育支出 (亿元)\t,1138.29\t,\t,964.62\t,\t
地方财政科学技术支出 (亿元)\t,410.96\t,425.87\t,361.76\t,\t
地方财政国防支出 (亿元)\t,9.74\t,9.62\t,8.51\t,\t
注：均为本级支出。
数据来源：国家统计局
"""


def workbook(rows: Sequence[Sequence[Any]], *, sheet: str = "8-5", merge: Sequence[str] = ()) -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(list(row))
    for cells in merge:
        page.merge_cells(cells)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def taken(dataset: Dataset, folder: Path) -> list[PartData]:
    """Everything that lies in a folder, read from its payloads as replay reads them."""
    dropped = drop.look(dataset, folder)
    found = [files.fetch(dataset, edition, dropped, NOW) for edition in files.editions(dataset, dropped)]
    return [contract.parse(dataset, part) for pieces in found for piece in pieces for part in piece.parts]


def place(folder: Path, manifest: str, **contents: bytes) -> Path:
    for name, content in contents.items():
        (folder / f"{name}.csv" if not content.startswith(b"PK") else folder / f"{name}.xlsx").write_bytes(content)
    (folder / drop.MANIFEST).write_text(manifest, encoding="utf-8")
    return folder


def cells(data: PartData) -> dict[tuple[str, str], tuple[str, float | None, str]]:
    rows = data.observations.to_pylist()
    return {(row["series_key"], row["period"]): (row["value_text"], row["value"], row["status"]) for row in rows}


ONE_FILE = """\
editions:
  - edition: "2021"
    published: 2021-12-05
    tables:
      - {part: expenditure, file: table.csv}
"""


# -- the pages' own exports ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_an_export_speaks_of_the_years_in_it_alone(tmp_path: Path, encoding: str) -> None:
    old, new = taken(BEIJING, place(tmp_path, ONE_FILE, table=EXPORT.encode(encoding)))
    assert (old.scope, new.scope) == (Scope("2017", "2018"), Scope("2020", "2020"))
    assert cells(new) == {
        ("TOTAL.110000000000", "2020"): ("7,116.18", 7116.18, ""),
        ("EDUCATION.110000000000", "2020"): ("1138.29", 1138.29, ""),
        ("SCIENCE.110000000000", "2020"): ("410.96", 410.96, ""),
    }
    assert cells(old)["EDUCATION.110000000000", "2018"] == ("", None, "")
    assert old.skipped == {Skip.OTHER_SERIES: 3, Skip.OTHER_PERIOD: 3}
    [series] = [row for row in new.series.to_pylist() if row["series_key"].startswith("SCIENCE")]
    assert (series["label"], series["unit"], series["entity"]) == ("地方财政科学技术支出", "亿元", "110000000000")
    assert series["notes"] == "注：均为本级支出。"
    assert new.stamp is not None
    assert (new.stamp.precision, new.stamp.basis) == (Precision.DAY, Basis.CARRIED)


def test_a_complete_edition_is_one_complete_reading(tmp_path: Path) -> None:
    manifest = ONE_FILE.replace("published: 2021-12-05", "published: 2021\n    word: publisher\n    complete: true")
    [data] = taken(BEIJING, place(tmp_path, manifest, table=EXPORT.encode()))
    assert data.scope.complete
    assert data.stamp is not None
    assert (data.stamp.precision, data.stamp.basis) == (Precision.YEAR, Basis.ARCHIVE)
    assert data.stamp.at == datetime(2021, 12, 31, 15, 59, 59, 999999, UTC)  # the end of the year in Shanghai


def test_editions_come_in_the_order_in_which_they_became_known(tmp_path: Path) -> None:
    later = ONE_FILE.removeprefix("editions:\n").replace('"2021"', '"2019"').replace("2021-12-05", "2019-12")
    place(tmp_path, ONE_FILE + later, table=EXPORT.encode())
    assert [one.edition for one in files.editions(BEIJING, drop.look(BEIJING, tmp_path))] == ["2019", "2021"]


def test_what_tells_an_edition_changes_with_manifest_and_file(tmp_path: Path) -> None:
    def told(manifest: str, content: str) -> set[str]:
        dropped = drop.look(BEIJING, place(tmp_path, manifest, table=content.encode()))
        return files.manifest_sha256s(BEIJING, dropped.editions[0], dropped)

    first = told(ONE_FILE, EXPORT)
    assert told(ONE_FILE, EXPORT) == first
    assert told(ONE_FILE.replace("12-05", "12-06"), EXPORT).isdisjoint(first)
    assert told(ONE_FILE, EXPORT.replace("410.96", "410.97")).isdisjoint(first)


def test_recorded_exports_of_both_pages(tmp_path: Path) -> None:
    exports = specimens.upstream("nbs", "exports")
    beijing = (exports / "portal_export_fsnd_beijing_fiscal_2016_2024.csv").read_bytes()
    [data] = taken(BEIJING, place(tmp_path, ONE_FILE, table=beijing))
    assert data.scope == Scope("2016", "2024")
    assert cells(data)["TOTAL.110000000000", "2024"] == ("8396.49", 8396.49, "")
    assert cells(data)["SCIENCE.110000000000", "2024"] == ("", None, "")
    names = {"ALL": ("企业法人单位数",), "FOREIGN": ("外商投资企业单位法人单位数",)}
    part = BEIJING.parts[0].model_copy(update={"names": names, "unit": "个"})
    units = BEIJING.model_copy(update={"parts": (part,)})
    classic = (exports / "classic_export_hgnd_enterprises_2014_2022.csv").read_bytes()
    old, new = taken(units, place(tmp_path, ONE_FILE, table=classic))
    assert (old.scope, new.scope) == (Scope("2014", "2017"), Scope("2019", "2022"))  # the file leaves 2018 out
    assert cells(new)["FOREIGN.110000000000", "2022"] == ("142447", 142447.0, "")


# -- yearbook tables -------------------------------------------------------------------------------------------------


def guide_example() -> tuple[str, bytes]:
    """The manifest of the guide, and the table that it prints."""
    [manifest] = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^\| \d+ \|(.*)\|$", GUIDE, flags=re.MULTILINE)
    rows = [[cell.strip() or None for cell in line.split("|")] for line in lines]
    return manifest, workbook(rows, merge=("A1:D1", "A3:A4", "B3:D3"))


def test_the_guides_example_is_taken_up_as_it_says(tmp_path: Path) -> None:
    manifest, content = guide_example()
    (tmp_path / "yearbook-2022.xlsx").write_bytes(content)
    contracts, value = taken(IMPORTS, place(tmp_path, manifest))
    assert cells(contracts) == {
        ("JPN.CONTRACTS", "2021"): ("1,594", 1594.0, ""),
        ("DEU.CONTRACTS", "2021"): ("1,203", 1203.0, ""),
        ("CAN.CONTRACTS", "2021"): ("87", 87.0, ""),
    }
    assert cells(value) == {
        ("JPN.VALUE", "2021"): ("66.24", 66.24, ""),
        ("DEU.VALUE", "2021"): ("58.10", 58.1, "P"),
        ("CAN.VALUE", "2021"): ("-", None, "M"),
    }
    assert value.scope == Scope("2021", "2021", ("JPN", "DEU", "CAN"))
    assert value.stamp is not None
    assert (value.stamp.precision, value.stamp.basis) == (Precision.MONTH, Basis.ARCHIVE)


def test_periods_may_run_down_and_columns_that_are_none_are_skipped() -> None:
    rows = [
        ["Year", "Japan", "Korea", "Total"],
        ["2019", "１，２３４.5", "...", "9"],
        ["2020年", "0", "", "9"],
        ["增长率", "1%", "2%", "3%"],
    ]
    table = Table(part="value", file="t.csv", header=1, series="columns", skip=("增长率",), unit="亿美元")
    found = drop_layout.read(rows, table, {"JPN": ("日本", "Japan"), "KOR": ("Korea",)}, "亿美元", "A")
    assert [tuple(cell) for cell in found.cells] == [
        ("JPN", "2019", "1,234.5", ""),
        ("JPN", "2020", "0", ""),
        ("KOR", "2019", "...", "O"),
        ("KOR", "2020", "", ""),
    ]
    assert (found.others, found.units) == (2, {})


def test_blocks_of_a_table_are_told_apart_by_rows() -> None:
    rows = [["", "2020", "2021"], ["Imports"], ["Japan", "1", "2"], ["Exports"], ["Japan", "3", "4"]]
    table = Table(part="value", file="t.csv", header=1, rows=(4, 5), unit="x")
    found = drop_layout.read(rows, table, {"JPN": ("Japan",)}, "x", "A")
    assert [cell.text for cell in found.cells] == ["3", "4"]
    with pytest.raises(drop_layout.Misfit, match="'Japan' stands 2 times"):
        drop_layout.read(rows, table.model_copy(update={"rows": None}), {"JPN": ("Japan",)}, "x", "A")


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    rows = [["", "2020", "growth", "2020年"], ["Japan (万元)", "x1", "2", "3*"], ["注：…", "", "", ""]]
    table = Table(part="value", file="t.csv", header=1)
    with pytest.raises(drop_layout.Misfit) as caught:
        drop_layout.read(rows, table, {"JPN": ("Japan",)}, "亿元", "A")
    assert caught.value.problems == (
        "'growth' is not a period; if it is none, add it to `skip`",
        "the period 2020 stands twice",
        "cell B2: 'x1' is not a number",
    )
    with pytest.raises(drop_layout.Misfit, match="`marks` must say what '\\*' means"):
        drop_layout.read([["", "2020"], ["Japan (亿元)", "3*"]], table, {"JPN": ("Japan",)}, "亿元", "A")
    with pytest.raises(drop_layout.Misfit, match="none of the names of part value"):
        drop_layout.read([["", "2020"], ["Japon", "3"]], table, {"JPN": ("Japan",)}, "亿元", "A")
    with pytest.raises(drop_layout.Misfit, match="no unit is printed for 'Japan'"):
        drop_layout.read([["", "2020"], ["Japan", "3"]], table, {"JPN": ("Japan",)}, "亿元", "A")
    with pytest.raises(drop_layout.Misfit, match="no row begins with 指标"):
        drop_layout.read([["", "2020"]], table.model_copy(update={"header": None}), {}, "亿元", "A")


@pytest.mark.parametrize(
    ("printed", "text", "status"),
    [
        ("", "", ""),
        (" 1,234,567.80 ", "1,234,567.80", ""),
        ("－5", "-5", ""),
        ("0", "0", ""),
        ("…", "…", "O"),
        ("——", "——", "M"),
        ("12①", "12", "B"),
        ("12 *", "12", ""),
        ("x", "x", "Q"),
    ],
)
def test_numbers_keep_their_digits_and_absences_are_not_zero(printed: str, text: str, status: str) -> None:
    assert drop_layout.number(printed, {"①": "B", "*": "", "x": "Q"}) == (text, status)


@pytest.mark.parametrize("printed", ["1,23", "1 234", "12.5%", "1e5", "NaN", "Infinity", "1.2.3", "#N/A", "12①", "٣"])
def test_what_is_no_number_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number|`marks` must say"):
        drop_layout.number(printed, {})


def test_another_unit_than_the_dataset_files_is_a_conflict(tmp_path: Path) -> None:
    content = EXPORT.replace("地方财政教育支出 (亿元)", "地方财政教育支出 (万元)").encode()
    _, new = taken(BEIJING, place(tmp_path, ONE_FILE, table=content))
    assert new.notes == ("unit conflict: EDUCATION is printed in '万元', the dataset file expects '亿元'",)
    assert [row["notes"] for row in new.series.to_pylist() if "unit conflict" in row["notes"]] != []


def test_a_series_that_a_table_lacks_is_no_withdrawal(tmp_path: Path) -> None:
    lines = [line for line in EXPORT.splitlines() if "教育" not in line]
    with pytest.raises(UnexpectedPayload, match="no table holds EDUCATION"):
        taken(BEIJING, place(tmp_path, ONE_FILE, table="\n".join(lines).encode()))


def test_a_table_without_a_number_is_no_data(tmp_path: Path) -> None:
    content = re.sub(r'"?[\d,]+\.\d+"?', "", EXPORT).encode()
    with pytest.raises(NoData, match="not one number"):
        taken(BEIJING, place(tmp_path, ONE_FILE, table=content))


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_workbook_is_read_as_it_is_stored() -> None:
    content = workbook([["a", 0.1 + 0.2, 1234], [None, 1e-7, -5.50], ["x\ny"]])
    assert read_table(content) == [["a", "0.3", "1234"], ["", "0.0000001", "-5.5"], ["x y"]]
    assert [address(0, 0), address(9, 25), address(0, 26), address(0, 702)] == ["A1", "Z10", "AA1", "AAA1"]


def _formatted(form: str) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(workbook([["a", 1200]])))
    page = book.active
    assert page is not None
    page["B1"].number_format = form
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_numbers_that_look_otherwise_than_they_are_stored_are_refused() -> None:
    for form in ("#,##0,", "0.0,,", "#,##0,;-#,##0,"):
        with pytest.raises(NotReadable, match="cell B1 is shown divided by thousands"):
            read_table(_formatted(form))
    assert read_table(_formatted("#,##0.00")) == [["a", "1200"]]
    assert read_table(_formatted("0%")) == [["a", "120000%"]]  # and then is no number


def test_a_formula_without_its_value_is_not_an_empty_cell() -> None:
    with pytest.raises(NotReadable, match="cell B1 holds a formula without its value"):
        read_table(workbook([["a", "=1+1"]]))


def test_sheets_are_named_where_there_are_several() -> None:
    content = workbook([["a"]], sheet="8-5")
    assert read_table(content, "8-5") == [["a"]]
    with pytest.raises(NotReadable, match="no sheet '8-6'; there are '8-5'"):
        read_table(content, "8-6")
    with pytest.raises(NotReadable, match="a CSV file has no sheet"):
        read_table(b"a,b\n", "8-5")


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK" + bytes(100), b"\xff\xfe\x00", b"a\x00b", b'"open'])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(NotReadable):
        read_table(content)


# -- manifests -------------------------------------------------------------------------------------------------------


def test_all_mistakes_of_a_manifest_are_told_with_their_lines(tmp_path: Path) -> None:
    manifest = """\
editions:
  - edition: "2021"
    published: in winter
    word: hearsay
    tables:
      - part: spending
        file: ../table.csv
        header: [3, 2]
      - part: expenditure
        file: table.csv
        sha256: "0000000000000000000000000000000000000000000000000000000000000000"
        colour: red
      - {part: expenditure, file: table.csv, period: "2021"}
  - edition: "2021"
    published: 2021
    tables:
      - {part: expenditure, file: none.csv}
"""
    place(tmp_path, manifest, table=EXPORT.encode())
    with pytest.raises(ManifestError) as caught:
        drop.look(BEIJING, tmp_path)
    told = [mistake.partition(": ") for mistake in caught.value.mistakes]
    assert [(int(line), what.split(":")[0]) for line, _, what in told] == [
        (3, "editions.0.published"),
        (4, "editions.0.word"),
        (6, "editions.0.tables.0"),
        (6, "part"),
        (7, "file"),
        (10, "file"),
        (12, "editions.0.tables.1.colour"),
        (13, "editions.0.tables.2"),
        (14, "edition"),
        (17, "file"),
    ]
    assert str(caught.value).endswith(f"({drop.GUIDE} explains its fields) and try again; nothing was taken up")


def test_a_manifest_that_is_no_yaml_says_where(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        drop.look(BEIJING, place(tmp_path, "editions:\n  - [\n"))
    assert caught.value.mistakes[0].startswith("3: ")


def test_a_file_may_be_named_by_its_hash(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(EXPORT.encode()).hexdigest()
    manifest = ONE_FILE.replace("file: table.csv", f'file: table.csv, sha256: "{sha256}"')
    assert len(taken(BEIJING, place(tmp_path, manifest, table=EXPORT.encode()))) == 2


@pytest.mark.parametrize("published", ["2972-12", "2972-12-31", "2972"])
def test_an_edition_is_not_of_a_day_still_to_come(tmp_path: Path, published: str) -> None:
    manifest = (
        f"editions:\n  - edition: a\n    published: {published}\n    tables: [{{part: expenditure, file: a.csv}}]\n"
    )
    with pytest.raises(ManifestError) as caught:
        drop.look(BEIJING, place(tmp_path, manifest, a=EXPORT.encode()))
    assert caught.value.mistakes == (f"3: published: {published} is still to come",)


def test_an_old_xls_is_told_whatever_its_name() -> None:
    with pytest.raises(NotReadable, match=r"an old \.xls.* save it as \.xlsx"):
        read_table(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504), "8-5")
