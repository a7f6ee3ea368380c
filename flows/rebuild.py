"""Parsing archived answers again, for replay: the connectors' parsers behind warehouse.archived.Parsers.

Belongs here: which parser reads which part, on all cores, and each set of payloads once. Nothing is asked of a provider. Does
not belong here: what is done with the parts (warehouse/replay.py).
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from typing import Any

from connectors import contract
from connectors.contract import Ask, PartFetch
from connectors.datasets import Dataset
from connectors.errors import NoData
from connectors.http.answers import Classify, classify_status
from connectors.http.request import Request
from connectors.http.transport import Transport
from flows.outcome import FAILED, NO_DATA
from warehouse import clock
from warehouse.archived import Archived, payload_of
from warehouse.contents import scope_of, told_scope
from warehouse.payloads import PayloadArchive
from warehouse.schema import PartData, Payload, Scope

Row = Mapping[str, Any]
#: Parts that are parsed before they are asked for, and below how many it is not worth starting processes.
_AHEAD = 64
_FEW = 100
_VERSION = re.compile(r"/version/(\d{6})/")
_PERIOD = re.compile(r"(?<!\d)((?:19|20)\d\d(?:-Q[1-4]|-(?:0[1-9]|1[0-2]))?)(?!\d)")


class ArchiveParsers:
    """The connectors' parsers, as replay wants them."""

    def __init__(self, cores: int | None = None) -> None:
        """`cores`: on how many to parse; None: on all of this machine."""
        self.cores = cores or os.cpu_count() or 1

    def parse(self, parts: Iterable[Archived]) -> Generator[PartData, None, None]:
        """Read parts again, in the order given; the same bytes with the same meaning are read once."""
        rest = iter(parts)
        first = list(islice(rest, _FEW))
        if self.cores == 1 or len(first) < _FEW:
            return _in_turn(chain(first, rest))
        return _side_by_side(chain(first, rest), self.cores)

    def readings(self, body: Row, archive: PayloadArchive) -> list[dict[str, Any]]:
        """The readings of a version-1 batch: its questions are asked again, of the archived answers."""
        dataset = dataset_of(json.dumps(_without_rules(body["dataset_description"])))
        changes: dict[str, str] = body["header"]["parts"]
        read = {part for part, change in changes.items() if change != NO_DATA and not change.startswith(FAILED)}
        if not read:
            return []
        for scope in _scopes(body):
            answers = _asked_again(dataset, Ask(scope=scope, versions=_versions(body)), body, archive)
            found = [answer for answer in answers if answer.payloads and answer.part in read]
            if {answer.part for answer in found} == read:
                return [_reading(answer) for answer in found]
        raise NoData(
            f"batch {body['batch_id']}: its payloads do not answer the questions that this program would ask",
            dataset=dataset.id,
            next_step="upgrade with the version of Figurekeeper that follows the one that wrote it",
        )


@lru_cache(maxsize=64)
def dataset_of(description: str) -> Dataset:
    """The dataset file as it was, without its checks, from what the warehouse keeps of it."""
    return Dataset.model_validate(json.loads(description))


def parse_one(part: Archived) -> PartData:
    """Read the payloads of one part; their bytes are left out of the result. Raises Corrupted, ProviderError."""
    dataset = dataset_of(part.description)
    fetched = PartFetch(part.part, part.payloads(), part.stamp, part.scope)
    with _no_collector():
        return part.of(contract.parse(dataset, fetched))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the garbage collector, which looks through an answer's many small objects again and again: 4 of 10 parts
    of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _key(part: Archived) -> tuple[Any, ...] | None:
    """Equal for parts whose bytes are the same and meant the same; None where that is not known."""
    if part.canonical_hash is None:
        return None
    return part.description, part.canonical_hash, part.scope, *(row["sha256"] for row in part.rows)


def _in_turn(parts: Iterable[Archived]) -> Generator[PartData, None, None]:
    """One after the other; of each part the newest is kept."""
    last: dict[tuple[str, str], tuple[tuple[Any, ...] | None, PartData]] = {}
    for part in parts:
        key, (known, data) = _key(part), last.get((part.dataset, part.part), (None, None))
        if key is None or key != known or data is None:
            data = parse_one(part)
            last[part.dataset, part.part] = key, data
        yield part.of(data)


