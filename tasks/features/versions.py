"""The task that brings `versions.*` up to bronze, with Spark."""

from prefect import task

from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from spark_jobs.engine.session import spark_session
from spark_jobs.engine.sizing import size_for
from spark_jobs.silver.jobs import silver_job
from spark_jobs.versions import append_versions


@task(task_run_name="versions-{table}", **RETRY_TRANSIENT)
def write_versions(table: str, settings: Settings, lake: Lake, full: bool = False) -> None:
    """Append what is new in bronze to `versions.<table>`; `full` makes it anew, after a row rule has changed."""
    session = spark_session(settings.spark_remote.get_secret_value(), settings.lake_uri)
    size_for(lake.bytes_since(f"bronze.{table}", lake.progress(f"versions.{table}", "bronze"))).apply(session)
    append_versions(session, lake, silver_job(table), settings.shop_timezone.key, full)
