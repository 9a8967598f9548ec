"""Inventory: stock events from Kafka, each once, become stock levels, alerts and marts.

python -m flows.inventory                       every event so far, then stop
python -m flows.inventory --follow-minutes 61   go on as events come; alerts in seconds
"""

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.dbt_build import dbt_build
from flows.subflows.notify import notify
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.inventory.monitor import InventoryMonitor, consume_as_they_come, consume_backlog
from tasks.ledger.interventions import record_decision
from tasks.runs.business_day import hourly_run_name, today
from tasks.runs.command_line import run_inventory_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import publish_warehouse, staged_warehouse

NAME = "inventory"


@flow(name=NAME, flow_run_name=hourly_run_name, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def inventory(
    follow_minutes: float = 0, accept_loss: bool = False, reason: str = "", person: str = ""
) -> None:
    """Consume all stock events so far, then those of the next `follow_minutes`, and update the marts.

    SIGTERM ends the consuming, not the run. `accept_loss`: go on even if Kafka no longer has events that the
    lake has not seen; goes on record with `reason` and `person`. Raises PipelineFailure.
    """
    settings = Settings()
    lake, day = Lake(settings.lake_uri), today(settings.shop_timezone)
    with recorded_run(NAME, day, settings, lake, notify) as run:
        if accept_loss:
            record_decision(lake, run, "accept lost stock events", reason, person)
        with InventoryMonitor(run, settings, lake) as monitor:
            consume_backlog(monitor, settings, lake, accept_loss)
            if follow_minutes:
                consume_as_they_come(monitor, settings, lake, follow_minutes, accept_loss)
        if run.rows_in:
            with staged_warehouse(settings) as warehouse:
                run.loaded, built = dbt_build(day, run.run_id, warehouse, settings, lake, topic=NAME)
                run.warnings += built.warnings
                publish_warehouse(warehouse, built.models)


if __name__ == "__main__":
    run_inventory_from_command_line(inventory)
