"""The site of the papers: every page of both languages is whole, asks nothing from outside, and an edition's never changes."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner

from flows import cli, overview
from flows.settings import Settings
from tests.warehouse import makers
from warehouse.papers import catalogue, site
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.model import Cutoff, Drawn, Exhibit, Measure, Paper, Reading, Statement, Words
from warehouse.papers.results import WORDS, Verdict
from warehouse.papers.site import files as site_files
from warehouse.papers.site.voice import MARKS, MEANINGS, Rounded, Voice, shown
from warehouse.store import DatasetFacts, Warehouse

_VOID = {"meta", "link", "br", "wbr", "col", "path", "use", "rect", "circle", "line"}
ABOUT: dict[str, Any] = {
    **makers.FACTS.description,
    "status": "verified offline",
    "publisher_timezone": "UTC",
    "licence": {"id": "CC0", "url": "https://example.invalid/cc0", "attribution": "Nobody & Co"},
    "calendar": {"stale_after_days": 30, "releases": "in March", "lag": "", "cron": "0 9 * * 1", "timezone": "UTC"},
    "parts": [{"id": "p", "label": "Intensity", "label_zh": "强度", "unit": "percent"}],
}
FACTS = DatasetFacts("oecd.test", "f" * 64, ABOUT, makers.FACTS.equality)
MEASURE = Measure(
    id="test-intensity",
    name=Words(en="intensity", zh="强度"),
    series="oecd.test:{entity}",
    unit="percent of GDP",
    provider_unit="percent",
)


def _statement(number: str, printed: str, period: str = "2017", **fields: Any) -> Statement:
    read = Reading.model_validate({"use": "value", "with": {"x": MEASURE.id}})
    return Statement(
        id=f"tiny-{number}",
        says=Words(en=f"Intensity <{number}>", zh=f"强度 {number}"),
        kind="level",
        entities=("KOR",),
        period=period,
        printed=printed,
        unit="percent of GDP",
        sense="equals",
        machine_readable="yes",
        readings=(read,),
        **fields,
    )


def _paper(name: str = "tiny", *, public: bool = True) -> Paper:
    line = Drawn.model_validate(
        {
            "use": "value",
            "with": {"x": MEASURE.id},
            "entities": ["KOR"],
            "period": "2016:2017",
            "label": {"en": "Intensity", "zh": "强度"},
            "unit": "percent of GDP",
        }
    )
    figure = Exhibit(
        id=f"{name}-fig1",
        number="1",
        kind="figure",
        title=Words(en="Intensity of Korea", zh="韩国的强度"),
        quantitative=True,
        chart="lines",
        drawn=(line,),
    )
    claims = (
        _statement("c001", "4.6"),
        _statement("c002", "4.2", "2016", answer=Words(en="A slip of ours.", zh="系笔误。")),
    )
    cutoff = Cutoff(earliest=date(2020, 1, 1), latest=date(2020, 12, 31), evidence=Words(en="its date", zh="其日期"))
    renamed = tuple(one.model_copy(update={"id": one.id.replace("tiny", name)}) for one in claims)
    title = Words(en=f"A paper called {name}", zh=f"论文 {name}")
    return Paper(id=name, title=title, year=2020, public=public, cutoff=cutoff, exhibits=(figure,), claims=renamed)


@pytest.fixture(scope="module")
def tiny() -> Catalogue:
    """One public paper and one private one, on a measure of their own."""
    shipped = catalogue.load()
    own = {one.id: one for one in (_paper(), _paper("secret", public=False))}
    return replace(shipped, papers=own, cross=(), measures={**shipped.measures, MEASURE.id: MEASURE})


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Two vintages: one of the paper's year, and one since, in which the value moved."""
    store = makers.store(tmp_path_factory.mktemp("site"))
    makers.load(store, makers.part({("KOR", "2016"): 4.24, ("KOR", "2017"): 4.5531}, "2020-03-01"), facts=FACTS)
    makers.load(store, makers.part({("KOR", "2016"): 4.24, ("KOR", "2017"): 4.073}, "2024-03-01"), facts=FACTS)
    return store


