"""Replay: a warehouse made anew from its truth, the journal and the payloads; offline, and with the same ids.

Each entry is carried out again by the code that carried it out first (staging, publishing), at the times and under the ids that
it tells. What that code would write into the journal is compared with what stands there, so that the first difference is
found and named. Belongs here: that. Copying the truth is in warehouse/truth.py, putting a new folder in an old one's place in
warehouse/rebuild.py, parsing comes from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text, update

from warehouse import clock, incidents, ledger, line, publish, records, staging
from warehouse.archived import Archived, Parsers, archived_parts
from warehouse.compare import Equality
from warehouse.errors import WarehouseError
from warehouse.publish import Closing
from warehouse.schema import Decision, PartData
from warehouse.staging import Confirmed, Staged
from warehouse.store import DatasetFacts, Warehouse
from warehouse.truth import Progress, Truth

Row = Mapping[str, Any]


class Differs(WarehouseError):
    """What was made anew is not what the journal tells."""


@dataclass
class Replayed:
    """What a replay did. `observations` are those of every part of every batch that was read, repeated readings included.

    `entries_1` are entries of schema version 1, which tell less: what became of them is not compared with what they tell.
    `kept_back` are readings of theirs (batch, part) that prove an earlier date than version 1 concluded.
    """

    entries: int = 0
    entries_1: int = 0
    batches: int = 0
    readings: int = 0
    observations: int = 0
    editions: int = 0
    kept_back: list[tuple[str, str]] = field(default_factory=list)


def replay(truth: Truth, into: Warehouse, parsers: Parsers, *, progress: Progress | None = None) -> Replayed:
    """Carry out a journal again in an empty warehouse, whose own journal and payloads are left alone.

    The caller alone uses `into`, and settles it afterwards where it will lie (warehouse/settling.py). Raises Differs at the
    first difference, Corrupted for changed bytes, and whatever parsing raises.
    """
    total = sum(1 for _ in truth.entries())
    run = _Replay(truth, into, parsers)
    with closing(run.parsed):
        for number, entry in enumerate(truth.entries(), start=1):
            run.carry_out(entry)
            if progress is not None:
                progress(number, total)
    run.finish()
    return run.done


class _Replay:
    """One replay on its way."""

    def __init__(self, truth: Truth, into: Warehouse, parsers: Parsers) -> None:
        self.truth = truth
        self.into = into
        self.parsers = parsers
        self.done = Replayed()
        self.echo = _Echo()
        self.found: dict[str, list[dict[str, Any]]] = {}  # readings of version-1 batches that are to be carried out
        self.parsed = parsers.parse(self._archived())
        self.last = 0
        into.journal = self.echo  # type: ignore[assignment]
        into.tables = _NoTables()  # type: ignore[assignment]

    def carry_out(self, entry: Row) -> None:
        handler: Callable[[Row], None] = {
            "batch": self._batch,
            "decision": self._decision,
            "incident": self._incident,
            "notice": self._incident,
            "carried": self._carried,
        }[entry["kind"]]
        self.echo.expected = entry
        handler(entry)
        self.last = entry["n"]
        self.done.entries += 1

    def finish(self) -> None:
        """Let new entries, decisions and incidents be numbered after those that were carried out."""
        for table in (ledger.outbox, ledger.decisions, ledger.incidents):
            with self.into.engine.begin() as connection:
                [key] = table.primary_key
                newest = self.last if table is ledger.outbox else connection.execute(select(func.max(key))).scalar()
                _number_from(connection, table, newest or 0)
        with self.into.engine.connect() as connection:
            self.done.editions = line.newest_edition(connection)

    def _archived(self) -> Iterator[Archived]:
        """Every part of every batch that was read, in order; the parser may run ahead of us."""
        for entry in self.truth.entries():
            if entry["kind"] == "batch":
                yield from archived_parts(self._understood(entry["body"]), self.truth.payloads)

    def _understood(self, body: Row) -> Row:
        """A batch entry as it is told now; schema version 1 told no readings."""
        if not _of_version_1(body):
            return body
        batch = {name: body[name] for name in records.BEGUN}
        if (readings := self.found.pop(body["batch_id"], None)) is None:
            ended = body["decision"] in (Decision.FAILED, Decision.ABANDONED)
            readings = [] if ended else self.parsers.readings(body, self.truth.payloads)
            self.found[body["batch_id"]] = readings
        return {**body, "batch": batch, "readings": readings, "attachments": {}}

    def _batch(self, entry: Row) -> None:
        body, batch_id = self._understood(entry["body"]), entry["body"]["batch_id"]
        self.done.entries_1 += _of_version_1(entry["body"])
        begun, facts = body["batch"], _facts(body)
        publish.begin(
            self.into,
            facts,
            begun["actor"],
            begun["run_id"],
            complete=begun["complete"],
            current=begun["current"],
            again=(batch_id, clock.from_text(begun["started_at"])),
        )
        staged = [self._stage(facts, batch_id, reading) for reading in body["readings"]]
        publish.record_stage(
            self.into,
            batch_id,
            [item for item in staged if isinstance(item, Staged)],
            [item for item in staged if isinstance(item, Confirmed)],
            (),
            (),
            begun["header"],
        )
        self._add_rows(batch_id, body)
        publish.close(self.into, batch_id, _closing(body, body["message"]))
        self.done.batches += 1
        if body["decision"] == Decision.UNCHANGED:
            found = (item.reading["part"] for item in staged if isinstance(item, Staged))
            self.done.kept_back += [(batch_id, part) for part in found]

    def _stage(self, facts: DatasetFacts, batch_id: str, reading: Row) -> Staged | Confirmed:
        data = next(self.parsed)
        told = reading.get("canonical_hash", data.canonical_hash)
        if data.part != reading["part"] or data.canonical_hash != told:
            raise Differs(
                f"part {data.part} of batch {batch_id}: its payloads are read otherwise than they were then "
                f"(canonical hash {data.canonical_hash[:12]}, in the journal {told[:12]})",
                dataset=facts.id,
                next_step="replay with the Figurekeeper version that wrote this journal, or mend the parser",
            )
        self.done.readings += 1
        self.done.observations += data.observations.num_rows
        if self._plainly_confirms(data, reading):
            counts = ("published_in", "voided_in")  # which come with the decision
            row = {name: value for name, value in reading.items() if name not in counts}
            return Confirmed(data.part, {**row, "batch_id": batch_id})
        return staging.stage(self.into, facts, batch_id, data, judged=False)

    def _plainly_confirms(self, data: PartData, reading: Row) -> bool:
        """True for a complete reading that was told to confirm a vintage, and has the very hash of what stands at its place.

        Nine of ten readings are such, and need no further look.
        """
        if not data.scope.complete or reading.get("compared", "") is not None:
            return False
        with self.into.engine.connect() as connection:
            part = reading["dataset"], reading["part"]
            stands = line.before(connection, *part, line.order_of(reading), inclusive=True)
        told = reading["vintage_id"], data.canonical_hash
        return [(row["vintage_id"], row["canonical_hash"]) for row in stands] == [told]

    def _add_rows(self, batch_id: str, body: Row) -> None:
        """The rows of payloads and checks, as the journal tells them."""
        checks = body.get("failed_checks", [])
        if sha256 := body["attachments"].get("checks"):
            checks = json.loads(self.truth.attachments.read(sha256))
        with ledger.transaction(self.into.engine, self.into.root) as connection:
            ledger.add(connection, ledger.payloads, [_of(ledger.payloads, row, batch_id) for row in body["payloads"]])
            ledger.add(connection, ledger.check_results, [_of(ledger.check_results, row, batch_id) for row in checks])
            connection.execute(
                update(ledger.batches)
                .where(ledger.batches.c.batch_id == batch_id)
                .values(fetched_at=body["batch"]["fetched_at"])
            )

    def _decision(self, entry: Row) -> None:
        body = entry["body"]
        message = body.get("message")
        if message is None:  # schema version 1
            before = publish.read_batch(self.into, body["batch_id"])["message"]
            message = f"{body['decision']} by {body['actor']}: {body['reason']} (it was {before})"
            self.done.entries_1 += 1
        publish.close(self.into, body["batch_id"], _closing(body, message))

    def _incident(self, entry: Row) -> None:
        with ledger.transaction(self.into.engine, self.into.root) as connection:
            incidents.apply(connection, entry["kind"], entry["body"])

    def _carried(self, entry: Row) -> None:
        with ledger.transaction(self.into.engine, self.into.root) as connection:
            carry(connection, self.truth, entry["body"])


def carry(connection: Connection, truth: Truth, body: Row) -> None:
    """Take over what a version-1 ledger knew and its journal did not tell: all checks, counts of incidents, notices."""
    for batch_id, sha256 in body["checks"].items():
        rows = json.loads(truth.attachments.read(sha256))
        connection.execute(ledger.check_results.delete().where(ledger.check_results.c.batch_id == batch_id))
        ledger.add(connection, ledger.check_results, [_of(ledger.check_results, row, batch_id) for row in rows])
    for row in body["incidents"]:
        chosen = ledger.incidents.c.incident == row["incident"]
        connection.execute(update(ledger.incidents).where(chosen).values(dict(row)))
    for row in body["batches"]:
        chosen = ledger.batches.c.batch_id == row["batch_id"]
        connection.execute(update(ledger.batches).where(chosen).values(dict(row)))
    ledger.add(connection, ledger.notices, body["notices"])
    digest = select(ledger.editions.c.digest).where(ledger.editions.c.edition == body["edition"])
    found = connection.execute(digest).scalar_one_or_none()
    if found != body["digest"]:
        raise Differs(
            f"edition {body['edition']} of schema version 1 comes out otherwise than at the upgrade "
            f"(digest {found}, in the journal {body['digest']})",
            next_step="replay with the Figurekeeper version that made the upgrade, and report this",
        )


class _Echo:
    """Takes the journal's place: what would be written must be what stands there."""

    def __init__(self) -> None:
        self.expected: Row = {}

    def append(self, entries: Sequence[tuple[int, str, dict[str, Any]]]) -> None:
        """Compare owed entries with the one that is carried out. Raises Differs."""
        for _, kind, body in entries:
            told = self.expected["body"]
            found = json.loads(json.dumps(body))
            if kind != self.expected["kind"] or _of_version_1(told):
                continue  # schema version 1 told less, and named vintages otherwise
            if where := difference(told, found):
                raise Differs(
                    f"journal entry {self.expected['n']} ({told['batch_id']}) comes out otherwise at {where}",
                    dataset=told["dataset"],
                    next_step="replay with the Figurekeeper version that wrote this journal, and report this",
                )


