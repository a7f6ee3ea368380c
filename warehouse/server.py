"""The catalogue's database in the server form: which PostgreSQL, which schema in it.

Belongs here: the address, checked and completed, without its password for people, and the schema. Tables are in
warehouse/ledger.py, leases in warehouse/locks.py. Every profile has a schema of its own, found through the connection's
search path, so that PyIceberg's tables and the quotas lie in it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from warehouse.errors import UsageError
from warehouse.files import storage_errors

if TYPE_CHECKING:
    from psycopg import Connection

#: Seconds to connect; a server that vanished without a word is given up after about half a minute, not after hours.
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",  # milliseconds
}
_MEND = "set FIGUREKEEPER_CATALOG_URI to postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or leave it out"


def space(profile: str) -> str:
    """The schema of a profile."""
    return f"figurekeeper_{profile}"


def catalogue(uri: str, profile: str) -> str:
    """The address with the profile's schema as search path, UTC as time zone, and limits to waiting.

    Raises UsageError for one that is no address, or not PostgreSQL's.
    """
    url = _parsed(uri)
    if url.get_backend_name() != "postgresql":
        raise UsageError(f"a catalogue in {url.get_backend_name()} is not supported", next_step=_MEND)
    given = url.query.get("options", ())
    options = [given] if isinstance(given, str) else [*given]
    options += [f"-csearch_path={space(profile)}", "-ctimezone=UTC"]
    query = {**_PATIENCE, **url.query, "options": " ".join(options)}
    return url.set(drivername="postgresql+psycopg", query=query).render_as_string(hide_password=False)


def masked(uri: str) -> str:
    """The address for people: no password, none of the options."""
    try:
        url = _parsed(uri)
    except UsageError:
        return "***"
    return url.set(query={}).render_as_string(hide_password=True)


def parameters(uri: str) -> dict[str, Any]:
    """The parameters with which psycopg itself connects to an address."""
    url = _parsed(uri)
    return dict(url.get_dialect()().create_connect_args(url)[1])


def has_space(uri: str) -> bool:
    """True when the schema of a completed address exists. Raises StoreUnreachable."""
    with _connected(uri) as connection:
        return _current(connection, "current_schema()") is not None


def make_space(uri: str) -> None:
    """Make the schema of a completed address unless it exists; two at once do no harm.

    Raises StoreUnreachable, StoreUnwritable when that is not permitted.
    """
    from psycopg import sql

    with _connected(uri) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('figurekeeper'))")
        if _current(connection, "current_schema()") is None:
            name = str(_current(connection, "current_setting('search_path')"))
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))


def _current(connection: Connection, what: LiteralString) -> object:
    row = connection.execute(f"select {what}").fetchone()
    return row[0] if row else None


@contextmanager
def _connected(uri: str) -> Iterator[Connection]:
    """One transaction on a connection of its own."""
    import psycopg

    with storage_errors(masked(uri)), psycopg.connect(**parameters(uri)) as connection:
        yield connection


def _parsed(uri: str) -> URL:
    try:
        return make_url(uri)
    except (ArgumentError, ValueError):  # its text would show the password
        raise UsageError("the address of the catalogue cannot be read", next_step=_MEND) from None
