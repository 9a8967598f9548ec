"""dbt: load silver into the staged warehouse, then build and test the marts."""

import datetime as dt
from pathlib import Path

from prefect import flow

from tasks.dbt_models import build_marts
from tasks.warehouse import Loaded, load_warehouse


@flow(name="dbt-build", flow_run_name="dbt-build-{ds}")
def dbt_build(ds: dt.date, warehouse: Path, full: bool = False) -> Loaded:
    """Bring the staged warehouse and its marts up to silver; raises DataFailure on a failed test."""
    loaded = load_warehouse(warehouse, full)
    build_marts(warehouse, ds.isoformat(), full_refresh=full)
    return loaded
