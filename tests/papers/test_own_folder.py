"""The folder of one's own papers: every file is read or named, and none hinders another, however spoilt."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.papers.test_catalogue import PAPER, written
from warehouse.errors import UsageError
from warehouse.papers import catalogue
from warehouse.papers.catalogue import CatalogueError


def test_one_wrong_file_hinders_no_other(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "~$open.xlsx").write_text("what a spreadsheet leaves while it is open")
    (tmp_path / "wrong.yaml").write_text("id: wrong\n")
    found = catalogue.load(tmp_path)
    assert {"mine", "paper001"} <= set(found.papers)
    assert list(found.wrong) == ["wrong.yaml"]
    assert found.statement("mine-c001")[0].id == "mine"


def _archive(**parts: str) -> bytes:
    """A spreadsheet with some of its parts spoilt: these words in place of what they hold."""
    written, spoilt = io.BytesIO(), io.BytesIO()
    Workbook().save(written)
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(spoilt, "w") as new:
        for name in old.namelist():
            new.writestr(name, parts.get(Path(name).stem, old.read(name)))
    return spoilt.getvalue()


def _flipped() -> bytes:
    """A spreadsheet of which a byte changed on its way."""
    written = io.BytesIO()
    Workbook().save(written)
    content = bytearray(written.getvalue())
    with zipfile.ZipFile(written) as archive:
        content[archive.getinfo("xl/workbook.xml").header_offset + 60] ^= 0xFF
    return bytes(content)


def _of_charts() -> bytes:
    """A workbook without a sheet of cells."""
    book, written = Workbook(), io.BytesIO()
    book.create_chartsheet()
    book.remove(book.worksheets[0])
    book.save(written)
    return written.getvalue()


def _bomb() -> bytes:
    """A few lines of aliases that stand for ten to the power of nine words."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 10)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("spoilt.xlsx", _flipped(), "A1: not an XLSX file that can be read"),
        ("spoilt.xlsx", _archive(sheet1="<worksheet>"), "A1: not an XLSX file that can be read"),
        ("spoilt.xlsx", _of_charts(), "A1: not an XLSX file that can be read"),
        ("spoilt.yaml", _bomb(), "1: not YAML that can be read: its aliases make more than 500000 fields of it"),
        ("spoilt.yaml", b"id: spoilt\nclaims: &a [*a]\n", "1: not YAML that can be read: its aliases"),
    ],
    ids=["a byte", "a sheet", "charts", "aliases", "in itself"],
)
def test_a_spoilt_file_is_told_and_hinders_no_other(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    written(tmp_path)
    (tmp_path / name).write_bytes(content)
    found = catalogue.load(tmp_path)
    assert {"mine", "paper001"} <= found.papers.keys()
    [mistake] = found.wrong[name].mistakes
    assert mistake.startswith(says)


def test_what_nobody_foresaw_in_a_file_hinders_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a library's mistake")

    written(tmp_path)
    (tmp_path / "second.csv").write_text("x")
    monkeypatch.setattr("warehouse.papers.own_cells._csv", broken)
    found = catalogue.load(tmp_path)
    assert "mine" in found.papers
    assert found.wrong["second.csv"].mistakes == ("1: cannot be understood (RuntimeError: a library's mistake)",)


def test_every_file_of_the_folder_is_read_or_named(tmp_path: Path) -> None:
    written(tmp_path).rename(tmp_path / "mine.YML")
    for name in ("old.xls", "notes.txt", ".hidden", "~$open.docx"):
        (tmp_path / name).write_text("no paper")
    (tmp_path / "figures").mkdir()
    assert "mine" in catalogue.load(tmp_path).papers
    assert [path.name for path in catalogue.ignored(tmp_path)] == ["notes.txt", "old.xls"]
    assert catalogue.ignored(None) == []


def test_of_two_papers_with_one_id_the_other_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    shutil.copy(path, tmp_path / "second.yaml")
    (tmp_path / "paper001.yaml").write_text(PAPER.replace("mine", "paper001"))
    wrong = catalogue.load(tmp_path).wrong
    assert wrong["second.yaml"].mistakes == ("1: mine is the id of another paper: mine.yaml",)
    assert catalogue.load_own(path, tmp_path)[0].id == "mine"
    with pytest.raises(CatalogueError, match=r"1: mine is the id of another paper: mine\.yaml"):
        catalogue.load_own(tmp_path / "second.yaml", tmp_path)
    with pytest.raises(CatalogueError) as error:
        catalogue.load_own(tmp_path / "paper001.yaml", tmp_path)
    assert error.value.mistakes == wrong["paper001.yaml"].mistakes
    assert error.value.mistakes == ("1: paper001 is the id of another paper: one that comes with Figurekeeper",)


def test_a_paper_whose_file_is_wrong_is_not_unknown(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("id: bad\n")
    with pytest.raises(CatalogueError, match=r"bad\.yaml:1: "):
        catalogue.load(tmp_path).paper("bad")


def test_what_is_no_file_of_a_paper_cannot_be_meant(tmp_path: Path) -> None:
    (tmp_path / "mine.docx").write_text("")
    for name, says in (
        (".", "is a folder"),
        ("none.xlsx", "there is no file"),
        ("mine.docx", "no paper by its ending"),
    ):
        with pytest.raises(UsageError, match=says):
            catalogue.load_own(tmp_path / name)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert catalogue.load(tmp_path).statement("mine-c001")[1].printed == "4.6"
    assert catalogue.load(tmp_path) is catalogue.load(tmp_path)
    path.write_text(PAPER.replace('"4.6"', '"4.55"'))
    assert catalogue.load(tmp_path).statement("mine-c001")[1].printed == "4.55"
