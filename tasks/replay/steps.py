"""The steps of a replay that no other run has."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from blocks.shop.connection import shop_connection
from lake.catalog import catalog
from lake.delta import Lake, commit
from lake.quarantine import RULE, replay_mark
from lake.source_table import READ_AT, SourceTable
from tasks.ingest.bronze import append
from tasks.ledger.interventions import record_decision
from tasks.ledger.overrides import check_record
from tasks.ledger.records import append_records
from tasks.ledger.run import Run
from tasks.replay.patch import read_patch
from tasks.replay.plan import ReplayPlan, without
from tasks.replay.rules import passing_rows
from tasks.replay.screen import summary
from tasks.replay.selection import Selection
from tasks.replay.versions import ID, bronze_schema, mark_column, replaced
from tasks.shop.relation import source_clock
from tasks.shop.versions import as_bronze
from tasks.timing import timed


def log_plan(plan: ReplayPlan) -> None:
    """Log what would become of the rows."""
    get_run_logger().info("%s", summary(plan))


def record_replay(lake: Lake, run: Run, selection: Selection, reason: str, person: str) -> None:
    """Record the decision to replay. Raises PermanentFailure if nobody says why, or who."""
    check_record("a replay", reason, person, "--why")
    record_decision(lake, run, f"replay {selection}", reason, person)


@task(task_run_name="append-replays", **RETRY_TRANSIENT)
@timed
def append_replays(selection: Selection, patch: str, settings: Settings, lake: Lake) -> int:
    """Append to bronze, as read now, the selected rows that pass today's rules, and the patched ones.

    Returns their number. From there they take the way of every new row. Raises DataFailure if the patch
    breaks a rule.
    """
    with shop_connection(settings) as connection:
        now = source_clock(connection)
    table = catalog()[selection.table]
    schema = bronze_schema(table)
    found, fixes = selection.rows(lake), {}
    replays = [schema.empty_table()]
    if found.num_rows:
        fixes = replaced(lake, selection.table, found)
        passing = passing_rows(without(found, fixes), selection.table, settings, lake)
        replays.append(_read_again(passing, table, now))
        fixes |= dict.fromkeys(passing[ID].to_pylist(), RULE)
    if patch:
        patched = read_patch(Path(patch), found, fixes, selection.table, settings, lake, now)
        replays.append(patched.select(schema.names))
    batches = iter(pa.concat_tables(replays).to_batches())
    return append(lake, f"bronze.{selection.table}", schema, batches, {})


def _read_again(rows: pa.Table, table: SourceTable, now: dt.datetime) -> pa.Table:
    marks = pa.array([replay_mark(RULE, each) for each in rows[ID].to_pylist()], pa.string())
    marked = rows.select(bronze_schema(table).names)
    marked = marked.set_column(marked.schema.get_field_index(mark_column(table)), mark_column(table), marks)
    return as_bronze(marked, bronze_schema(table), **{READ_AT: now})


@task(task_run_name="leave-quarantine", **RETRY_TRANSIENT)
@timed
def leave_quarantine(selection: Selection, run: Run, reason: str, person: str, lake: Lake) -> int:
    """Take the selected rows that wait for nothing any more out of quarantine; returns their number.

    Each is first recorded in `ops.replayed_rows`, with who, when and why.
    """
    rows = selection.rows(lake)
    fixes = replaced(lake, selection.table, rows)
    records = [
        {
            "quarantine_id": row[ID],
            "run_id": run.run_id,
            "table_name": selection.table,
            "ds": row["ds"],
            "reject_reason": row["reason"],
            "key": row["key"],
            "read_at": row["read_at"],
            "fix": fixes[row[ID]],
            "person": person,
            "reason": reason,
        }
        for row in rows.to_pylist()
        if row[ID] in fixes
    ]
    append_records(lake, "replayed_rows", records)
    if records:
        gone = pa.table({ID: pa.array(fixes, pa.string())})
        DeltaTable(lake.uri(f"quarantine.{selection.table}")).merge(
            gone,
            f"old.{ID} = gone.{ID}",
            source_alias="gone",
            target_alias="old",
            commit_properties=commit(),
        ).when_matched_delete().execute()
    return len(records)
