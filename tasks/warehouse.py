"""The warehouse: load silver, and write-audit-publish, on DuckDB, Snowflake or BigQuery.

A run works on a staged warehouse, which readers do not see before the gold gate has passed. What differs
between the three lies in `warehouse_duckdb.py`, `warehouse_snowflake.py` and `warehouse_bigquery.py`; what
each lets readers see is in docs/warehouses.md.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable
from prefect import runtime, task
from prefect.concurrency.sync import concurrency
from pydantic import BaseModel

from blocks.failures import RETRY_TRANSIENT
from blocks.settings import Settings
from spark_jobs.lake import Lake
from tasks.inventory_events import ensure_tables
from tasks.warehouse_bigquery import BigQueryWarehouse
from tasks.warehouse_duckdb import DuckDBWarehouse
from tasks.warehouse_snowflake import SnowflakeWarehouse

# The server's concurrency limit (deployments/limits.py): it holds across machines, where a file lock may not.
WRITER_LIMIT = "warehouse-writer"
KEYS = {
    "orders": "order_id",
    "customers": "customer_id",
    "products": "product_id",
    "clickstream": "event_id",
    "inventory": "event_id",
}
# Lineage of the lake that analysts have no use for.
LAKE_ONLY = {"clickstream": ["source_file", "line_number"]}
# BigQuery reserves PARTITION, DuckDB OFFSET, and each service quotes names in its own way.
RENAMED = {"topic": "kafka_topic", "partition": "kafka_partition", "offset": "kafka_offset"}
# Events are never replaced by newer versions of themselves.
EVENTS = ("clickstream", "inventory")
KINDS: dict[str, Any] = {
    "duckdb": DuckDBWarehouse,
    "snowflake": SnowflakeWarehouse,
    "bigquery": BigQueryWarehouse,
}

Scope = Literal["first", "changes", "all"]
"""What the rows of an upsert are: all that the table is to hold while it holds nothing that counts; those
that may have changed; all that it is to hold, so that others are removed."""


class Session(Protocol):
    """A connection to a warehouse; SQL for it must mean the same on all three, and names `schema.table`."""

    def rows(self, query: str) -> pa.RecordBatchReader:
        """The answer to a query; column names in lower case."""
        ...

    def execute(self, statement: str) -> None:
        """Run a statement that has no answer."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is a table or view of this name."""
        ...

    def columns(self, name: str) -> list[str]:
        """The columns of a table or view; none if it does not exist."""
        ...

    def add_column(self, name: str, column: pa.Field) -> None:
        """Add a column of the lake to a table, null in every row."""
        ...

    def next_load_id(self) -> int:
        """A number that no load before has had."""
        ...

    def replace(self, name: str, rows: pa.Table) -> None:
        """Make a table hold these rows and no others."""
        ...

    def upsert(self, name: str, key: str, rows: pads.Scanner, load_id: int, scope: Scope) -> int:
        """Insert or replace the rows that differ, with this `load_id`; returns how many. Makes the table."""
        ...


# Prefect makes a schema of each flow's parameters, and tests them against it.
@runtime_checkable
class Warehouse(Protocol):
    """A warehouse that a run works on; it holds no connection and no credentials."""

    @property
    def gold(self) -> str:
        """The schema in which this run's marts are."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A connection, closed at the end."""
        ...

    def publish(self, built: Collection[str] | None = None) -> None:
        """Let readers see the marts of this run, all at once; those of `built` are all that can differ."""
        ...

    def dbt_variables(self) -> dict[str, str]:
        """The environment variables that dbt/profiles.yml reads."""
        ...


class Loaded(BaseModel):
    """Rows that a load inserted or changed, per table; `load_id` numbers the load."""

    load_id: int
    rows: dict[str, int]


def one_writer() -> AbstractContextManager[None]:
    """The right to change the warehouse, for runs of a deployment: one at a time, wherever they run.

    A run that dies without giving it back loses it after a minute. Other runs have no server that could
    hold a limit for them, and rely on the lock of `staged_warehouse`.
    """
    return concurrency(WRITER_LIMIT, lease_duration=60) if runtime.deployment.id else nullcontext()


def staged_warehouse() -> AbstractContextManager[Warehouse]:
    """A warehouse to build marts in that nobody reads yet, for one writer at a time.

    Raises TransientFailure if another run holds it, PermanentFailure if it cannot be had.
    """
    return KINDS[Settings().warehouse].staged()


def live_warehouse() -> AbstractContextManager[Warehouse]:
    """The warehouse with the marts that people read; what is changed in it counts once it is published."""
    return KINDS[Settings().warehouse].live()


def check_warehouse() -> None:
    """Try to reach the warehouse. Raises PipelineFailure."""
    KINDS[Settings().warehouse].check()


