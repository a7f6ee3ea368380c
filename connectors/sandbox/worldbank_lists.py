"""The World Bank's lists: economies, sources, and indicators with their descriptions.

Belongs here: the forms of these lists. Data and the archive are in worldbank_wire.py.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox import facts
from connectors.sandbox.wire import Answer, Question
from connectors.sandbox.worldbank_forms import (
    ARCHIVE_DAY,
    DATASET,
    INVALID,
    answer_json,
    dump,
    error,
    indicators,
    last_updated,
    paging,
)

Economy = dict[str, str]
WDI = {"id": "2", "value": "World Development Indicators"}


def economies(codes: list[str]) -> list[Economy] | None:
    """The economies asked for, by ISO2 or ISO3 code, as the provider sorts them: aggregates first, then by name."""
    listed = facts.table("worldbank_countries.csv")
    by_code = {row[column]: row for column in ("iso2code", "id") for row in listed}
    if codes == ["all"]:
        chosen = {row["id"]: row for row in listed if row["id"] in facts.entities(DATASET)}
    elif any(code.upper() not in by_code for code in codes):
        return None
    else:
        chosen = {by_code[code.upper()]["id"]: by_code[code.upper()] for code in codes}
    return sorted(chosen.values(), key=lambda row: (row["region_id"] != "NA", row["name"]))


def countries(question: Question, codes: list[str]) -> Answer:
    """/country: `per_page` comes back as a string. Lists every code, held or not, in the order of codes."""
    listed = facts.table("worldbank_countries.csv")
    chosen = sorted(listed if codes == ["all"] else economies(codes) or [], key=lambda row: row["id"])
    if not chosen:
        return error(INVALID)
    page, per_page = paging(question)
    pages = -(-len(chosen) // per_page)
    head = {"page": page, "pages": pages, "per_page": str(per_page), "total": len(chosen)}
    return answer_json(dump([head, [_country(row) for row in chosen[(page - 1) * per_page : page * per_page]]]))


def _country(row: Economy) -> dict[str, object]:
    def group(name: str) -> dict[str, str]:
        return {field: row[f"{name}_{field}"] for field in ("id", "iso2code", "value")}

    return {
        **{"id": row["id"], "iso2Code": row["iso2code"], "name": row["name"], "region": group("region")},
        **{"adminregion": group("adminregion"), "incomeLevel": group("incomelevel")},
        **{"lendingType": group("lendingtype"), "capitalCity": row["capital"]},
        **{"longitude": row["longitude"], "latitude": row["latitude"]},
    }


def indicator_list(question: Question, wanted: list[str] | None) -> Answer:
    """/indicator and /source/2/indicator: what is said of the indicators held, `wanted` or all, in the order of codes."""
    told = indicators(question)
    chosen = sorted(told) if wanted is None else [name for name in wanted if name in told]
    if not chosen:
        return error(INVALID)
    page, per_page = paging(question)
    pages = -(-len(chosen) // per_page)
    head = {"page": page, "pages": pages, "per_page": str(per_page), "total": len(chosen)}
    shown = chosen[(page - 1) * per_page : page * per_page]
    return answer_json(dump([head, [_indicator(name, told[name]) for name in shown]]))


def _indicator(name: str, told: dict[str, Any]) -> dict[str, object]:
    return {
        **{"id": name, "name": told["name"], "unit": told["unit"], "source": WDI, "sourceNote": told["note"]},
        **{"sourceOrganization": told["organization"]},
        "topics": [{"id": number, "value": topic} for number, topic in told["topics"].items()],
    }


def sources(question: Question, wanted: str | None) -> Answer:
    """/source: all numbers in the head are strings. The two sources served: the indicators and their archive."""
    updated = {"2": last_updated(question, list(indicators(question))), "57": ARCHIVE_DAY}
    names = {"2": ("World Development Indicators", "WDI", "3"), "57": ("WDI Database Archives", "WDA", "4")}
    chosen = [number for number in names if wanted in (None, "all", number)]
    if not chosen:
        return error(INVALID)
    head = {"page": "1", "pages": "1", "per_page": question.params.get("per_page", "50"), "total": str(len(chosen))}
    return answer_json(dump([head, [_source(number, updated[number], *names[number]) for number in chosen]]))


def _source(number: str, updated: str | None, name: str, code: str, concepts: str) -> dict[str, object]:
    return {
        **{"id": number, "lastupdated": updated, "name": name, "code": code, "description": "", "url": ""},
        **{"dataavailability": "Y", "metadataavailability": "Y", "concepts": concepts},
    }
