"""The line of a part: which vintages follow each other, and which readings stand behind them, in any edition.

Belongs here: reading the line from the ledger, in known order. How it comes to be is in warehouse/arrange.py, what is asked
of it in warehouse/questions.py. Every function takes a connection, so that one transaction sees one state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, func, literal, or_, select, tuple_
from sqlalchemy.sql import ColumnElement

from warehouse import ledger
from warehouse.compare import Equality
from warehouse.errors import UsageError

Row = Mapping[str, Any]
Order = tuple[str, str, str]
_EDITION = re.compile(r"^(?P<profile>[a-z]+)-(?P<number>\d+)-(?P<digest>[0-9a-f]{6,64})$")


def order_of(row: Row) -> Order:
    """The order of readings, and of the vintages that they open: place, fetch time, sha256; never the time of loading."""
    return row["place"], row["fetched_at"], row["sha256"]


def newest_edition(connection: Connection) -> int:
    """The newest edition; 0 before the first publish."""
    return int(connection.execute(select(func.coalesce(func.max(ledger.editions.c.edition), 0))).scalar_one())


def edition_id(profile: str, edition: int, digest: str) -> str:
    """What a paper cites: profile, number and the beginning of the digest, such as sandbox-42-9f3a1c7b20de."""
    return f"{profile}-{edition}-{digest[:12]}"


def edition(connection: Connection, profile: str, asked: int | str | None) -> int:
    """The edition that a number or a citable id means; the newest for None.

    Raises UsageError for one that does not exist, or whose digest belongs to another warehouse.
    """
    newest = newest_edition(connection)
    if asked is None:
        return newest
    text = str(asked)
    cited = _EDITION.match(text)
    number = int(cited["number"]) if cited else int(text) if text.isdecimal() else 0
    if not 0 < number <= newest:
        raise UsageError(
            f"there is no edition {asked}", next_step=f"ask for 1 to {newest}, or for an id that was cited"
        )
    if cited:
        digest = connection.execute(
            select(ledger.editions.c.digest).where(ledger.editions.c.edition == number)
        ).scalar_one()
        if cited["profile"] != profile or not digest.startswith(cited["digest"]):
            raise UsageError(
                f"edition {asked} is not of this warehouse, whose edition {number} is {edition_id(profile, number, digest)}",
                next_step="open the warehouse that the citation names, or ask for the edition held here",
            )
    return number


def visible(
    connection: Connection,
    dataset: str | None = None,
    part: str | None = None,
    *,
    edition: int | None = None,
    since: Order | None = None,
) -> list[Row]:
    """The vintages that stand in an edition (None: the newest), in known order; `since`: from that place on.

    Rows: the columns of `vintages` and of `line`.
    """
    query = _standing(edition)
    if dataset is not None:
        query = query.where(ledger.line.c.dataset == dataset)
    if part is not None:
        query = query.where(ledger.line.c.part == part)
    if since is not None:
        query = query.where(_place(ledger.line) >= _literal(since))
    return sorted(_rows(connection, query), key=order_of)


def newest(connection: Connection, dataset: str | None = None, *, edition: int | None = None) -> list[Row]:
    """The vintage of each part that is the latest known, by dataset and part."""
    last = {(row["dataset"], row["part"]): row for row in visible(connection, dataset, edition=edition)}
    return [last[key] for key in sorted(last)]


def before(
    connection: Connection, dataset: str, part: str, limit: Order, count: int = 1, *, inclusive: bool = False
) -> list[Row]:
    """The last vintages of a part that were opened before a place (or at it), newest first."""
    query = _standing().where(
        ledger.line.c.dataset == dataset, ledger.line.c.part == part, _upto(ledger.line, limit, inclusive)
    )
    newest_first = (ledger.line.c.place.desc(), ledger.line.c.fetched_at.desc(), ledger.line.c.sha256.desc())
    return _rows(connection, query.order_by(*newest_first).limit(count))


def opens(connection: Connection, dataset: str, part: str, place: Order, batch_id: str) -> bool:
    """True when a batch's reading at that place opens a vintage that stands."""
    query = _standing().where(
        ledger.line.c.dataset == dataset,
        ledger.line.c.part == part,
        _place(ledger.line) == _literal(place),
        ledger.line.c.batch_id == batch_id,
    )
    return connection.execute(query).first() is not None


