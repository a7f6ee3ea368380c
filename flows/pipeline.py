"""The sequence of a refresh, free of Prefect: fetch → payload → parse → stage → compare → audit → publish or quarantine.

Belongs here: the order of the steps, what a batch records of itself, and when an incident opens or closes. Does not belong
here: how any step works (connectors, warehouse, expectations), schedules and artifacts (the Prefect flows), wording of pages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from connectors import contract, datasets
from connectors.contract import Ask, Fetched, PartFetch, Request
from connectors.datasets import Dataset
from connectors.errors import NoData, UnexpectedPayload
from flows.addresses import Addresses
from flows.notices import Notice, deliver, pending_notices
from flows.outcome import NO_DATA, Outcome, PartOutcome, message_of, of_part
from flows.overview import finish, summary
from flows.settings import Settings
from warehouse import incidents, lineage, publish, staging
from warehouse.compare import Equality
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.incidents import IncidentChange
from warehouse.publish import Closing
from warehouse.schema import Decision, PartData, Payload, Severity
from warehouse.staging import Staged
from warehouse.store import DatasetFacts, Warehouse

if TYPE_CHECKING:
    from connectors.transport import Transport
    from expectations.gate import Judgement

__all__ = [
    "IncidentChange",
    "Notice",
    "Outcome",
    "PartOutcome",
    "backfill",
    "decide",
    "deliver",
    "finish",
    "pending_notices",
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
    return Warehouse(settings.home, settings.profile, create=create)


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
    settings: Settings, dataset_id: str, ask: Ask, *, note: Note = print, run_id: str | None = None
) -> list[Outcome]:
    """Ask for old periods, or for old vintages of an archive: one batch for each vintage, oldest first.

    Raises FigurekeeperError; what was published before the error stays.
    """
    asks = [replace(ask, versions=(version,)) for version in sorted(ask.versions)] or [ask]
    outcomes = []
    with Addresses(settings) as addresses:
        for number, one in enumerate(asks, start=1):
            outcome = refresh(
                settings, dataset_id, ask=one, addresses=addresses, note=_quiet, actor="backfill", run_id=run_id
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
        run = _Run(settings, warehouse, dataset, facts, batch, wanted, run_id, actor, note)
        try:
            return run.carry_out(address, {"on": str(on) if on else None, "fault": fault})
        except Exception as error:
            _failed(run, error)
            raise


def decide(
    settings: Settings, batch_id: str, action: Action, *, reason: str, by: str, run_id: str | None = None
) -> Outcome:
    """Carry out a person's decision on a batch; a quarantine's incident closes with it.

    Raises UnknownBatch, WrongState, UsageError (reason or name missing).
    """
    warehouse = open_warehouse(settings, create=False)
    batch = publish.read_batch(warehouse, batch_id)
    message = f"{_DECISIONS[action].value} by {by}: {reason}"
    edition = publish.decide(warehouse, batch_id, Closing(_DECISIONS[action], by, message, reason, run_id))
    incident = None
    if action != "void":
        incident = incidents.close_open(warehouse, batch["dataset"], batch_id, f"Batch {message}.", ("quarantine",))
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

    def carry_out(self, address: str, circumstances: Mapping[str, Any]) -> Outcome:
        with self._transport(address) as transport:
            connector = contract.connector(self.dataset.provider)
            try:
                fetched = connector.fetch(self.dataset, self.ask, transport)
            finally:
                header = _sent(transport, address, circumstances)
                self._keep_header(header)
        self.note(f"{self.dataset.id}: {transport.sent} requests, {transport.retries} of them again")
        read, errors, empty = self._parse(connector, fetched)
        staged, parts = self._stage(read)
        parts += [PartOutcome(part, NO_DATA) for part in empty]
        parts += [PartOutcome(part, f"failed: {error}") for part, error in errors.items()]
        judgement = self._judge(staged) if staged else None
        header["skipped"] = {data.part: data.skipped for data in read if data.skipped}
        header["parts"] = {part.part: part.change for part in parts}
        publish.record_stage(
            self.warehouse, self.batch, staged, _payloads(fetched), judgement.results if judgement else (), header
        )
        return self._close(staged, parts, errors, judgement, transport.sent)

    @contextlib.contextmanager
    def _transport(self, address: str) -> Iterator[Transport]:
        from connectors.quota import Quota
        from connectors.transport import Transport

        quota = Quota(self.settings.root / "quota.sqlite", self.dataset.provider, profile=self.settings.profile)
        live = self.settings.profile == "live"
        with Transport(
            self.dataset.provider,
            address,
            quota,
            archive=self._archive,
            deadline=300.0 if live else 20.0,
            timeouts=(10.0, 60.0) if live else (5.0, 10.0),
            backoff=2.0 if live else 0.2,
        ) as transport:
            yield transport
        quota.close()

    def _archive(self, payload: Payload) -> None:
        self.warehouse.payloads.store(payload.content)

    def _keep_header(self, header: Mapping[str, Any]) -> None:
        publish.record_stage(self.warehouse, self.batch, (), (), (), header)

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
                errors[answer.part] = _unreadable(self.dataset, answer, error)
        if errors and not read:
            raise next(iter(errors.values()))
        if not read and not self.ask.versions:
            raise next(iter(empty.values()))
        return read, errors, list(empty)

    def _ever_held(self, part: str) -> bool:
        with self.warehouse.engine.connect() as connection:
            return bool(self.warehouse.visible(connection, self.dataset.id, part))

    def _stage(self, read: Sequence[PartData]) -> tuple[list[Staged], list[PartOutcome]]:
        staged: list[Staged] = []
        parts: list[PartOutcome] = []
        for data in read:
            item = staging.stage(self.warehouse, self.facts, self.batch, data)
            if item is not None:
                staged.append(item)
            parts.append(of_part(data, item))
        return staged, parts

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
        if decision is Decision.QUARANTINED:
            title = f"{name}: new data are held back"
            text = (
                f"{message}. The last good data keep serving. Next: look at the checks of batch {self.batch}, then "
                f"release or discard it (deployment 'review', or `figurekeeper release {self.batch} --reason … --by …`)."
            )
            return incidents.open_or_count(store, name, "quarantine", Severity.CRITICAL, title, text, self.batch)
        if errors:
            title = f"{name}: {len(errors)} of {len(self.dataset.parts)} parts could not be read"
            text = "; ".join(f"{part}: {error}" for part, error in errors.items())
            return incidents.open_or_count(store, name, "failure", Severity.WARNING, title, text, self.batch)
        if self.ask != Ask():
            return None
        return incidents.close_open(store, name, self.batch, f"The refresh of batch {self.batch} was good: {message}.")


def _failed(run: _Run, error: Exception) -> None:
    """Record a failed batch and open its incident; when even that cannot be written, the first error is what matters."""
    incident = None
    with contextlib.suppress(Exception):
        text = str(error) or type(error).__name__
        publish.close(run.warehouse, run.batch, Closing(Decision.FAILED, run.actor, text, run_id=run.run_id))
        title = f"{run.dataset.id}: the refresh failed"
        incident = incidents.open_or_count(
            run.warehouse,
            run.dataset.id,
            "failure",
            Severity.WARNING,
            title,
            f"{text} The last good data keep serving.",
            run.batch,
        )
    if isinstance(error, FigurekeeperError):
        error.incident = incident
        error.dataset = error.dataset or run.dataset.id


def _unreadable(dataset: Dataset, answer: PartFetch, error: Exception) -> UnexpectedPayload:
    """A parser's own failure on an answer: never lost, never taken for data."""
    shas = ", ".join(payload.sha256[:12] for payload in answer.payloads)
    return UnexpectedPayload(
        f"part {answer.part} cannot be read: {type(error).__name__}: {error} (payload {shas})",
        dataset=dataset.id,
        next_step="open the payload with `figurekeeper payload SHA256`; the provider may have changed its format",
    )


def _sent(transport: Transport, address: str, circumstances: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": address,
        **circumstances,
        "requests": transport.sent,
        "retries": transport.retries,
        "sent": [
            {"url": record.url, "part": record.part, "attempt": record.attempt, "outcome": record.outcome}
            for record in transport.log
        ],
    }


def _payloads(fetched: Fetched) -> list[tuple[str | None, Payload]]:
    probes: list[tuple[str | None, Payload]] = [(None, payload) for payload in fetched.probes]
    return probes + [(answer.part, payload) for answer in fetched.parts for payload in answer.payloads]


def _quiet(_: str) -> None:
    return None
