"""The Spark tasks of a daily run, as plain functions."""

from lake.catalog import spark_tables
from lake.row_counts import RowCounts
from spark_jobs.gold.jobs import GOLD_JOBS
from tasks.transform.spark import build_gold, flag_rows, write_silver
from tests.support.platforms import here


def daily_spark_work() -> tuple[list[RowCounts], list[int]]:
    """Flag, silver and the lake's gold, where and by what the environment says.

    Returns the row counts of the silver tables, and the number of rows of the gold tables.
    """
    flagged = [flag_rows.fn(table, *here()) for table in spark_tables()]
    published = [write_silver.fn(each, *here()) for each in flagged]
    return published, [build_gold.fn(table, *here()) for table in GOLD_JOBS]


def tables_of_spark() -> list[str]:
    """What that work leaves in the lake."""
    silver = [f"{layer}.{table}" for table in spark_tables() for layer in ("silver", "quarantine")]
    return silver + [f"gold.{table}" for table in GOLD_JOBS]
