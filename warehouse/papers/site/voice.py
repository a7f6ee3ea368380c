"""How the pages speak: one language at a time, verdicts with a mark that needs no colour, numbers with their digits.

Belongs here: words and digits as a reader of one language sees them. Does not belong here: which words stand on which page
(warehouse/templates/papers) and what a verdict is (results).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from warehouse.papers import wording
from warehouse.papers.figures.captions import FLAGS
from warehouse.papers.model import Over, Statement, Words
from warehouse.papers.results import WORDS, Number, Seen, Verdict

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
#: What a verdict is to a reader in a hurry: its kind (which gives the colour) and a mark that tells it without colour.
MARKS: dict[Verdict, tuple[str, str]] = {
    Verdict.REPRODUCED: ("good", "●"),
    Verdict.REVISED: ("good", "◐"),
    Verdict.NEIGHBOUR: ("good", "◑"),
    Verdict.BRACKETED: ("good", "◒"),
    Verdict.ASSUMED: ("good", "○"),
    Verdict.PARTLY: ("warn", "◔"),
    Verdict.PROXY_AGREES: ("warn", "≈"),
    Verdict.PROXY_DIFFERS: ("warn", "≉"),
    Verdict.DIFFERS_NOW: ("warn", "△"),
    Verdict.NOT_COMPARABLE: ("warn", "⇎"),
    Verdict.NOT_REPRODUCED: ("bad", "▽"),
    Verdict.CONTRADICTED: ("bad", "✕"),
    Verdict.INCONSISTENT: ("bad", "≠"),
    Verdict.NOT_COMPUTED: ("soft", "…"),
    Verdict.NO_SOURCE: ("soft", "–"),
    Verdict.NOT_QUANTITATIVE: ("soft", "¶"),
}
MEANINGS: dict[Verdict, Words] = {
    verdict: Words(en=en, zh=zh)
    for verdict, en, zh in (
        (
            Verdict.REPRODUCED,
            "the vintage of the paper's days gives the printed number, and so does the newest",
            "论文取数期内的数据版本得出原文数值，最新数据版本亦然",
        ),
        (
            Verdict.REVISED,
            "the vintage of the paper's days gives the printed number, the newest another",
            "论文取数期内的数据版本得出原文数值，最新数据版本已有变化",
        ),
        (
            Verdict.NEIGHBOUR,
            "only the nearest vintage before or after the paper's days gives it",
            "仅取数期之前或之后最近的数据版本得出该数值",
        ),
        (
            Verdict.BRACKETED,
            "the printed number lies between two neighbouring vintages",
            "原文数值介于前后两个数据版本之间",
        ),
        (
            Verdict.ASSUMED,
            "it comes out with something assumed that the text does not say",
            "在原文未写明的假设之下得出该数值",
        ),
        (Verdict.PARTLY, "some of its numbers hold, not all of them", "所涉数值部分成立，并非全部"),
        (
            Verdict.DIFFERS_NOW,
            "the newest vintage differs, and none of the paper's days is held",
            "最新数据版本与之不同，当时的数据版本未收录",
        ),
        (
            Verdict.NOT_REPRODUCED,
            "it does not come out; source or definition are not stated well enough to say more",
            "未能得出；出处或口径不够明确，不作进一步判断",
        ),
        (
            Verdict.CONTRADICTED,
            "source and definition are stated, the vintage is held, and every reading fails",
            "出处与口径明确，当时的数据版本已收录，各种读法均不成立",
        ),
        (
            Verdict.INCONSISTENT,
            "the text contradicts itself, or prints a number that cannot be",
            "文内自相矛盾，或原文数值不可能成立",
        ),
        (
            Verdict.PROXY_AGREES,
            "another measure, not the one meant, agrees: no proof",
            "替代指标（并非原指标）与之一致，不构成证明",
        ),
        (
            Verdict.PROXY_DIFFERS,
            "another measure, not the one meant, differs: no refutation",
            "替代指标（并非原指标）与之不一致，不构成反驳",
        ),
        (
            Verdict.NOT_COMPARABLE,
            "the concept was redefined since, so that values do not compare",
            "口径其后已变，数值不可比",
        ),
        (Verdict.NO_SOURCE, "no provider offers these figures for machines to read", "没有可供机器读取的数据来源"),
        (Verdict.NOT_COMPUTED, "it could be computed, but its data are not held", "可以计算，但所需数据未收录"),
        (Verdict.NOT_QUANTITATIVE, "there is no number to compare", "没有可供比对的数值"),
    )
}
#: Over which economies an input is gathered (model.Over).
OVER: dict[Over, Words] = {
    "each": Words(en="each economy for itself", zh="各经济体分别"),
    "members": Words(en="the statement's economies together", zh="论断所及经济体合计"),
    "partners": Words(en="its partners together", zh="其伙伴合计"),
    "pairs": Words(en="every ordered pair of its economies", zh="其经济体两两有序配对"),
    "partner pairs": Words(en="every ordered pair of its partners", zh="其伙伴两两有序配对"),
    "world": Words(en="the provider's world total", zh="数据源的世界合计"),
    "universe": Words(en="all economies held, aggregates out", zh="全部已收录的经济体，不含汇总组"),
}
#: What stands for a unit in a definition.
UNITS: dict[str, Words] = {
    "any": Words(en="any unit", zh="任何单位"),
    "adds": Words(en="any unit that may be summed", zh="任何可加总的单位"),
    "same": Words(en="the unit of its first input", zh="同第一项输入"),
    "difference": Words(
        en="the unit of its first input, of percents percentage points", zh="同第一项输入；百分比之差为百分点"
    ),
}
#: Words of the ledger, which is English throughout.
_ZH = {
    "published": "已发布", "published with warnings": "已发布（附警告）", "released": "人工放行", "voided": "作废",
    "critical": "严重", "warning": "警告", "info": "提示",
    "instant": "时刻", "day": "按日", "month": "按月", "year": "按年",
    "publisher": "发布方所示", "archive": "存档版本号", "captured": "以获取时间计", "carried": "转存所示",
    "before": "之前", "after": "之后",
}  # fmt: skip
#: How many figures a value has where no printed one says it.
_FIGURES = 5
#: Powers of ten by which printed numbers count.
_SCALES: dict[int, Words] = {
    3: Words(en="thousand", zh="千"),
    4: Words(en="ten thousand", zh="万"),
    6: Words(en="million", zh="百万"),
    8: Words(en="hundred million", zh="亿"),
    9: Words(en="billion", zh="十亿"),
    12: Words(en="trillion", zh="万亿"),
}


class Rounded(str):
    """A number shown with fewer digits than it has; the whole of it stays in the markup, where it can be had."""

    whole: str

    def __html__(self) -> str:
        """Digits and a sign: nothing in them is to be escaped."""
        return f'<data value="{self.whole}" title="{self.whole}">{self}</data>'


@dataclass(frozen=True)
class Voice:
    """One language, and how it says things."""

    language: Language

    def t(self, en: str, zh: str) -> str:
        """Of two texts the one in this language."""
        return zh if self.language == "zh" else en

    def w(self, words: Words | None) -> str:
        """Words in this language; "" for none."""
        return "" if words is None else self.t(words.en, words.zh)

    def printed(self, statement: Statement) -> str:
        """The number as printed, with the sense in which it is; a dash where none is."""
        return wording.printed(statement, self.language) or "–"

    def period(self, statement: Statement) -> str:
        """Of which time a statement speaks."""
        return wording.period(statement.period, self.language)

    def provider(self, name: str) -> str:
        """Who figures originate with."""
        return wording.provider(name, self.language)

    def aside(self, text: str) -> str:
        """A remark in brackets, as either language sets it behind a word."""
        return self.t(f" ({text})", f"（{text}）")

    def verdict(self, verdict: Verdict) -> str:
        """A verdict's word."""
        return self.w(WORDS[verdict])

    def word(self, text: str) -> str:
        """A word of the ledger, such as a decision or a severity; itself where we have no other."""
        return self.t(text, _ZH.get(text, text))

    def flag(self, code: str) -> str:
        """What a provider's status flag means; itself where we have no word."""
        return self.w(FLAGS[code]) if code in FLAGS else code

    def scale(self, power: int) -> str:
        """The power of ten by which a printed number counts, as a word; "" for one."""
        if power == 0:
            return ""
        return self.w(_SCALES[power]) if power in _SCALES else f"10^{power}"

    def seen(self, state: Seen | None, statement: Statement, factor: float = 1.0) -> str:
        """What a state says of a statement: its number, or how many of its numbers hold. `factor` is the reading's."""
        if state is None:
            return "–"
        if len(state.numbers) == 1:
            return self.number(state.numbers[0], statement, factor)
        if not state.asked:
            return self.t(f"{len(state.numbers)} numbers", f"{len(state.numbers)} 个数值")
        return self.t(f"{state.held} of {state.asked} hold", f"{state.asked} 个中 {state.held} 个成立")

    def number(self, number: Number, statement: Statement, factor: float = 1.0) -> str:
        """A number, counted as the printed one is: in the statement's unit, by its power of ten."""
        if number.value is None:
            gone = ", ".join(number.missing)
            return self.t(f"not known: {gone} missing", f"不可得：缺 {gone}") if gone else "–"
        return shown(number.value, decimals(statement), statement.scale, factor)

    def lines(self, words: Collection[Words]) -> list[str]:
        """Several words in this language."""
        return [self.w(one) for one in words]


