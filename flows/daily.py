"""The daily run: yesterday's orders, customers, products and clicks become tested marts.

python -m flows.daily 2024-01-15
python -m flows.daily 2024-01-15 --reread orders:order_date=2024-01-10 --reason "amounts were corrected"
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
from tasks.bi.files import refresh_extracts
from tasks.ingest.decisions import Decisions
from tasks.ledger.interventions import record_decisions
from tasks.report.daily_report import write_report
from tasks.runs.business_day import business_day, run_name
from tasks.runs.command_line import run_daily_from_command_line
from tasks.runs.late_runs import unless_superseded
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import publish_warehouse, staged_warehouse

NAME = "daily-ecommerce-pipeline"


@flow(name=NAME, flow_run_name=run_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
@unless_superseded
def daily_ecommerce_pipeline(ds: dt.date | None = None, decisions: Decisions | None = None) -> None:
    """Bring the marts up to the end of business day `ds` (default: the day before the scheduled start).

    A day may be run again, whatever happened. `decisions` of a person go on record. Raises PipelineFailure.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), business_day(ds, settings.shop_timezone)
    with (
        recorded_run(NAME, day, settings, lake, notify) as run,
        staged_warehouse(settings) as warehouse,
    ):
        record_decisions(lake, run, decisions)
        run.extracted = extract(day, settings, lake, decisions)
        run.flagged, run.warnings = quality_bronze(day, run.run_id, settings, lake, decisions=decisions)
        run.tables = transform(day, run.flagged, settings, lake)
        run.loaded, built = dbt_build(day, run.run_id, warehouse, settings, lake, decisions=decisions)
        run.warnings += built.warnings
        run.warnings += quality_gold(day, run.run_id, warehouse, settings, lake, built.models, decisions)
        publish_warehouse(warehouse, built.models)
        run.report_url, run.figures = write_report(run, settings, lake)
        refresh_extracts(settings)


if __name__ == "__main__":
    run_daily_from_command_line(daily_ecommerce_pipeline)
