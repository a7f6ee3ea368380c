"""First contact: the smallest sensible question about a dataset, and how the answer differs from the dataset file.

Belongs here: which part and economies are asked for, the comparison of an answer with what the file states, and what else was
seen of the provider (periods, stamp, pages, headers). Does not belong here: structures (structures.py), how a person is told,
what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from connectors.contract import Ask, Fetched
from connectors.datasets import Dataset
from connectors.errors import Blocked, Moved, NotFound, ServerFault, Throttled, UnexpectedPayload, Unreachable
from connectors.http.answers import http_date
from connectors.http.recording import harmless
from connectors.http.transport import A_MOMENT
from connectors.worldbank.rows import read_page
from warehouse.errors import FigurekeeperError
from warehouse.schema import Basis, PartData, Payload, Precision, Scope, Severity

Where = tuple[str | int, ...]

#: The stamp that each provider gives its present data; None: it gives none, and the time of fetching counts.
STAMPS: dict[str, tuple[Precision, Basis] | None] = {
    "oecd": (Precision.INSTANT, Basis.PUBLISHER),
    "worldbank": (Precision.DAY, Basis.PUBLISHER),
    "nbs": None,
}
#: Columns of a series that a dataset file states as well, if it states them at all.
_STATED = ("unit", "multiplier", "decimals", "price_base", "reference_year")
#: Where a unit that only the notes tell of is stated: the others' are in the columns.
_UNIT_FIELDS = {"oecd": "unit_code", "nbs": "indicators"}
#: Answers that rest on these would make conditional requests possible; nobody knows whether the providers send them.
_CONDITIONAL = ("etag", "last-modified")
#: Errors that say nothing about a dataset file.
FAILURES = (Blocked, Moved, ServerFault, Throttled, Unreachable)


@dataclass(frozen=True)
class Difference:
    """One way in which the provider is not as the dataset file says. `where` is the path of the file's field to change, ()
    when it is not the file that must change; `what` is a short word, or the name of an error's class."""

    what: str
    words: str
    advice: str
    where: Where = ()
    severity: Severity = Severity.CRITICAL


def smallest(dataset: Dataset) -> Ask:
    """One part, the one whose key leaves the fewest dimensions open, for the economies that its checks require, else for all;
    of a key with an open dimension for one economy. All its periods: they are cheap, and tell where the series begin."""
    part = min(dataset.parts, key=lambda one: _open(one.key))
    economies = dataset.checks_of(part.id).entities_required or dataset.entities
    return Ask(parts=(part.id,), scope=Scope(entities=economies[:1] if _open(part.key) else economies))


def differences(
    dataset: Dataset, fetched: Fetched, parse: Callable[..., PartData], flags: Collection[str]
) -> tuple[list[Difference], PartData | None]:
    """How the one part that was fetched differs from the dataset file, and the part as it was read (None: it was not).

    `flags` are the status codes that the checks know. An answer that cannot be read is a difference, too.
    """
    [answer] = fetched.parts
    index = [part.id for part in dataset.parts].index(answer.part)
    try:
        if answer.error is not None:
            raise answer.error
        data = parse(dataset, answer)
    except FigurekeeperError as error:
        return [failure(error, _where(dataset, error, index))], None
    found = [*_series(dataset, data, index), *_rows(dataset, data, index, flags), *_notes(dataset, data, index)]
    found += [*_stamp(dataset, data), *_clock(data.payloads)]
    return found, data


def seen(dataset: Dataset, data: PartData | None, payloads: Sequence[Payload]) -> dict[str, str]:
    """What else the answers show, in words: for people, and for whoever reads the record later."""
    told = {} if data is None else dict(_content(dataset, data))
    return told | dict(_headers(payloads))


def failure(error: FigurekeeperError, where: Where = ()) -> Difference:
    """An error as a difference: of the name of its class, with its own next step."""
    request = f" ({error.request})" if error.request else ""
    return Difference(type(error).__name__, f"{error.what}{request}", error.next_step, where)


def _open(key: str) -> int:
    return sum(1 for segment in key.split(".") if not segment)


def _where(dataset: Dataset, error: FigurekeeperError, index: int) -> Where:
    """The field of the file that an error of one part speaks of."""
    if isinstance(error, FAILURES):
        return ()
    if isinstance(error, NotFound) and dataset.provider == "oecd":
        return ("flow",)
    if isinstance(error, UnexpectedPayload):
        return ("dimensions",) if "dimension" in error.what else ("parts", index)
    return ("parts", index, "key")


def _series(dataset: Dataset, data: PartData, index: int) -> Iterator[Difference]:
    """What the answer says of its series against what the file states; each contradiction once."""
    part = dataset.parts[index]
    per_indicator = part.indicators is not None or dataset.provider == "nbs"
    for name in _STATED:
        stated = getattr(part, name)
        said = {value for value in data.series.column(name).unique().to_pylist() if value is not None}
        if stated is None or said <= {stated} or (name == "unit" and per_indicator):
            continue
        told = ", ".join(str(value) for value in sorted(said - {stated}, key=str))
        yield Difference(
            name,
            f"{name} is {told} in the answer, {stated} in the file",
            f"write `{name}: {told}` if the publisher means the same numbers; otherwise the key asks for other data",
            ("parts", index, name),
            Severity.WARNING if name == "decimals" else Severity.CRITICAL,
        )


