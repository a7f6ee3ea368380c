"""What the files tell by a code or a sign, said in words: nothing English is left in the Chinese of the shipped papers."""

from __future__ import annotations

import re

import pytest

from warehouse.papers import economies, wording
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.model import Statement

#: Letters that are Chinese usage: names of databases, offices and treaties.
NAMES = re.compile(r"Web of Science|fDi Markets|PCT|GERD|IP5")


def statement(**fields: object) -> Statement:
    said = {"id": "p-c1", "says": "x", "kind": "level", "period": "2017", "unit": "percent", "sense": "equals"}
    return Statement.model_validate({**said, **fields})


@pytest.mark.parametrize(
    ("fields", "english", "chinese"),
    [
        ({"printed": "4.60"}, "4.60", "4.60"),
        ({"printed": "14", "sense": "rank"}, "rank 14", "第14位"),
        ({"printed": "2.5", "sense": "about"}, "about 2.5", "约2.5"),
        ({"printed": "96", "sense": "short of"}, "just under 96", "不足96"),
        ({"printed": "40", "sense": "at least"}, "≥ 40", "≥ 40"),
        ({"printed": ("10", "15"), "sense": "between"}, "10 … 15", "10 … 15"),
        ({"also_printed": {"en": "some", "zh": "若干"}}, "some", "若干"),
        ({"sense": "direction"}, "", ""),
    ],
)
def test_a_number_is_said_in_its_sense(fields: dict[str, object], english: str, chinese: str) -> None:
    one = statement(**fields)
    assert (wording.printed(one, "en"), wording.printed(one, "zh")) == (english, chinese)


@pytest.mark.parametrize(
    ("period", "chinese"),
    [
        ("2017", "2017年"), ("2016:2021", "2016—2021年"), ("c. 2019", "约2019年"), ("c. 2010-2018", "约2010—2018年"),
        ("2018-Q2", "2018年第2季度"), ("2010-05", "2010年5月"), ("FY2019", "2019财年"), ("1990s-", "20世纪90年代以来"),
        ("2015:2020-01", "2015年至2020年1月"), ("to end 2022", "截至2022年末"), ("-", "–"),
    ],
)  # fmt: skip
def test_a_period_is_said_in_chinese_and_stands_as_printed_in_english(period: str, chinese: str) -> None:
    assert wording.period(period, "zh") == chinese
    assert wording.period(period, "en") == ("–" if period == "-" else period)


def test_no_english_is_left_in_chinese(papers: Catalogue) -> None:
    shipped = [one for paper, one in papers.statements.values() if paper.public]
    told = {wording.period(one.period, "zh") for one in shipped} | {wording.printed(one, "zh") for one in shipped}
    told |= {wording.provider(one.provider, "zh") for one in shipped}
    assert [text for text in told if re.search("[A-Za-z]", NAMES.sub("", text))] == []


def test_formulas_speak_in_both_languages(papers: Catalogue) -> None:
    english = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
    assert [one.id for one in papers.definitions.values() if english.search(one.formula.zh)] == []


def test_the_parts_of_an_answer_have_names(papers: Catalogue) -> None:
    told = {part for one in papers.definitions.values() for part in re.findall("'([a-z-]{2,})'", one.sql)}
    assert {"expenditure", "patents", "papers", "foreign-owned", "owned-abroad", "co-invented"} <= told
    assert [part for part in told if economies.name(part, "zh") == part] == []


def test_an_unknown_provider_is_called_by_its_name() -> None:
    assert wording.provider("mine", "zh") == "mine"
