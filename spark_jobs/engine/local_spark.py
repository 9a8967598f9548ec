"""An Apache Spark on this machine: a Spark Connect server with Delta, as a child process.

Not pyspark's `remote("local")`: that also runs the classic API in this process, and `pyspark.sql.functions`
may then serve the wrong one of the two.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pyspark

from spark_jobs.engine.local_server import accepts, answers_in_time, free_port, until_input_closes

# The Python package delta-spark 4.4.1 names the same artifact, in a version that came later to Maven Central.
DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"
# Everything that Delta depends on besides its own jars comes with Spark, in the versions that Spark wants.
COMES_WITH_SPARK = (
    "org.apache.hadoop:hadoop-client*,org.apache.logging.*:*,org.apache.parquet:*,org.locationtech.*:*,"
    "org.roaringbitmap:*,org.scala-lang:*,org.slf4j:*,org.wildfly.*:*,org.xerial.*:*,"
    "com.*:*,javax.*:*,jakarta.*:*,commons-*:*,io.airlift:*"
)
# The reader and writer of s3:// addresses: of the Hadoop that Spark brings, and the SDK it was built with.
S3 = "org.apache.hadoop:hadoop-aws:3.5.0,software.amazon.awssdk:bundle:2.35.4"
S3_CONF = {
    # The lake's addresses begin with s3://, as all other engines spell them; keys come from the environment.
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.establish.timeout": "5s",
    "spark.hadoop.fs.s3a.connection.timeout": "30s",
}
CONF = {
    # Delta reads a table's log in 50 tasks otherwise.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    # A session ends after an hour's rest otherwise (session.py, of Sail's).
    "spark.connect.session.manager.defaultSessionTimeout": "30d",
    "spark.driver.memory": "2g",
    # The plan of every query is a few hundred lines at INFO.
    "spark.log.level": "WARN",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.session.timeZone": "UTC",
    # Spark's 200 suit a cluster; here each would be a task of a few rows.
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
}
START_SECONDS = 120
OR_ELSE = "or leave SPARK_REMOTE empty to run on the embedded engine"


class SparkUnavailable(Exception):
    """No Apache Spark could be started here; the message names the remedy."""


class LocalSpark:
    """A running server. It ends with `stop`, or with the process that started it."""

    def __init__(self, master: str, on_s3: bool = False) -> None:
        """Start a server on `master` (`local[2]`) and wait until it listens; raises SparkUnavailable.

        `on_s3` adds the jars that read and write S3: some 700 MB, fetched once.
        """
        _require_java()
        self._folder = tempfile.TemporaryDirectory(prefix="spark-", ignore_cleanup_errors=True)
        self._port = free_port()
        # A client of the server can run code as this user: without the token nobody becomes one.
        self._token = str(uuid.uuid4())
        self._log = Path(self._folder.name) / "server.log"
        self._process = self._start(master, on_s3)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The address for sessions. PySpark sends a token without TLS to `localhost` only."""
        return f"sc://localhost:{self._port}/;token={self._token}"

    def stop(self) -> None:
        """End the server and remove its scratch folder."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()

    def _start(self, master: str, on_s3: bool) -> subprocess.Popen[bytes]:
        spark_home = Path(pyspark.__file__).parent
        jars = f"{DELTA},{S3}" if on_s3 else DELTA
        conf = CONF | {
            "spark.connect.grpc.binding.port": str(self._port),
            "spark.local.dir": self._folder.name,
        }
        if on_s3:
            conf |= s3_conf()
        command = [str(spark_home / "bin" / "spark-submit"), "--master", master]
        command += ["--packages", jars, "--exclude-packages", COMES_WITH_SPARK]
        command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        command += [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - every word is ours
                until_input_closes([*command, "spark-internal"]),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder.name,
                env={name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
                | {
                    "SPARK_CONNECT_AUTHENTICATE_TOKEN": self._token,
                    "SPARK_HOME": str(spark_home),
                    "SPARK_LOCAL_IP": "127.0.0.1",
                },
            )

    def _wait(self) -> None:
        def lives() -> bool:
            return self._process.poll() is None

        if not answers_in_time(lambda: accepts(self._port), lives, START_SECONDS):
            raise SparkUnavailable(_why(self._log.read_text(errors="replace")))


def s3_conf() -> dict[str, str]:
    """Spark's configuration for the store behind s3:// addresses, as the AWS variables name it."""
    endpoint, region = os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_REGION")
    return (
        S3_CONF
        | ({"spark.hadoop.fs.s3a.endpoint": endpoint} if endpoint else {})
        | ({"spark.hadoop.fs.s3a.endpoint.region": region} if region else {})
    )


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")):
        raise SparkUnavailable(
            "Apache Spark needs Java 17 or later: install it (and set JAVA_HOME if it is not on PATH), "
            f"{OR_ELSE}"
        )


def _why(log: str) -> str:
    if "unresolved dependency" in log or "download failed" in log:
        return (
            f"Apache Spark cannot download {DELTA}: fetch it into the local Maven repository with "
            f"`mvn dependency:get -Dartifact={DELTA}`, {OR_ELSE}"
        )
    return f"Apache Spark did not start within {START_SECONDS} s: {log[-2000:]}"