def decimals(statement: Statement) -> int | None:
    """How many decimals the printed number has; None where none is printed."""
    number = statement.printed[0] if isinstance(statement.printed, tuple) else statement.printed
    return None if number is None else len(number.partition(".")[2])


def shown(value: float | None, printed_decimals: int | None = None, scale: int = 0, factor: float = 1.0) -> str:
    """A value with all its digits, or, where it has more than two beyond the printed ones, marked as rounded (≈).

    Where none is printed, with five figures.

    The value is counted in `factor` times ten to the power of `scale`.
    """
    if value is None:
        return "–"
    exact = Decimal(repr(float(value))).scaleb(-scale) / Decimal(repr(float(factor)))
    places = max(0, -int(exact.normalize().as_tuple().exponent))
    kept = max(0, _FIGURES - 1 - exact.adjusted()) if printed_decimals is None else printed_decimals + 2
    if places <= kept:
        return grouped(exact, places)
    near = Rounded(f"≈\u2009{grouped(exact, kept)}")
    near.whole = f"{exact.normalize():f}"
    return near


def grouped(value: Decimal | int, places: int = 0) -> str:
    """A number with so many decimals, its thousands set off by thin spaces."""
    return f"{value:,.{places}f}".replace(",", "\u2009").replace("-", "\u2212")


__all__ = [
    "LANGUAGES",
    "MARKS",
    "MEANINGS",
    "OVER",
    "UNITS",
    "Language",
    "Voice",
    "decimals",
    "grouped",
    "shown",
]
