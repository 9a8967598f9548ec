"""Comparing a table with what it should hold, row by row, so that a failure can be read."""

import re
from collections import Counter
from collections.abc import Collection, Iterable

import duckdb
import pyarrow as pa

from lake.delta import Lake


def lake_rows(lake: Lake, name: str, columns: str = "*", without: Collection[str] = ()) -> list[tuple]:
    """Rows of a table of the lake, read without Spark."""
    table = lake.table(name)
    if table is None:
        return []
    return arrow_rows(table.to_pyarrow_table(), columns, without)


def arrow_rows(table: pa.Table, columns: str, without: Collection[str] = ()) -> list[tuple]:
    """The given columns (`*`: all, but for those named in `without`) of an Arrow table as tuples."""
    names = table.column_names if columns == "*" else [name.strip() for name in columns.split(",")]
    names = [name for name in names if name not in without]
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def warehouse_rows(
    connection: duckdb.DuckDBPyConnection, query: str, without: Collection[str] = ()
) -> list[tuple]:
    """Rows of a query on the warehouse."""
    return arrow_rows(connection.sql(query).to_arrow_table(), "*", without)


def assert_same(what: str, actual: Iterable[tuple], expected: Iterable[tuple]) -> None:
    """Assert that two bags of rows are equal; the message lists the rows that only one of them has."""
    held, due = Counter(actual), Counter(expected)
    surplus, missing = sorted((held - due).elements(), key=str), sorted((due - held).elements(), key=str)
    lines = [f"  holds    {row}" for row in surplus] + [f"  misses   {row}" for row in missing]
    assert not lines, f"{what} is not what the source says:\n" + "\n".join(map(_plain, lines))


def _plain(line: str) -> str:
    return re.sub(r"tzinfo=(datetime\.timezone\.utc|zoneinfo\.ZoneInfo\(key='UTC'\))", "UTC", line)