def readings(
    connection: Connection,
    dataset: str,
    part: str,
    *,
    edition: int | None = None,
    since: Order | None = None,
    until: Order | None = None,
) -> list[Row]:
    """The readings that count, in order. An edition is frozen at its birth; None asks for all that count now.

    `since` is inclusive, `until` exclusive.
    """
    query = _counting(dataset, part, edition)
    query = query if since is None else query.where(_place(ledger.readings) >= _literal(since))
    query = query if until is None else query.where(_place(ledger.readings) < _literal(until))
    return sorted(_rows(connection, query), key=order_of)


def reading_before(
    connection: Connection, dataset: str, part: str, limit: Order, *, inclusive: bool = False
) -> Row | None:
    """The last reading that counts before a place (or at it)."""
    columns = ledger.readings.c
    query = _counting(dataset, part).where(_upto(ledger.readings, limit, inclusive))
    newest_first = (columns.place.desc(), columns.fetched_at.desc(), columns.sha256.desc())
    return next(iter(_rows(connection, query.order_by(*newest_first).limit(1))), None)


def looked_between(
    connection: Connection, dataset: str, part: str, after: str, until: Order | None, *, edition: int | None = None
) -> bool:
    """True when a reading that counts stands after an instant and before a place (None: anywhere after)."""
    query = _counting(dataset, part, edition).where(ledger.readings.c.place > after)
    query = query if until is None else query.where(_place(ledger.readings) < _literal(until))
    return connection.execute(query.limit(1)).first() is not None


def last_look(
    connection: Connection, dataset: str, part: str, *, until: str | None = None, edition: int | None = None
) -> str | None:
    """The place of the last reading that counts, at or before an instant (None: at all); None when there is none."""
    query = _counting(dataset, part, edition).with_only_columns(func.max(ledger.readings.c.place))
    query = query if until is None else query.where(ledger.readings.c.place <= until)
    place: str | None = connection.execute(query).scalar_one()
    return place


def vintage(connection: Connection, vintage_id: str) -> Row | None:
    """A row of `vintages`, whether or not it stands; None when there is none."""
    query = select(ledger.vintages).where(ledger.vintages.c.vintage_id == vintage_id)
    return next(iter(_rows(connection, query)), None)


def equality(connection: Connection, dataset: str, part: str) -> Equality:
    """When two values of a part are the same number, as its dataset file said last."""
    description = connection.execute(
        select(ledger.datasets.c.description).where(ledger.datasets.c.dataset == dataset)
    ).scalar_one_or_none()
    return Equality(**(description or {}).get("equality", {}).get(part, {}))


def _standing(edition: int | None = None) -> Select[Any]:
    vintages, line = ledger.vintages, ledger.line
    told = [column for column in line.c if column.name not in vintages.c]
    joined = select(vintages, *told).join(line, vintages.c.vintage_id == line.c.vintage_id)
    return joined.where(_counts(line, edition))


def _counting(dataset: str, part: str, edition: int | None = None) -> Select[Any]:
    columns = ledger.readings.c
    chosen = select(ledger.readings).where(columns.dataset == dataset, columns.part == part)
    return chosen.where(_counts(ledger.readings, edition))


def _counts(table: Table, edition: int | None) -> ColumnElement[bool]:
    """Now (None), or in an edition."""
    begun, ended = table.c.published_in, table.c.voided_in
    if edition is None:
        return and_(begun.is_not(None), ended.is_(None))
    return and_(begun <= edition, or_(ended.is_(None), ended > edition))


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _upto(table: Table, limit: Order, inclusive: bool) -> ColumnElement[bool]:
    place: Any = _place(table)
    return place <= _literal(limit) if inclusive else place < _literal(limit)  # type: ignore[no-any-return]


def _literal(place: Order) -> Any:
    return tuple_(*(literal(text) for text in place))


def _place(table: Table) -> Any:
    """The order as one SQL value."""
    return tuple_(table.c.place, table.c.fetched_at, table.c.sha256)
