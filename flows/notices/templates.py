"""What a notice says: what happened, how bad, what still serves, what to do, with links; in English or Chinese.

Belongs here: putting a message together from an incident and what is known around it. The words stand in templates.yaml; titles
and accounts come with the incident and keep the language in which they were recorded. How a message looks is in message, who gets
it in channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from flows import links, output
from flows.links import Links
from flows.markdown import slug
from flows.notices.message import Message, Section
from flows.settings import Settings
from warehouse import clock, incidents, ledger, lineage
from warehouse.deliveries import Owed
from warehouse.errors import parted
from warehouse.schema import Decision
from warehouse.store import Warehouse

Words = Mapping[str, Any]
_PRODUCT = "Figurekeeper"
#: The words for a kind of incident that has none of its own.
_OTHER = "other"


def of(settings: Settings, warehouse: Warehouse, owed: Owed) -> Message:
    """The message about an incident that opened or closed."""
    return _Writer(settings, warehouse, owed.incident).message(closed=owed.transition == "closed", untold=owed.untold)


def trial(settings: Settings) -> Message:
    """The message that shows whether notices arrive; nothing has happened, and nothing is recorded."""
    language, now, ui = settings.language, clock.now(), links.of(settings).ui
    words = _file()["words"][language]
    test = {name: said[language] for name, said in _file()["test"].items()}
    return _message(
        settings,
        key=f"{settings.profile}-test-{now:%Y%m%dT%H%M%S%f}",
        subject=_subject(settings.profile, words["test"], test["title"]),
        title=test["title"],
        sections=(
            Section(words["happened"], (test["happened"],)),
            Section(words["bad"], (test["bad"],)),
            Section(words["steps"], (test["step"],), steps=True),
        ),
        links=(("Prefect", ui),) if ui else (),
        footer=(f"{_PRODUCT}, {settings.profile}, {_moment(now, None)}",),
    )


class _Writer:
    """What is said of one incident."""

    def __init__(self, settings: Settings, warehouse: Warehouse, row: Mapping[str, Any]) -> None:
        self.settings, self.warehouse, self.row = settings, warehouse, row
        self.language = settings.language
        self.words: Words = _file()["words"][self.language]
        kinds = _file()["kinds"]
        self.kind: Words = kinds.get(row["kind"], kinds[_OTHER])
        self.dataset = _described(warehouse, row["dataset"])

    def message(self, *, closed: bool, untold: bool) -> Message:
        bad = self.words["closed" if closed else self.row["severity"]]
        open_key = self._key("opened")
        return _message(
            self.settings,
            key=self._key("closed") if closed else open_key,
            answers=open_key if closed and not untold else None,
            subject=_subject(self.settings.profile, bad, self._title()),
            title=f"{bad}{self.words['colon']}{self._title()}",
            sections=self._closing(untold) if closed else self._opening(),
            links=tuple(self._links(closed)),
            footer=self._footer(closed),
        )

    def _opening(self) -> tuple[Section, ...]:
        account, step = parted(self.row["text"])
        named = self.words["own_step"].format(step=f"{step[:1].upper()}{step[1:]}.")
        own = [named] if step and not self.kind.get("says_all") else []
        return (
            Section(self.words["happened"], self._account(account)),
            Section(self.words["bad"], (self._bad(),)),
            Section(self.words["serves"], (self._serving(),)),
            Section(self.words["steps"], (*own, *self._filled("steps")), steps=True),
        )

    def _closing(self, untold: bool) -> tuple[Section, ...]:
        lasted = self.words["lasted"].format(lasted=self._lasted(), times=self._times())
        account, _ = parted(self.row["text"])
        return (
            Section(self.words["ended"], (*([self.words["untold"]] if untold else []), self.row["closing"], lasted)),
            Section(self.words["was"], self._account(account)),
            Section(self.words["serves"], (self._serving(),)),
            Section(self.words["steps"], (self.words["nothing_left"],)),
        )

    def _bad(self) -> str:
        return f"{self.words[self.row['severity']]}{self.words['colon']}{self.kind['bad'][self.language]}"

    def _title(self) -> str:
        return str(
            self.row["title"] if self.language == "en" else self.kind["title"].format(subject=self.row["dataset"])
        )

    def _account(self, recorded: str) -> tuple[str, ...]:
        """As recorded; in Chinese after a sentence that says what it means."""
        if self.language == "en":
            return (recorded,)
        return self.kind["means"], self.words["original"], self.row["title"], recorded

    def _filled(self, name: str) -> list[str]:
        known = {"subject": self.row["dataset"], "batch": self.row["opened_by"], "incident": self.row["incident"]}
        return [text.format(**known) for text in self.kind[name][self.language]]

    def _serving(self) -> str:
        dataset = self.row["dataset"] if self.dataset else None
        held = lineage.serving(self.warehouse, dataset)
        if held is None:
            return str(self.words["serving_nothing" if dataset else "serving_nothing_at_all"].format(dataset=dataset))
        at = self._moment(held["at"])
        if dataset is None:
            return str(self.words["serving_all"].format(edition=held["edition"], at=at))
        told = str(self.words["released" if self._released() else "serving"])
        told = told.format(edition=held["edition"], at=at, dataset=dataset)
        looked = held["last_refresh"]
        return told + (self.words["looked"].format(looked=self._moment(looked)) if looked else "")

    def _released(self) -> bool:
        """Whether a person released what had been held back: then readers see other figures than before."""
        decision, _ = _decided(self.warehouse, self.row["closed_by"])
        return self.row["kind"] == incidents.QUARANTINE and decision == Decision.RELEASED.value

    def _links(self, closed: bool) -> list[tuple[str, str]]:
        known, row = links.of(self.settings), self.row
        run = _run_of(self.warehouse, row["opened_by"])
        found = {"run": known.run(run)}
        if run and not closed and row["kind"] == incidents.QUARANTINE:
            found["held"] = known.artifact(f"held-{slug(row['dataset'])}")
        found |= (
            {"ended_by": known.run(_decided(self.warehouse, row["closed_by"])[1])} if closed else self._forms(known)
        )
        if self.dataset:
            found["dataset"] = known.dataset(row["dataset"], self.language)
        return [(self.words[name], address) for name, address in found.items() if address]

    def _forms(self, known: Links) -> dict[str, str | None]:
        """The forms, filled in, by which a person ends the incident."""
        row = self.row
        if row["kind"] == incidents.QUARANTINE:
            return {decision: known.review(row["opened_by"], decision) for decision in ("release", "discard")}
        by_word = row["kind"] in (incidents.VERDICT, incidents.RUN)
        return {"acknowledge": known.acknowledge(row["incident"])} if by_word else {}

    def _footer(self, closed: bool) -> tuple[str, ...]:
        words, row = self.words, self.row
        number = f"{_PRODUCT}, {self.settings.profile}, {words['incident']} {row['incident']} ({row['kind']})"
        happened = [f"{words['opened_at']} {self._moment(row['opened_at'])}"]
        happened += [f"{words['closed_at']} {self._moment(row['closed_at'])}"] if closed else []
        title = self.dataset.get("title" if self.language == "en" else "title_zh") if self.dataset else None
        subject = f"{words['of']} {row['dataset']}" + (f": {title}" if title else "")
        return number, *happened, f"{words['occurred']} {self._times()}", subject

    def _times(self) -> str:
        count = self.row["occurrences"]
        return str(self.words["once"] if count == 1 else self.words["often"].format(count=count))

    def _lasted(self) -> str:
        import humanize

        lasted = clock.from_text(self.row["closed_at"]) - clock.from_text(self.row["opened_at"])
        if self.language == "zh":
            humanize.i18n.activate("zh_CN")
        try:
            return humanize.precisedelta(lasted, minimum_unit="minutes", format="%.0f")
        finally:
            humanize.i18n.deactivate()

    def _key(self, transition: str) -> str:
        """Of one warehouse, and of no other: the number alone is used by every warehouse."""
        opened = clock.from_text(self.row["opened_at"])
        return f"{self.settings.profile}-{self.row['incident']}-{opened:%Y%m%dT%H%M%S%f}-{transition}"

    def _moment(self, text: str) -> str:
        return _moment(clock.from_text(text), self.dataset.get("calendar", {}).get("timezone"))


def _message(
    settings: Settings,
    *,
    key: str,
    subject: str,
    title: str,
    sections: tuple[Section, ...],
    links: tuple[tuple[str, str], ...],
    footer: tuple[str, ...],
    answers: str | None = None,
) -> Message:
    """A message with what is the same for all."""
    words = _file()["words"][settings.language]
    return Message(
        key=key,
        answers=answers,
        subject=subject,
        title=title,
        sections=sections,
        links=links,
        footer=footer,
        language=settings.language,
        mark=_mark(settings),
        links_heading=words["links"],
        cut=words["cut"],
    )


def _mark(settings: Settings) -> str:
    """What is said of figures that no provider gave us."""
    in_chinese: str | None = _file()["origin_in_chinese"].get(settings.profile)
    said = output.ORIGIN.get(settings.profile, "")
    return in_chinese or said if settings.language == "zh" else said


def _subject(profile: str, bad: str, title: str) -> str:
    """One line, whatever a title holds."""
    mark = f"{profile.upper()} · " if profile in output.ORIGIN else ""
    return " ".join(f"[{_PRODUCT}] {mark}{bad} · {title}".split())


def _moment(at: datetime, zone: str | None) -> str:
    """In UTC, and in the zone of the dataset's publisher."""
    there = f" ({at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone})" if zone and zone != "UTC" else ""
    return f"{at:%Y-%m-%d %H:%M} UTC{there}"


