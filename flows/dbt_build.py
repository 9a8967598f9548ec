"""dbt: load silver into the staged warehouse, then build and test the marts."""

import datetime as dt

from prefect import flow

from tasks.dbt_models import build_marts
from tasks.warehouse import KEYS, Loaded, Warehouse, load_warehouse


@flow(name="dbt-build", flow_run_name="dbt-build-{ds}")
def dbt_build(ds: dt.date, warehouse: Warehouse, full: bool = False, topic: str | None = None) -> Loaded:
    """Bring the staged warehouse and its marts up to silver; raises DataFailure on a failed test.

    With a `topic`, the silver table of that name and the models with that tag only.
    """
    loaded = load_warehouse(warehouse, full, [topic] if topic else list(KEYS))
    build_marts(warehouse, ds.isoformat(), full_refresh=full, topic=topic)
    return loaded
