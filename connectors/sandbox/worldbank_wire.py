"""The World Bank's wire format: Indicators API v2 (JSON lists) and the archive of old vintages, source 57 (objects).

Belongs here: addresses, pages, row forms and refusals of data. Lists are in worldbank_lists.py; what was known when is
asked of facts.py. The sandbox's history begins in 1990 and holds thirteen indicators; anything else is answered as the
provider answers what it does not have. Only format=json is spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from connectors.sandbox import facts, faults
from connectors.sandbox.wire import Answer, Question, text
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
from connectors.sandbox.worldbank_lists import Economy, countries, economies, indicator_list, sources

FIRST_YEAR = 1990
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DELETED = ("175", "Invalid format", "The indicator was not found. It may have been deleted or archived.")


def answer(question: Question) -> Answer:
    """Answer any address below the World Bank's base URL."""
    path = question.path.strip("/")
    if question.params.get("format", "xml").lower() != "json":
        return _xml_error("111", "Unknown format: the sandbox speaks format=json only")
    if not all(question.params.get(name, "1").isdecimal() for name in ("page", "per_page")):
        return error(INVALID)
    if match := re.fullmatch(r"country/([^/]+)/indicators?/([^/]+)", path):
        return _data(question, match[1].split(";"), match[2].split(";"))
    if match := re.fullmatch(r"(?:country|countries)(?:/([^/]+))?", path):
        return countries(question, (match[1] or "all").split(";"))
    if match := re.fullmatch(r"(?:sources?/2/)?indicators?(?:/([^/]+))?", path):
        return indicator_list(question, None if match[1] in (None, "all") else match[1].split(";"))
    if match := re.fullmatch(r"sources?(?:/([^/]+))?", path):
        return sources(question, match[1])
    if match := re.fullmatch(r"sources/57/(.+?)(?:/data)?", path, re.IGNORECASE):
        return _archive(question, match[1].split("/"))
    return text("<html><body>404 - File or directory not found.</body></html>", 404, "text/html")


