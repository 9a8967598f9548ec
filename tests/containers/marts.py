"""The marts of a warehouse file, to be compared with what another kind of run has made of the same shop."""

import shutil
import tempfile
from pathlib import Path

import duckdb

Marts = dict[str, list[tuple]]
"""The rows of each table in gold, in order, without the number of the load that brought them.

In how many loads a stream's events come is a matter of time.
"""


def read_marts(warehouse: Path) -> Marts:
    """All of gold, from a copy: whoever has the file open is not disturbed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy2(warehouse, folder)
        with duckdb.connect(copy, read_only=True) as connection:
            tables = connection.execute(
                "select table_name from information_schema.tables where table_schema = 'gold' order by 1"
            ).fetchall()
            return {
                table: connection.execute(
                    f"select columns(lambda name: name <> 'load_id') from gold.{table} order by all"
                ).fetchall()
                for (table,) in tables
            }


def assert_equal(marts: Marts, others: Marts) -> None:
    """Fail with the tables that differ, and how many rows of each."""
    assert marts.keys() == others.keys()
    assert sum(map(len, marts.values())) > 10_000
    different = {
        table: len(set(rows) ^ set(others[table])) for table, rows in marts.items() if rows != others[table]
    }
    assert not different, different
