"""Transform: the flagged rows become silver, silver becomes the lake's gold tables, with Spark.

Where they are asked for, forecasts and the suppliers' terms become the lake's reorder plan.
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Flagged, RowCounts
from tasks.reorder.plan import plan_if_wanted
from tasks.timing import timed
from tasks.transform.spark import GOLD_TABLES, build_gold, write_silver


@flow(name="transform", flow_run_name="transform-{ds}", validate_parameters=False)
@timed
def transform(
    ds: dt.date,
    flagged: list[Flagged],
    settings: Settings,
    lake: Lake,
    full: bool = False,
    days: tuple[dt.date, dt.date] | None = None,
) -> list[RowCounts]:
    """Upsert the valid flagged rows into silver and rebuild gold; returns the row counts per table.

    `full` replaces silver and quarantine by the flagged rows, but for keys that have none of `days`.
    """
    counts = [write_silver(table, settings, lake, full, days) for table in flagged]
    for table in GOLD_TABLES:
        build_gold(table, settings, lake)
    plan_if_wanted(settings, lake)
    return counts
