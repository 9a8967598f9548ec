"""The way from silver to the lake's gold tables: read silver, transform, replace the table in one commit."""

from collections.abc import Callable
from dataclasses import dataclass

from deltalake import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lake.catalog import catalog
from lake.delta import Lake, progress_of
from spark_jobs.gold.changed_dates import ORDERS, changed_dates
from spark_jobs.tables import overwrite, read_silver, read_table, row_count

SILVER = (ORDERS, "silver.customers", "silver.products")
# The member that stands for a customer or product that silver does not have (yet).
UNKNOWN = "unknown"
# What `total_orders` counts.
TOTAL_ORDERS = ("orders.order_number", "orders.order_id")


@dataclass(frozen=True)
class GoldJob:
    """The job that makes one gold table from silver."""

    table: str
    schema: StructType
    transform: Callable[[DataFrame, DataFrame, DataFrame], DataFrame]
    """(orders, customers, products) of silver -> the rows of the table, in its schema."""
    sources: dict[str, tuple[str, ...]]
    """The columns of silver, as <table>.<column>, that each column's values are made of."""


def known(name: str) -> Column:
    """The text, or UNKNOWN if it is null or blank, as dbt's `unless_blank` has it."""
    return F.coalesce(F.when(F.trim(name) != "", F.col(name)), F.lit(UNKNOWN)).alias(name)


def build(spark: SparkSession, lake: Lake, job: GoldJob) -> int:
    """Replace `gold.<table>` if silver or the job's schema has changed; returns the table's number of rows.

    The dates of changed orders are computed, and the other rows taken over. All dates are, if a customer or
    product has changed: one who moves changes the region of old orders.
    """
    name = f"gold.{job.table}"
    versions = {source: DeltaTable(lake.uri(source)).version() for source in SILVER}
    gold = lake.table(name)
    changed = _changed_sources(gold, job, lake) if gold else set(SILVER)
    if gold and not changed:
        return row_count(gold)
    orders, *others = (read_silver(spark, lake, catalog()[source.split(".")[1]]) for source in SILVER)
    dates = None
    if gold and changed == {ORDERS}:
        dates = changed_dates(spark, lake, orders.schema, progress_of(gold, ORDERS))
    if dates is None:
        rows = job.transform(orders, *others)
    else:
        is_changed = F.col("order_date").isin(dates)
        kept = read_table(spark, lake, name).where(~is_changed)
        rows = kept.unionByName(job.transform(orders.where(is_changed), *others))
    written = overwrite(rows, lake, name)
    for source, version in versions.items():
        lake.mark_progress(name, source, version)
    return written


def total_orders(orders: DataFrame) -> Column:
    """Number of orders among rows of silver: rows of one basket share an order_number.

    A row without one, or with a blank one, is an order of its own; so is every row of a silver that was
    written before orders had the column.
    """
    own = F.col("order_id").cast("string")
    if "order_number" not in orders.columns:
        return F.countDistinct(own)
    is_shared = F.trim("order_number") != ""
    return F.countDistinct(F.when(is_shared, F.col("order_number")).otherwise(own))


def _changed_sources(gold: DeltaTable, job: GoldJob, lake: Lake) -> set[str]:
    """The tables of silver that have changed since gold was made; all, if its schema has."""
    if [field.name for field in gold.schema().fields] != job.schema.fieldNames():
        return set(SILVER)
    return {source for source in SILVER if not lake.is_as_of(source, progress_of(gold, source))}
