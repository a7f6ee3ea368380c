"""The automations of the service, from flows/automations.yaml into a Prefect server.

Belongs here: what that file adds to Prefect's own fields, and the notification blocks by which the server tells people without a
worker. Does not belong here: how incidents are told (notices), deployments (deployments, server).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore
from ruamel.yaml import YAML

from flows.settings import Settings

if TYPE_CHECKING:
    from prefect.blocks.abstract import NotificationBlock
    from pydantic import SecretStr

FILE = Path(__file__).with_suffix(".yaml")
#: What a notice of the server says of itself, in the fields of the webhook's other notices.
_FIELDS = {"transition": "opened", "dataset": "figurekeeper", "kind": "silence", "severity": "critical"}


def install(settings: Settings, file: Path = FILE) -> list[str]:
    """Replace every automation of the file by what it says now; the names of those installed. It needs the deployments.

    One that has nobody to tell, since neither a webhook nor Slack is configured, is taken away.
    """
    blocks = _blocks(settings)
    with get_client(sync_client=True) as client:
        found = read(file, settings.language, blocks, lambda name: client.read_deployment_by_name(name).id)
        for automation in found:
            for old in client.read_automations_by_name(automation.name):
                client.delete_automation(old.id)
            if automation.actions:
                client.create_automation(automation)
    return [automation.name for automation in found if automation.actions]


def read(
    file: Path, language: str, blocks: Sequence[UUID], deployment_id: Callable[[str], UUID]
) -> list[AutomationCore]:
    """The automations of a file, in Prefect's own fields: telling `blocks`, in that language; those that would have nobody to
    tell have no actions."""
    return [_resolved(entry, language, blocks, deployment_id) for entry in YAML(typ="safe").load(file)]


def _resolved(
    entry: dict[str, Any], language: str, blocks: Sequence[UUID], deployment_id: Callable[[str], UUID]
) -> AutomationCore:
    actions: list[dict[str, Any]] = []
    for action in entry["actions"]:
        if action.pop("channels", None):
            words = {name: action[name][language] for name in ("subject", "body")}
            actions += [action | words | {"block_document_id": block} for block in blocks]
        else:
            if "deployment" in action:
                action["deployment_id"] = deployment_id(action.pop("deployment"))
            actions.append(action)
    return AutomationCore.model_validate(entry | {"actions": actions})


def _blocks(settings: Settings) -> list[UUID]:
    """The ids of the notification blocks of the channels that a server can tell by itself, saved as the settings say now."""
    return [cast(UUID, block.save(name, overwrite=True)) for name, block in channels(settings)]


def channels(settings: Settings) -> Iterator[tuple[str, NotificationBlock]]:
    """The notification blocks, by name, of the channels that a server can tell by itself."""
    if settings.webhook_url is not None:
        told = {**_FIELDS, "profile": settings.profile, "title": "{{subject}}", "text": "{{body}}"}
        yield "figurekeeper-webhook", _posting(settings.webhook_url, told)
    if settings.slack_url is not None:
        yield "figurekeeper-slack", _posting(settings.slack_url, {"text": "*{{subject}}*\n{{body}}"})


def _posting(address: SecretStr, body: dict[str, str]) -> NotificationBlock:
    """For Slack, too: Prefect's own block for it drops without a word what is for an address that is not Slack's."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    secrets = {"address": address.get_secret_value()}
    return CustomWebhookNotificationBlock(name="figurekeeper", url="{{address}}", secrets=secrets, json_data=body)
