"""Replay: rows of quarantine, after a fix in the source, in a row rule, or with a patch file.

python -m flows.replay --table orders --reason amount_in_range --day 2024-01-10     # what it would do
python -m flows.replay --table orders --export orders.csv                           # to correct them by hand
python -m flows.replay --table orders --patch orders.csv --why "as on the invoices" --run
"""

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.correct import correct
from flows.subflows.dbt_build import dbt_build
from flows.subflows.notify import notify
from flows.subflows.quality_bronze import quality_bronze
from flows.subflows.quality_gold import quality_gold
from flows.subflows.transform import transform
from lake.delta import Lake
from tasks.alerts.delivery import confirm_delivery
from tasks.replay.plan import plan_replay
from tasks.replay.selection import Selection
from tasks.replay.steps import leave_quarantine, log_plan, record_replay
from tasks.runs.recorded_run import recorded_run
from tasks.runs.replay_command import run_replay_from_command_line
from tasks.warehouse.access import publish_warehouse, staged_warehouse

NAME = "replay"


@flow(name=NAME, flow_run_name="replay-{rows}", on_failure=[confirm_delivery], on_crashed=[confirm_delivery])
def replay(rows: Selection, why: str = "", person: str = "", patch: str = "", dry_run: bool = True) -> None:
    """Bring the selected rows that are right now to the marts; they leave quarantine, on record.

    `patch` is a file of corrected rows. `dry_run` only logs what it would do. Raises PipelineFailure.
    """
    settings = Settings()
    lake = Lake(settings.lake_uri)
    plan = plan_replay(rows, patch, settings, lake)
    log_plan(plan)
    if dry_run or not plan.rows:
        return
    day = plan.ds
    with (
        recorded_run(NAME, day, settings, lake, notify) as run,
        staged_warehouse(settings) as warehouse,
    ):
        record_replay(lake, run, rows, why, person)
        run.extracted = correct(plan, patch, settings, lake)
        run.flagged, run.warnings = quality_bronze(day, run.run_id, settings, lake)
        run.tables = transform(day, run.flagged, settings, lake)
        leave_quarantine(rows, run, why, person, lake)
        run.loaded, built = dbt_build(day, run.run_id, warehouse, settings, lake)
        run.warnings += built.warnings + quality_gold(
            day, run.run_id, warehouse, settings, lake, built.models
        )
        publish_warehouse(warehouse, built.models)


if __name__ == "__main__":
    run_replay_from_command_line(replay)