def _rows(dataset: Dataset, data: PartData, index: int, flags: Collection[str]) -> Iterator[Difference]:
    answered = set(data.series.column("entity").to_pylist())
    if missing := [code for code in data.scope.entities or () if code not in answered]:
        yield Difference(
            "entities",
            f"not in the answer: {', '.join(missing)}",
            "correct the code in `entities`, or take it out of `entities_required` if the publisher has no such data",
            ("entities", dataset.entities.index(missing[0])),
        )
    used = {flag for text in data.observations.column("status").unique().to_pylist() for flag in text.split(";")}
    if strange := sorted(used - {"", *flags}):
        yield Difference(
            "flags",
            f"status codes that no check knows: {', '.join(strange)}",
            "learn from the publisher's code list what they mean, and add them to the rule status-known",
        )
    if data.skipped and not data.observations.num_rows:
        yield Difference("rows", f"nothing is left of the answer: {data.skipped}", "check the key", ("parts", index))


def _notes(dataset: Dataset, data: PartData, index: int) -> Iterator[Difference]:
    """What the reader found odd, but for what the columns tell as well."""
    for note in data.notes:
        if note.startswith("unit conflict"):
            if field := _UNIT_FIELDS.get(dataset.provider):
                yield Difference("unit", note, f"correct `{field}`, or the key", ("parts", index, field))
        elif not note.startswith(("UNIT_MULT is", "no stamp")):
            advice = "see whether the dataset needs what is not read"
            yield Difference("reader", note, advice, ("parts", index), Severity.INFO)


def _stamp(dataset: Dataset, data: PartData) -> Iterator[Difference]:
    expected, stamp = STAMPS[dataset.provider], data.stamp
    if stamp is not None and (stamp.precision, stamp.basis) != expected:
        yield Difference(
            "stamp",
            f"the stamp {stamp.text!r} is of another form: {stamp.precision.value}, {stamp.basis.value}",
            "the time stamps of this provider must be looked at anew: connectors/contact.py states their form",
            severity=Severity.WARNING,
        )
    for note in data.notes:
        if note.startswith("no stamp") and expected is not None:
            advice = "vintages will count from the time of fetching; look at the provider's stamp again later"
            yield Difference("stamp", note, advice, severity=Severity.INFO)


def _clock(payloads: Sequence[Payload]) -> Iterator[Difference]:
    """The fetch time is the provider's Date, unless it is missing or too far from our clock."""
    for payload in payloads:
        stated = http_date(payload.headers.get("date", ""))
        if stated is None or abs(stated - payload.fetched_at) > A_MOMENT:
            yield Difference(
                "date",
                f"the answer's Date {payload.headers.get('date')!r} is not believed; our clock said {payload.fetched_at:%c}",
                "set this machine's clock; if it is right, fetch times rest on it alone",
                severity=Severity.WARNING,
            )
            return


def _content(dataset: Dataset, data: PartData) -> Iterator[tuple[str, str]]:
    periods = data.observations.column("period")
    span = pc.min_max(periods).as_py()
    yield "part", f"{data.part}: {data.series.num_rows} series, {data.observations.num_rows} observations"
    yield "periods", f"{span['min']} to {span['max']}, asked from {data.scope.start or dataset.start}"
    yield "flags", ", ".join(sorted(set(data.observations.column("status").to_pylist()) - {""})) or "none"
    yield "digits", _digits(data)
    stamp = data.stamp
    yield "stamp", f"{stamp.text} ({stamp.precision.value}, {stamp.basis.value})" if stamp else "none"
    for reason, count in data.skipped.items():
        yield f"left out: {reason}", str(count)
    if dataset.provider == "worldbank":
        yield "pages", _pages(data.payloads)


def _digits(data: PartData) -> str:
    texts = [text for text in data.observations.column("value_text").to_pylist() if text]
    after = [len(text.partition(".")[2]) for text in texts]
    return f"up to {max(after, default=0)} after the point"


def _pages(payloads: Sequence[Payload]) -> str:
    """The last answer's page: the publisher may allow fewer rows a page than were asked for."""
    page = read_page(payloads[-1].content)
    return f"page {page.page} of {page.pages}, {len(page.rows)} of {page.total} rows"


def _headers(payloads: Sequence[Payload]) -> Iterator[tuple[str, str]]:
    """Each harmless header with the values seen; and which of those that we would like to have are not sent."""
    values: dict[str, dict[str, None]] = {}
    for payload in payloads:
        for name, value in harmless(payload.headers).items():
            if name not in ("age", "date", "expires"):
                values.setdefault(name, {})[value] = None
    for name, found in values.items():
        yield name, ", ".join(found)
    if absent := [name for name in _CONDITIONAL if name not in values]:
        yield "not sent", ", ".join(absent)
    yield "bytes", f"{sum(len(payload.content) for payload in payloads):,} in {len(payloads)} answers"