def _run_of(warehouse: Warehouse, opener: str) -> str | None:
    """The flow run behind an incident: of the batch that opened it, or the opener itself."""
    columns = ledger.batches.c
    with warehouse.engine.connect() as connection:
        row = connection.execute(select(columns.run_id).where(columns.batch_id == opener)).first()
    if row is not None:
        return str(row[0]) if row[0] else None
    try:
        return str(UUID(opener))
    except ValueError:
        return None


def _decided(warehouse: Warehouse, closer: str | None) -> tuple[str | None, str | None]:
    """What became at last of the batch that closed an incident, and the flow run that decided so; None where no batch did."""
    columns = ledger.decisions.c
    query = select(columns.decision, columns.run_id).where(columns.batch_id == closer).order_by(columns.number.desc())
    with warehouse.engine.connect() as connection:
        row = connection.execute(query.limit(1)).tuples().first()
    return row or (None, None)


def _described(warehouse: Warehouse, dataset: str) -> Words:
    """What the warehouse knows of a dataset; empty for a provider, a deployment, the service."""
    columns = ledger.datasets.c
    with warehouse.engine.connect() as connection:
        found = connection.execute(select(columns.description).where(columns.dataset == dataset)).scalar_one_or_none()
    return found or {}


@cache
def _file() -> Words:
    from ruamel.yaml import YAML

    words: Words = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))
    return words
