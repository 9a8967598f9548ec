"""DuckDB, the same on every machine."""

from pathlib import Path

import duckdb


def connect(path: Path | str = ":memory:", read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that reckons in UTC: dates cut from times, times given out, texts without an offset."""
    connection = duckdb.connect(path, read_only=read_only)
    # Otherwise it is the zone of the machine; and without `global`, that of every cursor.
    connection.execute("set global TimeZone = 'UTC'")
    return connection
