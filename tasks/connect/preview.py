"""The preview: every source table of the shop as a run would find it, in half a minute at most.

Only reads, in one read-only transaction. A question that takes too long is given up, and told as not known.
"""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from blocks.settings.failures import PipelineFailure
from blocks.settings.settings import EnvironmentSettings
from blocks.shop.connection import shop_transaction
from lake.catalog import shop_tables
from lake.source_table import SourceTable
from tasks.connect.models import ColumnPreview, ShopPreview, TablePreview
from tasks.connect.questions import NotKnown, Questions
from tasks.connect.sample import SAMPLED_ROWS, read_any, read_newest, rejected_shares, start_spark
from tasks.ingest.extract_window import narrow_window, previous_business_date, window_condition
from tasks.shop.plan import (
    LARGE,
    computed_cursor_warning,
    estimated_rows,
    hidden_rows_warning,
    index_warnings,
)
from tasks.shop.relation import SQL, Relation, find_relation
from tasks.shop.statistics import activity

COMMAND = "python -m flows.connect"
NOT_KNOWN, MISSING, COMPUTED = "not known", "missing", "none that helps"
NO_GRANT = "grant SELECT on it, and USAGE on its schema, to the user of SHOP_DSN"


def preview_shop(settings: EnvironmentSettings, now: dt.datetime) -> ShopPreview:
    """Look at every source table of the shop. Raises PipelineFailure if its database lets nobody in."""
    looked: list[tuple[TablePreview, SourceTable, pa.Table | None]] = []
    with shop_transaction(settings) as connection, ThreadPoolExecutor(max_workers=1) as pool:
        # Spark starts while the database is asked.
        pool.submit(start_spark)
        questions = Questions(connection)
        for table in shop_tables().values():
            preview, rows = _look_at(questions, table, settings)
            looked.append((preview, table, rows))
    for preview, table, rows in looked:
        if rows is not None:
            _try_rules(preview, table, rows, settings)
    shop = ShopPreview(
        at=now, database=_name_of(settings), tables=[each for each, *_ in looked], next_command=""
    )
    shop.next_command = _next_command(shop, settings, now)
    return shop


def _look_at(
    questions: Questions, table: SourceTable, settings: EnvironmentSettings
) -> tuple[TablePreview, pa.Table | None]:
    preview = TablePreview(table=table.name, place="")
    try:
        relation = questions.ask(lambda connection: find_relation(connection, table, settings.shop_queries))
    except NotKnown as reason:
        preview.unknown.append(f"{table.name}: {reason}; is it locked, or its query slow to plan?")
        return preview, None
    except PipelineFailure as failure:
        preview.broken.append(f"{table.name}: {failure}")
        return preview, None
    except psycopg2.errors.InsufficientPrivilege as error:
        preview.broken.append(f"{table.name}: {_said(error)}: {NO_GRANT}")
        return preview, None
    preview.place = relation.place
    preview.columns = _columns(relation)
    preview.additions, preview.broken = relation.additions, list(relation.broken)
    if relation.broken:
        return preview, None
    rows = None
    try:
        _say_how_changes_are_found(questions, preview, relation)
        _measure(questions, preview, relation)
        rows = _sample(questions, preview, relation)
    except psycopg2.errors.InsufficientPrivilege as error:
        preview.broken.append(f"{table.name}: {_said(error)}: {NO_GRANT}")
    except (psycopg2.DataError, psycopg2.ProgrammingError) as error:
        preview.broken.append(
            f"{table.name}: {relation.place} cannot be read: {_said(error)}; correct the value or the query"
        )
    except pa.ArrowInvalid as error:
        preview.broken.append(f"{table.name}: a value of {relation.place} cannot be read: {error}")
    return preview, rows


def _columns(relation: Relation) -> list[ColumnPreview]:
    columns = []
    for column in relation.table.columns:
        name = f"{relation.table.name}.{column.name}"
        found = relation.found.get(column.name)
        refused = [each for each in relation.broken if each.startswith(f"{name} ")]
        if refused:
            note = refused[0].removeprefix(f"{name} ")
        elif column.name in relation.absent:
            note = "not there; it is optional, and read as null"
        elif column.name not in relation.readings:
            note = "the moment at which the row is read"
        else:
            loses = relation.readings[column.name].loses
            note = "" if loses == "nothing" else f"quarantined: {loses}"
        columns.append(
            ColumnPreview(
                name=column.name,
                promised=column.type,
                found=str(found) if found else None,
                note=note,
                is_refused=bool(refused),
            )
        )
    return columns


def _measure(questions: Questions, preview: TablePreview, relation: Relation) -> None:
    """Rows and newest row; the exact number of a table that is small."""
    try:
        preview.rows = questions.ask(lambda connection: estimated_rows(connection, relation.source))
        preview.is_estimate = True
        if preview.rows <= LARGE:
            counted = SQL("select count(*) from (select from {} limit {}) as counted")
            query = counted.format(relation.source, SQL(str(LARGE + 1)))
            [(rows,)] = questions.ask(lambda connection: _rows(connection, query))
            if rows <= LARGE:
                preview.rows, preview.is_estimate = rows, False
    except NotKnown:
        pass
    if relation.table.changes == "snapshot":
        preview.newest_row = "no cursor"
    elif preview.cursor_index in (MISSING, COMPUTED):
        preview.newest_row = f"{NOT_KNOWN} (no index on {relation.table.cursor})"
    else:
        _look_at_cursors(questions, preview, relation)