def _data(question: Question, codes: list[str], asked: list[str]) -> Answer:
    areas = economies(codes)
    years = _asked_years(question.params.get("date", ""))
    if areas is None or years is None:
        return error(INVALID)
    if len(asked) > 1 and "source" not in question.params:
        return error(INVALID)
    told = indicators(question)
    for indicator in asked:
        if indicator not in told:
            return error(_DELETED if re.fullmatch(r"[A-Z0-9]+(\.[A-Z0-9]+)+", indicator) else INVALID)
    rows = [row for one in asked for row in _rows(question, (one, told[one]["name"]), areas, years)]
    page, per_page = paging(question)
    if not rows:
        return answer_json(f'[{{"page":1,"pages":0,"per_page":{per_page},"total":0}},null]', data=True)
    if question.fault == "duplicate_row":
        rows.insert(0, rows[0])
    total = len(rows)
    pages = -(-total // per_page)
    if page > pages:
        return answer_json(f'[{{"page":{page},"pages":{pages},"per_page":{per_page},"total":{total}}},[]]', data=True)
    start = (page - 1) * per_page - (1 if question.fault == "shifted_page" and page > 1 else 0)
    if question.fault == "shrinking_total" and page > 1:
        total -= 1
    head = {"page": page, "pages": pages, "per_page": per_page, "total": total, "sourceid": "2"}
    head["lastupdated"] = last_updated(question, asked)
    return answer_json(f"[{dump(head)},[{','.join(rows[start : start + per_page])}]]", data=True)


def _rows(question: Question, named: tuple[str, str], areas: list[Economy], years: tuple[int, int]) -> Iterator[str]:
    """One JSON object per economy and year, null where nothing is held; nothing at all before the first vintage."""
    indicator, name = named
    cells = facts.state(DATASET, indicator, question.on)
    if not cells:
        return
    cells = faults.change(question.fault, DATASET, indicator, cells, question.today.year + 1)
    newest = max(int(period) for _, period in cells)
    last = max(question.today.year - 1, newest)
    upper = last if question.fault == "empty_future_period" else min(last, years[1])
    span = [str(year) for year in range(upper, max(FIRST_YEAR, years[0]) - 1, -1)]
    head = f'{{"indicator":{dump({"id": indicator, "value": name})},"country":'
    column = "obs_value" if question.fault == "renamed_column" else "value"
    unit = "thousands" if question.fault == "changed_unit" else ""
    for economy in areas:
        if question.fault == "vanished_country" and economy["id"] == faults.VANISHED:
            continue
        area = dump({"id": economy["iso2code"], "value": economy["name"]})
        lead = f'{head}{area},"countryiso3code":"{economy["id"]}","date":"'
        for year in span:
            cell = cells.get((economy["id"], year))
            value = cell.value if cell and cell.value else "null"
            yield f'{lead}{year}","{column}":{value},"unit":"{unit}","obs_status":"","decimal":0}}'


def _asked_years(asked: str) -> tuple[int, int] | None:
    """The first and last year of `date=`; None for a value that is not understood."""
    if not asked:
        return FIRST_YEAR, 9999
    match = re.fullmatch(r"(\d{4})(?::(\d{4}))?", asked)
    return (int(match[1]), int(match[2] or match[1])) if match else None


def _archive(question: Question, path: list[str]) -> Answer:
    """Source 57: the list of versions, or the cells of some. A version holds what is natively stamped in its month."""
    told = indicators(replace(question, fault=None))  # the archive keeps what it said
    versions = sorted({month for part in told for month in _months(question, part)})
    asked = {path[n].lower(): path[n + 1].split(";") for n in range(0, len(path) - 1, 2)}
    if len(path) % 2 or not asked:
        return _versions(question, versions) if [path[0].lower(), len(path)] == ["version", 1] else _wrong()
    wanted = versions if asked.get("version") == ["all"] else asked.get("version", [])
    areas = economies(asked.get("country", []))
    series = asked.get("series", [])
    if areas is None or not series or not wanted or set(wanted) - set(versions) or set(series) - set(told):
        return _wrong()
    rows = [
        row
        for part in series
        for month in sorted(wanted)
        for row in _archived(question, (part, told[part]["name"]), month, areas, asked.get("time", ["all"]))
    ]
    page, per_page = paging(question)
    shown = rows[(page - 1) * per_page : page * per_page]
    head = {
        "page": page,
        "pages": -(-len(rows) // per_page),
        "per_page": per_page,
        "total": len(rows),
        "lastupdated": ARCHIVE_DAY,
    }
    source = f'"source":{{"id":"57","name":"WDI Database Archives","data":[{",".join(shown)}]}}'
    return answer_json(f"{dump(head)[:-1]},{source}}}", data=True)


def _months(question: Question, part: str) -> dict[str, facts.Vintage]:
    """Version id (YYYYMM) → the newest natively stamped vintage of that month, as far as known on the day."""
    known = (one for one in facts.vintages(DATASET, part) if question.on is None or one.day <= question.on)
    return {one.known_on[:7].replace("-", ""): one for one in known if one.native}


def _archived(
    question: Question, named: tuple[str, str], month: str, areas: list[Economy], times: list[str]
) -> Iterator[str]:
    part, name = named
    vintage = _months(question, part).get(month)
    if vintage is None:
        return
    cells = facts.state(DATASET, part, vintage.day)
    last = max(int(period) for _, period in cells)
    years = [str(year) for year in range(max(last, vintage.day.year - 1), FIRST_YEAR - 1, -1)]
    shown = years if times == ["all"] else [year for year in years if f"YR{year}" in times]
    version = {"concept": "Version", "id": month, "value": _label(month)}
    for economy in areas:
        for year in shown:
            variables = [
                {"concept": "Country", "id": economy["id"], "value": economy["name"]},
                version,
                {"concept": "Series", "id": part, "value": name},
                {"concept": "Time", "id": f"YR{year}", "value": year},
            ]
            cell = cells.get((economy["id"], year))
            yield f'{{"variable":{dump(variables)},"value":{cell.value if cell and cell.value else "null"}}}'


def _versions(question: Question, versions: list[str]) -> Answer:
    _, per_page = paging(question)
    listed = [{"id": month, "value": _label(month)} for month in versions]
    head = {"page": 1, "pages": 1, "per_page": per_page, "total": len(listed)}
    concept = {"id": "version", "name": "version", "variable": listed}
    return answer_json(dump(head | {"source": [{"id": "57", "name": "WDI Database Archives", "concept": [concept]}]}))


def _label(month: str) -> str:
    return f"{month[:4]} {_MONTHS[int(month[4:]) - 1]}"


def _wrong() -> Answer:
    """The archive answers a wrong question in XML, although JSON was asked."""
    return _xml_error(INVALID[0], INVALID[2])


def _xml_error(number: str, message: str) -> Answer:
    error = f'<wb:error xmlns:wb="http://www.worldbank.org"><wb:message id="{number}" key="Invalid value">{message}'
    return Answer(f"{error}</wb:message></wb:error>".encode(), "text/xml; charset=utf-8")
