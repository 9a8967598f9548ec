"""dbt: load silver into the staged warehouse, then build and test the marts.

Where they are asked for, the feature tables come after them.
"""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.features.refresh import refresh_if_wanted
from tasks.ingest.decisions import Decisions
from tasks.ledger.quality_result import record_results
from tasks.timing import timed
from tasks.transform.dbt import Built, build_marts
from tasks.warehouse.interface import Loaded, Warehouse
from tasks.warehouse.load import load_warehouse


@flow(name="dbt-build", flow_run_name="dbt-build-{ds}")
@timed
def dbt_build(
    ds: dt.date,
    run_id: str,
    warehouse: Warehouse,
    settings: Settings,
    lake: Lake,
    full: bool = False,
    topic: str | None = None,
    decisions: Decisions | None = None,
) -> tuple[Loaded, Built]:
    """Bring the staged warehouse and its marts up to silver; returns what was loaded and built.

    With a `topic`, the silver table of that name and the models with that tag only. Raises DataFailure on a
    failed test.
    """
    loaded = load_warehouse(warehouse, lake, full, [topic] if topic else None)
    built = build_marts(
        warehouse, ds.isoformat(), settings, full_refresh=full, topic=topic, decisions=decisions
    )
    record_results(lake, built.results, ds, run_id)
    if not topic:
        refresh_if_wanted(warehouse, settings, lake)
    return loaded, built
