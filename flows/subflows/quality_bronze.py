"""Quality, bronze: type and flag what is new, and stop the run if too much of it is wrong."""

import datetime as dt

from prefect import flow

from blocks.failures import DataFailure
from lake.row_counts import Flagged
from tasks.ledger.quality_result import QualityResult
from tasks.quality.validation import stop_on_critical, validate_bronze, validate_rebuild
from tasks.transform.spark import SILVER_JOBS, flag_rows


@flow(name="quality-bronze", flow_run_name="quality-bronze-{ds}")
def quality_bronze(ds: dt.date, run_id: str, full: bool = False) -> tuple[list[Flagged], list[QualityResult]]:
    """Check every table's new bronze rows, or with `full` all of bronze; returns them and the warnings.

    Raises DataFailure at the gate, with the rejected rows by reason.
    """
    checked = [flag_rows(table, full) for table in SILVER_JOBS]
    judge = validate_rebuild if full else validate_bronze
    judged = [judge(table.table, ds, run_id) for table in checked if table.rows_in]
    try:
        return checked, stop_on_critical([result for results in judged for result in results])
    except DataFailure as failure:
        reasons = (
            f"{table.table} {reason}: {n}" for table in checked for reason, n in table.rejected.items()
        )
        raise DataFailure(f"{failure}. Rejected by reason: {', '.join(reasons) or 'none'}") from failure
