"""A real PgBouncer before a PostgreSQL, for the length of a test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from spark_jobs.engine.local_server import accepts, free_port
from tests.support.prometheus_servers import wait_until

START_SECONDS = 30


@contextmanager
def open_pooler(dsn: str, folder: Path, **settings: str | int) -> Iterator[str]:
    """The DSN of the same database through a PgBouncer with these settings and otherwise its defaults.

    A test that wants it skips where the program is missing, and fails in CI.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        missing = "pgbouncer is not installed: apt-get install pgbouncer"
        if os.environ.get("CI"):
            raise RuntimeError(missing)
        pytest.skip(missing)
    parts, port = parse_dsn(dsn), free_port()
    users = folder / "users.txt"
    users.write_text(f'"{parts["user"]}" "{parts["password"]}"\n')
    ours = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": users,
    }
    if os.geteuid() == 0:
        # It refuses to run as root.
        ours["user"] = "nobody"
    configuration = folder / "pgbouncer.ini"
    lines = [f"{name} = {value}" for name, value in {**ours, **settings}.items()]
    databases = f"[databases]\n* = host={parts['host']} port={parts['port']}\n"
    configuration.write_text(databases + "\n".join(["[pgbouncer]", *lines, ""]))
    with (folder / "pgbouncer.log").open("ab") as log:
        pooler = subprocess.Popen(
            [program, configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: pooler.poll() is not None or accepts(port), START_SECONDS)
        assert pooler.poll() is None, (folder / "pgbouncer.log").read_text()
        yield dsn.replace(f":{parts['port']}/", f":{port}/")
    finally:
        pooler.terminate()
        pooler.wait(timeout=START_SECONDS)
