"""`versions.*` brought up to bronze, with Spark."""

from blocks.settings.settings import Settings
from lake.delta import Lake
from spark_jobs.engine.sizing import size_for
from spark_jobs.silver.jobs import silver_job
from spark_jobs.silver.versions import append_versions
from tasks.spark_session import session_of
from tasks.spark_submit import submit


def write_versions(table: str, settings: Settings, lake: Lake, full: bool = False) -> None:
    """Append what is new in bronze to `versions.<table>`; `full`, after a new row rule, makes it anew."""
    since = None if full else lake.progress(f"versions.{table}", "bronze")
    size = size_for(lake.bytes_since(f"bronze.{table}", since))
    timezone = settings.shop_timezone.key
    if settings.spark_submit:
        submit(settings, "versions", table, size, "--timezone", timezone, *(["--full"] if full else []))
    else:
        append_versions(session_of(settings, size), lake, silver_job(table), timezone, full)
