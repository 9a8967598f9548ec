"""Transform: the checked rows become silver, silver becomes the lake's gold tables, with Spark."""

import datetime as dt

from prefect import flow

from lake.row_counts import Flagged, RowCounts
from tasks.transform.spark import GOLD_JOBS, build_gold, write_silver


@flow(name="transform", flow_run_name="transform-{ds}", validate_parameters=False)
def transform(ds: dt.date, checked: list[Flagged], full: bool = False) -> list[RowCounts]:
    """Upsert silver, quarantine what was rejected, rebuild gold; returns the rows per table.

    `full` replaces silver and quarantine by what was checked.
    """
    published = [write_silver(table, full) for table in checked]
    for table in GOLD_JOBS:
        build_gold(table)
    return published
