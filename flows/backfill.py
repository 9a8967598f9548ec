"""Backfill: a range of past days, in one run that can be stopped and called again at any time.

python -m flows.backfill 2024-01-01 2024-01-30          # what there is to do, and for how long
python -m flows.backfill 2024-01-01 2024-01-30 --run
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.dbt_build import dbt_build
from flows.subflows.extract import extract
from flows.subflows.notify import notify
from flows.subflows.quality_bronze import quality_bronze
from flows.subflows.quality_gold import quality_gold
from flows.subflows.transform import transform
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.backfill.plan import plan_backfill
from tasks.backfill.progress import in_progress, log_plan
from tasks.report.daily_report import write_report
from tasks.runs.backfill_command import run_backfill_from_command_line
from tasks.runs.business_day import range_name
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import publish_warehouse, staged_warehouse

NAME = "backfill"


@flow(name=NAME, flow_run_name=range_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def backfill(first: dt.date, last: dt.date, dry_run: bool = True) -> None:
    """Extract the days from `first` to `last` that the lake lacks, then bring the marts up to them, once.

    If there are none, nothing is run; with `dry_run` it is only logged. Raises PipelineFailure.
    """
    settings = Settings()
    lake = Lake(settings.lake_uri)
    plan = plan_backfill(first, last, settings, lake)
    log_plan(plan)
    if dry_run or plan.is_done:
        return
    with (
        recorded_run(NAME, last, settings, lake, notify) as run,
        staged_warehouse(settings) as warehouse,
    ):
        for day in in_progress(plan.to_do):
            run.extracted += extract(day.ds, settings, lake, clicks_only=day.is_covered)
        run.flagged, run.warnings = quality_bronze(last, run.run_id, settings, lake)
        run.tables = transform(last, run.flagged, settings, lake)
        run.loaded, built = dbt_build(last, run.run_id, warehouse, settings, lake)
        run.warnings += built.warnings
        run.warnings += quality_gold(last, run.run_id, warehouse, settings, lake, built.models)
        publish_warehouse(warehouse, built.models)
        run.report_url, run.figures = write_report(run, settings, lake)


if __name__ == "__main__":
    run_backfill_from_command_line(backfill)
