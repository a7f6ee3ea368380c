"""One batch on its way: fetch → payload → parse → stage → audit → publish or quarantine.

Belongs here: the order of these steps within one batch, what the batch records of itself, and which incident it opens or closes.
Does not belong here: how any step works (connectors, warehouse, expectations), or which batches there are (pipeline).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors import contract
from connectors.contract import Ask, Fetched
from connectors.datasets import Dataset
from connectors.errors import NoData, NotAsked
from flows import asking, batch_record, economy, structure_step, verdict_step
from flows.outcome import FAILED, NO_DATA, Note, Outcome, PartOutcome, message_of, of_part
from flows.settings import Settings
from flows.structure_step import Looked
from warehouse import answered, incidents, line, publish, staging
from warehouse.errors import FigurekeeperError
from warehouse.papers import changes
from warehouse.papers.changes import Foreseen
from warehouse.publish import Closing
from warehouse.schema import Decision, IncidentChange, PartData, Payload, Severity
from warehouse.staging import Confirmed, Staged
from warehouse.store import DatasetFacts, Warehouse

if TYPE_CHECKING:
    from connectors.http.kept import Kept
    from expectations.gate import Judgement


_SERVING = "the last good data keep serving"


@dataclass(kw_only=True)
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
    given: Callable[[], Fetched] | None = None  # answers that are files: nobody is asked
    kept: Kept | None = None  # answers of runs that were cut off
    on_answer: Callable[[], None] | None = None
    archived: list[tuple[str | None, Payload]] = field(default_factory=list)

    def carry_out(self, address: str, circumstances: Mapping[str, Any]) -> Outcome:
        answer = self._ask if self.given is None else self._take
        fetched, looked, header = answer(address, circumstances)
        header |= batch_record.probed(fetched)
        if fetched.unmoved:
            return self._unmoved(fetched, header)
        read, errors, empty = self._parse(fetched)
        header |= batch_record.shortfalls(read, errors)
        header |= looked.told if looked else {}
        if not read:
            self._keep_header(header, self._judge((), looked))
            self._raise_first(errors, empty)
        staged, confirmed, parts = self._stage(read)
        parts += [PartOutcome(part, NO_DATA, why=error.what) for part, error in empty.items()]
        parts += [PartOutcome(part, f"{FAILED}{error}") for part, error in errors.items()]
        foreseen = verdict_step.foresee(self.settings, self.warehouse, staged) if self._news else None
        judgement = self._judge(staged, looked, foreseen)
        header["parts"] = {part.part: part.change for part in parts}
        header |= verdict_step.recorded(foreseen)
        publish.record_stage(
            self.warehouse,
            self.batch,
            staged,
            confirmed,
            batch_record.payloads(fetched, looked.payloads if looked else (), self.archived),
            judgement.results if judgement else (),
            header,
        )
        return self._close(staged, parts, errors, judgement, header["requests"], foreseen)

    @property
    def _news(self) -> bool:
        """Whether the provider was asked what it says now, and not what it said once."""
        return self.now and not self.ask.versions

    def _ask(self, address: str, circumstances: Mapping[str, Any]) -> tuple[Fetched, Looked | None, dict[str, Any]]:
        """The provider's answers, what its structures say, and the header of the batch."""
        with asking.transport(
            self.settings, self.dataset.provider, address, self._archive, kept=self.kept
        ) as transport:
            connector = contract.connector(self.dataset.provider)
            try:
                fetched = connector.fetch(self.dataset, self.ask, transport)
                looked = structure_step.look(self.warehouse, self.dataset, self.ask, fetched, transport)
            finally:
                header = batch_record.sent(transport, address, circumstances)
                self._keep_header(header)
        recalled = f"; {transport.recalled} answers were kept of a run that was cut off" if transport.recalled else ""
        self.note(f"{self.dataset.id}: {transport.sent} requests, {transport.retries} of them again{recalled}")
        return fetched, looked, header

    def _take(self, _: str, circumstances: Mapping[str, Any]) -> tuple[Fetched, Looked | None, dict[str, Any]]:
        """The same of answers that are files."""
        assert self.given is not None
        header = batch_record.handed_in(circumstances)
        self._keep_header(header)
        fetched = self.given()
        for answer in fetched.parts:
            for payload in answer.payloads:
                self._archive(payload, answer.part)
        return fetched, None, header

    def _unmoved(self, fetched: Fetched, header: Mapping[str, Any]) -> Outcome:
        """The publisher's stamp is that of the last whole reading: nothing was read, and nothing is confirmed by it."""
        payloads = batch_record.payloads(fetched, archived=self.archived)
        publish.record_stage(self.warehouse, self.batch, (), (), payloads, (), header)
        message = f"unchanged: {fetched.said or economy.told(self.ask.known, self.dataset)}"
        publish.close(self.warehouse, self.batch, Closing(Decision.UNCHANGED, self.actor, message, run_id=self.run_id))
        incident = self._incident(Decision.UNCHANGED, message, {})
        return Outcome(
            self.dataset.id, self.batch, Decision.UNCHANGED, message, requests=header["requests"], incident=incident
        )

    def _archive(self, payload: Payload, part: str | None) -> None:
        self.warehouse.payloads.store(payload.content)
        answered.record(self.warehouse, self.batch, len(self.archived), part, payload)
        self.archived.append((part, payload))
        if self.on_answer is not None:
            self.on_answer()

    def _keep_header(self, header: Mapping[str, Any], judgement: Judgement | None = None) -> None:
        results = judgement.results if judgement else ()
        publish.record_stage(self.warehouse, self.batch, (), (), (), results, header)

    def _parse(
        self, fetched: Fetched
    ) -> tuple[list[PartData], dict[str, FigurekeeperError], dict[str, FigurekeeperError]]:
        """What could be read, what could not, and parts without data: the provider has had none so far, or the archive
        holds none in that version."""
        read: list[PartData] = []
        errors: dict[str, FigurekeeperError] = {}
        empty: dict[str, FigurekeeperError] = {}
        for answer in fetched.parts:
            try:
                if answer.error is not None:
                    raise answer.error
                read.append(contract.parse(self.dataset, answer))
            except NoData as error:
                if self._ever_held(answer.part) and not self.ask.versions:
                    errors[answer.part] = error
                else:
                    empty[answer.part] = error
            except FigurekeeperError as error:
                errors[answer.part] = error
            except Exception as error:
                errors[answer.part] = batch_record.unreadable(self.dataset, answer, error)
        return read, errors, empty

    def _raise_first(self, errors: Mapping[str, FigurekeeperError], empty: Mapping[str, FigurekeeperError]) -> None:
        """Nothing was read: that is a failed batch, unless an archive simply holds none of it."""
        for error in errors.values() if self.ask.versions else (*errors.values(), *empty.values()):
            raise error

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

    def _judge(
        self, staged: Sequence[Staged], looked: Looked | None, foreseen: Foreseen | None = None
    ) -> Judgement | None:
        """What the gate says of new data, of the structure and of the papers; None when there is neither of the first two."""
        if not staged and looked is None:
            return None
        from expectations import gate

        structure = looked.evidence if looked else None
        return gate.judge(self.dataset, [item.evidence for item in staged], structure, foreseen)

    def _close(
        self,
        staged: Sequence[Staged],
        parts: Sequence[PartOutcome],
        errors: Mapping[str, FigurekeeperError],
        judgement: Judgement | None,
        requests: int,
        foreseen: Foreseen | None,
    ) -> Outcome:
        decision = judgement.decision if judgement else Decision.UNCHANGED
        if not staged and decision is not Decision.QUARANTINED:  # a structure alone publishes nothing
            decision = Decision.UNCHANGED
        failed = tuple(r for r in judgement.results if not r.success and not r.accepted) if judgement else ()
        message = message_of(decision, parts, judgement, errors)
        message += verdict_step.in_words(foreseen, held_back=decision is Decision.QUARANTINED)
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
            incident=self._incident(decision, message, errors, staged, foreseen),
            verdicts=self._verdicts(foreseen, edition) if edition is not None else (),
            exhausted=next((error for error in errors.values() if isinstance(error, NotAsked)), None),
        )

    def _incident(
        self,
        decision: Decision,
        message: str,
        errors: Mapping[str, FigurekeeperError],
        staged: Sequence[Staged] = (),
        foreseen: Foreseen | None = None,
    ) -> IncidentChange | None:
        store, name = self.warehouse, self.dataset.id
        waits = all(self.only_waits(error) for error in errors.values())
        unread = None if waits else self._unread(errors)
        if decision is Decision.QUARANTINED:
            title = f"{name}: {'new data are' if staged else 'a changed structure is'} held back"
            text = (
                f"{message}. The last good data keep serving. Next: look at the checks of batch {self.batch}, then "
                f"release or discard it (deployment 'review', or `figurekeeper release {self.batch} --reason … --by …`)."
            )
            if foreseen is not None and foreseen.changes:
                text += f"\nA release would change what is said of the papers:\n{changes.told(foreseen.changes)}"
            return incidents.open_or_count(store, name, "quarantine", Severity.CRITICAL, title, text, self.batch)
        if errors:
            return unread
        if self.ask != Ask() or not self.now:
            return None
        return incidents.close_open(store, name, self.batch, f"the refresh of batch {self.batch} was good: {message}")

    def only_waits(self, error: Exception) -> bool:
        """Whether it is a limit or a pause that stops a backfill, which says itself how it goes on: nothing has failed."""
        return self.actor == economy.BACKFILL and isinstance(error, NotAsked)

    def _verdicts(self, foreseen: Foreseen | None, edition: int) -> tuple[IncidentChange, ...]:
        """What the publish means to editors."""
        if foreseen is None:
            return ()
        return verdict_step.after(self.settings, self.warehouse, self.batch, edition, note=self.note, foreseen=foreseen)

    def _unread(self, errors: Mapping[str, FigurekeeperError]) -> IncidentChange | None:
        """One incident for all parts that could not be read; equal errors are told once."""
        title = f"{self.dataset.id}: {len(errors)} of {len(self.dataset.parts)} parts could not be read"
        told: dict[str, list[str]] = {}
        for part, error in errors.items():
            told.setdefault(f"{error.what.removeprefix(f'part {part}')}. Next: {error.next_step}", []).append(part)
        text = "\n".join(f"{', '.join(parts)}: {what}" for what, parts in told.items())
        text += "\nThe last good data of these parts keep serving."
        return incidents.open_or_count(
            self.warehouse, self.dataset.id, "failure", Severity.WARNING, title, text, self.batch
        )


