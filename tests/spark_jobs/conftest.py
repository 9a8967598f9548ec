"""Every test of a job runs on both engines: what a job answers must not depend on who computes it."""

import os

import pytest
from pyspark.sql import SparkSession

from spark_jobs.engine.local_spark import SparkUnavailable
from spark_jobs.engine.session import spark_session


@pytest.fixture(scope="session")
def sail() -> SparkSession:
    """The embedded default engine."""
    return spark_session("")


@pytest.fixture(scope="session")
def apache() -> SparkSession:
    """An Apache Spark of this test run. Where it cannot start, its tests skip, except on CI."""
    # Hundreds of queries on a few rows each: what the JVM's second compiler gains, it does not earn back.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    try:
        return spark_session("local[2]")
    except SparkUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(
    scope="session",
    params=["sail", pytest.param("apache", marks=[pytest.mark.apache_spark, pytest.mark.slow])],
)
def spark(request: pytest.FixtureRequest) -> SparkSession:
    """Each engine in turn."""
    return request.getfixturevalue(request.param)
