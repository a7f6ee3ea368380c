"""First contact with the providers, free of Prefect: each dataset is asked for once and compared with its file.

Belongs here: which datasets are asked, what the outcome is against the list of expected differences, the record of what has
passed, the incidents. Does not belong here: what is compared (connectors/contact/compare.py, connectors/structures.py), how it
is shown (doctor, the flow). Nothing here publishes anything: answers go into a recording, if one is wanted, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from connectors import contract, datasets, structures
from connectors.contact import compare as contact
from connectors.contact.compare import Difference
from connectors.contact.expected import FILE, Expected, expected
from connectors.contract import Connector, PartFetch
from connectors.datasets import Dataset
from connectors.errors import NotAsked, ProviderError, UnknownFault
from flows import asking, batch_record, catalogue, contacted, pipeline
from flows.addresses import Addresses
from flows.contacted import Record
from flows.outcome import Note
from flows.settings import Settings
from warehouse import clock, incidents
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.schema import IncidentChange, PartData, Payload, Severity
from warehouse.store import Warehouse

if TYPE_CHECKING:
    from connectors.http.transport import Transport

Verdict = Literal[
    "as the file says", "differs", "failed", "not asked", "differs as expected", "no longer differs as expected"
]
_ATTEMPTS = 2  # a person waits
_GOOD = ("as the file says", "differs as expected")


@dataclass(frozen=True)
class Contact:
    """What became of one dataset. `differences` hold those that do not count (severity info), too; `seen` is what else the
    answers showed; `expected` is the dataset's entry in the list of expected differences."""

    dataset: str
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    requests: int = 0
    expected: Expected | None = None

    @property
    def good(self) -> bool:
        """True when nothing is other than it was to be expected."""
        return self.verdict in _GOOD

    @property
    def passed(self) -> bool:
        """True when the dataset may be refreshed: no difference is critical."""
        return all(one.severity is not Severity.CRITICAL for one in self.differences)


def meet(
    settings: Settings,
    names: Sequence[str] = (),
    *,
    record: Path | None = None,
    fault: str | None = None,
    note: Note = print,
) -> list[Contact]:
    """Ask for one part of each dataset, and for its structure; the longest unseen first, since quotas may end the tour early.

    When none is named, all that are read from a provider are asked. What comes out is remembered in the warehouse's storage, but
    not under a `fault` of the sandbox. With `record`, every answer is kept in that folder. A provider that cannot be asked is
    not asked for its other datasets. Raises UsageError for a dataset that is unknown or read from files, and for a folder
    that holds something else; UnknownFault.
    """
    wanted = [_from_a_provider(settings, name) for name in names] or _from_providers(settings)
    recorder = _recorder(record)
    pipeline.open_warehouse(settings)  # of this profile, or refused
    wanted.sort(key=lambda dataset: before.at if (before := contacted.last(settings, dataset.id)) else "")
    down: dict[str, ProviderError] = {}
    found = []
    with Addresses(settings) as addresses:
        for dataset in wanted:
            address = addresses.of(dataset.provider, fault=fault, root=dataset.root)
            met = _meet(settings, dataset, address, recorder, down)
            if fault is None and met.verdict not in ("failed", "not asked"):
                _remember(settings, dataset, address, met)
            if met.verdict != "not asked":
                note(f"{dataset.id}: {met.verdict} ({met.requests} requests)")
            found.append(met)
    return sorted(found, key=lambda met: met.dataset)


def open_incidents(settings: Settings, contacts: Sequence[Contact]) -> list[IncidentChange]:
    """Open, or count again, an incident for each dataset that was asked and is otherwise than expected; those just opened."""
    warehouse = Warehouse(**settings.place)
    found = []
    for met in contacts:
        if not met.good and met.verdict != "not asked":
            title = f"{met.dataset}: first contact {met.verdict}"
            text = "\n".join(f"{row['place']} {row['finding']}. Next: {row['next']}" for row in rows(settings, [met]))
            found.append(
                incidents.open_or_count(
                    warehouse, met.dataset, incidents.FIRST_CONTACT, Severity.WARNING, title, text, _opener()
                )
            )
    return [change for change in found if change is not None]


def close_incidents(settings: Settings, contacts: Sequence[Contact]) -> list[IncidentChange]:
    """Close the open incidents of datasets that are as expected again; those just closed."""
    warehouse = Warehouse(**settings.place)
    told = "the next first contact was good"
    good = [met.dataset for met in contacts if met.good]
    found = [incidents.close_open(warehouse, name, _opener(), told, (incidents.FIRST_CONTACT,)) for name in good]
    return [change for change in found if change is not None]


