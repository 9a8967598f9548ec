"""The Spark session: Sail embedded in this process, or an Apache Spark named by `SPARK_REMOTE`.

Both are reached over Spark Connect, so the jobs see one API. Jobs never call this: they get a session.
"""

import os
from functools import cache

from pyspark.sql import SparkSession


@cache
def spark_session(remote: str) -> SparkSession:
    """The process's one session for `remote`: '' is Sail; `sc://host:port` or `local[2]` is Apache Spark.

    Sessions compute in UTC.
    """
    session = SparkSession.builder.remote(remote or _start_sail()).create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


@cache
def _start_sail() -> str:
    # Sail logs each request at INFO; it reads this variable once, at its start.
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    # The server stops when it is collected: keep it as long as the process.
    _servers.append(server)
    return f"sc://{host}:{port}"


_servers: list[object] = []
