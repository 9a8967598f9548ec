"""The warehouse: load silver, and write-audit-publish, on whichever kind the settings name.

A run works on a staged warehouse, which readers do not see before the gold gate has passed. What differs
between the kinds lies in the module of each; what each lets readers see is in docs/warehouses.md.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from prefect import runtime, task
from prefect.concurrency.sync import concurrency

from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.timing import timed
from tasks.warehouse.interface import Session, Warehouse, WarehouseKind
from tasks.warehouse.lake_lock import lake_lock

# The server's concurrency limit (deployments/resources/concurrency_limits.py) holds across machines, where a
# file lock may not.
WRITER_LIMIT = "warehouse-writer"


def warehouse_kind(settings: Settings) -> WarehouseKind:
    """The kind of warehouse that the settings name; no other's client is imported."""
    match settings.warehouse:
        case "snowflake":
            from tasks.warehouse.snowflake import SnowflakeWarehouse

            return SnowflakeWarehouse
        case "bigquery":
            from tasks.warehouse.bigquery import BigQueryWarehouse

            return BigQueryWarehouse
        case "duckdb":
            from tasks.warehouse.duckdb import DuckDBWarehouse

            return DuckDBWarehouse


@contextmanager
def one_writer(lake: Lake) -> Iterator[None]:
    """The right to change lake and warehouse: one run at a time, wherever it runs.

    For runs that build no marts: whoever has a staged warehouse has it.
    Of runs of a deployment the server lets one go on; a run that dies without giving it back loses it after a
    minute. Runs by hand, or of another server, meet at the lake. Raises TransientFailure.
    """
    by_server = concurrency(WRITER_LIMIT, lease_duration=60) if runtime.deployment.id else nullcontext()
    with by_server, lake_lock(lake):
        yield


@contextmanager
def staged_warehouse(settings: Settings) -> Iterator[Warehouse]:
    """A warehouse to build marts in that nobody reads yet, and the right to change the lake: for one writer.

    Raises TransientFailure if another run holds either, PermanentFailure if it cannot be had.
    """
    with one_writer(Lake(settings.lake_uri)), warehouse_kind(settings).staged(settings) as staged:
        yield staged


def live_warehouse(settings: Settings) -> AbstractContextManager[Warehouse]:
    """The warehouse with the marts that people read; a change in it counts once it is published."""
    return warehouse_kind(settings).live(settings)


def check_warehouse(settings: Settings) -> None:
    """Try to reach the warehouse. Raises PipelineFailure."""
    warehouse_kind(settings).check(settings)


@task(task_run_name="publish-warehouse", **RETRY_TRANSIENT)
@timed
def publish_warehouse(warehouse: Warehouse, built: Collection[str] | None = None) -> None:
    """Let readers see the staged warehouse; no marts but those of `built` differ from what they see."""
    warehouse.publish(built)


def reading_warehouse(settings: Settings) -> AbstractContextManager[Session]:
    """A connection for queries on what people read now, whoever writes."""
    return warehouse_kind(settings).reading(settings)


def query_warehouse(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """The answer of a SELECT on what people read now: a dict by column name per row."""
    with reading_warehouse(settings) as session:
        return session.rows(sql).read_all().to_pylist()
