"""Judgements by hand, for tests of what is done with them.

Belongs here: one statement of one paper, and a verdict on it without data behind it. How verdicts come about is tested elsewhere.
"""

from __future__ import annotations

from typing import Any

from warehouse.papers.model import Cutoff, Paper, Reading, Statement, Words
from warehouse.papers.results import Judged, Number, Seen, Tried, Verdict


def words(text: str) -> Words:
    """The same in both languages, marked in Chinese."""
    return Words(en=text, zh=f"中文{text}")


def statement(number: str = "c001", **fields: Any) -> Statement:
    """An intensity of 2.2 percent of GDP in 2000."""
    known: dict[str, Any] = {
        "id": f"paper999-{number}",
        "says": words("Korea's R&D intensity"),
        "kind": "level",
        "period": "2000",
        "printed": "2.2",
        "unit": "percent of GDP",
        "sense": "equals",
    }
    return Statement(**(known | fields))


def paper(*claims: Statement) -> Paper:
    """A paper of 2021 that makes some claims."""
    cutoff = {"earliest": "2020-12-01", "latest": "2021-12-31", "evidence": words("by its text")}
    return Paper(id="paper999", title=words("A paper"), year=2021, cutoff=Cutoff.model_validate(cutoff), claims=claims)


def seen(day: str, value: float | None) -> Seen:
    """One number in a state of the data that began on a day."""
    known = f"{day}T23:59:59.000000Z"
    return Seen(known, day, "day", "publisher", {"d/p": f"v-{day}"}, (Number("2000", value, "KOR"),))


def judged(
    verdict: Verdict,
    then: float | None = None,
    now: float | None = None,
    *,
    says: Statement | None = None,
    cause: str = "",
) -> Judged:
    """A verdict with the number of 2021 and that of 2026 behind it, where they are given."""
    one = says or statement()
    states = [None if value is None else seen(day, value) for day, value in (("2021-09-15", then), ("2026-02-24", now))]
    tried = Tried(1, Reading(use="value"), ("d:KOR.X",), "percent of GDP", verdict, then=states[0], now=states[1])
    return Judged(one, paper(one), verdict, unit="percent of GDP", chosen=tried, cause=words(cause) if cause else None)
