"""Run a Spark job: on the flow's session, or by `spark-submit` if SPARK_SUBMIT is set."""

import datetime as dt
import json
from dataclasses import asdict

from prefect import task
from pyspark.sql import SparkSession

from blocks.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Flagged, RowCounts
from spark_jobs.engine.session import spark_session
from spark_jobs.engine.sizing import Size, size_for
from spark_jobs.gold import daily_sales, daily_segment_sales
from spark_jobs.gold import job as gold
from spark_jobs.silver import clickstream as silver_clickstream
from spark_jobs.silver import customers as silver_customers
from spark_jobs.silver import job as silver
from spark_jobs.silver import orders as silver_orders
from spark_jobs.silver import products as silver_products
from tasks.transform.spark_submit import submit

SILVER_JOBS = {
    job.table: job
    for job in (silver_orders.JOB, silver_customers.JOB, silver_products.JOB, silver_clickstream.JOB)
}
GOLD_JOBS = {
    "daily_sales": daily_sales.transform,
    "daily_segment_sales": daily_segment_sales.transform,
}


@task(task_run_name="flag-{table}", **RETRY_TRANSIENT)
def flag_rows(table: str, full: bool = False) -> Flagged:
    """Type and flag the bronze rows that silver has not seen, into `flagged.<table>`."""
    settings, lake = Settings(), Lake(Settings().lake_uri)
    size = size_for(
        lake.bytes_since(f"bronze.{table}", None if full else lake.progress(f"silver.{table}", "bronze"))
    )
    timezone = settings.shop_timezone.key
    if settings.spark_submit:
        options = ["--check", "--timezone", timezone, *(["--full"] if full else [])]
        return Flagged(**submit(f"silver/{table}", size, *options))
    return silver.check(_session(size), lake, SILVER_JOBS[table], timezone, full)


@task(task_run_name="flag-day-{table}", **RETRY_TRANSIENT)
def flag_day(table: str, ds: dt.date) -> int:
    """Type and flag all that bronze holds of a business day, into `flagged_day.<table>`; returns its rows."""
    settings, lake = Settings(), Lake(Settings().lake_uri)
    session = _session(size_for(lake.bytes_since(f"bronze.{table}")))
    return silver.flag_day(session, lake, SILVER_JOBS[table], settings.shop_timezone.key, ds)


@task(task_run_name="silver-{flagged.table}", **RETRY_TRANSIENT)
def write_silver(flagged: Flagged, full: bool = False) -> RowCounts:
    """Upsert the valid rows of `flagged.<table>` into silver and quarantine the others."""
    table, lake = flagged.table, Lake(Settings().lake_uri)
    size = size_for(lake.bytes_since(f"flagged.{table}") + lake.bytes_since(f"silver.{table}"))
    if Settings().spark_submit:
        options = ["--checked", json.dumps(asdict(flagged)), *(["--full"] if full else [])]
        return RowCounts(**submit(f"silver/{table}", size, *options))
    return silver.publish(_session(size), lake, SILVER_JOBS[table], flagged, full)


@task(task_run_name="gold-{table}", **RETRY_TRANSIENT)
def build_gold(table: str) -> int:
    """Rebuild `gold.<table>` in the lake from silver if silver has changed; returns its rows."""
    lake = Lake(Settings().lake_uri)
    size = size_for(sum(map(lake.bytes_since, gold.SILVER)))
    if Settings().spark_submit:
        return submit(f"gold/{table}", size)["rows"]
    return gold.build(_session(size), lake, table, GOLD_JOBS[table])


def _session(size: Size) -> SparkSession:
    settings = Settings()
    session = spark_session(settings.spark_remote.get_secret_value(), settings.lake_uri)
    size.apply(session)
    return session
