"""Small flows that a recorded run is made of, and what the ledger says of them."""

from typing import Any

import duckdb
from prefect import flow

from blocks.settings.failures import DataFailure
from lake.row_counts import RowCounts
from tasks.runs.recorded_run import recorded_run
from tasks.timing import timed
from tests.support.platforms import Platform, here
from tests.support.rows import DAY


@flow(name="step-that-works")
@timed
def step_that_works() -> list[RowCounts]:
    return [RowCounts("orders", rows_in=10, rows_out=7, duplicates=2, rejected={"status_known": 1})]


@flow(name="step-that-fails")
@timed
def step_that_fails() -> None:
    raise DataFailure("orders: too many rejected")


works, fails = step_that_works, step_that_fails


def pipeline(*steps: Any, notify: Any = lambda run, settings, lake: None) -> Any:
    """A flow whose recorded run calls these steps."""

    @flow(name="test-pipeline")
    def run_steps() -> None:
        with recorded_run("test-pipeline", DAY, *here(), notify) as run:
            for step in steps:
                run.tables = step() or run.tables

    return run_steps


def ledger(platform: Platform) -> list[tuple]:
    counts = "rows_in, rows_out, rows_duplicate, rows_quarantined"
    columns = f"status, failed_step, error, {counts}, duration_seconds > 0"
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(
            f"select {columns} from ops.pipeline_runs where ended_at is not null"
        ).fetchall()
