"""Versions: every valid version of a change log's rows, with when it was read, typed and append-only.

Silver keeps the newest of them; this table keeps the others too, so that one can ask what was known at a
moment. Personal columns stay behind: features do without.
"""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.catalog import catalog
from lake.delta import Lake
from spark_jobs.rows import REJECT_REASON
from spark_jobs.silver.job import SilverJob, bronze_since
from spark_jobs.tables import append, overwrite


def append_versions(
    spark: SparkSession, lake: Lake, job: SilverJob, timezone: str, full: bool = False
) -> None:
    """Append to `versions.<table>` the valid rows that are new in bronze; `full` replaces it by all of them.

    Grain: one row per version that was read, and one per delete that was noticed. A row may be there twice,
    if a run died between its append and its mark: readers take one version per key.
    """
    name = f"versions.{job.table}"
    since = None if full else lake.progress(name, "bronze")
    bronze, version = bronze_since(spark, lake, job, since)
    if version is None or version == since:
        return
    table = catalog()[job.table]
    personal = {column.name for column in table.columns if column.is_personal}
    valid = job.flag(bronze, timezone).where(F.col(REJECT_REASON).isNull())
    rows = valid.select([column for column in table.silver_schema.names if column not in personal])
    if since is None:
        overwrite(rows, lake, name)
    else:
        append(rows, lake, name)
    lake.mark_progress(name, "bronze", version)
