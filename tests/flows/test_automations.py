"""automations.yaml is what Prefect reads, agrees with the deployments and the flows, and never sets itself off."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from prefect.events.schemas.automations import AutomationCore
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.types._datetime import now
from pydantic import SecretStr
from ruamel.yaml import YAML

from flows import automations
from flows.environment import PROJECT
from flows.settings import Settings
from flows.watch import WATCHED
from tests.flows import sinks

DEPLOYMENTS = {entry["name"] for entry in YAML(typ="safe").load(PROJECT / "prefect.yaml")["deployments"]}
BLOCK = uuid4()
FLOWS = ("maintain", "refresh-dataset", "backfill", "watch", "deliver-notice")
LOOKING = ("look-when-a-run-ends-badly", "look-when-runs-are-late")
TELLING = ("no-worker", "silence")


def read(language: str = "en", *blocks: UUID) -> dict[str, AutomationCore]:
    """The automations by name; a deployment that does not exist raises KeyError."""
    known = {name: uuid4() for name in DEPLOYMENTS}
    found = automations.read(automations.FILE, language, blocks, lambda name: known[name.split("/")[1]])
    return {automation.name: automation for automation in found}


def trigger(automation: AutomationCore) -> EventTrigger:
    """As the server sees it."""
    return EventTrigger.model_validate(automation.trigger.model_dump())


def event(name: str, flow: str) -> ReceivedEvent:
    """Of a run of a flow, as the server emits it."""
    resource = {"prefect.resource.id": f"prefect.flow-run.{uuid4()}"}
    role = {"prefect.resource.role": "flow", "prefect.resource.name": flow}
    related = [{"prefect.resource.id": f"prefect.flow.{uuid4()}"} | role]
    told = {"event": name, "resource": resource, "related": related, "occurred": now("UTC"), "id": uuid4()}
    return ReceivedEvent.model_validate(told)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_of_it_is_what_prefect_reads(language: str) -> None:
    found = read(language, BLOCK)
    assert [name for name, automation in found.items() if not automation.actions] == []
    assert [name for name in found if not found[name].description] == []
    told = [action for name in TELLING for action in found[name].actions]
    assert {getattr(action, "block_document_id", None) for action in told} == {BLOCK}
    assert all(bool(re.search("[\u4e00-\u9fff]", action.body)) == (language == "zh") for action in told)  # type: ignore[union-attr]


def test_the_server_s_own_notices_reach_what_takes_slack_s_messages_wherever_it_is() -> None:
    with sinks.web() as hook, sinks.web() as chat:
        settings = Settings(webhook_url=SecretStr(hook.address), slack_url=SecretStr(chat.address))
        for _, block in automations.channels(settings):
            block.notify("none is online", subject="no worker")  # type: ignore[unused-coroutine]
    assert [(body["title"], body["text"]) for body in hook.taken] == [("no worker", "none is online")]
    assert [body["text"] for body in chat.taken] == ["*no worker*\nnone is online"]


def test_what_has_nobody_to_tell_has_nothing_to_do() -> None:
    assert {name for name, automation in read().items() if not automation.actions} == set(TELLING)


def test_every_channel_is_told() -> None:
    assert [len(read("en", BLOCK, uuid4())[name].actions) for name in TELLING] == [2, 2]


@pytest.mark.parametrize("name", LOOKING)
def test_the_watch_never_sets_itself_off(name: str) -> None:
    looking = trigger(read()[name])
    [seen] = (looking.after or looking.expect) & {"prefect.flow-run.Late", "prefect.flow-run.Crashed"}
    covered = {
        flow: looking.covers_resources(one.resource, one.related) for flow in FLOWS if (one := event(seen, flow))
    }
    assert {flow for flow, whether in covered.items() if not whether} == {"watch"}


def test_every_way_in_which_our_runs_end_tells_that_they_are_not_lost() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "flows").glob("*.py"))
    ours = set(re.findall(r"State\(\s*type=StateType\.(?:FAILED|COMPLETED|CANCELLED|CRASHED),\s*name=\"(\w+)\"", text))
    assert "Quarantined" in ours
    ends = {f"prefect.flow-run.{name}" for name in ours | {"Completed", "Failed", "Cancelled", "Crashed"}}
    assert ends - trigger(read()["mark-lost-runs-crashed"]).expect == set()


def test_what_the_silence_is_broken_by_is_what_the_watch_emits() -> None:
    assert trigger(read("en", BLOCK)["silence"]).expect == {WATCHED}


def test_nothing_is_missed_before_it_was_there() -> None:
    proactive = [
        one for automation in read("en", BLOCK).values() if (one := trigger(automation)).posture == "Proactive"
    ]
    assert proactive
    assert all(one.after and one.for_each for one in proactive)
