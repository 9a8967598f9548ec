"""Data quality: validate every layer between the daily runs, and write its documentation.

python -m flows.data_quality
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.notify import notify
from flows.subflows.quality_layers import quality_layers
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.runs.business_day import business_day, run_name
from tasks.runs.command_line import run_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import live_warehouse, one_writer

NAME = "data-quality"


@flow(name=NAME, flow_run_name=run_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def data_quality(ds: dt.date | None = None) -> None:
    """Run every suite: on the rows of day `ds` (default: yesterday), on silver, and on all marts.

    Changes neither lake nor warehouse. Raises PipelineFailure.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), business_day(ds, settings.shop_timezone)
    with (
        recorded_run(NAME, day, settings, lake, notify) as run,
        one_writer(lake),
        live_warehouse(settings) as warehouse,
    ):
        run.warnings = quality_layers(day, run.run_id, warehouse, settings, lake)


if __name__ == "__main__":
    run_from_command_line(data_quality, reads_shop=False)
