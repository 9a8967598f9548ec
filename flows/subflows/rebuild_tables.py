"""Rebuild the tables: silver, quarantine, gold and marts again from bronze, beside those that people read."""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.dbt_build import dbt_build
from flows.subflows.quality_bronze import quality_bronze
from flows.subflows.quality_gold import quality_gold
from flows.subflows.transform import transform
from lake.delta import Lake
from tasks.ingest.decisions import Decisions
from tasks.inventory.silver import rewrite_silver
from tasks.ledger.run import Run
from tasks.transform.rebuilt import rebuilt_lake, replace_live_tables
from tasks.warehouse.access import publish_warehouse
from tasks.warehouse.interface import Warehouse
from tasks.warehouse.load import record_versions


@flow(name="rebuild-tables", flow_run_name="rebuild-tables-{run.ds}", validate_parameters=False)
def rebuild_tables(
    run: Run,
    warehouse: Warehouse,
    settings: Settings,
    lake: Lake,
    decisions: Decisions | None = None,
    days: tuple[dt.date, dt.date] | None = None,
) -> None:
    """Build all, or the keys that have a row of `days`; once every gate has passed, replace the live tables.

    Raises PipelineFailure; the live tables are then as they were.
    """
    day = run.ds
    with rebuilt_lake(lake, days) as rebuilt:
        run.flagged, warnings = quality_bronze(day, run.run_id, settings, rebuilt, True, decisions, days)
        run.tables = transform(day, run.flagged, settings, rebuilt, True, days)
        if not days:
            run.tables.append(rewrite_silver(settings, rebuilt))
        run.loaded, built = dbt_build(
            day, run.run_id, warehouse, settings, rebuilt, full=True, decisions=decisions
        )
        run.warnings += warnings + built.warnings
        run.warnings += quality_gold(
            day, run.run_id, warehouse, settings, rebuilt, decisions=decisions, flow="rebuild"
        )
        versions = replace_live_tables(rebuilt, settings)
    record_versions(warehouse, lake, versions)
    publish_warehouse(warehouse, built.models)
