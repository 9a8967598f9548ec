"""Correct: quarantined rows, by today's row rules, by a patch, and by what the source says now."""

from itertools import chain

from prefect import flow

from blocks.settings.settings import Settings
from flows.subflows.extract import extract
from lake.delta import Lake
from lake.row_counts import Extracted
from tasks.replay.plan import ReplayPlan
from tasks.replay.steps import append_replays


@flow(name="correct", flow_run_name="correct-{plan.ds}", validate_parameters=False)
def correct(plan: ReplayPlan, patch: str, settings: Settings, lake: Lake) -> list[Extracted]:
    """Append to bronze the selected rows that pass now or are patched, then what the source says of others.

    In this order: where the source has changed a patched row, the source counts. Returns the number of rows
    that were extracted per table. Raises PipelineFailure.
    """
    append_replays(plan.selection, patch, settings, lake)
    extracts = [extract(day, settings, lake, plan.reread, clicks_only=day != plan.ds) for day in plan.days]
    return list(chain.from_iterable(extracts))
