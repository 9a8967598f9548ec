"""Extract from PostgreSQL to bronze: contract, window, comparison, one Delta commit each per table."""

import datetime as dt
from collections.abc import Iterator
from functools import partial

import psycopg2
import pyarrow as pa
from prefect import task
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import RETRY_TRANSIENT, DataFailure
from blocks.settings.settings import Settings
from blocks.shop.connection import shop_connection, shop_transaction
from lake.catalog import shop_tables
from lake.delta import Lake
from lake.row_counts import Extracted
from lake.source_table import SourceTable
from tasks.ingest.bronze import COMPARED, COVERED, append, covered_until
from tasks.ingest.chunks import window_batches
from tasks.ingest.comparison import Difference, compare
from tasks.ingest.corrections import reread, tombstones, unseen_versions
from tasks.ingest.decisions import Decisions, command
from tasks.ingest.extract_window import Window, covered_to, extraction_window, narrow_window, window_condition
from tasks.ingest.read_concurrently import interleave
from tasks.ingest.source_totals import record_source_totals
from tasks.shop.bad_row import first_bad_key
from tasks.shop.plan import hidden_rows_warning, index_warnings
from tasks.shop.relation import Relation, find_relation, source_clock
from tasks.shop.statistics import activity
from tasks.shop.versions import as_versions

SAMPLES = 3


@task(**RETRY_TRANSIENT)
def check_contracts(settings: Settings) -> dict[str, list[str]]:
    """Compare every source table with its contract before anything is written; returns warnings per table.

    Raises PermanentFailure for a missing table, DataFailure for a missing or retyped column.
    """
    broken, warnings = [], {}
    lake = Lake(settings.lake_uri)
    with shop_connection(settings) as connection:
        for table in shop_tables().values():
            relation = find_relation(connection, table, settings.shop_queries)
            broken += relation.broken
            warnings[table.name] = relation.additions + _dropped(lake, relation)
            if not relation.broken:
                window = window_condition(relation, narrow_window(source_clock(connection)))
                warnings[table.name] += index_warnings(connection, relation, window)
                warnings[table.name] += hidden_rows_warning(connection, relation)
    _stop_broken(broken)
    return warnings


def _stop_broken(broken: list[str]) -> None:
    if broken:
        raise DataFailure(
            "the source breaks its contract: " + "; ".join(broken) + ". Nothing was extracted. "
            "Restore the column, write the table's query in SHOP_QUERIES, or change its contract in "
            "expectations/contracts and what is built on it; `python -m flows.connect` shows every column"
        )


@task(task_run_name="extract-{name}", **RETRY_TRANSIENT)
def extract_table(
    name: str,
    ds: dt.date,
    settings: Settings,
    lake: Lake,
    drift: list[str] | None = None,
    decisions: Decisions | None = None,
) -> Extracted:
    """Bring `bronze.<name>` up to the source table at the end of `ds`, in two commits.

    Grain of bronze: one row per version of a row that was ever seen, and one per delete that was noticed.
    First the rows of the window; then those that it cannot see, and a tombstone for each row that is gone.
    Extracting again adds nothing. `drift` are the warnings about the table's contract; `decisions` what a
    person wants besides. Returns the number of rows, and warnings. Raises DataFailure at a mass delete that
    nobody has accepted.
    """
    table, decisions = shop_tables()[name], decisions or Decisions()
    with shop_connection(settings) as connection:
        relation = find_relation(connection, table, settings.shop_queries)
        _stop_broken(relation.broken)
        busy = activity(connection, relation)
    try:
        with shop_transaction(settings) as connection:
            now = source_clock(connection)
            window, end = _window(table, ds, settings, lake)
            if name == "orders":
                record_source_totals(connection, lake, relation, end)
            rows = _append_window(connection, settings, lake, relation, window, now)
            again = decisions.reread_condition(relation, end)
            if busy is not None and busy == lake.progress(f"bronze.{name}", COMPARED) and again is None:
                return Extracted(table=name, rows=rows, warnings=drift or [])
            found = compare(connection, lake, relation, end)
            _stop_mass_delete(found, settings, ds, decisions)
            rows += _append_corrections(connection, lake, relation, found, end, now, again, busy)
    except psycopg2.DataError as error:
        raise _undeliverable(settings, relation, error) from error
    warnings = [*(drift or []), *_unseen_warning(found, table)]
    return Extracted(table=name, rows=rows, deleted=len(found.gone), warnings=warnings)


