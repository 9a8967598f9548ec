"""spark_jobs.engine.session and spark_jobs.apache_spark: which engine answers, and how a server ends."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from blocks.settings.environment import REPOSITORY
from spark_jobs.engine import local_spark as apache_spark
from spark_jobs.engine import session
from spark_jobs.engine.local_spark import LocalSpark, SparkUnavailable
from spark_jobs.engine.session import spark_session


def test_sessions_compute_in_utc(spark: SparkSession) -> None:
    assert spark.sql("select current_timezone() as zone").collect()[0].zone == "UTC"


def test_threads_that_ask_at_once_get_the_same_session(sail: SparkSession) -> None:
    with ThreadPoolExecutor(8) as threads:
        sessions = list(threads.map(spark_session, [""] * 8))
    assert all(session is sail for session in sessions)


@pytest.mark.apache_spark
def test_both_engines_answer_beside_each_other(sail: SparkSession, apache: SparkSession) -> None:
    assert [session.range(3).count() for session in (sail, apache, sail)] == [3, 3, 3]
    assert sail is not apache


def test_a_session_outlives_a_long_rest() -> None:
    """Sail reads the variable: with a second in it, the session is gone after three."""
    variable = "SAIL_SPARK__SESSION_TIMEOUT_SECS"
    program = (
        "import time; from spark_jobs.engine.session import spark_session; session = spark_session('');"
        "session.range(1).collect(); time.sleep(3); print(session.range(1).count())"
    )
    said: dict[str | None, list[str] | str] = {}
    for seconds in ("1", None):
        own = {name: value for name, value in os.environ.items() if name != variable}
        environment = own | ({variable: seconds} if seconds else {})
        done = subprocess.run(
            [sys.executable, "-c", f"{program}; import os; print(os.environ[{variable!r}])"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said[seconds] = done.stdout.split() or done.stderr
    assert "is not running" in said["1"]
    assert said[None] == ["1", str(30 * 24 * 3600)]


def test_a_query_that_has_ended_keeps_no_memory() -> None:
    """With the allocator's own delay the process stays as large as it was at its largest."""
    variable = "MIMALLOC_PURGE_DELAY"
    program = (
        "from pathlib import Path; from spark_jobs.engine.session import spark_session;"
        "memory = lambda kind: int(Path('/proc/self/status').read_text().split(kind)[1].split()[0]) >> 10;"
        "session = spark_session(''); session.range(1).collect(); before = memory('VmRSS:');"
        "session.range(4_000_000).selectExpr('uuid() as a').groupBy('a').count().where('count > 1').collect();"
        "print(memory('VmHWM:') - before, memory('VmRSS:') - before)"
    )
    own = {name: value for name, value in os.environ.items() if name != variable}
    for given, is_kept in (({variable: "1000"}, True), ({}, False)):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env=own | given,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        most, after = map(int, done.stdout.split())
        assert (after > most / 2) is is_kept, done.stdout


def test_an_unknown_remote_is_refused_with_what_may_be_given() -> None:
    with pytest.raises(ValueError, match=r"'yarn', not empty, local\[N\], local\[\*\] or sc://host:port"):
        spark_session("yarn")


def test_without_java_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkUnavailable, match="needs Java 17 or later: install it.*SPARK_REMOTE empty"):
        LocalSpark("local[1]")


@pytest.mark.apache_spark
def test_jars_out_of_reach_name_the_remedy(apache: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apache_spark, "DELTA", "io.delta:no-such-artifact_2.13:0.0.0")
    with pytest.raises(SparkUnavailable, match=r"mvn dependency:get -Dartifact=io\.delta:no-such-artifact"):
        LocalSpark("local[1]")


@pytest.mark.apache_spark
def test_a_connect_address_reaches_a_server_that_somebody_else_runs(apache: SparkSession) -> None:
    server = LocalSpark("local[1]")
    try:
        session = spark_session(server.url)
        assert session.range(3).count() == 3
        session.stop()
    finally:
        server.stop()


STARTS_AND_WAITS = """
import sys, time
from spark_jobs.engine.local_spark import LocalSpark
server = LocalSpark("local[1]")
print(server._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.apache_spark
def test_a_server_ends_when_its_starter_is_killed(apache: SparkSession) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_AND_WAITS], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        server = int(starter.stdout.readline())
        assert alive(server)
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while alive(server) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(server)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_server_of_our_own_knows_where_the_store_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert apache_spark.s3_conf() == apache_spark.S3_CONF
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:9000")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert apache_spark.s3_conf() == apache_spark.S3_CONF | {
        "spark.hadoop.fs.s3a.endpoint": "http://store:9000",
        "spark.hadoop.fs.s3a.endpoint.region": "eu-central-1",
    }


@pytest.mark.parametrize(
    ("remote", "lake_uri", "on_s3"),
    [
        ("local[2]", "s3://shop/lake", True),
        ("local[2]", "file:///srv/lake", False),
        ("sc://somebody:15002", "s3://shop/lake", False),
        ("", "s3://shop/lake", False),
    ],
)
def test_only_a_server_of_our_own_over_a_lake_on_s3_fetches_its_jars(
    monkeypatch: pytest.MonkeyPatch, remote: str, lake_uri: str, on_s3: bool
) -> None:
    asked = []
    monkeypatch.setattr(session, "_session", lambda *arguments: asked.append(arguments))
    spark_session(remote, lake_uri)
    assert asked == [(remote, on_s3)]
