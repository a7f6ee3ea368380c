"""What first contact asks, and what it makes of answers that no fault of the sandbox shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from connectors import contract, datasets
from connectors.contact import compare as contact
from connectors.contact.compare import Difference
from connectors.contract import Fetched, PartFetch
from connectors.datasets import Dataset
from connectors.errors import NoData, Unreachable
from connectors.http.transport import Transport
from connectors.sandbox.server import serve
from warehouse.schema import Basis, PartData, Payload, Precision, Severity, Stamp

Answer = tuple[Dataset, PartData]


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    """What the sandbox answers to first contact, by dataset."""
    found = {}
    with serve() as sandbox:
        for name in ("oecd.sbrd", "worldbank.wdi"):
            dataset = datasets.load(name)
            connector = contract.connector(dataset.provider)
            with Transport(
                dataset.provider, f"http://127.0.0.1:{sandbox.port}/{dataset.provider}", trust_date=True
            ) as transport:
                [fetched] = connector.fetch(dataset, contact.smallest(dataset), transport).parts
            found[name] = (dataset, connector.parse(dataset, fetched))
    return found


def compared(answer: Answer, *flags: str, **changed: Any) -> list[Difference]:
    """The differences of an answer of which some fields were changed after it was read."""
    dataset, data = answer
    fetched = PartFetch(data.part, data.payloads, data.stamp, data.scope)
    known = flags or ("B", "D", "E", "P", "M2")
    found, _ = contact.differences(dataset, Fetched((fetched,)), lambda *_: replace(data, **changed), known)
    return found


def column(table: pa.Table, name: str, value: object) -> pa.Table:
    """The table with one value in all rows of a column."""
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, pa.array([value] * table.num_rows, field.type))


def test_the_part_with_the_fewest_open_dimensions_is_asked_for_the_economies_that_must_be_there() -> None:
    dataset = datasets.load("worldbank.wdi")
    ask = contact.smallest(dataset)
    assert ask.parts == (dataset.parts[0].id,)
    assert ask.scope.entities == ("CHN", "JPN", "KOR", "USA")
    assert (ask.scope.start, ask.scope.end) == (None, None)


def test_a_key_with_an_open_dimension_is_asked_for_one_economy() -> None:
    dataset = datasets.load("oecd.pct_cooperation")
    opened = [part.model_copy(update={"key": part.key.replace("WXD", "")}) for part in dataset.parts]
    ask = contact.smallest(dataset.model_copy(update={"parts": tuple(opened)}))
    assert ask.scope.entities == ("CHN",)
    mixed = dataset.model_copy(update={"parts": (opened[0], dataset.parts[1])})
    assert contact.smallest(mixed).parts == (dataset.parts[1].id,)


@pytest.mark.parametrize("name", ["oecd.sbrd", "worldbank.wdi"])
def test_an_answer_as_it_should_be_differs_in_nothing(answers: dict[str, Answer], name: str) -> None:
    assert compared(answers[name]) == []


def test_a_flag_that_no_check_knows_is_told(answers: dict[str, Answer]) -> None:
    found = compared(answers["oecd.sbrd"], "B", "D", "E", "M2")
    assert [(one.what, one.words) for one in found] == [("flags", "status codes that no check knows: P")]


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [("multiplier", 3, "critical"), ("unit", "percent", "critical"), ("decimals", 2, "warning")],
)
def test_what_the_file_states_and_the_answer_states_otherwise(
    answers: dict[str, Answer], name: str, value: object, severity: str
) -> None:
    dataset, data = answers["oecd.sbrd"]
    stated = dataset.parts[0].model_copy(update={"decimals": 1})
    dataset = dataset.model_copy(update={"parts": (stated, *dataset.parts[1:])})
    [found] = compared((dataset, data), series=column(data.series, name, value))
    assert (found.what, found.where, found.severity.value) == (name, ("parts", 0, name), severity)
    assert f"`{name}: {value}`" in found.advice


def test_another_form_of_stamp_is_a_warning_and_none_at_all_is_told(answers: dict[str, Answer]) -> None:
    _, data = answers["oecd.sbrd"]
    assert data.stamp is not None
    daily = Stamp(data.stamp.at, Precision.DAY, Basis.PUBLISHER, "2026-04-13")
    [found] = compared(answers["oecd.sbrd"], stamp=daily)
    assert (found.what, found.severity) == ("stamp", Severity.WARNING)
    [found] = compared(answers["oecd.sbrd"], stamp=None, notes=("no stamp: the content constraint says nothing",))
    assert (found.what, found.severity) == ("stamp", Severity.INFO)


@pytest.mark.parametrize("date", [None, "tomorrow", "Sun, 22 Nov 2020 07:00:00 GMT"])
def test_a_date_that_is_not_believed_is_a_warning(answers: dict[str, Answer], date: str | None) -> None:
    _, data = answers["worldbank.wdi"]
    [first, *others] = data.payloads
    headers = {"date": date} if date else {}
    odd: Payload = replace(first, headers=headers, fetched_at=first.fetched_at + timedelta(hours=1))
    [found] = compared(answers["worldbank.wdi"], payloads=(odd, *others))
    assert (found.what, found.severity) == ("date", Severity.WARNING)


@pytest.mark.parametrize(
    ("error", "where"),
    [(NoData("empty", next_step="check"), ("parts", 0, "key")), (Unreachable("cut", next_step="x"), ())],
)
def test_a_part_that_could_not_be_had_is_a_difference_of_the_errors_name(
    answers: dict[str, Answer], error: NoData | Unreachable, where: tuple[str | int, ...]
) -> None:
    dataset, data = answers["oecd.sbrd"]
    fetched = PartFetch(data.part, (), None, data.scope, error)
    [found], read = contact.differences(dataset, Fetched((fetched,)), lambda *_: data, ())
    assert read is None
    assert (found.what, found.words, found.where) == (type(error).__name__, error.what, where)


def test_what_else_was_seen(answers: dict[str, Answer]) -> None:
    dataset, data = answers["worldbank.wdi"]
    payloads = [replace(payload, headers=payload.headers | {"etag": '"7"'}) for payload in data.payloads]
    told = contact.seen(dataset, data, payloads)
    assert told["periods"].endswith("asked from 1990")
    assert told["stamp"] == "2026-07-13 (day, publisher)"
    assert told["pages"].startswith("page 1 of 1, ")
    assert told["etag"] == '"7"'
    assert told["not sent"] == "last-modified"
    assert "set-cookie" not in told
