"""docs/alerts.md is true: it has every kind of incident, every channel with its settings, and the notice's own words."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from flows import notices
from flows.notices import Notice
from flows.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
WORDS = YAML(typ="safe").load(ROOT / "flows" / "notices" / "templates.yaml")
#: Of the settings, those that say where and how people are told.
SETTINGS = (
    "webhook_url",
    "slack_url",
    "mail_server",
    "mail_from",
    "mail_to",
    "apprise_urls",
    "language",
    "ui_url",
    "pages_url",
)


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    table = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_kind_of_incident_stands_on_the_page() -> None:
    kinds = [row[0].strip("`") for row in rows("Every kind of incident")]
    assert sorted(kinds) == sorted(WORDS["kinds"].keys() - {"other"})
    assert all(len(row) == 5 and all(row) for row in rows("Every kind of incident"))


def test_every_channel_and_setting_stands_on_the_page(tmp_path: Path) -> None:
    every = Settings(
        home=tmp_path,
        webhook_url=SecretStr("https://a/b"),
        slack_url=SecretStr("https://a/b"),
        mail_server=SecretStr("smtp://a"),
        mail_from="a@example.org",
        mail_to="a@example.org",
        apprise_urls=SecretStr("json://a json://b"),
    )
    named = {name for row in rows("Set up the channels") for name in re.findall(r"`([\w-]+)", row[0])}
    assert named == {re.sub(r"-json-\w{6}$", "-", channel.name) for channel in notices.check(every)}
    assert set(re.findall(r"FIGUREKEEPER_([A-Z_]+)", PAGE)) == {name.upper() for name in SETTINGS}


def test_every_field_of_a_webhook_stands_on_the_page() -> None:
    told = {field.name for field in fields(Notice)} - {"remark"}
    assert [name for name in told if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("heading", ["happened", "bad", "serves", "steps", "links"])
def test_the_notice_shown_has_the_headings_of_a_real_one(heading: str) -> None:
    assert f"\n{WORDS['words']['en'][heading].upper()}\n" in PAGE
