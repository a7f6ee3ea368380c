"""How the tests of the sandbox's wire formats ask it, and how two documents are compared in structure.

Tests of one provider's forms do not belong here.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox import nbs_wire, oecd_wire, worldbank_wire
from connectors.sandbox.wire import Answer, Question

UPSTREAM = Path(__file__).resolve().parents[2].parent / "shared" / "upstream"
recorded = pytest.mark.skipif(not UPSTREAM.is_dir(), reason="../shared/upstream is not here: no recorded answers")
TODAY = date(2026, 11, 22)
WIRES = {"oecd": oecd_wire, "worldbank": worldbank_wire, "nbs": nbs_wire}


def ask(
    provider: str, path: str, on: str | None = None, method: str = "GET", body: Any = None, **params: str
) -> Answer:
    day = date.fromisoformat(on) if on else None
    content = json.dumps(body).encode() if body is not None else b""
    question = Question(method, path, params, body=content, on=day, today=day or TODAY)
    found: Answer = WIRES[provider].answer(question)
    return found


def shape(value: Any, at: str = "") -> dict[str, set[str]]:
    """Every path of a JSON document with the types found there."""
    if isinstance(value, dict):
        inner = [shape(child, f"{at}.{name}") for name, child in value.items()]
    elif isinstance(value, list):
        inner = [shape(child, f"{at}[]") for child in value]
    else:
        inner = []
    found: dict[str, set[str]] = {at: {type(value).__name__.replace("float", "int")}}
    for one in inner:
        for path, types in one.items():
            found.setdefault(path, set()).update(types)
    return found


def assert_same_shape(ours: Any, theirs: Any) -> None:
    """The same paths, and no type that the provider does not show there; null may stand for what is not known."""
    left, right = shape(ours), shape(theirs)
    assert left.keys() == right.keys()
    assert {path: types for path, types in left.items() if types - right[path] - {"NoneType"}} == {}


def upstream(name: str) -> Any:
    return json.loads((UPSTREAM / name).read_text(encoding="utf-8"))