def _append_window(
    connection: Connection,
    settings: Settings,
    lake: Lake,
    relation: Relation,
    window: Window,
    now: dt.datetime,
) -> int:
    """Append the window's new rows; none of a table without a cursor, which only a comparison finds."""
    rows: Iterator[pa.RecordBatch] = iter(())
    if relation.table.changes == "cursor":
        rows = window_batches(connection, settings, lake, relation, window)
    marks = {COVERED: int(covered_to(window, now).timestamp())}
    table = relation.table
    return append(lake, f"bronze.{table.name}", table.bronze_schema, as_versions(rows, relation, now), marks)


def _append_corrections(
    connection: Connection,
    lake: Lake,
    relation: Relation,
    found: Difference,
    end: dt.datetime,
    now: dt.datetime,
    again: sql.Composable | None,
    busy: int | None,
) -> int:
    """Append what the comparison has found, and the rows to read `again`."""
    table, bronze = relation.table, lake.table(f"bronze.{relation.table.name}")
    corrections = [
        partial(unseen_versions, connection, relation, found, now, end),
        partial(tombstones, bronze, table, found.gone, now),
    ]
    if again is not None:
        corrections.append(partial(reread, connection, bronze, relation, again, found, now))
    # One after the other, on one connection; in a thread of their own, since they read the lake.
    batches = interleave(corrections, workers=1)
    marks = {COMPARED: busy} if busy is not None else {}
    return append(lake, f"bronze.{table.name}", table.bronze_schema, batches, marks)


def _undeliverable(settings: Settings, relation: Relation, error: psycopg2.DataError) -> DataFailure:
    table = relation.table
    with shop_transaction(settings) as connection:
        key = first_bad_key(connection, relation)
    row = f"the row with {table.key} {key}" if key is not None else "a row"
    return DataFailure(
        f"{table.name}: the shop's database cannot deliver {row} "
        f"({error.diag.message_primary or error}); correct it there, or leave it out in "
        f"SHOP_QUERIES/{table.name}.sql, and run the day again"
    )


def _window(table: SourceTable, ds: dt.date, settings: Settings, lake: Lake) -> tuple[Window, dt.datetime]:
    """The window of a run for `ds`, and the moment up to which bronze will then hold everything.

    An old day that is run again must not take newer rows for deleted, or for rows that nobody has seen.
    """
    mark = covered_until(lake, f"bronze.{table.name}")
    covered = dt.datetime.fromtimestamp(mark, dt.UTC) if mark is not None else None
    window = extraction_window(ds, covered, settings.shop_timezone, settings.extract_overlap)
    return window, max(window.end, covered or window.end)


def _stop_mass_delete(found: Difference, settings: Settings, ds: dt.date, decisions: Decisions) -> None:
    if found.table in decisions.accept_deletes:
        return
    if found.is_mass_delete(settings.mass_delete_share, settings.mass_delete_rows):
        raise DataFailure(
            f"{len(found.gone):,} of {found.live:,} rows of {found.table} are gone from the shop's database, "
            f"for example {_samples(found.gone)}: more than {settings.mass_delete_share:.2%}. No delete was "
            "taken over. If it is meant (and no truncated table that is being filled again), go on with "
            + command("daily", ds, f"--accept-deletes {found.table}")
        )


def _unseen_warning(found: Difference, table: SourceTable) -> list[str]:
    if not found.unseen or not found.live or table.changes == "snapshot":
        return []
    return [
        f"{table.name}: no window could see {len(found.unseen):,} rows ({table.cursor} null, in the future, "
        f"set back, or committed later than EXTRACT_OVERLAP), for example {_samples(found.unseen)}; "
        "they are read now"
    ]


def _samples(keys: list[object]) -> str:
    return ", ".join(map(str, keys[:SAMPLES])) + (" …" if len(keys) > SAMPLES else "")


def _dropped(lake: Lake, relation: Relation) -> list[str]:
    """Sentences about optional columns that have been there: bronze holds values of them."""
    name = relation.table.name
    return [
        f"{name}.{column} is gone; it is optional, and null from now on"
        for column in relation.absent
        if lake.has_values(f"bronze.{name}", column)
    ]
