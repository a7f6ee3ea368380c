"""DuckDB as a calculator: a connection for one question over frames and Parquet files; nothing in it lasts.

Opening a database costs as much as a dozen questions, so that those of one process are cursors of one; tables registered with a
cursor are its own.
"""

from __future__ import annotations

import os
from functools import cache

import duckdb


def scratch() -> duckdb.DuckDBPyConnection:
    """A connection to an empty database in memory; close it when the question is answered."""
    return _database(os.getpid()).cursor()


@cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """One a process: a database does not survive a fork."""
    return duckdb.connect()
