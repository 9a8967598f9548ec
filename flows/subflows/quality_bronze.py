"""Quality, bronze: flag the new rows, and stop the run if too many are rejected."""

import datetime as dt
from itertools import chain

from prefect import flow

from blocks.settings.settings import Settings
from lake.catalog import spark_tables
from lake.delta import Lake
from lake.row_counts import Flagged
from tasks.ingest.decisions import Decisions
from tasks.ledger.quality_result import QualityResult
from tasks.quality.gate import stop_on_critical
from tasks.quality.validation import validate_bronze, validate_empty, validate_rebuild
from tasks.timing import timed
from tasks.transform.spark import flag_rows


@flow(name="quality-bronze", flow_run_name="quality-bronze-{ds}")
@timed
def quality_bronze(
    ds: dt.date,
    run_id: str,
    settings: Settings,
    lake: Lake,
    full: bool = False,
    decisions: Decisions | None = None,
    days: tuple[dt.date, dt.date] | None = None,
) -> tuple[list[Flagged], list[QualityResult]]:
    """Flag every table's new bronze rows, or with `full` all of bronze; returns them and the warnings.

    With `days`, of bronze all of the keys that have a row of these. Raises DataFailure at the gate, with the
    rejected rows by reason.
    """
    flagged = [flag_rows(table, settings, lake, full, days) for table in spark_tables()]
    validate = validate_rebuild if full else validate_bronze
    results = [validate(each.table, ds, run_id, settings, lake) for each in flagged if each.rows_in]
    empty = [] if full else [each.table for each in flagged if not each.rows_in]
    results += [validate_empty(table, ds, run_id, settings, lake) for table in empty]
    flow = "rebuild" if full else "daily"
    return flagged, stop_on_critical(list(chain.from_iterable(results)), flagged, decisions, flow, ds)
