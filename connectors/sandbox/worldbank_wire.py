"""The World Bank's wire format: Indicators API v2 (JSON lists) and the archive of old vintages, source 57 (objects).

Belongs here: addresses, paging, row forms and errors of the World Bank. What was known when is asked of facts.py. The
sandbox's history begins in 1990 and holds thirteen indicators; anything else is answered as the provider answers what
it does not have. Only format=json is spoken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

from connectors.sandbox import facts, faults
from connectors.sandbox.wire import Answer, Question, text

DATASET = "worldbank.wdi"
FIRST_YEAR = 1990
NAMES = {
    "GB.XPD.RSDV.GD.ZS": "Research and development expenditure (% of GDP)",
    "NY.GDP.MKTP.CD": "GDP (current US$)",
    "NY.GDP.MKTP.PP.CD": "GDP, PPP (current international $)",
    "SP.POP.TOTL": "Population, total",
    "SP.POP.65UP.TO.ZS": "Population ages 65 and above (% of total population)",
    "BM.GSR.ROYL.CD": "Charges for the use of intellectual property, payments (BoP, current US$)",
    "BX.GSR.ROYL.CD": "Charges for the use of intellectual property, receipts (BoP, current US$)",
    "IP.PAT.RESD": "Patent applications, residents",
    "IP.PAT.NRES": "Patent applications, nonresidents",
    "IP.JRN.ARTC.SC": "Scientific and technical journal articles",
    "SP.POP.SCIE.RD.P6": "Researchers in R&D (per million people)",
    "TX.VAL.TECH.CD": "High-technology exports (current US$)",
    "BX.KLT.DINV.CD.WD": "Foreign direct investment, net inflows (BoP, current US$)",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST_ROWS = 32500
_ARCHIVE_DAY = "2025-10-29"  # the archive states one day for all its versions: it is never the vintage
_SMALL_PAGE = 1000  # what a page shrinks to under the paging faults
_INVALID = ("120", "Invalid value", "The provided parameter value is not valid")
_DELETED = ("175", "Invalid format", "The indicator was not found. It may have been deleted or archived.")
Economy = dict[str, str]


def answer(question: Question) -> Answer:
    """Answer any address below the World Bank's base URL."""
    path = question.path.strip("/")
    if question.params.get("format", "xml").lower() != "json":
        return _xml_error("111", "Unknown format: the sandbox speaks format=json only")
    if not all(question.params.get(name, "1").isdecimal() for name in ("page", "per_page")):
        return _error(_INVALID)
    if match := re.fullmatch(r"country/([^/]+)/indicators?/([^/]+)", path):
        return _data(question, match[1].split(";"), match[2].split(";"))
    if match := re.fullmatch(r"(?:country|countries)(?:/([^/]+))?", path):
        return _countries(question, (match[1] or "all").split(";"))
    if match := re.fullmatch(r"indicators?/([^/]+)", path):
        return _indicator(question, match[1])
    if match := re.fullmatch(r"sources/57/(.+?)(?:/data)?", path, re.IGNORECASE):
        return _archive(question, match[1].split("/"))
    return text("<html><body>404 - File or directory not found.</body></html>", 404, "text/html")


