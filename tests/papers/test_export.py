"""`figurekeeper export`: a paper or a dataset to take away, complete, checkable, the same tomorrow."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
import typer

from flows import cli
from tests.warehouse import makers
from warehouse import dataset_export
from warehouse.errors import UsageError
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.figures import export
from warehouse.papers.model import Paper
from warehouse.store import DatasetFacts, Warehouse

COMMAND = typer.main.get_command(cli.app)
ABOUT = {
    "title": "OECD, test",
    "title_zh": "测试",
    "citation": "OECD. Test. https://example.org/",
    "licence": {"id": "CC-BY-4.0", "url": "https://example.org/by", "attribution": "OECD"},
    "publisher_timezone": "Europe/Paris",
    "parts": [],
}


@pytest.fixture(scope="module")
def bundle(filled: Warehouse, papers: Catalogue) -> dict[str, bytes]:
    return export.paper(filled, papers, "paper003")


@pytest.fixture
def small(tmp_path: Path) -> Warehouse:
    """A dataset of two vintages in profile synthetic."""
    warehouse = makers.store(tmp_path / "home")
    facts = DatasetFacts("oecd.test", "f" * 64, ABOUT, makers.FACTS.equality)
    for day, value in (("2024-03-01", 4.55), ("2025-03-01", 4.29)):
        cells: makers.Cells = {("KOR.X", "2017"): (value, "P", f"{value}0"), ("JPN.X", "2017"): 3.2}
        makers.load(warehouse, makers.part(cells, day, stamp=day), facts=facts)
    return warehouse


def _run(monkeypatch: pytest.MonkeyPatch, warehouse: Warehouse, *arguments: str) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(warehouse.root.parent))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", warehouse.profile)
    COMMAND.main(["export", *arguments], standalone_mode=False)


def test_every_statement_and_exhibit_of_the_paper_is_in_it(bundle: dict[str, bytes], papers: Catalogue) -> None:
    paper = papers.paper("paper003")
    rows = list(csv.DictReader(io.StringIO(bundle["verdicts.csv"].decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [one.id for one in paper.statements]
    assert all(row["verdict"] and row["verdict_zh"] for row in rows)
    behind = {one["id"]: one for one in json.loads(bundle["verdicts.json"])}
    assert behind["paper003-c014"]["readings"]
    for exhibit in paper.exhibits:
        assert (f"exhibits/{exhibit.id}.csv" in bundle) == exhibit.quantitative


def test_formulas_sources_licences_and_citations_are_in_it(bundle: dict[str, bytes], papers: Catalogue) -> None:
    for name, content in bundle.items():
        if name.startswith("formulas/"):
            definition = papers.definitions[Path(name).stem]
            assert definition.sql.strip() in content.decode()
    assert "formulas/d-berd-intensity.sql" in bundle
    sources = list(csv.DictReader(io.StringIO(bundle["sources.csv"].decode("utf-8-sig"))))
    assert {"oecd.sbrd", "worldbank.wdi"} <= {row["dataset"] for row in sources}
    assert "CC-BY-4.0" in bundle["LICENCES.txt"].decode()
    cited = bundle["CITATION.txt"].decode()
    assert all(row["vintage"] in cited for row in sources)
    assert "SANDBOX" in bundle["README.txt"].decode()


def test_the_checksums_are_of_every_other_file(bundle: dict[str, bytes]) -> None:
    lines = [line.split("  ") for line in bundle["SHA256SUMS"].decode().splitlines()]
    told = {name: digest for digest, name in lines}
    assert told == {
        name: hashlib.sha256(content).hexdigest() for name, content in bundle.items() if name != "SHA256SUMS"
    }


def test_a_folder_and_an_archive_hold_the_same(
    filled: Warehouse, bundle: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(export, "paper", lambda *_, **__: bundle)
    for name in ("folder", "one.zip", "two.zip"):
        _run(monkeypatch, filled, "paper003", "--to", str(tmp_path / name))
    written = {
        str(path.relative_to(tmp_path / "folder")): path.read_bytes()
        for path in (tmp_path / "folder").rglob("*")
        if path.is_file()
    }
    assert written == bundle
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == bundle
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_same_edition_gives_the_same_verdicts_and_tables(
    filled: Warehouse, papers: Catalogue, bundle: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.papers.figures.charts.drawn", lambda *_: {})
    again = export.paper(filled, papers, "paper003")
    told = [name for name in again if name not in ("README.txt", "SHA256SUMS")]
    assert len(told) > 20
    assert [name for name in told if again[name] != bundle[name]] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("paper03", "--to", "new"), "paper003"),
        (("oecd.tst", "--to", "new.csv"), "did you mean oecd.test"),
        (("oecd.test", "--to", "new.txt"), r"let the name end with \.csv, \.xlsx or \.parquet"),
        (("paper003", "--to", "new.rar"), r"name a folder, or a file that ends with \.zip"),
        (("paper003", "--to", "full"), "name a new or an empty folder"),
        (("oecd.test", "--to", "new.csv", "--as-of", "2001"), "leave out --as-of or --edition"),
        (("oecd.test", "--to", "new.csv", "--edition", "9"), "there is no edition 9"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_next_step(
    small: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        _run(monkeypatch, small, *arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "full"}


def test_a_dataset_as_csv_with_what_must_be_said_beside_it(
    small: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _run(monkeypatch, small, "oecd.test", "--to", str(tmp_path / "out.csv"), "--as-of", "2024")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text("utf-8-sig"))))
    korea = next(row for row in rows if row["series"] == "oecd.test:KOR.X")
    assert (korea["value"], korea["value_text"], korea["status"], korea["known_from"][:10]) == (
        "4.55",
        "4.550",
        "P",
        "2024-03-01",
    )
    notes = (tmp_path / "out.csv.txt").read_text()
    for wanted in (
        "edition: synthetic-2-",
        "SYNTHETIC",
        "as of: 2024",
        "CC-BY-4.0",
        f"Vintage oecd.test/p {korea['vintage']}",
    ):
        assert wanted in notes


def test_a_dataset_as_workbook_and_as_parquet(small: Warehouse) -> None:
    book = openpyxl.load_workbook(io.BytesIO(dataset_export.dataset(small, "oecd.test", "x.xlsx")["x.xlsx"]))
    heads, *rows = book["data"].iter_rows(values_only=True)
    assert [dict(zip(heads, row, strict=True))["value"] for row in rows] == [3.2, 4.29]
    assert "CC-BY-4.0" in str(list(book["notes"].iter_rows(values_only=True)))
    table = pq.read_table(io.BytesIO(dataset_export.dataset(small, "oecd.test", "x.parquet", edition=1)["x.parquet"]))
    assert table.column("value").to_pylist() == [3.2, 4.55]
    assert b"frozen edition synthetic-1-" in table.schema.metadata[b"citation"]


def test_a_private_paper_is_exported_for_its_owner(filled: Warehouse, papers: Catalogue) -> None:
    mine = {
        "id": "mine", "title": {"en": "Mine", "zh": "我的论文"}, "year": 2022,
        "cutoff": {"earliest": "2021-01-01", "latest": "2021-12-31", "evidence": "I know"},
        "claims": [{
            "id": "mine-c1", "says": {"en": "R&D intensity of Korea", "zh": "韩国研发强度"}, "kind": "level", "entities": ["KOR"],
            "period": "2017", "printed": "4.3", "unit": "percent of GDP", "sense": "equals",
            "readings": [{"use": "value", "with": {"x": "wdi-gerd-gdp"}}],
        }],
    }  # fmt: skip
    found = export.paper(filled, papers.with_paper(Paper.model_validate(mine)), "mine")
    (verdict,) = json.loads(found["verdicts.json"])
    assert (verdict["id"], verdict["tried"], verdict["agreeing"]) == ("mine-c1", 1, 1)
    assert not [name for name in found if name.startswith("exhibits/")]
