"""How each channel takes a message, what it says when it refuses, and that no error names a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from flows.notices import check, templates
from flows.notices.channels import Channel, Facts, NotDelivered, scrubbed
from flows.notices.configured import configured
from flows.notices.mail import Mail
from flows.notices.message import Message, Section
from flows.settings import Settings
from tests.flows import sinks
from tests.flows.sinks import Post, Web
from warehouse.errors import UsageError

SECRET = "secretpart"
FACTS: Facts = {"incident": 7, "transition": "opened", "dataset": "refresh-dataset/test.one", "kind": "failure"}
URL = "http://here/v2/runs?a=1&b=<2>"
MESSAGE = Message(
    key="sandbox-7-x-opened",
    answers=None,
    language="en",
    subject="[Figurekeeper] SANDBOX · warning · 刷新 failed & more",
    title="warning: it failed",
    mark="SANDBOX: published figures",
    sections=(
        Section("What happened", ("a < b & `figurekeeper status`",)),
        Section("What to do", ("look", "mend"), True),
    ),
    links=(("The run", URL),),
    links_heading="Links",
    footer=("incident 7",),
    cut="… cut here",
)


@pytest.fixture
def web() -> Iterator[Web]:
    with sinks.web() as sink:
        yield sink


@pytest.fixture
def post() -> Iterator[Post]:
    with sinks.post() as sink:
        yield sink


def mailing(server: str, **changes: Any) -> Settings:
    given = {"mail_server": SecretStr(server), "mail_from": "fk@example.org", "mail_to": "a@example.org, b@example.net"}
    return Settings.model_validate({**given, **changes})


def only(settings: Settings) -> Channel:
    """The channel beside the inbox."""
    [_, channel] = configured(settings)
    return channel


def refusal(channel: Channel) -> str:
    with pytest.raises(NotDelivered) as caught:
        channel.send(MESSAGE, FACTS)
    assert caught.value.__cause__ is None
    assert f"--channel {channel.name}" in caught.value.next_step
    return str(caught.value)


def test_the_inbox_keeps_a_letter_under_a_name_that_any_disk_takes(tmp_path: Path) -> None:
    [inbox] = configured(Settings(home=tmp_path))
    inbox.send(MESSAGE, FACTS)
    [file] = (tmp_path / "sandbox" / "inbox").iterdir()
    assert file.name == "000007-opened-refresh-dataset-test.one.md"
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# warning: it failed\n\n**SANDBOX: published figures**\n\n## What happened\n\na < b")
    assert f"\n- [The run](<{URL}>)\n" in text
    assert "1. look\n2. mend\n" in text


def test_a_webhook_gets_the_facts_the_letter_and_a_key(web: Web) -> None:
    assert only(Settings(webhook_url=SecretStr(web.address))).send(MESSAGE, FACTS) == ""
    [body] = web.taken
    assert {name: body[name] for name in FACTS} == FACTS
    assert body["links"] == {"The run": URL}
    assert (body["language"], body["subject"], body["key"]) == ("en", MESSAGE.subject, MESSAGE.key)
    assert "WHAT TO DO\n1. look\n2. mend" in body["message"]
    assert web.headers[0]["Idempotency-Key"] == MESSAGE.key


def test_slack_gets_its_own_marks(web: Web) -> None:
    only(Settings(slack_url=SecretStr(web.address))).send(MESSAGE, FACTS)
    [body] = web.taken
    assert body["text"].startswith("*[Figurekeeper] SANDBOX · warning · 刷新 failed &amp; more*\n\nSANDBOX")
    assert "a &lt; b &amp; `figurekeeper status`" in body["text"]
    assert f"<{URL.replace('<', '%3C').replace('>', '%3E')}|The run>" in body["text"]


def test_apprise_takes_any_address_it_knows(web: Web) -> None:
    address = web.address.replace("http://", "json://")
    only(Settings(apprise_urls=SecretStr(address))).send(MESSAGE, FACTS)
    [body] = web.taken
    assert body["title"] == MESSAGE.subject
    assert "1. look" in body["message"]


@pytest.mark.parametrize("name", ["webhook_url", "slack_url"])
@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_refusal_says_what_was_answered_and_no_secret(web: Web, name: str, status: int) -> None:
    web.status, web.says = status, f"no team for {SECRET}\nat all"
    channel = only(Settings.model_validate({name: web.address}))
    said = refusal(channel)
    assert f"answered {status}: no team for *** at all. Next: " in said
    assert SECRET not in said + channel.to


def test_apprise_says_why_it_failed_and_nothing_of_it_reaches_our_logs(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    web.status = 404
    said = refusal(only(Settings(apprise_urls=SecretStr(web.address.replace("http://", "json://user:hidden@")))))
    assert "error=404" in said
    assert not any(word in said + caplog.text for word in (SECRET, "hidden"))


def test_nobody_at_the_address() -> None:
    channel = only(Settings(webhook_url=SecretStr(f"http://127.0.0.1:9/{SECRET}")))
    said = refusal(channel)
    assert "no answer (ConnectionError)" in said
    assert SECRET not in said


def test_mail_is_text_and_html_with_links_that_open(post: Post) -> None:
    assert only(mailing(post.address)).send(MESSAGE, FACTS) == ""
    [message] = post.taken
    assert (message["Subject"], message["From"], message["To"]) == (
        MESSAGE.subject,
        "fk@example.org",
        "a@example.org, b@example.net",
    )
    assert message["Message-ID"] == "<figurekeeper.sandbox-7-x-opened@example.org>"
    assert message["Date"]
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert f"The run: {URL}" in text.get_content()
    assert 'href="http://here/v2/runs?a=1&amp;b=&lt;2&gt;"' in html.get_content()
    assert "a &lt; b &amp; <code>figurekeeper status</code>" in html.get_content()


def test_a_closing_answers_its_opening(post: Post) -> None:
    closing = Message(**{**MESSAGE.__dict__, "key": "sandbox-7-x-closed", "answers": MESSAGE.key})
    only(mailing(post.address)).send(closing, FACTS)
    [message] = post.taken
    assert message["In-Reply-To"] == message["References"] == "<figurekeeper.sandbox-7-x-opened@example.org>"
    assert message["Message-ID"] != message["References"]


def test_mailboxes_that_are_unknown(post: Post) -> None:
    post.unknown = {"b@example.net"}
    assert only(mailing(post.address)).send(MESSAGE, FACTS) == "not to b@example.net: 550 no mailbox b@example.net here"
    post.unknown.add("a@example.org")
    assert "550 no mailbox" in refusal(only(mailing(post.address)))
    assert len(post.taken) == 1


@pytest.mark.parametrize(("way", "why"), [("smtp+starttls", "STARTTLS"), ("smtps", "SSL"), ("smtp", "AUTH")])
def test_a_password_never_goes_out_in_the_clear_or_into_an_error(post: Post, way: str, why: str) -> None:
    server = post.address.replace("smtp://", f"{way}://user:p%40ssword@")
    channel = only(mailing(server))
    said = refusal(channel)
    assert why in said
    assert not any(word in said + channel.to + repr(channel) for word in ("p@ssword", "p%40ssword"))
    assert post.taken == []


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"mail_server": "smtp://host"}, "FIGUREKEEPER_MAIL_FROM and FIGUREKEEPER_MAIL_TO"),
        ({"mail_to": "a@example.org"}, "FIGUREKEEPER_MAIL_SERVER and FIGUREKEEPER_MAIL_FROM"),
        ({"mail_server": "mail://u:hidden@host", "mail_from": "a@b.c", "mail_to": "a@b.c"}, "FIGUREKEEPER_MAIL_SERVER"),
        ({"mail_server": "smtp://host:x", "mail_from": "a@b.c", "mail_to": "a@b.c"}, "FIGUREKEEPER_MAIL_SERVER"),
        ({"mail_server": "smtp://host", "mail_from": "nobody", "mail_to": "a@b.c"}, "FIGUREKEEPER_MAIL_FROM"),
        ({"mail_server": "smtp://host", "mail_from": "a@b.c", "mail_to": "a@b.c;d@e.f"}, "FIGUREKEEPER_MAIL_TO"),
        ({"webhook_url": "hooks.hidden.org/x"}, "FIGUREKEEPER_WEBHOOK_URL"),
        ({"slack_url": "ftp://hidden"}, "FIGUREKEEPER_SLACK_URL"),
        ({"apprise_urls": "json://host/x nothing://hidden"}, "FIGUREKEEPER_APPRISE_URLS"),
    ],
)
def test_wrong_settings_are_told_by_name_and_stop_no_other_channel(
    given: dict[str, str], wrong: str, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"home": tmp_path, **given})
    with pytest.raises(UsageError, match=wrong) as caught:
        check(settings)
    assert "hidden" not in str(caught.value)
    inbox, *_, channel = configured(settings)
    assert inbox.send(MESSAGE, FACTS) == ""
    with pytest.raises(NotDelivered, match=wrong):
        channel.send(MESSAGE, FACTS)


def test_right_settings_name_their_channels(post: Post, web: Web) -> None:
    settings = mailing(post.address, webhook_url=web.address, slack_url=web.address, apprise_urls="json://a json://b")
    names = [channel.name for channel in check(settings)]
    assert names[:4] == ["inbox", "webhook", "slack", "mail"]
    assert all(name.startswith("apprise-json-") for name in names[4:])


def test_an_address_keeps_its_name_wherever_it_stands(tmp_path: Path) -> None:
    def named(addresses: str) -> list[str]:
        return [channel.name for channel in configured(Settings(home=tmp_path, apprise_urls=SecretStr(addresses)))[1:]]

    one, two = named("json://a json://b")
    assert named("json://b json://a json://b") == [two, one]


def test_what_is_said_of_an_address_that_is_none_of_the_web_names_nothing_of_it() -> None:
    said = scrubbed("no bot 123456 with wrong/token at api.telegram.org", "tgram://123456:wrong%2Ftoken/12345678/")
    assert said == "no bot *** with *** at api.telegram.org"


def test_a_long_account_is_cut_and_says_so_where_messages_are_bounded(web: Web) -> None:
    lines = "\n".join(f"line {number}" for number in range(1000))
    long = Message(**{**MESSAGE.__dict__, "sections": (Section("What happened", (lines,)),)})
    only(Settings(slack_url=SecretStr(web.address))).send(long, FACTS)
    [body] = web.taken
    assert len(body["text"]) < 3500
    assert "\n… cut here\n" in body["text"]
    only(Settings(webhook_url=SecretStr(web.address))).send(long, FACTS)
    assert "line 999" in web.taken[1]["message"]


def test_a_trial_letter_can_be_told_from_a_notice(tmp_path: Path) -> None:
    for language, title in (("en", "This is a test notice"), ("zh", "这是一份测试通知")):
        message = templates.trial(Settings(home=tmp_path, language=language))
        assert (message.title, "SANDBOX · " in message.subject, title in message.subject) == (title, True, True)


def test_people_see_mailboxes_and_server() -> None:
    settings = mailing("smtps://host")
    assert Mail.of(settings).to == "a@example.org, b@example.net by smtps://host:465"
