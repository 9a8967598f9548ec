"""DuckDB connections that give the same answers on every machine."""

import os
import tempfile
from pathlib import Path

import duckdb

# A variable, because each process that opens a DuckDB, dbt's among them, reads it by itself.
MEMORY_LIMIT = "DUCKDB_MEMORY_LIMIT"
DEFAULT_MEMORY_LIMIT = "1GB"


def connect(path: Path | str = ":memory:", read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that computes in UTC: dates of times, times in answers, texts without an offset."""
    connection = duckdb.connect(path, read_only=read_only)
    # The default is the machine's time zone; without `global`, every cursor would still have it.
    connection.execute("set global TimeZone = 'UTC'")
    # The default is most of the machine's memory. What exceeds the limit goes to disk.
    connection.execute("set memory_limit = ?", [os.environ.get(MEMORY_LIMIT) or DEFAULT_MEMORY_LIMIT])
    if path == ":memory:":
        connection.execute(
            "set temp_directory = ?", [str(Path(tempfile.gettempdir(), f"duckdb-{os.getpid()}"))]
        )
    return connection
