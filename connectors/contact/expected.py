"""Differences that a first contact is known to find, each with its reason: connectors/contact/expected_differences.yaml.

The list is strict: a dataset in it that does not differ in exactly these ways is a finding, too. Belongs here: the form of the
list. What a difference is, is in contact/compare.py.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

FILE = Path(__file__).with_name("expected_differences.yaml")


class Expected(BaseModel):
    """One entry: these datasets differ in these ways, where this profile's providers are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: tuple[str, ...] = Field(min_length=1)
    profile: Literal["sandbox", "live"]
    what: frozenset[str] = Field(min_length=1, description="`what` of the differences, or names of error classes")
    reason: str = Field(min_length=10)
    since: date


def entries() -> tuple[Expected, ...]:
    """All entries of the list."""
    return _read(FILE.read_text(encoding="utf-8"))


def expected(dataset_id: str, profile: str) -> Expected | None:
    """The entry of a dataset in a profile; None when it must be as its file says."""
    found = [entry for entry in entries() if dataset_id in entry.datasets and entry.profile == profile]
    return found[0] if found else None


@cache
def _read(text: str) -> tuple[Expected, ...]:
    return tuple(Expected.model_validate(entry) for entry in YAML(typ="safe").load(text) or ())