@task(task_run_name="load-warehouse", **RETRY_TRANSIENT)
def load_warehouse(warehouse: Warehouse, full: bool = False, tables: Collection[str] = KEYS.keys()) -> Loaded:
    """Bring silver and quarantine into the staged warehouse: changed rows only.

    A changed row gets this load's `load_id`. Loading again changes nothing, and a load that failed half-way
    is made good by the next. A table that lacks a column of the lake gets it, and is compared as a whole.
    `full` compares all of silver and also removes what it no longer holds.
    """
    lake = Lake(Settings().lake_uri)
    # A shop without Kafka has its marts all the same, empty.
    ensure_tables(lake)
    with warehouse.session() as session:
        for schema in ("ops", "silver", "quarantine"):
            session.execute(f"create schema if not exists {schema}")
        session.execute(
            "create table if not exists ops.loads (table_name string, lake_table string, lake_version bigint)"
        )
        load_id = session.next_load_id()
        rows = {}
        for table in tables:
            key = KEYS[table]
            rows[table] = _load(session, lake, f"silver.{table}", key, load_id, full)
            _load(session, lake, f"quarantine.{table}", "quarantine_id", load_id, full)
        if len(rows) == len(KEYS):
            _create_open_quarantine(session)
    return Loaded(load_id=load_id, rows=rows)


@task(task_run_name="publish-warehouse", **RETRY_TRANSIENT)
def publish_warehouse(warehouse: Warehouse, built: Collection[str] | None = None) -> None:
    """Let readers see the staged warehouse; no marts but those of `built` differ from what they see."""
    warehouse.publish(built)


def query_warehouse(sql: str) -> list[dict[str, Any]]:
    """The rows that a SELECT finds in what people read now, each by column name."""
    with KINDS[Settings().warehouse].reading() as session:
        return session.rows(sql).read_all().to_pylist()


def _load(session: Session, lake: Lake, name: str, key: str, load_id: int, full: bool) -> int:
    """Insert or replace the rows of a lake table that differ from the warehouse's; returns how many."""
    lake_table = DeltaTable(lake.uri(name))
    version, identity = lake_table.version(), str(lake_table.metadata().id)
    lake_only = LAKE_ONLY.get(name.split(".")[1], [])
    fields = [field for field in pa.schema(lake_table.schema().to_arrow()) if field.name not in lake_only]
    columns = {RENAMED.get(field.name, field.name): field for field in fields}
    _add_missing(session, name, [field.with_name(column) for column, field in columns.items()])
    loads = session.rows("select table_name, lake_table, lake_version from ops.loads").read_all().to_pylist()
    known_as = {each["table_name"]: (each["lake_table"], each["lake_version"]) for each in loads}
    known_identity, known = known_as.get(name, (identity, None))
    # A lake that was begun anew counts its versions from the start again.
    full = full or known_identity != identity
    if known == version and not full:
        return 0
    rows = lake.rows_since(name, None if full else known).scanner(
        columns={column: pads.field(field.name) for column, field in columns.items()}
    )
    scope: Scope = "first" if known is None else "all" if full else "changes"
    changed = session.upsert(name, key, rows, load_id, scope)
    session.execute(
        f"""
        merge into ops.loads as held
        using (select '{name}' as table_name, '{identity}' as lake_table, {version} as lake_version) as latest
        on held.table_name = latest.table_name
        when matched then update set lake_table = latest.lake_table, lake_version = latest.lake_version
        when not matched then insert (table_name, lake_table, lake_version)
            values (latest.table_name, latest.lake_table, latest.lake_version)
        """
    )
    return changed


def _add_missing(session: Session, name: str, columns: list[pa.Field]) -> None:
    """Add the columns that a table lacks; its rows are then compared as a whole."""
    held = session.columns(name)
    missing = [column for column in columns if held and column.name not in held]
    if missing:
        # As if the lake were another. First, so that the next load compares them if this one dies.
        session.execute(f"update ops.loads set lake_table = '' where table_name = '{name}'")
    for column in missing:
        session.add_column(name, column)


def _create_open_quarantine(session: Session) -> None:
    """The view `quarantine.open_rows`: rejected rows that no valid version of the same key has replaced."""
    selects = [
        f"""
        select rejected.source, rejected.ds, rejected.reason, rejected.key, rejected.occurred_at, rejected.raw
        from quarantine.{table} as rejected
        where not exists (
            select 1 from silver.{table} as valid
            where cast(valid.{key} as string) = rejected.key and {replaced_by}
        )
        qualify rejected.key is null or row_number() over (
            partition by rejected.key order by rejected.occurred_at desc nulls last
        ) = 1
        """
        for table, key in KEYS.items()
        for replaced_by in ["true" if table in EVENTS else "valid.updated_at >= rejected.occurred_at"]
    ]
    session.execute("create or replace view quarantine.open_rows as " + " union all ".join(selects))
