"""Rebuild: silver, quarantine, gold and marts again from all of bronze, e.g. after a row rule has changed.

python -m flows.rebuild
"""

import datetime as dt

from prefect import flow

from flows.subflows.dbt_build import dbt_build
from flows.subflows.notify import notify
from flows.subflows.quality_bronze import quality_bronze
from flows.subflows.quality_gold import quality_gold
from flows.subflows.transform import transform
from tasks.alerts.delivery import confirm_delivery
from tasks.inventory.silver import settle_again
from tasks.runs.business_day import business_day
from tasks.runs.command_line import run_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import one_writer, publish_warehouse, staged_warehouse

NAME = "rebuild"


@flow(name=NAME, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def rebuild(ds: dt.date | None = None) -> None:
    """Replay bronze through the present rules; rows that pass now leave quarantine. Raises PipelineFailure.

    Extracts nothing. Too many rejected rows stop it before silver, quarantine or marts change. `ds` (default:
    yesterday) only names the run and dates its freshness tests.
    """
    day = business_day(ds)
    with recorded_run(NAME, day, notify=notify) as run, one_writer(), staged_warehouse() as warehouse:
        run.flagged, run.warnings = run.timed(quality_bronze, day, run.run_id, full=True)
        run.tables = run.timed(transform, day, run.flagged, full=True)
        run.tables.append(run.timed(settle_again))
        run.loaded, built = run.timed(dbt_build, day, run.run_id, warehouse, full=True)
        run.warnings += built.warnings
        run.warnings += run.timed(quality_gold, day, run.run_id, warehouse)
        publish_warehouse(warehouse, built.models)


if __name__ == "__main__":
    run_from_command_line(rebuild, reads_shop=False)
