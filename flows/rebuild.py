"""Rebuild: silver, quarantine, gold and marts again from all of bronze, e.g. after a row rule has changed.

python -m flows.rebuild
python -m flows.rebuild --accept-failed orders --reason "the old shop had no quantities"
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.dbt_build import dbt_build
from flows.subflows.notify import notify
from flows.subflows.quality_bronze import quality_bronze
from flows.subflows.quality_gold import quality_gold
from flows.subflows.transform import transform
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.ingest.decisions import Decisions
from tasks.inventory.silver import rewrite_silver
from tasks.ledger.interventions import record_decisions
from tasks.runs.business_day import business_day, run_name
from tasks.runs.command_line import run_rebuild_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import one_writer, publish_warehouse, staged_warehouse

NAME = "rebuild"


@flow(name=NAME, flow_run_name=run_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def rebuild(ds: dt.date | None = None, decisions: Decisions | None = None) -> None:
    """Apply the present row rules to bronze; rows that pass now leave quarantine. Raises PipelineFailure.

    Extracts nothing. Too many rejected rows stop it before silver, quarantine or marts change. `ds` (default:
    yesterday) only names the run and dates its freshness tests; `decisions` go on record.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), business_day(ds, settings.shop_timezone)
    with (
        recorded_run(NAME, day, settings, lake, notify) as run,
        one_writer(),
        staged_warehouse(settings) as warehouse,
    ):
        record_decisions(lake, run, decisions)
        run.flagged, run.warnings = quality_bronze(
            day, run.run_id, settings, lake, full=True, decisions=decisions
        )
        run.tables = transform(day, run.flagged, settings, lake, full=True)
        run.tables.append(rewrite_silver(settings, lake))
        run.loaded, built = dbt_build(
            day, run.run_id, warehouse, settings, lake, full=True, decisions=decisions
        )
        run.warnings += built.warnings
        run.warnings += quality_gold(day, run.run_id, warehouse, settings, lake, "rebuild", decisions)
        publish_warehouse(warehouse, built.models)


if __name__ == "__main__":
    run_rebuild_from_command_line(rebuild)
