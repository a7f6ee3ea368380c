"""docs/providers.md is true: its limits, addresses, patience, stamps and meanings of statuses are those of the code."""

from __future__ import annotations

import hashlib
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from connectors import contract
from connectors.contact.compare import STAMPS
from connectors.http import quota, transport
from connectors.http.breaker import LONGEST, PAUSES
from connectors.http.transport import Transport
from connectors.oecd.connector import MAX_ADDRESS
from connectors.oecd.connector import READS as OECD_READS
from connectors.worldbank.connector import MAX_CODES, PER_PAGE
from connectors.worldbank.connector import READS as WORLDBANK_READS
from flows import asking
from flows.addresses import LIVE
from warehouse import clock
from warehouse.schema import Payload

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "providers.md").read_text(encoding="utf-8")
BEFORE, *SECTIONS = re.split(r"^## (.+)$\n", PAGE, flags=re.MULTILINE)
SECTION = dict(zip(SECTIONS[::2], SECTIONS[1::2], strict=True))
PROSE = {title: " ".join(text.split()) for title, text in SECTION.items()}
TITLES = {"oecd": "OECD", "worldbank": "World Bank", "nbs": "NBS"}
OPTIONS = {name: option.default for name, option in inspect.signature(Transport).parameters.items()}


def table(text: str, number: int = 0) -> list[list[str]]:
    """The rows of one Markdown table of a text, without its head."""
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in tables[number].splitlines()[2:]]


STATUSES = [(provider, *row) for provider, title in TITLES.items() for row in table(SECTION[title])]


def kept(provider: str) -> dict[str, str]:
    """What the code keeps to with a provider, by the first column of the page's table, in the page's words."""
    patience: dict[str, Any] = OPTIONS | asking.patience(provider, "live")
    limits, stamp = quota.LIVE[provider], STAMPS[provider]
    minutes = 60

    def told(cost: Any) -> str:
        if cost not in limits:
            return "with the data"
        return ", ".join(f"{rate.limit} in {rate.interval // 1000} s" for rate in limits[cost])

    return {
        "": provider,
        "base address": f"`{LIVE[provider]}`",
        "data": told("data"),
        "structure": told("structure"),
        "requests a run": str(quota.A_RUN.get(provider, "any")),
        "a run ends after": f"{patience['run_limit']:.0f} s",
        "left alone after a refusal": f"{PAUSES[provider].total_seconds() / minutes:.0f} minutes",
        "and at most": f"{LONGEST.total_seconds() / minutes:.0f} minutes",
        "stamp of present data": ", ".join(word.value for word in stamp) if stamp else "none",
        "connect": f"{patience['timeouts'][0]:.0f} s",
        "wait for the next bytes": f"{patience['timeouts'][1]:.0f} s",
        "a whole answer": f"{patience['deadline']:.0f} s",
        "attempts": str(patience["attempts"]),
        "first pause between attempts": f"{patience['backoff']:.0f} s",
        "longest Retry-After that is waited for": f"{patience['max_retry_after']:.0f} s",
        "clocks may differ by": f"{transport.CLOCK_TOLERANCE.total_seconds():.0f} s",
    }


@pytest.mark.parametrize("provider", contract.PROVIDERS)
def test_what_we_keep_to_is_what_the_code_keeps_to(provider: str) -> None:
    column = 1 + contract.PROVIDERS.index(provider)
    written = {row[0]: row[column] for row in table(SECTION["What we keep to"])}
    assert {"": provider, **written} == kept(provider)


@pytest.mark.parametrize(("provider", "status", "body", "means"), STATUSES, ids=lambda cell: str(cell)[:40])
def test_an_answer_means_what_the_page_says(provider: str, status: str, body: str, means: str) -> None:
    content = body.strip("`").encode()
    payload = Payload(
        sha256=hashlib.sha256(content).hexdigest(),
        content=content + (b"\n" if means == "data" else b""),
        method="POST" if provider == "nbs" else "GET",
        url="http://example.org/data",
        body="{}" if provider == "nbs" else None,
        status=int(status),
        headers={},
        fetched_at=clock.now(),
    )
    error = import_module(f"connectors.{provider}.errors").classify(payload)
    assert means == ("data" if error is None else f"`{type(error).__name__}`")


def test_every_provider_has_its_section_with_sources_and_what_was_never_seen() -> None:
    assert [title for title in SECTION if title in TITLES.values()] == list(TITLES.values())
    for title in TITLES.values():
        for mark in (
            "**Its own limits.**",
            "**Stamps.**",
            "**Licence.**",
            "**Seen.**",
            "**Not seen.** A live answer",
            "**Sources.**",
        ):
            assert mark in PROSE[title], f"{title} lacks {mark}"
    assert "Nothing here was ever run against the live services" in BEFORE


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    assert f"would exceed {MAX_ADDRESS} characters" in PROSE["OECD"]
    assert f"we stop at {MAX_CODES}" in PROSE["World Bank"]
    assert f"Pages of {PER_PAGE} rows" in PROSE["World Bank"]
    assert (OECD_READS, WORLDBANK_READS) == (3, 3)
    assert "three times at most" in PROSE["OECD"]
    assert "three times at most" in PROSE["World Bank"]
    product, _, words = transport.USER_AGENT.partition(" ")
    assert f"{product.split('/')[0]}/… {words}" in PROSE["What we keep to"]


def test_every_file_that_is_named_exists() -> None:
    root = Path(__file__).resolve().parents[1]
    named = re.findall(r"`((?:connectors|tests)/[\w./]+)`", PAGE) + [
        f"docs/{link}" for link in re.findall(r"\]\((\w+\.md)\)", PAGE)
    ]
    assert len(named) >= 5
    assert [name for name in named if not (root / name).is_file()] == []
