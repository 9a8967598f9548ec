"""dbt: load silver into the staged warehouse, then build and test the marts."""

import datetime as dt

from prefect import flow

from tasks.dbt_models import build_marts
from tasks.quality import QualityResult, record_results
from tasks.warehouse import KEYS, Loaded, Warehouse, load_warehouse


@flow(name="dbt-build", flow_run_name="dbt-build-{ds}")
def dbt_build(
    ds: dt.date, run_id: str, warehouse: Warehouse, full: bool = False, topic: str | None = None
) -> tuple[Loaded, list[QualityResult]]:
    """Bring the staged warehouse and its marts up to silver; returns what was loaded and dbt's warnings.

    With a `topic`, the silver table of that name and the models with that tag only. Raises DataFailure on a
    failed test.
    """
    loaded = load_warehouse(warehouse, full, [topic] if topic else list(KEYS))
    results = build_marts(warehouse, ds.isoformat(), full_refresh=full, topic=topic)
    record_results(results, ds, run_id)
    return loaded, [result for result in results if not result.is_success]
