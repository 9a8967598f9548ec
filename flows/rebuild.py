"""Rebuild: silver, quarantine, gold and marts again from bronze, e.g. after a row rule has changed.

python -m flows.rebuild
python -m flows.rebuild --first 2024-01-01 --last 2024-01-30        # the rows of these days
python -m flows.rebuild --accept-failed orders --reason "the old shop had no quantities"
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.notify import notify
from flows.subflows.rebuild_tables import rebuild_tables
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.ingest.decisions import Decisions
from tasks.ledger.interventions import record_decisions
from tasks.runs.business_day import business_day, run_name, whole_range
from tasks.runs.command_line import run_rebuild_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import staged_warehouse

NAME = "rebuild"


@flow(name=NAME, flow_run_name=run_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def rebuild(
    ds: dt.date | None = None,
    decisions: Decisions | None = None,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> None:
    """Apply the present row rules to bronze; rows that pass now leave quarantine. Raises PipelineFailure.

    Extracts nothing. The new tables are built beside the live ones and replace them at the end; what stops it
    before leaves those as they were. With `first` and `last`: only keys with a row of these business days.
    `ds` (default: yesterday) only names the run and dates its freshness tests; `decisions` go on record.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), business_day(ds, settings.shop_timezone)
    days = whole_range(first, last)
    with (
        recorded_run(NAME, day, settings, lake, notify) as run,
        staged_warehouse(settings) as warehouse,
    ):
        record_decisions(lake, run, decisions)
        rebuild_tables(run, warehouse, settings, lake, decisions, days)


if __name__ == "__main__":
    run_rebuild_from_command_line(rebuild)
