"""COPY as Arrow batches, from a real PostgreSQL."""

import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg2
import pyarrow as pa
import pytest
from psycopg2 import sql

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import TransientFailure
from blocks.settings.settings import Settings
from blocks.shop.connection import shop_connection
from lake.source_table import Column, SourceTable
from tasks.shop.postgres_copy import copy_batches
from tasks.shop.relation import find_relation
from tests.support.platforms import Platform
from tests.support.rows import DAY, at, order, put

TYPES = {
    "i": "bigint",
    "n": "integer",
    "t": "text",
    "d": "date",
    "m": "numeric(12,2)",
    "z": "timestamp with time zone",
}


def promised(name: str, **types: str) -> SourceTable:
    """A source table with these columns, {name: type}, and plain facts otherwise."""
    plain = {"is_required": False, "is_unique": False, "is_personal": False, "warehouse_name": None}
    columns = [
        Column(column, kind, "", **plain, valid_values=(), options={}, warnings=())
        for column, kind in types.items()
    ]
    return SourceTable(name, "table", "", "", next(iter(types)), "", "z", "keep", tuple(columns), None)


EVERY_TYPE = promised("every_type", **TYPES)
SCHEMA = EVERY_TYPE.schema


def read(dsn: str, query: sql.Composable, schema: pa.Schema = SCHEMA) -> pa.Table:
    connection = psycopg2.connect(dsn, options="-c timezone=UTC")
    try:
        return pa.Table.from_batches(copy_batches(connection, query, schema), schema)
    finally:
        connection.close()


def read_table(dsn: str, table: SourceTable, where: str = "true") -> pa.Table:
    """The rows of a source table, as the extract's COPY reads them."""
    with psycopg2.connect(dsn) as connection:
        relation = find_relation(connection, table, "")
    connection.close()
    return read(dsn, relation.copy_query(sql.SQL(where)), relation.copy_schema)


def round_trip(platform: Platform, column: str, literal: str) -> Any:
    """What the SQL `literal` is after the journey from a table through COPY and Arrow."""
    platform.execute(
        "create table every_type (i bigint, n int, t text, d date, m numeric(12,2), z timestamptz)"
    )
    platform.execute(
        f"insert into every_type (i, {column}) values (1, {literal})"
        if column != "i"
        else f"insert into every_type (i) values ({literal})"
    )
    return read_table(platform.dsn, EVERY_TYPE).column(column).to_pylist()


@pytest.mark.parametrize(
    ("column", "literal", "expected"),
    [
        pytest.param("t", "null", None, id="NULL"),
        pytest.param("t", "''", "", id="the empty string is not NULL"),
        pytest.param("t", "'NULL'", "NULL", id="the word NULL"),
        pytest.param("t", r"'\N'", r"\N", id="COPY's own null of the text format"),
        pytest.param("t", "' '", " ", id="a blank"),
        pytest.param("t", "'a,b'", "a,b", id="comma"),
        pytest.param("t", """'say "yes"'""", 'say "yes"', id="quotes"),
        pytest.param("t", "'\"'", '"', id="one quote"),
        pytest.param("t", r"e'a\nb\r\nc'", "a\nb\r\nc", id="line ends"),
        pytest.param("t", r"e'a\n\\.\nb'", "a\n\\.\nb", id="backslash-dot on a line of its own"),
        pytest.param("t", r"e'\\.'", "\\.", id="backslash-dot alone"),
        pytest.param("t", "'Zoë 東京 🛒'", "Zoë 東京 🛒", id="unicode"),
        pytest.param("t", "'1.0'", "1.0", id="text that looks like a number"),
        pytest.param("t", "repeat('x', 300000)", "x" * 300_000, id="a long value"),
        pytest.param("i", "9223372036854775807", 2**63 - 1, id="largest bigint"),
        pytest.param("i", "-9223372036854775808", -(2**63), id="smallest bigint"),
        pytest.param("n", "-2147483648", -(2**31), id="smallest integer"),
        pytest.param("m", "-0.01", Decimal("-0.01"), id="negative cents"),
        pytest.param("m", "9999999999.99", Decimal("9999999999.99"), id="largest amount"),
        pytest.param("m", "-9999999999.99", Decimal("-9999999999.99"), id="smallest amount"),
        pytest.param("m", "10", Decimal("10.00"), id="a whole amount"),
        pytest.param("m", "'NaN'", None, id="NaN: no engine behind holds it"),
        pytest.param("m", "null", None, id="no amount"),
        pytest.param("d", "'2024-02-29'", dt.date(2024, 2, 29), id="leap day"),
        pytest.param("d", "'infinity'", None, id="date infinity"),
        pytest.param("d", "'-infinity'", None, id="date -infinity"),
        pytest.param("d", "'0044-03-15 BC'", None, id="BC"),
        pytest.param("d", "'10000-01-01'", None, id="beyond year 9999"),
        pytest.param("d", "'0001-01-01'", dt.date(1, 1, 1), id="first date"),
        pytest.param("d", "'9999-12-31'", dt.date(9999, 12, 31), id="last date"),
        pytest.param("z", "'2024-03-04 12:00:00.000001+00'", at(DAY, microsecond=1), id="one microsecond"),
        pytest.param(
            "z", "'2024-03-04 12:00:00.999999+05:30'", at(DAY, 6, 30, 0, 999_999), id="another zone's offset"
        ),
        pytest.param("z", "'1900-01-01 00:00:00+00'", at(dt.date(1900, 1, 1), 0), id="before the epoch"),
    ],
)
def test_a_value_comes_back_as_it_was(platform: Platform, column: str, literal: str, expected: Any) -> None:
    assert round_trip(platform, column, literal) == [expected]


