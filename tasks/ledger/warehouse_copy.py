"""A copy of the run ledger in the warehouse's schema `ops`, for people who query."""

from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.local_sql import connect
from tasks.ledger.queries import latest
from tasks.ledger.tables import TABLES
from tasks.warehouse.access import live_warehouse


def copy_to_warehouse(settings: Settings, lake: Lake) -> None:
    """Make the warehouse's `ops` tables equal to the lake's, the last record of each run and expectation."""
    with live_warehouse(settings) as warehouse:
        with warehouse.session() as session, connect() as local:
            session.execute("create schema if not exists ops")
            for table in TABLES:
                if lake.table(f"ops.{table}") is None:
                    continue
                local.register("records", lake.rows_since(f"ops.{table}", None))
                session.replace(f"ops.{table}", local.sql(latest(table)).to_arrow_table())
        warehouse.publish(built=())
