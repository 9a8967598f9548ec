"""The warehouse: load silver, and write-audit-publish.

A run works on a copy of the DuckDB file and puts it in the live one's place, in one rename, when the gold
gate has passed. Readers keep the file they opened, and never see a run that failed.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from filelock import FileLock, Timeout
from prefect import runtime, task
from prefect.concurrency.sync import concurrency
from pydantic import BaseModel

from blocks.failures import PermanentFailure, TransientFailure
from blocks.settings import Settings
from spark_jobs.lake import Lake
from tasks.inventory_events import ensure_tables

# Another run holds the warehouse for minutes; one that waits longer is better told.
LOCK_TIMEOUT_SECONDS = 900
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
LAKE_ONLY = {"clickstream": ["source_file", "line_number"], "inventory": ["topic", "partition", "offset"]}
# Events are never replaced by newer versions of themselves.
EVENTS = ("clickstream", "inventory")


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


@contextmanager
def staged_warehouse() -> Iterator[Path]:
    """A private copy of the live warehouse, for one writer at a time; deleted at the end.

    Raises TransientFailure if another run holds the warehouse, PermanentFailure if it cannot be copied.
    """
    live = Settings().duckdb_path
    staged = live.with_name(f".{live.name}.staged")
    lock = FileLock(live.with_name(f".{live.name}.lock"), timeout=LOCK_TIMEOUT_SECONDS)
    try:
        live.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise TransientFailure(
            f"another run has held the warehouse {live} for {LOCK_TIMEOUT_SECONDS} s"
        ) from None
    except OSError as error:
        raise PermanentFailure(
            f"cannot write beside the warehouse {live}: {error}; check DUCKDB_PATH"
        ) from error
    try:
        _remove(staged)
        if live.exists():
            shutil.copyfile(live, staged)
        yield staged
    finally:
        _remove(staged)
        lock.release()


@task(task_run_name="load-warehouse")
def load_warehouse(warehouse: Path, full: bool = False, tables: Collection[str] = KEYS.keys()) -> Loaded:
    """Bring silver and quarantine into the staged warehouse: changed rows only, in one transaction.

    A changed row gets this load's `load_id`. Loading again changes nothing. `full` compares all of silver
    and also removes what it no longer holds.
    """
    lake = Lake(Settings().lake_uri)
    # A shop without Kafka has its marts all the same, empty.
    ensure_tables(lake)
    with duckdb.connect(warehouse) as connection:
        connection.execute("begin")
        connection.execute("create schema if not exists ops")
        connection.execute(
            "create table if not exists ops.loads "
            "(table_name varchar primary key, lake_table varchar, lake_version bigint)"
        )
        load_id = _next_load_id(connection)
        rows = {}
        for table in tables:
            key = KEYS[table]
            rows[table] = _load(connection, lake, f"silver.{table}", key, load_id, full)
            _load(connection, lake, f"quarantine.{table}", "quarantine_id", load_id, full)
        if len(rows) == len(KEYS):
            _create_open_quarantine(connection)
        connection.execute("commit")
    return Loaded(load_id=load_id, rows=rows)


@task(task_run_name="publish-warehouse")
def publish_warehouse(warehouse: Path) -> Path:
    """Put the staged warehouse in the live one's place; returns the live path."""
    return publish_file(warehouse)


def publish_file(staged: Path) -> Path:
    """The rename itself: after it, whoever opens the live path sees the staged state, on disk."""
    live = Settings().duckdb_path
    with duckdb.connect(staged) as connection:
        connection.execute("checkpoint")
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    staged.replace(live)
    return live


def query_warehouse(sql: str) -> list[dict[str, Any]]:
    """The rows that a SELECT finds in the live warehouse, each by column name."""
    with duckdb.connect(Settings().duckdb_path, read_only=True) as connection:
        found = connection.execute(sql)
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _remove(staged: Path) -> None:
    for path in (staged, staged.with_name(staged.name + ".wal")):
        path.unlink(missing_ok=True)


def _next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    connection.execute("create sequence if not exists ops.load_ids")
    [(load_id,)] = connection.execute("select nextval('ops.load_ids')").fetchall()
    return load_id


def _load(
    connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, key: str, load_id: int, full: bool
) -> int:
    """Insert or replace the rows of a lake table that differ from the warehouse's; returns how many."""
    lake_table = DeltaTable(lake.uri(name))
    version, identity = lake_table.version(), str(lake_table.metadata().id)
    loads = {row[0]: row[1:] for row in connection.execute("from ops.loads").fetchall()}
    known_identity, known = loads.get(name, (identity, None))
    # A lake that was begun anew counts its versions from the start again.
    full = full or known_identity != identity
    if known == version and not full:
        return 0
    schema, table = name.split(".")
    rows = lake.rows_since(name, None if full else known)
    columns = [field for field in rows.schema if field.name not in LAKE_ONLY.get(table, [])]
    names, values = ", ".join(field.name for field in columns), ", ".join(map(_as_value, columns))
    connection.register("lake_rows", rows)
    connection.execute(f"create schema if not exists {schema}")
    connection.execute(
        f"create table if not exists {name} as select {values}, 0::bigint as load_id from lake_rows limit 0"
    )
    if known is None:
        connection.execute(f"delete from {name}")
        connection.execute(f"create temp view changed as select {values} from lake_rows")
    else:
        connection.execute(
            f"create temp table changed as select {values} from lake_rows except select {names} from {name}"
        )
        connection.execute(f"delete from {name} where {key} in (select {key} from changed)")
    if full:
        connection.execute(f"delete from {name} where {key} not in (select {key} from lake_rows)")
    [(changed,)] = connection.execute(f"insert into {name} select *, {load_id} from changed").fetchall()
    connection.execute(f"drop {'view' if known is None else 'table'} changed")
    connection.unregister("lake_rows")
    connection.execute("insert or replace into ops.loads values (?, ?, ?)", [name, identity, version])
    return changed


def _as_value(column: pa.Field) -> str:
    """A lake column as the warehouse holds it: times as UTC without a zone.

    DuckDB would show and cast zoned times by the reader's time zone, and dbt's snapshots expect plain ones.
    """
    if pa.types.is_timestamp(column.type):
        return f"make_timestamp(epoch_us({column.name})) as {column.name}"
    return column.name


def _create_open_quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    """The view `quarantine.open_rows`: rejected rows that no valid version of the same key has replaced."""
    selects = [
        f"""
        select rejected.source, rejected.ds, rejected.reason, rejected.key, rejected.occurred_at, rejected.raw
        from quarantine.{table} as rejected
        where not exists (
            select 1 from silver.{table} as valid
            where cast(valid.{key} as varchar) = rejected.key and {replaced_by}
        )
        qualify rejected.key is null
            or row_number() over (partition by rejected.key order by rejected.occurred_at desc) = 1
        """
        for table, key in KEYS.items()
        for replaced_by in ["true" if table in EVENTS else "valid.updated_at >= rejected.occurred_at"]
    ]
    connection.execute("create or replace view quarantine.open_rows as " + " union all ".join(selects))
