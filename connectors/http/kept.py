"""Answers that cut off runs of the same question were given, and that are therefore not asked for again.

Belongs here: which of them stand for an answer. Does not belong here: finding those runs (the caller's matter), when an answer
is too old, or which requests must be asked anew whatever is kept (the connectors say so).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.http.request import Request
from warehouse.schema import Payload

#: A request as a record tells it: method, address below the base URL, body.
Key = tuple[str, str, str | None]


@dataclass(frozen=True)
class Earlier:
    """What one such run was answered: by request, in order, how to read it. Nothing could be made of the answers for the parts
    `unfit`."""

    answers: Mapping[Key, Sequence[Callable[[], Payload | None]]]
    unfit: Collection[str] = field(default=())

    def all(self, request: Request) -> list[Payload]:
        """Every answer to a request, oldest first."""
        if request.part is not None and request.part in self.unfit:
            return []
        read = (answer() for answer in self.answers.get(_key(request), ()))
        return [payload for payload in read if payload is not None]


class Kept:
    """The answers of some `runs`, newest run first."""

    def __init__(self, runs: Sequence[Earlier] = ()) -> None:
        self.runs = list(runs)
        self._taken: set[Key] = set()

    def look(self, request: Request) -> Payload | None:
        """The newest answer to a request."""
        return next((found[-1] for run in self.runs if (found := run.all(request))), None)

    def take(self, request: Request) -> Payload | None:
        """The newest answer to a request, once: who asks for it a second time wants another."""
        if request.anew or _key(request) in self._taken:
            return None
        self._taken.add(_key(request))
        return self.look(request)

    def only_where(self, probe: Request, same: Callable[[Payload], bool]) -> None:
        """Forget the runs that did not read the state of now: an answer to the probe, by which it is told, was not the same."""
        self.runs = [run for run in self.runs if (told := run.all(probe)) and all(map(same, told))]

    def forget(self) -> None:
        """Nothing that is kept may stand for an answer."""
        self.runs = []


def _key(request: Request) -> Key:
    return request.method, request.address, request.body
