"""The daily run without Prefect's engine: the same functions in the same order as flows/daily.py.

The gates on shares of rejected rows are left out: on a shop of six orders they would stop every run.
"""

import logging
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any
from unittest.mock import patch

from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from blocks.settings.failures import DataFailure
from blocks.settings.settings import Settings
from expectations.gold.order_totals import PAIRS
from lake.catalog import shop_tables, spark_tables
from lake.delta import Lake
from lake.row_counts import RowCounts
from spark_jobs.gold.jobs import GOLD_JOBS
from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.decisions import Decisions
from tasks.ingest.postgres import extract_table
from tasks.quality.reconciliation import order_totals
from tasks.transform import dbt as dbt_models
from tasks.transform.rebuilt import rebuilt_lake, replace_live_tables
from tasks.transform.spark import build_gold, flag_rows, write_silver
from tasks.warehouse.access import publish_warehouse, staged_warehouse
from tasks.warehouse.interface import Warehouse
from tasks.warehouse.load import load_warehouse
from tests.support.platforms import here, lake_here
from tests.support.spark_work import daily_spark_work

Extracted = Callable[[str, bool], None]
"""Called with the name of each source table (or `clickstream`) once its rows are in bronze, and whether all are."""
NOTHING_DECIDED = Decisions()


def lake_run(ds: date, extracted: Extracted, decisions: Decisions = NOTHING_DECIDED) -> list[RowCounts]:
    """Extract, check, silver and the lake's gold; returns the rows per silver table."""
    lake = Lake(Settings().lake_uri)
    for name in [*shop_tables(), "clickstream"]:
        before = _version(lake, name)
        try:
            if name == "clickstream":
                extract_clickstream.fn(ds, *here())
            else:
                extract_table.fn(name, ds, *here(), decisions=decisions)
        except Exception:
            # A crash after the commit: bronze has the rows, though nobody was notified.
            if _version(lake, name) != before:
                extracted(name, False)
            raise
        extracted(name, True)
    published, _ = daily_spark_work()
    return published


def _version(lake: Lake, name: str) -> int | None:
    table = lake.table(f"bronze.{name}")
    return table.version() if table else None


def rebuild_lake(days: tuple[date, date] | None = None) -> None:
    """Silver, quarantine and the lake's gold again, from all of bronze or of some days, as flows/rebuild.py does."""
    settings, lake = here()
    with rebuilt_lake(lake, days) as rebuilt:
        for table in spark_tables():
            flagged = flag_rows.fn(table, settings, rebuilt, True, days)
            write_silver.fn(flagged, settings, rebuilt, True, days)
        for table in GOLD_JOBS:
            build_gold.fn(table, settings, rebuilt)
        replace_live_tables.fn(rebuilt, settings)


def daily_run(ds: date, extracted: Extracted, decisions: Decisions = NOTHING_DECIDED) -> list[RowCounts]:
    """The whole run, source to published marts; raises DataFailure where the totals disagree."""
    with staged_warehouse(Settings()) as warehouse:
        published = lake_run(ds, extracted, decisions)
        load_warehouse.fn(warehouse, lake_here())
        build_marts(warehouse, ds)
        validate_totals(warehouse)
        publish_warehouse.fn(warehouse)
    return published


class PlainDbt:
    """Stands in for Prefect's dbt runner: the same project, parsed once, and without dbt's own tests.

    Those would speak first, and the law is to be tested by the law alone.
    """

    def __init__(self, **_: Any) -> None: ...

    def invoke(self, command: list[str]) -> dbtRunnerResult:
        """Run a dbt command on the pipeline's project."""
        return dbtRunner(manifest=_manifest()).invoke(
            [*command, "--exclude-resource-type", "test", *_PROJECT]
        )


def build_marts(warehouse: Warehouse, ds: date) -> None:
    """The pipeline's own `build_marts`, outside of a flow and in this process."""
    with (
        patch.object(dbt_models, "ModelsAsTasks", PlainDbt),
        patch.object(dbt_models, "get_run_logger", logging.getLogger),
    ):
        dbt_models.build_marts(warehouse, ds.isoformat(), Settings())


_PROJECT = ["--project-dir", str(dbt_models.PROJECT), "--profiles-dir", str(dbt_models.PROJECT), "--quiet"]


@cache
def _manifest() -> Manifest:
    parsed = dbtRunner().invoke(["parse", *_PROJECT]).result
    assert isinstance(parsed, Manifest)
    return parsed


def validate_totals(warehouse: Warehouse) -> None:
    """The gate on money: the pairs of its suite, compared here because the suite itself takes seconds."""
    with warehouse.session() as session:
        rows = order_totals(session, warehouse.gold, lake_here()).to_pylist()
    wrong = [(left, right, row) for row in rows for left, right in PAIRS if row[left] != row[right]]
    if wrong:
        raise DataFailure(f"totals disagree: {wrong}")
