"""The row rules of today, asked about rows of bronze, on the engine that flags a run's rows."""

import hashlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from blocks.settings.settings import Settings
from lake.delta import Lake
from spark_jobs.rows import REJECT_REASON
from spark_jobs.silver.jobs import silver_job
from tasks.replay.versions import ID, bronze_rows
from tasks.spark_session import session_of


def passing_rows(quarantined: pa.Table, table: str, settings: Settings, lake: Lake) -> pa.Table:
    """The rows of bronze, each with its `quarantine_id`, of those quarantined rows that pass now."""
    bronze = bronze_rows(lake, table, quarantined)
    if not bronze.num_rows:
        return bronze
    # As SilverJob.rejected makes the ids, whose window takes Sail ten seconds on rows that lie in no file.
    rejects = [
        hashlib.sha256(f"{origin}|{raw}".encode()).hexdigest()
        for _, origin, raw in rejected(bronze, table, ["origin", "raw"], settings)
    ]
    return bronze.filter(pc.invert(pc.is_in(bronze[ID], pa.array(rejects, pa.string()))))


def rejected(bronze: pa.Table, table: str, columns: list[str], settings: Settings) -> list[tuple[Any, ...]]:
    """(reason, the values of `columns`) of the rows that do not pass."""
    flagged = _flag(bronze, table, settings).where(f"{REJECT_REASON} is not null")
    return [tuple(row) for row in flagged.select(REJECT_REASON, *columns).collect()]


def _flag(bronze: pa.Table, table: str, settings: Settings) -> DataFrame:
    spark, job = session_of(settings), silver_job(table)
    rows = spark.createDataFrame(bronze.select(job.bronze.fieldNames()))
    return job.flag(rows, settings.shop_timezone.key)
