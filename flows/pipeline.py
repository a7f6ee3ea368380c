"""The sequence of a refresh, free of Prefect: fetch → payload → parse → stage → compare → audit → publish or quarantine.

Belongs here: the order of the steps, what a batch records of itself, and when an incident opens or closes. Does not belong
here: how any step works (connectors, warehouse, expectations), schedules and artifacts (the Prefect flows), wording of pages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from connectors import contract, datasets
from connectors.contract import Ask, Fetched
from connectors.datasets import Dataset
from connectors.errors import NoData
from connectors.request import Request
from flows import batch_record
from flows.addresses import Addresses
from flows.outcome import FAILED, NO_DATA, Outcome, PartOutcome, message_of, of_part
from flows.overview import changes, finish, summary
from flows.settings import Settings
from warehouse import incidents, line, lineage, publish, staging
from warehouse.compare import Equality
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.publish import Closing
from warehouse.schema import Decision, IncidentChange, PartData, Payload, Severity
from warehouse.staging import Confirmed, Staged
from warehouse.store import DatasetFacts, Warehouse

if TYPE_CHECKING:
    from connectors.transport import Transport
    from expectations.gate import Judgement

__all__ = [
    "IncidentChange",
    "Outcome",
    "PartOutcome",
    "backfill",
    "changes",
    "decide",
    "finish",
    "plan",
    "refresh",
    "summary",
    "walk",
]

Note = Callable[[str], None]
Action = Literal["release", "discard", "void"]
_DECISIONS: dict[Action, Decision] = {
    "release": Decision.RELEASED,
    "discard": Decision.DISCARDED,
    "void": Decision.VOIDED,
}


def open_warehouse(settings: Settings, *, create: bool = True) -> Warehouse:
    """The warehouse of the settings' home and profile."""
    return Warehouse(**settings.place, create=create)


def facts_of(dataset: Dataset) -> DatasetFacts:
    """What the warehouse must know of a dataset file."""
    kept = dataset.model_dump(mode="json", exclude={"checks": True, "parts": {"__all__": {"checks"}}})
    equality = {
        part.id: Equality(counts=part.kind == "count", decimals=part.decimals, equal_within=part.equal_within)
        for part in dataset.parts
    }
    return DatasetFacts(dataset.id, datasets.file_sha256(dataset.id), kept, equality)


def plan(settings: Settings, dataset_id: str, ask: Ask) -> list[Request]:
    """The first requests a refresh or backfill would send, with their cost; nothing is sent."""
    dataset = datasets.load(dataset_id)
    return contract.connector(dataset.provider).plan(dataset, ask)


def walk(settings: Settings, dataset_id: str, *, note: Note = print, run_id: str | None = None) -> list[Outcome]:
    """One refresh for each day on which the sandbox's facts of the dataset changed, oldest first, in this process.

    Days that an earlier walk has asked about are left out, so an interrupted one goes on where it stopped; when none is
    left, the dataset is asked as of now. Raises UsageError outside profile sandbox: nobody can ask a real provider what
    it said on a past day.
    """
    if settings.profile != "sandbox":
        raise UsageError(
            "only the sandbox can be walked", next_step="set FIGUREKEEPER_PROFILE=sandbox, or use backfill"
        )
    days = days_to_walk(settings, dataset_id)
    if not days:
        return [refresh(settings, dataset_id, note=note, actor="walk", run_id=run_id)]
    outcomes = []
    with Addresses(settings) as addresses:
        for number, day in enumerate(days, start=1):
            outcome = refresh(
                settings, dataset_id, on=day, addresses=addresses, note=_quiet, actor="walk", run_id=run_id
            )
            note(f"{dataset_id} as of {day} ({number} of {len(days)}): {outcome.message}")
            outcomes.append(outcome)
    return outcomes


def days_to_walk(settings: Settings, dataset_id: str) -> list[date]:
    """The days of the sandbox's facts that no walk has asked about yet, oldest first."""
    from connectors.sandbox import facts

    days = facts.walk_dates(datasets.load(dataset_id).id)
    asked = lineage.walked_days(open_warehouse(settings), dataset_id)
    return [day for day in days if day.isoformat() not in asked]


def backfill(
    settings: Settings, dataset_id: str, ask: Ask, *, reason: str, note: Note = print, run_id: str | None = None
) -> list[Outcome]:
    """Ask for old periods, or for old vintages of an archive: one batch for each vintage, oldest first.

    `reason` is kept in the record of every batch. Raises FigurekeeperError; what was published before the error stays.
    """
    asks = [replace(ask, versions=(version,)) for version in sorted(ask.versions)] or [ask]
    outcomes = []
    with Addresses(settings) as addresses:
        for number, one in enumerate(asks, start=1):
            outcome = refresh(
                settings,
                dataset_id,
                ask=one,
                addresses=addresses,
                note=_quiet,
                actor="backfill",
                reason=reason,
                run_id=run_id,
            )
            told = f" vintage {one.versions[0]}" if one.versions else ""
            note(f"{dataset_id}{told} ({number} of {len(asks)}): {outcome.message}")
            outcomes.append(outcome)
    return outcomes


