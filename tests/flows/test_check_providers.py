"""The deployment of first contact, run by the worker as a person starts it from its form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows import check_providers


@pytest.mark.prefect
@pytest.mark.usefixtures("service")
def test_the_deployment_compares_and_publishes_its_report(run_deployment: Callable[..., Any]) -> None:
    state = run_deployment("first-contact/first-contact", {"request": {"datasets": ["nbs.fdi_by_country"]}})
    assert (state.type.value, state.message) == ("COMPLETED", "1 datasets: 1 as the file says")
    with get_client(sync_client=True) as client:
        chosen = ArtifactFilter(key=ArtifactFilterKey(any_=["first-contact"]))
        [artifact] = client.read_artifacts(artifact_filter=chosen)
    assert "| nbs.fdi_by_country | as the file says |" in str(artifact.data)
    assert "| nbs.fdi_by_country | stamp | none |" in str(artifact.data)


def test_the_form_offers_datasets_that_are_not_enabled_as_well() -> None:
    schema = check_providers.first_contact_with_providers.parameters.model_dump()
    offered = str(schema["definitions"]["FirstContactForm"]["properties"]["datasets"])
    assert "oecd.msti" in offered
    assert "oecd.sbrd" in offered
