"""Run a Spark job on the flow's session."""

import datetime as dt

from prefect import task

from blocks.settings import Settings
from spark_jobs import (
    gold,
    gold_customer_segments,
    gold_daily_sales,
    silver,
    silver_clickstream,
    silver_customers,
    silver_orders,
    silver_products,
)
from spark_jobs.lake import Lake
from spark_jobs.session import spark_session

SILVER_JOBS = {
    job.table: job
    for job in (silver_orders.JOB, silver_customers.JOB, silver_products.JOB, silver_clickstream.JOB)
}
GOLD_JOBS = {
    "daily_sales": gold_daily_sales.transform,
    "customer_segments": gold_customer_segments.transform,
}


@task(task_run_name="check-{table}")
def check_rows(table: str, full: bool = False) -> silver.Checked:
    """Type and flag the bronze rows that silver has not seen, into `checked.<table>`."""
    settings = Settings()
    session = spark_session(settings.spark_remote)
    return silver.check(
        session, Lake(settings.lake_uri), SILVER_JOBS[table], settings.shop_timezone.key, full
    )


@task(task_run_name="check-day-{table}")
def check_day(table: str, ds: dt.date) -> int:
    """Type and flag all that bronze holds of a business day, into `checked_day.<table>`; returns its rows."""
    settings = Settings()
    session = spark_session(settings.spark_remote)
    return silver.check_day(
        session, Lake(settings.lake_uri), SILVER_JOBS[table], settings.shop_timezone.key, ds
    )


@task(task_run_name="silver-{checked.table}")
def publish_silver(checked: silver.Checked, full: bool = False) -> silver.Published:
    """Upsert the valid rows of `checked.<table>` into silver and quarantine the others."""
    settings = Settings()
    session = spark_session(settings.spark_remote)
    return silver.publish(session, Lake(settings.lake_uri), SILVER_JOBS[checked.table], checked, full)


@task(task_run_name="gold-{table}")
def build_gold(table: str) -> int:
    """Rebuild `gold.<table>` in the lake from silver if silver has changed; returns its rows."""
    settings = Settings()
    session = spark_session(settings.spark_remote)
    return gold.build(session, Lake(settings.lake_uri), table, GOLD_JOBS[table])
