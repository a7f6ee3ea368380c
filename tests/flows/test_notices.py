"""Notices: each channel is told once, and none waits for another; what a message says in both languages; the command."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from connectors.errors import ProviderError
from connectors.sandbox.server import serve
from flows import cli, links, notices, output, pipeline
from flows.notices import templates
from flows.notices.channels import Webhook
from flows.notices.message import Message
from flows.settings import Settings
from tests.flows import sinks
from tests.flows.sinks import Post, Web
from tests.warehouse.makers import FACTS, load, part
from warehouse import deliveries, incidents
from warehouse.schema import Decision, IncidentChange, Severity
from warehouse.store import Warehouse

Command = Callable[..., tuple[int, str]]
RUN_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KINDS = tuple(YAML(typ="safe").load(Path(templates.__file__).with_suffix(".yaml"))["kinds"])
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def web() -> Iterator[Web]:
    with sinks.web() as sink:
        yield sink


@pytest.fixture
def post() -> Iterator[Post]:
    with sinks.post() as sink:
        yield sink


@pytest.fixture
def settings(tmp_path: Path, web: Web, post: Post) -> Settings:
    """An inbox, a webhook and mail, and a service that wrote down where it is."""
    current = Settings(
        home=tmp_path,
        pages=True,
        webhook_url=SecretStr(web.address),
        mail_server=SecretStr(post.address),
        mail_from="fk@example.org",
        mail_to="editor@example.org",
    )
    Warehouse(**current.place)
    links.remember(current, {"review": "id-review", "acknowledge": "id-ack"}, ui="http://ui:1", pages="http://pages:1")
    return current


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(**settings.place, create=False)


def opened(warehouse: Warehouse, kind: str = "failure", subject: str = "test.one", text: str = "why") -> IncidentChange:
    change = incidents.open_or_count(
        warehouse, subject, kind, Severity.WARNING, f"{subject}: it failed", text, f"{subject}@1"
    )
    assert change is not None
    return change


def closed(warehouse: Warehouse, incident: IncidentChange) -> None:
    incidents.close_one(warehouse, incident.id, "test.one@2", "the refresh of batch test.one@2 was good")


def told(settings: Settings) -> list[tuple[str, str]]:
    return sorted((notice.channel, notice.transition) for notice in notices.deliver_pending(settings)[0])


def message_of(settings: Settings, warehouse: Warehouse) -> Message:
    return templates.of(settings, warehouse, deliveries.owed(warehouse, "inbox")[-1])


def said(message: Message, heading: str) -> str:
    [section] = [section for section in message.sections if section.heading == heading]
    return "\n".join(section.paragraphs)


def test_every_channel_is_told_of_opening_and_closing_once(
    settings: Settings, warehouse: Warehouse, web: Web, post: Post
) -> None:
    incident = opened(warehouse)
    assert told(settings) == [(name, "opened") for name in ("inbox", "mail", "webhook")]
    assert told(settings) == []
    closed(warehouse, incident)
    assert told(settings) == [(name, "closed") for name in ("inbox", "mail", "webhook")]
    assert told(settings) == []
    assert [body["transition"] for body in web.taken] == ["opened", "closed"]
    assert len({body["key"] for body in web.taken}) == 2
    first, second = post.taken
    assert second["In-Reply-To"] == first["Message-ID"]


def test_fifty_failed_refreshes_in_a_row_are_one_incident_and_one_notice(
    settings: Settings, web: Web, post: Post
) -> None:
    with serve() as sandbox:
        asked = settings.model_copy(update={"sandbox_url": f"http://127.0.0.1:{sandbox.port}", "pages": False})
        for number in range(50):
            with pytest.raises(ProviderError):
                pipeline.refresh(asked, "nbs.fdi_by_country", fault="403", note=lambda _: None)
            if number % 10 == 0:
                notices.deliver_pending(asked)
        pipeline.refresh(asked, "nbs.fdi_by_country", note=lambda _: None)
        notices.deliver_pending(asked)
    assert [(body["transition"], body["occurrences"]) for body in web.taken] == [("opened", 1), ("closed", 50)]
    assert [message["Message-ID"] for message in post.taken] == [
        f"<figurekeeper.{body['key']}@example.org>" for body in web.taken
    ]
    text = post.taken[1].get_body(("plain",))
    assert text is not None
    assert "occurred 50 times" in text.get_content()


def test_a_channel_that_refuses_holds_up_no_other_and_stays_owed(
    settings: Settings, warehouse: Warehouse, web: Web, post: Post
) -> None:
    opened(warehouse)
    opened(warehouse, subject="test.two")
    web.status = 503
    delivered, refused = notices.deliver_pending(settings)
    assert sorted(notice.channel for notice in delivered) == ["inbox", "inbox", "mail", "mail"]
    [error] = refused
    assert "webhook" in str(error)
    assert "stays owed: answered 503: ok. Next: mend the settings of this channel" in str(error)
    assert [row["owed"] for row in notices.standing(settings)] == [0, 2, 0]
    web.status = 200
    assert told(settings) == [("webhook", "opened")] * 2
    assert [row["state"] for row in notices.standing(settings)] == ["all delivered"] * 3


def test_a_channel_that_breaks_holds_up_no_other_and_tells_no_secret(
    settings: Settings, warehouse: Warehouse, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> str:
        raise ValueError("secretpart")

    monkeypatch.setattr(Webhook, "send", breaks)
    opened(warehouse)
    inbox = settings.root / "inbox"
    inbox.write_text("a file where the folder should be")
    delivered, refused = notices.deliver_pending(settings)
    assert [notice.channel for notice in delivered] == ["mail"]
    [broken] = [error for error in refused if "webhook" in str(error)]
    assert re.fullmatch(r"it failed with ValueError in test_notices\.py, line \d+", broken.why)
    assert "report this" in broken.next_step
    [disk] = [error for error in refused if str(inbox) in str(error)]
    assert "Next: " in str(disk)
    assert "secretpart" not in "".join(map(str, refused))


def test_before_anything_was_kept_the_channels_are_listed(tmp_path: Path) -> None:
    rows = notices.standing(Settings(home=tmp_path / "nothing", apprise_urls=SecretStr("nowhere://x")))
    assert [row["owed"] for row in rows] == [0, 0]
    assert rows[1]["channel"].startswith("apprise-nowhere-")
    assert "apprise cannot use" in rows[1]["state"]


def test_two_deliveries_at_once_tell_once(settings: Settings, warehouse: Warehouse, web: Web) -> None:
    for number in range(5):
        opened(warehouse, subject=f"test.n{number}")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: notices.deliver_pending(settings), range(3)))
    assert sorted(body["incident"] for body in web.taken) == [1, 2, 3, 4, 5]


def test_a_remark_of_a_channel_is_passed_on(settings: Settings, warehouse: Warehouse, post: Post) -> None:
    both = settings.model_copy(update={"mail_to": "editor@example.org, gone@example.org"})
    post.unknown = {"gone@example.org"}
    opened(warehouse)
    remarks = {notice.channel: notice.remark for notice in notices.deliver_pending(both)[0]}
    assert remarks == {
        "inbox": "",
        "webhook": "",
        "mail": "not to gone@example.org: 550 no mailbox gone@example.org here",
    }


def test_a_quarantine_s_message_names_what_serves_and_the_ways_out(settings: Settings, warehouse: Warehouse) -> None:
    load(warehouse, part({("KOR", "2017"): 4.55}, "2021-01-10"), decision=Decision.PUBLISHED)
    held, _ = load(warehouse, part({("KOR", "2017"): 4550.0}, "2021-02-10"), decision=Decision.QUARANTINED)
    text = "scale-jump (×10^3). The last good data keep serving. Next: look at it.\nA release would change: - X"
    incidents.open_or_count(warehouse, FACTS.id, "quarantine", Severity.CRITICAL, "new data are held back", text, held)
    message = message_of(settings, warehouse)
    assert message.subject == "[Figurekeeper] SANDBOX · critical · new data are held back"
    assert message.mark == output.ORIGIN["sandbox"]
    assert said(message, "What happened") == (
        "scale-jump (×10^3). The last good data keep serving.\nA release would change: - X"
    )
    assert said(message, "How bad").startswith("critical: A person must decide")
    assert said(message, "What still serves").startswith("Edition 1 of 20")
    steps = said(message, "What to do")
    assert all(f"`figurekeeper {verb} {held}" in steps for verb in ("batch", "release", "discard"))
    found = dict(message.links)
    assert "id-review" in found["Release the batch"]
    assert '"release"' in found["Release the batch"].replace("%22", '"')
    assert found["The page of the dataset"] == f"http://pages:1/en/data-{FACTS.id}.html"


def test_a_failure_s_own_step_comes_first(settings: Settings, warehouse: Warehouse) -> None:
    opened(warehouse, text="429 from the OECD. Next: wait an hour\nThe last good data keep serving.")
    message = message_of(settings, warehouse)
    assert said(message, "What happened") == "429 from the OECD.\nThe last good data keep serving."
    assert said(message, "What to do").splitlines()[0] == "Wait an hour."
    assert "nothing serves yet" not in said(
        message, "What still serves"
    )  # of what is no dataset, all that is published


def test_a_run_s_message_leads_to_the_run(settings: Settings, warehouse: Warehouse) -> None:
    incidents.open_new(warehouse, "backfill", "run", Severity.WARNING, "backfill: crashed", "it crashed", RUN_ID)
    found = dict(message_of(settings, warehouse).links)
    assert RUN_ID in found["The run in Prefect"]
    assert "id-ack" in found["Acknowledge it"]
    assert "The page of the dataset" not in found


def test_a_closing_says_how_it_ended_how_long_and_how_often(settings: Settings, warehouse: Warehouse) -> None:
    incident = opened(warehouse)
    notices.deliver_pending(
        settings.model_copy(update={"webhook_url": None, "mail_server": None, "mail_from": None, "mail_to": None})
    )
    closed(warehouse, incident)
    message = message_of(settings, warehouse)
    assert message.subject == "[Figurekeeper] SANDBOX · closed · test.one: it failed"
    ended = said(message, "How it ended")
    assert "the refresh of batch test.one@2 was good" in ended
    assert "It lasted 0 minutes and occurred once." in ended
    assert "only notice" not in ended
    assert message.answers == message.key.replace("closed", "opened")


def test_an_incident_that_was_over_before_it_was_told_says_so(settings: Settings, warehouse: Warehouse) -> None:
    closed(warehouse, opened(warehouse))
    message = message_of(settings, warehouse)
    assert "This is the only notice of it." in said(message, "How it ended")
    assert message.answers is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transition", ["opened", "closed"])
def test_in_chinese_every_fixed_word_is_chinese(
    settings: Settings, warehouse: Warehouse, kind: str, transition: str
) -> None:
    incident = opened(warehouse, kind, text="RECORDED. Next: mend it")
    if transition == "closed":
        closed(warehouse, incident)
    message = message_of(settings.model_copy(update={"language": "zh"}), warehouse)
    assert CHINESE.search(message.subject)
    assert [section.heading for section in message.sections if not CHINESE.search(section.heading)] == []
    recorded = {"RECORDED.", "test.one: it failed", "the refresh of batch test.one@2 was good"}
    told_in = [text for section in message.sections for text in section.paragraphs if text not in recorded]
    assert [text for text in told_in if not CHINESE.search(text)] == []
    assert "RECORDED" in said(message, "发生了什么" if transition == "opened" else "原事件")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_in_both_languages(settings: Settings, warehouse: Warehouse, kind: str) -> None:
    opened(warehouse, kind)
    for language, headings in (("en", 4), ("zh", 4)):
        message = message_of(settings.model_copy(update={"language": language}), warehouse)
        assert len(message.sections) == headings
        assert all(all(section.paragraphs) for section in message.sections)
        assert "{" not in "".join(text for section in message.sections for text in section.paragraphs)


def test_messages_know_every_kind_of_incident() -> None:
    known = {
        value for name, value in vars(incidents).items() if name.isupper() and isinstance(value, str) and name[0] != "_"
    }
    assert known - set(KINDS) == set()


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line as a shell sees it: exit status, and what it printed."""
    for name in ("webhook_url", "mail_server"):
        secret = getattr(settings, name)
        monkeypatch.setenv(f"FIGUREKEEPER_{name.upper()}", secret.get_secret_value())
    for name, value in {"home": settings.home, "mail_from": settings.mail_from, "mail_to": settings.mail_to}.items():
        monkeypatch.setenv(f"FIGUREKEEPER_{name.upper()}", str(value))

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["figurekeeper", "alerts", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed, wrong = capsys.readouterr()
        return int(end.value.code or 0), printed or wrong

    return run


def test_alerts_test_tries_every_channel_and_records_nothing(
    command: Command, settings: Settings, warehouse: Warehouse, web: Web, post: Post
) -> None:
    before = list(warehouse.journal.entries())
    code, printed = command("test", "--format", "json")
    assert code == 0
    assert [(row["channel"], row["result"]) for row in json.loads(printed)] == [
        ("inbox", "delivered"),
        ("webhook", "delivered"),
        ("mail", "delivered"),
    ]
    assert web.taken[0]["transition"] == "test"
    assert post.taken[0]["Subject"] == "[Figurekeeper] SANDBOX · test · This is a test notice"
    assert list(warehouse.journal.entries()) == before
    web.status = 500
    code, printed = command("test", "--format", "json")
    assert code == 1
    [refused] = [row for row in json.loads(printed) if row["result"] == "refused"]
    assert (refused["channel"], refused["said"]) == ("webhook", "answered 500: ok")
    assert "alerts test --channel webhook" in refused["next"]
    assert command("test", "--channel", "mail")[0] == 0
    assert len(post.taken) == 3
    code, printed = command("test", "--channel", "pigeon")
    assert code == 2
    assert "there are inbox, webhook, mail" in printed


def test_alerts_lists_the_channels_without_secrets_and_what_they_are_owed(
    command: Command, settings: Settings, warehouse: Warehouse, web: Web
) -> None:
    opened(warehouse)
    code, printed = command("--format", "json")
    assert code == 0
    assert [(row["channel"], row["owed"]) for row in json.loads(printed)] == [("inbox", 1), ("webhook", 1), ("mail", 1)]
    assert "secretpart" not in printed
    notices.deliver_pending(settings)
    assert [row["owed"] for row in json.loads(command("list", "--format", "json")[1])] == [0, 0, 0]


def test_a_trial_has_the_fields_of_a_notice(settings: Settings, warehouse: Warehouse, web: Web) -> None:
    notices.trial(settings, "webhook")
    opened(warehouse)
    notices.deliver_pending(settings)
    trial, notice = web.taken
    assert trial.keys() == notice.keys()


def test_a_kind_without_words_of_its_own_is_told_all_the_same(settings: Settings, warehouse: Warehouse) -> None:
    opened(warehouse, "unheard of", text="what it is. Next: do this")
    message = message_of(settings, warehouse)
    assert said(message, "What happened") == "what it is."
    assert said(message, "What to do").startswith("Do this.")


@pytest.mark.parametrize(("decision", "word"), [("release", "figures of nbs"), ("discard", "as it was last published")])
def test_the_closing_of_a_quarantine_says_whether_the_figures_changed(
    settings: Settings, warehouse: Warehouse, decision: pipeline.Action, word: str
) -> None:
    name = "nbs.fdi_by_country"
    with serve() as sandbox:
        asked = settings.model_copy(update={"sandbox_url": f"http://127.0.0.1:{sandbox.port}", "pages": False})
        pipeline.refresh(asked, name, note=lambda _: None)
        held = pipeline.refresh(asked, name, fault="scaled_by_1000", note=lambda _: None)
    notices.deliver_pending(settings)
    pipeline.decide(asked, held.batch_id, decision, reason="seen", by="Li Wei", run_id=RUN_ID, note=lambda _: None)
    message = message_of(settings, warehouse)
    assert word in said(message, "What still serves")
    assert RUN_ID in dict(message.links)["The run that ended it"]
