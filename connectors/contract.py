"""The one contract of all connectors: plan → fetch → parse.

A connector knows one provider's wire formats. It is given a transport (which alone speaks HTTP, retries, keeps quotas
and archives payloads) and never writes to the warehouse, judges data or imports Prefect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from connectors.datasets import Dataset
from connectors.errors import ProviderError, UnknownFault
from connectors.http.request import Request
from warehouse.errors import UsageError
from warehouse.schema import PartData, Payload, Scope, Stamp

if TYPE_CHECKING:
    from connectors.http.transport import Transport

PROVIDERS = ("oecd", "worldbank", "nbs")
#: The method of a payload that nobody sent: a file that a person handed in.
FILE = "FILE"
#: For how many days a list (economies, versions, the indicators of a leaf) may be used again.
KEPT_DAYS = 7


@dataclass(frozen=True)
class Known:
    """What the last complete, good reading of a dataset left behind: `probe` is the publisher's own word for the state that
    was read, `read_at` when that was."""

    probe: str
    read_at: datetime


def _nothing(_: Request) -> Payload | None:
    return None


@dataclass(frozen=True)
class Ask:
    """What a refresh or backfill wants: which parts, which scope, and old vintages by the provider's version ids.

    With `known`, a connector leaves the parts out when its probe says that nothing has changed since. `recall` gives an
    answer to the same request back that is some days old at the most (KEPT_DAYS); only lists are asked of it, never data.
    `full`: a person wants everything read, the structure as well.
    """

    parts: tuple[str, ...] | None = None  # None: all
    scope: Scope = field(default_factory=Scope)
    versions: tuple[str, ...] = ()  # ids of old vintages (versions.py); empty: the current data
    known: Known | None = field(default=None, compare=False)
    recall: Callable[[Request], Payload | None] = field(default=_nothing, compare=False, repr=False)
    full: bool = field(default=False, compare=False)

    @property
    def whole(self) -> bool:
        """True when everything is asked for as it is now."""
        return self.parts is None and self.scope.complete and not self.versions


@dataclass(frozen=True)
class PartFetch:
    """The answers for one part (for one archive version of it), in order; `error` when the part could not be had."""

    part: str
    payloads: tuple[Payload, ...]
    stamp: Stamp | None
    scope: Scope
    error: Exception | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fetched:
    """All answers of one refresh. `probes` belong to no part: content constraints, a warm-up page.

    `probe` is the publisher's own word for the state that was read, None where it has none or its readings disagree.
    `unmoved`: nothing can have changed since the last reading, so no part was asked for; because the probe is that of
    `Ask.known`, or for another reason, which is then `said`.
    """

    parts: tuple[PartFetch, ...]
    probes: tuple[Payload, ...] = field(default=())
    probe: str | None = None
    unmoved: bool = False
    said: str = ""


class Connector(Protocol):
    """What every provider module offers."""

    provider: str

    def plan(self, dataset: Dataset, ask: Ask) -> list[Request]:
        """The first request of every part, and the probes, with their cost; nothing is sent."""
        ...

    def fetch(self, dataset: Dataset, ask: Ask, transport: Transport) -> Fetched:
        """Ask the provider. A part that fails is returned with its error and does not fail the others; what fails before
        any part was asked for is raised."""
        ...

    def parse(self, dataset: Dataset, fetched: PartFetch) -> PartData:
        """Read the payloads of one part. Raises UnexpectedPayload, NoData; never guesses."""
        ...


def connector(provider: str) -> Connector:
    """The connector of a provider ("oecd", "worldbank", "nbs"); its module is imported only now."""
    return cast(Connector, import_module(f"connectors.{provider}.connector").CONNECTOR)


def parse(dataset: Dataset, fetched: PartFetch) -> PartData:
    """Read the payloads of one part by what knows their form: the provider's connector, or a reader of files handed in.

    Raises UnexpectedPayload, NoData.
    """
    if fetched.payloads[-1].method != FILE:
        return connector(dataset.provider).parse(dataset, fetched)
    reader = import_module("connectors.files.editions" if dataset.reads == "files" else "connectors.stored")
    return cast(PartData, reader.parse(dataset, fetched))


def part_or_error(dataset: Dataset, part: str, scope: Scope, ask: Callable[[], PartFetch]) -> PartFetch:
    """What `ask` returns; a provider's error becomes a PartFetch with it, so that what was read before is kept. That the
    others are not asked in vain is the matter of breaker and quota, which answer them with a NotAsked."""
    try:
        return ask()
    except ProviderError as error:
        error.dataset = error.dataset or dataset.id
        if isinstance(error, UnknownFault):
            raise
        return PartFetch(part, (), None, scope, error)


def chosen_parts(dataset: Dataset, ask: Ask, *, archive: bool = False) -> tuple[str, ...]:
    """The ids of the parts asked for, in the order of the dataset file.

    Raises UsageError for an unknown one, and for old vintages of a provider without an archive of them.
    """
    if ask.versions and not archive:
        raise UsageError(
            "this provider has no archive of old vintages",
            dataset=dataset.id,
            next_step="leave the vintages out, or choose datasets of the World Bank or the OECD only",
        )
    known = tuple(part.id for part in dataset.parts)
    if unknown := sorted(set(ask.parts or ()) - set(known)):
        raise UsageError(
            f"no such part: {', '.join(unknown)}", dataset=dataset.id, next_step=f"choose among {', '.join(known)}"
        )
    return tuple(part for part in known if ask.parts is None or part in ask.parts)
