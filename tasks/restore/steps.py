"""The steps of a restore: each replaces the rows of a table and its marks, in one commit."""

import datetime as dt

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.failures import RETRY_TRANSIENT, PermanentFailure
from blocks.settings.settings import Settings
from lake.delta import UNREAD, Lake, commit, rows_of
from lake.local_sql import connect
from lake.present_rows import comparable
from lake.quarantine import REPLAYED
from tasks.ledger.interventions import record_decision
from tasks.ledger.run import Run
from tasks.restore.copies import copied_table, warehouse_copy
from tasks.restore.damage import drop
from tasks.restore.marks import marks_beside, readers, unread_marks
from tasks.restore.plan import Part, RestorePlan, open_table
from tasks.restore.request import Restoration
from tasks.restore.screen import summary
from tasks.timing import timed
from tasks.warehouse.duckdb import DuckDBWarehouse
from tasks.warehouse.interface import Warehouse

LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def log_plan(plan: RestorePlan) -> None:
    """Log what would be done."""
    for sentence in summary(plan):
        get_run_logger().info("%s", sentence)


def record_restore(lake: Lake, run: Run, wanted: Restoration, reason: str, person: str) -> None:
    """Record the decision to restore; once the ledger can be written, which it may have been about."""
    record_decision(lake, run, f"restore {wanted}", reason, person)


def restore_tables(plan: RestorePlan, settings: Settings, lake: Lake) -> None:
    """Restore every table of the plan."""
    for part in plan.parts:
        restore_table(part, plan.wanted, settings, lake)


@task(task_run_name="restore-{part.name}", **RETRY_TRANSIENT)
@timed
def restore_table(part: Part, wanted: Restoration, settings: Settings, lake: Lake) -> str:
    """Give a table the rows and the marks that it is to have; returns its name. May be repeated."""
    if wanted.source == "history":
        _to_version(part, settings, lake)
    elif wanted.source == "copy":
        _from_copy(part, settings, lake)
    else:
        _empty(part, settings, lake)
    layer, _, table = part.name.partition(".")
    since = part.moment or LONG_AGO
    if layer == "bronze":
        _forget_replays(lake, table, since)
    elif layer == "quarantine":
        _leave_again(lake, table, since)
    return part.name


@task(task_run_name="restore-warehouse", **RETRY_TRANSIENT)
@timed
def begin_warehouse(warehouse: Warehouse, wanted: Restoration, settings: Settings) -> None:
    """Have the staged warehouse begin as its copy, or empty. Raises PermanentFailure if there is no copy."""
    if isinstance(warehouse, DuckDBWarehouse):
        warehouse.begin_from(warehouse_copy(settings) if wanted.source == "copy" else None)
    elif wanted.source == "copy":
        raise PermanentFailure(
            "a warehouse in the cloud keeps its own history: use its time travel, or restore it --from lake"
        )


def _to_version(part: Part, settings: Settings, lake: Lake) -> None:
    now = DeltaTable(lake.uri(part.name))
    assert part.version is not None
    marks = marks_beside(part.name, DeltaTable(now.table_uri, version=part.version), now, settings)
    if part.version == now.version():
        _append_nothing(now, marks)
    else:
        now.restore(part.version, commit_properties=commit(marks))


def _from_copy(part: Part, settings: Settings, lake: Lake) -> None:
    then, now = copied_table(part.name, settings), open_table(lake, part.name)
    marks = marks_beside(part.name, then, now, settings)
    if now is None:
        _begin_anew(part.name, lake)
    if part.name.startswith("ops.") and now is not None and not part.damage:
        _add_records(then, now)
        return
    write_deltalake(
        lake.uri(part.name),
        rows_of(then, then.file_uris()).scanner(batch_readahead=2, fragment_readahead=1).to_reader(),
        mode="overwrite",
        schema_mode="overwrite",
        commit_properties=commit(marks),
    )


def _empty(part: Part, settings: Settings, lake: Lake) -> None:
    now = open_table(lake, part.name)
    if now is None:
        # The extract makes it.
        _begin_anew(part.name, lake)
        return
    write_deltalake(
        now,
        pa.schema(now.schema().to_arrow()).empty_table(),
        mode="overwrite",
        commit_properties=commit(unread_marks(part.name, now, settings)),
    )


def _append_nothing(table: DeltaTable, marks: dict[str, int]) -> None:
    nothing = pa.schema(table.schema().to_arrow()).empty_table()
    write_deltalake(table, nothing, mode="append", commit_properties=commit(marks))


def _add_records(then: DeltaTable, now: DeltaTable) -> None:
    """Add what the ledger no longer has: it also holds what has happened since, this restore included."""
    with connect() as connection:
        connection.register("copied", then.to_pyarrow_dataset())
        connection.register("held", now.to_pyarrow_dataset())
        lost = connection.sql("from copied except all from held").to_arrow_table()
    if lost.num_rows:
        rows = lost.cast(pa.schema(now.schema().to_arrow()))
        write_deltalake(now, rows, mode="append", commit_properties=commit())


def _begin_anew(name: str, lake: Lake) -> None:
    """Delete what is left of a table; its readers begin again, since it counts its versions from 0."""
    drop(lake, name)
    if name.startswith("bronze."):
        for reader, mark in readers(name):
            if open_table(lake, reader):
                lake.mark_progress(reader, mark, UNREAD)


def _forget_replays(lake: Lake, table: str, since: dt.datetime) -> None:
    """Rows of quarantine whose replay is gone from bronze wait again."""
    replayed = open_table(lake, REPLAYED)
    if replayed:
        moment = f"{since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        later = f"arrow_cast('{moment}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
        gone = f"table_name = '{table}' and recorded_at > {later}"
        replayed.delete(gone, commit_properties=commit())


def _leave_again(lake: Lake, table: str, since: dt.datetime) -> None:
    """Rows that a replay has taken out of quarantine since are out of it."""
    replayed = open_table(lake, REPLAYED)
    if replayed is None:
        return
    with connect() as connection:
        connection.register("replayed", comparable(replayed.to_pyarrow_dataset()))
        gone = connection.execute(
            "select distinct quarantine_id from replayed where table_name = ? and recorded_at > ?",
            [table, since],
        ).to_arrow_table()
    DeltaTable(lake.uri(f"quarantine.{table}")).merge(
        gone,
        "old.quarantine_id = gone.quarantine_id",
        source_alias="gone",
        target_alias="old",
        commit_properties=commit(),
    ).when_matched_delete().execute()
