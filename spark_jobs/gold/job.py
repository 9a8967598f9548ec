"""The way from silver to the lake's gold tables: read silver, transform, replace the table in one commit."""

from collections.abc import Callable
from dataclasses import dataclass

from deltalake import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lake.delta import Lake
from spark_jobs.tables import overwrite, read_table, row_count

SILVER = ("silver.orders", "silver.customers", "silver.products")
# The member that stands for a customer or product that silver does not have (yet).
UNKNOWN = "unknown"


@dataclass(frozen=True)
class GoldJob:
    """The job that makes one gold table from silver."""

    table: str
    schema: StructType
    transform: Callable[[DataFrame, DataFrame, DataFrame], DataFrame]
    """(orders, customers, products) of silver -> the rows of the table, in its schema."""


def known(name: str) -> Column:
    """The text, or UNKNOWN if it is null or blank, as dbt's `unless_blank` has it."""
    return F.coalesce(F.when(F.trim(name) != "", F.col(name)), F.lit(UNKNOWN)).alias(name)


def build(spark: SparkSession, lake: Lake, job: GoldJob) -> int:
    """Replace `gold.<table>` if silver or the job's schema has changed; returns the table's number of rows.

    The whole table: a customer who moves changes the region of old orders, and aggregating narrow columns is
    cheaper than finding the dates concerned.
    """
    name = f"gold.{job.table}"
    versions = {source: DeltaTable(lake.uri(source)).version() for source in SILVER}
    gold = lake.table(name)
    if gold and _is_current(gold, job, versions):
        return row_count(gold)
    rows = overwrite(job.transform(*(read_table(spark, lake, source) for source in SILVER)), lake, name)
    for source, version in versions.items():
        lake.mark_progress(name, source, version)
    return rows


def _is_current(gold: DeltaTable, job: GoldJob, versions: dict[str, int]) -> bool:
    columns = [field.name for field in gold.schema().fields]
    return columns == job.schema.fieldNames() and all(
        gold.transaction_version(source) == version for source, version in versions.items()
    )