def test_an_empty_result_has_no_rows_and_the_schema(platform: Platform) -> None:
    platform.execute(
        "create table every_type (i bigint, n int, t text, d date, m numeric(12,2), z timestamptz)"
    )
    table = read_table(platform.dsn, EVERY_TYPE)
    assert (table.num_rows, table.select(SCHEMA.names).schema) == (0, SCHEMA)


def test_the_condition_selects(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2), order(3))
    orders = promised("orders", order_id="bigint", z="timestamp with time zone")
    platform.execute("alter table orders add z timestamptz")
    rows = read_table(platform.dsn, orders, "order_id >= 2")
    assert sorted(rows["order_id"].to_pylist()) == [2, 3]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        pytest.param(
            "copy (select * from nowhere) to stdout (format csv, header)",
            psycopg2.errors.UndefinedTable,
            id="an error before the first row",
        ),
        pytest.param(
            "copy (select 1 / (200000 - i) as i from generate_series(1, 300000) i) "
            "to stdout (format csv, header)",
            psycopg2.errors.DivisionByZero,
            id="an error after many rows",
        ),
    ],
)
def test_the_error_of_the_query_is_raised_as_it_is(database: str, query: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(database, sql.SQL(query), pa.schema([("i", pa.int64())]))


def test_a_value_that_does_not_fit_is_an_arrow_error_and_does_not_hang(database: str) -> None:
    # Millions of rows behind the bad one: the server is still sending when the reader gives up.
    query = (
        "copy (select case when i = 5 then 'x' else '1' end as i from generate_series(1, 3000000) i) "
        "to stdout (format csv, header)"
    )
    with pytest.raises(pa.ArrowInvalid, match="'x'"):
        read(database, sql.SQL(query), pa.schema([("i", pa.int64())]))


def test_a_reader_that_stops_early_leaves_nothing_behind(database: str) -> None:
    query = sql.SQL(
        "copy (select repeat('x', 1000) as t from generate_series(1, 200000)) to stdout (format csv, header)"
    )
    connection = psycopg2.connect(database)
    before = threading.active_count()
    batches = copy_batches(connection, query, pa.schema([("t", pa.string())]))
    assert next(batches).num_rows
    batches.close()
    connection.close()
    assert threading.active_count() == before


def cut_when_copying(platform: Platform) -> threading.Thread:
    """Terminate the backend of the COPY that is about to run, from another connection."""

    def cut() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if platform.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy (select%%' "
                "and state = 'active' and datname = current_database() and pid <> pg_backend_pid()"
            ):
                return
            time.sleep(0.01)

    thread = threading.Thread(target=cut)
    thread.start()
    return thread


def slow_rows() -> Iterator[pa.RecordBatch]:
    """More rows than a cut connection can deliver, through the shop's own connection."""
    query = sql.SQL(
        "copy (select i, "
        "repeat('x', 500) || case when i % 1000 = 0 then pg_sleep(0.01)::text else '' end as t "
        "from generate_series(1, 10000000) i) to stdout (format csv, header)"
    )
    with shop_connection(Settings()) as connection:
        yield from copy_batches(connection, query, pa.schema([("i", pa.int64()), ("t", pa.string())]))


def test_a_connection_cut_in_mid_copy_is_transient_not_a_parse_error(platform: Platform) -> None:
    cutter = cut_when_copying(platform)
    with pytest.raises(TransientFailure, match="broke off"):
        for _ in slow_rows():
            pass
    cutter.join()


MEMORY_PROBE = """
import resource, sys
import psycopg2, pyarrow as pa
from psycopg2 import sql
from lake.source_table import Column, SourceTable
from tasks.shop.postgres_copy import copy_batches

def copy(rows):
    rows_of_text = f"select i, repeat('x', 400) as t from generate_series(1, {rows}) i"
    query = f"copy ({rows_of_text}) to stdout (format csv, header)"
    connection = psycopg2.connect(sys.argv[1])
    batches = copy_batches(connection, sql.SQL(query), pa.schema([("i", pa.int64()), ("t", pa.string())]))
    assert sum(batch.num_rows for batch in batches) == rows
    connection.close()

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

copy(30_000)
small = peak()
copy(300_000)
print(peak() - small)
"""


def test_memory_does_not_grow_with_the_table(database: str) -> None:
    """Ten times the rows (120 MB more) may cost a few batches more of the allocator's slack, not the rows."""
    probe = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, database],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert probe.returncode == 0, probe.stderr
    assert float(probe.stdout) < 40
