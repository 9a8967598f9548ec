"""The tasks that run Spark jobs: on the flow's session, or by `spark-submit` if SPARK_SUBMIT is set."""

import datetime as dt
import json
from dataclasses import asdict

from prefect import task

from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Flagged, RowCounts
from spark_jobs.engine.sizing import size_for
from spark_jobs.gold import job as gold
from spark_jobs.gold.jobs import GOLD_JOBS
from spark_jobs.silver import job as silver
from spark_jobs.silver.jobs import silver_job
from spark_jobs.silver.some_days import Days
from tasks.spark_session import session_of
from tasks.spark_submit import submit

# The lake's gold tables.
GOLD_TABLES = list(GOLD_JOBS)


@task(task_run_name="flag-{table}", **RETRY_TRANSIENT)
def flag_rows(
    table: str, settings: Settings, lake: Lake, full: bool = False, days: Days | None = None
) -> Flagged:
    """Type and flag the bronze rows that are new to silver, into `flagged.<table>`; returns row counts.

    `full` takes all of bronze, or with `days` all of the keys that have a row of these.
    """
    size = size_for(
        lake.bytes_since(f"bronze.{table}", None if full else lake.progress(f"silver.{table}", "bronze"))
    )
    timezone = settings.shop_timezone.key
    if settings.spark_submit:
        options = ["--flag-only", "--timezone", timezone, *_options(lake, full, days)]
        return Flagged(**submit(settings, "silver", table, size, *options))
    return silver.flag_new(session_of(settings, size), lake, silver_job(table), timezone, full, days)


@task(task_run_name="flag-day-{table}", **RETRY_TRANSIENT)
def flag_day(table: str, ds: dt.date, settings: Settings, lake: Lake) -> int:
    """Type and flag a business day's rows of bronze, into `flagged_day.<table>`; returns their number."""
    session = session_of(settings, size_for(lake.bytes_since(f"bronze.{table}")))
    return silver.flag_day(session, lake, silver_job(table), settings.shop_timezone.key, ds)


@task(task_run_name="silver-{flagged.table}", **RETRY_TRANSIENT)
def write_silver(
    flagged: Flagged, settings: Settings, lake: Lake, full: bool = False, days: Days | None = None
) -> RowCounts:
    """Upsert the valid rows of `flagged.<table>` into silver; returns the row counts.

    `full` replaces silver by them, and quarantine by the rejected rows; with `days` other keys stay.
    Otherwise `flag_rows` has quarantined those.
    """
    table = flagged.table
    size = size_for(lake.bytes_since(f"flagged.{table}") + lake.bytes_since(f"silver.{table}"))
    if settings.spark_submit:
        options = ["--flagged", json.dumps(asdict(flagged)), *_options(lake, full, days)]
        return RowCounts(**submit(settings, "silver", table, size, *options))
    return silver.write(session_of(settings, size), lake, silver_job(table), flagged, full, days)


@task(task_run_name="gold-{table}", **RETRY_TRANSIENT)
def build_gold(table: str, settings: Settings, lake: Lake) -> int:
    """Rebuild `gold.<table>` in the lake if silver or its schema has changed; returns its number of rows."""
    size = size_for(sum(map(lake.bytes_since, gold.SILVER)))
    if settings.spark_submit:
        return submit(settings, "gold", table, size, *_options(lake))["rows"]
    return gold.build(session_of(settings, size), lake, GOLD_JOBS[table])


def _options(lake: Lake, full: bool = False, days: Days | None = None) -> list[str]:
    return [
        *(["--full"] if full else []),
        *(["--beside", *lake.beside] if lake.beside else []),
        *(["--days", *(day.isoformat() for day in days)] if days else []),
    ]
