"""Rows in and out of data frames, bronze tables and what became of them, as plain Python values."""

import datetime as dt
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType, TimestampType

from lake.catalog import catalog
from lake.delta import Lake
from lake.row_counts import RowCounts
from spark_jobs.rows import REJECT_REASON
from spark_jobs.silver import job as silver
from spark_jobs.tables import read_table
from tests.support.rows import DAY

CHANGE_LOG_TYPES = {
    "order_id": pa.int64(),
    "customer_id": pa.int64(),
    "product_id": pa.int64(),
    "order_date": pa.date32(),
    "amount": pa.decimal128(12, 2),
    "quantity": pa.int32(),
    "unit_cost": pa.decimal128(12, 2),
    "updated_at": pa.timestamp("us", tz="UTC"),
    "read_at": pa.timestamp("us", tz="UTC"),
}
CLICK_TYPES = {"ds": pa.date32(), "source_file": pa.string(), "line_number": pa.int64(), "raw": pa.string()}


def schema_of(table: str) -> StructType:
    """The schema of a silver table."""
    return from_arrow_schema(catalog()[table].schema)


def frame(spark: SparkSession, schema: StructType, rows: list[dict[str, Any]]) -> DataFrame:
    """A data frame of these rows in `schema`."""
    return spark.createDataFrame(
        [tuple(row.get(name) for name in schema.fieldNames()) for row in rows], schema
    )


def clicks(*lines: str | None, source_file: str = "2024-03-04/part-0.jsonl") -> list[dict[str, Any]]:
    """Bronze's rows of one clickstream file."""
    return [
        {"ds": DAY, "source_file": source_file, "line_number": number, "raw": line}
        for number, line in enumerate(lines, start=1)
    ]


def write_bronze(lake: Lake, table: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to a bronze table, as extraction does."""
    types = CLICK_TYPES if table == "clickstream" else CHANGE_LOG_TYPES
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    write_deltalake(lake.uri(f"bronze.{table}"), pa.Table.from_pylist(rows, schema), mode="append")


def run(
    spark: SparkSession, lake: Lake, job: silver.SilverJob, timezone: str = "UTC", full: bool = False
) -> RowCounts:
    """Flag and write, as a daily run does without its gate."""
    return silver.write(spark, lake, job, silver.flag_new(spark, lake, job, timezone, full), full)


def totals(counts: RowCounts) -> tuple[str, int, int, int, int]:
    """The table, and its rows in, out, duplicate and quarantined."""
    return counts.table, counts.rows_in, counts.rows_out, counts.duplicates, counts.quarantined


def values(rows: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """These columns (default: all) of every row, sorted; times are aware, in UTC."""
    chosen = rows.select(*columns) if columns else rows
    # As text and back: collected as they are, they would be in this machine's time zone.
    times = [field.name for field in chosen.schema.fields if isinstance(field.dataType, TimestampType)]
    plain = chosen.select(*(F.col(name).cast("string") if name in times else name for name in chosen.columns))
    made = (
        tuple(_aware(row[name]) if name in times else row[name] for name in chosen.columns)
        for row in plain.collect()
    )
    return sorted(made, key=lambda row: [(value is not None, str(value)) for value in row])


def table(spark: SparkSession, lake: Lake, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of a table of the lake."""
    return values(read_table(spark, lake, name), *columns)


def reasons(
    spark: SparkSession, job: silver.SilverJob, rows: list[dict[str, Any]], timezone: str = "UTC"
) -> list[str | None]:
    """The reject reason of each row of a change log, in their order."""
    numbered = StructType([*job.bronze.fields]).add("case", "integer")
    bronze = frame(spark, numbered, [row | {"case": number} for number, row in enumerate(rows)])
    return [row[REJECT_REASON] for row in job.flag(bronze, timezone).orderBy("case").collect()]


def _aware(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) if text else None
