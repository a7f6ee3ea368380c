"""Printed numbers, periods and providers in the words of one language.

Belongs here: what the files tell by a code or a sign, said as readers of English or Chinese would. Does not belong here: words
that the files tell in both languages themselves, names of economies (economies), digits of computed numbers (site.voice).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from warehouse.papers.model import Statement, Words

Language = Literal["en", "zh"]
#: A printed number in the sense in which it is printed.
_SENSES = {
    "about": Words(en="about {}", zh="约{}"),
    "near": Words(en="near {}", zh="近{}"),
    "short of": Words(en="just under {}", zh="不足{}"),
    "rank": Words(en="rank {}", zh="第{}位"),
    "above": Words(en="> {}", zh="> {}"),
    "more than": Words(en="> {}", zh="> {}"),
    "at least": Words(en="≥ {}", zh="≥ {}"),
    "below": Words(en="< {}", zh="< {}"),
    "at most": Words(en="≤ {}", zh="≤ {}"),
}
#: Who the figures of a statement originate with.
PROVIDERS = {
    "amed": Words(en="Japan Agency for Medical Research and Development", zh="日本医疗研究开发机构"),
    "fdimarkets": Words(en="fDi Markets", zh="fDi Markets数据库"),
    "hfsp": Words(en="Human Frontier Science Program", zh="人类前沿科学计划"),
    "imd": Words(en="International Institute for Management Development", zh="瑞士洛桑国际管理发展学院"),
    "jsps": Words(en="Japan Society for the Promotion of Science", zh="日本学术振兴会"),
    "jst": Words(en="Japan Science and Technology Agency", zh="日本科学技术振兴机构"),
    "mofcom": Words(en="Ministry of Commerce of China", zh="中国商务部"),
    "nbs": Words(en="National Bureau of Statistics of China", zh="中国国家统计局"),
    "nistep": Words(en="National Institute of Science and Technology Policy, Japan", zh="日本科学技术与学术政策研究所"),
    "nsf": Words(en="National Science Foundation, United States", zh="美国国家科学基金会"),
    "oecd": Words(en="OECD", zh="经合组织"),
    "other": Words(en="another", zh="其他"),
    "uncomtrade": Words(en="UN Comtrade", zh="联合国商品贸易统计数据库"),
    "wipo": Words(en="WIPO", zh="世界知识产权组织"),
    "worldbank": Words(en="World Bank", zh="世界银行"),
    "wos": Words(en="Web of Science", zh="Web of Science数据库"),
}
#: How a period is said in Chinese, step by step: what stands there, and what it becomes.
_CHINESE: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\b(\d\d)(\d0)s\b", lambda met: f"{int(met[1]) + 1}世纪{met[2]}年代"),
    (r"\bFY(\d{4})", r"\1财年"),
    (r"\b(\d{4})-(\d\d)-(\d\d)\b", lambda met: f"{met[1]}年{int(met[2])}月{int(met[3])}日"),
    (r"\b(\d{4})-(\d\d)\b", lambda met: f"{met[1]}年{int(met[2])}月"),
    (r"\b(\d{4})-Q(\d)\b", r"\1年第\2季度"),
    (r"\b(\d{4})[:-](\d{4})\b", r"\1—\2年"),
    (r"\b(\d{4}):", r"\1年至"),
    (r"\b(\d{4}|\d\d世纪\d0年代)-$", r"\1年以来"),
    (r"年代年", "年代"),
    (r"\b(\d{4}(/\d\d)?)(?![\d年财—/])", r"\1年"),
    (r"\bend (\S+)", r"\1末"),
    (r"^to ", "截至"),
    (r" to ", "至"),
    (r"^before (\S+)", r"\1之前"),
    (r"^c\. ", "约"),
    (r"\bfirst (\d+) years\b", r"前\1年"),
    (r"\b(\d+) years\b", r"\1年"),
    (r"^recent years$", "近年"),
    (r"^launch\b", "启动时"),
    (r" \(", "（"),
    (r"\)", "）"),
    (r"^-$", "–"),
)


def printed(statement: Statement, language: Language) -> str:
    """The number as printed, with the sense in which it is: "4.6", "rank 14" or "第14位", "10 … 15", "2/3"; "" where none is."""
    number = statement.printed
    if isinstance(number, tuple):
        return " … ".join(number)
    if number is None:
        return getattr(statement.also_printed, language) if statement.also_printed else ""
    sense = _SENSES.get(statement.sense)
    return getattr(sense, language).format(number) if sense else number


def period(text: str, language: Language) -> str:
    """A statement's period, as "c. 2018" or "约2018年"; that of no time is a dash."""
    if language == "en":
        return "–" if text == "-" else text
    for pattern, said in _CHINESE:
        text = re.sub(pattern, said, text)
    return text


def provider(name: str, language: Language) -> str:
    """Who the figures originate with; the name itself where we have no words."""
    return getattr(PROVIDERS[name], language) if name in PROVIDERS else name
