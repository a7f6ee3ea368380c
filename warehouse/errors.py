"""The error tree of the whole project, drawn once.

FigurekeeperError                    what happened, to which dataset and request, and the operator's next step
├── UsageError                       a question or command that cannot be meant: bad date, unknown series, wrong profile
│   └── NoWarehouse                  nothing was ever kept in this folder
├── WarehouseError                   the store cannot do what was asked
│   ├── WrongProfile                 a warehouse of another profile lies in this folder
│   ├── WrongHost                    another host writes this folder (locks.py)
│   ├── StoreUnwritable              disk full, read-only, no permission
│   ├── StoreUnreachable             the database or the bucket of the server form does not answer (files.py)
│   ├── Busy / LeaseLost             somebody else holds the lease, or ours is gone (locks.py)
│   ├── UnknownBatch / WrongState    a decision on a batch that does not exist or cannot be decided
│   ├── Differs                      a replay comes out otherwise than the journal says (replay.py)
│   ├── AnswersChanged               an upgrade would change answers (upgrade.py)
│   └── Corrupted                    bytes, or a journal line, that do not match their sha256
├── DatasetFileError                 a dataset file with all its mistakes (connectors/datasets.py)
├── ManifestError                    a drop folder's manifest with all its mistakes (connectors/files/manifest.py)
├── NotRenewed                       published, but what tells of the papers is as before (flows/overview.py)
├── NotEnabled                       a dataset whose file was never compared with its provider (connectors/datasets.py)
└── ProviderError                    the provider's side (connectors/errors.py draws its branches)

Every class says in `retriable` whether the same request may succeed in a moment. Here belong the root and the warehouse's
own branches; provider branches live beside the transport that raises them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from warehouse.schema import IncidentChange


#: What stands before the operator's next step in every text of an error or an incident.
NEXT = "Next: "


def parted(text: str) -> tuple[str, str]:
    """What a text of an error or an incident tells, and the next step that it ends with, without its full stop; "" where none.

    A text that holds several errors, a line each, keeps their steps in what it tells; the step is then all of them.
    """
    lines = [line.partition(NEXT) for line in text.splitlines()]
    steps = list(dict.fromkeys(step.strip().rstrip(".") for _, _, step in lines if step.strip()))
    told = "\n".join(told.strip() for told, _, _ in lines if told.strip())
    return (told if len(steps) < 2 else text), "; ".join(steps)


class FigurekeeperError(Exception):
    """Root of all errors an operator may see; its text ends with the next step."""

    retriable: ClassVar[bool] = False

    def __init__(self, what: str, *, next_step: str, dataset: str | None = None, request: str | None = None) -> None:
        self.what = what
        self.next_step = next_step
        self.dataset = dataset
        self.request = request
        self.incident: IncidentChange | None = None  # set by the refresh that ended with this error
        super().__init__(what)

    def __str__(self) -> str:
        where = [f"dataset {self.dataset}"] if self.dataset else []
        where += [f"request {self.request}"] if self.request else []
        place = f" ({', '.join(where)})" if where else ""
        return f"{self.what}{place}. {NEXT}{self.next_step}"


class UsageError(FigurekeeperError):
    """A question or command that cannot be meant; nothing was changed."""


class NoWarehouse(UsageError):
    """There is no warehouse yet where one was looked for."""


class WarehouseError(FigurekeeperError):
    """The store cannot do what was asked; nothing visible was changed."""


class WrongProfile(WarehouseError):
    """The folder holds a warehouse stamped with another profile."""


class StoreUnwritable(WarehouseError):
    """The disk is full, read-only or not permitted."""


class UnknownBatch(WarehouseError):
    """No batch has that id."""


class WrongState(WarehouseError):
    """The batch exists, but not in a state in which this decision can be taken."""


class Corrupted(WarehouseError):
    """Stored bytes no longer match the sha256 under which they are kept."""
