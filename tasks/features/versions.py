"""`versions.*` brought up to bronze, with Spark."""

from blocks.settings.settings import Settings
from lake.delta import Lake
from spark_jobs.engine.session import spark_session
from spark_jobs.engine.sizing import size_for
from spark_jobs.silver.jobs import silver_job
from spark_jobs.silver.versions import append_versions


def write_versions(table: str, settings: Settings, lake: Lake, full: bool = False) -> None:
    """Append what is new in bronze to `versions.<table>`; `full`, after a new row rule, makes it anew."""
    session = spark_session(settings.spark_remote.get_secret_value(), settings.lake_uri)
    since = None if full else lake.progress(f"versions.{table}", "bronze")
    size_for(lake.bytes_since(f"bronze.{table}", since)).apply(session)
    append_versions(session, lake, silver_job(table), settings.shop_timezone.key, full)
