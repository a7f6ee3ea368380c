"""Messages of a provider that somebody kept: taken in as old vintages of a dataset that is otherwise asked for.

Belongs here: which parts a file is of, its date, how far it speaks, and refusing what does not belong. Does not belong here: the
forms (oecd/stored, worldbank/stored, nbs/stored), tables of publications (files), and the command (flows/load).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

from connectors import reach
from connectors.contract import FILE, Ask, Fetched, PartFetch, connector
from connectors.datasets import Dataset
from connectors.errors import NoData, UnexpectedPayload
from connectors.http.answers import asked
from connectors.http.request import Request
from connectors.reading import NotReadable
from warehouse.clock import place
from warehouse.schema import Basis, PartData, Payload, Scope, Stamp

#: Finds an answer to a request that is held already.
Recall = Callable[[Request], Payload | None]


class Stored(Protocol):
    """What the module of each provider offers. Its functions raise NotReadable for what is not of a known form."""

    EXPECTED: str  # what a file may be, in words

    def bundles(self, files: Sequence[Payload]) -> list[tuple[Payload, ...]]:
        """The files that are one answer together: pages."""
        ...

    def beside(self, request: Request) -> bool:
        """Whether the answer to a request of a plan is a list that a stored message needs beside it."""
        ...

    def parts(self, dataset: Dataset, bundle: Sequence[Payload], lists: dict[str, Payload]) -> list[str]:
        """The parts that the message holds something of; `lists` are those beside it, by part ("" for all)."""
        ...

    def stamp(self, dataset: Dataset, bundle: Sequence[Payload]) -> Stamp | None:
        """The date that the message states itself."""
        ...

    def read(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read one part: the list beside the message, if any, then the message."""
        ...


@dataclass(frozen=True)
class Loading:
    """What a person says of files: the dates (None: what they state themselves), which parts (None: all that are found), and
    whether they are all that the publisher had."""

    stamp: Stamp | None = None
    parts: tuple[str, ...] | None = None
    complete: bool = False


def payload(name: str, content: bytes, at: datetime) -> Payload:
    """A file that was handed in at `at`."""
    return Payload(hashlib.sha256(content).hexdigest(), content, FILE, f"file:{name}", None, 200, {}, at)


def fetch(dataset: Dataset, files: Sequence[Payload], loading: Loading, recall: Recall) -> list[Fetched]:
    """Files as the answers of batches, in known order: one for each message, and for each unbroken run of its periods.

    Raises UnexpectedPayload for a file that does not belong, and for one without a date.
    """
    forms = _forms(dataset)
    lists = _lists(dataset, forms, recall)
    try:
        bundles = forms.bundles(files)
    except NotReadable as error:
        raise _refused(dataset, files[0], str(error)) from error
    found = [piece for bundle in bundles for piece in _pieces(dataset, forms, bundle, lists, loading)]
    return sorted(found, key=lambda one: (_place(one), one.parts[0].scope.start or ""))


def parse(dataset: Dataset, fetched: PartFetch) -> PartData:
    """Read one part of a stored message. Raises UnexpectedPayload, NoData."""
    try:
        return _forms(dataset).read(dataset, fetched)
    except NotReadable as error:
        raise _refused(dataset, fetched.payloads[-1], str(error)) from error


def _forms(dataset: Dataset) -> Stored:
    return cast(Stored, import_module(f"connectors.{dataset.provider}.stored"))


def _lists(dataset: Dataset, forms: Stored, recall: Recall) -> dict[str, Payload]:
    wanted = [request for request in connector(dataset.provider).plan(dataset, Ask()) if forms.beside(request)]
    return {request.part or "": found for request in wanted if (found := recall(request)) is not None}


def _pieces(
    dataset: Dataset, forms: Stored, bundle: tuple[Payload, ...], lists: dict[str, Payload], loading: Loading
) -> list[Fetched]:
    stamp, bundle = _dated(dataset, forms, bundle, loading)
    pieces: list[list[PartFetch]] = []
    for part in _parts(dataset, forms, bundle, lists, loading.parts):
        beside = lists.get(part, lists.get(""))
        answers = (*([] if beside is None else [beside]), *bundle)
        whole = PartFetch(part, answers, stamp, Scope())
        scopes = (Scope(),) if loading.complete else _scopes(dataset, parse(dataset, whole))
        for number, scope in enumerate(scopes):
            pieces += [[]] if number == len(pieces) else []
            pieces[number].append(replace(whole, scope=scope))
    return [Fetched(tuple(parts)) for parts in pieces]


