"""What a backfill is, free of Prefect: its chunks, how far it has got, and how it goes on after it was stopped.

A chunk is one batch: a vintage of an archive, or all asked periods of a dataset, which become visible together. Every answer is
written down as it comes (warehouse/answered.py), and the same backfill, run again within some days, asks for none of them twice.
Belongs here: which chunks there are, and what is said on the way and in the end. Does not belong here: the steps of a batch
(batch), what a backfill would cost (estimate), forms and artifacts (the Prefect flow), arguments (backfill_command).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connectors import contract
from connectors.contract import Ask
from connectors.datasets import Dataset
from connectors.errors import NotAsked
from flows import catalogue, economy, pipeline
from flows.addresses import Addresses
from flows.outcome import Note, Outcome, unsaid
from flows.settings import Settings
from warehouse.errors import FigurekeeperError, UsageError


@dataclass(frozen=True)
class Progress:
    """How far the backfill of a dataset has got: `chunk` of `chunks` is under way, which is `what`; `answers` are those of this
    chunk so far, kept ones included, `planned` its first requests."""

    dataset: str
    chunk: int
    chunks: int
    what: str
    answers: int
    planned: int

    @property
    def share(self) -> float:
        """Done of all chunks, from 0 to 1; a chunk is never done before its end, since answers have further pages."""
        return (self.chunk - 1 + min(self.answers / max(self.planned, 1), 0.99)) / self.chunks

    @property
    def text(self) -> str:
        """The same in words."""
        return f"{self.dataset}: {self.what} ({self.chunk} of {self.chunks}), {self.answers} of about {self.planned} answers"


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Backfilled:
    """What became of the backfill of one dataset. `error` ended it before its time; `left` are then the vintages or parts that
    it did not get to."""

    dataset: str
    outcomes: tuple[Outcome, ...]
    left: tuple[str, ...] = ()
    error: FigurekeeperError | None = None

    @property
    def waits(self) -> bool:
        """True when only a limit, a pause or the run's own time stopped it: nothing is wrong, and it goes on later."""
        return isinstance(self.error, NotAsked)

    @property
    def message(self) -> str:
        """Why it stopped, what is left, and what to do; "" when it is done."""
        if self.error is None:
            return ""
        left = f"; {len(self.left)} left: {', '.join(self.left)}" if self.left else ""
        step = self.error.next_step
        if self.waits:
            step = "run the same backfill again then: it goes on with what is left; what was read is kept"
        return f"{self.dataset}: {self.error.what.rstrip('.')}{left}. Next: {step}"


def check(settings: Settings, names: Sequence[str], *, reason: str) -> None:
    """Raises UsageError for a backfill that cannot be run: without a reason, of no dataset, or of one that is read from files."""
    if not names:
        raise UsageError("no dataset is chosen", next_step="choose at least one")
    if not reason.strip():
        raise UsageError(
            "a backfill needs a reason: it stays in the record of every batch",
            next_step="say why (field Reason, or --reason) and run it again",
        )
    for name in names:
        dataset = catalogue.load_enabled(settings, name)
        if dataset.reads == "files":
            raise pipeline.not_asked_for(dataset)


def run(
    settings: Settings,
    dataset_id: str,
    ask: Ask,
    *,
    reason: str,
    note: Note = print,
    report: Report | None = None,
    run_id: str | None = None,
) -> Backfilled:
    """Ask for old periods in one batch, or for old vintages in one batch each, oldest first.

    Vintages that were read a few days ago are left out. What fails, or what a quota stops, ends it; what was published before
    stays, and it is said what is left. A line is noted for every chunk; `report` is told of every answer. Raises UsageError
    before anything is asked.
    """
    check(settings, [dataset_id], reason=reason)
    dataset = catalogue.load_enabled(settings, dataset_id)
    asks = chunks(settings, dataset, ask)
    if len(asks) < len(ask.versions):
        note(f"{dataset_id}: {len(ask.versions) - len(asks)} vintages were read in the last days and are left out")
    outcomes: list[Outcome] = []
    told = _Told(dataset, asks, report)
    with Addresses(settings) as addresses:
        for one in asks:
            told.begin(one)
            error: FigurekeeperError | None = None
            left: tuple[str, ...] = ()
            try:
                outcome = pipeline.refresh(
                    settings,
                    dataset_id,
                    ask=one,
                    addresses=addresses,
                    note=unsaid,
                    actor=economy.BACKFILL,
                    reason=reason,
                    run_id=run_id,
                    on_answer=told.answer,
                )
            except FigurekeeperError as problem:
                error = problem
            else:
                note(f"{dataset_id} {told.what} ({told.chunk} of {len(asks)}): {outcome.message}")
                outcomes.append(outcome)
                error, left = outcome.exhausted, outcome.unread
            if error is not None:
                left = tuple(rest.versions[0] for rest in asks[told.chunk - 1 :]) if one.versions else left
                return Backfilled(dataset_id, tuple(outcomes), left, error)
    return Backfilled(dataset_id, tuple(outcomes))


def chunks(settings: Settings, dataset: Dataset, ask: Ask) -> list[Ask]:
    """One question a batch: every vintage that was not read in the last days, or all periods together."""
    if not ask.versions:
        return [ask]
    left = economy.unread_versions(pipeline.open_warehouse(settings), dataset, ask)
    return [replace(ask, versions=(version,)) for version in left]


@dataclass
class _Told:
    """Counts chunks and answers, and tells of them."""

    dataset: Dataset
    asks: Sequence[Ask]
    report: Report | None
    chunk: int = 0
    answers: int = 0
    what: str = ""

    planned: int = 0

    def begin(self, one: Ask) -> None:
        self.chunk += 1
        self.answers, self.planned = 0, len(contract.connector(self.dataset.provider).plan(self.dataset, one))
        self.what = f"vintage {one.versions[0]}" if one.versions else _periods(one)
        self._tell()

    def answer(self) -> None:
        self.answers += 1
        self._tell()

    def _tell(self) -> None:
        if self.report is not None:
            told = Progress(self.dataset.id, self.chunk, len(self.asks), self.what, self.answers, self.planned)
            self.report(told)


def _periods(one: Ask) -> str:
    first, last = one.scope.start, one.scope.end
    if not (first or last):
        return "all periods"
    return f"periods from {first or 'the first'} to {last or 'the newest'}"
