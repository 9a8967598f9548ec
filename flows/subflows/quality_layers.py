"""Quality, every layer: validate a day's rows silver and gold, and document the results."""

import datetime as dt
from itertools import chain

from prefect import flow

from blocks.settings.settings import Settings
from lake.catalog import catalog, spark_tables
from lake.delta import Lake
from tasks.bi.files import write_metrics
from tasks.ledger.quality_result import QualityResult, record_results
from tasks.lineage.files import write_lineage
from tasks.quality.gate import stop_on_critical
from tasks.quality.suites import gold_suites
from tasks.quality.validation import validate_day, validate_gold, validate_silver
from tasks.report.documentation import write_data_docs, write_dbt_docs
from tasks.timing import timed
from tasks.transform.dbt import validate_marts
from tasks.transform.spark import flag_day
from tasks.warehouse.interface import Warehouse


@flow(name="quality-layers", flow_run_name="quality-layers-{ds}")
@timed
def quality_layers(
    ds: dt.date, run_id: str, warehouse: Warehouse, settings: Settings, lake: Lake
) -> list[QualityResult]:
    """Run every suite, on the rows of day `ds` and on all that is in silver and gold, and every test of dbt.

    Returns the warnings. Validates everything before it raises DataFailure.
    """
    marts = [
        validate_gold(mart, warehouse, ds, run_id, settings, lake, all_rows=True) for mart in gold_suites()
    ]
    silver = [validate_silver(table, ds, run_id, settings, lake) for table in catalog()]
    days = [table for table in spark_tables() if flag_day(table, ds, settings, lake)]
    day = [validate_day(table, ds, run_id, settings, lake) for table in days]
    tested = validate_marts(warehouse, ds.isoformat(), settings)
    record_results(lake, tested, ds, run_id)
    write_data_docs(settings)
    write_dbt_docs(warehouse, settings)
    write_metrics(settings)
    write_lineage(settings)
    return stop_on_critical(list(chain.from_iterable([*marts, *silver, *day, tested])), flow="data_quality")
