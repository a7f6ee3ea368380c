"""A message to people, and how it looks in plain text, Markdown, HTML and Slack's own marks.

Belongs here: the form. What a message says is in templates, who gets it in channels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

#: A longer account is cut, and says so, where a channel bounds its messages.
_LONGEST = 2500
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Section:
    """A heading with its paragraphs, which are numbered when they are steps."""

    heading: str
    paragraphs: tuple[str, ...]
    steps: bool = False

    def lines(self) -> Iterator[str]:
        """Its paragraphs, numbered or not."""
        for number, paragraph in enumerate(self.paragraphs, start=1):
            yield f"{number}. {paragraph}" if self.steps else paragraph


@dataclass(frozen=True)
class Message:
    """One message to people, ready to be put in any form. Commands stand in backticks."""

    key: str  # the same whenever this message is sent again
    answers: str | None  # the key of the message that this one ends
    language: str
    subject: str
    title: str
    mark: str  # what is said of figures that no provider gave us; "" in profile live
    sections: tuple[Section, ...]
    links: tuple[tuple[str, str], ...]  # words and address
    links_heading: str
    footer: tuple[str, ...]
    cut: str  # what is said where a section was cut

    def bounded(self) -> Message:
        """The same with long paragraphs cut, for channels that refuse long messages."""
        return replace(self, sections=tuple(self._bounded(section) for section in self.sections))

    def plain(self) -> str:
        """For e-mail, and for every channel that knows no marks."""
        blocks = [self.title, *([self.mark] if self.mark else [])]
        blocks += ["\n".join((section.heading.upper(), *section.lines())) for section in self.sections]
        if self.links:
            blocks.append("\n".join((self.links_heading.upper(), *(f"{words}: {url}" for words, url in self.links))))
        return "\n\n".join((*blocks, "\n".join(self.footer))) + "\n"

    def markdown(self) -> str:
        """For the inbox."""
        blocks = [f"# {self.title}", *([f"**{self.mark}**"] if self.mark else [])]
        blocks += ["\n\n".join((f"## {section.heading}", "\n".join(section.lines()))) for section in self.sections]
        if self.links:
            listed = "\n".join(f"- [{words}](<{url}>)" for words, url in self.links)
            blocks.append(f"## {self.links_heading}\n\n{listed}")
        return "\n\n".join((*blocks, "\n".join(f"- {line}" for line in self.footer))) + "\n"

    def html(self) -> str:
        """For e-mail: plain, without pictures or styles from elsewhere."""
        body = [
            f"<h2>{escape(self.title)}</h2>",
            *([f"<p><strong>{escape(self.mark)}</strong></p>"] if self.mark else []),
        ]
        for section in self.sections:
            body += [f"<h3>{escape(section.heading)}</h3>", *_html_of(section)]
        if self.links:
            items = (f'<li><a href="{escape(url)}">{escape(words)}</a></li>' for words, url in self.links)
            body += [f"<h3>{escape(self.links_heading)}</h3>", f"<ul>{''.join(items)}</ul>"]
        body.append(f"<p><small>{'<br>'.join(escape(line) for line in self.footer)}</small></p>")
        head = f'<!doctype html><html lang="{self.language}"><head><meta charset="utf-8"></head><body>'
        return head + "\n".join(body) + "</body></html>"

    def slack(self) -> str:
        """Slack's mrkdwn: three characters are escaped, links stand in angle brackets."""
        short = self.bounded()
        blocks = [f"*{_slack(short.subject)}*", *([_slack(short.mark)] if short.mark else [])]
        blocks += ["\n".join((f"*{_slack(part.heading)}*", *map(_slack, part.lines()))) for part in short.sections]
        if short.links:
            blocks.append("\n".join(f"<{_slack_url(url)}|{_slack(words)}>" for words, url in short.links))
        return "\n\n".join((*blocks, _slack(" · ".join(short.footer))))

    def _bounded(self, section: Section) -> Section:
        short = tuple(
            text
            if len(text) <= _LONGEST
            else f"{text[:_LONGEST].rpartition(chr(10))[0] or text[:_LONGEST]}\n{self.cut}"
            for text in section.paragraphs
        )
        return replace(section, paragraphs=short)


def _html_of(section: Section) -> list[str]:
    told = [_CODE.sub(r"<code>\1</code>", escape(text)).replace("\n", "<br>") for text in section.paragraphs]
    if section.steps:
        return ["<ol>", *(f"<li>{text}</li>" for text in told), "</ol>"]
    return [f"<p>{text}</p>" for text in told]


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_url(url: str) -> str:
    return url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
