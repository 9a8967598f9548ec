"""The Spark session: Sail embedded in this process, or the Apache Spark named by `SPARK_REMOTE`.

All are reached over Spark Connect, so the jobs see one API. Jobs never call this: they get a session.
"""

import atexit
import os
from functools import cache
from threading import Lock
from typing import Any

from pyspark.sql import SparkSession

from spark_jobs.engine.local_spark import LocalSpark
from spark_jobs.tables import EMBEDDED

# Longer than any process of ours rests.
SESSION_SECONDS = 30 * 24 * 3600
_one_at_a_time = Lock()
# A server stops when it is collected: keep each as long as the process.
_servers: list[Any] = []


def spark_session(remote: str, lake_uri: str = "") -> SparkSession:
    """The process's one session for `remote`. It computes in UTC.

    '' is Sail in this process; `local[2]` or `local[*]` an Apache Spark started on this machine, which ends
    with this process; `sc://host:port` a Spark Connect server with Delta that somebody else runs. `lake_uri`
    matters only to one that is started here: on S3 it needs more jars.
    """
    # Flows ask from several threads at once: two of them must not start two servers.
    with _one_at_a_time:
        return _session(remote, _is_local(remote) and lake_uri.startswith("s3://"))


def submitted_session() -> SparkSession:
    """The session of the program that `spark-submit` has started. It computes in UTC."""
    session = SparkSession.builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


@cache
def _session(remote: str, on_s3: bool) -> SparkSession:
    session = SparkSession.builder.remote(_address(remote, on_s3)).create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    if not remote:
        session.conf.set(EMBEDDED, "true")
        # Each column expression would look for its line in our code, and for IPython. Apache Spark is told at
        # its start (local_spark.py).
        session.conf.set("spark.python.sql.dataFrameDebugging.enabled", "false")
    # Left to the interpreter's last collection, gRPC's channel waits for a thread that no longer runs.
    atexit.register(session.stop)
    return session


def _is_local(remote: str) -> bool:
    return remote == "local" or remote.startswith("local[")


def _address(remote: str, on_s3: bool) -> str:
    if remote.startswith("sc://"):
        return remote
    if _is_local(remote):
        spark = LocalSpark(remote, on_s3)
        _servers.append(spark)
        return spark.url
    if remote:
        raise ValueError(f"SPARK_REMOTE is '{remote}', not empty, local[N], local[*] or sc://host:port")
    return _start_sail()


def _start_sail() -> str:
    # Sail logs each request at INFO. It reads its variables once, at its start.
    os.environ.setdefault("RUST_LOG", "error")
    # It ends a session after minutes of rest otherwise: while dbt builds, or a source is retried.
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(SESSION_SECONDS))
    # Its allocator keeps the memory of a query that has ended, which dbt and the gates then lack.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "0")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    _servers.append(server)
    return f"sc://{host}:{port}"
