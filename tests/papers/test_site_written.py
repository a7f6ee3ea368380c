"""How the pages of the papers come to readers: only when something is new, whole, in the place of our own, or not at all."""

from __future__ import annotations

import errno
import hashlib
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import cli, overview
from flows.settings import Settings
from tests.papers.tiny import FACTS
from tests.warehouse import makers
from warehouse import snapshot
from warehouse.errors import StoreUnwritable, UsageError
from warehouse.files import exchange
from warehouse.papers import catalogue, site
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.figures import charts
from warehouse.papers.model import Paper, Statement
from warehouse.papers.results import Judged
from warehouse.papers.site import build as site_build
from warehouse.papers.site import files as site_files
from warehouse.papers.verdicts import statements
from warehouse.store import Warehouse


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes time, and is tested by itself."""
    monkeypatch.setattr(site_files, "drawn", lambda *_: defaultdict(dict))


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/**/*"))
        if path.is_file() and path.name != "made-of.json"
    }


@pytest.mark.usefixtures("undrawn")
def test_an_unchanged_run_writes_nothing(warehouse: Warehouse, tiny: Catalogue, tmp_path: Path) -> None:
    assert site.write(warehouse, tmp_path, catalogue=tiny)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert site.write(warehouse, tmp_path, catalogue=tiny) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    (tmp_path / "zh" / "made-of.json").write_text("of something else")
    assert site.write(warehouse, tmp_path, catalogue=tiny)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_not_ours_is_not_replaced(warehouse: Warehouse, tiny: Catalogue, tmp_path: Path, language: str) -> None:
    (tmp_path / language).mkdir()
    (tmp_path / language / "thesis.tex").write_text("mine")
    (tmp_path / f".{language}.new").mkdir()
    (tmp_path / f".{language}.old").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="something else"):
        site.write(warehouse, tmp_path, catalogue=tiny)
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / language / "thesis.tex").unlink()
    assert site.write(warehouse, tmp_path, catalogue=tiny)  # empty
    assert set(before) <= {*tmp_path.rglob("*"), tmp_path / language / "thesis.tex"}


@pytest.mark.usefixtures("undrawn")
def test_a_full_disk_is_told_and_leaves_the_old_pages_as_they_were(
    warehouse: Warehouse, tiny: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write(warehouse, tmp_path, edition=1, catalogue=tiny)
    before = _hashes(tmp_path)
    put = site_build._put

    def full(path: Path, content: bytes) -> None:
        if path.name == "tiny-fig1.html" and path.parent.name == "zh":
            raise OSError(errno.ENOSPC, "No space left on device")
        put(path, content)

    monkeypatch.setattr(site_build, "_put", full)
    with pytest.raises(StoreUnwritable):
        site.write(warehouse, tmp_path, catalogue=tiny)
    assert _hashes(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["en", "zh"]


@pytest.mark.usefixtures("undrawn")
def test_a_reader_finds_every_page_while_they_are_replaced(
    warehouse: Warehouse, tiny: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both languages are made before the first changes places, and none is away meanwhile."""
    site.write(warehouse, tmp_path, edition=1, catalogue=tiny)
    seen: list[bool] = []

    def watched(one: Path, other: Path) -> None:
        assert (tmp_path / site_build._BESIDE / "zh" / "index.html").exists()
        exchange(one, other)
        seen.append(all((tmp_path / language / "index.html").exists() for language in ("en", "zh")))

    monkeypatch.setattr("warehouse.papers.site.build.exchange", watched)
    assert site.write(warehouse, tmp_path, catalogue=tiny)
    assert seen == [True, True]


