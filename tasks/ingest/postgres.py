"""Extract from PostgreSQL to bronze: contract, window, COPY, one Delta commit per table."""

import datetime as dt
import itertools
import math
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.dataset as pads
from prefect import task
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import RETRY_TRANSIENT, DataFailure, PermanentFailure
from blocks.settings.fields import ShopFields
from blocks.settings.settings import Settings
from blocks.shop_database import shop_connection
from lake.catalog import shop_tables
from lake.delta import Lake
from lake.row_counts import Extracted
from lake.source_table import SourceTable
from tasks.ingest.bronze import append, covered_until, held_rows, unseen
from tasks.ingest.contract_check import actual_columns, breaches
from tasks.ingest.extract_window import Window, covered_to, extraction_window
from tasks.ingest.postgres_copy import copy_batches, copy_query
from tasks.ingest.read_concurrently import WORKERS, interleave
from tasks.ingest.source_totals import record_source_totals

# Small enough that the keys of one chunk fit in memory many times over.
CHUNK_ROWS = 500_000


@task(**RETRY_TRANSIENT)
def check_contracts(settings: Settings) -> dict[str, list[str]]:
    """Compare every source table with its contract before anything is written; returns warnings per table.

    Raises PermanentFailure for a missing table, DataFailure for a dropped or retyped column.
    """
    broken, warnings = [], {}
    with shop_connection(settings) as connection:
        for table in shop_tables().values():
            actual = actual_columns(connection, table.name)
            if not actual:
                raise PermanentFailure(
                    f"table {table.name} is missing in the shop's database (or its user may not see it): "
                    "create it, grant SELECT on it, or correct SHOP_DSN"
                )
            table_broken, added = breaches(table, actual)
            broken += table_broken
            warnings[table.name] = added
    if broken:
        raise DataFailure(
            "the source breaks its contract: " + "; ".join(broken) + ". Nothing was extracted. "
            "Restore the column, or change its contract in expectations/contracts and what is built on it"
        )
    return warnings


@task(task_run_name="extract-{name}", **RETRY_TRANSIENT)
def extract_table(
    name: str, ds: dt.date, settings: Settings, lake: Lake, drift: list[str] | None = None
) -> Extracted:
    """Append the rows of one source table that a run for `ds` covers to `bronze.<name>`.

    Grain of bronze: one row per (key, cursor) that was ever seen. Extracting again adds nothing. Returns the
    number of rows, and `drift`, the warnings about the table's contract.
    """
    table = shop_tables()[name]
    mark = covered_until(lake, f"bronze.{name}")
    window = extraction_window(
        ds,
        dt.datetime.fromtimestamp(mark, dt.UTC) if mark is not None else None,
        settings.shop_timezone,
        settings.extract_overlap,
    )
    with shop_connection(settings) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        covered = covered_to(window, _now(connection))
        if name == "orders":
            record_source_totals(connection, lake, window)
        batches = window_batches(connection, settings, lake, table, window)
        rows = append(lake, f"bronze.{name}", table.schema, batches, int(covered.timestamp()))
    return Extracted(table=name, rows=rows, warnings=drift or [])


def window_batches(
    connection: Connection, settings: ShopFields, lake: Lake, table: SourceTable, window: Window
) -> Iterator[pa.RecordBatch]:
    """The rows in `window` that bronze does not hold, read by WORKERS connections in one snapshot."""
    in_window = window_condition(table.cursor, window)
    with connection.cursor() as cursor:
        cursor.execute("select pg_export_snapshot()")
        [(snapshot,)] = cursor.fetchall()
        cursor.execute(
            sql.SQL("select count(*), min({key}), max({key}) from {table} where {window}").format(
                key=sql.Identifier(table.key), table=sql.Identifier(table.name), window=in_window
            )
        )
        [(rows, low, high)] = cursor.fetchall()
    if not pa.types.is_integer(table.column(table.key).arrow_type):
        # Texts cannot be divided into ranges: one chunk.
        low = high = None
    streams = [
        partial(_chunk_batches, settings, snapshot, lake, table, window, chunk)
        for chunk in key_ranges(rows, low, high)
    ]
    return interleave(streams, WORKERS)


def key_ranges(
    rows: int, low: int | None, high: int | None, chunk_rows: int = CHUNK_ROWS
) -> list[tuple[int | None, int | None]]:
    """Split the keys low…high into half-open ranges of about `chunk_rows` rows; None is unbounded.

    The ranges cover every key, and rows without a key belong to the first.
    """
    if low is None or high is None:
        return [(None, None)] if rows else []
    chunks = min(math.ceil(rows / chunk_rows), high - low + 1)
    bounds = [None, *(low + (high - low + 1) * i // chunks for i in range(1, chunks)), None]
    return list(itertools.pairwise(bounds))


def window_condition(cursor: str, window: Window) -> sql.Composable:
    """The window as SQL on the indexed column itself, never on a function of it."""
    column = sql.Identifier(cursor)
    until = sql.SQL("{} < {}").format(column, sql.Literal(window.end))
    if window.start is None:
        return until
    return sql.SQL("{} >= {} and {}").format(column, sql.Literal(window.start), until)


def _chunk_batches(
    settings: ShopFields,
    snapshot: str,
    lake: Lake,
    table: SourceTable,
    window: Window,
    chunk: tuple[int | None, int | None],
) -> Iterator[pa.RecordBatch]:
    low, high = chunk
    key = pads.field(table.key)
    in_source, in_bronze = (
        [window_condition(table.cursor, window)],
        pads.field(table.cursor) < pa.scalar(window.end),
    )
    if window.start is not None:
        in_bronze &= pads.field(table.cursor) >= pa.scalar(window.start)
    if high is not None:
        beyond = sql.SQL("{} < {}" if low is not None else "({0} < {1} or {0} is null)")
        in_source.append(beyond.format(sql.Identifier(table.key), sql.Literal(high)))
        in_bronze &= (key < high) if low is not None else ((key < high) | key.is_null())
    if low is not None:
        in_source.append(sql.SQL("{} >= {}").format(sql.Identifier(table.key), sql.Literal(low)))
        in_bronze &= key >= low
    held = held_rows(lake, f"bronze.{table.name}", [table.key, table.cursor], in_bronze)
    schema = table.schema
    query = copy_query(table, sql.SQL(" and ").join(in_source))
    with shop_connection(settings) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("set transaction snapshot %s", (snapshot,))
        try:
            yield from unseen(
                copy_batches(connection, query, schema), held, [table.key, table.cursor], schema
            )
        except pa.ArrowInvalid as error:
            raise DataFailure(f"{table.name} holds a value that cannot be read: {error}") from error


def _now(connection: Connection) -> dt.datetime:
    """The source's clock at the transaction's start: its own, because it stamped `updated_at`."""
    with connection.cursor() as cursor:
        cursor.execute("select transaction_timestamp()")
        [(now,)] = cursor.fetchall()
        return now
