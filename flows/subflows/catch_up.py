"""Catch up: what is new in bronze, whatever its day, to silver, gold and the marts."""

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.dbt_build import dbt_build
from flows.subflows.quality_bronze import quality_bronze
from flows.subflows.quality_gold import quality_gold
from flows.subflows.transform import transform
from lake.delta import Lake
from tasks.ledger.run import Run
from tasks.warehouse.access import publish_warehouse
from tasks.warehouse.interface import Warehouse


@flow(name="catch-up", flow_run_name="catch-up-{run.ds}", validate_parameters=False)
def catch_up(run: Run, warehouse: Warehouse, settings: Settings, lake: Lake) -> None:
    """Bring all up to bronze, whatever state it is in, and publish. Raises PipelineFailure."""
    run.flagged, run.warnings = quality_bronze(run.ds, run.run_id, settings, lake)
    run.tables = transform(run.ds, run.flagged, settings, lake)
    run.loaded, built = dbt_build(run.ds, run.run_id, warehouse, settings, lake, full=True)
    run.warnings += built.warnings
    run.warnings += quality_gold(run.ds, run.run_id, warehouse, settings, lake, built.models)
    publish_warehouse(warehouse, built.models)
