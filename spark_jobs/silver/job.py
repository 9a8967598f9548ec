"""From bronze to silver, the same way for every table: check, then publish.

*check* types each bronze row that silver has not seen and gives it a reject reason or none; the result,
`flagged.<table>`, is what the bronze gate judges, and the rejected rows go to quarantine, where a person can
see them whatever the gate says. *publish* upserts the valid rows into silver. A rebuild replaces silver and
quarantine together, in *publish*. Neither decides whether the run may go on, and both may be repeated at any
time.
"""

import argparse
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import DecimalType, StructField, StructType, TimestampType

from lake.delta import Lake
from lake.quarantine import QUARANTINE_SCHEMA
from lake.row_counts import Flagged, RowCounts
from spark_jobs.engine.session import submitted_session
from spark_jobs.rows import REJECT_REASON, first_per_key, if_rejected, require_schema, surplus
from spark_jobs.tables import CountMismatch, Upserted, overwrite, read_table, upsert

QUARANTINE = from_arrow_schema(QUARANTINE_SCHEMA)
# What `check` adds to silver's columns; all but `ds` are null in valid rows, which would be twice as wide.
AUDIT_COLUMNS = ["ds", "key", "occurred_at", "origin", "raw", REJECT_REASON]


@dataclass(frozen=True)
class SilverJob:
    """How one silver table comes from its bronze table."""

    table: str
    key: str
    bronze: StructType
    silver: StructType
    check: Callable[[DataFrame, str], DataFrame]
    """(new bronze rows, business time zone) -> silver's columns and AUDIT_COLUMNS, one row per bronze row."""
    order: Callable[[], list[Column]]
    """The rule for duplicates: the first row of a key in this total order is the one that counts."""
    wins_by: list[str]
    wins: str
    """The same rule against the row that silver has, for `upsert`."""

    def transform(self, checked: DataFrame) -> DataFrame:
        """The valid rows, one per key, in silver's schema."""
        valid = checked.where(F.col(REJECT_REASON).isNull()).drop(*AUDIT_COLUMNS)
        return require_schema(first_per_key(valid, self.key, self.order()), self.silver)

    def rejected(self, checked: DataFrame) -> DataFrame:
        """The other rows, in QUARANTINE's schema, one per quarantine_id."""
        rows = checked.where(F.col(REJECT_REASON).isNotNull()).select(
            F.sha2(F.concat_ws("|", "origin", "raw"), 256).alias("quarantine_id"),
            F.lit(self.table).alias("source"),
            "ds",
            F.col(REJECT_REASON).alias("reason"),
            "key",
            "occurred_at",
            "origin",
            "raw",
        )
        return require_schema(first_per_key(rows, "quarantine_id", [F.col("ds")]), QUARANTINE)


def check(spark: SparkSession, lake: Lake, job: SilverJob, timezone: str, full: bool = False) -> Flagged:
    """Write `flagged.<table>`, the bronze rows that silver has not taken in yet, and quarantine the rejected.

    `full` takes all of bronze, and leaves the quarantine to `publish`.
    """
    since = None if full else lake.progress(f"silver.{job.table}", "bronze")
    bronze, version = _bronze_since(spark, lake, job, since)
    rows_in = overwrite(job.check(bronze, timezone), lake, f"flagged.{job.table}")
    checked = read_table(spark, lake, f"flagged.{job.table}")
    rejected = checked.where(F.col(REJECT_REASON).isNotNull())
    reasons = rejected.groupBy(REJECT_REASON).count().orderBy(REJECT_REASON)
    quarantine = f"quarantine.{job.table}"
    if not full and (rows_in or lake.table(quarantine) is None):
        upsert(spark, job.rejected(checked), lake, quarantine, "quarantine_id", [], "false")
    return Flagged(
        table=job.table,
        bronze_version=version or 0,
        rows_in=rows_in,
        rejected=dict(reasons.collect()) if rows_in else {},
    )


def flag_day(spark: SparkSession, lake: Lake, job: SilverJob, timezone: str, ds: dt.date) -> int:
    """Write `flagged_day.<table>`: all that bronze holds of business day `ds`; returns its rows.

    It is for looking at only: silver and quarantine stay as they are.
    """
    bronze, _ = _bronze_since(spark, lake, job, None)
    return overwrite(job.check(bronze, timezone).where(F.col("ds") == ds), lake, f"flagged_day.{job.table}")


