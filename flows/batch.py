"""One batch on its way: fetch → payload → parse → stage → audit → publish or quarantine.

Belongs here: the order of these steps within one batch, what the batch records of itself, and which incident it opens or closes.
Does not belong here: how any step works (connectors, warehouse, expectations), or which batches there are (pipeline).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors import contract
from connectors.contract import Ask, Fetched
from connectors.datasets import Dataset
from connectors.errors import NoData
from flows import batch_record
from flows.outcome import FAILED, NO_DATA, Note, Outcome, PartOutcome, message_of, of_part
from flows.settings import Settings
from warehouse import incidents, line, publish, staging
from warehouse.errors import FigurekeeperError
from warehouse.publish import Closing
from warehouse.schema import Decision, IncidentChange, PartData, Payload, Severity
from warehouse.staging import Confirmed, Staged
from warehouse.store import DatasetFacts, Warehouse

if TYPE_CHECKING:
    from connectors.transport import Transport
    from expectations.gate import Judgement


@dataclass
class Run:
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


def record_failure(run: Run, error: Exception) -> None:
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
