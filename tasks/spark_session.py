"""The Spark session that the settings name."""

from pyspark.sql import SparkSession

from blocks.settings.settings import Settings
from spark_jobs.engine.session import spark_session
from spark_jobs.engine.sizing import Size


def session_of(settings: Settings, size: Size | None = None) -> SparkSession:
    """The process's session for SPARK_REMOTE, from now on with the shuffle partitions of `size`."""
    session = spark_session(settings.spark_remote.get_secret_value(), settings.lake_uri)
    if size:
        size.apply(session)
    return session
