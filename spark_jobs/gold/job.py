"""Writing the lake's gold tables: read silver, transform, replace the table in one commit."""

import argparse
import json
from collections.abc import Callable

from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lake.delta import Lake
from spark_jobs.engine.session import submitted_session
from spark_jobs.tables import overwrite, read_table, row_count

SILVER = ("silver.orders", "silver.customers", "silver.products")
# The member that stands for a customer or product that silver does not have (yet).
UNKNOWN = "unknown"

GoldTransform = Callable[[DataFrame, DataFrame, DataFrame], DataFrame]


def build(spark: SparkSession, lake: Lake, table: str, transform: GoldTransform) -> int:
    """Replace `gold.<table>` by `transform(orders, customers, products)` of silver; returns its rows.

    All of it, whenever silver has changed: a customer who moves changes the region of old orders, and the
    aggregate of narrow columns is cheap beside finding out which dates that touches.
    """
    name = f"gold.{table}"
    versions = {source: DeltaTable(lake.uri(source)).version() for source in SILVER}
    gold = lake.table(name)
    if gold and all(gold.transaction_version(source) == version for source, version in versions.items()):
        return row_count(gold)
    rows = overwrite(transform(*(read_table(spark, lake, source) for source in SILVER)), lake, name)
    for source, version in versions.items():
        lake.mark_progress(name, source, version)
    return rows


def run_as_script(table: str, transform: GoldTransform) -> None:
    """`spark-submit` entry point: rebuild one gold table; prints its rows, as JSON, last."""
    arguments = argparse.ArgumentParser(description=f"silver to gold.{table}")
    arguments.add_argument("--lake", required=True, help="root URI of the lake")
    lake = Lake(arguments.parse_args().lake)
    print(json.dumps({"rows": build(submitted_session(), lake, table, transform)}), flush=True)
