"""Small flows that a recorded run is made of, and what the ledger says of them."""

from typing import Any

import duckdb
from prefect import flow

from blocks.failures import DataFailure
from lake.row_counts import RowCounts
from tasks.runs.recorded_run import recorded_run
from tests.support.platforms import Platform
from tests.support.rows import DAY


@flow(name="step-that-works")
def works() -> list[RowCounts]:
    return [RowCounts("orders", rows_in=10, rows_out=7, duplicates=2, quarantined=1)]


@flow(name="step-that-fails")
def fails() -> None:
    raise DataFailure("orders: too many rejected")


def pipeline(*steps: Any, tell: Any = lambda run: None) -> Any:
    """A flow whose recorded run calls these steps."""

    @flow(name="test-pipeline")
    def run_steps() -> None:
        with recorded_run("test-pipeline", DAY, tell) as run:
            for step in steps:
                run.tables = run.timed(step) or run.tables

    return run_steps


def ledger(platform: Platform) -> list[tuple]:
    counts = "rows_in, rows_out, rows_duplicate, rows_quarantined"
    columns = f"status, failed_step, error, {counts}, duration_seconds > 0"
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(
            f"select {columns} from ops.pipeline_runs where ended_at is not null"
        ).fetchall()
