"""The site of the papers: every page of both languages is whole, asks nothing from outside, and an edition's never changes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from warehouse.papers import site
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.results import WORDS, Verdict
from warehouse.papers.site import files as site_files
from warehouse.papers.site.voice import MARKS, MEANINGS, Rounded, Voice, shown
from warehouse.store import Warehouse

_VOID = {"meta", "link", "br", "wbr", "col", "path", "use", "rect", "circle", "line"}


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
    monkeypatch.setattr(site_files, "drawn", lambda *_: defaultdict(dict))  # drawing is tested by itself
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
    _says_what_is_not_there(pages)
    changed = pages["en/paper001-changed.html"]
    world = changed[changed.index("paper001.html#paper001-c014") :].partition("</tr>")[0]
    for text in ("after</span>", "2023-05-10", "not now; no vintage of then is held", "vintage of "):
        assert text in world  # what moved it, though none of its days is held
    assert "第14位" in pages["zh/paper000.html"]
    assert "约2019年" in pages["zh/paper001.html"]


def _says_what_is_not_there(pages: Mapping[str, str]) -> None:
    """Assert that a figure without data tells its verdict, and offers neither files nor a citation."""
    for language in ("en", "zh"):
        page = pages[f"{language}/paper002-fig3.html"]
        assert getattr(WORDS[Verdict.NO_SOURCE], language) in page
        assert getattr(MEANINGS[Verdict.NO_SOURCE], language) in page
        assert "根据JST网站信息绘制" in page
        assert not {"files/paper002-fig3.csv", 'class="cite"', 'id="table"'} & set(
            re.findall(r'files/[^"]*|class="cite"|id="table"', page)
        )
        misprint = pages[f"{language}/paper004-tab1.html"]
        table = misprint[misprint.index('id="table"') :]
        assert table.count("14,249,025") == 1  # once, not in every cell that it concerns
    assert "数据由本库指定" in pages["zh/paper002-fig3.html"]


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


@pytest.mark.parametrize("page", ["tiny.html", "tiny-changed.html", "tiny-fig1.html"])
def test_the_flags_of_then_and_of_now_stand_beside_the_numbers(pages: dict[str, str], page: str) -> None:
    for language, words in (("en", ("provisional", "estimated")), ("zh", ("初步值", "估计值"))):
        marks = re.findall(r'<abbr class="soft" title="(.*?)">([A-Z])</abbr>', pages[f"{language}/{page}"])
        assert set(marks) == set(zip(words, "PE", strict=True))


def test_what_changed_since_the_paper_names_the_sentence_that_fell(pages: dict[str, str]) -> None:
    page = pages["en/tiny-changed.html"]
    assert page.index("tiny-c001") < page.index("tiny-c002")
    assert page.count("✗ not any more") == 1
    assert re.findall(r"<dt>(.*?)</dt><dd>(\d+)</dd>", page) == [
        ("compared", "2"),
        ("no longer stand", "1"),
        ("still stand", "1"),
    ]
    assert "1 have another number or answer than then; 1 no longer come out as printed" in pages["en/index.html"]


def test_the_cause_for_which_a_line_moved_stands_on_its_page(pages: dict[str, str]) -> None:
    for language, cause in (("en", "vintage of 2024-03-01: "), ("zh", "2024-03-01 ")):
        page = pages[f"{language}/tiny-fig1.html"]
        revised = page[
            page.index('id="revised"') : page.index('id="claims"' if 'id="claims"' in page else 'id="formula"')
        ]
        assert cause in revised
        assert "KOR" in revised


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
