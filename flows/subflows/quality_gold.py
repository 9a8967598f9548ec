"""Quality, gold: validate the marts of the staged warehouse before anyone sees them."""

import datetime as dt
from collections.abc import Collection
from itertools import chain

from prefect import flow

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ingest.decisions import Decisions
from tasks.ledger.quality_result import QualityResult
from tasks.quality.gate import ORDER_TOTALS, stop_on_critical
from tasks.quality.suites import gold_suites
from tasks.quality.validation import validate_gold
from tasks.timing import timed
from tasks.warehouse.interface import Warehouse


@flow(name="quality-gold", flow_run_name="quality-gold-{ds}")
@timed
def quality_gold(
    ds: dt.date,
    run_id: str,
    warehouse: Warehouse,
    settings: Settings,
    lake: Lake,
    built: Collection[str] | None = None,
    decisions: Decisions | None = None,
    flow: str = "daily",
) -> list[QualityResult]:
    """Run the suites of the sales marts that were `built` (default: all were), and compare the totals.

    The other marts have passed in the run that built them; totals also differ if the source has changed.
    Returns the warnings. Raises DataFailure at the gate.
    """
    suites = [name for name in gold_suites(topic="sales") if built is None or name in {*built, ORDER_TOTALS}]
    results = [validate_gold(table, warehouse, ds, run_id, settings, lake) for table in suites]
    return stop_on_critical(list(chain.from_iterable(results)), (), decisions, flow, ds)
