"""Inventory: stock events from Kafka, each once, become levels, alerts and marts.

python -m flows.inventory                       every event so far, then stop
python -m flows.inventory --follow-minutes 61   go on as events come; alerts in seconds
"""

from prefect import flow

from flows.subflows.dbt_build import dbt_build
from flows.subflows.notify import notify
from tasks.alerts.delivery import confirm_delivery
from tasks.inventory.monitor import InventoryMonitor, keep_up, take_in
from tasks.runs.business_day import today
from tasks.runs.command_line import run_inventory_from_command_line
from tasks.runs.recorded_run import recorded_run
from tasks.warehouse.access import one_writer, publish_warehouse, staged_warehouse

NAME = "inventory"


@flow(name=NAME, on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def inventory(follow_minutes: float = 0, accept_loss: bool = False) -> None:
    """Take in all stock events up to now, then those of the next `follow_minutes`, and bring the marts up.

    SIGTERM ends the following, not the run. `accept_loss`: go on though Kafka no longer has events that the
    lake has not seen. Raises PipelineFailure.
    """
    with recorded_run(NAME, today(), notify=notify) as run:
        with InventoryMonitor(run) as watch:
            run.timed(take_in, watch, accept_loss)
            if follow_minutes:
                run.timed(keep_up, watch, follow_minutes, accept_loss)
        if watch.settled.rows_in:
            with one_writer(), staged_warehouse() as warehouse:
                run.loaded, built = run.timed(dbt_build, run.ds, run.run_id, warehouse, topic="inventory")
                run.warnings += built.warnings
                publish_warehouse(warehouse, built.models)


if __name__ == "__main__":
    run_inventory_from_command_line(inventory)
