"""The way from bronze to silver, the same for every table: flag, then write.

- *flag* types each bronze row that is new to silver and gives it a reject reason or none, in
  `flagged.<table>`, which the bronze gate validates. Rejected rows go to quarantine, where people see them
  even if the gate stops the run.
- *write* upserts the valid rows into silver. In a rebuild it replaces silver and quarantine together.

Neither decides whether the run may go on, and both may be repeated at any time.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from lake.delta import Lake
from lake.quarantine import QUARANTINE_SCHEMA, REPLAYED, RULE
from lake.row_counts import Flagged, RowCounts
from lake.source_table import READ_AT
from spark_jobs.rows import REJECT_REASON, first_per_key, require_schema
from spark_jobs.silver.repeated import find_repeated
from spark_jobs.silver.some_days import Days, beside_keys, of_days, quarantine_beside
from spark_jobs.tables import CountMismatch, Upserted, overwrite, read_table, upsert

QUARANTINE = from_arrow_schema(QUARANTINE_SCHEMA)
# What `flag` adds to silver's columns; all but `ds` are null in valid rows, which would be twice as wide.
AUDIT_COLUMNS = ["ds", "key", "occurred_at", "origin", "raw", REJECT_REASON]


@dataclass(frozen=True)
class SilverJob:
    """The job that makes one silver table from its bronze table."""

    table: str
    key: str
    bronze: StructType
    silver: StructType
    flag: Callable[[DataFrame, str], DataFrame]
    """(new bronze rows, business time zone) -> silver's columns and AUDIT_COLUMNS, one row per bronze row."""
    order: Callable[[], list[Column]]
    """The rule for duplicates: the first row of a key in this total order is the one that counts."""
    wins_by: list[str]
    wins: str
    """The same rule against the row that silver has, for `upsert`."""

    def valid(self, flagged: DataFrame, repeated: DataFrame | None = None) -> DataFrame:
        """The valid rows, one per key, in silver's schema. `repeated` as in `first_per_key`."""
        valid = flagged.where(F.col(REJECT_REASON).isNull()).drop(*AUDIT_COLUMNS)
        return require_schema(first_per_key(valid, self.key, self.order(), repeated), self.silver)

    def rejected(self, flagged: DataFrame) -> DataFrame:
        """The rejected rows, in QUARANTINE's schema, one per quarantine_id."""
        read_at = F.col(READ_AT) if READ_AT in flagged.columns else F.lit(None).cast("timestamp")
        rows = flagged.where(F.col(REJECT_REASON).isNotNull()).select(
            F.sha2(F.concat_ws("|", "origin", "raw"), 256).alias("quarantine_id"),
            F.lit(self.table).alias("source"),
            "ds",
            F.col(REJECT_REASON).alias("reason"),
            "key",
            "occurred_at",
            "origin",
            "raw",
            read_at.alias(READ_AT),
        )
        order = [F.col(READ_AT).desc_nulls_last(), F.col("ds")]
        return require_schema(first_per_key(rows, "quarantine_id", order), QUARANTINE)


def flag_new(
    spark: SparkSession,
    lake: Lake,
    job: SilverJob,
    timezone: str,
    full: bool = False,
    days: Days | None = None,
) -> Flagged:
    """Write `flagged.<table>`, the bronze rows that are new to silver, and quarantine the rejected ones.

    `full` takes all of bronze, and leaves quarantine to `write`; with `days`, all of the keys that have a
    row of these. Returns the number of rows, and of rejected ones by reason.
    """
    since = None if full else lake.progress(f"silver.{job.table}", "bronze")
    bronze, version = bronze_since(spark, lake, job, since)
    flagged = job.flag(bronze, timezone)
    if days:
        flagged = of_days(flagged, job.key, days)
        # Silver holds no more of the other keys than before.
        version = lake.live().progress(f"silver.{job.table}", "bronze")
    rows_in = overwrite(flagged, lake, f"flagged.{job.table}")
    flagged = read_table(spark, lake, f"flagged.{job.table}")
    rejected = flagged.where(F.col(REJECT_REASON).isNotNull())
    reasons = rejected.groupBy(REJECT_REASON).count().orderBy(REJECT_REASON)
    quarantine = f"quarantine.{job.table}"
    if not full and (rows_in or lake.table(quarantine) is None):
        _quarantine(spark, job.rejected(flagged), lake, quarantine)
    return Flagged(
        table=job.table,
        bronze_version=version or 0,
        rows_in=rows_in,
        rejected=dict(reasons.collect()) if rows_in else {},
    )


