"""dbt: load silver into the staged warehouse, then build and test the marts."""

import datetime as dt

from prefect import flow

from lake.catalog import KEYS
from tasks.ledger.quality_result import record_results
from tasks.transform.dbt import Built, build_marts
from tasks.warehouse.interface import Loaded, Warehouse
from tasks.warehouse.load import load_warehouse


@flow(name="dbt-build", flow_run_name="dbt-build-{ds}")
def dbt_build(
    ds: dt.date, run_id: str, warehouse: Warehouse, full: bool = False, topic: str | None = None
) -> tuple[Loaded, Built]:
    """Bring the staged warehouse and its marts up to silver; returns what was loaded and built.

    With a `topic`, the silver table of that name and the models with that tag only. Raises DataFailure on a
    failed test.
    """
    loaded = load_warehouse(warehouse, full, [topic] if topic else list(KEYS))
    built = build_marts(warehouse, ds.isoformat(), full_refresh=full, topic=topic)
    record_results(built.results, ds, run_id)
    return loaded, built
