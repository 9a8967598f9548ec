"""Quality, every layer: judge what a day brought and all that people read, and publish what was found."""

import datetime as dt
from itertools import chain

from prefect import flow

from tasks.ledger.quality_result import QualityResult
from tasks.quality.suites import GOLD_SUITES, SILVER_SUITES
from tasks.quality.validation import stop_on_critical, validate_day, validate_gold, validate_silver
from tasks.report.documentation import publish_data_docs, publish_dbt_docs
from tasks.transform.spark import SILVER_JOBS, flag_day
from tasks.warehouse.interface import Warehouse


@flow(name="quality-layers", flow_run_name="quality-layers-{ds}")
def quality_layers(ds: dt.date, run_id: str, warehouse: Warehouse) -> list[QualityResult]:
    """Run every suite, on what day `ds` brought and on all that is in silver and gold; returns the warnings.

    Judges everything before it raises DataFailure about anything.
    """
    judged = [validate_gold(table, warehouse, ds, run_id, all_rows=True) for table in GOLD_SUITES]
    judged += [validate_silver(table, ds, run_id) for table in SILVER_SUITES]
    judged += [validate_day(table, ds, run_id) for table in SILVER_JOBS if flag_day(table, ds)]
    publish_data_docs()
    publish_dbt_docs(warehouse)
    return stop_on_critical(list(chain.from_iterable(judged)))