def _side_by_side(parts: Iterator[Archived], cores: int) -> Generator[PartData, None, None]:
    """On several cores, ahead of what is asked for; the first ones here, while the other processes start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *(f"connectors.{provider}.connector" for provider in contract.PROVIDERS)])
    with ProcessPoolExecutor(cores, mp_context=context) as pool, ThreadPoolExecutor(1) as aside:
        started = aside.submit(pool.submit, os.getpid)
        for data in _in_turn(parts):
            yield data
            if started.done():
                break
        asked = _submitted(pool, parts)
        waiting = deque(islice(asked, _AHEAD))
        while waiting:
            part, future = waiting.popleft()
            waiting.extend(islice(asked, 1))
            yield part.of(future.result())


def _submitted(pool: ProcessPoolExecutor, parts: Iterable[Archived]) -> Iterator[tuple[Archived, Future[PartData]]]:
    """Each part with its future; of each the newest is kept."""
    last: dict[tuple[str, str], tuple[tuple[Any, ...] | None, Future[PartData]]] = {}
    for part in parts:
        key, (known, future) = _key(part), last.get((part.dataset, part.part), (None, None))
        if key is None or key != known or future is None:
            future = pool.submit(parse_one, part)
            last[part.dataset, part.part] = key, future
        yield part, future


class _ArchiveTransport(Transport):
    """Answers from the archive, to the questions of a batch, in the order in which they were given."""

    def __init__(self, provider: str, body: Row, archive: PayloadArchive) -> None:
        super().__init__(provider, body["header"]["address"])
        self._archived = archive
        self._rows: dict[tuple[str, str | None], deque[Row]] = {}
        for row in body["payloads"]:
            self._rows.setdefault((row["url"], row["body"]), deque()).append(row)

    def get(self, request: Request, classify: Classify = classify_status) -> Payload:
        """The archived answer; one that was given several times comes as often. Raises NoData."""
        rows = self._rows.get((self.url(request), request.body))
        if not rows:
            raise NoData("this was not asked then", request=request.path, next_step="nothing: another batch asked it")
        row = rows.popleft() if len(rows) > 1 else rows[0]
        return payload_of(row, self._archived.read(row["sha256"]))


def _asked_again(dataset: Dataset, ask: Ask, body: Row, archive: PayloadArchive) -> tuple[PartFetch, ...]:
    """What a fetch makes of a batch's answers; nothing when they are answers to other questions."""
    with _ArchiveTransport(dataset.provider, body, archive) as transport:
        try:
            return contract.connector(dataset.provider).fetch(dataset, ask, transport).parts
        except NoData:
            return ()


def _versions(body: Row) -> tuple[str, ...]:
    """The archive versions that a batch asked for."""
    asked = {found.group(1) for row in body["payloads"] if (found := _VERSION.search(row["url"]))}
    return tuple(sorted(asked))


def _scopes(body: Row) -> Iterator[Scope]:
    """The scopes that a batch may have asked for, the likeliest first: version 1 told that of new vintages alone."""
    if not body["complete"]:
        yield from (scope_of(row["scope"]) for row in body["vintages"][:1])
    yield Scope()
    if not body["complete"]:
        texts = [
            f"{row['url'].removeprefix(body['header']['address'])} {row['body'] or ''}" for row in body["payloads"]
        ]
        periods = sorted({period for text in texts for period in _PERIOD.findall(text)})
        yield from (Scope(start, end) for start in [None, *periods] for end in [None, *periods])


def _reading(answer: PartFetch) -> dict[str, Any]:
    """What `readings` tells of an answer before it is parsed."""
    stamp = answer.stamp
    return {
        "part": answer.part,
        "scope": told_scope(answer.scope),
        "stamp": stamp.text if stamp else None,
        "stamp_at": clock.to_text(stamp.at) if stamp else None,
        "stamp_precision": stamp.precision.value if stamp else None,
        "stamp_basis": stamp.basis.value if stamp else None,
    }


def _without_rules(description: Row) -> Row:
    return {name: value for name, value in description.items() if name != "equality"}
