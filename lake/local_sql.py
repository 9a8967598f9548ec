"""DuckDB connections that give the same answers on every machine."""

from pathlib import Path

import duckdb


def connect(path: Path | str = ":memory:", read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that computes in UTC: dates of times, times in answers, texts without an offset."""
    connection = duckdb.connect(path, read_only=read_only)
    # The default is the machine's time zone; without `global`, every cursor would still have it.
    connection.execute("set global TimeZone = 'UTC'")
    return connection
