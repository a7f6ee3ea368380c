"""What the World Bank's answers have in common: JSON, pages, errors, and the indicators of which facts are held.

Belongs here: what worldbank_wire.py (data and archive) and worldbank_lists.py (economies, sources, indicators) both need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from connectors.sandbox import facts, faults
from connectors.sandbox.wire import Answer, Question

DATASET = "worldbank.wdi"
ARCHIVE_DAY = "2025-10-29"  # the archive states one day for all its versions: it is never the vintage
INVALID = ("120", "Invalid value", "The provided parameter value is not valid")
_MOST_ROWS = 32500
_SMALL_PAGE = 1000  # what a page shrinks to under the paging faults


@cache
def _described() -> dict[str, dict[str, Any]]:
    return dict(facts.description("worldbank_indicators.yaml"))


def indicators(question: Question) -> Mapping[str, dict[str, Any]]:
    """The indicators that are served and what is said of them: name, unit, note, organization, topics."""
    told = {name: {"unit": "", **entry} for name, entry in _described().items()}
    touched = faults.SCALED[DATASET]
    match question.fault:
        case "renamed_code":
            told[touched]["name"] = f"Another concept than before ({touched})"
        case "vanished_code":
            del told[touched]
        case "changed_unit":
            told = {name: entry | {"unit": "thousands"} for name, entry in told.items()}
    return told


def last_updated(question: Question, some: list[str]) -> str | None:
    """The publisher's own day of the newest vintage among some indicators; None where it stated none."""
    known = [one for indicator in some if (one := facts.newest(DATASET, indicator, question.on))]
    if not known:
        return None
    last = max(known, key=lambda one: one.known_on)
    if question.fault == "stamp_backwards":
        return (last.day - timedelta(days=30)).isoformat()
    if question.fault:
        return question.today.isoformat()
    return last.vintage if last.basis == "publisher" else None


def paging(question: Question) -> tuple[int, int]:
    """Page and rows a page. Under the paging faults the pages are small, whatever was asked."""
    page = max(1, int(question.params.get("page", "1")))
    per_page = min(max(1, int(question.params.get("per_page", "50"))), _MOST_ROWS)
    return page, min(per_page, _SMALL_PAGE) if question.fault in ("shrinking_total", "shifted_page") else per_page


def error(message: tuple[str, str, str]) -> Answer:
    """A refusal, which comes with status 200."""
    number, key, value = message
    return answer_json(dump([{"message": [{"id": number, "key": key, "value": value}]}]))


def answer_json(body: str, *, data: bool = False) -> Answer:
    """An answer of JSON text."""
    return Answer(body.encode(), data=data)


def dump(value: object) -> str:
    """JSON as the World Bank writes it: no blanks, no escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
