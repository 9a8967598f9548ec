"""Maintenance: few large files in the lake instead of many small ones, and none that nobody can need.

python -m flows.maintenance
"""

import datetime as dt

from prefect import flow

from flows.notify import notify
from tasks.business_day import business_day, run_name
from tasks.command_line import run_from_command_line
from tasks.deliver import confirm_told
from tasks.maintenance import lake_tables, tidy_table
from tasks.report import remove_old_reports
from tasks.run import recorded_run
from tasks.warehouse import one_writer

NAME = "maintenance"


@flow(name=NAME, flow_run_name=run_name, on_failure=[confirm_told], on_crashed=[confirm_told])
def maintenance(ds: dt.date | None = None) -> None:
    """Compact and vacuum every table of the lake, one by one, and delete old reports. Changes no row.

    `ds` (default: yesterday) only dates the run. Raises PipelineFailure.
    """
    with recorded_run(NAME, business_day(ds), tell=notify) as run, one_writer():
        for name in lake_tables():
            run.timed(tidy_table, name)
        run.timed(remove_old_reports)


if __name__ == "__main__":
    run_from_command_line(maintenance, reads_shop=False)
