"""A copy of the run ledger in a PostgreSQL: Grafana cannot read a DuckDB file."""

import psycopg2
import pyarrow as pa
from prefect.logging import get_logger
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from blocks.monitoring import CONNECT_TIMEOUT_SECONDS, reason
from blocks.settings.environment import namespaced
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ledger.queries import latest, query_records
from tasks.ledger.tables import TABLES, ledger_schema

STATEMENT_TIMEOUT_SECONDS = 60
TYPES = {
    pa.string(): "text",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamptz",
    pa.float64(): "double precision",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
}


def copy_ledger_to_postgres(settings: Settings, lake: Lake) -> None:
    """Make the tables of schema `ops` in `OPS_DSN` equal to the ledger's, if that is set.

    A platform other than production has a schema of its own, `ops_<platform>`.
    A failed copy is logged and does not fail the run.
    """
    try:
        if dsn := settings.ops_dsn.get_secret_value():
            _copy(lake, dsn)
    except Exception as error:
        get_logger("ledger").warning("the run ledger could not be copied to OPS_DSN (%s)", reason(error))


def _copy(lake: Lake, dsn: str) -> None:
    connection = psycopg2.connect(dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        # One transaction: until it ends, readers see the tables as they were.
        with connection, connection.cursor() as cursor:
            # Not as options of the connection: a pooler refuses them, and those of the DSN would be lost.
            cursor.execute(
                f"set local timezone = 'UTC'; set local statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"
            )
            schema = namespaced("ops", "_")
            cursor.execute("select to_regnamespace(quote_ident(%s)) is null", (schema,))
            if cursor.fetchone() == (True,):
                # Not "if not exists": the right to make schemas would be asked for even where it is there.
                cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
            for table in TABLES:
                name = sql.Identifier(schema, table)
                _replace(cursor, name, table, query_records(lake, table, latest(table)))
    finally:
        connection.close()


def _replace(cursor: Cursor, name: sql.Identifier, table: str, rows: list[tuple]) -> None:
    """Make the table anew, so that it has the columns that the ledger has now."""
    columns = ", ".join(f'"{field.name}" {TYPES[field.type]}' for field in ledger_schema(table))
    cursor.execute(sql.SQL("drop table if exists {}").format(name))
    cursor.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(columns)))
    execute_values(cursor, sql.SQL("insert into {} values %s").format(name), rows, page_size=1_000)
