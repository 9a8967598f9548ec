"""Transform: the checked rows become silver, silver becomes the lake's gold tables, with Spark."""

import datetime as dt

from prefect import flow

from spark_jobs.silver import Checked, Published
from tasks.spark import GOLD_JOBS, build_gold, publish_silver


@flow(name="transform", flow_run_name="transform-{ds}", validate_parameters=False)
def transform(ds: dt.date, checked: list[Checked]) -> list[Published]:
    """Upsert silver, quarantine what was rejected, rebuild gold; returns the rows per table."""
    published = [publish_silver(table) for table in checked]
    for table in GOLD_JOBS:
        build_gold(table)
    return published
