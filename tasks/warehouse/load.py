"""The load of silver and quarantine into the warehouse: changed rows only."""

import datetime as dt
from collections.abc import Collection

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable
from prefect import task

from blocks.settings.failures import RETRY_TRANSIENT
from lake.catalog import catalog
from lake.delta import Lake
from lake.quarantine import QUARANTINE_SCHEMA
from lake.source_table import DELETED_AT, READ_AT
from tasks.warehouse.deletes import DELETED_ROWS, apply_deletes, record_deleted
from tasks.warehouse.interface import Loaded, Scope, Session, Warehouse
from tasks.warehouse.loads import Load, loads, prepare_loads, record_load
from tasks.warehouse.reorder_policy import load_reorder_policy

CLOCK_SKEW = dt.timedelta(minutes=5)
# When a rejected version was read; of events, and of older versions, when it became true.
READ = "coalesce(rejected.read_at, rejected.occurred_at)"


@task(task_run_name="load-warehouse", **RETRY_TRANSIENT)
def load_warehouse(
    warehouse: Warehouse, lake: Lake, full: bool = False, tables: Collection[str] | None = None
) -> Loaded:
    """Bring the changed rows of silver and quarantine into the staged warehouse; returns their numbers.

    A changed row gets this load's `load_id`. Loading again changes nothing, and a load that failed half-way
    is completed by the next. A table that lacks a column of the lake gets it, and is compared as a whole.
    `full` compares all of silver and also removes what it no longer holds. `tables` are all source tables
    unless named.
    """
    with warehouse.session() as session:
        for schema in ("ops", "silver", "quarantine"):
            session.execute(f"create schema if not exists {schema}")
        prepare_loads(session)
        load_id = session.next_load_id()
        rows = {}
        if not session.has("ops.deleted_rows"):
            record_deleted(session, DELETED_ROWS.empty_table(), load_id)
        for table in tables or catalog():
            # A shop without Kafka has these marts, too: empty.
            for name, schema in (
                (f"silver.{table}", catalog()[table].silver_schema),
                (f"quarantine.{table}", QUARANTINE_SCHEMA),
            ):
                lake.ensure(name, schema)
                lake.add_columns(name, schema)
            rows[table] = _load(session, lake, f"silver.{table}", catalog()[table].key, load_id, full)
            _load(session, lake, f"quarantine.{table}", "quarantine_id", load_id, full)
        load_reorder_policy(session, lake, load_id)
        if len(rows) == len(catalog()):
            _create_open_quarantine(session)
    return Loaded(load_id=load_id, rows=rows)


def record_versions(warehouse: Warehouse, lake: Lake, versions: dict[str, int]) -> None:
    """Note that these versions of the lake's tables have been loaded: the next load brings what is newer."""
    with warehouse.session() as session:
        for name in versions.keys() & loads(session).keys():
            identity = str(DeltaTable(lake.uri(name)).metadata().id)
            record_load(session, name, Load(identity, versions[name]))


def _load(session: Session, lake: Lake, name: str, key: str, load_id: int, full: bool) -> int:
    """Insert or replace the rows of a lake table that differ from the warehouse's; returns their number."""
    lake_table = DeltaTable(lake.uri(name))
    version, identity = lake_table.version(), str(lake_table.metadata().id)
    table = catalog()[name.split(".")[1]]
    names = table.warehouse_names
    fields = {names.get(field.name, field.name): field for field in pa.schema(lake_table.schema().to_arrow())}
    columns = {column: field for column, field in fields.items() if column}
    _add_missing(session, name, [field.with_name(str(column)) for column, field in columns.items()])
    before = loads(session).get(name)
    known = before.lake_version if before else None
    # A lake that was made anew counts its versions from the start again.
    full = full or (before is not None and before.lake_table != identity)
    if known == version and not full:
        return 0
    # Rows leave quarantine, and only a comparison with all of it removes them here. Silver loses none.
    if name.startswith("quarantine.") and known is not None:
        full = full or lake.has_lost_rows_since(name, known)
    rows = lake.rows_since(name, None if full else known)
    has_deletes = DELETED_AT in columns
    is_hidden = has_deletes and table.hides_deleted
    scope: Scope = "first" if known is None else "all" if full else "changes"
    wanted = pads.field(DELETED_AT).is_null() if is_hidden else pads.scalar(True)
    if scope == "changes" and READ_AT in columns:
        wanted &= _read_since(session, name)
    scanner = rows.scanner(
        columns={column: pads.field(field.name) for column, field in columns.items()},
        filter=wanted,
        # By default it reads 16 batches of 4 files ahead: gigabytes, of wide rows.
        batch_readahead=2,
        fragment_readahead=1,
    )
    changed = session.upsert(name, key, scanner, load_id, scope)
    if has_deletes:
        changed += apply_deletes(session, table, rows, load_id, scope)
    record_load(session, name, Load(identity, version))
    return changed


def _read_since(session: Session, name: str) -> pads.Expression:
    """The rows that were read after all that the table holds: a merge also rewrites their neighbours.

    CLOCK_SKEW earlier, too: the source's clock may be another server's since, a little behind the one before.
    """
    [row] = session.rows(f"select max(read_at) as newest from {name}").read_all().to_pylist()
    if row["newest"] is None:
        return pads.scalar(True)
    since = pa.scalar(row["newest"] - CLOCK_SKEW, pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return pads.field(READ_AT).is_null() | (pads.field(READ_AT) >= since)


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
    """The view `quarantine.open_rows`: rejected rows that no valid version of the same key has replaced.

    Neither are those open whose key is gone from the source.
    """
    # The few keys that were ever rejected first: else the plan holds the keys of all of silver.
    selects = [
        f"""
        select rejected.source, rejected.ds, rejected.reason, rejected.key, rejected.occurred_at, rejected.raw
        from quarantine.{table.name} as rejected
        where not exists (
            select 1 from (
                select * from silver.{table.name}
                where cast({table.key} as string) in (select key from quarantine.{table.name})
            ) as valid
            where cast(valid.{table.key} as string) = rejected.key and {replaced_by}
        )
        and not exists (
            select 1 from ops.deleted_rows as deleted
            where deleted.table_name = '{table.name}' and deleted.key = rejected.key
            and deleted.deleted_at >= {READ}
        )
        qualify rejected.key is null or row_number() over (
            partition by rejected.key order by {READ} desc nulls last, rejected.occurred_at desc nulls last
        ) = 1
        """
        for table in catalog().values()
        for replaced_by in [
            "true" if table.is_event else f"coalesce(valid.read_at, valid.{table.cursor}) >= {READ}"
        ]
    ]
    session.execute("create or replace view quarantine.open_rows as " + " union all ".join(selects))
