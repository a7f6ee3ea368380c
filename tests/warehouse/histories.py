"""One warehouse in which everything has happened once, for the tests of replay, back-up and comparison; and its parser.

Belongs here: the history, and reading the answers of tests/warehouse/makers.py again.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from tests.warehouse.makers import FACTS, load, part
from warehouse import deliveries, incidents, publish
from warehouse.archived import Archived
from warehouse.payloads import PayloadArchive
from warehouse.publish import Closing
from warehouse.schema import CheckResult, Decision, PartData, Scope, Severity
from warehouse.store import Warehouse

KOREA = {("KOR", "2016"): 4.2, ("KOR", "2017"): 4.55, ("JPN", "2017"): 3.2}
REVISED = {**KOREA, ("KOR", "2017"): 4.29}
REBASED = {**KOREA, ("KOR", "2016"): 3.99, ("KOR", "2017"): 4.07}
CHECK = CheckResult("value-in-range", "dataset", "p", Severity.CRITICAL, False, 3, 1, "4550", "at most 10", ({"a": 1},))


class MakersParsers:
    """Reads the answers that makers.part makes."""

    def parse(self, parts: Iterable[Archived]) -> Generator[PartData, None, None]:
        """Read parts again, in the order given."""
        for one in parts:
            [payload] = one.payloads()
            *cells, fetched, columns, stamp, archive, carried, _ = json.loads(payload.content)
            said = {(key, period): tuple(cell) if isinstance(cell, list) else cell for key, period, cell in cells}
            scope = None if one.scope.complete else one.scope
            data = part(
                said, fetched, name=one.part, stamp=stamp, archive=archive, carried=carried, scope=scope, **columns
            )
            yield one.of(data)

    def readings(self, body: Mapping[str, Any], archive: PayloadArchive) -> list[dict[str, Any]]:
        """Only schema version 1 told no readings."""
        raise AssertionError(f"batch {body['batch_id']} tells its readings")


def eventful(warehouse: Warehouse) -> None:
    """Publish, confirm, load an archive late, read partially, quarantine, release, discard, void, fail; with incidents."""
    load(warehouse, part(KOREA, "2020-03-01", stamp="2020-02-27"), part(KOREA, "2020-03-01", name="q"))
    load(warehouse, part(KOREA, "2020-04-01", stamp="2020-02-27"))
    load(warehouse, part(REVISED, "2021-03-01", stamp="2021-02-25"))
    load(warehouse, part({("KOR", "2017"): 4.6}, "2021-04-01", archive="201912"))
    some = {("KOR", "2017"): 4.07, ("KOR", "2018"): 4.5}
    load(warehouse, part(some, "2022-03-01", scope=Scope("2017", "2018"), stamp="2022-02-20"))
    held, _ = load(warehouse, part(REBASED, "2023-03-01"), decision=Decision.QUARANTINED)
    opened = incidents.open_or_count(warehouse, FACTS.id, "quarantine", Severity.CRITICAL, "held", "look", held)
    assert opened is not None
    incidents.open_or_count(warehouse, FACTS.id, "quarantine", Severity.CRITICAL, "held", "look again", held)
    [owed] = deliveries.owed(warehouse, "inbox")
    deliveries.delivered(warehouse, owed)
    publish.decide(warehouse, held, Closing(Decision.RELEASED, "Kim", "released by Kim: right", "right"))
    incidents.close_open(warehouse, FACTS.id, held, "released")
    bad, _ = load(warehouse, part({("KOR", "2017"): 4550.0}, "2023-04-01"), decision=Decision.QUARANTINED)
    publish.decide(warehouse, bad, Closing(Decision.DISCARDED, "Lin", "discarded by Lin: wrong", "wrong"))
    wrong, _ = load(warehouse, part({("KOR", "2017"): 9.9}, "2023-05-01"))
    publish.decide(warehouse, wrong, Closing(Decision.VOIDED, "Kim", "voided by Kim: a fault", "a fault"))
    _checked_and_failed(warehouse)
    publish.flush(warehouse)


def _checked_and_failed(warehouse: Warehouse) -> None:
    """A batch that failed after it was judged."""
    data = part(KOREA, "2023-06-01")
    [payload] = data.payloads
    with warehouse.lease(FACTS.id):
        batch = publish.begin(warehouse, FACTS, "test", "run-1")
        warehouse.payloads.store(payload.content)
        publish.record_stage(warehouse, batch, (), (), [("p", payload)], [CHECK], {"requests": 1})
        publish.close(warehouse, batch, Closing(Decision.FAILED, "test", "the disk was full", run_id="run-1"))