def refresh(
    settings: Settings,
    dataset_id: str,
    *,
    on: date | None = None,
    fault: str | None = None,
    ask: Ask | None = None,
    addresses: Addresses | None = None,
    note: Note = print,
    actor: str = "schedule",
    reason: str | None = None,
    run_id: str | None = None,
) -> Outcome:
    """Ask the provider for a dataset and publish what passed its checks.

    `on` and `fault` ride in the sandbox's address and exist in profile sandbox only. Raises FigurekeeperError when the
    provider or the store fails; the batch is then recorded as failed, and the error carries the incident it opened (or None)
    as `.incident`.
    """
    dataset = datasets.load(dataset_id)
    warehouse = open_warehouse(settings)
    with contextlib.ExitStack() as stack:
        where = addresses or stack.enter_context(Addresses(settings))
        address = where.of(dataset.provider, on=on, fault=fault)
        stack.enter_context(warehouse.lease(dataset.id, note=note))
        facts = facts_of(dataset)
        wanted = ask or Ask()
        batch = publish.begin(
            warehouse, facts, actor, run_id, complete=wanted == Ask(), current=on is None and fault is None
        )
        run = _Run(
            settings, warehouse, dataset, facts, batch, wanted, run_id, actor, note, on is None and fault is None
        )
        try:
            return run.carry_out(address, {"on": str(on) if on else None, "fault": fault, "reason": reason})
        except Exception as error:
            _failed(run, error)
            raise
        finally:
            publish.flush(warehouse)


def decide(
    settings: Settings, batch_id: str, action: Action, *, reason: str, by: str, run_id: str | None = None
) -> Outcome:
    """Carry out a person's decision on a batch; a quarantine's incident closes with it.

    Raises UnknownBatch, WrongState, UsageError (reason or name missing).
    """
    warehouse = open_warehouse(settings, create=False)
    batch = publish.read_batch(warehouse, batch_id)
    told = f"{_DECISIONS[action].value} by {by}: {reason}"
    message = f"{told} (it was {batch['message']})"
    edition = publish.decide(warehouse, batch_id, Closing(_DECISIONS[action], by, message, reason, run_id))
    incident = None
    if action != "void":
        incident = incidents.close_open(warehouse, batch["dataset"], batch_id, told, ("quarantine",))
    publish.flush(warehouse)
    return Outcome(batch["dataset"], batch_id, _DECISIONS[action], message, edition=edition, incident=incident)