def record_failure(run: Run, error: Exception) -> None:
    """Record a failed batch and open its incident, unless it only waits; when even that cannot be written, the first error is
    what matters."""
    incident = None
    text = str(error) or type(error).__name__
    with contextlib.suppress(Exception):
        answered.record_error(run.warehouse, run.batch, type(error).__name__)
        publish.close(run.warehouse, run.batch, Closing(Decision.FAILED, run.actor, text, run_id=run.run_id))
    with contextlib.suppress(Exception):
        title = f"{run.dataset.id}: the refresh failed"
        told = text if _SERVING in text else f"{text}\nT{_SERVING[1:]}."
        if not run.only_waits(error):
            incident = incidents.open_or_count(
                run.warehouse, run.dataset.id, "failure", Severity.WARNING, title, told, run.batch
            )
    if isinstance(error, FigurekeeperError):
        error.incident = incident
        error.dataset = error.dataset or run.dataset.id


def record_stop(run: Run, stop: BaseException) -> None:
    """Record that a person, or the end of the service, stopped a batch: nothing failed, so nobody is alarmed."""
    text = f"stopped ({type(stop).__name__}) before it decided; nothing of it was published, and its answers are kept"
    with contextlib.suppress(Exception):
        publish.close(run.warehouse, run.batch, Closing(Decision.ABANDONED, run.actor, text, run_id=run.run_id))
