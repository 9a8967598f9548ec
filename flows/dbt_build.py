"""dbt: load silver into the staged warehouse, then build and test the marts."""

import datetime as dt

from prefect import flow

from tasks.dbt_models import Built, build_marts
from tasks.quality import record_results
from tasks.warehouse import KEYS, Loaded, Warehouse, load_warehouse


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
