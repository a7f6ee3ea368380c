"""How the sandbox misbehaves: one registry of faults, and what each does to the data or to the answer.

A fault rides in the base URL: `/fault/NAME` or `/fault/NAME:NONCE`; the nonce (any word) only matters for faults that
pass on retry, which fail each URL once. What a refresh must make of each is in docs/faults.md. Belongs here: names, and
changes that need no knowledge of a wire format. The faults that only one format can show (a renamed column, a shifted
page) are carried out by that format's module under the names declared here. Faults that change the data treat the newest
state as if it were a new release and move its stamp forward, except `stamp_backwards`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from connectors.sandbox.facts import Cell, Cells
from connectors.sandbox.wire import Answer

ALL = ("oecd", "worldbank", "nbs")


@dataclass(frozen=True)
class Fault:
    """A way to misbehave. `touches`: every answer, only answers that carry observations, or the data themselves."""

    name: str
    does: str
    touches: Literal["every answer", "data answers", "data"]
    providers: tuple[str, ...] = ALL


_REGISTRY = (
    Fault("429_retry_after", "429 with Retry-After: 1, every time", "every answer"),
    Fault("429", "429 without Retry-After", "every answer"),
    Fault("throttle_200", "quota prose with HTTP 200", "data answers", ("oecd",)),
    Fault("html_200", "an HTML page with HTTP 200 (NBS: firewall challenge)", "data answers"),
    Fault("307_cookie", "307 to the same address with a cookie; passes once the cookie comes back", "every answer"),
    Fault("403", "403, refused by address", "every answer"),
    Fault("404_no_records", "404 NoRecordsFound", "data answers", ("oecd",)),
    Fault("404_no_dataflow", "404 Could not find Dataflow", "data answers", ("oecd",)),
    Fault("404_path", "404 with an HTML page", "every answer"),
    Fault("400_then_ok", "400 with an HTML page the first time a URL is asked, then right", "every answer"),
    Fault("500", "500 every time", "every answer"),
    Fault("502", "502 with an HTML page every time", "every answer"),
    Fault("cut", "the connection is reset half way through the body", "data answers"),
    Fault("slow_drip", "a byte at a time, for ever", "data answers"),
    Fault("wrong_length", "Content-Length promises 64 bytes more than come", "data answers"),
    Fault("bom", "a UTF-8 byte-order mark before the body", "data answers"),
    Fault("shrinking_total", "small pages; the total falls by one on page 2", "data", ("worldbank",)),
    Fault("shifted_page", "small pages; page 2 repeats the last row of page 1", "data", ("worldbank",)),
    Fault("duplicate_row", "the first observation stands twice", "data"),
    Fault("renamed_column", "the value column has another name", "data"),
    Fault("new_dimension", "an unknown dimension appears in the data", "data", ("oecd", "nbs")),
    Fault(
        "changed_unit",
        "another unit for the same numbers (OECD: UNIT_MULT 3; World Bank: unit thousands; NBS: 万 before du_name)",
        "data",
    ),
    Fault(
        "renamed_code",
        "a code in use has another label (World Bank: an indicator's name; NBS: a leaf's name in the tree)",
        "data",
    ),
    Fault(
        "vanished_code",
        "a code in use is gone, with its data (World Bank: an indicator, error 175; NBS: a leaf, empty)",
        "data",
    ),
    Fault("version_bump", "the flow has its next minor version, the old one is gone", "data", ("oecd",)),
    Fault(
        "changed_role",
        "AGENT_ROLE is another than asked for, where a flow has it (the same address, other patents)",
        "data",
        ("oecd",),
    ),
    Fault(
        "grants_as_of",
        "no misbehaviour: asOf= gives the data as they stood at the end of that day; without it, it is ignored",
        "data",
        ("oecd",),
    ),
    Fault("scaled_by_1000", "all series of the part in SCALED are a thousand times larger", "data"),
    Fault("vanished_country", "Korea is gone", "data", ("oecd", "worldbank")),
    Fault("empty_future_period", "next year appears, without values", "data"),
    Fault(
        "stamp_backwards",
        "the stamp is thirty days older than before, and the newest value of every area is 0.5 % higher",
        "data",
        ("oecd", "worldbank"),
    ),
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _REGISTRY}
NAMES = tuple(FAULTS)

#: For each dataset, the part that `scaled_by_1000` multiplies and whose code the structure's faults touch; else
#: every part is multiplied.
SCALED = {
    "oecd.sbrd": "G_PPP",
    "oecd.pct_cooperation": "COPAT_NB",
    "oecd.patents": "PCT_INVENTOR",
    "oecd.gerd": "GERD_PPP",
    "worldbank.wdi": "GB.XPD.RSDV.GD.ZS",
    "nbs.science_technology": "overview",
    "nbs.fdi_by_country": "asia",
}
VANISHED = "KOR"

#: The OECD's own words. Of the other providers no such answer is recorded: theirs are a web server's plain ones.
THROTTLE_PROSE = (
    "You have exceeded the number of requests for data downloads or very large data ranges "
    "permitted in the OECD Data API."
)
_HTML = "text/html; charset=utf-8"


def change(fault: str | None, dataset: str, part: str, cells: Cells, next_year: int) -> Cells:
    """The cells of a part as a data fault leaves them; `next_year` is the year after the day of the question."""
    if fault == "scaled_by_1000" and SCALED.get(dataset, part) == part:
        return {key: _times(cell, "1000") for key, cell in cells.items()}
    if fault == "vanished_country":
        return {key: cell for key, cell in cells.items() if VANISHED not in key[0].split(".")}
    if fault == "empty_future_period":
        return cells | {(series, str(next_year)): Cell("") for series, _ in cells}
    if fault == "stamp_backwards":
        newest = {series: period for (series, period), cell in sorted(cells.items()) if cell.value and period < "2999"}
        return {key: _times(cell, "1.005") if newest.get(key[0]) == key[1] else cell for key, cell in cells.items()}
    return cells


def _times(cell: Cell, factor: str) -> Cell:
    return Cell(f"{Decimal(cell.value) * Decimal(factor):f}", cell.status) if cell.value else cell


def spoil(fault: Fault, provider: str, answer: Answer, *, asked_before: bool, cookie: str, path: str) -> Answer:
    """The answer as a fault of the wire leaves it. `asked_before`: this URL, nonce included, has failed once."""
    if fault.touches == "data" or (fault.touches == "data answers" and not answer.data):
        return answer
    match fault.name:
        case "400_then_ok":
            return answer if asked_before else _page(400, "Request Error", bom=True)
        case "307_cookie":
            if "wzws_cid=" in cookie:
                return answer
            location = (("Location", path), ("Set-Cookie", "wzws_cid=sandbox; Path=/"))
            return Answer(b"", _HTML, 307, location)
        case "bom":
            return replace(answer, body=b"\xef\xbb\xbf" + answer.body)
        case "cut":
            return replace(answer, delivery="cut")
        case "slow_drip":
            return replace(answer, delivery="drip")
        case "wrong_length":
            return replace(answer, delivery="short")
    return _refusal(fault.name, provider)


def _refusal(name: str, provider: str) -> Answer:
    """The faults that replace the answer altogether."""
    match name:
        case "429_retry_after":
            return replace(_too_many(provider), headers=(("Retry-After", "1"),))
        case "429":
            return _too_many(provider)
        case "throttle_200":
            return replace(_too_many("oecd"), status=200)
        case "html_200" if provider == "nbs":
            script = "<script>var wzwsquestion='sandbox';WZWS_CONFIRM_PREFIX_LABEL='waf_zw_verify';</script>"
            return Answer(f"<html><head>{script}</head><body></body></html>".encode(), _HTML, 200)
        case "html_200":
            return _page(200, "Service temporarily unavailable")
        case "403" if provider == "nbs":
            return Answer(b"<html><body>403 Forbidden reason:UrlACL Client IP:127.0.0.1</body></html>", _HTML, 403)
        case "403":
            return _page(403, "Forbidden")
        case "404_no_records":
            return Answer(b"NoRecordsFound", "text/plain", 404)
        case "404_no_dataflow":
            message = b"Could not find Dataflow and/or DSD related with this data request"
            return Answer(message, "text/plain", 404)
        case "404_path":
            return _page(404, "404 - File or directory not found.")
        case "500" if provider == "nbs":
            return Answer('{"success":false,"state":50000,"message":"系统异常"}'.encode(), "application/json", 500)
        case "500" if provider == "worldbank":
            return _page(500, "500 - Internal server error.")
        case "500":
            return Answer(b"Internal Server Error", "text/plain", 500)
        case "502":
            return _page(502, "502 Bad Gateway")
    raise LookupError(f"fault {name} has no refusal")


def _too_many(provider: str) -> Answer:
    if provider == "oecd":
        return Answer(THROTTLE_PROSE.encode(), "text/plain", 429)
    return _page(429, "429 Too Many Requests")


def _page(status: int, title: str, *, bom: bool = False) -> Answer:
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer((b"\xef\xbb\xbf" if bom else b"") + page.encode(), _HTML, status)
