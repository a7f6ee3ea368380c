"""The forms offer the real datasets and faults, and refuse what cannot be meant; no server needed."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from connectors import datasets
from connectors.sandbox import faults
from flows.backfill import ask_of
from flows.forms import AcknowledgeForm, BackfillForm, RefreshForm, ReviewForm
from warehouse.errors import UsageError


def test_refresh_form_offers_every_dataset_and_fault() -> None:
    fields = RefreshForm.model_json_schema()["properties"]
    assert fields["dataset"]["enum"] == list(datasets.enabled_ids())
    assert set(fields["fault"]["enum"]) == {"none", *faults.FAULTS}


def test_date_and_fault_are_not_offered_outside_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIGUREKEEPER_PROFILE", "live")
    assert list(RefreshForm.model_json_schema()["properties"]) == ["dataset", "full"]


@pytest.mark.parametrize("form", [RefreshForm, BackfillForm, ReviewForm, AcknowledgeForm])
def test_every_field_has_a_title_and_a_description_and_no_tabs(form: type[RefreshForm]) -> None:
    for field in form.model_json_schema()["properties"].values():
        assert field["title"]
        assert field["description"].endswith(".")
        assert "anyOf" not in field


def test_refresh_form_refuses_unknown_choices_and_fields() -> None:
    for wrong in (
        {"dataset": "oecd.nothing"},
        {"dataset": "oecd.sbrd", "fault": "x"},
        {"dataset": "oecd.sbrd", "x": 1},
    ):
        with pytest.raises(ValidationError):
            RefreshForm.model_validate(wrong)


def test_review_form_wants_batch_reason_and_name() -> None:
    with pytest.raises(ValidationError) as caught:
        ReviewForm.model_validate({"batch": "", "decision": "release", "reason": "", "by": " "})
    assert {error["loc"][0] for error in caught.value.errors()} == {"batch", "reason", "by"}


def test_the_ui_counts_no_blanks_as_a_reason_or_a_name() -> None:
    fields = ReviewForm.model_json_schema()["properties"]
    for name, blank, good in (("reason", "  \n ", "new\nunit"), ("by", "A ", "Li Wei")):
        assert re.search(fields[name]["pattern"], good)
        assert re.search(fields[name]["pattern"], blank) is None


def test_backfill_form_turns_a_span_of_months_into_versions_and_periods_into_a_scope() -> None:
    form = BackfillForm(
        datasets=["worldbank.wdi"], vintage_from="202111", vintage_to="202202", period_from="2010", period_to=""
    )
    ask = ask_of(form, "worldbank.wdi")
    assert ask.versions == ("202111", "202112", "202201", "202202")
    assert (ask.scope.start, ask.scope.end, ask.scope.complete) == ("2010", None, False)


def test_backfill_form_without_spans_is_a_complete_read_of_current_data() -> None:
    ask = ask_of(BackfillForm(datasets=["oecd.sbrd"]), "oecd.sbrd")
    assert ask.versions == ()
    assert ask.scope.complete


@pytest.mark.parametrize(("first", "last"), [("202202", "202111"), ("", "202111")])
def test_backfill_span_that_runs_backwards_is_refused(first: str, last: str) -> None:
    with pytest.raises(UsageError, match="span"):
        ask_of(BackfillForm(datasets=["worldbank.wdi"], vintage_from=first, vintage_to=last), "worldbank.wdi")


def test_backfill_form_takes_days_of_the_oecd_and_each_provider_says_what_it_wants() -> None:
    form = BackfillForm(datasets=["oecd.sbrd", "worldbank.wdi"], vintage_from="2024-03-13", vintage_to="2024-03-14")
    assert ask_of(form, "oecd.sbrd").versions == ("2024-03-13", "2024-03-14")
    with pytest.raises(UsageError, match="no span of months"):
        ask_of(form, "worldbank.wdi")


@pytest.mark.parametrize("wrong", [{"vintage_from": "2021-09"}, {"vintage_from": "202113"}, {"period_from": "17"}])
def test_backfill_form_refuses_malformed_months_and_periods(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        BackfillForm.model_validate({"datasets": ["worldbank.wdi"], **wrong})