def rows(settings: Settings, contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """What was found, for people: one row a difference that counts, one a dataset without any.

    Columns: dataset, verdict, what, place (file and line to change), finding, next, requests, seen (all else, as one object).
    """
    return [row for met in contacts for row in _rows(settings, met)]


def headline(contacts: Sequence[Contact]) -> str:
    """One line: how many datasets came out in which way."""
    counts: dict[str, int] = {}
    for met in contacts:
        counts[met.verdict] = counts.get(met.verdict, 0) + 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{len(contacts)} datasets: {told}" if contacts else "no dataset is read from a provider"


def _from_providers(settings: Settings) -> list[Dataset]:
    """All datasets that are read from a provider, enabled or not; a wrong file is left to `figurekeeper doctor`."""
    found = catalogue.survey(settings)
    return [dataset for dataset in (found.enabled | found.waiting).values() if dataset.reads == "api"]


def _from_a_provider(settings: Settings, name: str) -> Dataset:
    dataset = catalogue.load(settings, name)
    if dataset.reads != "api":
        raise UsageError(
            "read from files: there is nothing to contact", dataset=name, next_step="name datasets of providers only"
        )
    return dataset


def _opener() -> str:
    """What stands in an incident's record where that of a refresh names its batch."""
    return f"{incidents.FIRST_CONTACT} {clock.to_text(clock.now())}"


def _recorder(folder: Path | None) -> Callable[[str, str, Payload], None] | None:
    if folder is None:
        return None
    from connectors.http.recording import Recorder

    return Recorder(folder).keep


def _meet(
    settings: Settings,
    dataset: Dataset,
    address: str,
    recorder: Callable[[str, str, Payload], None] | None,
    down: dict[str, ProviderError],
) -> Contact:
    """One dataset. `down` says of each provider that cannot be asked at the moment why not."""
    provider = dataset.provider
    if provider in down:
        return Contact(dataset.id, "not asked", (contact.failure(down[provider]),))
    answers: list[Payload] = []

    def archive(payload: Payload, _: str | None) -> None:
        answers.append(payload)
        if recorder is not None:
            recorder(dataset.id, address, payload)

    with asking.transport(settings, provider, address, archive, attempts=_ATTEMPTS) as transport:
        try:
            found, told = _compared(dataset, transport, answers)
        except UnknownFault:
            raise
        except ProviderError as error:
            down[provider] = error
            verdict: Verdict = "not asked" if isinstance(error, NotAsked) else "failed"
            return Contact(dataset.id, verdict, (contact.failure(error),), requests=transport.sent)
        return _judged(settings, dataset, found, told, transport.sent)


def _compared(
    dataset: Dataset, transport: Transport, answers: Sequence[Payload]
) -> tuple[list[Difference], dict[str, str]]:
    """Data and structure against the file, and what else was seen. Raises ProviderError when the provider as a whole cannot be
    asked, or not now."""
    from expectations.part_rules import STATUS_CODES

    connector = contract.connector(dataset.provider)
    fetched = connector.fetch(dataset, contact.smallest(dataset), transport)
    found, data = contact.differences(dataset, fetched, partial(_parsed, connector), STATUS_CODES)
    found += _structure(dataset, transport, list(answers))
    return found, contact.seen(dataset, data, answers)


def _parsed(connector: Connector, dataset: Dataset, answer: PartFetch) -> PartData:
    try:
        return connector.parse(dataset, answer)
    except FigurekeeperError:
        raise
    except Exception as error:
        raise batch_record.unreadable(dataset, answer, error) from error


def _structure(dataset: Dataset, transport: Transport, at_hand: Sequence[Payload]) -> Iterator[Difference]:
    from expectations.structure_rules import READ, RULE

    answers = structures.fetch(dataset, at_hand, transport)
    if isinstance(answers.error, NotAsked):
        raise answers.error
    if isinstance(answers.error, contact.FAILURES):
        yield contact.failure(answers.error)
        return
    try:
        if answers.error is not None:
            raise answers.error
        structure = structures.reader(dataset.provider).read(dataset, answers.payloads)
    except ProviderError as error:
        told = f"the structure could not be read: {error.what}"
        yield Difference(READ, told, error.next_step, ("flow",), RULE[READ].severity)
        return
    for finding in structures.against_file(dataset, structure):
        yield Difference(
            finding.change,
            finding.text,
            "write in the dataset file what the provider says, if the series mean the same; else find their successors",
            finding.element.where or (("dimensions",) if finding.element.kind == "dimension" else ()),
            RULE[finding.change].severity,
        )


def _judged(
    settings: Settings, dataset: Dataset, found: Sequence[Difference], told: Mapping[str, str], requests: int
) -> Contact:
    entry = expected(dataset.id, settings.profile)
    counting = {one.what for one in found if one.severity is not Severity.INFO}
    verdict: Verdict = "differs" if counting else "as the file says"
    if counting & {failure.__name__ for failure in contact.FAILURES}:
        verdict = "failed"
    elif entry is not None:
        verdict = "differs as expected" if counting == entry.what else "no longer differs as expected"
    return Contact(dataset.id, verdict, tuple(found), told, requests, entry)


def _remember(settings: Settings, dataset: Dataset, address: str, met: Contact) -> None:
    at = clock.to_text(clock.now())
    contacted.remember(settings, Record(dataset.id, at, address, dataset.sha256, met.passed, dict(met.seen)))


def _rows(settings: Settings, met: Contact) -> list[dict[str, Any]]:
    path = datasets.path_of(met.dataset, settings.datasets)
    found = []
    for one in met.differences:
        if one.severity is not Severity.INFO:
            place = f"{path.name}:{datasets.line_of(path, *one.where)}" if one.where else ""
            found.append(_row(met, one.what, place, one.words, one.advice))
    if met.expected is not None:
        reason = f"expected since {met.expected.since}: {met.expected.reason}"
        if met.good:
            known = catalogue.not_here(settings, met.dataset) or "nothing is to be done until the provider changes"
            return [_row(met, ", ".join(sorted(met.expected.what)), "", reason, known)]
        found.append(
            _row(met, "expected", "", reason, f"correct or remove the entry in {FILE.name}, or mend what differs")
        )
    return found or [_row(met, "", "", _summary(met), "")]


def _row(met: Contact, what: str, place: str, finding: str, next_step: str) -> dict[str, Any]:
    told = {"what": what, "place": place, "finding": finding, "next": next_step}
    return {"dataset": met.dataset, "verdict": met.verdict, **told, "requests": met.requests, "seen": dict(met.seen)}


def _summary(met: Contact) -> str:
    told = [met.seen[name] for name in ("part", "periods") if name in met.seen]
    return "; ".join([*told, f"stamp {met.seen.get('stamp', 'none')}"])