@pytest.fixture(scope="module")
def pages(warehouse: Warehouse, tiny: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every page of the newest edition by its path."""
    folder = tmp_path_factory.mktemp("pages")
    site.write(warehouse, folder, catalogue=tiny)
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.glob("*/*.html"))}


class _Read(HTMLParser):
    """What a test wants to know of a page: ids, links, balance of its tags, tables without caption or scope."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.language = ""
        self.heads: list[Mapping[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [value for name, value in attrs if name in ("href", "src") and value and tag != "link"]
        self.heads += [given] if tag == "th" else []
        if tag == "html":
            self.language = given["lang"] or ""
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/**/*"))
        if path.is_file() and path.name != "made-of.json"
    }


def _whole(pages: Mapping[str, str]) -> dict[str, _Read]:
    """Assert that pages are well formed, lead to each other, and ask nothing from outside."""
    read = {name: _Read(text) for name, text in pages.items()}
    for name, page in read.items():
        assert page.open == [], name
        assert page.language == {"en": "en", "zh": "zh-CN"}[name[:2]], name
        assert len(page.ids) == len(set(page.ids)), name
        assert not {"script", "iframe", "object"} & set(page.tags), name
        assert page.tags.count("table") == page.tags.count("caption"), name
        assert all(head.get("scope") in ("row", "col") for head in page.heads), name
        assert "default-src 'none'" in pages[name]
        assert not re.search(r"@import|url\(\s*['\"]?(?!#)", pages[name]), name
        for link in page.links:
            parts = urlsplit(link)
            assert not parts.scheme + parts.netloc, link
            place = str(Path(name).parent / unquote(parts.path)) if parts.path else name
            place = place.replace("en/../", "").replace("zh/../", "")
            if place.endswith(".html"):
                assert place in pages, (name, link)
                assert not parts.fragment or parts.fragment in read[place].ids, (name, link)
    return read


def test_pages_are_whole_and_ask_nothing_from_outside(pages: dict[str, str]) -> None:
    assert len(_whole(pages)) == len(pages) == 2 * 7


def test_every_statement_and_exhibit_of_the_papers_has_its_place(
    filled: Warehouse, papers: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = site_files.Drawn({}, {})
    monkeypatch.setattr(site_files, "drawn", lambda *_: defaultdict(lambda: nothing))  # drawing is tested by itself
    site.write(filled, tmp_path, catalogue=papers)
    pages = {str(path.relative_to(tmp_path)): path.read_text() for path in sorted(tmp_path.glob("*/*.html"))}
    read = _whole(pages)
    for language in ("en", "zh"):
        for paper in papers.papers.values():
            assert {one.id for one in paper.statements} <= set(read[f"{language}/{paper.id}.html"].ids)
            assert {f"{language}/{one.id}.html" for one in paper.exhibits} <= pages.keys()
        page = pages[f"{language}/paper001.html"]
        korea = page[page.index('id="paper001-c021"') : page.index('id="paper001-c022"')]
        for text in (
            getattr(WORDS[Verdict.REVISED], language),
            "4.6",
            "4.553",
            "4.073",
            "worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS",
        ):
            assert text in korea, (language, text)
        assert "SANDBOX" in page


def test_a_claim_shows_what_was_printed_then_and_now_and_why(pages: dict[str, str]) -> None:
    for language, moved in (("en", WORDS[Verdict.REVISED].en), ("zh", WORDS[Verdict.REVISED].zh)):
        page = pages[f"{language}/tiny.html"]
        claim = page[page.index('id="tiny-c001"') : page.index('id="tiny-c002"')]
        for text in ("4.6", "4.553", "4.073", "2020-03-01", "2024-03-01", moved, "oecd.test:KOR"):
            assert text in claim, (language, text)
        assert '<data value="4.5531"' in claim  # shown with fewer digits than it has, and not silently
    assert "A slip of ours." in pages["en/tiny.html"]
    assert "系笔误。" in pages["zh/tiny.html"]
    assert "Intensity &lt;c001&gt;" in pages["en/tiny.html"]


def test_what_changed_since_the_paper_names_the_sentence_that_fell(pages: dict[str, str]) -> None:
    page = pages["en/tiny-changed.html"]
    assert page.index("tiny-c001") < page.index("tiny-c002")
    assert page.count("not any more") == 1
    assert "1 no longer come out as printed" in pages["en/index.html"]


def test_an_exhibit_leads_to_the_bytes(pages: dict[str, str], warehouse: Warehouse) -> None:
    stored = {path.name.split(".")[0] for path in (warehouse.root / "payloads").rglob("*") if path.is_file()}
    for language in ("en", "zh"):
        page = pages[f"{language}/tiny-fig1.html"]
        named = re.findall(r"sha256 ([0-9a-f]{64})", page)
        assert len(named) == 2
        assert set(named) <= stored
        for text in ("http://provider.invalid/x", "CC0", "[DS/OL]", "<svg", "select entity", "Nobody &amp; Co"):
            assert text in page, (language, text)


def test_a_private_paper_is_nowhere(pages: dict[str, str]) -> None:
    assert not [name for name, text in pages.items() if "secret" in text or "secret" in name]


def test_every_verdict_has_words_a_mark_and_a_meaning(pages: dict[str, str]) -> None:
    assert MARKS.keys() == MEANINGS.keys() == set(Verdict)
    assert len({mark for _, mark in MARKS.values()}) == len(Verdict)
    for verdict in Verdict:
        assert WORDS[verdict].en in pages["en/index.html"]
        assert WORDS[verdict].zh in pages["zh/index.html"]


def test_nothing_is_rounded_silently() -> None:
    near = shown(4.5531, 1)
    assert near == "≈\u20094.553"
    assert isinstance(near, Rounded)
    assert near.__html__() == '<data value="4.5531" title="4.5531">≈\u20094.553</data>'
    assert shown(4.55, 1) == "4.55"
    assert shown(53789999999.5, 1, 8) == "≈\u2009537.900"
    assert shown(1.6270151) == "≈\u20091.6270"
    assert shown(-1234567.0) == "\u22121\u2009234\u2009567"
    assert shown(2.5e8, 1, 0, 1e8) == "2.5"
    assert shown(None) == "–"
    assert Voice("zh").scale(8) == "亿"


def test_an_unchanged_run_writes_nothing(warehouse: Warehouse, tiny: Catalogue, tmp_path: Path) -> None:
    assert site.write(warehouse, tmp_path, catalogue=tiny)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert site.write(warehouse, tmp_path, catalogue=tiny) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    (tmp_path / "zh" / "made-of.json").unlink()
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
    overview.finish(Settings(home=home, profile="synthetic", pages=True))
    assert 'href="zh/index.html"' in (folder / "index.html").read_text()
    page = (folder / "zh" / "index.html").read_text()
    assert 'href="../index.html"' in page
    assert (folder / "zh" / re.findall(r'href="(\.\./revisions/\d+\.html)"', page)[0]).exists()
