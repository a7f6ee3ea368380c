"""Is the store sound? Everything that other modules rely on, looked at in the bytes themselves.

Belongs here: findings, in words. Nothing is mended: warehouse/maintenance.py does what can be done, a back-up the rest.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, select

from warehouse import ledger, line
from warehouse.errors import FigurekeeperError
from warehouse.store import Warehouse
from warehouse.tables import TABLES

#: How often, and after how many seconds, the tables are looked at again while a publish is under way.
_TRIES, _PAUSE = 10, 0.5
_COLUMNS = {"observations": ["vintage_id", "value", "status"], "series": ["vintage_id"]}


def check(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Every check with what it found. Rows: check, ok, examined, findings (a list; empty when all is well)."""
    checks: dict[str, Callable[[Warehouse], tuple[int, list[str]]]] = {
        "vintages": _vintages,
        "readings": _readings,
        "tables": _tables,
        "payloads": _payloads,
        "journal": _journal,
    }
    rows = []
    for name, made in checks.items():
        try:
            examined, findings = made(warehouse)
        except (FigurekeeperError, OSError) as error:
            examined, findings = 0, [str(error)]
        rows.append({"check": name, "ok": not findings, "examined": examined, "findings": findings})
    return rows


def _vintages(warehouse: Warehouse) -> tuple[int, list[str]]:
    """Each vintage's files exist and hold as many observations and series as the ledger says."""
    with warehouse.engine.connect() as connection:
        rows = connection.execute(select(ledger.vintages)).mappings().all()
    findings = []
    for name in TABLES:
        by_file: dict[str, dict[str, int]] = defaultdict(dict)
        for row in rows:
            by_file[row[f"{name}_file"]][row["vintage_id"]] = row[name]
        for file, said in sorted(by_file.items()):
            findings += [f"{file}: {finding}" for finding in _miscounted(warehouse, name, file, said)]
    return len(rows), findings


def _miscounted(warehouse: Warehouse, name: str, file: str, said: dict[str, int]) -> Iterator[str]:
    try:
        rows = pq.read_table(warehouse.path(file), columns=_COLUMNS[name], partitioning=None)
    except FileNotFoundError:
        yield f"the file is missing, and with it vintage {', '.join(sorted(said))}"
        return
    except (OSError, pa.ArrowInvalid) as problem:
        yield f"the file cannot be read ({str(problem).splitlines()[0]})"
        return
    if name == "observations":  # the empty cells of a provider's grid are no observations
        rows = rows.filter(pc.or_(pc.is_valid(rows.column("value")), pc.not_equal(rows.column("status"), "")))
    counts = rows.column("vintage_id").value_counts()
    held = Counter({str(count["values"]): int(count["counts"].as_py()) for count in counts})
    for vintage_id, number in sorted(said.items()):
        if held[vintage_id] != number:
            yield f"vintage {vintage_id} has {held[vintage_id]} {name}, the ledger says {number}"


def _readings(warehouse: Warehouse) -> tuple[int, list[str]]:
    """The rows of partial readings are held; every reading that counts says a vintage that is held."""
    columns = ledger.readings.c
    known = select(ledger.vintages.c.vintage_id)
    with warehouse.engine.connect() as connection:
        files = connection.execute(select(columns.observations_file, columns.series_file)).tuples().all()
        lost = select(columns.batch_id, columns.part).where(
            columns.published_in.is_not(None), columns.vintage_id.not_in(known)
        )
        findings = [f"batch {batch}, part {part}: its vintage is not held" for batch, part in connection.execute(lost)]
    named = sorted({name for pair in files for name in pair if name is not None})
    findings += [f"{name}: the file is missing" for name in named if not warehouse.storage.exists(name)]
    return len(files), findings


def _tables(warehouse: Warehouse) -> tuple[int, list[str]]:
    """Each Iceberg table holds the vintages of the newest edition, each once; looked at when no publish is under way."""
    for _ in range(_TRIES):
        wanted, publishing = _standing(warehouse)
        held = {name: Counter(warehouse.tables.vintages(name)) for name in TABLES}
        if not publishing and _standing(warehouse) == (wanted, publishing):
            break
        time.sleep(_PAUSE)
    else:
        return len(wanted), [
            f"batch {batch}: its publish is unfinished; the next one completes it" for batch in publishing
        ]
    findings = []
    for name in TABLES:
        ids = Counter(list(wanted))
        filled = Counter(vintage_id for vintage_id, rows in wanted.items() if rows[name])
        findings += [f"{name}: vintage {vintage_id} is missing" for vintage_id in sorted(filled - held[name])]
        findings += [f"{name}: vintage {vintage_id} is there in excess" for vintage_id in sorted(held[name] - ids)]
    return len(wanted), findings


def _standing(warehouse: Warehouse) -> tuple[dict[str, dict[str, int]], list[str]]:
    """The vintages of the newest edition, with their rows in each table; and the batches whose publish is under way."""
    columns = ledger.batches.c
    with warehouse.engine.connect() as connection:
        unfinished = connection.execute(select(columns.batch_id).where(columns.state == "publishing")).scalars().all()
        visible = line.visible(connection)
    return {row["vintage_id"]: {name: row[name] for name in TABLES} for row in visible}, sorted(unfinished)


def _payloads(warehouse: Warehouse) -> tuple[int, list[str]]:
    """Every answer that the ledger names, and every other one that is held, matches its sha256."""
    with warehouse.engine.connect() as connection:
        named = set(connection.execute(select(ledger.payloads.c.sha256).distinct()).scalars())
    every = sorted(named | set(warehouse.payloads.hashes()))
    findings = []
    for sha256 in every:
        try:
            warehouse.payloads.read(sha256)
        except FigurekeeperError as error:
            findings.append(str(error))
    return len(every), findings


def _journal(warehouse: Warehouse) -> tuple[int, list[str]]:
    """Every entry fits its predecessor, and the decisions that it tells, or that are owed to it, are those of the ledger."""
    with warehouse.engine.connect() as connection:
        before = _decided(connection)  # earlier than what is owed, and than the journal: a publish may be under way
        owed = connection.execute(select(ledger.outbox.c.kind, ledger.outbox.c.body)).tuples().all()
        end = ledger.journal_end(connection)
    entries = list(warehouse.journal.entries())
    told = {decision for entry in entries for decision in _told(entry["kind"], entry["body"])}
    with warehouse.engine.connect() as connection:
        after = _decided(connection)
    missing = before - told - {decision for kind, body in owed for decision in _told(kind, body)}
    findings = [f"batch {batch}: that it was {decision} is not in the journal" for batch, decision in sorted(missing)]
    findings += [
        f"batch {batch}: that it was {decision} is in the journal alone" for batch, decision in sorted(told - after)
    ]
    if end is not None and end not in [(entry["n"], entry["sha256"]) for entry in entries]:
        findings.append(f"entry {end[0]}, the last that was brought there, is missing or another one")
    return len(entries), findings


def _decided(connection: Connection) -> set[tuple[str, str]]:
    columns = ledger.decisions.c
    return set(connection.execute(select(columns.batch_id, columns.decision)).tuples())


def _told(kind: str, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The decision that a journal entry tells, if it tells one."""
    if kind in ("batch", "decision"):
        yield body["batch_id"], body["decision"]