def _look_at_cursors(questions: Questions, preview: TablePreview, relation: Relation) -> None:
    """The newest row, and rows that no window sees: cheap with an index, or of a small table."""
    name, cursor = relation.table.name, relation.table.cursor
    newest = SQL(
        "select {0}::text, {1}, {1} > transaction_timestamp() from {2} where {0} is not null "
        "order by {0} desc limit 1"
    ).format(relation.cursor, relation.value(cursor), relation.source)
    without = SQL("select {}::text from {} where {} is null limit 3").format(
        relation.key, relation.source, relation.cursor
    )
    try:
        found = questions.ask(lambda connection: _rows(connection, newest))
        preview.newest_row = "none"
        for text, moment, is_later in found:
            preview.newest_row = f"{moment:%Y-%m-%d %H:%M} UTC" if moment else str(text)
            if is_later or moment is None:
                preview.warnings.append(
                    f"{name}: its newest {cursor} is {preview.newest_row}, which is no moment up to now: no "
                    "window sees such rows, a comparison of keys does; correct them in the shop"
                )
        keys = [str(key) for (key,) in questions.ask(lambda connection: _rows(connection, without))]
    except NotKnown as reason:
        if preview.newest_row == NOT_KNOWN:
            preview.newest_row = f"{NOT_KNOWN} ({reason})"
        return
    if keys:
        preview.warnings.append(
            f"{name}: rows without {cursor} ({', '.join(keys)}) go to quarantine; correct them in the shop"
        )


def _say_how_changes_are_found(questions: Questions, preview: TablePreview, relation: Relation) -> None:
    table = relation.table
    now = dt.datetime.now(dt.UTC)
    if table.changes == "snapshot":
        preview.cursor_index = "none needed: all rows are compared in each run"
    else:
        window = window_condition(relation, narrow_window(now))
        try:
            missing = questions.ask(lambda connection: index_warnings(connection, relation, window))
            computed = questions.ask(lambda connection: computed_cursor_warning(connection, relation, window))
        except NotKnown as reason:
            preview.cursor_index = f"{NOT_KNOWN} ({reason})"
        else:
            preview.cursor_index = MISSING if missing else COMPUTED if computed else "used, or not needed yet"
            preview.warnings += missing + computed
    try:
        preview.warnings += questions.ask(lambda connection: hidden_rows_warning(connection, relation))
        is_counted = questions.ask(lambda connection: activity(connection, relation)) is not None
    except NotKnown as reason:
        preview.unknown.append(f"{table.name}: whether rows are hidden: {reason}")
        is_counted = False
    what = "followed" if table.deletes == "follow" else "kept"
    when = (
        "when the server counts changes" if is_counted else "in every run, since no server counts its changes"
    )
    preview.deletes = f"{what}; found by comparing all keys, {when}"


def _sample(questions: Questions, preview: TablePreview, relation: Relation) -> pa.Table | None:
    """The rows that the rules are tried on: the newest, else any, else none."""
    is_ordered = relation.table.changes == "cursor" and (
        preview.cursor_index not in (MISSING, COMPUTED) or not preview.is_estimate
    )
    if is_ordered:
        try:
            rows = questions.ask(lambda connection: read_newest(connection, relation))
            preview.sample = f"the newest {rows.num_rows:,} rows"
            return rows
        except NotKnown:
            pass
    try:
        rows = questions.ask(lambda connection: read_any(connection, relation, preview.rows))
        preview.sample = f"{rows.num_rows:,} rows, not the newest"
        return rows
    except NotKnown as reason:
        preview.unknown.append(f"{relation.table.name}: a sample of {SAMPLED_ROWS:,} rows: {reason}")
        return None


def _try_rules(
    preview: TablePreview, table: SourceTable, rows: pa.Table, settings: EnvironmentSettings
) -> None:
    preview.sampled_rows = rows.num_rows
    if not rows.num_rows:
        preview.warnings.append(f"{table.name}: {preview.place} has no rows; is it the right one?")
        return
    try:
        preview.rejected = rejected_shares(rows, table, settings.shop_timezone)
    except Exception as error:
        preview.unknown.append(
            f"{table.name}: its row rules: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        )
        return
    rejected = sum(each.rows for each in preview.rejected)
    if not rejected:
        return
    worst = preview.rejected[0]
    said = (
        f"{table.name}: {rejected / rows.num_rows:.1%} of {preview.sample} would be rejected, most by "
        f"{worst.rule} ({', '.join(worst.samples)})"
    )
    if rejected > settings.quarantine_threshold * rows.num_rows:
        preview.broken.append(
            f"{said}: more than QUARANTINE_THRESHOLD ({settings.quarantine_threshold:.0%}), so the bronze "
            f"gate stops a run; correct the rows, SHOP_QUERIES/{table.name}.sql or the contract's rule"
        )
    else:
        preview.warnings.append(f"{said}; they go to quarantine")


def _next_command(shop: ShopPreview, settings: EnvironmentSettings, now: dt.datetime) -> str:
    if not shop.broken and not shop.unknown:
        return f"python -m flows.daily {previous_business_date(now, settings.shop_timezone)}"
    # As tasks/shop/visibility.py says of a table that is missing.
    wants_query = any(f"SHOP_QUERIES/{table.table}.sql" in " ".join(table.broken) for table in shop.tables)
    is_missing = any(not table.place for table in shop.tables)
    return f"{COMMAND} --scaffold" if wants_query and is_missing else COMMAND


def _name_of(settings: EnvironmentSettings) -> str:
    parts = parse_dsn(settings.shop_dsn.get_secret_value())
    return f"{parts.get('dbname', '')} at {parts.get('host', 'localhost')}"


def _rows(connection: Connection, query: sql.Composable) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _said(error: psycopg2.Error) -> str:
    return " ".join((error.diag.message_primary or str(error)).split())
