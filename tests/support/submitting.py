"""Submitting jobs to an Apache Spark on this machine, as SPARK_SUBMIT says."""

import shlex
from pathlib import Path

import pyspark

from blocks.settings.environment import REPOSITORY
from tests.support import few_rows

SPARK_HOME = Path(pyspark.__file__).parent
FILES = REPOSITORY / "deployments" / "spark"


def local_submit() -> str:
    """A SPARK_SUBMIT for two cores of this machine, with the properties that every cluster needs."""
    return shlex.join(
        [
            *(str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[2]"),
            *("--properties-file", str(FILES / "delta.conf")),
            *("--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"),
            # As in apache_spark.py: a log of a few files.
            *("--conf", "spark.databricks.delta.snapshotPartitions=2"),
            *("--driver-java-options", few_rows.JAVA_OPTIONS),
            *(word for name, value in few_rows.CONF.items() for word in ("--conf", f"{name}={value}")),
        ]
    )


def properties(name: str) -> dict[str, str]:
    """The properties in a file of deployments/spark."""
    lines = (FILES / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