def _data(question: Question, codes: list[str], indicators: list[str]) -> Answer:
    economies = _economies(codes)
    years = _asked_years(question.params.get("date", ""))
    if economies is None or years is None:
        return _error(_INVALID)
    if len(indicators) > 1 and "source" not in question.params:
        return _error(_INVALID)
    for indicator in indicators:
        if indicator not in NAMES:
            return _error(_DELETED if re.fullmatch(r"[A-Z0-9]+(\.[A-Z0-9]+)+", indicator) else _INVALID)
    rows = [row for indicator in indicators for row in _rows(question, indicator, economies, years)]
    page, per_page = _paging(question)
    if not rows:
        return _json(f'[{{"page":1,"pages":0,"per_page":{per_page},"total":0}},null]', data=True)
    if question.fault == "duplicate_row":
        rows.insert(0, rows[0])
    total = len(rows)
    pages = -(-total // per_page)
    if page > pages:
        return _json(f'[{{"page":{page},"pages":{pages},"per_page":{per_page},"total":{total}}},[]]', data=True)
    start = (page - 1) * per_page - (1 if question.fault == "shifted_page" and page > 1 else 0)
    if question.fault == "shrinking_total" and page > 1:
        total -= 1
    head = {"page": page, "pages": pages, "per_page": per_page, "total": total, "sourceid": "2"}
    head["lastupdated"] = _last_updated(question, indicators)
    return _json(f"[{_dump(head)},[{','.join(rows[start : start + per_page])}]]", data=True)


def _rows(question: Question, indicator: str, economies: list[Economy], years: tuple[int, int]) -> Iterator[str]:
    """One JSON object per economy and year, null where nothing is held; nothing at all before the first vintage."""
    cells = facts.state(DATASET, indicator, question.on)
    if not cells:
        return
    cells = faults.change(question.fault, DATASET, indicator, cells, question.today.year + 1)
    newest = max(int(period) for _, period in cells)
    last = max(question.today.year - 1, newest)
    upper = last if question.fault == "empty_future_period" else min(last, years[1])
    span = [str(year) for year in range(upper, max(FIRST_YEAR, years[0]) - 1, -1)]
    head = f'{{"indicator":{_dump({"id": indicator, "value": NAMES[indicator]})},"country":'
    column = "obs_value" if question.fault == "renamed_column" else "value"
    unit = "thousands" if question.fault == "changed_unit" else ""
    for economy in economies:
        if question.fault == "vanished_country" and economy["id"] == faults.VANISHED:
            continue
        area = _dump({"id": economy["iso2code"], "value": economy["name"]})
        lead = f'{head}{area},"countryiso3code":"{economy["id"]}","date":"'
        for year in span:
            cell = cells.get((economy["id"], year))
            value = cell.value if cell and cell.value else "null"
            yield f'{lead}{year}","{column}":{value},"unit":"{unit}","obs_status":"","decimal":0}}'


def _last_updated(question: Question, indicators: list[str]) -> str | None:
    """The publisher's own day of the newest vintage served; None where it stated none."""
    known = [one for indicator in indicators if (one := facts.newest(DATASET, indicator, question.on))]
    last = max(known, key=lambda one: one.known_on)
    if question.fault == "stamp_backwards":
        return (last.day - timedelta(days=30)).isoformat()
    if question.fault:
        return question.today.isoformat()
    return last.vintage if last.basis == "publisher" else None


def _paging(question: Question) -> tuple[int, int]:
    """Page and rows a page. Under the paging faults the pages are small, whatever was asked."""
    page = max(1, int(question.params.get("page", "1")))
    per_page = min(max(1, int(question.params.get("per_page", "50"))), _MOST_ROWS)
    return page, min(per_page, _SMALL_PAGE) if question.fault in ("shrinking_total", "shifted_page") else per_page


def _asked_years(asked: str) -> tuple[int, int] | None:
    """The first and last year of `date=`; None for a value that is not understood."""
    if not asked:
        return FIRST_YEAR, 9999
    match = re.fullmatch(r"(\d{4})(?::(\d{4}))?", asked)
    return (int(match[1]), int(match[2] or match[1])) if match else None


def _economies(codes: list[str]) -> list[Economy] | None:
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


def _countries(question: Question, codes: list[str]) -> Answer:
    """/country: `per_page` comes back as a string. Lists every code, held or not, in the order of codes."""
    listed = facts.table("worldbank_countries.csv")
    chosen = sorted(listed if codes == ["all"] else _economies(codes) or [], key=lambda row: row["id"])
    if not chosen:
        return _error(_INVALID)
    page, per_page = _paging(question)
    pages = -(-len(chosen) // per_page)
    head = {"page": page, "pages": pages, "per_page": str(per_page), "total": len(chosen)}
    return _json(_dump([head, [_country(row) for row in chosen[(page - 1) * per_page : page * per_page]]]))


def _country(row: Economy) -> dict[str, object]:
    def group(name: str) -> dict[str, str]:
        return {field: row[f"{name}_{field}"] for field in ("id", "iso2code", "value")}

    return {
        **{"id": row["id"], "iso2Code": row["iso2code"], "name": row["name"], "region": group("region")},
        **{"adminregion": group("adminregion"), "incomeLevel": group("incomelevel")},
        **{"lendingType": group("lendingtype"), "capitalCity": row["capital"]},
        **{"longitude": row["longitude"], "latitude": row["latitude"]},
    }


def _indicator(question: Question, indicator: str) -> Answer:
    if indicator not in NAMES:
        return _error(_INVALID)
    entry = {
        **{"id": indicator, "name": NAMES[indicator], "unit": ""},
        **{"source": {"id": "2", "value": "World Development Indicators"}, "sourceNote": "", "sourceOrganization": ""},
        "topics": [],
    }
    return _json(
        _dump([{"page": 1, "pages": 1, "per_page": question.params.get("per_page", "50"), "total": 1}, [entry]])
    )


def _archive(question: Question, path: list[str]) -> Answer:
    """Source 57: the list of versions, or the cells of some. A version holds what is natively stamped in its month."""
    versions = sorted({month for part in NAMES for month in _months(question, part)})
    asked = {path[n].lower(): path[n + 1].split(";") for n in range(0, len(path) - 1, 2)}
    if len(path) % 2 or not asked:
        return _versions(question, versions) if [path[0].lower(), len(path)] == ["version", 1] else _wrong()
    wanted = versions if asked.get("version") == ["all"] else asked.get("version", [])
    economies = _economies(asked.get("country", []))
    series = asked.get("series", [])
    if economies is None or not series or not wanted or set(wanted) - set(versions) or set(series) - set(NAMES):
        return _wrong()
    rows = [
        row
        for part in series
        for month in sorted(wanted)
        for row in _archived(question, part, month, economies, asked.get("time", ["all"]))
    ]
    page, per_page = _paging(question)
    shown = rows[(page - 1) * per_page : page * per_page]
    head = {
        "page": page,
        "pages": -(-len(rows) // per_page),
        "per_page": per_page,
        "total": len(rows),
        "lastupdated": _ARCHIVE_DAY,
    }
    source = f'"source":{{"id":"57","name":"WDI Database Archives","data":[{",".join(shown)}]}}'
    return _json(f"{_dump(head)[:-1]},{source}}}", data=True)


def _months(question: Question, part: str) -> dict[str, facts.Vintage]:
    """Version id (YYYYMM) → the newest natively stamped vintage of that month, as far as known on the day."""
    known = (one for one in facts.vintages(DATASET, part) if question.on is None or one.day <= question.on)
    return {one.known_on[:7].replace("-", ""): one for one in known if one.native}


def _archived(question: Question, part: str, month: str, economies: list[Economy], times: list[str]) -> Iterator[str]:
    vintage = _months(question, part).get(month)
    if vintage is None:
        return
    cells = facts.state(DATASET, part, vintage.day)
    last = max(int(period) for _, period in cells)
    years = [str(year) for year in range(max(last, vintage.day.year - 1), FIRST_YEAR - 1, -1)]
    shown = years if times == ["all"] else [year for year in years if f"YR{year}" in times]
    version = {"concept": "Version", "id": month, "value": _label(month)}
    for economy in economies:
        for year in shown:
            variables = [
                {"concept": "Country", "id": economy["id"], "value": economy["name"]},
                version,
                {"concept": "Series", "id": part, "value": NAMES[part]},
                {"concept": "Time", "id": f"YR{year}", "value": year},
            ]
            cell = cells.get((economy["id"], year))
            yield f'{{"variable":{_dump(variables)},"value":{cell.value if cell and cell.value else "null"}}}'


def _versions(question: Question, versions: list[str]) -> Answer:
    _, per_page = _paging(question)
    listed = [{"id": month, "value": _label(month)} for month in versions]
    head = {"page": 1, "pages": 1, "per_page": per_page, "total": len(listed)}
    concept = {"id": "version", "name": "version", "variable": listed}
    return _json(_dump(head | {"source": [{"id": "57", "name": "WDI Database Archives", "concept": [concept]}]}))


def _label(month: str) -> str:
    return f"{month[:4]} {_MONTHS[int(month[4:]) - 1]}"


def _wrong() -> Answer:
    """The archive answers a wrong question in XML, although JSON was asked."""
    return _xml_error(_INVALID[0], _INVALID[2])


def _xml_error(number: str, message: str) -> Answer:
    error = f'<wb:error xmlns:wb="http://www.worldbank.org"><wb:message id="{number}" key="Invalid value">{message}'
    return Answer(f"{error}</wb:message></wb:error>".encode(), "text/xml; charset=utf-8")


def _error(message: tuple[str, str, str]) -> Answer:
    number, key, value = message
    return _json(_dump([{"message": [{"id": number, "key": key, "value": value}]}]))


def _json(body: str, *, data: bool = False) -> Answer:
    return Answer(body.encode(), data=data)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