def flag_day(spark: SparkSession, lake: Lake, job: SilverJob, timezone: str, ds: dt.date) -> int:
    """Write `flagged_day.<table>`, all that bronze holds of business day `ds`; returns the number of rows.

    For validation only: silver and quarantine stay as they are.
    """
    bronze, _ = bronze_since(spark, lake, job, None)
    return overwrite(job.flag(bronze, timezone).where(F.col("ds") == ds), lake, f"flagged_day.{job.table}")


def write(
    spark: SparkSession,
    lake: Lake,
    job: SilverJob,
    flagged: Flagged,
    full: bool = False,
    days: Days | None = None,
) -> RowCounts:
    """Upsert the valid rows of `flagged.<table>` into silver, then mark its progress; returns the counts.

    `full` replaces silver and quarantine instead; with `days` the other keys' rows are those of the live
    tables. Raises CountMismatch if rows got lost or counted twice.
    """
    name, quarantine = f"silver.{job.table}", f"quarantine.{job.table}"
    if not flagged.rows_in and not full and lake.table(name):
        lake.mark_progress(name, "bronze", flagged.bronze_version)
        return RowCounts(job.table)

    rows = read_table(spark, lake, f"flagged.{job.table}")
    repeated = find_repeated(spark, lake, f"flagged.{job.table}", job.silver[job.key])
    valid = job.valid(rows, repeated.hashes)
    if full:
        # Quarantine gains rows before silver changes, and loses rows after: a crash in between loses none.
        _quarantine(spark, job.rejected(rows), lake, quarantine)
        silver, held = valid, 0
        if days:
            others = beside_keys(read_table(spark, lake.live(), name), rows, job.key)
            silver, held = others.unionByName(silver, allowMissingColumns=True), others.count()
        written = overwrite(silver.select(job.silver.fieldNames()), lake, name)
        upserted = Upserted(written=written - held, stale=0)
    else:
        upserted = upsert(spark, valid, lake, name, job.key, job.wins_by, job.wins)
    counts = RowCounts(
        table=job.table,
        rows_in=flagged.rows_in,
        rows_out=upserted.written,
        duplicates=repeated.surplus + upserted.stale,
        rejected=flagged.rejected,
    )
    accounted = counts.rows_out + counts.duplicates + counts.quarantined
    if counts.rows_in != accounted:
        raise CountMismatch(f"{name}: {accounted} rows are accounted for, not those that came in: {counts}")
    if full:
        rejected = _not_replayed(spark, job.rejected(rows), lake)
        if days:
            others = quarantine_beside(read_table(spark, lake.live(), quarantine), rows, job.key, days)
            rejected = others.unionByName(rejected, allowMissingColumns=True)
        overwrite(rejected.select(QUARANTINE.fieldNames()), lake, quarantine)
    lake.mark_progress(name, "bronze", flagged.bronze_version)
    return counts


def _quarantine(spark: SparkSession, rejected: DataFrame, lake: Lake, name: str) -> None:
    # The same row may come back, after a valid version of its key: then it is as new as that.
    is_newer = f"coalesce(new.{READ_AT} > old.{READ_AT}, false)"
    rows = _not_replayed(spark, rejected, lake)
    upsert(spark, rows, lake, name, "quarantine_id", [READ_AT], is_newer)


def _not_replayed(spark: SparkSession, rejected: DataFrame, lake: Lake) -> DataFrame:
    """The rows that have not left quarantine; one that was read again since is back.

    What a changed rule has let out is judged by the rules alone.
    """
    if lake.table(REPLAYED) is None:
        return rejected
    left = (
        read_table(spark, lake, REPLAYED)
        .where(F.col("fix") != RULE)
        .select(F.col("quarantine_id").alias("_left"), F.col(READ_AT).alias("_left_at"))
    )
    is_same = F.col("quarantine_id") == F.col("_left")
    is_older = F.col(READ_AT).isNull() | (F.col(READ_AT) <= F.col("_left_at"))
    return rejected.join(left, is_same & is_older, "left_anti")


def bronze_since(
    spark: SparkSession, lake: Lake, job: SilverJob, version: int | None
) -> tuple[DataFrame, int | None]:
    """The bronze rows added after `version` (None: all), and the present version."""
    files, present = lake.files_since(f"bronze.{job.table}", version)
    rows = spark.read.schema(job.bronze).parquet(*files) if files else spark.createDataFrame([], job.bronze)
    return rows, present