def _dated(
    dataset: Dataset, forms: Stored, bundle: tuple[Payload, ...], loading: Loading
) -> tuple[Stamp, tuple[Payload, ...]]:
    """The message's date, and the files as they count: what its server wrote at an instant was fetched then."""
    try:
        stamp = loading.stamp or forms.stamp(dataset, bundle)
    except NotReadable as error:
        raise _refused(dataset, bundle[0], str(error)) from error
    if stamp is None:
        raise _undated(dataset, bundle[0], "it does not say so itself")
    if stamp.at > bundle[0].fetched_at and stamp.basis is Basis.PUBLISHER:
        raise _undated(dataset, bundle[0], f"its own date, {stamp.text}, lies in the future")
    if stamp.basis is Basis.PUBLISHER:
        return stamp, tuple(replace(file, fetched_at=stamp.at) for file in bundle)
    return stamp, bundle


def _parts(
    dataset: Dataset,
    forms: Stored,
    bundle: Sequence[Payload],
    lists: dict[str, Payload],
    wanted: Iterable[str] | None,
) -> list[str]:
    try:
        held = forms.parts(dataset, bundle, lists)
    except NotReadable as error:
        raise _refused(dataset, bundle[0], str(error)) from error
    if missing := [part for part in wanted or () if part not in held]:
        raise _refused(dataset, bundle[0], f"it holds nothing of part {', '.join(missing)}, but of {', '.join(held)}")
    return [part for part in held if wanted is None or part in wanted]


def _scopes(dataset: Dataset, data: PartData) -> tuple[Scope, ...]:
    """What a part of a message speaks of, when nobody says that it is all there was: of each economy from the first to the
    last period that it holds of it. Raises UnexpectedPayload, NoData."""
    rows = data.observations.select(["series_key", "period", "value", "status"]).to_pylist()
    said = {row["period"] for row in rows if row["value"] is not None or row["status"]}
    if not said:
        raise NoData(
            f"part {data.part}: the message holds not one value", dataset=dataset.id, next_step="check the file"
        )
    inside = [(row["series_key"], row["period"]) for row in rows if min(said) <= row["period"] <= max(said)]
    groups: dict[tuple[str, str], list[str]] = {}
    for economy, span in _spans(dataset, data, inside).items():
        groups.setdefault(span, []).append(economy)
    return tuple(
        scope
        for (first, last), economies in sorted(groups.items())
        for scope in reach.scopes(dataset, {period for _, period in inside if first <= period <= last}, economies)
    )


def _spans(dataset: Dataset, data: PartData, cells: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The first and last period of each economy; all its series must share them, since a scope names none of them."""
    periods: dict[str, list[str]] = {}
    for key, period in cells:
        periods.setdefault(key, []).append(period)
    found: dict[str, tuple[str, str]] = {}
    for row in data.series.select(["series_key", "entity"]).to_pylist():
        if own := periods.get(row["series_key"]):
            span = min(own), max(own)
            if found.setdefault(row["entity"], span) != span:
                raise _uneven(dataset, data, row["entity"])
    return found


def _place(fetched: Fetched) -> datetime:
    part = fetched.parts[0]
    return place(part.stamp, part.payloads[-1].fetched_at)


def _refused(dataset: Dataset, file: Payload, why: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"the file does not belong to the dataset: {why}. Expected: {_forms(dataset).EXPECTED}",
        dataset=dataset.id,
        request=asked(file),
        next_step="name the dataset and files that belong together; nothing was changed",
    )


def _uneven(dataset: Dataset, data: PartData, economy: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"part {data.part}: the series of {economy} begin or end in different years, so nobody can tell whether the others "
        "were withdrawn",
        dataset=dataset.id,
        request=asked(data.payloads[-1]),
        next_step="say --complete when the files hold all that the publisher had; else cut the file to years that all series "
        "have; nothing was changed",
    )


def _undated(dataset: Dataset, file: Payload, why: str) -> UnexpectedPayload:
    return UnexpectedPayload(
        f"when the file was published is not known: {why}",
        dataset=dataset.id,
        request=asked(file),
        next_step="say it with --published DATE; nothing was changed",
    )