class _NoTables:
    """Takes the place of the Iceberg tables, which are built in one commit afterwards."""

    def change(self, *_: Any, **__: Any) -> None:
        """Nothing is told to Iceberg yet."""


def difference(told: Any, found: Any, where: str = "") -> str | None:
    """Where two JSON values differ first, and how; None when they are the same."""
    if isinstance(told, dict) and isinstance(found, dict):
        for name in sorted({*told, *found}):
            if deeper := difference(told.get(name), found.get(name), f"{where}.{name}".lstrip(".")):
                return deeper
        return None
    if isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        pairs = enumerate(zip(told, found, strict=True))
        return next((d for at, (one, two) in pairs if (d := difference(one, two, f"{where}[{at}]"))), None)
    return None if told == found else f"{where}: {_short(found)} instead of {_short(told)}"


def _short(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False)
    return said if len(said) < 80 else f"{said[:77]}…"


def _of_version_1(body: Row) -> bool:
    """True for a batch or decision that schema version 1 told."""
    return "message" not in body or "vintages" in body


def _facts(body: Row) -> DatasetFacts:
    described = dict(body["dataset_description"])
    equality = {part: Equality(**rule) for part, rule in described.pop("equality").items()}
    return DatasetFacts(body["dataset"], body["batch"]["dataset_file_sha256"], described, equality)


def _closing(body: Row, message: str) -> Closing:
    return Closing(
        Decision(body["decision"]),
        body["actor"],
        message,
        body["reason"],
        body["run_id"],
        clock.from_text(body["at"]),
    )


def _of(table: Table, row: Row, batch_id: str) -> dict[str, Any]:
    """The columns of a table that it has in this schema version."""
    return {column.name: row[column.name] for column in table.c if column.name in row} | {"batch_id": batch_id}


def _number_from(connection: Connection, table: Table, last: int) -> None:
    """Let a table number its next row after `last`."""
    [key] = table.primary_key
    if connection.dialect.name == "postgresql":
        query = text("select setval(pg_get_serial_sequence(:table, :key), :last, true)")
        connection.execute(query, {"table": table.name, "key": key.name, "last": max(last, 1)})
    elif table is ledger.outbox:  # the others count from their newest row by themselves
        connection.execute(insert(table), {"number": last, "kind": "", "body": {}})
        connection.execute(table.delete())