@pytest.mark.usefixtures("undrawn")
def test_where_folders_cannot_be_exchanged_they_are_renamed(
    warehouse: Warehouse, tiny: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write(warehouse, tmp_path / "one", catalogue=tiny)

    def never(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, "Invalid argument", str(other))

    monkeypatch.setattr("warehouse.papers.site.build.exchange", never)
    site.write(warehouse, tmp_path / "two", edition=1, catalogue=tiny)
    site.write(warehouse, tmp_path / "two", catalogue=tiny)
    assert _hashes(tmp_path / "two") == _hashes(tmp_path / "one")


@pytest.mark.usefixtures("undrawn")
def test_another_font_makes_other_pages(
    warehouse: Warehouse, tiny: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.write(warehouse, tmp_path, catalogue=tiny)
    other = None if charts.chinese_font() else "DejaVu Sans"
    monkeypatch.setattr(charts, "chinese_font", lambda: other)
    assert site.write(warehouse, tmp_path, catalogue=tiny)


def test_an_edition_has_the_same_pages_for_ever(tiny: Catalogue, tmp_path: Path) -> None:
    store = makers.store(tmp_path / "home")
    makers.load(store, makers.part({("KOR", "2017"): 4.5531}, "2020-03-01"), facts=FACTS)
    site.write(store, tmp_path / "then", catalogue=tiny)
    makers.load(store, makers.part({("KOR", "2017"): 4.073}, "2024-03-01"), facts=FACTS)
    makers.load(store, makers.part({("KOR", "2017"): 4.1}, "2019-03-01", archive="201903"), facts=FACTS)
    site.write(store, tmp_path / "now", catalogue=tiny)
    site.write(store, tmp_path / "again", edition=1, catalogue=tiny)
    then, now = _hashes(tmp_path / "then"), _hashes(tmp_path / "now")
    assert then == _hashes(tmp_path / "again")
    assert now.keys() == then.keys()
    assert now["en/tiny.html"] != then["en/tiny.html"]
    site.write(store, tmp_path / "now", edition=1, catalogue=tiny)  # swapped in whole
    assert _hashes(tmp_path / "now") == then


def test_an_empty_warehouse_has_no_pages(tiny: Catalogue, tmp_path: Path) -> None:
    assert site.write(makers.store(tmp_path / "home"), tmp_path / "pages", catalogue=tiny) == []


def test_the_command_writes_the_pages_of_an_edition(
    warehouse: Warehouse, tiny: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(warehouse.root.parent))
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", warehouse.profile)
    monkeypatch.setattr(catalogue, "load", lambda own=None: tiny)
    ran = CliRunner().invoke(cli.app, ["pages", "--to", str(tmp_path / "site"), "--edition", "1"])
    assert ran.exit_code == 0, ran.output
    assert str(tmp_path / "site" / "zh" / "index.html") in ran.output
    assert "synthetic-1-" in (tmp_path / "site" / "en" / "index.html").read_text()


def test_a_run_renews_the_pages_beside_the_overview_unless_told_not_to(
    warehouse: Warehouse, tiny: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "load", lambda own=None: tiny)
    home = warehouse.root.parent
    overview.finish(Settings(home=home, profile="synthetic", pages=False))
    folder = warehouse.root / "pages"
    assert "zh/index.html" not in (folder / "index.html").read_text()
    assert not (folder / "zh").exists()
    asked: list[str] = []
    judge = statements._Court.judged

    def counting(court: statements._Court, paper: Paper, one: Statement) -> Judged:
        asked.append(one.id)
        return judge(court, paper, one)

    monkeypatch.setattr(statements._Court, "judged", counting)
    overview.finish(Settings(home=home, profile="synthetic", pages=True))
    assert sorted(asked) == ["tiny-c001", "tiny-c002"]  # the public ones, once, for the analysts' file and the pages
    assert 'href="zh/index.html"' in (folder / "index.html").read_text()
    page = (folder / "zh" / "index.html").read_text()
    assert 'href="../index.html"' in page
    assert (folder / "zh" / re.findall(r'href="(\.\./revisions/\d+\.html)"', page)[0]).exists()


def test_what_is_wrong_with_the_papers_hinders_nothing_else(
    warehouse: Warehouse, tiny: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A formula that does not run: the analysts' file is of the newest edition all the same, without the papers."""
    broken = {**tiny.definitions, "value": tiny.definitions["value"].model_copy(update={"sql": "select nothing"})}
    monkeypatch.setattr(catalogue, "load", lambda own=None: replace(tiny, definitions=broken))
    place = warehouse.root / "indicators.duckdb"
    place.unlink(missing_ok=True)
    with pytest.raises(overview.NotRenewed, match=r"the formula of value cannot be computed.* Next: correct the sql"):
        overview.finish(Settings(home=warehouse.root.parent, profile="synthetic", pages=True))
    with snapshot.connect(warehouse) as database:
        assert database.execute('select count(*) from "current"').fetchall() == [(2,)]
        tables = {name for (name,) in database.execute("select table_name from duckdb_tables()").fetchall()}
        assert "verdicts" not in tables
    assert (warehouse.root / "pages" / "index.html").exists()
