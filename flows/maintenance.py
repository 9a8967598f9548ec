"""Maintenance: few large files in the lake in place of many small ones, none that nobody needs, and a copy.

python -m flows.maintenance
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.notify import notify
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.report.daily_report import remove_old_reports
from tasks.restore.copies import copy_table, copy_warehouse
from tasks.runs.business_day import business_day, run_name
from tasks.runs.command_line import run_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.transform.compaction import compact_table, lake_tables
from tasks.warehouse.access import one_writer

NAME = "maintenance"


@flow(name=NAME, flow_run_name=run_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def maintenance(ds: dt.date | None = None) -> None:
    """Compact and vacuum every table of the lake, one by one, and delete old reports. Changes no row.

    If BACKUP_URI names a place, lake and warehouse are copied there. `ds` (default: yesterday) only dates the
    run. Raises PipelineFailure.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), business_day(ds, settings.shop_timezone)
    with recorded_run(NAME, day, settings, lake, notify), one_writer(lake):
        for name in lake_tables(lake):
            compact_table(name, settings, lake)
        remove_old_reports(settings)
        if settings.backup_uri:
            for name in lake_tables(lake):
                copy_table(name, settings, lake)
            copy_warehouse(settings)


if __name__ == "__main__":
    run_from_command_line(maintenance, reads_shop=False)
