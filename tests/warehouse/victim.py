"""A process that does one thing to a warehouse and stops before its k-th durable step, where its parent kills it.

Durable steps are what a crash leaves: a file renamed into place (vintages, payloads, journal segments), a file of Iceberg closed,
a commit of the database (the ledger's and Iceberg's catalogue). Between two of them nothing changes that another process sees.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from tests.warehouse.makers import load, store
from warehouse import durable_io, publish
from warehouse.publish import Closing
from warehouse.schema import Decision, PartData
from warehouse.store import DatasetFacts, Warehouse

#: A part to load, or a batch and what is decided on it.
Deed = PartData | tuple[str, Decision]


class Steps:
    """Counts the durable steps of this process, and waits for its end before one of them."""

    def __init__(self, told: Connection, fatal: int) -> None:
        self.told = told
        self.fatal = fatal
        self.number = 0

    def watch(self, owner: Any, name: str) -> None:
        """Make a function a durable step."""
        real: Callable[..., Any] = getattr(owner, name)

        def step(*arguments: Any, **named: Any) -> Any:
            self.number += 1
            if self.number == self.fatal:
                self.told.send(" ".join([name, *(Path(one).name for one in arguments if isinstance(one, str | Path))]))
                signal.pause()
            return real(*arguments, **named)

        setattr(owner, name, step)


def act(warehouse: Warehouse, facts: DatasetFacts, deed: Deed) -> None:
    """Load a part, or decide on a batch."""
    if isinstance(deed, PartData):
        load(warehouse, deed, facts=facts)
    else:
        batch, decision = deed
        publish.decide(warehouse, batch, Closing(decision, "Ada", "said so", "because"))


def die(told: Connection, fatal: int, home: Path, facts: DatasetFacts, deed: Deed) -> None:
    """Act, and stop before the durable step of that number; tell which one it is, or None when there are fewer."""
    warehouse = store(home)
    steps = Steps(told, fatal)
    steps.watch(os, "replace")
    steps.watch(durable_io._DurableStream, "close")
    steps.watch(DefaultDialect, "do_commit")
    act(warehouse, facts, deed)
    told.send(None)


def live(told: Connection, home: Path, facts: DatasetFacts, deed: Deed) -> None:
    """Act, and tell when it is done."""
    act(store(home), facts, deed)
    told.send("done")