def publish(
    spark: SparkSession, lake: Lake, job: SilverJob, checked: Flagged, full: bool = False
) -> RowCounts:
    """Bring the valid rows of `flagged.<table>` into silver, then mark how far silver has come.

    `full` replaces silver and quarantine instead. Raises CountMismatch if rows got lost or counted twice.
    """
    name, quarantine = f"silver.{job.table}", f"quarantine.{job.table}"
    if not checked.rows_in and not full and lake.table(name):
        lake.mark_progress(name, "bronze", checked.bronze_version)
        return RowCounts(job.table, rows_in=0, rows_out=0, duplicates=0, quarantined=0)

    rows = read_table(spark, lake, f"flagged.{job.table}")
    quarantined = sum(checked.rejected.values())
    if full:
        # Added before silver changes, taken away after: a crash in between leaves no row in neither.
        upsert(spark, job.rejected(rows), lake, quarantine, "quarantine_id", [], "false")
        upserted = Upserted(written=overwrite(job.transform(rows), lake, name), stale=0)
    else:
        upserted = upsert(spark, job.transform(rows), lake, name, job.key, job.wins_by, job.wins)
    repeated = surplus(rows.where(F.col(REJECT_REASON).isNull()), job.key) if checked.rows_in else 0
    published = RowCounts(
        table=job.table,
        rows_in=checked.rows_in,
        rows_out=upserted.written,
        duplicates=repeated + upserted.stale,
        quarantined=quarantined,
    )
    accounted = published.rows_out + published.duplicates + published.quarantined
    if published.rows_in != accounted:
        raise CountMismatch(
            f"{name}: {accounted} rows are accounted for, not those that came in: {published}"
        )
    if full:
        overwrite(job.rejected(rows), lake, quarantine)
    lake.mark_progress(name, "bronze", checked.bronze_version)
    return published


def _bronze_since(
    spark: SparkSession, lake: Lake, job: SilverJob, version: int | None
) -> tuple[DataFrame, int | None]:
    """The bronze rows added after `version` (None: all), and the present version."""
    files, present = lake.files_since(f"bronze.{job.table}", version)
    rows = spark.read.schema(job.bronze).parquet(*files) if files else spark.createDataFrame([], job.bronze)
    return rows, present


def change_log_job(
    table: str, key: str, schema: StructType, check: Callable[[DataFrame, str], DataFrame]
) -> SilverJob:
    """The job of a table whose bronze is a change log in `schema`, unique on (key, updated_at)."""
    others = [name for name in schema.fieldNames() if name != "updated_at"]
    return SilverJob(
        table=table,
        key=key,
        bronze=schema,
        silver=schema,
        check=check,
        order=lambda: [F.col("updated_at").desc(), *map(F.col, others)],
        wins_by=["updated_at"],
        wins="new.updated_at > old.updated_at",
    )


def audit_change_log(flagged: DataFrame, table: str, key: str, timezone: str) -> DataFrame:
    """Add AUDIT_COLUMNS to the flagged rows of a change log; `raw` is the row as JSON."""
    source_columns = [_exact(field) for field in flagged.schema.fields if field.name != REJECT_REASON]
    text = F.col(key).cast("string")
    return flagged.withColumns(
        {
            "ds": business_date(timezone),
            "key": if_rejected(text),
            "occurred_at": if_rejected("updated_at"),
            "origin": if_rejected(F.concat(F.lit(f"{table}/"), F.coalesce(text, F.lit("null")))),
            "raw": if_rejected(F.to_json(F.struct(*source_columns))),
        }
    )


def _exact(field: StructField) -> Column:
    # As JSON values, Apache Spark cuts times to milliseconds and Sail spells 0.10 as 0.1: text is exact.
    column = F.col(field.name)
    as_text = isinstance(field.dataType, DecimalType | TimestampType)
    return column.cast("string").alias(field.name) if as_text else column


def business_date(timezone: str) -> Column:
    """The shop's business day on which a row's current version was written."""
    return F.to_date(F.from_utc_timestamp("updated_at", timezone))


def run_as_script(job: SilverJob) -> None:
    """`spark-submit` entry point: check and publish one table; the outcome is the last line printed, as JSON.

    A flow has a gate between the two: it submits `--check`, and then `--checked` with what that printed.
    """
    arguments = argparse.ArgumentParser(description=f"bronze.{job.table} to silver.{job.table}")
    arguments.add_argument("--lake", required=True, help="root URI of the lake")
    arguments.add_argument("--timezone", default="UTC", help="the shop's business time zone")
    arguments.add_argument("--full", action="store_true", help="rebuild from all of bronze")
    arguments.add_argument("--check", action="store_true", help="stop after the check")
    arguments.add_argument("--checked", type=json.loads, help="publish what this check has found")
    options = arguments.parse_args()
    lake, spark = Lake(options.lake), submitted_session()
    if options.checked:
        checked = Flagged(**options.checked)
    else:
        checked = check(spark, lake, job, options.timezone, options.full)
    outcome = checked if options.check else publish(spark, lake, job, checked, options.full)
    print(json.dumps(asdict(outcome)), flush=True)
