"""Restore: a table, the lake or the warehouse, from Delta's history, a copy, bronze, or the source.

python -m flows.restore bronze.orders --at 2024-01-15T06:00     # what would be done
python -m flows.restore silver.orders --from bronze --why "a disk" --run
"""

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.catch_up import catch_up
from flows.subflows.extract import extract
from flows.subflows.notify import notify
from flows.subflows.rebuild_tables import rebuild_tables
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.ledger.overrides import check_record
from tasks.restore.plan import plan_restore
from tasks.restore.request import WAREHOUSE, Restoration
from tasks.restore.steps import begin_warehouse, log_plan, record_restore, restore_tables
from tasks.runs.business_day import business_day
from tasks.runs.recorded_run import recorded_run
from tasks.runs.restore_command import run_restore_from_command_line
from tasks.warehouse.access import staged_warehouse

NAME = "restore"


@flow(
    name=NAME, flow_run_name="restore-{wanted}", on_failure=[confirm_delivery], on_crashed=[confirm_delivery]
)
def restore(wanted: Restoration, why: str = "", person: str = "", dry_run: bool = True) -> None:
    """Replace rows and marks, read what is then missing, and build again what depends on it.

    May be called again after any end. `dry_run` only logs what it would do. Raises PipelineFailure.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), business_day(None, settings.shop_timezone)
    log_plan(plan := plan_restore(wanted, settings, lake))
    if dry_run:
        return
    check_record("a restore", why, person, "--why")
    with (
        recorded_run(NAME, day, settings, lake, notify) as run,
        staged_warehouse(settings) as warehouse,
    ):
        restore_tables(plan, settings, lake)
        record_restore(lake, run, wanted, why, person)
        if wanted.what == WAREHOUSE:
            begin_warehouse(warehouse, wanted, settings)
        if wanted.is_of_bronze:
            run.extracted = extract(day, settings, lake)
        if wanted.is_built_again:
            rebuild_tables(run, warehouse, settings, lake)
        elif not wanted.what.startswith("ops."):
            catch_up(run, warehouse, settings, lake)


if __name__ == "__main__":
    run_restore_from_command_line(restore)
