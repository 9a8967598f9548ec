"""Quality, gold: judge the marts of the staged warehouse before anyone sees them."""

import datetime as dt

from prefect import flow

from tasks.ledger.quality_result import QualityResult
from tasks.quality.suites import SALES_SUITES
from tasks.quality.validation import stop_on_critical, validate_gold
from tasks.warehouse.interface import Warehouse


@flow(name="quality-gold", flow_run_name="quality-gold-{ds}")
def quality_gold(ds: dt.date, run_id: str, warehouse: Warehouse) -> list[QualityResult]:
    """Run every suite of the sales marts; returns the warnings. Raises DataFailure at the gate."""
    judged = [validate_gold(table, warehouse, ds, run_id) for table in SALES_SUITES]
    return stop_on_critical([result for results in judged for result in results])