@dataclass
class _Run:
    """One batch on its way."""

    settings: Settings
    warehouse: Warehouse
    dataset: Dataset
    facts: DatasetFacts
    batch: str
    ask: Ask
    run_id: str | None
    actor: str
    note: Note
    now: bool
    archived: list[Payload] = field(default_factory=list)

    def carry_out(self, address: str, circumstances: Mapping[str, Any]) -> Outcome:
        with self._transport(address) as transport:
            connector = contract.connector(self.dataset.provider)
            try:
                fetched = connector.fetch(self.dataset, self.ask, transport)
            finally:
                header = batch_record.sent(transport, address, circumstances)
                self._keep_header(header)
        self.note(f"{self.dataset.id}: {transport.sent} requests, {transport.retries} of them again")
        read, errors, empty = self._parse(connector, fetched)
        staged, confirmed, parts = self._stage(read)
        parts += [PartOutcome(part, NO_DATA) for part in empty]
        parts += [PartOutcome(part, f"{FAILED}{error}") for part, error in errors.items()]
        judgement = self._judge(staged) if staged else None
        header["skipped"] = {data.part: data.skipped for data in read if data.skipped}
        header["failed"] = sorted(errors)
        header["parts"] = {part.part: part.change for part in parts}
        publish.record_stage(
            self.warehouse,
            self.batch,
            staged,
            confirmed,
            batch_record.payloads(fetched),
            judgement.results if judgement else (),
            header,
        )
        return self._close(staged, parts, errors, judgement, transport.sent)

    @contextlib.contextmanager
    def _transport(self, address: str) -> Iterator[Transport]:
        from connectors.quota import Quota
        from connectors.transport import Transport

        quota = Quota(self.settings.quota_place, self.dataset.provider, profile=self.settings.profile)
        live = self.settings.profile == "live"
        with Transport(
            self.dataset.provider,
            address,
            quota,
            archive=self._archive,
            trust_date=not live,
            deadline=300.0 if live else 20.0,
            timeouts=(10.0, 60.0) if live else (5.0, 10.0),
            backoff=2.0 if live else 0.2,
        ) as transport:
            yield transport
        quota.close()

    def _archive(self, payload: Payload) -> None:
        self.warehouse.payloads.store(payload.content)
        self.archived.append(payload)

    def _keep_header(self, header: Mapping[str, Any]) -> None:
        publish.record_stage(self.warehouse, self.batch, (), (), (), (), header)

    def _parse(
        self, connector: contract.Connector, fetched: Fetched
    ) -> tuple[list[PartData], dict[str, FigurekeeperError], list[str]]:
        """What could be read, what could not, and parts without data: the provider has had none so far, or the archive
        holds none in that version."""
        read: list[PartData] = []
        errors: dict[str, FigurekeeperError] = {}
        empty: dict[str, FigurekeeperError] = {}
        for answer in fetched.parts:
            try:
                if answer.error is not None:
                    raise answer.error
                read.append(connector.parse(self.dataset, answer))
            except NoData as error:
                if self._ever_held(answer.part) and not self.ask.versions:
                    errors[answer.part] = error
                else:
                    empty[answer.part] = error
            except FigurekeeperError as error:
                errors[answer.part] = error
            except Exception as error:
                errors[answer.part] = batch_record.unreadable(self.dataset, answer, error)
        if errors and not read:
            raise next(iter(errors.values()))
        if not read and not self.ask.versions:
            raise next(iter(empty.values()))
        return read, errors, list(empty)

    def _ever_held(self, part: str) -> bool:
        with self.warehouse.engine.connect() as connection:
            return bool(line.visible(connection, self.dataset.id, part))

    def _stage(self, read: Sequence[PartData]) -> tuple[list[Staged], list[Confirmed], list[PartOutcome]]:
        found = [staging.stage(self.warehouse, self.facts, self.batch, data) for data in read]
        return (
            [item for item in found if isinstance(item, Staged)],
            [item for item in found if isinstance(item, Confirmed)],
            [of_part(data, item) for data, item in zip(read, found, strict=True)],
        )

    def _judge(self, staged: Sequence[Staged]) -> Judgement:
        from expectations import gate

        return gate.judge(self.dataset, [item.evidence for item in staged])

    def _close(
        self,
        staged: Sequence[Staged],
        parts: Sequence[PartOutcome],
        errors: Mapping[str, FigurekeeperError],
        judgement: Judgement | None,
        requests: int,
    ) -> Outcome:
        decision = judgement.decision if judgement else Decision.UNCHANGED
        failed = tuple(r for r in judgement.results if not r.success and not r.accepted) if judgement else ()
        message = message_of(decision, parts, judgement, errors)
        edition = publish.close(self.warehouse, self.batch, Closing(decision, self.actor, message, run_id=self.run_id))
        if edition is not None:
            message += f"; edition {edition}"
        return Outcome(
            self.dataset.id,
            self.batch,
            decision,
            message,
            edition=edition,
            vintages=len(staged) if edition is not None else 0,
            observations=sum(item.row["observations"] for item in staged),
            revised=sum(part.revised for part in parts),
            added=sum(part.added for part in parts),
            withdrawn=sum(part.withdrawn for part in parts),
            requests=requests,
            results=judgement.results if judgement else (),
            failed_checks=failed,
            parts=tuple(parts),
            incident=self._incident(decision, message, errors),
        )

    def _incident(
        self, decision: Decision, message: str, errors: Mapping[str, FigurekeeperError]
    ) -> IncidentChange | None:
        store, name = self.warehouse, self.dataset.id
        unread = self._unread(errors) if errors else None
        if decision is Decision.QUARANTINED:
            title = f"{name}: new data are held back"
            text = (
                f"{message}. The last good data keep serving. Next: look at the checks of batch {self.batch}, then "
                f"release or discard it (deployment 'review', or `figurekeeper release {self.batch} --reason … --by …`)."
            )
            return incidents.open_or_count(store, name, "quarantine", Severity.CRITICAL, title, text, self.batch)
        if errors:
            return unread
        if self.ask != Ask() or not self.now:
            return None
        return incidents.close_open(store, name, self.batch, f"the refresh of batch {self.batch} was good: {message}")

    def _unread(self, errors: Mapping[str, FigurekeeperError]) -> IncidentChange | None:
        """One incident for all parts that could not be read; equal errors are told once."""
        title = f"{self.dataset.id}: {len(errors)} of {len(self.dataset.parts)} parts could not be read"
        told: dict[str, list[str]] = {}
        for part, error in errors.items():
            told.setdefault(f"{error.what.removeprefix(f'part {part}')}. Next: {error.next_step}", []).append(part)
        text = "\n".join(f"{', '.join(parts)}: {what}" for what, parts in told.items())
        return incidents.open_or_count(
            self.warehouse, self.dataset.id, "failure", Severity.WARNING, title, text, self.batch
        )


def _failed(run: _Run, error: Exception) -> None:
    """Record a failed batch and open its incident; when even that cannot be written, the first error is what matters."""
    incident = None
    text = str(error) or type(error).__name__
    with contextlib.suppress(Exception):
        publish.record_failure(run.warehouse, run.batch, run.archived)
        publish.close(run.warehouse, run.batch, Closing(Decision.FAILED, run.actor, text, run_id=run.run_id))
    with contextlib.suppress(Exception):
        title = f"{run.dataset.id}: the refresh failed"
        told = f"{text.rstrip('.')}. The last good data keep serving."
        incident = incidents.open_or_count(
            run.warehouse, run.dataset.id, "failure", Severity.WARNING, title, told, run.batch
        )
    if isinstance(error, FigurekeeperError):
        error.incident = incident
        error.dataset = error.dataset or run.dataset.id


def _quiet(_: str) -> None:
    return None
