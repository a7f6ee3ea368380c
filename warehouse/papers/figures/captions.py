"""What a chart says of the rows it shows: their numbers, their flags, and the notes that stand under it.

Belongs here: words, and what counts as a number of then. Does not belong here: panels, lines and bars (pictures).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from warehouse.papers import wording
from warehouse.papers.figures.citations import Language
from warehouse.papers.model import Words
from warehouse.papers.results import Verdict

if TYPE_CHECKING:
    from warehouse.papers.figures.exhibits import Row, Told

#: What a number comes from: the paper itself, the data of its days, the newest data.
Origin = Literal["printed", "then", "now"]
ORIGINS: dict[Origin, Words] = {
    "printed": Words(en="printed", zh="原文数值"),
    "then": Words(en="then", zh="当时"),
    "now": Words(en="now", zh="现在"),
}
#: The flags of a value that a reader must see beside it, by SDMX code.
FLAGS = {
    "B": Words(en="break in the series", zh="序列中断"),
    "D": Words(en="definition differs", zh="定义不同"),
    "E": Words(en="estimated", zh="估计值"),
    "F": Words(en="forecast", zh="预测值"),
    "P": Words(en="provisional", zh="初步值"),
}
_WHEN = {
    "inside": Words(en="within the paper's days", zh="论文取数期内"),
    "before": Words(en="the nearest held, before the paper's days", zh="取数期之前最近的数据版本"),
    "after": Words(en="the nearest held, after the paper's days", zh="取数期之后最近的数据版本"),
}
_PROFILES = {"live": "", "sandbox": " · SANDBOX", "synthetic": " · SYNTHETIC"}
#: More would hide the chart; the table has them all.
_MOST = 3
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def value(row: Row, origin: Origin) -> float | None:
    """A row's number: of a printed text only when it is one plain number; of then unless only the newest data are held.

    The newest data are also those of then when they were public in the paper's days.
    """
    given = row[origin]
    if given is None or (origin == "then" and _only_newest(row)):
        return None
    if isinstance(given, str):
        return float(given) if _NUMBER.fullmatch(given) else None
    return float(given)


def flags(row: Row, origin: Origin = "now") -> str:
    """The codes of a row's number of then or now that a chart shows, such as BP."""
    status = {"now": row["status"], "then": row["then_status"], "printed": None}[origin]
    return "".join(code for code in (status or "").split(";") if code in FLAGS)


def doubtful(row: Row, origin: Origin) -> bool:
    """Whether the paper itself speaks against a printed number."""
    return origin == "printed" and row["verdict"] == Verdict.INCONSISTENT.value


def notes(told: Told, rows: Sequence[Row], language: Language) -> list[str]:
    """Source, vintages, flags and caveats, and whose the chart is: one sentence each.

    The edition is none of them: what a chart rests on are its vintages, so that a new edition need not draw it anew.
    """
    return [
        _source(told, language),
        *_vintages(rows, language),
        *_flags_told(rows, language),
        *_caveats(told, rows, language),
        f"Figurekeeper{_PROFILES[told.profile]}",
    ]


def _only_newest(row: Row) -> bool:
    return bool(row["then_is"] != "inside" and row["then_vintage"] == row["vintage"])


def _source(told: Told, language: Language) -> str:
    english = language == "en"
    parts: dict[str, dict[str, None]] = {}
    for source in told.sources:
        parts.setdefault(source.dataset.partition(".")[0], {})[source.name] = None
    if not parts:
        return (
            f"As printed in {told.paper.id}; not recomputed." if english else f"取自 {told.paper.id} 原文数值，未重算。"
        )
    named = {wording.provider(provider, language): ", ".join(names) for provider, names in parts.items()}
    if english:
        return f"Source: {'; '.join(f'{provider} ({names})' for provider, names in named.items())}."
    return f"来源：{'；'.join(f'{provider}（{names}）' for provider, names in named.items())}。"


def _vintages(rows: Sequence[Row], language: Language) -> Iterable[str]:
    """From when the data were known, and how that lies to the paper's days."""
    english = language == "en"
    if any(row["now"] is not None and _only_newest(row) for row in rows):
        yield "No data of the paper's days are held." if english else "未收录论文取数期内的数据版本。"
    for origin in ("then", "now"):
        shown = [row for row in rows if value(row, origin) is not None]
        days = sorted({row[f"{origin}_known_from"][:10] for row in shown})
        if not days:
            continue
        name, span = getattr(ORIGINS[origin], language), "…".join(dict.fromkeys((days[0], days[-1])))
        kinds = dict.fromkeys(row["then_is"] for row in shown) if origin == "then" else {}
        which = "; ".join(getattr(_WHEN[kind], language) for kind in kinds)
        if english:
            yield f"{name.capitalize()}: data known since {span}{f' ({which})' if which else ''}."
        else:
            yield f"{name}：{span} 起公布的数据{f'（{which}）' if which else ''}。"


def _flags_told(rows: Sequence[Row], language: Language) -> Iterable[str]:
    found = sorted(
        {flag for row in rows for origin in ORIGINS if value(row, origin) is not None for flag in flags(row, origin)}
    )
    if found:
        yield _sentence("; ".join(f"{flag} {getattr(FLAGS[flag], language)}" for flag in found), language)


def _caveats(told: Told, rows: Sequence[Row], language: Language) -> Iterable[str]:
    if told.exhibit.chart == "ranking" and told.spoken:
        yield _sentence("\u25c0 the paper speaks of it" if language == "en" else "\u25c0 论文提及", language)
    if any(doubtful(row, "printed") for row in rows):
        text = "hollow: printed numbers that contradict each other" if language == "en" else "空心：自相矛盾的原文数值"
        yield _sentence(text, language)
    field = "note" if language == "en" else "note_zh"
    for note in list(dict.fromkeys(row[field] for row in rows if row[field]))[:_MOST]:
        yield _sentence(note, language)


def _sentence(text: str, language: Language) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "。")) else text + ("." if language == "en" else "。")
