"""A copy of the run ledger in the warehouse's schema `ops`, for people who query."""

from duckdb import DuckDBPyConnection

from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.local_sql import connect
from tasks.ledger.queries import latest
from tasks.ledger.tables import TABLES, UNIQUE_BY
from tasks.warehouse.access import live_warehouse
from tasks.warehouse.interface import Session
from tasks.warehouse.loads import Load, loads, prepare_loads, record_load


def copy_to_warehouse(settings: Settings, lake: Lake) -> int:
    """Make the warehouse's `ops` tables equal to the lake's, the last record of each run and expectation.

    Returns the number of records written: of a ledger that was only appended to, those that are new.
    """
    with live_warehouse(settings) as warehouse:
        with warehouse.session() as session, connect() as local:
            session.execute("create schema if not exists ops")
            prepare_loads(session)
            before = loads(session)
            written = sum(_copy(session, local, lake, table, before.get(f"ops.{table}")) for table in TABLES)
        warehouse.publish(built=())
    return written


def _copy(session: Session, local: DuckDBPyConnection, lake: Lake, table: str, before: Load | None) -> int:
    name = f"ops.{table}"
    held = lake.table(name)
    if held is None:
        return 0
    load = Load(str(held.metadata().id), held.version())
    if load == before:
        return 0
    is_appended = (
        before is not None
        and before.lake_table == load.lake_table
        and lake.is_only_appended_since(name, before.lake_version)
    )
    local.register("records", lake.rows_since(name, before.lake_version if before and is_appended else None))
    records = local.sql(latest(table)).to_arrow_table()
    if is_appended:
        session.put(name, UNIQUE_BY[table].split(", "), records)
    else:
        session.replace(name, records)
    record_load(session, name, load)
    return int(records.num_rows)
