"""The little markdown that our pages in the Prefect UI share: keys and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def slug(name: str) -> str:
    """A Prefect artifact key: lower-case letters, digits and dashes."""
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as a markdown table; a bar within a cell is escaped."""
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
